#!/usr/bin/python
# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# No annotations and nothing newer than Python 2.7 here: on an old Python this file still has to say that it is too old.

DOCUMENTATION = r"""
---
module: path_info
version_added: 1.0.0
short_description: What a POSIX host sees of the network that a connector needs
description:
  - Looks at the endpoints of a request with DNS, TCP, proxy, TLS, certificates and HTTP, and returns what it saw as one observation.
  - For a POSIX host that stands in for the Windows server, such as a jump host in the subnet of the server, or the controller.
    On Windows use M(appproxy.connector.connector_info), which takes the same request and returns the same observation.
  - Facts only. An observation has no word of pass or fail; M(appproxy.connector.connectivity) and M(appproxy.connector.preflight)
    run this module themselves and judge what it returns.
  - It makes TCP and TLS connections, sends harmless GET requests, and to a proxy CONNECT requests, without credentials ever, and
    follows no redirect. It changes nothing on the host.
  - Proxies from environment variables are not used. Only those of the request are.
  - Certificates are judged by the roots that the Python on the host trusts. The environment variable E(SSL_CERT_FILE) is honoured.
requirements:
  - Python 3.9 or newer on the host; only its standard library is used. On an older Python the module fails and says APC904.
options:
  request:
    description:
      - What to look at, as C(plugins/plugin_utils/observe/request.schema.json) of this collection describes it.
      - Needed are C(schema) (V(1)), C(paths) (the ways out to look over) and C(targets) (the endpoints). The rest has defaults.
      - C(paths) is a list of dictionaries with C(id) and C(ways), a list of V(direct) or V(http://host:port) of which the first is taken.
      - C(targets) is a list of dictionaries with C(id), C(host), C(port) and C(tls), and maybe C(get), C(websocket), C(user_agent),
        C(addresses) and C(hellos).
      - C(deadline_ms) (default V(20000)) bounds the whole observation; what was not reached until then says C(not_run).
      - C(timeouts_ms), C(parallel), C(connect_to) and C(revocation) are explained in the schema.
      - What the schema has for a Windows server itself is left out here. C(host) gives null, and C(detect) is refused.
    type: dict
    required: true
seealso:
  - module: appproxy.connector.connector_info
  - module: appproxy.connector.connectivity
  - module: appproxy.connector.preflight
author:
  - appproxy.connector contributors (@appproxy-connector)
extends_documentation_fragment:
  - appproxy.connector._attributes
attributes:
  platform:
    description: Target OS or families that can be operated against.
    support: full
    platforms: posix
"""

EXAMPLES = r"""
- name: See from a jump host what the server's subnet lets through to the sign-in service
  appproxy.connector.path_info:
    request:
      schema: 1
      paths:
        - id: direct
          ways: [direct]
      targets:
        - id: login.microsoftonline.com:443
          host: login.microsoftonline.com
          port: 443
          tls: true
  register: seen

- name: The same over a proxy, with a shorter deadline and without fetching revocation lists
  appproxy.connector.path_info:
    request:
      schema: 1
      deadline_ms: 10000
      paths:
        - id: http://proxy.example:8080
          ways: ["http://proxy.example:8080"]
      targets:
        - id: login.microsoftonline.com:443
          host: login.microsoftonline.com
          port: 443
          tls: true
        - id: crl3.digicert.com:80
          host: crl3.digicert.com
          port: 80
          tls: false
      revocation:
        limit: 0
  register: seen
"""

RETURN = r"""
observation:
  description:
    - What was seen, as C(plugins/plugin_utils/observe/observation.schema.json) of this collection describes it.
    - The page C(docs/observation.md) says what the stages, facts and codes mean.
  returned: success
  type: dict
  contains:
    schema:
      description: Version of the observation's shape.
      type: int
      sample: 1
    engine:
      description: What looked, with C(name), C(version), C(family) and C(platform).
      type: dict
      sample: {name: path_info, version: 1.0.0, family: posix, platform: Linux 6.1.0 x86_64; Python 3.11.2; OpenSSL 3.0.15}
    seen_as:
      description: The account that looked.
      type: str
      sample: ansible
    seen_at:
      description: The host's own clock, in UTC, when it began.
      type: str
      sample: "2026-11-26T01:15:00Z"
    elapsed_ms:
      description: How long it looked, in milliseconds.
      type: int
      sample: 1840
    deadline_ms:
      description: The deadline that it had, in milliseconds.
      type: int
      sample: 20000
    platform_hello:
      description: The ClientHello that the platform's TLS client really sends, or why it could not be read.
      type: dict
      sample:
        ok: true
        value: {versions: [772, 771], suites: [4866, 49196], groups: [29], signature_algorithms: [1027], extensions: [0, 11], bytes: 517}
    attempts:
      description: One for each target, path and address, in the order of the request; then those of the second wave.
      type: list
      elements: dict
      sample:
        - target: login.microsoftonline.com:443
          path: direct
          wave: 1
          url: null
          address: 192.0.2.10
          port: 443
          redirected_to: null
          stages:
            resolve: {state: ok, ms: 4, facts: {name: login.microsoftonline.com, addresses: [192.0.2.10]}}
            connect: {state: error, ms: 31, facts: {}, error: {code: refused, message: "[Errno 111] Connection refused"}}
    rechecks:
      description: What was lost among many, tried again alone, and how it ended at the stage at which it was lost first.
      type: list
      elements: dict
      sample: []
    certificates:
      description: Each certificate that was seen, once. SHA-256 of its DER in hex to the DER in base64.
      type: dict
      sample: {}
"""

import sys

from ansible.module_utils.basic import AnsibleModule

OLDEST_PYTHON = (3, 9)


def main():
    module = AnsibleModule(argument_spec={"request": {"type": "dict", "required": True}}, supports_check_mode=True)
    if sys.version_info < OLDEST_PYTHON:
        module.fail_json(
            msg="path_info needs Python 3.9 or newer on the target; %s is Python %d.%d.%d (APC904). Set "
                "ansible_python_interpreter to a newer one." % ((sys.executable,) + tuple(sys.version_info[:3])),
            apc="APC904",
        )
    # Not before: an old Python cannot import it.
    from ansible_collections.appproxy.connector.plugins.module_utils._probe import observe
    from ansible_collections.appproxy.connector.plugins.module_utils._probe_request import BadRequest

    try:
        observation = observe(module.params["request"])
    except BadRequest as error:
        module.fail_json(msg="Bad request: %s" % error)
    module.exit_json(changed=False, observation=observation)


if __name__ == "__main__":
    main()
