#!/usr/bin/python
# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: admin
version_added: 1.0.0
short_description: Will this sign-in be allowed to register a Microsoft Entra private network connector
description:
  - The sign-in, the account, its role and the tenant's licence, for who will register connectors. The area V(admin).
  - Runs on the controller only. No target is connected to, and nothing is written in the tenant. A play needs it once, not once a server.
  - Everything is seen from the controller. Conditional Access, tenant restrictions and proxies may look different from the server.
  - What was not asked for (no O(admin_upn), no token, no O(sign_in)) is V(not_applicable), never a failure.
  - The files C(docs/admin.md) and C(docs/calls.md) of the collection have the ways to look, and the least permissions with what each adds.
options:
  tenant_id:
    description:
      - The directory (tenant) id, a GUID, in which the connector is to be registered.
      - V(none) only where nothing is asked of the sign-in.
    type: str
    required: true
  cloud:
    description:
      - Which cloud the tenant is in, V(public) or V(usgov).
    type: str
    default: public
  admin_upn:
    description:
      - The account that will register, as it signs in, V(name@domain).
      - Without any credentials only its domain is looked up, which needs no sign-in. With those of an application the directory is asked.
    type: str
  registration_token:
    description:
      - The access token of the documented token way, whose claims are read as evidence. It is not sent anywhere.
      - A role that it names proves the role. One that it does not name proves nothing.
      - Without it and O(registration_token_file), the environment variable C(APPPROXY_REGISTRATION_TOKEN) is taken.
    type: str
  registration_token_file:
    description:
      - A file on the controller that holds the token.
    type: str
  client_id:
    description:
      - The application (client) id of an application of the tenant that may read the directory.
      - Without it C(AZURE_CLIENT_ID) is taken, where O(admin_upn) is given and the environment has a secret, certificate or token file too.
    type: str
  client_secret:
    description:
      - Its secret. Without it C(AZURE_CLIENT_SECRET) or C(AZURE_SECRET).
    type: str
  client_certificate:
    description:
      - A file on the controller with its certificate and key, PEM in one file or PKCS#12.
      - Without it C(AZURE_CLIENT_CERTIFICATE_PATH) or C(AZURE_X509_CERTIFICATE_PATH).
    type: str
  client_certificate_password:
    description:
      - What opens O(client_certificate). Without it C(AZURE_CLIENT_CERTIFICATE_PASSWORD).
    type: str
  federated_token_file:
    description:
      - A file on the controller with a federated token (workload identity). Without it C(AZURE_FEDERATED_TOKEN_FILE).
    type: str
  sign_in:
    description:
      - Whether to rehearse the person's sign-in, V(none), V(device_code) or V(password). Each leaves an entry in the sign-in log.
      - V(device_code) shows a code that a person enters in a browser. For the registration's client that is not documented, so a refusal is
        V(unknown). Refused in check mode, under AWX and where C(CI) is set.
      - V(password) is what the connector's old credentials mode does. It is tried exactly once, and not at all for a federated account. A
        wrong password counts towards the account's lock. Refused in check mode and under AWX, where each slice would try.
    type: str
    default: none
  sign_in_timeout:
    description:
      - Seconds that a person has to enter the code of V(device_code), V(10) to V(900).
    type: int
    default: 300
  admin_password:
    description:
      - The password of O(admin_upn) for O(sign_in=password). Without it C(AZURE_PASSWORD).
    type: str
  look_for_connectors:
    description:
      - Whether to ask for existing connectors and for the state of the application proxy.
      - These interfaces are beta, and no permission of an application is documented for them. A refusal is C(APC331).
    type: bool
    default: false
  activation_margin:
    description:
      - Minutes for which an activated role and a token must still hold. Less is a warning.
    type: int
    default: 60
  authority:
    description:
      - Another address of the sign-in, V(https://host[:port]), for closed networks. By default that of O(cloud).
    type: str
  graph_url:
    description:
      - Another address of Microsoft Graph, V(https://host[:port]), for closed networks. By default that of O(cloud).
    type: str
  ca_path:
    description:
      - A file on the controller with the certificates, in PEM, that the sign-in and Graph are trusted by. By default those of certifi, or
        of C(SSL_CERT_FILE).
      - Certificates are always checked.
    type: str
  deadline:
    description:
      - Seconds after which looking ends, V(5) to V(600). What was not answered by then is V(unknown).
      - O(sign_in_timeout) comes on top where a person signs in.
    type: int
    default: 60
  once:
    description:
      - Look once in a run of Ansible, however often the task is played. Every further time returns what came of the first.
    type: bool
    default: false
  checks:
    description:
      - What to judge, as areas or ids of findings. Those of servers are left to the other modules. Empty is all.
    type: list
    elements: str
    default: []
  skip_checks:
    description:
      - What not to judge, as areas or ids of findings. What only they would need is not looked at.
    type: list
    elements: str
    default: []
  waivers:
    description:
      - Named, dated, reasoned exceptions. Those of servers' findings are left to the other modules.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: Id of the finding that is accepted.
        type: str
      endpoint:
        description: Of no use here.
        type: str
      host:
        description: Of no use here. A waiver with it is about a server.
        type: str
      until:
        description: The last day that it holds, for example V(2026-12-31).
        type: str
      reason:
        description: Why, for whoever reads the report.
        type: str
  as_of:
    description:
      - Judge as of this time, V(2026-11-26) or V(2026-11-26T01:15:00Z). By default now.
    type: str
  return_passes:
    description:
      - Whether to return findings that passed, too.
    type: bool
    default: false
notes:
  - The Python packages C(httpx) and C(msal) are needed on the controller.
  - A proxy is taken from C(HTTPS_PROXY) and C(NO_PROXY) of the controller's environment.
  - Secrets are never part of a result. C(ANSIBLE_DISPLAY_ARGS_TO_STDOUT) shows a task's arguments as they were written, so give secrets by
    environment, file or variable, never as plain text in a task.
seealso:
  - module: appproxy.connector.preflight
  - module: appproxy.connector.report
  - module: appproxy.connector.gate
author:
  - appproxy.connector contributors (!UNKNOWN)
extends_documentation_fragment:
  - appproxy.connector._options.policy
  - appproxy.connector._attributes
  - appproxy.connector._attributes.controller
"""

EXAMPLES = r"""
- name: May this account register, by the directory (AZURE_CLIENT_ID and AZURE_CLIENT_SECRET in the environment)
  appproxy.connector.admin:
    tenant_id: 00000000-1111-2222-3333-444444444444
    admin_upn: admin@contoso.example
  run_once: true

- name: Is the token of the pipeline fit (APPPROXY_REGISTRATION_TOKEN in the environment)
  appproxy.connector.admin:
    tenant_id: 00000000-1111-2222-3333-444444444444
    # Whether a token names the role is not documented.
    skip_checks: [APC311, APC314]
  run_once: true

- name: With a certificate, and existing connectors
  appproxy.connector.admin:
    tenant_id: 00000000-1111-2222-3333-444444444444
    admin_upn: admin@contoso.example
    client_id: 00000000-5555-6666-7777-888888888888
    client_certificate: /etc/preflight/reader.pem
    look_for_connectors: true
  run_once: true

- name: Sign in as the person, with a code
  appproxy.connector.admin:
    tenant_id: 00000000-1111-2222-3333-444444444444
    admin_upn: admin@contoso.example
    sign_in: device_code
  run_once: true
"""

RETURN = r"""
schema:
  description: Version of this result's shape.
  returned: when the options are good
  type: int
  sample: 1
asked:
  description: Whether anything was asked. Where it is V(false), all findings are V(not_applicable).
  returned: when the options are good
  type: bool
  sample: true
verdict:
  description: V(ready), V(not_ready) or V(inconclusive).
  returned: when the options are good
  type: str
  sample: not_ready
headline:
  description: The verdict and its first cause, in one line.
  returned: when the options are good
  type: str
  sample: >-
    Not ready: the role Application Administrator could be activated, and is not active now (admin@contoso.example) (APC312).
summary:
  description: RV(headline), what to do about it, how many more causes there are, and RV(remarks), in one line.
  returned: when the options are good
  type: str
  sample: >-
    Not ready: the role Application Administrator could be activated, and is not active now (admin@contoso.example) (APC312).
    Activate the role right before the registration.
remarks:
  description: What a reader of the verdict must know of how this run was made.
  returned: when the options are good
  type: list
  elements: str
  sample: ["Seen from the controller, not from the server itself."]
msg:
  description: RV(summary), then the causes with what to do.
  returned: when the options are good
  type: str
  sample: >-
    Not ready: the role Application Administrator could be activated, and is not active now (admin@contoso.example) (APC312).
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
      sample: APC312
    name:
      description: Stable name.
      type: str
      sample: role-eligible-not-active
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
      sample: identity
    title:
      description: What is wrong, in one line.
      type: str
      sample: "The role Application Administrator could be activated, and is not active now (admin@contoso.example)"
    evidence:
      description: What was seen that says so. Keys depend on the finding.
      type: dict
      sample: {who: admin@contoso.example, role: Application Administrator, meaning: "could be activated, and is not active now"}
    hint:
      description: What to do.
      type: str
      sample: Activate the role right before the registration, for long enough, and sign in after that.
    docs:
      description: Where it is documented.
      type: str
      sample: https://learn.microsoft.com/entra/global-secure-access/troubleshoot-connectors
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
      sample: APC312
    title:
      description: What is wrong.
      type: str
      sample: "The role Application Administrator could be activated, and is not active now (admin@contoso.example)"
    hint:
      description: What to do.
      type: str
      sample: Activate the role right before the registration, for long enough, and sign in after that.
    owner:
      description: Who can mend it.
      type: str
      sample: identity
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
  sample: ["whether the token is genuine: its signature is for the service that it is for"]
seen_as:
  description: In whose name it was looked. V(nobody) where only what anybody may ask was asked.
  returned: when the options are good
  type: str
  sample: the application 00000000-1111-2222-3333-444444444444
seen_from:
  description: Always V(controller).
  returned: when the options are good
  type: str
  sample: controller
seen_at:
  description: When looking began, by the controller's clock, UTC.
  returned: when the options are good
  type: str
  sample: "2026-11-26T01:15:00Z"
elapsed_ms:
  description: How long looking took, in milliseconds.
  returned: when the options are good
  type: int
  sample: 910
reached:
  description: Always V(true). No target is connected to.
  returned: when the options are good
  type: bool
  sample: true
federation_hosts:
  description: >-
    Each C(host:port) of the company's own identity provider, where the account's domain is federated.
    For O(appproxy.connector.preflight#module:federation_hosts).
  returned: when the options are good
  type: list
  elements: str
  sample: ["sts.contoso.example:443"]
judged:
  description: With what was judged.
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
      sample: "2026-11-26"
    cloud:
      description: As of O(cloud).
      type: str
      sample: public
    tenant_id:
      description: As of O(tenant_id), in lower case. Null for V(none).
      type: str
      sample: 00000000-1111-2222-3333-444444444444
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  pylint: disable=wrong-import-position
from ansible_collections.appproxy.connector.plugins.module_utils._argspecs import (  # noqa: E402
    ADMIN_OPTIONS,
)


def main() -> None:
    module = AnsibleModule(argument_spec=ADMIN_OPTIONS, supports_check_mode=True)
    module.fail_json(msg="appproxy.connector.admin runs as an action plugin: call it from a task by its full name")


if __name__ == "__main__":
    main()
