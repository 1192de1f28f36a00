#!/usr/bin/python
# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trust
version_added: 1.0.0
short_description: Do a server and the path from it support TLS 1.2 and SHA-512 for a connector
description:
  - Judges whether the server offers TLS 1.2 and SHA-512, by what its own TLS library really sends. The registry and .NET explain it.
  - Judges whether something on the path cuts TLS that puts SHA-512 first.
  - From a jump host or the controller only the path can be judged. The rest is V(not_applicable).
  - One task on the target. Judging is done on the controller.
seealso:
  - module: appproxy.connector.preflight
  - module: appproxy.connector.report
  - module: appproxy.connector.gate
author:
  - appproxy.connector contributors (!UNKNOWN)
extends_documentation_fragment:
  - appproxy.connector._options
  - appproxy.connector._options.policy
  - appproxy.connector._attributes
  - appproxy.connector._attributes.platform
"""

EXAMPLES = r"""
- name: Do this server and its firewall support what the connector's certificate needs
  appproxy.connector.trust:
    tenant_id: 00000000-1111-2222-3333-444444444444
    proxy: auto
  register: result

- name: The answer in one sentence
  ansible.builtin.debug:
    msg: "{{ result.sha512.text }}"
"""

RETURN = r"""
schema:
  description: Version of this result's shape.
  returned: when the options are good
  type: int
  sample: 1
verdict:
  description: V(ready), V(not_ready) or V(inconclusive).
  returned: when the options are good
  type: str
  sample: not_ready
headline:
  description: The verdict and its first cause, in one line.
  returned: when the options are good
  type: str
  sample: "Not ready: the proxy proxy.example:8080 asks for a password (APC122); 14 endpoints wait behind it."
summary:
  description: RV(headline), what to do about it, how many more causes there are, and RV(remarks), in one line.
  returned: when the options are good
  type: str
  sample: >-
    Not ready: the proxy proxy.example:8080 asks for a password (APC122); 14 endpoints wait behind it. Let this server
    through proxy.example:8080 without authentication.
remarks:
  description: What a reader of the verdict must know of how this run was made.
  returned: when the options are good
  type: list
  elements: str
  sample: ["proxy: auto found: the installing user and Network Service go directly; Windows goes over proxy.example:8080."]
msg:
  description: RV(summary), then the causes with what to do.
  returned: when the options are good
  type: str
  sample: "Not ready: the proxy proxy.example:8080 asks for a password (APC122); 14 endpoints wait behind it."
counts:
  description: How many findings have which status.
  returned: when the options are good
  type: dict
  sample: {fail: 1, warn: 0, unknown: 14, pass: 3, not_applicable: 0, waived: 0}
findings:
  description: What was found, the worst first. Those with status V(pass) only with O(return_passes=true).
  returned: when the options are good
  type: list
  elements: dict
  contains:
    id:
      description: Stable id. The page C(docs/findings/<id>.md) explains it.
      type: str
      sample: APC122
    name:
      description: Stable name.
      type: str
      sample: proxy-authentication-required
    status:
      description: V(pass), V(fail), V(warn), V(unknown), V(not_applicable) or V(waived).
      type: str
      sample: fail
    severity:
      description: V(error), V(warning) or V(info).
      type: str
      sample: error
    owner:
      description: Who can mend it. V(network), V(dns), V(proxy), V(server), V(identity), V(service) or V(tool).
      type: str
      sample: proxy
    title:
      description: What is wrong, in one line.
      type: str
      sample: The proxy proxy.example:8080 asks for a password
    evidence:
      description: What was seen that says so. Keys depend on the finding.
      type: dict
      sample: {status: 407, challenges: "Negotiate, NTLM"}
    hint:
      description: What to do.
      type: str
      sample: "Let this server through proxy.example:8080 without authentication: the connector cannot log in to a proxy."
    docs:
      description: Where it is documented.
      type: str
      sample: https://learn.microsoft.com/entra/identity/app-proxy/application-proxy-configure-connectors-with-proxy-servers
    endpoints:
      description: The endpoints that it is about, each C(host:port).
      type: list
      elements: str
      sample: ["login.microsoftonline.com:443"]
    path:
      description: The way out of the server that it was seen on, V(direct) or V(http://host:port). Null where it is about none.
      type: str
      sample: http://proxy.example:8080
    because:
      description: Ids of the findings that explain this one.
      type: list
      elements: str
      sample: []
    waiver:
      description: >-
        The waiver that covers it, as it was given. Where its last day has passed it covers nothing any more and has C(expired).
        Null without one.
      type: dict
      sample: {id: APC122, until: "2026-12-31", reason: Ticket 4711, endpoint: null, host: null}
    seen_from:
      description: V(server), V(jump_host) or V(controller).
      type: str
      sample: server
causes:
  description: The findings that explain the others, the most important first.
  returned: when the options are good
  type: list
  elements: dict
  contains:
    id:
      description: Id of the finding.
      type: str
      sample: APC122
    title:
      description: What is wrong.
      type: str
      sample: The proxy proxy.example:8080 asks for a password
    hint:
      description: What to do.
      type: str
      sample: "Let this server through proxy.example:8080 without authentication: the connector cannot log in to a proxy."
    owner:
      description: Who can mend it.
      type: str
      sample: proxy
    status:
      description: As of the finding.
      type: str
      sample: fail
    severity:
      description: As of the finding.
      type: str
      sample: error
    endpoints:
      description: The endpoints that it is about.
      type: list
      elements: str
      sample: ["login.microsoftonline.com:443"]
    waits:
      description: How many endpoints wait behind it.
      type: int
      sample: 14
    path:
      description: As of the finding.
      type: str
      sample: http://proxy.example:8080
    waiver:
      description: As of the finding.
      type: dict
      sample: {id: APC122, until: "2026-11-25", reason: Ticket 4711, endpoint: null, host: null, expired: true}
not_covered:
  description: What cannot be seen before an installation, or was not asked for.
  returned: when the options are good
  type: list
  elements: str
  sample: [the connector's own client certificate]
seen_as:
  description: The account that looked. V(nobody) where nothing was seen.
  returned: when the options are good
  type: str
  sample: CONTOSO\\svc-ansible
seen_from:
  description: Where the looking was done. V(server), V(jump_host) or V(controller).
  returned: when the options are good
  type: str
  sample: server
seen_at:
  description: When the target began to look, by its own clock, UTC. Null where nothing was seen.
  returned: when the options are good
  type: str
  sample: "2026-11-26T01:15:00Z"
elapsed_ms:
  description: How long looking took on the target, in milliseconds. V(0) where nothing was seen.
  returned: when the options are good
  type: int
  sample: 2310
reached:
  description: Whether the target could be reached. Also V(true) with saved observations.
  returned: when the options are good
  type: bool
  sample: true
judged:
  description: >-
    With what was judged. The same observation with the same time, catalogue, roots and options gives the same findings.
  returned: when the options are good
  type: dict
  contains:
    as_of:
      description: The time that was judged at.
      type: str
      sample: "2026-11-26T01:15:02Z"
    catalogue:
      description: Version of the catalogue.
      type: str
      sample: "1.0.0"
    roots:
      description: SHA-256 of the set of root certificates. Null where a library is missing on the controller.
      type: str
      sample: 8f1f0d4c0a2b6b6b5b7f5a6f0c1d2e3f8f1f0d4c0a2b6b6b5b7f5a6f0c1d2e3f
    roots_source:
      description: Where they come from, the Python package with its version or the file of O(public_roots). Null as RV(judged.roots).
      type: str
      sample: certifi 2026.5.20
    connect_to:
      description: Whether O(connect_to) led an endpoint elsewhere.
      type: bool
      sample: false
    connect_to_counts:
      description: As of O(connect_to_counts).
      type: bool
      sample: false
    proxy:
      description: As of O(proxy).
      type: str
      sample: http://proxy.example:8080
    cloud:
      description: As of O(cloud).
      type: str
      sample: public
    tenant_id:
      description: As of O(tenant_id), in lower case. Null for V(none).
      type: str
      sample: 00000000-1111-2222-3333-444444444444
    connector_version:
      description: As of O(connector_version). Null where it was not given.
      type: str
      sample: 1.5.4287.0
sha512:
  description: >-
    One answer to whether machine, proxy and firewall support the SHA-512 certificate that Microsoft's page speaks of. Never more than
    is known. Null where nothing was judged.
  returned: when the options are good
  type: dict
  contains:
    machine:
      description: >-
        V(offers), V(does_not_offer), V(cannot_use) (a rehearsal failed), V(unknown) or V(not_seen) (what looked is not the server).
      type: str
      sample: offers
    path:
      description: V(passes), V(cuts), V(inspected) or V(unknown).
      type: str
      sample: passes
    service:
      description: What the bootstrap service says that it takes, V(accepts), V(does_not_accept) or V(not_told).
      type: str
      sample: not_told
    rehearsed:
      description: Whether a rehearsal stands behind the answer.
      type: bool
      sample: false
    text:
      description: The answer in one sentence.
      type: str
      sample: "SHA-512: this server offers it; the path lets it through; the service did not tell."
chains:
  description: >-
    The certificate chains that were seen, each once with where it was shown. Without what could not be read, which is a finding.
  returned: when the options are good
  type: list
  elements: dict
  contains:
    standing:
      description: >-
        V(public) (a public root stands behind it), V(private) or V(incomplete) (an issuer is neither in it nor known).
      type: str
      sample: public
    trusted:
      description: Whether the server trusts its issuer. Null where it gave no word on this one.
      type: bool
      sample: true
    root:
      description: The last name reached, the root's or that of the issuer that is missing.
      type: str
      sample: DigiCert Global Root G2
    certificates:
      description: >-
        The leaf first, without a root that was not sent. Each with C(subject), C(issuer), C(not_before), C(not_after), C(signature)
        (the hash that it is signed with) and C(sha256) (of its DER).
      type: list
      elements: dict
      sample:
        - subject: "*.msappproxy.net"
          issuer: Microsoft Azure RSA TLS Issuing CA 03
          not_before: "2026-09-01T00:00:00Z"
          not_after: "2027-03-01T00:00:00Z"
          signature: sha384
          sha256: 4c1d5b0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4
    endpoints:
      description: Where it was shown, as V(host:port).
      type: list
      elements: str
      sample: ["login.microsoftonline.com:443"]
    path:
      description: By which way.
      type: str
      sample: direct
observation:
  description: What the target saw, as M(appproxy.connector.connector_info) and M(appproxy.connector.path_info) return it.
  returned: with O(return_observation=true), where something was seen and understood
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  pylint: disable=wrong-import-position
from ansible_collections.appproxy.connector.plugins.module_utils._argspecs import (  # noqa: E402
    JUDGING_OPTIONS,
)


def main() -> None:
    module = AnsibleModule(argument_spec=JUDGING_OPTIONS, supports_check_mode=True)
    module.fail_json(msg="appproxy.connector.trust runs as an action plugin: call it from a task by its full name")


if __name__ == "__main__":
    main()
