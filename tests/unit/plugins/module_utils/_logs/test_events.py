# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and warnings in what apps write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.events import (
    Assembler,
    Dated,
    Event,
    Events,
    clock,
    group_of,
    level_of,
    normal,
    read_line,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import Range

TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/releases/1.0-aaaaaaaa/venv/lib/python3.11/site-packages/shop/views.py", line 12, in buy
    pay(17)
  File "/srv/shop/releases/1.0-aaaaaaaa/venv/lib/python3.11/site-packages/shop/bank.py", line 34, in pay
    raise Declined(f"card {card}")
shop.bank.Declined: card 17"""
CHAIN = f"""\
{TRACE}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 1, in <module>
    handle()
RuntimeError: gave up"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "app.py", line 3, in <module>
  |     raise ExceptionGroup("two", [ValueError(1), TypeError(2)])
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +---------------- 2 ----------------
    | TypeError: 2
    +------------------------------------"""


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host whose clock is not UTC's."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def events(text: str) -> list[Event]:
    assembler = Assembler()
    found = [event for line in text.split("\n") for event in assembler.feed(read_line(line))]
    return [*found, *assembler.flush()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ERROR no stock", "error"),
        ("2026-01-02 03:00:00,123 ERROR shop: no stock", "error"),
        ("[2026-01-02 03:00:00 +0000] [12] [CRITICAL] WORKER TIMEOUT (pid:13)", "error"),
        ("ERROR:    Exception in ASGI application", "error"),
        ("2026/01/02 03:00:00 [crit] 12#12: *3 connect() failed", "error"),
        ("WARNING:shop:slow", "warning"),
        ("WARN slow", "warning"),
        ("level=warning msg=slow", "warning"),
        ('ts=1 level="ERROR" msg=slow', "error"),
        ("/app/shop.py:12: DeprecationWarning: old", "warning"),
        ("INFO not an ERROR", ""),
        ("[2026-01-02 03:00:00 +0000] [12] [INFO] Booting worker", ""),
        ("DEBUG x", ""),
        ('10.0.0.1 - - "GET /ERROR HTTP/1.1" 500', None),
        ("no errors, no warnings", None),
        ("TERROR", None),
        ("", None),
        ("x" * 1000 + " ERROR", None),
    ],
)
def test_level(text: str, expected: str | None) -> None:
    assert level_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:00:00Z x", 1767322800.0),
        ("[2026-01-02 03:00:00 +0000] [12] [INFO] x", 1767322800.0),
        ("2026-01-02 04:00:00,250 INFO x", 1767322800.25),  # the host's own zone
        ("ERROR 2026-01-02 04:00:00,250 x", 1767322800.25),
        ("2026/01/02 04:00:00 [error] 12#12: x", 1767322800.0),
        ('{"@timestamp": "2026-01-02T03:00:00.123Z", "message": "x"}', 1767322800.123),
        ("2026-13-02 03:00:00 x", None),
        # in UTC before the first year and after the last
        ("0001-01-01T00:00:00+23:59 x", None),
        ("9999-12-31T23:59:59-23:59 x", None),
        ('{"@timestamp": "0001-01-01T00:00:00+23:59", "message": "x"}', None),
        ("0001-01-01T00:00:00Z x", -62135596800.0),
        ("9999-12-31T23:59:59Z x", 253402300799.0),
        ("report for the day of 2026-01-02 03:00:00 done", None),
        ("2026-01-02 x", None),
        ("", None),
    ],
)
def test_clock(text: str, expected: float | None) -> None:
    assert clock(text) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"@timestamp": "2026-01-02T03:00:00.5Z", "message": "ERROR x", "service.version": "r"},
            ("ERROR x", 1767322800.5, None, "r", ""),
        ),
        ({"log": {"level": "error"}, "message": "x"}, ("x", None, "error", "", "")),
        ({"log.level": "warn", "message": "x"}, ("x", None, "warning", "", "")),
        ({"levelname": "INFO", "msg": "x"}, ("x", None, "", "", "")),
        ({"level": 50, "msg": "x"}, ("x", None, None, "", "")),
        ({"level": "error", "event": "x", "exception": "E: y"}, ("x", None, "error", "", "E: y")),
        (
            {"level": "error", "error.type": "E", "error.message": "y"},
            ("y", None, "error", "", "E: y"),
        ),
        ({"message": ["no", "text"]}, ("", None, None, "", "")),
        ({"@timestamp": 12, "service": "shop", "message": "x"}, ("x", None, None, "", "")),
    ],
)
def test_objects(fields: dict[str, object], expected: tuple[object, ...]) -> None:
    line = read_line(json.dumps(fields))
    assert (line.text, line.at, line.level, line.release, line.trace) == expected


@pytest.mark.parametrize("text", ["{", "{]", "{'a': 1}", "[1]", "{" * 100_000])
def test_what_only_looks_like_an_object_is_text(text: str) -> None:
    assert read_line(text).text == text


def told(event: Event) -> tuple[str, str, str, str]:
    where = event.where.rpartition("/")[2]
    return (event.level, event.message, event.exception, where)


BANK = ("shop.bank.Declined: card 17", "bank.py:34 in pay")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello\nworld", []),
        ("ERROR a\nINFO b\nERROR c", [("error", "ERROR a", "", ""), ("error", "ERROR c", "", "")]),
        (TRACE, [("error", "", *BANK)]),
        (f"ERROR in buy\n{TRACE}", [("error", "ERROR in buy", *BANK)]),
        (f"WARNING in buy\n{TRACE}\nhello", [("warning", "WARNING in buy", *BANK)]),
        # an information has nothing to do with what comes after it
        (f"INFO start\n{TRACE}", [("error", "", *BANK)]),
        (f"ERROR a\nhello\n{TRACE}", [("error", "ERROR a", "", ""), ("error", "", *BANK)]),
        (CHAIN, [("error", "", "RuntimeError: gave up", "app.py:1 in <module>")]),
        (f"{TRACE}\n{TRACE}", [("error", "", *BANK)] * 2),
        (
            f"ERROR a\n{TRACE}\nERROR b\n{TRACE}",
            [("error", "ERROR a", *BANK), ("error", "ERROR b", *BANK)],
        ),
        (
            GROUP,
            [("error", "", "ExceptionGroup: two (2 sub-exceptions)", "app.py:3 in <module>")],
        ),
        # cut off by another line
        (
            "\n".join([*TRACE.split("\n")[:3], "2026-01-02 03:00:00 ERROR b"]),
            [
                ("error", "", "", "views.py:12 in buy"),
                ("error", "2026-01-02 03:00:00 ERROR b", "", ""),
            ],
        ),
        # what belongs to a line is no event of its own
        ("ERROR a\n  ERROR detail\n\tmore", [("error", "ERROR a", "", "")]),
        ("/a.py:1: UserWarning: x\n  warn(x)", [("warning", "/a.py:1: UserWarning: x", "", "")]),
        # each line an object, as the pivot writes them
        (
            "\n".join(json.dumps({"message": text}) for text in TRACE.split("\n")),
            [("error", "", *BANK)],
        ),
        # all in one object, as an app does that logs JSON
        (
            json.dumps({"level": "ERROR", "message": "in buy", "exc_info": TRACE}),
            [("error", "in buy", *BANK)],
        ),
        (
            json.dumps({"level": "ERROR", "message": f"in buy\n{TRACE}"}),
            [("error", "in buy", *BANK)],
        ),
    ],
)
def test_events(text: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert [told(event) for event in events(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02 03:00:00,123 ERROR shop: order 17 lost", "shop: order {number} lost"),
        (
            "[2026-01-02 03:00:00 +0000] [12] [ERROR] Error handling request /orders/17",
            "Error handling request /orders/{number}",
        ),
        ("ERROR:shop:took 12.5 s", "shop:took {number} s"),
        ("user 4c1d2f3a-0b1c-4d2e-8f3a-5b6c7d8e9f00 gone", "user {uuid} gone"),
        ("commit 3f2a9c01d4 is bad", "commit {hash} is bad"),
        ("<Task object at 0x7f12ab>", "<Task object at {address}>"),
        ("from 10.0.0.1 port 80", "from {ip} port {number}"),
        ("mail to joe@example.org", "mail to {email}"),
        ("utf8 x86_64 python3", "utf8 x86_64 python3"),
        ("until 2026-01-02T03:04:05Z only", "until {time} only"),
        (
            "2026/01/02 04:00:00 [error] 12#12: *3 connect() failed (111)",
            "connect() failed ({number})",
        ),
        ("a \t b", "a b"),
        ("ERROR", ""),
        ("", ""),
    ],
)
def test_normal(text: str, expected: str) -> None:
    assert normal(text) == expected


def test_groups() -> None:
    found = Events(10)
    for release, code in (("1.0-a", 1), ("2.0-b", 2)):
        for event in events(f"ERROR order {code}\n{TRACE.replace('1.0-aaaaaaaa', release)}"):
            found.add(group_of(event, "web-1", release, undated=code == 2))
    [group] = found.told()
    assert group["count"] == 2
    assert group["undated"] == 1
    assert group["message"] == "order {number}"
    assert group["exception"] == "shop.bank.Declined: card {number}"
    assert group["where"] == "venv/lib/python3.11/site-packages/shop/bank.py in pay"
    assert group["releases"] == {"1.0-a": 1, "2.0-b": 1}
    assert group["processes"] == {"web-1": 2}


def test_groups_stay_bounded_and_lose_nothing() -> None:
    found = Events(3)
    for number in range(100):
        for level in ("error", "warning"):
            word = chr(ord("a") + number // 26) + chr(ord("a") + number % 26)
            found.add(group_of(Event(level, f"rare {word}", 1.0, ""), "web-1", None, False))
            found.add(group_of(Event(level, "frequent", 1.0, ""), "web-1", None, False))
        assert len(found.groups) < 20
    told = found.told()
    counts = {(each["level"], each["message"]): each["count"] for each in told}
    assert len(told) == 8
    assert counts["error", "frequent"] == counts["warning", "frequent"] == 100
    assert sum(counts.values()) == 400
    assert counts["error", "(other)"] == 98


WANTED = Range(100.0, 200.0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (110.0, 120.0, [False]),  # between two that are in the range
        (10.0, 99.0, []),
        (200.0, 300.0, []),
        (10.0, 100.0, [True]),  # it may be
        (110.0, 300.0, [True]),
        (10.0, 300.0, [True]),
    ],
)
def test_a_line_without_a_time(before: float, after: float, expected: list[bool]) -> None:
    event = Event("error", "x", None, "")
    neighbours = Dated(WANTED, 0.0, 1e9)
    found = [*neighbours.time(before), *neighbours.event(event), *neighbours.time(after)]
    assert [undated for _event, undated in found] == expected
    # the files' ends do as well as lines
    alone = Dated(WANTED, before, after)
    assert [undated for _event, undated in [*alone.event(event), *alone.end()]] == expected


def test_few_events_wait_for_a_time() -> None:
    dated = Dated(WANTED, 110.0, 120.0)
    found = [each for _n in range(10_000) for each in dated.event(Event("error", "x", None, ""))]
    assert len(dated.waiting) < 3000
    assert len([*found, *dated.end()]) == 10_000
