# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page about a fleet says, of a fleet as it is on a good day and on a bad one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet import logs as fleet_logs
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet import (
    status as fleet_status,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report import page
from report import fleet

RANGE = fleet.DAY.told()
LOST = {"unreachable": True, "msg": "Connection refused"}


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    return fleet.documents()


@pytest.fixture
def found(documents: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(documents)


def told(found: dict[str, Any]) -> dict[str, Any]:
    return page(found, "Fleet", fleet.UNTIL)


def troubles(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["grade"], each["where"], each["text"]) for each in told(found)["troubles"]]


def test_the_numbers_are_those_of_the_documents(found: dict[str, Any]) -> None:
    shown, logs = told(found), found["logs"]["apps"]
    tiles = {tile["label"]: tile["value"] for tile in shown["tiles"]}
    assert tiles["Requests"] == f"{sum(each['requests'] for each in logs.values()):,}"
    assert tiles["Hosts"] == "3 of 3"
    assert tiles["Logged errors"] == "117"
    shop = shown["apps"][0]
    assert shop["requests"] == f"{logs['shop']['requests']:,}"
    assert {row["status"]: row["count"] for row in shop["statuses"]} == {
        status: f"{number:,}" for status, number in logs["shop"]["statuses"].items()
    }
    rows = [int(row["all"].replace(",", "")) for row in shop["timeline"]]
    assert sum(rows) == logs["shop"]["requests"]
    assert shop["latency"]["p95"] == f"{logs['shop']['latency']['p95']:.0f} ms"
    assert [row["name"] for row in shop["by_release"]] == [
        each["release"] for each in logs["shop"]["releases"]
    ]


def test_deploys_with_the_latencies_around_them(found: dict[str, Any]) -> None:
    shop = told(found)["apps"][0]
    rows = [
        (row["event"], row["release"][:5], row["outcome"], row["on"]) for row in shop["deploys"]
    ]
    assert rows == [
        ("deploy", "4.3.1", "good", "3 of 3 hosts"),
        ("deploy", "4.3.0", "bad", "1 of 3 hosts"),
        ("deploy", "4.2.1", "good", "3 of 3 hosts"),
        ("rollback", "4.1.0", "good", "3 of 3 hosts"),
        ("deploy", "4.2.0", "good", "3 of 3 hosts"),
        ("deploy", "4.1.0", "good", "3 of 3 hosts"),
    ]
    ways = [[time["way"] for time in row["times"]] for row in shop["deploys"]]
    assert (ways[0], ways[1], ways[3], ways[4]) == (
        ["faster"] * 3,
        [""] * 3,
        ["faster"] * 3,
        ["slower"] * 3,
    )
    assert shop["deploys"][1]["reasons"][0]["text"].startswith("web-1 did not get through")
    assert [mark["text"] for mark in shop["plots"][0]["marks"]] == [
        "4.2.0",
        "↩ 4.1.0",
        "4.2.1",
        "✕ 4.3.0",
        "4.3.1",
    ]


def test_a_change_of_the_formation_is_history_and_no_mark(found: dict[str, Any]) -> None:
    blog = told(found)["apps"][1]
    assert [row["event"] for row in blog["deploys"]] == ["scale", "deploy", "deploy"]
    assert [mark["text"] for mark in blog["plots"][0]["marks"]] == ["1.9.2"]


def test_a_good_day(found: dict[str, Any]) -> None:
    assert told(found)["absent"] == ["later"]
    assert troubles(found) == [
        ("bad", "proxy1", "certificate shop ends in 9 days"),
        ("note", "app3 shop", "worker-1 was restarted 3 times since the host booted"),
        ("note", "blog", "backing services: DATABASE_URL: a file on the host"),
    ]
    del found["status"]["certificates"]["proxy1"]
    assert told(found)["verdict"] == {"grade": "note", "text": "Serving; 2 things to know"}
    del found["audit"]
    assert told(found)["verdict"] == {"grade": "note", "text": "Serving; 1 thing to know"}
    assert [each["factors"] for each in told(found)["apps"]] == [[], []]


def test_what_the_proxies_answered(found: dict[str, Any]) -> None:
    shop = told(found)["apps"][0]
    assert [row["name"] for row in shop["proxies"]] == [
        "proxy1",
        "proxy2",
        "(the hosts of the app)",
    ]
    assert shop["proxies"][-1]["requests"] == shop["requests"]
    [(_host, first), *_others] = found["proxies"]
    assert shop["proxies"][0]["requests"] == f"{first['apps']['shop']['requests']['requests']:,}"
    first["apps"].clear()
    found["proxies"][1] = ("proxy2", LOST)
    assert [app["proxies"] for app in told(found)["apps"]] == [[], []]
    assert ("bad", "proxy2", "unreachable: Connection refused") in troubles(found)
    found["proxies"] = []
    assert [app["proxies"] for app in told(found)["apps"]] == [[], []]


def test_the_twelve_factors_of_each_app(found: dict[str, Any]) -> None:
    shop, blog = (
        {row["factor"]: (row["grade"], row["verdict"], row["remedy"]) for row in app["factors"]}
        for app in told(found)["apps"]
    )
    assert len(shop) == len(blog) == 12
    assert shop["codebase"] == ("note", "unknown", "")
    assert shop["backing services"] == ("good", "ok", "")
    remedy = "Attach a database over the network."
    assert blog["backing services"] == ("bad", "finding", remedy)


def test_a_process_that_hung(found: dict[str, Any]) -> None:
    found["status"]["apps"]["shop"]["hosts"]["app2"]["processes"]["web-2"]["replacements"] = 1
    text = "web-2 did not answer and was replaced (1 since the host booted)"
    assert ("note", "app2 shop", text) in troubles(found)


def test_a_bad_day(found: dict[str, Any]) -> None:
    status, logs = found["status"], found["logs"]
    status["unreachable"] = logs["unreachable"] = {"app9": "Connection refused"}
    status["failed"] = {"app8": {"shop": "no sudo"}}
    logs["incomplete"] = {"app1": ["120 s were over"]}
    shop = status["apps"]["shop"]
    shop["releases"] = {"4.3.1-90e7d6b2": ["app1"], "none": ["app2"]}
    one = shop["hosts"]["app1"]
    one |= {"state": "degraded", "drift": ["web-2 does not run"]}
    one["lock"] = {"owner": "ann@build1", "expired": True}
    one["records"].append(one["records"][-1] | {"at": "2026-03-17T16:00:00Z", "outcome": "pending"})
    one["disk"]["free"] = 1024**3
    seen = troubles(found)
    for expected in (
        ("bad", "app9", "unreachable: Connection refused"),
        ("bad", "app8 shop", "no sudo"),
        ("note", "app1", "logs not counted to the end: 120 s were over"),
        ("bad", "shop", "hosts have different releases: 4.3.1-90e7d6b2 on app1; none on app2"),
        ("bad", "app1 shop", "web-2 does not run"),
        ("note", "app1 shop", "the deploy lock is held by ann@build1 and has expired"),
        (
            "bad",
            "shop",
            "the last deploy, of 4.3.1-90e7d6b2, has not ended, or was cut off",
        ),
        ("bad", "app1", "1.0 GiB are free of 40 GiB below /srv"),
    ):
        assert expected in seen
    assert [grade for grade, _where, _text in seen] == sorted(each[0] for each in seen)
    assert told(found)["apps"][0]["state"] == "degraded"


def test_nobody_can_be_reached() -> None:
    status = fleet_status.document([("app1", LOST, {"results": []})])
    logs = fleet_logs.document([("app1", LOST)]) | RANGE
    shown = page({"status": status, "logs": logs}, "Fleet", fleet.UNTIL)
    assert (shown["apps"], shown["certificates"], shown["disks"]) == ([], [], [])
    assert shown["verdict"]["text"] == "1 thing to look at"
    assert shown["tiles"][0]["value"] == "0 of 1"


def test_an_app_that_nobody_asks_and_that_has_no_record(found: dict[str, Any]) -> None:
    for told_ in found["status"]["apps"]["shop"]["hosts"].values():
        told_ |= {"records": [], "packages": None, "disk": None, "processes": {}}
    del found["logs"]["apps"]["shop"]
    shop = told(found)["apps"][0]
    for key in ("plots", "statuses", "timeline", "deploys", "processes", "packages", "by_release"):
        assert shop[key] == []
    assert shop["requests"] == "0"
