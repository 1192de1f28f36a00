# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network engine of path_info: takes a request (request.schema.json), gives an observation (observation.schema.json).

FOR INTERNAL COLLECTION USE ONLY. Standard library only. It works on Python 3.9+, and is written so that older ones (3.6+) can import it
too: path_info says there that they are too old, and ansible-test imports all that targets may get. The words are explained in
docs/observation.md.

Here are the entry, and the plan of which attempts are made when. The rest, where each file imports from those before it only:
_probe_faults (typed errors), _probe_request, _probe_bytes, _probe_hello and _probe_flight (TLS by hand), _probe_certificates,
_probe_http, _probe_sockets, _probe_board (what was planned and seen), _probe_stages.
"""

import asyncio
import os
import pwd
import random
import ssl
import sys
import time
from functools import partial
from typing import Any, Awaitable, Callable, List

from ansible_collections.appproxy.connector.plugins.module_utils._probe_board import Attempt, Board, Run
from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import Facts, Fault
from ansible_collections.appproxy.connector.plugins.module_utils._probe_hello import read_platform_hello
from ansible_collections.appproxy.connector.plugins.module_utils._probe_request import Request, read_request
from ansible_collections.appproxy.connector.plugins.module_utils._probe_stages import connect, follow, resolve

VERSION = "1.0.0"
"""The collection's, as in galaxy.yml."""

_MOST_LOST_AGAIN = 3
"""Of what is lost again at once, tried alone."""
_ENDING_SECONDS = 0.2
"""How long after the deadline tasks may take to be cancelled."""


# ---- the plan


async def _in_slot(run: Run, attempt: Attempt, work: Callable[[Attempt], Awaitable[None]]) -> None:
    async with run.slots:
        # So that a box in between does not meet all at the very same moment.
        await asyncio.sleep(random.uniform(0, 0.02))
        await work(attempt)
    attempt.finished = True


async def _first_address(board: Board, attempt: Attempt) -> None:
    if attempt.path.proxy is not None:
        attempt.own_name = board.names.find(attempt.endpoint.host)
    if await resolve(board, attempt):
        wire = await connect(board, attempt)
        if wire is not None:
            await follow(board, attempt, wire)


async def _first_addresses(board: Board, run: Run, attempts: List[Attempt]) -> None:
    await asyncio.gather(*[_in_slot(run, attempt, partial(_first_address, board)) for attempt in attempts])


async def _further_address(board: Board, earlier: "asyncio.Future[bool]", done: "asyncio.Future[bool]", attempt: Attempt) -> None:
    """`earlier` says whether an address before this one connected, `done` tells the next one."""
    wire = await connect(board, attempt)
    connected = await earlier
    done.set_result(connected or wire is not None)
    if wire is None:
        return
    if connected:
        wire.close()
        return
    attempt.carry()
    await follow(board, attempt, wire)


async def _further_addresses(board: Board, run: Run, first: Attempt) -> None:
    if not first.goes_on():
        return
    loop = asyncio.get_running_loop()
    before = loop.create_future()
    before.set_result("connect" in first.ended and first.ended["connect"].fault is None)
    first.further = [first.at(address) for address in first.addresses[1:]]
    jobs = []
    for attempt in first.further:
        after = loop.create_future()
        jobs.append(_in_slot(run, attempt, partial(_further_address, board, before, after)))
        before = after
    await asyncio.gather(*jobs)


async def _wave(board: Board, run: Run, attempts: List[Attempt]) -> None:
    await _first_addresses(board, run, attempts)
    await asyncio.gather(*[_further_addresses(board, run, first) for first in attempts])


async def _try_again(board: Board, run: Run, again: Attempt) -> None:
    """From the start, or from the connection where the name was known."""
    if "resolve" not in again.ended:
        board.names.forget()
        await _wave(board, run, [again])
        return
    wire = await connect(board, again)
    if wire is not None:
        await follow(board, again, wire)
    again.finished = True


async def _recheck(board: Board, run: Run) -> None:
    """What was lost among all the others, once more and alone, in order. One that stands takes the place of its first try. It ends where
    nobody answers again, or some were lost again at once: then it is the path that loses them, and the time is for something else."""
    at_once = 0
    for attempts in (run.first, run.second):
        for place, attempt in enumerate(attempts):
            stage = attempt.lost()
            if stage is None:
                continue
            again = attempt.again()
            run.rechecks.append((stage, again))
            await _try_again(board, run, again)
            if again.stands_after(attempt):
                attempts[place] = again
                continue
            at_once += 1
            if at_once == _MOST_LOST_AGAIN or again.gave_up():
                return


async def _first_wave(board: Board, run: Run) -> None:
    await _wave(board, run, run.first)


async def _second_wave(board: Board, run: Run) -> None:
    await _wave(board, run, board.plan_second_wave(run))


_PHASES = (_first_wave, _second_wave, _recheck, _second_wave)
"""The last is for what the rechecks have found. They come late, since they may take all the time that is left."""


async def _all_phases(board: Board, run: Run) -> None:
    for phase in _PHASES:
        await phase(board, run)


async def _run(board: Board) -> None:
    try:
        board.platform_hello = read_platform_hello(board.contexts.get(verify=True, tls12=False))
    except Fault as fault:
        board.platform_fault = fault
    except OSError as error:
        board.platform_fault = Fault("protocol", str(error))
    if board.wanted.revocation_paths is None:
        await asyncio.gather(*[_all_phases(board, run) for run in board.runs])
        return
    # One path asks for what the chains of all paths name.
    for phase in _PHASES:
        await asyncio.gather(*[phase(board, run) for run in board.runs])


# ---- entry


async def _observe(wanted: Request, deadline: float) -> Facts:
    board = Board(wanted)
    work = asyncio.ensure_future(_run(board))
    await asyncio.wait([work], timeout=max(0.0, deadline - time.monotonic()))
    seen = board.snapshot()
    for wire in board.wires:
        wire.give_up()
    mistake = work.exception() if work.done() else None
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    if left:
        # Their ends are waited for, and what they raise is taken, so that nothing is said on standard error.
        ended, _others = await asyncio.wait(left, timeout=_ENDING_SECONDS)
        for task in ended:
            task.cancelled() or task.exception()
    for wire in tuple(board.wires):
        wire.close()
    if mistake is not None:
        raise mistake
    return seen


def _account() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def _platform() -> str:
    system, runtime = os.uname(), ".".join(map(str, sys.version_info[:3]))
    return f"{system.sysname} {system.release} {system.machine}; Python {runtime}; {ssl.OPENSSL_VERSION}"


def observe(request: Any) -> Facts:
    """Look as the request says, at most half a second longer than its deadline; the observation.

    Raises BadRequest, a ValueError with the option's name. Any other exception is a mistake of the engine.
    """
    began = time.monotonic()
    seen_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    wanted = read_request(request)
    loop = asyncio.new_event_loop()
    try:
        seen = loop.run_until_complete(_observe(wanted, began + wanted.deadline_ms / 1000))
    finally:
        loop.close()
    return {
        "schema": 1,
        "engine": {"name": "path_info", "version": VERSION, "family": "posix", "platform": _platform()},
        "seen_as": _account(),
        "seen_at": seen_at,
        "elapsed_ms": int((time.monotonic() - began) * 1000),
        "deadline_ms": wanted.deadline_ms,
        "host": None,
        "identities": None,
        "rehearsals": None,
        **seen,
    }
