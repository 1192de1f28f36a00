# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was planned and what was seen: attempts with their stages, the second wave, the table of all that at any moment.

FOR INTERNAL COLLECTION USE ONLY. It is written to by _probe_stages and by the plan in _probe, and does no I/O of its own.
"""

import asyncio
import base64
import hashlib
from typing import Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.appproxy.connector.plugins.module_utils._probe_certificates import RevocationUrl, revocation_urls, url_key
from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import CERTIFICATE_ERRORS, Facts, Fault
from ansible_collections.appproxy.connector.plugins.module_utils._probe_hello import PlatformHello
from ansible_collections.appproxy.connector.plugins.module_utils._probe_request import Path, Request, Target
from ansible_collections.appproxy.connector.plugins.module_utils._probe_sockets import Contexts, Looked, Names, Wire

STAGES = ("resolve", "connect", "proxy", "hello", "hello_sha512", "hello_padded", "handshake", "request", "websocket")
"""In the order in which they are told. An attempt goes through them in it, but takes the further hellos last."""
FURTHER_HELLOS = {"hello_sha512": "sha512", "hello_padded": "padded"}
"""Stage to what a target calls it."""
HELLOS = ("hello", *FURTHER_HELLOS)
"""By hand: a failure bars nothing later."""
LOSSES = ("timeout", "refused", "reset", "closed", "unreachable")
"""What a box says that counts connections, whatever the stage."""
NOT_CONNECTED = "not_connected"
"""The code of a further hello whose own connection was not made."""


class Stage(NamedTuple):
    """How a stage ended."""

    ms: int
    facts: Facts
    fault: Optional[Fault]

    @property
    def bars(self) -> bool:
        """Whether later stages have no ground: not after an untrusted certificate."""
        return self.fault is not None and self.fault.code not in CERTIFICATE_ERRORS

    def as_table(self) -> Facts:
        if self.fault is None:
            return {"state": "ok", "ms": self.ms, "facts": self.facts}
        return {"state": "error", "ms": self.ms, "facts": self.facts, "error": self.fault.as_table()}


class Attempt:
    """One target over one path at one address: what is due, and what has ended."""

    def __init__(self, wanted: Request, path: Path, target: Target, wave: int = 1, url: Optional[str] = None) -> None:
        self.wanted = wanted
        self.path = path
        self.target = target
        self.wave = wave
        self.url = url
        self.redirected = wanted.redirect(target.place)
        # Whom to ask for: the endpoint, or what connect_to puts in its place.
        self.endpoint = self.redirected or target.place
        # Where the TCP connection goes: the endpoint, or the proxy.
        self.dial = self.endpoint if path.proxy is None else wanted.redirect(path.proxy) or path.proxy
        self.addresses: Tuple[str, ...] = ()
        self.address: Optional[str] = None
        self.ended: Dict[str, Stage] = {}
        self.finished = False
        self.further: List[Attempt] = []
        # Over a proxy the look-up of the endpoint's own name: a fact, not a need.
        self.own_name: Optional[asyncio.Future[Looked]] = None
        self.due = tuple(stage for stage in STAGES if self._wants(stage))

    def _wants(self, stage: str) -> bool:
        if stage == "proxy":
            return self.path.proxy is not None
        if stage in ("hello", "handshake"):
            return self.target.tls
        if stage in FURTHER_HELLOS:
            return self.target.tls and FURTHER_HELLOS[stage] in self.target.hellos
        return stage != "websocket" or self.target.websocket is not None

    def _fresh(self) -> "Attempt":
        return Attempt(self.wanted, self.path, self.target, self.wave, self.url)

    def at(self, address: str) -> "Attempt":
        """The same at a further address, which is only connected to at first."""
        further = self._fresh()
        further.due = ("connect",)
        further.address = address
        return further

    def goes_on(self) -> bool:
        """Whether the further addresses are connected to: where the target does not ask for them all, only after a first one that failed
        at once, as every client goes on to the next one then."""
        failed_at_once = self.failed("connect") and not self.failed_with("connect", "timeout")
        return len(self.addresses) > 1 and (self.target.addresses or failed_at_once)

    def carry(self) -> None:
        """Take a further address through the other stages too."""
        self.due = tuple(stage for stage in STAGES[1:] if self._wants(stage))

    def again(self) -> "Attempt":
        """The same once more: from the start where the name was lost, else at the same address, since a name may give them in another
        order the next time. What was seen at further addresses stays."""
        again = self._fresh()
        if self.lost() != "resolve":
            again.addresses, again.address, again.own_name = self.addresses, self.address, self.own_name
            again.ended["resolve"] = self.ended["resolve"]
            again.further = self.further
        return again

    def lost(self) -> Optional[str]:
        """The stage at which it was lost in a way that a crowd of connections can be the cause of; None where it was not. Not at an address
        beside which another one connected, which every client goes on to. Hellos bar nothing, and of a further one only its connection
        counts; of a handshake the first try counts, too."""
        if any("connect" in one.ended and not one.failed("connect") for one in self.further) and self.failed("connect"):
            return None
        lost = [name for name in STAGES if name not in HELLOS and self._codes(name).intersection(LOSSES)]
        return next(iter(lost + [name for name in FURTHER_HELLOS if NOT_CONNECTED in self._codes(name)]), None)

    def stands_after(self, first: "Attempt") -> bool:
        """Whether a second try was not lost, and nothing failed in it that had stood before: a refusal takes no good one's place."""
        stood = [name for name in STAGES if name in first.ended and not first.failed(name)]
        return self.lost() is None and not any(self.failed(name) for name in stood)

    def gave_up(self) -> bool:
        """Whether it was lost by silence, or with a further hello, whose connection may have had no answer either."""
        lost = self.lost()
        return lost is not None and (lost in FURTHER_HELLOS or self.failed_with(lost, "timeout"))

    def _codes(self, stage: str) -> Set[str]:
        """All errors that it had, until it stood or ended."""
        ended = self.ended.get(stage)
        if ended is None:
            return set()
        return {ended.facts.get("default_error", ""), ended.fault.code if ended.fault else "", *ended.facts.get("repeats", ())}

    def failed(self, stage: str) -> bool:
        ended = self.ended.get(stage)
        return ended is not None and ended.fault is not None

    def failed_with(self, stage: str, code: str) -> bool:
        ended = self.ended.get(stage)
        return ended is not None and ended.fault is not None and ended.fault.code == code

    def chain(self) -> List[str]:
        """Fingerprints of the certificates that its server showed, in the hello and in the handshake."""
        return [digest for name in ("hello", "handshake") if name in self.ended for digest in self.ended[name].facts.get("chain", ())]

    def stages(self) -> Dict[str, Facts]:
        """Of those due: what ended, up to one that bars the others; what has not ended was not run."""
        told: Dict[str, Facts] = {}
        answered = True
        for name in self.due:
            stage = self.ended.get(name)
            if stage is None and name in FURTHER_HELLOS and not answered:
                # Not due after one that was not answered.
                continue
            answered = answered and (stage is None or stage.fault is None or name not in HELLOS)
            if stage is not None:
                told[name] = stage.as_table()
                if stage.bars and name not in HELLOS:
                    break
            elif not self.finished:
                told[name] = {"state": "not_run", "reason": "deadline"}
        if "facts" in told.get("resolve", {}) and self.own_name is not None and self.own_name.done():
            told["resolve"]["facts"] = dict(told["resolve"]["facts"], endpoint=self.own_name.result().as_facts())
        return told

    def as_table(self) -> Facts:
        return {
            "target": self.target.id, "path": self.path.id, "wave": self.wave, "url": self.url, "address": self.address,
            "port": self.dial.port, "redirected_to": self.redirected.text() if self.redirected else None, "stages": self.stages(),
        }

    def as_recheck(self, stage: str) -> Facts:
        """How the stage ended; where an earlier one failed, that one is the answer. Of hellos the last that was made."""
        told = self.stages()
        kind = [name for name in told if name in HELLOS] if stage in HELLOS else []
        seen = stage if stage in told else (kind or list(told))[-1]
        return {"path": self.path.id, "target": self.target.id, "stage": seen, "result": told[seen]}


class Run:
    """One path: its attempts, and the slots for its connections."""

    def __init__(self, wanted: Request, path: Path) -> None:
        self.path = path
        self.targets = [target for target in wanted.targets if path.targets is None or target.id in path.targets]
        self.first = [Attempt(wanted, path, target) for target in self.targets]
        self.second: List[Attempt] = []
        self.asked = {url_key(target.place, target.get) for target in self.targets if not target.tls}
        """URLs of revocation that are an attempt's already."""
        self.rechecks: List[Tuple[str, Attempt]] = []
        """The stage in question, and what was tried again."""
        self.slots = asyncio.Semaphore(wanted.parallel)

    def first_wave(self) -> List[Attempt]:
        """In the order of the request, each followed by those at its further addresses."""
        return _with_further(self.first)


def _with_further(attempts: List[Attempt]) -> List[Attempt]:
    return [one for attempt in attempts for one in [attempt, *attempt.further]]


class Board:
    """What was planned and what was seen, and what all attempts share: names, TLS clients, open connections."""

    def __init__(self, wanted: Request) -> None:
        self.wanted = wanted
        self.runs = [Run(wanted, path) for path in wanted.paths]
        self.names = Names()
        self.contexts = Contexts()
        self.wires: Set[Wire] = set()
        self.certificates: Dict[str, bytes] = {}
        self.platform_hello: Optional[PlatformHello] = None
        self.platform_fault: Optional[Fault] = None

    def keep(self, chain: Iterable[bytes]) -> List[str]:
        """The fingerprints of a chain, whose certificates are kept once."""
        digests = []
        for certificate in chain:
            digests.append(hashlib.sha256(certificate).hexdigest())
            self.certificates[digests[-1]] = certificate
        return digests

    def plan_second_wave(self, run: Run) -> List[Attempt]:
        """Each http URL that the chains of the first wave name, once, and none that a target has asked for already: those that were not
        planned before.

        The chains are the path's own; where the request names paths for it, those of all paths, and on no other path any.
        """
        chosen = self.wanted.revocation_paths
        of = [run] if chosen is None else self.runs if run.path.id in chosen else []
        sight = dict.fromkeys(digest for one in of for attempt in one.first_wave() for digest in attempt.chain())
        urls = [url for url in revocation_urls(self.certificates[digest] for digest in sight) if url.key() not in run.asked]
        urls = urls[:self.wanted.revocation_limit - len(run.second)]
        planned = [self._second(run, url) for url in urls]
        run.asked.update(url.key() for url in urls)
        run.second += planned
        return planned

    def _second(self, run: Run, url: RevocationUrl) -> Attempt:
        target = Target(
            id=url.place.text(), place=url.place, tls=False, get=url.get, websocket=None,
            user_agent=self.wanted.revocation_user_agent, addresses=False, hellos=(),
        )
        return Attempt(self.wanted, run.path, target, 2, url.url)

    def _platform_hello(self) -> Facts:
        if self.platform_hello is not None:
            return {"ok": True, "value": self.platform_hello.as_facts()}
        fault = self.platform_fault or Fault("timeout", "it had not come at the deadline")
        return {"ok": False, "error": fault.as_table()}

    def snapshot(self) -> Facts:
        """What has been seen until now, in the order of the request."""
        first = [attempt for run in self.runs for attempt in run.first_wave()]
        # What the chains named is due also where there was no time left for it.
        for run in self.runs:
            self.plan_second_wave(run)
        second = [attempt for run in self.runs for attempt in _with_further(run.second)]
        return {
            "platform_hello": self._platform_hello(),
            "attempts": [attempt.as_table() for attempt in first + second],
            "rechecks": [again.as_recheck(stage) for run in self.runs for stage, again in run.rechecks],
            "certificates": {digest: base64.b64encode(one).decode("ascii") for digest, one in self.certificates.items()},
        }
