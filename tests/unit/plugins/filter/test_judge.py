# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of a deploy are compared with which, and the verdict by what they have counted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.filter.judge import (
    rollout_comparison,
    rollout_verdict,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import (
    reason_of,
)

RELEASE = {"release": "2.0-b", "current": "1.0-a"}
SWITCHED = {"release": "2.0-b", "previous": "1.0-a", "changed": True}
AGAIN = {"release": "2.0-b", "previous": "2.0-b", "changed": False}
WEB: dict[str, Any] = {"__rollout": {"web": True}}
NEW = WEB | {"app_release": RELEASE, "app_switch": SWITCHED}
OLD = WEB | {"app_release": RELEASE, "app_switch": {}}
SERVED_IT = WEB | {"app_release": RELEASE | {"current": "2.0-b"}, "app_switch": {}}
FIRST_EVER = WEB | {"app_release": RELEASE | {"current": None}, "app_switch": {}}
WORKER = {"__rollout": {"web": False}}
GOOD_GATE = {"outcome": "good", "reason": ""}
BAD_GATE = {"outcome": "bad", "reason": "nobody buys"}
FAILED_GATE = {"outcome": "failed", "reason": "exit code 127"}


@pytest.mark.parametrize(
    ("hosts", "against", "new", "baseline"),
    [
        pytest.param([NEW, OLD, OLD], "others", "a", "bc", id="a-canary"),
        pytest.param([NEW, NEW, OLD], "others", "ab", "c", id="two-canaries"),
        pytest.param([NEW, NEW, NEW], "before", "abc", "abc", id="all-have-switched"),
        pytest.param([NEW, SERVED_IT, OLD], "others", "ab", "c", id="one-served-it-already"),
        pytest.param([NEW, SERVED_IT], "others", "ab", "", id="all-others-served-it-already"),
        pytest.param([NEW, FIRST_EVER], "others", "a", "", id="the-other-has-nothing-yet"),
        pytest.param(
            [NEW | {"app_switch": SWITCHED | {"previous": None}}, OLD], "others", "a", "b",
            id="the-canary-had-nothing",
        ),
        pytest.param(
            [NEW, NEW | {"app_switch": SWITCHED | {"previous": None}}], "before", "a", "a",
            id="one-has-no-before",
        ),
        pytest.param([SERVED_IT, OLD], "others", "a", "b", id="the-canary-served-it-already"),
        pytest.param(
            [NEW | {"app_switch": AGAIN}, OLD], "others", "a", "b", id="and-was-switched-again"
        ),
        pytest.param(
            [NEW | {"app_switch": {"failed": True, "changed": True}}, OLD], "others", "", "b",
            id="the-canary-failed",
        ),
        pytest.param(
            [NEW | {"app_switch": SWITCHED | {"previous": "2.0-b"}}], "before", "", "",
            id="only-the-formation-changed",
        ),
        pytest.param(
            [NEW | {"app_switch": SWITCHED | {"changed": False}}], "before", "", "",
            id="nothing-changed",
        ),
        pytest.param(
            [FIRST_EVER | {"app_switch": SWITCHED | {"previous": None}}, FIRST_EVER], "others", "a", "",
            id="a-first-deploy",
        ),
        pytest.param([NEW | WORKER, NEW, OLD], "others", "b", "c", id="the-first-is-no-web-host"),
        pytest.param([NEW, OLD | WORKER], "others", "a", "", id="the-other-is-no-web-host"),
        pytest.param([NEW | WORKER, NEW], "before", "b", "b", id="before-with-no-web-host"),
        pytest.param([{}, {}], "others", "", "", id="nothing-known"),
    ],
)  # fmt: skip
def test_sides(hosts: list[Any], against: str, new: str, baseline: str) -> None:
    names = list("abc"[: len(hosts)])
    hostvars = dict(zip(names, hosts, strict=True))
    found = rollout_comparison(names, hostvars, names, against, "60")
    assert (found["new"], found["baseline"]) == (list(new), list(baseline))
    assert bool(found["unjudged"]) != bool(new and baseline)
    assert found["looks"] == [5, 10, 20, 40, 60]


@pytest.mark.parametrize(
    ("hosts", "against", "why"),
    [
        ([NEW, NEW], "others", "no other host that nginx asks serves another release still"),
        ([NEW | WORKER, OLD], "others", "nginx asks none of the hosts that serve it"),
        ([SERVED_IT], "before", "no host that nginx asks served another release before"),
    ],
)
def test_why_nothing_is_judged(hosts: list[Any], against: str, why: str) -> None:
    names = list("ab"[: len(hosts)])
    hostvars = dict(zip(names, hosts, strict=True))
    found = rollout_comparison(names, hostvars, names, against, 60)
    assert found["unjudged"] == f"The release is not judged: {why}."


@pytest.mark.parametrize(("seconds", "before"), [(60, 600), (3600, 3600)])
def test_how_many_seconds_before_count(seconds: int, before: int) -> None:
    assert rollout_comparison(["a"], {"a": NEW}, ["a"], "before", seconds)["before"] == before


@pytest.mark.parametrize(
    ("hosts", "against", "interrupted"),
    [
        pytest.param([SERVED_IT, OLD, OLD], "others", "a", id="an-interrupted-canary"),
        pytest.param([NEW | {"app_switch": AGAIN}, OLD], "others", "a", id="switched-again"),
        pytest.param([NEW, SERVED_IT, OLD], "others", "b", id="one-of-two-canaries"),
        pytest.param([SERVED_IT | WORKER, OLD], "others", "a", id="not-behind-nginx"),
        pytest.param([NEW, NEW, OLD], "others", "", id="all-by-this-deploy"),
        pytest.param([SERVED_IT, SERVED_IT, SERVED_IT], "others", "", id="nobody-waits"),
        pytest.param([SERVED_IT, NEW], "before", "", id="after-the-last-batch"),
    ],
)
def test_canaries_of_an_interrupted_deploy_go_back(
    hosts: list[Any], against: str, interrupted: str
) -> None:
    names = list("abc"[: len(hosts)])
    hostvars = dict(zip(names, hosts, strict=True))
    found = rollout_comparison(names, hostvars, names, against, 5)
    assert found["interrupted"] == list(interrupted)
    for gate, refused in ((BAD_GATE, list(interrupted)), (GOOD_GATE, [])):
        verdict = rollout_verdict(
            found | {"unjudged": "It is not judged."}, hostvars, 1, "stop", gate
        )
        assert verdict["put_back"] == refused


def test_which_hosts_a_gate_is_told() -> None:
    """All that serve the release, behind nginx or not."""
    hostvars = {"a": NEW | WORKER, "b": SERVED_IT, "c": OLD, "d": NEW}
    assert rollout_comparison(list("abcd"), hostvars, "abc", "others", 5)["hosts"] == ["a", "b"]


def test_a_lost_host_is_on_neither_side() -> None:
    found = rollout_comparison(list("abc"), {"a": NEW, "b": OLD, "c": OLD}, "ac", "others", 5)
    assert (found["new"], found["baseline"]) == (["a"], ["c"])


def test_nothing_else_to_compare_with() -> None:
    with pytest.raises(AnsibleFilterError, match="compared with others or before, not 'after'"):
        rollout_comparison(["a"], {"a": NEW}, ["a"], "after", 5)


def counted(requests: int, errors: int) -> dict[str, Any]:
    return {"requests": requests, "server_errors": errors, "routes": {"GET /": errors}}


@pytest.mark.parametrize(
    ("against", "expected", "words"),
    [
        (
            "others",
            "good",
            "10 of 200 (5.0%) of the new release, 16 of 300 (5.3%) of the other hosts",
        ),
        ("before", "bad", "10 of 200 (5.0%) of the new release, 0 of 900 (0.0%) of the same hosts"),
    ],
)
def test_verdict(against: str, expected: str, words: str) -> None:
    hostvars = {
        "a": {
            "__rollout_responses": counted(200, 10),
            "__rollout_responses_before": counted(900, 0),
        },
        "b": {"__rollout_responses": counted(300, 16)},
        # one that could not be read
        "c": {"__rollout_responses": {"msg": "no", "failed": False}},
        "d": {},
    }
    baseline = ["b", "c", "d"] if against == "others" else ["a"]
    comparison = {
        "against": against,
        "new": ["a"],
        "baseline": baseline,
        "looks": [5],
        "before": 600,
        "unjudged": "",
        "interrupted": [],
    }
    found = rollout_verdict(comparison, hostvars, 1, "stop", {})
    assert found["verdict"] == expected
    assert words in found["message"]
    assert bool(found["refusal"]) == (expected == "bad")


@pytest.mark.parametrize(
    ("errors", "look", "undecided", "refused"),
    [
        pytest.param(10, 1, "go_on", True, id="bad"),
        pytest.param(2, 2, "stop", True, id="undecided-at-last"),
        pytest.param(2, 1, "stop", False, id="undecided-so-far"),
        pytest.param(2, 2, "go_on", False, id="undecided-and-meant"),
    ],
)
def test_refusal(errors: int, look: int, undecided: str, refused: bool) -> None:
    hostvars = {
        "a": {"__rollout_responses": counted(20, errors)},
        "b": {"__rollout_responses": counted(300, 0)},
    }
    comparison = {
        "against": "others",
        "new": ["a"],
        "baseline": ["b"],
        "looks": [5, 10],
        "unjudged": "",
        "interrupted": [],
    }
    found = rollout_verdict(comparison, hostvars, look, undecided, {})
    words = f"Judge the release by its responses: {found['message']}"
    assert found["refusal"] == (words if refused else "")
    # the rest has paths, and is no part of records
    assert "GET /" not in reason_of(found["refusal"])


def test_a_first_host_that_is_lost() -> None:
    """What it counted is not there, and the others decide."""
    hostvars = {
        "a": {"__rollout_responses": {"unreachable": True, "msg": "timed out"}},
        "b": {"__rollout_responses": counted(40, 18)},
        "c": {"__rollout_responses": counted(400, 0)},
    }
    comparison = {
        "against": "others",
        "new": ["a", "b"],
        "baseline": ["c"],
        "looks": [5, 10],
        "unjudged": "",
        "interrupted": [],
    }
    found = rollout_verdict(comparison, hostvars, 1, "go_on", {})
    assert found["verdict"] == "bad"
    assert "Not counted on a: timed out" in found["refusal"].splitlines()


REFUSES = "Judge the release by its gate: The gate refuses it: nobody buys"


@pytest.mark.parametrize(
    ("errors", "gate", "look", "verdict", "words"),
    [
        pytest.param(0, GOOD_GATE, 2, "good", "", id="both-good"),
        pytest.param(0, {"skipped": True}, 2, "good", "", id="no-gate"),
        pytest.param(0, BAD_GATE, 1, "bad", REFUSES, id="the-gate-at-once"),
        pytest.param(150, GOOD_GATE, 1, "bad", "by its responses: Requests answered", id="responses"),
        pytest.param(150, BAD_GATE, 2, "bad", "by its responses: Requests answered", id="both-bad"),
        pytest.param(0, FAILED_GATE, 1, "undecided", "", id="it-may-answer-yet"),
        pytest.param(
            0, FAILED_GATE, 2, "undecided",
            "by its gate: The gate did not answer: exit code 127. Requests answered", id="no-answer",
        ),
        pytest.param(
            0, {"failed": False, "msg": "no Python"}, 2, "undecided",
            "by its gate: The gate did not answer: no Python. Requests answered", id="the-module-failed",
        ),
        pytest.param(9, GOOD_GATE, 2, "undecided", "by its responses: Too few", id="the-gate-alone"),
    ],
)  # fmt: skip
def test_a_gate(errors: int, gate: dict[str, Any], look: int, verdict: str, words: str) -> None:
    hostvars = {
        "a": {"__rollout_responses": counted(200, errors)},
        "b": {"__rollout_responses": counted(300, 1)},
    }
    comparison = {
        "against": "others",
        "new": ["a"],
        "baseline": ["b"],
        "looks": [5, 10],
        "unjudged": "",
        "interrupted": [],
    }
    if errors == 9:
        hostvars["a"] = {"__rollout_responses": counted(9, 1)}
    found = rollout_verdict(comparison, hostvars, look, "stop", gate)
    assert (found["verdict"], bool(found["refusal"])) == (verdict, bool(words))
    assert words in found["refusal"]


@pytest.mark.parametrize(
    ("gate", "verdict"), [(GOOD_GATE, "good"), (BAD_GATE, "bad"), (FAILED_GATE, "undecided")]
)
def test_a_gate_where_no_responses_can_be_compared(gate: dict[str, Any], verdict: str) -> None:
    found = rollout_verdict(
        rollout_comparison(["a"], {"a": NEW | WORKER}, ["a"], "others", 5), {}, 1, "go_on", gate
    )
    assert found["verdict"] == verdict
