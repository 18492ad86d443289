# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet as a document and as a table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import (
    certificates,
    document,
    line,
    table,
)

A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
REACHED = {"ping": "pong"}
LOST = {"unreachable": True, "msg": "Task failed: Connection\nrefused"}


def told(current: str | None = B, app: str = "shop", **changes: Any) -> dict[str, Any]:
    """What release_info returns, looped, of a host where all is well."""
    process = {"state": "serving", "release": current, "serves": True}
    return {
        "ansible_loop_var": "item",
        "changed": False,
        "failed": False,
        "invocation": {},
        "item": app,
        "app": app,
        "state": "serving",
        "current": current,
        "since": "2026-01-02T03:04:05Z",
        "formation": {"worker": 2, "web": 1},
        "processes": {"web-1": process, "worker-1": process, "worker-2": process},
        "records": [{"at": "T", "event": "deploy", "release": current, "outcome": "good"}],
        "drift": [],
        "unwell": [],
        "lock": None,
    } | changes


def answer(host: str, *results: dict[str, Any]) -> tuple[Any, ...]:
    return (host, REACHED, {"results": list(results)})


def test_document() -> None:
    fleet = document([answer("app1", told(), told(A, "blog")), answer("app2", told(A))])
    assert list(fleet["apps"]) == ["shop", "blog"]
    shop = fleet["apps"]["shop"]
    assert shop["differs"] is True
    assert shop["releases"] == {B: ["app1"], A: ["app2"]}
    assert shop["formations"] == {"web 1, worker 2": ["app1", "app2"]}
    assert shop["hosts"]["app1"]["state"] == "serving"
    assert not {"invocation", "item", "changed"} & set(shop["hosts"]["app1"])
    assert fleet["apps"]["blog"]["differs"] is False
    assert (fleet["unreachable"], fleet["failed"]) == ({}, {})
    json.dumps(fleet)


NOBODY = {"results": []}


@pytest.mark.parametrize(
    ("answers", "unreachable", "failed"),
    [
        pytest.param(
            [("app1", LOST, NOBODY)], {"app1": "Connection refused"}, {}, id="unreachable"
        ),
        pytest.param(
            [("app1", LOST, {"results": [{"skipped": True, "item": "shop"}]})],
            {"app1": "Connection refused"},
            {},
            id="unreachable-and-skipped",
        ),
        pytest.param(
            [("app1", REACHED, {"results": [LOST | {"item": "shop"}]})],
            {"app1": "Connection refused"},
            {},
            id="lost-half-way",
        ),
        pytest.param(
            [("app1", {"failed": True, "msg": "sudo: a password is required"}, NOBODY)],
            {},
            {"app1": {"": "sudo: a password is required"}},
            id="nothing-works-there",
        ),
        pytest.param(
            [answer("app1", {"failed": True, "msg": "use become", "item": "shop"})],
            {},
            {"app1": {"shop": "use become"}},
            id="module-failed",
        ),
        pytest.param([answer("app1")], {}, {}, id="no-app-there"),
        pytest.param(
            [("app1", {"failed": True, "msg": "non-zero return code", "stdout": ""}, NOBODY)],
            {},
            {},
            id="a-command-failed-there",
        ),
        pytest.param([], {}, {}, id="no-hosts"),
    ],
)
def test_hosts_that_cannot_answer(
    answers: list[Any], unreachable: dict[str, str], failed: dict[str, Any]
) -> None:
    fleet = document(answers)
    assert fleet == {"apps": {}, "unreachable": unreachable, "failed": failed}
    assert len(table(fleet)) == 1 + (3 if unreachable or failed else 0)


def test_table_of_a_fleet_where_all_is_well() -> None:
    assert table(document([answer("app1", told()), answer("app2", told())])) == [
        "HOST  APP   RELEASE       SINCE                 PROCESSES            HEALTH   LAST         LOCK",
        f"app1  shop  {B}  2026-01-02 03:04:05Z  web 1/1, worker 2/2  serving  deploy good",
        f"app2  shop  {B}  2026-01-02 03:04:05Z  web 1/1, worker 2/2  serving  deploy good",
    ]


LOCK = {
    "owner": "joe@build1",
    "run": "4711x",
    "reason": "deploy 2.0",
    "since": "2026-01-02T03:04:05Z",
    "expires": "2026-01-02T04:04:05Z",
    "expired": False,
}


def test_table_of_a_fleet_in_trouble() -> None:
    down = {"state": None, "release": None, "serves": False}
    other = told(
        A,
        since=None,
        state="degraded",
        formation={"web": 1, "worker": 1},
        processes={
            "web-1": {"state": "serving", "release": A, "serves": True, "replacements": 2},
            "worker-1": down,
        },
        records=[
            {"at": "T", "event": "deploy", "release": B, "outcome": "bad", "reason": "web-1 exit 3"}
        ],
        drift=["worker-1 does not run"],
        unwell=["web-1: GET /: 500 \x1b[31mOops"],
        lock=LOCK,
    )
    lines = table(document([answer("app1", told()), answer("app2", other), ("app3", LOST, NOBODY)]))
    assert [cell.split() for cell in lines[1:4]] == [
        f"app1 shop {B} * 2026-01-02 03:04:05Z web 1/1, worker 2/2 * serving deploy good".split(),
        f"app2 shop {A} * web 1/1, worker 0/1 * degraded deploy {B} bad joe@build1".split(),
        ["app3", "unreachable"],
    ]
    assert lines[4:] == [
        "",
        f"*shop: hosts have different releases: {B} on app1; {A} on app2",
        "*shop: hosts have different formations: web 1, worker 2 on app1; web 1, worker 1 on app2",
        "app2 shop: worker-1 does not run",
        "app2 shop: web-1: GET /: 500 ?[31mOops",
        "app2 shop: web-1 did not answer and was replaced (2 since the host booted)",
        f"app2 shop: deploy of {B} at T: web-1 exit 3",
        (
            "app2 shop: locked by joe@build1 (run 4711x) since 2026-01-02T03:04:05Z, for 'deploy 2.0'; "
            "expires without a sign of life at 2026-01-02T04:04:05Z"
        ),
        "app3: Connection refused",
    ]


@pytest.mark.parametrize(
    ("lock", "cell", "note"),
    [
        (LOCK | {"expired": True}, "joe@build1, expired", "expired at 2026-01-02T04:04:05Z"),
        (LOCK | {"reason": ""}, "joe@build1", "03:04:05Z; expires"),
        (
            {"owner": "nobody knows", "run": "", "reason": "it cannot be read", "expired": False},
            "nobody knows",
            "locked: it cannot be read",
        ),
    ],
)
def test_lock(lock: dict[str, Any], cell: str, note: str) -> None:
    lines = table(document([answer("app1", told(lock=lock))]))
    assert lines[1].endswith(cell)
    assert note in lines[-1]


def test_a_deploy_that_was_cut_off() -> None:
    records = [{"at": "T", "event": "deploy", "release": A, "outcome": "pending"}]
    lines = table(document([answer("app1", told(records=records))]))
    assert lines[1].endswith(f"deploy {A} pending")
    assert lines[3:] == [f"app1 shop: deploy of {A} at T: it has not ended yet, or it was cut off"]


def test_why_a_release_was_put_back() -> None:
    back = {
        "at": "T",
        "event": "rollback",
        "release": A,
        "outcome": "good",
        "reason": "9 of 10 failed",
    }
    lines = table(document([answer("app1", told(records=[back]))]))
    assert lines[3:] == [f"app1 shop: rollback to {A} at T: 9 of 10 failed"]


def test_a_host_without_the_app_differs() -> None:
    bare = told(None, state="absent", since=None, formation={}, processes={}, records=[], drift=[])
    fleet = document([answer("app1", told()), answer("app2", bare)])
    assert fleet["apps"]["shop"]["releases"] == {B: ["app1"], "none": ["app2"]}
    assert table(fleet)[2].split() == ["app2", "shop", "none", "*", "*", "absent"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [(None, ""), ("a\n  b\tc", "a b c"), ("\x1b[2Jx", "?[2Jx"), ("Task failed: x", "x"), (5, "5")],
)
def test_line(text: object, shown: str) -> None:
    assert line(text) == shown


def test_certificates_come_last_the_one_that_ends_first_on_top() -> None:
    ending = certificates(
        [
            [
                "app1",
                {"stdout_lines": ["shop 2026-03-01T00:00:00Z 58", "blog 2027-01-01T00:00:00Z 364"]},
            ],
            ["proxy1", {"stdout_lines": ["shop 2026-01-01T00:00:00Z -1"]}],
            ["bare", {"stdout_lines": []}],
            ["lost", LOST],
        ]
    )
    assert ending["app1"]["shop"] == {"expires": "2026-03-01T00:00:00Z", "days": 58}
    assert ending.keys() == {"app1", "proxy1"}
    lines = table(document([answer("app1", told())]) | {"certificates": ending})
    assert [words.split() for words in lines[2:]] == [
        [],
        ["HOST", "CERTIFICATE", "DAYS", "LEFT", "UNTIL"],
        ["proxy1", "shop", "-1", "2026-01-01", "00:00:00Z"],
        ["app1", "shop", "58", "2026-03-01", "00:00:00Z"],
        ["app1", "blog", "364", "2027-01-01", "00:00:00Z"],
    ]


# --- answers that are none -----------------------------------------------------------------------

PROCESS = {"state": "serving", "release": B, "serves": True}


@pytest.mark.parametrize(
    "changes",
    [
        {"state": {}},
        {"current": ["x"]},
        {"since": 5},
        {"formation": {"web": "x"}},
        {"formation": []},
        {"processes": {"web-1": "x"}},
        {"processes": {"web-1": {}}},
        {"processes": {"web-1": PROCESS | {"memory": "x"}}},
        {"processes": {"web-1": PROCESS | {"release": 1}}},
        {"records": {}},
        {"records": ["x"]},
        {"records": [{}]},
        {"records": [{"at": 1, "event": "deploy", "release": A, "outcome": "good"}]},
        {"records": [{"at": "T", "event": "e", "release": A, "outcome": "good", "durations": {"gate": "x"}}]},
        {"drift": "x"},
        {"unwell": [1]},
        {"lock": "x"},
        {"lock": {}},
        {"lock": {"owner": "x", "reason": "", "expired": False, "since": "T"}},
        {"packages": {"x": []}},
        {"disk": {"free": "x"}},
    ],
)  # fmt: skip
def test_a_bad_answer_is_the_line_of_its_host(changes: dict[str, Any]) -> None:
    fleet = document([answer("app1", told(**changes)), answer("app2", told())])
    assert list(fleet["apps"]["shop"]["hosts"]) == ["app2"]
    assert fleet["failed"]["app1"]["shop"].startswith("its answer cannot be read: ")
    lines = table(fleet)
    assert any(row.split() == ["app1", "shop", "unknown"] for row in lines)
    assert any("app2" in row and "serving" in row for row in lines)


def test_an_answer_without_a_key() -> None:
    bad = told()
    del bad["records"]
    fleet = document([answer("app1", bad)])
    assert fleet["failed"] == {"app1": {"shop": "its answer cannot be read: records is missing"}}


@pytest.mark.parametrize(
    "printed", ["a b c d", "a b", "", "shop 2026-01-02T03:04:05Z x", "shop soon 5", "shop T 5"]
)
def test_a_line_that_is_no_certificate(printed: str) -> None:
    good = "shop 2026-01-02T03:04:05Z 5"
    found = certificates(
        [("app1", {"stdout_lines": [printed, good]}), ("app2", {"stdout_lines": [good]})]
    )
    expected = {"shop": {"expires": "2026-01-02T03:04:05Z", "days": 5}}
    assert found == {"app1": expected, "app2": expected}


JOB = {
    "at": "03:00", "release": B, "outcome": "success", "code": 0, "began": "2026-01-02T03:00:00Z",
    "seconds": 42.13, "succeeded": "2026-01-02T03:00:42Z", "runs": 12, "failures": 1,
}  # fmt: skip
NEVER = dict.fromkeys(JOB) | {"at": "daily", "runs": 0, "failures": 0}


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (JOB, f"(03:00): success, began 2026-01-02T03:00:00Z with {B}, took 42.1 s"),
        (NEVER, "(daily): has not run yet"),
        (
            JOB | {"outcome": "running", "code": None},
            f"(03:00): running, began 2026-01-02T03:00:00Z with {B}",
        ),
        (
            JOB | {"outcome": "failed", "code": 3},
            (
                f"(03:00): failed, began 2026-01-02T03:00:00Z with {B}, took 42.1 s, exit code 3; 1 of 12 were no "
                "success, the last that was one ended 2026-01-02T03:00:42Z"
            ),
        ),
        (
            JOB | {"outcome": "interrupted", "code": None, "succeeded": None},
            (
                f"(03:00): interrupted, began 2026-01-02T03:00:00Z with {B}; 1 of 12 were no success, the last that "
                "was one ended never"
            ),
        ),
    ],
)
def test_what_came_of_a_schedule_is_a_line(job: dict[str, Any], said: str) -> None:
    lines = table(document([answer("app1", told(schedules={"nightly": job}))]))
    assert lines[-1] == f"app1 shop: schedule nightly {said}"


@pytest.mark.parametrize("job", [None, {}, JOB | {"at": None}, JOB | {"runs": "many"}])
def test_what_is_no_schedule_hides_no_other_host(job: Any) -> None:
    fleet = document([answer("app1", told(schedules={"a": job})), answer("app2", told())])
    assert "its answer cannot be read: schedules.a" in fleet["failed"]["app1"]["shop"]
    assert list(fleet["apps"]["shop"]["hosts"]) == ["app2"]


BRIDGE = "app-exec-shop-bridge.service"
LEFT = f"{BRIDGE} still runs, left by an interrupted restart of the supervisor; "


@pytest.mark.parametrize(
    ("drift", "remedy"),
    [
        ([], "`ansible-playbook twelvefactor.deploy.platform --limit app1` ends it"),
        (["web-1 does not run"], "deploy a release that works"),
    ],
)
def test_a_bridge_that_was_left_is_named(drift: list[str], remedy: str) -> None:
    lines = table(document([answer("app1", told(bridge=BRIDGE, drift=drift))]))
    assert lines[-1] == f"app1 shop: {LEFT}{remedy}"
    assert not [
        line for line in table(document([answer("app1", told(bridge=None))])) if BRIDGE in line
    ]
