# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following logs: what a host sends, what is wanted of it, in which order it comes, what is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._console import follower
from ansible_collections.twelvefactor.deploy.plugins.module_utils._console.entries import (
    Entry,
    Merged,
    Reader,
    Wanted,
    shown,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._console.program import (
    command,
    modules_of,
    program,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._console.streams import Streams

NOW = 1_800_000_000.0
REQUEST = {
    "@timestamp": "2026-01-02T03:04:05.250Z",
    "event.duration": "12000000",
    "http.request.method": "GET",
    "url.original": "/orders?token=x",
    "http.response.status_code": 503,
    "service.version": "1.5.0-3f2a9c01",
}


def read(*lines: tuple[str, str], gap: float = 0.1) -> list[Entry]:
    reader = Reader("a")
    found = [
        reader.read(json.dumps([source, text, None]), NOW + gap * number)
        for number, (source, text) in enumerate(lines)
    ]
    assert None not in found
    return [entry for entry in found if entry]


# --- entries


def test_a_request() -> None:
    (entry,) = read(("access", json.dumps(REQUEST)))
    assert entry == Entry(
        "a",
        "access",
        1767323045.25,
        "503 GET /orders 12 ms 1.5.0-3f2a9c01",
        "error",
        503,
        "1.5.0-3f2a9c01",
    )


@pytest.mark.parametrize(
    ("text", "level", "release", "said"),
    [
        ("2026-01-02T03:04:05Z ERROR boom", "error", "", "2026-01-02T03:04:05Z ERROR boom"),
        (
            (
                '{"@timestamp": "2026-01-02T03:04:05Z", "log.level": "warning", "message": "slow",'
                ' "service.version": "1.5"}'
            ),
            "warning",
            "1.5",
            "slow",
        ),
    ],
)
def test_a_line_of_an_app(text: str, level: str, release: str, said: str) -> None:
    (entry,) = read(("web-1", text))
    assert (entry.at, entry.level, entry.release, entry.text) == (
        1767323045.0,
        level,
        release,
        said,
    )


def test_the_rest_of_a_traceback_belongs_to_its_error() -> None:
    first, second = read(("web-1", "2026-01-02T03:04:05Z ERROR boom"), ("web-1", "  File x"))
    assert (second.at, second.level) == (first.at, "error")
    _first, late = read(("web-1", "2026-01-02T03:04:05Z ERROR boom"), ("web-1", "hello"), gap=5)
    assert (late.at, late.level) == (NOW + 5, "")


@pytest.mark.parametrize("line", ["", "x", "[]", "[1, 2, 3]", '["a"]', "{}", "[" * 100_000])
def test_what_the_follower_did_not_write(line: str) -> None:
    assert Reader("a").read(line, NOW) is None


ENTRY = Entry("a", "web-1", NOW, "x", "warning", 0, "1.5.0-3f2a9c01")
ASKED = Entry("a", "access", NOW, "x", "", 404, "")


@pytest.mark.parametrize(
    ("wanted", "entry", "expected"),
    [
        (Wanted(), ENTRY, True),
        (Wanted(), None, False),
        (Wanted(process="web"), ENTRY, True),
        (Wanted(process="web-1"), ENTRY, True),
        (Wanted(process="web-2"), ENTRY, False),
        (Wanted(process="access"), ASKED, True),
        (Wanted(level="warning"), ENTRY, True),
        (Wanted(level="error"), ENTRY, False),
        (Wanted(level="warning"), ASKED, False),
        (Wanted(status="4xx"), ASKED, True),
        (Wanted(status="404"), ASKED, True),
        (Wanted(status="5xx"), ASKED, False),
        (Wanted(status="4xx"), ENTRY, False),
        (Wanted(release="1.5.0"), ENTRY, True),
        (Wanted(release="1.5.0"), ASKED, False),
    ],
)
def test_what_is_wanted(wanted: Wanted, entry: Entry | None, expected: bool) -> None:
    assert (entry in wanted) is expected


def test_lines_come_in_the_order_of_time() -> None:
    merged, early, late = Merged(hold=0.4), Entry("a", "w", 1.0, ""), Entry("b", "w", 2.0, "")
    merged.add(late, 10.0)
    assert list(merged.due(10.3)) == []
    merged.add(early, 10.35)
    # the earlier one of another host has not waited as long, and must not come after this one
    assert list(merged.due(10.4)) == [early, late]
    merged.add(early, 11.0)
    assert list(merged.rest()) == [early]


def test_no_line_acts_on_the_terminal() -> None:
    text = shown(Entry("a\x1b", "w\x9b", NOW, "x\x1b[2J\ny\u202e", "error"), 3, colour=True)
    first, second = text.split("\n")
    assert first.endswith("\x1b[31mx\\x1b[2J\x1b[0m")
    assert second.endswith("\x1b[31my\\u202e\x1b[0m")
    assert "a\\x1b" in first


# --- the follower


@pytest.fixture
def logs(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "web").write_text("")
    return tmp_path


def new(it: follower.Follower) -> list[tuple[str, str]]:
    it.listed = it.listed and 1e-9  # look at the names now
    return [(name, line.decode()) for name, line in it.new()]


def test_lines_are_followed_over_rotation_and_truncation(logs: pathlib.Path) -> None:
    log = logs / "shop" / "web-1.log"
    log.write_text("one\ntwo\nthree\npart")
    it = follower.Follower("shop", 2, logs, logs)
    assert new(it) == [("web-1", "two"), ("web-1", "three")]
    with log.open("a") as file:
        file.write("ial\nfour\n")
    assert new(it) == [("web-1", "partial"), ("web-1", "four")]
    log.rename(log.with_suffix(".log.1"))
    with log.with_suffix(".log.1").open("a") as file:
        file.write("five\n")
    log.write_text("six\n")
    assert new(it) + new(it) == [("web-1", "five"), ("web-1", "six")]
    log.write_text("7\n")
    assert new(it) == [("web-1", "7")]
    (logs / "shop" / "worker-1.log").write_text("new\n")
    (logs / "shop.access.log").write_text("asked\n")
    assert sorted(new(it)) == [("access", "asked"), ("worker-1", "new")]


def test_only_files_are_read(logs: pathlib.Path) -> None:
    (logs / "secret").write_text("secret\n")
    (logs / "shop" / "a.log").symlink_to(logs / "secret")
    os.mkfifo(logs / "shop" / "b.log")
    assert new(follower.Follower("shop", 9, logs, logs)) == []


def test_a_line_without_end_is_cut(logs: pathlib.Path) -> None:
    (logs / "shop" / "a.log").write_text("x" * (follower.LONGEST_LINE + 10))
    it = follower.Follower("shop", 0, logs, logs)
    it.listed = 1e-9
    assert len(new(it)) == 1


# --- what a host gets, and what is left there


def test_the_program_has_all_that_it_imports(tmp_path: pathlib.Path) -> None:
    assert modules_of("_console.follower")[-1] == "_console.follower"
    text = command("_console.follower", ["shop", "1", "stop", str(tmp_path), str(tmp_path)])
    # it is quoted again, by sudo's and by ssh's command line
    assert len(text) < 30_000
    assert text.count("'") == 2
    script = program("_console.follower").replace("if os.geteuid():", "if False:")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "web-1.log").write_text("one\n")
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, "shop", "1", "stop", str(tmp_path), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == ["web-1", "one", None]


def test_the_steps_of_a_switch_as_a_program(tmp_path: pathlib.Path) -> None:
    """With what it imports of other rooms."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", program("_processes.steps"), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == ""
    status = {
        "instance": "web-1",
        "pid": 1,
        "state": "gate",
        "release": "1",
        "child": 2,
        "hups": 0,
        "generation": 1,
    }
    for name, state in (("web-1", "drain"), ("web-2", "gate"), ("web-3", "serving")):
        text = json.dumps(status | {"instance": name, "state": state})
        (tmp_path / f"{name}.new").write_text(text)
        (tmp_path / f"{name}.new").rename(tmp_path / f"{name}.json")
    (tmp_path / "x-1.json").write_text("[" * 9000)
    (tmp_path / "y-1.json").symlink_to("web-1.json")
    seen = ""
    while seen != "gate":
        seen = json.loads(process.stdout.readline())
    process.stdin.close()
    assert process.wait(60) == 0


def started(*arguments: str) -> tuple[list[bytes], bytes]:
    return [word.encode() for word in arguments], b""


def taken(streams: Streams, count: int) -> list[tuple[str, str]]:
    found = []
    for each in streams.lines():
        if each:
            found.append(each)
        if len(found) == count:
            break
    return found


def test_lines_of_several_commands_and_how_they_end() -> None:
    streams = Streams(
        {
            "a": started("sh", "-c", "echo one; echo two"),
            "b": started("sh", "-c", "echo no >&2; exit 3"),
        }
    )
    assert [each for each in streams.lines() if each] == [("a", "one"), ("a", "two")]
    assert streams.ended == {"a": (0, ""), "b": (3, "no")}
    streams.stop()


def test_commands_end_when_their_input_does() -> None:
    streams = Streams(
        {
            "a": started("sh", "-c", "echo $$; cat"),
            "b": started("sh", "-c", "trap '' TERM HUP; echo $$; sleep 60"),
        }
    )
    numbers = [int(line) for _host, line in taken(streams, 2)]
    began = time.monotonic()
    streams.stop()
    assert time.monotonic() - began < 30
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_the_last_lines_are_those_of_the_journal_too(tmp_path: pathlib.Path) -> None:
    entry = {"SYSLOG_IDENTIFIER": "shop/web-1", "MESSAGE": "up", "__REALTIME_TIMESTAMP": "5000000"}
    journalctl = tmp_path / "journalctl"
    journalctl.write_text(
        f"#!/bin/sh\ncase $* in *--follow*) exit;; *--lines=3*_NAMESPACE=shop*) echo '{json.dumps(entry)}';; esac\n"
    )
    journalctl.chmod(0o700)
    script = program("_console.follower").replace("if os.geteuid():", "if False:")
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, "shop", "3", "stop", str(tmp_path), str(tmp_path)],
        check=True,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [["web-1", "up", 5.0]]


def test_a_follower_ends_with_its_input(tmp_path: pathlib.Path) -> None:
    script = program("_console.follower").replace("if os.geteuid():", "if False:")
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", script, "shop", "0", "follow", str(tmp_path), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0


def test_standard_error_that_stays_open_keeps_nobody() -> None:
    """As the master of a connection that ssh shares does it."""
    streams = Streams({"a": started("sh", "-c", "sleep 30 >/dev/null & echo one")})
    began = time.monotonic()
    assert [each for each in streams.lines() if each] == [("a", "one")]
    assert time.monotonic() - began < 20
    with contextlib.suppress(ProcessLookupError):
        streams.stop()
