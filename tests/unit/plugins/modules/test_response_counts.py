# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module response_counts: which requests it counts, and what it refuses."""

from __future__ import annotations

import gzip
import json
import pathlib
import time
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import responses
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.summary import Places
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import bucket
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import iso
from ansible_collections.twelvefactor.deploy.plugins.modules import response_counts

APP = "unix:/run/shop/web-1.sock"


@pytest.fixture
def call(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    (tmp_path / "nginx").mkdir()
    places = Places(tmp_path, tmp_path / "nginx", tmp_path)
    monkeypatch.setattr(response_counts, "PLACES", places)
    monkeypatch.setattr(response_counts.os, "nice", lambda _more: 0)

    def run(**params: Any) -> dict[str, Any]:
        with patch_module_args({"app": "shop", "since": "1h"} | params), pytest.raises(SystemExit):
            response_counts.main()
        return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]

    return run


def entry(
    ago: float, status: int = 200, path: str = "/buy", seconds: float = 0.0, upstream: str = APP
) -> str:
    fields = {
        "@timestamp": iso(time.time() - ago),
        "event.duration": round(seconds * 1e9),
        "http.request.method": "GET",
        "url.original": path,
        "http.response.status_code": status,
        "nginx.upstream.address": upstream,
    }
    return json.dumps(fields, separators=(",", ":")) + "\n"


@pytest.mark.parametrize(
    ("request_of", "requests", "errors"),
    [
        pytest.param({"status": 200}, 1, 0, id="an-answer"),
        pytest.param({"status": 404}, 1, 0, id="a-client-s-mistake"),
        pytest.param({"status": 500}, 1, 1, id="an-error"),
        pytest.param({"status": 502}, 1, 1, id="an-app-that-did-not-answer"),
        pytest.param({"status": 504, "upstream": f"{APP}, {APP}"}, 1, 1, id="tried-twice"),
        pytest.param({"status": 502, "upstream": "shop"}, 1, 1, id="no-process-left"),
        pytest.param({"status": 503, "upstream": ""}, 0, 0, id="a-limit-of-nginx"),
        pytest.param({"path": "/static/a.css", "upstream": ""}, 0, 0, id="a-file"),
        pytest.param({"path": "/healthz?by=balancer"}, 0, 0, id="a-health-check"),
        pytest.param({"status": 500, "path": "/healthz/more"}, 1, 1, id="not-a-health-check"),
        pytest.param({"status": 500, "ago": 5400}, 0, 0, id="before-the-range"),
        pytest.param({"status": 500, "seconds": 3000}, 0, 0, id="began-before-the-range"),
        pytest.param({"status": 500, "ago": 60}, 0, 0, id="after-the-range"),
        pytest.param(None, 0, 0, id="no-request"),
    ],
)
def test_what_counts(
    call: Any,
    tmp_path: pathlib.Path,
    request_of: dict[str, Any] | None,
    requests: int,
    errors: int,
) -> None:
    line = "garbage\n" if request_of is None else entry(**({"ago": 1800} | request_of))
    (tmp_path / "nginx" / "shop.access.log").write_text(line)
    found = call(since="1h", until="10m", ignored_paths=["/healthz"])
    assert (found["requests"], found["server_errors"]) == (requests, errors)
    assert found["changed"] is False
    assert found["incomplete"] == []


@pytest.mark.parametrize(
    ("release", "errors"), [("1.0-a", 1), ("2.0-b", 4), ("3.0-c", 0), (None, 5)]
)
def test_what_one_release_has_answered(
    call: Any, tmp_path: pathlib.Path, release: str | None, errors: int
) -> None:
    """2.0-b served from 900 to 600 seconds ago, and was put back; one answer each says what it is from."""
    moves = [(900, "deploy", "2.0-b", "1.0-a"), (600, "rollback", "1.0-a", "2.0-b")]
    records = [
        {"at": iso(time.time() - ago), "event": event, "release": new, "before": old,
         "outcome": "good", "seconds": 1.0, "durations": {"gate": 0.1, "switch": 0.1}}
        for ago, event, new, old in moves
    ]  # fmt: skip
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "releases.jsonl").write_text(
        "".join(json.dumps(r) + "\n" for r in records)
    )
    lines = [entry(1000, 200), entry(800, 500), entry(750, 502), entry(700, 500), entry(300, 500)]
    named = json.dumps(json.loads(entry(899.9, 500)) | {"service.version": "2.0-b"})
    lines.append(named.replace('": ', '":').replace(', "', ',"') + "\n")
    (tmp_path / "nginx" / "shop.access.log").write_text("".join(lines))
    assert call(release=release)["server_errors"] == errors


def test_no_log_yet(call: Any) -> None:
    found = call()
    assert (found["requests"], found["server_errors"], found["routes"]) == (0, 0, {})
    assert found["incomplete"] == []


def test_a_log_that_was_rotated_within_the_range(call: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "nginx" / "shop.access.log.1").write_text(entry(40, 500) + entry(35, 200))
    (tmp_path / "nginx" / "shop.access.log").write_text(entry(30, 200))
    packed = gzip.compress(entry(50, 500).encode())
    (tmp_path / "nginx" / "shop.access.log.2.gz").write_bytes(packed)
    found = call()
    assert (found["requests"], found["server_errors"]) == (4, 2)


@pytest.mark.parametrize(
    ("fields", "milliseconds"),
    [
        pytest.param({"nginx.upstream.header_seconds": "0.120"}, 120, id="an-answer"),
        pytest.param({"nginx.upstream.header_seconds": "0.100, 0.020"}, 120, id="tried-twice"),
        pytest.param({"nginx.upstream.header_seconds": "-, 0.020"}, 20, id="no-answer-then-one"),
        pytest.param({"nginx.upstream.header_seconds": "0.000"}, 0, id="less-than-one"),
        pytest.param({"event.duration": 120_000_000}, 120, id="a-log-that-does-not-say"),
        pytest.param({"nginx.upstream.header_seconds": "9" * 9 + ".000"}, 3_600_000, id="days"),
        pytest.param({"http.response.status_code": 101}, None, id="a-websocket"),
        pytest.param({"http.response.status_code": 504}, None, id="an-error"),
    ],
)
def test_how_long_the_app_took(
    call: Any, tmp_path: pathlib.Path, fields: dict[str, Any], milliseconds: int | None
) -> None:
    """Whatever a client needs to read the answer, which may be a stream."""
    line = json.dumps(json.loads(entry(30)) | {"event.duration": 900_000_000} | fields)
    line = line.replace('": ', '":').replace(', "', ',"')
    (tmp_path / "nginx" / "shop.access.log").write_text(line + "\n")
    found = call()
    expected = {} if milliseconds is None else {str(bucket(milliseconds)): 1}
    assert (found["requests"], found["latencies"]) == (1, expected)


def test_routes_have_no_query_and_are_few(
    call: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "MOST_ROUTES", 30)
    monkeypatch.setattr(responses, "ROUTES", 20)
    lines = [entry(30, 500, f"/orders/{number}?token=secret") for number in range(9)]
    lines += [
        entry(30, 500, f"/x{'abcdefghij'[n % 10]}{'abcdefghij'[n // 10]}") for n in range(100)
    ]
    (tmp_path / "nginx" / "shop.access.log").write_text("".join(lines))
    found = call()
    assert found["server_errors"] == 109
    assert len(found["routes"]) == 20
    assert len(found["route_requests"]) == 20
    assert next(iter(found["routes"].items())) == ("GET /orders/{number}", 9)
    assert "secret" not in json.dumps(found)


def test_how_often_a_route_was_asked(
    call: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most frequent, and those with errors, so that both sides of a comparison have them."""
    monkeypatch.setattr(responses, "ROUTES", 2)
    lines = [entry(30, 200, path) for path in ["/a"] * 5 + ["/b"] * 4 + ["/c"] * 3 + ["/d"]]
    lines += [entry(30, 500, path) for path in ["/c", "/d"]]
    (tmp_path / "nginx" / "shop.access.log").write_text("".join(lines))
    found = call()
    assert found["routes"] == {"GET /c": 1, "GET /d": 1}
    assert found["route_requests"] == {"GET /c": 4, "GET /d": 2, "GET /a": 5, "GET /b": 4}


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"since": "soon"}, "Invalid time since='soon': write 90m"),
        ({"app": "../etc"}, "Invalid app name '../etc': use only lower-case letters, digits"),
        ({"timeout": 0.5}, "timeout has to be at least 1, and is 0.5."),
    ],
)
def test_refused(call: Any, params: dict[str, Any], reason: str) -> None:
    found = call(**params)
    assert found["failed"] is True
    assert found["msg"].startswith(reason)
