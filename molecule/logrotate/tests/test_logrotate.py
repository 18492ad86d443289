# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the lines that were written while the log was rotated."""

from __future__ import annotations

from typing import Any

LOGS = "/var/log/chatty"


def test_no_line_is_lost_or_repeated(host: Any) -> None:
    written = int(host.file(f"{LOGS}/writer.count").content_string)
    lines = host.check_output(f"zcat --force {LOGS}/web-1.log* | sort -n | uniq | wc -l")
    total = host.check_output(f"zcat --force {LOGS}/web-1.log* | wc -l")
    print(f"{written} lines written while they were rotated, {lines} found")
    assert written > 10_000
    assert int(lines) == int(total) == written


def test_old_files_are_compressed_but_the_newest(host: Any) -> None:
    names = set(host.file(LOGS).listdir())
    assert {"web-1.log", "web-1.log.1", "web-1.log.2.gz", "web-1.log.5.gz"} <= names
    # It would be logrotate's answer to a writer that was faster than its `create`.
    assert not [name for name in names if name.endswith(".backup")]


def test_the_writer_is_told(host: Any) -> None:
    host.check_output("sh -c 'echo line | tee /var/log/plain.log > /var/log/plain-too.log'")
    host.check_output("logrotate --force /etc/logrotate.d/plain")
    assert host.file("/run/plain.rotated").exists
    assert host.file("/run/plain.told").exists
    assert host.file("/var/log/plain-too.log.1").content_string == "line\n"
    created = host.file("/var/log/plain-too.log")
    assert (created.user, created.group, created.mode) == ("root", "adm", 0o640)


def test_an_absent_entry_is_gone(host: Any) -> None:
    assert not host.file("/etc/logrotate.d/former").exists


def test_everything_together_is_valid(host: Any) -> None:
    answer = host.run("logrotate --debug /etc/logrotate.conf")
    assert answer.rc == 0
    assert "error:" not in answer.stderr
    assert host.service("logrotate.timer").is_enabled


def test_it_looks_every_hour(host: Any) -> None:
    """And not once a day as well: the schedules of a timer add up."""
    told = host.check_output("systemctl show --property TimersCalendar logrotate.timer")
    assert told.count("OnCalendar=") == 1
    assert "OnCalendar=*-*-* *:00:00" in told
    assert host.service("logrotate.timer").is_running
