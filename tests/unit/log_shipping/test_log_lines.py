# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shipper decides of lines and answers."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from log_lines import document, expired, index_day, line_id, split, verdict

NOON = datetime.datetime(2026, 3, 5, 12, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("data", "limit", "final", "lines"),
    [
        pytest.param(b"", 10, False, [], id="nothing"),
        pytest.param(b"a\nb\n", 10, False, [b"a\n", b"b\n"], id="lines"),
        pytest.param(b"a\nb", 10, False, [b"a\n"], id="a line that is being written"),
        pytest.param(b"a\nb", 10, True, [b"a\n", b"b"], id="a line that never was finished"),
        pytest.param(b"\n\n", 10, False, [b"\n", b"\n"], id="empty lines"),
        pytest.param(b"abcdefg\n", 3, False, [b"abc", b"def", b"g\n"], id="too long"),
        pytest.param(b"abcdef", 3, False, [b"abc", b"def"], id="too long, without an end yet"),
        pytest.param(b"ab\n", 3, False, [b"ab\n"], id="just as long"),
    ],
)
def test_lines(data: bytes, limit: int, final: bool, lines: list[bytes]) -> None:
    assert list(split(data, limit, final)) == lines


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_lines_are_the_same_wherever_reading_begins_anew(limit: int) -> None:
    """A shipper that is killed reads on at the end of any of them."""
    data = b"one\n\ntwo and three\nfour"
    whole = list(split(data, limit, True))
    assert b"".join(whole) == data
    at = 0
    for number, line in enumerate(whole):
        assert list(split(data[at:], limit, True)) == whole[number:]
        at += len(line)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"hello\n", {"message": "hello"}, id="text"),
        pytest.param(b"x\xe9\r\n", {"message": "x\\xe9"}, id="not UTF-8"),
        pytest.param(b'{"a": 1}\n', {"a": 1}, id="an object"),
        pytest.param(b'{"a": 1\n', {"message": '{"a": 1'}, id="half an object"),
        pytest.param(b"[1]\n", {"message": "[1]"}, id="no object"),
        pytest.param(b'{"a": NaN}\n', {"a": "NaN"}, id="a number that JSON has not"),
        pytest.param(b'{"a": 1e999}\n', {"message": '{"a": 1e999}'}, id="too much for a number"),
        pytest.param(b'{"a":' * 9999 + b"\n", {"message": '{"a":' * 9999}, id="too deep"),
        pytest.param(b'{"f": "own"}\n', {"f": "own"}, id="its own word comes first"),
        pytest.param(
            b'{"@timestamp": "2026-01-01T00:00:00Z"}\n',
            {"@timestamp": "2026-01-01T00:00:00Z"},
            id="its own time",
        ),
        pytest.param(
            b"2026-01-02 03:04:05,678+01:00 ERROR x",
            {
                "@timestamp": "2026-01-02T03:04:05.678+01:00",
                "message": "2026-01-02 03:04:05,678+01:00 ERROR x",
            },
            id="a time in front of a text",
        ),
        pytest.param(
            b"2026-13-02 03:04:05 x", {"message": "2026-13-02 03:04:05 x"}, id="no time at all"
        ),
        pytest.param(
            b"0001-01-01 00:00:00+23:59", {"message": "0001-01-01 00:00:00+23:59"}, id="no year"
        ),
    ],
)
def test_document(raw: bytes, expected: dict[str, Any]) -> None:
    stored, timestamp = document(raw, {"f": "given"}, NOON)
    found = json.loads(stored)
    assert timestamp == found["@timestamp"]
    wanted = {"f": "given", "@timestamp": "2026-03-05T12:00:00.000+00:00"} | expected
    moment, wanted_moment = (
        datetime.datetime.fromisoformat(d.pop("@timestamp")) for d in (found, wanted)
    )
    assert (found, moment) == (wanted, wanted_moment)


def nested(levels: int) -> bytes:
    """An object in which so many lie in each other, itself among them."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(nested(64), False, id="deep"),
        pytest.param(nested(65), True, id="too deep"),
        pytest.param(nested(989), True, id="almost too deep for 3.11"),
        pytest.param(nested(9997), True, id="almost too deep for 3.13"),
        pytest.param(nested(100_000), True, id="too deep for all"),
        pytest.param(b'{"a": "' + b"[{" * 999 + b'"}', False, id="brackets in a text"),
        pytest.param(b'{"a\\"": "' + b'\\"[' * 99 + b'"}', False, id="quotes in a text"),
        pytest.param(b'{"a": "' + b'\\"' * 120_000, True, id="a text without an end"),
        pytest.param(b'{"a": ' + b"9" * 4300 + b"}", False, id="many digits"),
        pytest.param(b'{"a": ' + b"9" * 4301 + b"}", True, id="too many digits"),
        pytest.param(b'{"a": -Infinity, "b": NaN}', False, id="infinity"),
        pytest.param(b'{"a": "\\ud800"}', False, id="half a character"),
        pytest.param(b'{"\\udfff": "\\u0000"}', False, id="half a character in a name, and NUL"),
        pytest.param(b'{"a": "\0"}', True, id="NUL"),
        pytest.param(b"\xff\0{", True, id="bytes"),
        pytest.param(b'{"@timestamp": {"a": [1e400]}}', True, id="a time that is none"),
        pytest.param(b'{"@timestamp": 5}', False, id="a time that is a number"),
    ],
)  # fmt: skip
def test_whatever_a_line_holds_it_is_json(raw: bytes, message: bool) -> None:
    """And no brackets are read one in the other so often that a reader may give up."""
    stored, timestamp = document(raw, {}, NOON, {"event.id": "1"})
    found = json.loads(stored)
    assert b"\n" not in stored
    assert ("message" in found) is message
    assert found["event.id"] == "1"
    index_day(timestamp, NOON, 7)


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ({"service.name": "bank"}, {}),
        ({"service": {"name": "bank", "version": "1"}}, {"service": {"version": "1"}}),
        ({"service": [{"name": "bank"}, [{"name": "bank"}], 1]}, {"service": [{}, [{}], 1]}),
        ({"log.file": {"path": "/x", "line": 1}}, {"log.file": {"line": 1}}),
        ({"log": {"file.path": "/x"}}, {"log": {}}),
        ({"log": {"file": {"path": "/x"}}}, {"log": {"file": {}}}),
        ({"name": "x", "labels": {"service.name": "x"}}, {"name": "x", "labels": {"service.name": "x"}}),
        ({"client.ip": "192.0.2.1", "service.named": 1}, {"client.ip": "192.0.2.1", "service.named": 1}),
    ],
)  # fmt: skip
def test_what_a_line_cannot_say(own: dict[str, Any], left: dict[str, Any]) -> None:
    fixed = {"service.name": "shop", "log.file.path": "/var/log/shop/web-1.log"}
    when = {"@timestamp": "2026-01-01T00:00:00Z"}
    stored, _timestamp = document(json.dumps(own | when).encode(), fixed, NOON, fixed)
    assert json.loads(stored) == left | when | fixed


@pytest.mark.parametrize(
    ("own", "stored"),
    [
        ({"client.ip": "192.0.2.1", "a": 1}, {"app_claims": {"client_ip": "192.0.2.1"}, "a": 1}),
        ({"client": {"ip": "192.0.2.1", "port": 7}}, {"app_claims": {"client_ip": "192.0.2.1"}, "client": {"port": 7}}),
        ({"service": {"name": "bank"}}, {"app_claims": {"service_name": "bank"}, "service": {}}),
        ({"service.name": "shop"}, {}),
        ({"service.name": ["bank"]}, {"app_claims": {"service_name": '["bank"]'}}),
        ({"service.name": "x" * 999}, {"app_claims": {"service_name": "x" * 256}}),
        ({"app_claims": 7}, {}),
        ({"app_claims.client_ip": {}, "app_claims": 7}, {}),
    ],
)  # fmt: skip
def test_what_a_line_claims_lies_apart(own: dict[str, Any], stored: dict[str, Any]) -> None:
    fixed = {"service.name": "shop"}
    when = {"@timestamp": "2026-01-01T00:00:00Z"}
    line = json.dumps(own | when).encode()
    found, _timestamp = document(line, fixed, NOON, fixed, ("service.name", "client.ip"))
    assert json.loads(found) == stored | when | fixed


@pytest.mark.parametrize(
    ("timestamp", "day"),
    [
        ("2026-03-05T00:00:00Z", "2026.03.05"),
        ("2026-03-05T00:30:00.5+01:00", "2026.03.04"),
        ("2026-03-06T11:00:00Z", "2026.03.06"),
        ("2026-02-26T11:00:00Z", "2026.02.26"),
        ("2026-02-25T11:00:00Z", "2026.03.05"),  # older than what is kept
        ("2036-03-05T00:00:00Z", "2026.03.05"),
        ("1772712000000", "2026.03.05"),
        ("never", "2026.03.05"),
    ],
)
def test_index_day(timestamp: str, day: str) -> None:
    assert index_day(timestamp, NOON, 7) == day


def test_ids_tell_lines_apart() -> None:
    one = ("a", "1 2026-01-01 0", 0, b"x\n")
    others = [
        ("b", *one[1:]),
        ("a", "1 2026-01-01 1", 0, b"x\n"),
        ("a", "2 2026-01-01 0", 0, b"x\n"),
    ]
    others += [(*one[:2], 2, b"x\n"), (*one[:3], b"y\n")]
    assert line_id(*one) == line_id(*one)
    assert len({line_id(*one), *(line_id(*other) for other in others)}) == 6


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (201, None, "done"),
        (200, None, "done"),
        (409, "version_conflict_engine_exception", "done"),
        (400, "document_parsing_exception", "dead"),
        (400, "mapper_parsing_exception", "dead"),
        (400, "illegal_argument_exception", "dead"),
        (413, None, "dead"),
        (400, "validation_exception", "again"),  # no more shards in the cluster
        (400, "index_closed_exception", "again"),
        (403, "cluster_block_exception", "again"),
        (404, "index_not_found_exception", "again"),
        (429, "es_rejected_execution_exception", "again"),
        (429, "cluster_block_exception", "again"),
        (500, "a_type_of_tomorrow", "again"),
        (503, "unavailable_shards_exception", "again"),
    ],
)
def test_verdict(status: int, kind: str | None, expected: str) -> None:
    assert verdict(status, {"type": kind} if kind else None) == expected


def test_expired() -> None:
    names = [
        "l-2026.03.05",
        "l-2026.02.26",
        "l-2026.02.25",
        "l-x-2020.01.01",
        "xl-2020.01.01",
        "l-2020.13.01",
    ]
    today = datetime.date(2026, 3, 5)
    assert expired(names, "l", today, 7) == ["l-2026.02.25"]
    assert expired(names, "l", today, 6) == ["l-2026.02.25", "l-2026.02.26"]
    assert expired(["l.2020.01.01", "l-2020.01.01"], "l", today, 6) == ["l-2020.01.01"]
