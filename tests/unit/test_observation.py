# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target is not believed: whatever it answers gives an observation of the published shape, or one clear error."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.observe.observation import ObservationError, StageName, parse_observation
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import parse_options
from ansible_collections.appproxy.connector.plugins.plugin_utils.preflight import conclude, plan
from lab.pki import Pki
from lab.seen import SEEN_AT, World

jsonschema = pytest.importorskip("jsonschema")
NOW = datetime.now(timezone.utc).replace(microsecond=0)
TENANT = "00000000-1111-2222-3333-444444444444"


@pytest.fixture(scope="module")
def asked(state: Path) -> Any:
    roots = Pki(state / "pki").public_roots
    return plan(parse_options({"tenant_id": TENANT, "proxy": "direct", "public_roots": str(roots)}, NOW), "server")


@pytest.fixture
def seen(state: Path, asked: Any) -> dict[str, Any]:
    return World(Pki(state / "pki"), asked.endpoints).observation(NOW.strftime(SEEN_AT))


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


def schema(root: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((root / "plugins/plugin_utils/observe" / f"{name}.schema.json").read_text()))


def test_what_tests_write_by_hand_is_of_the_published_shape(root: Path, seen: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema(root, "observation")).validate(seen)
    parse_observation(seen)


def test_the_request_is_of_the_published_shape(root: Path, asked: Any) -> None:
    jsonschema.Draft202012Validator(schema(root, "request")).validate(asked.request)


def test_the_schema_names_the_stages_that_are_read(root: Path) -> None:
    assert schema(root, "observation")["$defs"]["stage_name"]["enum"] == [name.value for name in StageName]


@pytest.mark.parametrize(("change", "where"), [
    (lambda seen: seen.pop("attempts"), "attempts"),
    (lambda seen: seen.update(schema=2), "version 1"),
    (lambda seen: seen.update(schema=True), "version 1"),
    (lambda seen: seen.update(seen_at="now"), "seen_at"),
    (lambda seen: seen.update(elapsed_ms="9"), "elapsed_ms"),
    (lambda seen: seen["attempts"][0].update(stages=[]), "attempts[0].stages"),
    (lambda seen: seen["attempts"][0]["stages"]["connect"].update(state="fine"), "attempts[0].stages.connect.state"),
    (lambda seen: seen["attempts"][0]["stages"]["hello"]["facts"].update(chain="x"), "attempts[0].stages.hello.facts.chain"),
    (lambda seen: seen["attempts"][0]["stages"]["request"]["facts"].update(headers={"a": "b"}), "headers"),
    (lambda seen: seen["certificates"].update({"0" * 64: "AAAA"}), "certificates"),
    (lambda seen: seen["certificates"].update({"0" * 64: "no base64!"}), "base64"),
    (lambda seen: seen.update(elapsed_ms=10**18), "elapsed_ms: a whole number of at most 18 digits"),
    (lambda seen: seen.update(later=nested(100)), "nested more than 40 deep"),
    (lambda seen: seen.update(seen_as="x" * 600_000), "a text of 600000 characters"),
    (lambda seen: seen.update({"x" * 600_000: 1}), "a text of 600000 characters"),
    (lambda seen: seen.update(later=["x" * 500_000] * 80), "larger than 32 MiB"),
    (lambda seen: seen.update(later=[1] * 5_000_000), "larger than 32 MiB"),
])
def test_what_is_not_of_the_shape_is_one_error_that_names_the_place(seen: dict[str, Any], asked: Any, change: Any, where: str) -> None:
    change(seen)
    with pytest.raises(ObservationError) as raised:
        parse_observation(seen)
    assert where in str(raised.value)
    result = conclude(asked, seen)
    assert (result["verdict"], [one["id"] for one in result["findings"] if one["status"] == "unknown" and not one["because"]]) == (
        "inconclusive", ["APC906"])


@pytest.mark.parametrize("answer", [None, "", "text", 7, [], {}, {"schema": 1}, [{"schema": 1}]])
def test_an_answer_that_is_no_observation_is_never_a_pass(asked: Any, answer: Any) -> None:
    assert conclude(asked, answer)["verdict"] == "inconclusive"


def test_what_many_endpoints_over_many_paths_give_is_not_too_large(seen: dict[str, Any]) -> None:
    seen["attempts"] *= 40
    assert len(parse_observation(seen).attempts) > 1000


def test_of_an_accounts_name_no_more_is_kept_than_a_name_has(seen: dict[str, Any]) -> None:
    seen["seen_as"] = "x" * 500_000
    assert len(parse_observation(seen).seen_as) == 256


def test_keys_of_a_newer_engine_are_passed_over(seen: dict[str, Any], asked: Any) -> None:
    seen["later"] = 1
    seen["attempts"][0]["stages"]["hello_of_tomorrow"] = {"anything": 1}
    seen["attempts"][0]["stages"]["hello"]["facts"]["later"] = {"a": 1}
    assert conclude(asked, seen)["verdict"] == "ready"


def _spots(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found.append((value, key))
        _spots(inner, found)
    return found


def test_a_target_that_lies_anywhere_is_never_a_crash(seen: dict[str, Any], asked: Any) -> None:
    chance = random.Random(20261126)  # noqa: S311
    lies: list[Any] = [None, -1, 10**30, "", "x" * 5000, [], {}, True, [1], {"a": []}, "\x00\x1b[31m", 1.5]
    for _round in range(300):
        lie = deepcopy(seen)
        for _change in range(chance.randint(1, 3)):
            holder, key = chance.choice(_spots(lie, []))
            holder[key] = chance.choice(lies)
        result = conclude(asked, lie)
        json.dumps(result)
        assert result["verdict"] in ("ready", "not_ready", "inconclusive")
