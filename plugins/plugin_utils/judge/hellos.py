# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hello's other variants: does the path cut what asks for SHA-512, or what does not fit into one packet.

FOR INTERNAL COLLECTION USE ONLY. Pure. An alert is an endpoint that refuses, as it may. That the path cuts takes reset or silence
on the variant while the usual hello passes, repeated in turn, on more than one endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model import Status
from ..observe.observation import Stage, StageName, State
from .route import Route, Row, failed, passed, words
from .tls import STALLED

SHA512 = "APC213"
ENOUGH = 2
"""Endpoints of one path on which it must be seen: one alone may have its own reason."""
PADDED_BYTES = 2000
"""About how large the padded hello is."""
_SILENT = ("timeout", "stalled")
_CUT = ("reset", "closed", *_SILENT)
_NOT_CONNECTED = "not_connected"


def _is_cut(route: Route, name: StageName) -> bool:
    """In turn: the usual hello passed again, and the variant failed again."""
    stage, usual = route.stage(name), route.stage(StageName.HELLO)
    if stage is None or stage.state is not State.ERROR or stage.code not in _CUT or usual is None or not usual.ok:
        return False
    repeats = stage.facts.get("repeats", ())
    return len(repeats) == 2 and repeats[0] == "ok" and repeats[1] in _CUT


def _tried(route: Route, name: StageName) -> bool:
    """Whether something was learned: not where its connection was not made, then or when it was repeated, nor where the usual hello was
    cut right after it, too."""
    stage = route.stage(name)
    if stage is None or stage.state is State.NOT_RUN or stage.code == _NOT_CONNECTED:
        return False
    repeats = stage.facts.get("repeats", ())
    return not repeats or (repeats[0] == "ok" and _NOT_CONNECTED not in repeats)


def _note(stage: Stage) -> str:
    if stage.code == "alert":
        return f"refuses it by itself ({words(stage)})"
    return "" if stage.ok else f"{words(stage)} there alone, or not again"


def judge_hellos(path: str, routes: Sequence[Route]) -> Iterator[Row]:
    """Of one path."""
    for id_, name in ((SHA512, StageName.HELLO_SHA512), (STALLED, StageName.HELLO_PADDED)):
        tried = [route for route in routes if route.path == path and _tried(route, name)]
        cut = [route for route in tried if _is_cut(route, name)]
        seen_enough = len(cut) >= ENOUGH
        if not tried:
            yield from _nothing_learned(id_, [route for route in routes if route.path == path], name)
        for route in tried:
            stage = route.stage(name)
            if stage is None:
                continue
            if route in cut and seen_enough:
                yield _cut(id_, route, stage)
            elif id_ == SHA512:
                yield passed(id_, route, note=_note(stage))


def _nothing_learned(id_: str, routes: Sequence[Route], name: StageName) -> Iterator[Row]:
    """Asked for, and learned of no endpoint."""
    for route in routes:
        stage = route.stage(name)
        if stage is not None and stage.state is State.ERROR:
            said = f"none of these hellos came so far: {words(stage)}"
            evidence = {"how": said} if id_ == SHA512 else {"bytes": PADDED_BYTES, "error": said}
            yield failed(id_, route, evidence, status=Status.UNKNOWN)


def _cut(id_: str, route: Route, stage: Stage) -> Row:
    if id_ == SHA512:
        return failed(id_, route, {"how": words(stage)}, status=Status.WARN, group=(stage.code,))
    silent = stage.code in _SILENT
    # What loses large packets loses the connector's certificate too; what resets them may only dislike a large hello.
    status = Status.FAIL if silent else Status.WARN
    return failed(id_, route, {"bytes": PADDED_BYTES, "error": words(stage)}, status=status, group=("large", stage.code))
