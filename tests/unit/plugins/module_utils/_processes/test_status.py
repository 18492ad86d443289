# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pivots say, and what follows from it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import (
    status as processes_status,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import Status
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import (
    PROCESS_OPTIONS,
    Config,
    run_specs,
)

OLD, NEW = "1.0-aaaaaaaa", "2.0-bbbbbbbb"


def status(state: str = "serving", release: str | None = OLD, **changes: Any) -> Status:
    """A pivot that has seen one HUP; ``changes`` beside the fields of Status make its move."""
    fields = {field.name for field in dataclasses.fields(Status)}
    base: dict[str, Any] = {"instance": "web-1", "pid": 10, "child": 11, "hups": 1}
    base |= {key: value for key, value in changes.items() if key in fields}
    move = {"hups": base["hups"], "to": release, "outcome": "done"}
    move |= {key: value for key, value in changes.items() if key not in fields}
    return Status(state=state, release=release, move=move, **base)


BEFORE = status()
REFUSED = {"to": NEW, "outcome": "refused", "reason": "exit 3"}


@pytest.mark.parametrize(
    ("now", "before", "answer"),
    [
        pytest.param(None, BEFORE, "has not said anything yet", id="pivot-is-dead"),
        pytest.param(None, None, "has not said anything yet", id="not-started-yet"),
        pytest.param(BEFORE, BEFORE, "has not begun to move", id="hup-not-seen"),
        pytest.param(
            dataclasses.replace(BEFORE, hups=2), BEFORE, "has not begun to move", id="hup-seen"
        ),
        pytest.param(
            status("gate", OLD, hups=2, to=NEW, outcome="pending", step="gate"),
            BEFORE,
            f"is at the step 'gate' of its move to {NEW}",
            id="gate",
        ),
        pytest.param(
            status("drain", NEW, hups=2, outcome="switched", step="drain"),
            BEFORE,
            f"is at the step 'drain' of its move to {NEW}",
            id="drain",
        ),
        pytest.param(
            status("stop", NEW, hups=2, outcome="switched", step="stop"),
            BEFORE,
            "'stop'",
            id="stop",
        ),
        pytest.param(status("serving", NEW, hups=2), BEFORE, "arrived", id="arrived"),
        pytest.param(
            status("serving", NEW, hups=3), BEFORE, "arrived", id="arrived-after-two-hups"
        ),
        pytest.param(status("serving", OLD, hups=2), BEFORE, f"serves {OLD}", id="went-elsewhere"),
        pytest.param(
            status("serving", OLD, hups=2, to=NEW, outcome="refused", reason="exit 3"),
            BEFORE,
            "failed: web-1 exit 3",
            id="refused",
        ),
        pytest.param(
            status("serving", OLD, hups=2, to=None, outcome="refused", reason="no release.json"),
            BEFORE,
            "failed: web-1 no release.json",
            id="refused-before-it-knew-where-to",
        ),
        pytest.param(
            status("serving", OLD, hups=1, to=NEW, outcome="refused", reason="exit 3"),
            status("serving", OLD, hups=1, to=NEW, outcome="refused"),
            "has not begun to move",
            id="refused-long-ago",
        ),
        pytest.param(
            status("gate", OLD, hups=2, to="3.0-cccccccc", outcome="refused", reason="exit 3"),
            BEFORE,
            "'gate'",
            id="another-release-was-refused",
        ),
        pytest.param(
            status("failed", None, hups=2, to=NEW, outcome="pending", end={"exit_code": 7}),
            BEFORE,
            "failed: web-1 ended by itself with exit code 7",
            id="died-on-the-way",
        ),
        pytest.param(
            status("serving", NEW, pid=20, hups=0), BEFORE, "arrived", id="restarted-by-circus"
        ),
        pytest.param(
            status("gate", None, pid=20, hups=0, to=NEW, outcome="pending", step="gate"),
            BEFORE,
            "'gate'",
            id="restarted-and-starting",
        ),
        pytest.param(
            status("failed", None, pid=20, hups=0, to=NEW, outcome="refused", reason="exit 3"),
            BEFORE,
            "failed: web-1 exit 3",
            id="restarted-and-refused",
        ),
        pytest.param(status("serving", NEW, hups=0), None, "arrived", id="new-one-arrived"),
        pytest.param(
            status("gate", None, hups=0, to=NEW, outcome="pending", step="gate"),
            None,
            "'gate'",
            id="new-one-starts",
        ),
        pytest.param(
            status("failed", None, hups=0, to=NEW, outcome="refused", reason="exit 3"),
            None,
            "failed: web-1 exit 3",
            id="new-one-refused",
        ),
        pytest.param(
            status("serving", OLD, hups=0, instead_of=REFUSED),
            None,
            "failed: web-1 exit 3",
            id="new-one-fell-back",
        ),
        pytest.param(
            status("gate", None, pid=20, hups=0, outcome="pending", instead_of=REFUSED),
            BEFORE,
            "failed: web-1 exit 3",
            id="restarted-and-falling-back",
        ),
        pytest.param(
            status(
                "failed",
                None,
                hups=0,
                to=None,
                outcome="refused",
                reason="no type",
                instead_of=REFUSED,
            ),
            None,
            "failed: web-1 exit 3",
            id="new-one-could-not-fall-back",
        ),
        pytest.param(
            status("serving", OLD, pid=20, hups=0, instead_of=REFUSED | {"to": "3.0-cccccccc"}),
            None,
            "astray",
            id="fell-back-from-another-release",
        ),
        pytest.param(status("serving", OLD, hups=0), None, "astray", id="new-one-read-too-early"),
        pytest.param(
            status("settle", NEW, hups=0, outcome="pending", step="settle"),
            None,
            "'settle'",
            id="new-one-settles",
        ),
        pytest.param(
            status("failed", None, hups=0, to=NEW, outcome="done"),
            None,
            "is at the step 'failed'",
            id="new-one-died-and-will-be-started-again",
        ),
        pytest.param(
            status("failed", NEW, hups=2), BEFORE, "ended by itself", id="done-and-then-died"
        ),
    ],
)
def test_judge(now: Status | None, before: Status | None, answer: str) -> None:
    verdict = processes_status.judge(now, before, NEW)
    assert verdict.arrived == (answer == "arrived")
    assert verdict.failed == (answer.startswith("failed: ") or answer == "ended by itself")
    assert verdict.astray == (answer == "astray")
    assert answer.removeprefix("failed: ") in verdict.reason or verdict.arrived or verdict.astray


def test_a_verdict_shows_what_the_process_wrote() -> None:
    now = status("serving", OLD, hups=2, to=NEW, outcome="refused", reason="x", output=["a", "b"])
    assert processes_status.judge(now, BEFORE, NEW).output == ("a", "b")


def test_a_verdict_shows_what_a_process_wrote_that_ended_by_itself() -> None:
    end = {"exit_code": 3, "output": ["a", "b"]}
    now = status("failed", None, hups=2, outcome="done", end=end)
    verdict = processes_status.judge(now, BEFORE, NEW)
    assert (verdict.reason, verdict.output) == (
        "web-1 ended by itself with exit code 3",
        ("a", "b"),
    )


DOCUMENT = {
    "instance": "web-1", "pid": 10, "state": "serving", "release": OLD, "child": 11, "hups": 1,
    "generation": 3, "move": {"to": OLD}, "counter": 3, "updated": 1.0,
}  # fmt: skip


def test_status_of_what_a_pivot_wrote() -> None:
    expected = Status("web-1", 10, "serving", OLD, 11, 1, 3, {"to": OLD})
    assert Status.of(DOCUMENT) == expected
    ended = Status.of({**DOCUMENT, "exit_code": 3, "output": ["a"]})
    assert ended.end == {"exit_code": 3, "output": ["a"]}
    assert (expected.restarts, Status.of({**DOCUMENT, "restarts": 2}).restarts) == (None, 2)
    assert Status.of({**DOCUMENT, "replacements": 2}).replacements == 2
    starting = {**DOCUMENT, "release": None, "child": None, "generation": None, "move": None}
    assert Status.of(starting) == Status("web-1", 10, "serving", None, None, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "\0",
        "[" * 100_000,
        '{"move": ' * 50_000,
        "\udcff",
        *(
            json.dumps(DOCUMENT | changes)
            for changes in (
                {"pid": None},
                {"pid": "self"},
                {"pid": True},
                {"pid": 10.0},
                {"pid": 0},
                {"pid": -1},
                {"pid": 1 << 23},
                {"pid": float("inf")},
                {"pid": float("nan")},
                {"child": "1/root"},
                {"child": 10**400},
                {"release": {}},
                {"state": ["serving"]},
                {"instance": 1},
                {"hups": "x"},
                {"hups": float("inf")},
                {"generation": "x"},
                {"restarts": {}},
                {"output": [1]},
                {"exit_code": "3"},
                {"move": [1]},
                {"move": {"hups": "x"}},
                {"move": {"outcome": {}}},
                {"move": {"to": []}},
                {"move": {"output": "x"}},
                {"move": {"output": [["x"]]}},
                {"move": {"seconds": []}},
                {"move": {"seconds": {"gate": "x"}}},
                {"move": {"seconds": {"gate": float("inf")}}},
                {"move": {"seconds": {"gate": float("nan")}}},
                {"move": {"stragglers": "x"}},
                {"move": {"instead_of": "x"}},
                {"move": {"instead_of": {"to": {}}}},
            )
        ),
        json.dumps(DOCUMENT).replace('"pid": 10', '"pid": 1e999'),
        json.dumps({key: value for key, value in DOCUMENT.items() if key != "pid"}),
    ],
    ids=lambda text: text[:80] if len(text) < 30 else "",
)
def test_status_that_no_pivot_wrote(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Status.parse(text.encode("utf-8", "surrogateescape"))


def test_status_with_what_a_newer_pivot_adds() -> None:
    more = {**DOCUMENT, "new": [], "move": {"to": OLD, "child": 3, "health": "x", "new": {}}}
    assert Status.parse(json.dumps(more).encode()).move == {"to": OLD}


def test_status_of_a_pivot_that_fell_back() -> None:
    refused = {"to": NEW, "outcome": "refused", "reason": "x", "output": ["a"], "seconds": {}}
    told = Status.of({**DOCUMENT, "move": {"to": OLD, "instead_of": refused}})
    assert told.move["instead_of"] == refused


def test_longest_move() -> None:
    options = {"worker": {"ready_timeout": 100, "drain_timeout": 0}, "beat": {"stop_timeout": 240}}
    options["beat"]["overlap"] = False
    specs = run_specs({"web": "a", "worker": "b", "beat": "c"}, Config(options=options))
    usual = sum(value for value in PROCESS_OPTIONS.values() if value is not True)
    assert processes_status.longest_move(specs, {}) == processes_status.ALLOWANCE
    assert processes_status.longest_move(specs, {"web": 1}) == processes_status.ALLOWANCE + usual
    assert (
        processes_status.longest_move(specs, {"web": 1, "beat": 0})
        == processes_status.ALLOWANCE + usual
    )
    longest = processes_status.longest_move(specs, {"web": 1, "worker": 2, "beat": 1})
    # the worker's gate, then the beat's stop and gate, then the slowest drain and stop
    assert longest == processes_status.ALLOWANCE + (100 + 5) + (240 + 60 + 5) + (60 + 240)


def test_slowest_steps() -> None:
    one = status(seconds={"gate": 1.0, "total": 1.5})
    two = status(seconds={"gate": 0.5, "drain": 2.0})
    assert processes_status.slowest_steps([one, two, status()]) == {
        "gate": 1.0,
        "total": 1.5,
        "drain": 2.0,
    }


# --- what a process wrote ---------------------------------------------------------------------

LAST = [f"line {number}" for number in range(10)]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        pytest.param(None, [], id="nothing"),
        pytest.param([], [], id="empty"),
        pytest.param(["a", "", "  ", "b"], ["a", "b"], id="no-blank-lines"),
        pytest.param(["x", "y", *LAST], LAST, id="last-ten"),
        pytest.param(
            ["ModuleNotFoundError: No module named 'x'", "trace", *LAST],
            ["ModuleNotFoundError: No module named 'x'", *LAST],
            id="the-error-is-named",
        ),
        pytest.param(
            ["sqlalchemy.exc.OperationalError: no", "b.MyException", "SystemExit: 3", *LAST],
            ["sqlalchemy.exc.OperationalError: no", "b.MyException", "SystemExit: 3", *LAST],
            id="errors-of-libraries",
        ),
        pytest.param(["KeyError: 1", "KeyError: 1", *LAST], ["KeyError: 1", *LAST], id="once"),
        pytest.param(["  File x, in KeyError: y", *LAST], LAST, id="only-at-the-start-of-a-line"),
        pytest.param(["KeyErrors are bad", *LAST], LAST, id="whole-words"),
        pytest.param([1, None, "a"], ["1", "None", "a"], id="what-no-pivot-writes"),
    ],
)
def test_wrote_last(output: list[Any] | None, shown: list[str]) -> None:
    assert processes_status.wrote_last({} if output is None else {"output": output}) == shown


@pytest.mark.parametrize(
    ("environ", "answer"),
    [
        (f"A=1\0RELEASE_ID={NEW}\0B=2\0", True),
        (f"RELEASE_ID={NEW}", True),
        (f"RELEASE_ID={OLD}\0", False),
        (f"RELEASE_ID={NEW}0\0", False),
        (f"MY_RELEASE_ID={NEW}\0", False),
        (f"A=x RELEASE_ID={NEW}\0", False),
        ("", False),
    ],
    ids=["among-others", "alone", "other", "longer", "other-key", "inside-a-value", "empty"],
)
def test_runs(environ: str, answer: bool) -> None:
    assert processes_status.runs(environ.encode(), NEW) is answer


def test_what_a_process_wrote_last_is_printable() -> None:
    assert processes_status.wrote_last({"output": ["\x1b[2J"]}) == ["\\x1b[2J"]
