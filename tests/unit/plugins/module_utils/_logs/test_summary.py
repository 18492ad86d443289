# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of a host and of a fleet: what is counted, and how it is told."""

from __future__ import annotations

import collections
import gzip
import json
import os
import pathlib
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.logs import document, table
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import (
    files as logs_files,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import (
    summary as logs_summary,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.files import (
    Deadline,
    LogError,
    LogFile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.summary import (
    Limits,
    Places,
    Summary,
    step_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import Range, iso

BEGIN = 1767322800.0  # 2026-01-02T03:00:00Z
WANTED = Range(BEGIN, BEGIN + 3600)
LIMITS = Limits(routes=50, messages=20, slowest=3)
A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
APP = "unix:/run/shop/web-1.sock"


def entry(at: float, status: int = 200, path: str = "/", ms: int = 5, **more: Any) -> str:
    fields = {
        "@timestamp": iso(BEGIN + at),
        "event.duration": ms * 1_000_000,
        "http.request.method": "GET",
        "url.original": path,
        "http.response.status_code": status,
        "http.response.bytes": 100,
        "http.request.id": f"id{at}",
        "nginx.upstream.address": APP,
    } | {key.replace("__", "."): value for key, value in more.items()}
    return json.dumps(fields, separators=(",", ":")) + "\n"


@pytest.fixture
def places(tmp_path: pathlib.Path) -> Places:
    for name in ("log/nginx", "log/shop", "srv/shop"):
        (tmp_path / name).mkdir(parents=True)
    return Places(tmp_path / "log", tmp_path / "log" / "nginx", tmp_path / "srv")


def put(path: pathlib.Path, text: str, changed: float = 3599.0) -> None:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    os.utime(path, (BEGIN + changed, BEGIN + changed))


def look(places: Places, *apps: str, wanted: Range = WANTED, **more: Any) -> dict[str, Any]:
    journal = more.get("journal", lambda *_wanted: iter(()))
    summary = Summary(wanted, places, LIMITS, more.get("deadline", Deadline(60)), journal)
    # as it comes from a host
    return json.loads(json.dumps(summary.of(apps or ["shop"])))  # type: ignore[no-any-return]


def told(places: Places, **more: Any) -> dict[str, Any]:
    return document([("app1", look(places, **more))])["apps"]["shop"]  # type: ignore[no-any-return]


def test_an_empty_host(places: Places) -> None:
    found = look(places, "shop", "nowhere")
    assert found["incomplete"] == []
    assert found["apps"]["nowhere"]["requests"]["requests"] == 0
    text = table(document([("app1", found)]))
    assert text[0] == "nowhere, 2026-01-02T03:00:00Z to 2026-01-02T04:00:00Z, 1 host: 0 requests"
    assert "No errors, no warnings." in text


def test_requests_over_rotated_files(places: Places) -> None:
    put(places.nginx / "shop.access.log.3.gz", entry(-9000), -8000)
    put(places.nginx / "shop.access.log.2.gz", entry(-1, 500) + entry(0, 500) + entry(1, 404), 2)
    put(places.nginx / "shop.access.log.1", entry(3) + "garbage\n" + entry(4, 301), 5)
    put(places.nginx / "shop.access.log", entry(5, 502) + entry(3599.999) + entry(3600, 500))
    put(places.nginx / "shop-admin.access.log", entry(5, 418))
    put(places.nginx / "blog.access.log", entry(5, 418))
    app = told(places)
    assert app["statuses"] == {"200": 2, "301": 1, "404": 1, "500": 1, "502": 1}
    assert app["requests"] == 6
    assert app["bytes"] == 600
    assert app["unreadable"] == {"app1": 1}
    assert app["hosts"] == {"app1": 6}
    assert step_of(WANTED) == 60
    assert app["timeline"] == {
        "2026-01-02T03:00:00Z": {"200": 1, "301": 1, "404": 1, "500": 1, "502": 1},
        "2026-01-02T03:59:00Z": {"200": 1},
    }


def test_routes_and_the_slowest(places: Places) -> None:
    lines = [entry(n, path=f"/orders/{n}?x=secret", ms=n) for n in range(1, 101)]
    lines += [entry(200, 101, "/live", ms=3_000_000), entry(201, path="/static/a.css", ms=0)]
    put(places.nginx / "shop.access.log", "".join(lines))
    app = told(places)
    assert [(each["route"], each["requests"]) for each in app["routes"]] == [
        ("GET /orders/{number}", 100),
        ("GET /live", 1),
        ("GET /static/a.css", 1),
    ]
    orders = app["routes"][0]["latency"]
    assert orders["p50"] == pytest.approx(50, rel=0.02)
    assert orders["p99"] == pytest.approx(99, rel=0.02)
    assert (orders["max"], orders["mean"]) == (100.0, 50.5)
    assert app["routes"][1]["latency"] is None  # a WebSocket
    assert [(each["milliseconds"], each["path"]) for each in app["slowest"]] == [
        (100, "/orders/100"),
        (99, "/orders/99"),
        (98, "/orders/98"),
    ]
    assert app["slowest"][0]["host"] == "app1"
    assert app["slowest"][0]["id"] == "id100"
    assert "secret" not in json.dumps(app)


def test_releases(places: Places) -> None:
    records = [
        {"at": iso(BEGIN - 100), "event": "deploy", "release": A, "outcome": "good", "seconds": 1},
        {
            "at": iso(BEGIN + 100),
            "event": "deploy",
            "release": B,
            "outcome": "good",
            "before": A,
            "seconds": 8.0,
            "durations": {"gate": 5.0, "switch": 0.0, "drain": 2.0},
        },
    ]
    put(
        places.apps / "shop" / "releases.jsonl",
        "[" * 100_000 + "\n" + "".join(json.dumps(r) + "\n" for r in records),
    )
    with (places.apps / "shop" / "releases.jsonl").open("ab") as file:
        file.write(b'{"release": "\xff\0')
    put(
        places.nginx / "shop.access.log",
        entry(10)
        # answered after the switch, but begun before it
        + entry(120, 500, ms=60_000)
        + entry(106)
        + entry(130)
        + entry(131, service__version="told")
        + entry(140, 301, nginx__upstream__address=""),
    )
    put(
        places.logs / "shop" / "web-1.log",
        f"{iso(BEGIN + 50)} ERROR lost\n{iso(BEGIN + 150)} ERROR lost\n",
    )
    app = told(places)
    assert {each["release"]: each["requests"] for each in app["releases"]} == {
        A: 2,
        B: 2,
        "told": 1,
        "(nginx)": 1,
    }
    assert app["releases_known_by"] == {"header": 1, "record": 3, "near_switch": 1, "unknown": 0}
    assert app["events"][0]["releases"] == {A: 1, B: 1}
    (since,) = {record["at"] for record in records if record["release"] == B}
    assert [
        (each["host"], each["since"] == since, each["release"], each["requests"], each["longest"])
        for each in sorted(app["stretches"], key=lambda each: (each["since"], each["release"]))
    ] == [
        ("app1", False, A, 2, 60_000),
        ("app1", True, B, 2, 5),
        ("app1", True, "told", 1, 5),
    ]
    text = "\n".join(table(document([("app1", look(places))])))
    assert "Releases by the time of the switch; 1 request so close to one that" in text


def test_output_of_processes(places: Places) -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 3, in f\nKeyError: 17\n'
    put(places.logs / "shop" / "web-1.log.1", f"{iso(BEGIN - 50)} ERROR early\n", -50)
    put(
        places.logs / "shop" / "web-1.log",
        f"{iso(BEGIN + 1)} ERROR order 1 lost\n{trace}{iso(BEGIN + 2)} ERROR order 2 lost\n{trace}"
        f"{iso(BEGIN + 3)} INFO fine\n{iso(BEGIN + 3700)} ERROR late\n",
    )
    put(
        places.logs / "shop" / "worker-1.log",
        "".join(
            json.dumps({"@timestamp": iso(BEGIN + 7), "message": text, "service.version": B}) + "\n"
            for text in ["WARNING slow", *trace.splitlines()]
        ),
    )
    put(places.logs / "shop" / "worker-2.log", "WARNING slow\nhello\n")
    put(places.logs / "shop" / "beat-1.log", "ERROR long ago\n", -5)
    events = told(places)["events"]
    assert [(each["level"], each["message"], each["exception"]) for each in events] == [
        ("error", "order {number} lost", "KeyError: {number}"),
        ("warning", "slow", ""),
        ("warning", "slow", "KeyError: {number}"),
    ]
    assert (events[0]["count"], events[0]["undated"]) == (2, 0)
    assert (events[0]["first"], events[0]["last"]) == (iso(BEGIN + 1), iso(BEGIN + 2))
    # nobody knows when that was said
    assert (events[1]["processes"], events[1]["undated"]) == ({"worker-2": 1}, 1)
    assert (events[2]["releases"], events[2]["undated"]) == ({B: 1}, 0)


def test_output_that_went_to_the_journal(places: Places) -> None:
    """It knows when each line was written, and which process wrote it."""

    def journal(app: str, wanted: Range, _deadline: Deadline) -> Iterator[tuple[str, str, float]]:
        assert (app, wanted) == ("shop", WANTED)
        trace = 'Traceback (most recent call last):\n  File "a.py", line 3, in f\nKeyError: 17'
        for number, text in enumerate(["ERROR order 1 lost", *trace.split("\n"), "fine"]):
            yield "web-1", text, BEGIN + number
            yield "worker-1", "WARNING slow", BEGIN + number
        yield "web-1", "ERROR the last", BEGIN + 9
        raise LogError("journalctl ended")

    events = told(places, journal=journal)["events"]
    assert [(each["message"], each["exception"], each["count"]) for each in events] == [
        ("order {number} lost", "KeyError: {number}", 1),
        ("the last", "", 1),
        ("slow", "", 5),
    ]
    assert events[0]["first"] == iso(BEGIN)
    assert events[0]["processes"] == {"web-1": 1}
    assert (events[2]["undated"], events[2]["last"]) == (0, iso(BEGIN + 4))
    assert look(places, journal=journal)["incomplete"] == ["journalctl ended"]


def test_errors_of_nginx(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = (
        "2026/01/02 03:00:05 [error] 7#7: *{n} connect() to unix:/run/shop/web-1.sock failed "
        "(111: Connection refused) while connecting to upstream, client: 10.0.0.{n}, server: s, "
        'request: "GET / HTTP/1.1", upstream: "http://unix:/run/shop/web-1.sock:/"\n'
    )
    put(
        places.nginx / "error.log",
        connect.format(n=1)
        + connect.format(n=2)
        + "2026/01/02 03:00:06 [alert] 7#7: worker process 9 exited on signal 9\n"
        + "2026/01/02 03:00:07 [notice] 7#7: signal process started\n"
        + '2026/01/02 03:00:08 [error] 7#7: *3 limiting requests, excess: 0.5 by zone "blog.req"\n',
    )
    monkeypatch.setenv("TZ", "UTC")
    found = document([("app1", look(places))])
    [event] = found["apps"]["shop"]["events"]
    assert event["count"] == 2
    assert event["message"].startswith("connect() to unix:/run/shop/web-{number}.sock failed")
    assert "client" not in event["message"]
    assert event["processes"] == {"nginx": 2}
    assert [each["message"][:14] for each in found["nginx"]] == ["limiting reque", "worker process"]


def test_what_could_not_be_read_is_said(places: Places) -> None:
    put(places.nginx / "shop.access.log.1.gz", "", 5)
    (places.nginx / "shop.access.log.1.gz").write_bytes(b"no gzip")
    put(places.nginx / "shop.access.log", entry(5))
    found = document([("app1", look(places, wanted=Range(BEGIN, 1e11)))])
    assert found["apps"]["shop"]["requests"] == 1
    [trouble] = found["incomplete"]["app1"]
    assert "shop.access.log.1.gz: cannot be read to its end: " in trouble
    assert f"app1: {trouble}" in table(found)
    late = document([("app1", look(places, deadline=Deadline(-1)))])
    assert "not read to its end" in late["incomplete"]["app1"][0]


def test_hosts_add_up_to_what_one_host_would_say(places: Places) -> None:
    dice = random.Random(7)
    lines = [
        entry(
            n,
            dice.choice([200, 200, 200, 404, 500]),
            f"/{dice.choice('abc')}/{n}",
            round(dice.lognormvariate(3, 1)),
        )
        for n in range(600)
    ]
    answers = []
    for host in range(3):
        put(places.nginx / "shop.access.log", "".join(lines[host::3]))
        answers.append((f"app{host}", look(places)))
    put(places.nginx / "shop.access.log", "".join(lines))
    whole = document([("app", look(places))])["apps"]["shop"]
    merged = document(answers)["apps"]["shop"]
    for key in ("requests", "statuses", "latency", "routes", "releases", "timeline"):
        assert merged[key] == whole[key]
    assert merged["hosts"] == {"app0": 200, "app1": 200, "app2": 200}
    counted = collections.Counter(json.loads(line)["http.response.status_code"] for line in lines)
    assert merged["statuses"] == {str(code): counted[code] for code in sorted(counted)}


def test_hosts_that_could_not_say_anything(places: Places) -> None:
    answers: list[tuple[str, dict[str, Any]]] = [
        ("app1", look(places)),
        ("app2", {"unreachable": True, "msg": "Connection\nrefused"}),
        ("app3", {"failed": True, "msg": "no disk"}),
        ("app4", {"skipped": True}),
    ]
    found = document(answers)
    assert found["unreachable"] == {"app2": "Connection refused"}
    assert found["failed"] == {"app3": "no disk"}
    assert list(found["apps"]["shop"]["hosts"]) == ["app1"]
    assert table(found)[-3:] == [
        "Not counted:",
        "app2: unreachable: Connection refused",
        "app3: no disk",
    ]
    assert table(document([])) == ["No host of an app was asked."]


def test_the_text(places: Places) -> None:
    put(
        places.nginx / "shop.access.log",
        entry(1, path="/a") + entry(2, 500, path="/b\x1b[31m", ms=40) + entry(3, path="/a"),
    )
    put(places.logs / "shop" / "web-1.log", f"{iso(BEGIN + 1)} ERROR lost\x1b[2J\n")
    text = table(document([("app1", look(places))]))
    assert text == [
        "shop, 2026-01-02T03:00:00Z to 2026-01-02T04:00:00Z, 1 host: 3 requests",
        "",
        "STATUS  REQUESTS    SHARE",
        "200            2  66.67 %",
        "500            1  33.33 %",
        "",
        "ROUTE        REQUESTS  2xx  3xx  4xx  5xx  P50 ms  P95 ms  P99 ms  MAX ms",
        "GET /a              2    2                      5       5       5       5",
        "GET /b?[31m         1                   1      40      40      40      40",
        "",
        "RELEASE  REQUESTS  2xx  3xx  4xx  5xx  P50 ms  P95 ms  P99 ms  MAX ms",
        "unknown         3    2              1       5      40      40      40",
        "3 requests from when no release was recorded on the host.",
        "",
        "SLOWEST ms  STATUS  AT                    HOST  RELEASE  REQUEST      ID",
        "40          500     2026-01-02T03:00:02Z  app1  unknown  GET /b?[31m  id2",
        "5           200     2026-01-02T03:00:01Z  app1  unknown  GET /a       id1",
        "5           200     2026-01-02T03:00:03Z  app1  unknown  GET /a       id3",
        "",
        "COUNT  LEVEL  LAST                  PROCESSES  RELEASES  MESSAGE",
        "1      error  2026-01-02T03:00:01Z  web-1      unknown   lost?[{number}J",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"apps": []},
        {"apps": {"shop": {}}},
        {"nginx": [{}]},
        {"since": 5},
        {"incomplete": "x"},
        {"requests": {"requests": "x"}},
        {"timeline": {"soon": {}}},
        {"slowest": [1]},
        {"events": 7},
    ],
)
def test_a_bad_answer_is_the_line_of_its_host(places: Places, changes: dict[str, Any]) -> None:
    put(places.nginx / "shop.access.log", entry(10), 20)
    good, bad = look(places), look(places)
    [key] = changes
    (bad if key in bad else bad["apps"]["shop"]).update(changes)
    for answers in ([("app1", bad), ("app2", good)], [("app2", good), ("app1", bad)]):
        found = document(answers)
        assert found["apps"]["shop"]["hosts"] == {"app2": 1}
        assert found["failed"]["app1"].startswith("its answer cannot be read: ")
        assert any("its answer cannot be read" in line for line in table(found))


def test_many_logs_of_an_app_are_read_as_far_as_they_may(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs_summary, "LOGS", 2)
    for number in range(5):
        put(places.logs / "shop" / f"web-{number}.log", f"{iso(BEGIN + 10)} ERROR x\n", 20)
    assert look(places)["incomplete"] == [
        f"{places.logs}/shop: 3 logs were not read; 2 are, by their names."
    ]
    (places.logs / "other").touch()
    [trouble] = look(places, "other")["incomplete"]
    assert "other: cannot be read: Not a directory" in trouble


def test_more_files_than_are_looked_at_are_said(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs_files, "ENTRIES", 3)
    monkeypatch.setattr(logs_summary, "ENTRIES", 3)
    for number in range(4):
        put(places.logs / "shop" / f"web-{number}.log", "", 20)
    assert look(places)["incomplete"] == [
        f"{places.logs}/shop: it has more than 3 files; the others were not looked at."
    ]


def test_no_app_takes_the_time_of_the_others(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one uses up whatever it is given, in its journal."""
    now, given = [1000.0], {}
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def journal(app: str, _wanted: Range, deadline: Deadline) -> Iterator[tuple[str, str, float]]:
        given[app] = deadline.at - now[0]
        if app == "hostile":
            now[0] = deadline.at + 1
        yield from ()

    put(places.nginx / "honest.access.log", entry(5))
    found = look(places, "hostile", "honest", "shop", deadline=Deadline(60), journal=journal)
    assert found["apps"]["honest"]["requests"]["requests"] == 1
    assert found["incomplete"] == []
    assert given == {"hostile": 20.0, "honest": 19.5, "shop": 39.0}


def test_the_logs_of_an_app_are_left_once_its_time_is_over(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    (places.logs / "hostile").mkdir()
    for number in range(20):
        put(places.logs / "hostile" / f"m{number}.log", "ERROR x\n")
    put(places.logs / "shop" / "web-1.log", f"{iso(BEGIN + 1)} ERROR lost\n")
    real = logs_files.open_file

    def slow(path: pathlib.Path) -> LogFile | None:
        if path.parent.name == "hostile":
            now[0] += 12
        return real(path)

    monkeypatch.setattr(logs_files, "open_file", slow)
    found = look(places, "hostile", "shop", deadline=Deadline(60))
    assert [line.partition(",")[0] for line in found["incomplete"]] == [
        f"{places.logs}/hostile/m10.log: not read to its end",
        f"{places.logs}/hostile: not read to its end",
    ]
    assert found["apps"]["shop"]["events"] != {}
