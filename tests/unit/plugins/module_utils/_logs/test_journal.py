# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What journalctl says; the scenario ``logs`` asks the real one."""

from __future__ import annotations

import json
import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.files import (
    Deadline,
    LogError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.journal import (
    entries,
    parse_entry,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import Range

WANTED = Range(100.0, 200.0)


def entry(message: object = "a line", name: object = "shop/web-1", at: object = "150500000") -> str:
    fields = {"MESSAGE": message, "SYSLOG_IDENTIFIER": name, "__REALTIME_TIMESTAMP": at}
    return json.dumps({key: value for key, value in fields.items() if value is not None})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(entry(), ("web-1", "a line", 150.5), id="line"),
        pytest.param(entry([104, 195, 40]), ("web-1", "h\ufffd(", 150.5), id="bytes"),
        pytest.param(
            entry(name="shop/nightly-report"), ("nightly-report", "a line", 150.5), id="job"
        ),
        pytest.param(entry(name="circusd"), None, id="circusd"),
        pytest.param(entry(name="shop/"), None, id="no-process"),
        pytest.param(entry(name="other/web-1"), None, id="another-app"),
        pytest.param(entry(name=None), None, id="no-name"),
        pytest.param(entry(message=None), None, id="no-message"),
        pytest.param(entry(message=""), None, id="empty"),
        pytest.param(entry(at="soon"), None, id="no-time"),
        pytest.param("[]", None, id="no-object"),
        pytest.param("-- No entries --", None, id="no-json"),
    ],
)
def test_one_entry(line: str, expected: object) -> None:
    assert parse_entry(line.encode(), "shop") == expected


def install(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\necho $* > {tmp_path}/asked\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_entries_of_the_range(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "\n".join([entry("early", at="99999999"), entry(), entry("late", at="200000000")])
    install(tmp_path, monkeypatch, f"cat <<'END'\n{lines}\nEND")
    assert list(entries("shop", WANTED, Deadline(60))) == [("web-1", "a line", 150.5)]
    asked = (tmp_path / "asked").read_text().split()
    assert {"--since=@100.000000", "--until=@200.000000"} < set(asked)
    # all of its own journal, in which its jobs write, too
    assert asked[-4:] == [
        "--namespace=+shop", "_NAMESPACE=shop", "+", "_SYSTEMD_UNIT=circus@shop.service",
    ]  # fmt: skip


def test_a_journalctl_that_fails(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, f"echo '{entry()}'; echo 'no permission' >&2; exit 1")
    found = entries("shop", WANTED, Deadline(60))
    assert next(found) == ("web-1", "a line", 150.5)
    with pytest.raises(LogError, match=r"circus@shop.service: journalctl ended with no permission"):
        next(found)


def test_a_journal_without_end(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, f"while :; do echo '{entry()}'; done")
    with pytest.raises(LogError, match="not read to its end"):
        list(entries("shop", WANTED, Deadline(0.3)))


def test_a_host_without_journald(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(entries("shop", WANTED, Deadline(60))) == []


def test_a_journalctl_that_says_nothing_is_not_waited_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "exec sleep 600")
    with pytest.raises(LogError, match=r"0\.3 s are over"):
        list(entries("shop", WANTED, Deadline(0.3)))


def test_an_entry_that_is_too_large_is_passed_over(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = f"head -c {3 << 20} /dev/zero | tr '\\0' x; echo"
    install(tmp_path, monkeypatch, f"echo '{entry()}'; {large}; echo '{entry('next')}'")
    found = [text for _name, text, _at in entries("shop", WANTED, Deadline(60))]
    assert found == ["a line", "next"]


def test_an_entry_that_is_nested_too_deeply_is_passed_over() -> None:
    assert parse_entry(b"[" * 100_000, "shop") is None
