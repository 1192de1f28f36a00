# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that modules share. FOR INTERNAL COLLECTION USE ONLY."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  tenant_id:
    description:
      - The directory (tenant) id, a GUID. Some of the service's names begin with it.
      - V(none) leaves out what needs it, and the verdict says so.
    type: str
    required: true
  cloud:
    description:
      - Which cloud the tenant is in, V(public) or V(usgov).
      - Others are refused. For 21Vianet (China) no endpoints of a connector are documented.
    type: str
    default: public
  connector_version:
    description:
      - Version of the connector that is to be installed, for example V(1.5.4287.0).
      - Versions below V(1.5.1526.0) need more ports. Without it a current version is assumed.
    type: str
  proxy:
    description:
      - How the connector will leave the server. V(direct), V(http://host:port), V(auto) or V(detect).
      - V(auto) and V(detect) find, on a Windows server, the way that each account would take by its own settings. Those are the account
        that installs, the connector (Network Service), its updater (Local System), and Windows itself where it fetches revocation lists.
        Each endpoint is judged on the way of who will talk to it.
      - Elsewhere both look directly, and the verdict says so.
      - A name or password is refused. A connector cannot log in to a proxy.
    type: str
    default: auto
  endpoints:
    description:
      - Further endpoints that the server must reach, each V(host:port), V(https://host/path) or V(http://host/path).
    type: list
    elements: str
    default: []
  federation_hosts:
    description:
      - Where the account signs in that will register, each V(host:port), as RV(appproxy.connector.admin#module:federation_hosts) has it.
      - A host of the company's own that the server must reach as the installing user. What keeps the server from it is C(APC154).
    type: list
    elements: str
    default: []
  connect_to:
    description:
      - A map from C(host:port) to C(address:port). Connections to the one go to the other, names and certificates stay those of the first.
      - For tests before a DNS change, for one data centre, for a lab. Verdict and reports say that it was used.
    type: dict
    default: {}
  connect_to_counts:
    description:
      - Whether an endpoint that O(connect_to) led elsewhere can pass.
    type: bool
    default: false
  deadline:
    description:
      - Seconds after which looking ends on the target, V(5) to V(600). What was not reached by then is V(unknown).
      - Where proxy scripts (PAC) are set on a Windows server, asking them is part of it, and takes at most six seconds and half of it.
    type: int
    default: 20
  checks:
    description:
      - What to judge, as areas (V(connectivity), V(trust), V(server)) or ids of findings (V(APC122)). Empty is all that the module covers.
    type: list
    elements: str
    default: []
  skip_checks:
    description:
      - What not to judge, as areas or ids of findings. The verdict says which needed ones were skipped.
    type: list
    elements: str
    default: []
  waivers:
    description:
      - Named, dated, reasoned exceptions. Findings that one covers no longer count.
      - A waiver counts up to and with its last day. From then on its findings count again and say so.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: Id of the finding that is accepted, for example V(APC112). Needed.
        type: str
      endpoint:
        description: Only for this endpoint, C(host:port), with V(*) as in a shell.
        type: str
      host:
        description: Only for this host of the inventory, with V(*) as in a shell.
        type: str
      until:
        description: Its last day, C(YYYY-MM-DD). Needed.
        type: str
      reason:
        description: Why it is accepted, and by whom. Needed.
        type: str
  observations:
    description:
      - Judges what was seen before, instead of looking. Nothing runs on the target then.
      - Path on the controller of a saved observation, or of a folder of them, as M(appproxy.connector.report) saves them.
      - A relative path starts where C(ansible-playbook) was run.
    type: str
  as_of:
    description:
      - The time to judge at, V(2026-11-26) or V(2026-11-26T01:15:00Z). Now, where it is not given.
    type: str
  public_roots:
    description:
      - Path on the controller of a PEM file of root certificates to judge with, in place of those that the Python package certifi brings.
      - A relative path starts where C(ansible-playbook) was run.
    type: str
  return_passes:
    description:
      - Whether RV(ignore:findings) has those with status V(pass) too.
    type: bool
    default: false
  return_observation:
    description:
      - Whether to return what the target saw. It can be large.
    type: bool
    default: false
  seen_from:
    description:
      - Where the looking is done. Without it, V(server) on a Windows connection, V(controller) on a local one, else V(jump_host).
      - Findings carry it, since what a jump host sees is not what the server sees.
    type: str
    choices: [server, jump_host, controller]
  installing_user:
    description:
      - Who will run the installer, C(DOMAIN\name), C(name@domain) or a SID. Its proxy settings count for the sign-in and the registration.
      - They can be read only while that account is logged on to the server. If it is not, C(APC508) says so. The settings of the account
        that Ansible uses are never taken in their place.
    type: str
  service_observation:
    description:
      - What was seen before as Network Service, by a task with become. RV(ignore:observation) of M(appproxy.connector.connectivity) with
        O(return_observation=true). Both are judged together.
      - A dictionary without C(schema) says that it was asked for and could not be had, and its C(msg) why. That is V(unknown) (C(APC903)).
      - The role P(appproxy.connector.preflight#role) does it with C(preflight_as_service).
    type: dict
  rehearse_trust:
    description:
      - Whether a Windows server tries, within itself, TLS 1.2 with a SHA-512 certificate of its own (C(APC214)).
      - That makes a machine key named C(appproxy.connector rehearsal) and deletes it again, whatever comes of it. What a run that was
        killed in between left is deleted by the next one. Nothing goes into a certificate store. An audit of keys sees both.
      - Is begun where six seconds of O(deadline) are left.
    type: bool
    default: false
  rehearse_client_certificate:
    description:
      - Whether a Windows server shows the bootstrap service a self-signed certificate, once signed with SHA-256 and once with SHA-512
        (C(APC216)). The same answer to both says that the path makes no difference.
      - The key is in memory only. To the service and to any device on the path it looks like a client that gives up in its handshake
        twice, so ask for it once per network and not for every server. The role does it on the first host of the play alone.
      - Comes after all other looking, and adds at most twelve seconds to it after O(deadline).
    type: bool
    default: false
requirements:
  - certifi (on the controller)
  - cryptography (on the controller)
notes:
  - Nothing is changed on the target and nothing is left there but what any Ansible module leaves. (See O(rehearse_trust) for the one
    thing that is made and deleted, if you ask for it.)
  - A host that cannot be reached is not dropped from the play. The result says RV(ignore:reached=false), its verdict is V(inconclusive),
    and M(appproxy.connector.gate) lets Ansible count it as unreachable.
"""

    POLICY = r"""
options:
  fail_on:
    description:
      - V(error) fails where the verdict is V(not_ready). V(warning) does so for any warning too. V(never) does so for neither.
    type: str
    choices: [error, warning, never]
    default: error
  unknown:
    description:
      - Whether the verdict V(inconclusive) fails (V(fail)) or is only reported (V(report)).
    type: str
    choices: [fail, report]
    default: fail
"""

    RUN = r"""
options:
  report_dir:
    description:
      - Folder on the controller that holds the runs' folders. It is made where it is missing.
      - A relative path starts where C(ansible-playbook) was run.
    type: str
    default: preflight-reports
  run_id:
    description:
      - Names this run's folder. Letters, digits, V(.), V(_) and V(-).
      - Without it, one id per run of Ansible, made of time and chance. Give it where looking and gating are different runs.
    type: str
  baseline:
    description:
      - Path of the C(fleet.json) of an earlier run, or of its folder, to compare this run with. C(fleet.json) then says what is new,
        what was fixed and what stayed.
    type: str
"""
