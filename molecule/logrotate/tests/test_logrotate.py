# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the lines that were written while the log was rotated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

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
    answer = host.run("logrotate --debug /etc/logrotate.conf /etc/logrotate.instances/*")
    assert answer.rc == 0
    assert "error:" not in answer.stderr
    assert host.service("logrotate.timer").is_enabled


def test_it_looks_every_hour(host: Any) -> None:
    """And not once a day as well: the schedules of a timer add up."""
    told = host.check_output("systemctl show --property TimersCalendar logrotate.timer")
    assert told.count("OnCalendar=") == 1
    assert "OnCalendar=*-*-* *:00:00" in told
    assert host.service("logrotate.timer").is_running


# --- a user that keeps its own rotation from ending -------------------------------------------------

HOSTILE = "logrotate@hostile.service"
DUE = "logrotate state -- version 2\\n"
TRAPS = {
    "FIFO": "mkfifo {}",
    "sparse file": "truncate --size=8T {}",
}


def make_due(host: Any, user: str, state: str, log: str) -> None:
    host.check_output(f"mkdir -p {state.rpartition('/')[0]}")
    host.check_output(f"""printf '{DUE}"%s" 2020-1-1-0:0:0\\n' {log} > {state}""")
    host.check_output(f"chown --recursive {user}: {state.rpartition('/')[0]}")


def due_entry(host: Any, user: str) -> None:
    make_due(host, user, f"/var/lib/logrotate/entries/{user}/status", f"/var/log/{user}/web-1.log")


@pytest.fixture(params=TRAPS)
def trap(request: Any, host: Any) -> Iterator[str]:
    """hostile's log is due, and its newest old file is one that gzip does not get through."""
    host.check_output(
        "cd /var/log/hostile && rm -f -- * && echo line > web-1.log && "
        f"{TRAPS[request.param].format('web-1.log.1')} && chown hostile: *"
    )
    due_entry(host, "hostile")
    yield request.param
    host.run(f"systemctl stop {HOSTILE}; rm -f /var/log/hostile/*")


def test_no_log_waits_for_that_of_a_user_who_stops_rotation(host: Any, trap: str) -> None:
    host.check_output("rm -f /var/log/plain.log.*; echo line > /var/log/plain.log")
    host.check_output(
        f"rm -f {LOGS}/honest.log*; echo line > {LOGS}/honest.log; chown chatty: {LOGS}/honest.log"
    )
    make_due(host, "chatty", "/var/lib/logrotate/entries/chatty/status", f"{LOGS}/honest.log")
    host.check_output(
        """printf '"/var/log/plain.log" 2020-1-1-0:0:0\\n' > /root/due && """
        f"""(printf '{DUE}'; cat /root/due) > /var/lib/logrotate/status"""
    )
    host.check_output(f"systemctl start --no-block {HOSTILE}")
    if trap == "sparse file":
        host.check_output("timeout 20 sh -c 'until pgrep --uid hostile gzip; do sleep 0.1; done'")
    host.check_output("timeout 60 systemctl start logrotate.service")
    host.check_output("timeout 60 systemctl start logrotate@chatty.service")
    assert host.file("/var/log/plain.log.1").content_string == "line\n"
    assert host.file(f"{LOGS}/honest.log.1").content_string == "line\n"


def test_the_timer_starts_it_too(host: Any) -> None:
    wanted = host.check_output("systemctl show --property=Wants logrotate.service")
    assert {"logrotate@chatty.service", HOSTILE} <= set(wanted.removeprefix("Wants=").split())


@pytest.mark.parametrize(
    ("unit", "timeout"),
    [("logrotate.service", "30min"), ("logrotate@chatty.service", "10min"), (HOSTILE, "10min")],
)
def test_it_may_take_so_long(host: Any, unit: str, timeout: str) -> None:
    told = host.check_output(f"systemctl show --property=TimeoutStartUSec {unit}")
    assert told == f"TimeoutStartUSec={timeout}"


@pytest.mark.parametrize("trap", ["sparse file"], indirect=True)
@pytest.mark.usefixtures("trap")
def test_it_is_ended_with_a_gzip_that_was_stopped(host: Any) -> None:
    drop_in = f"/run/systemd/system/{HOSTILE}.d"
    host.check_output(
        f"mkdir -p {drop_in} && printf '[Service]\\nTimeoutStartSec=3\\n' > {drop_in}/short.conf && "
        "systemctl daemon-reload"
    )
    try:
        host.check_output(f"systemctl start --no-block {HOSTILE}")
        host.check_output(
            "timeout 20 sh -c 'until pkill --uid hostile -STOP gzip; do sleep 0.1; done'"
        )
        assert host.check_output("ps -C logrotate,gzip -o user= | sort -u") == "hostile"
        host.check_output(
            f"timeout 60 sh -c 'while systemctl is-active {HOSTILE} | grep activating; do sleep 0.2; done'"
        )
        told = host.check_output(f"systemctl show --property=Result {HOSTILE}")
        assert told == "Result=timeout"
        assert host.run("pgrep --uid hostile").rc == 1
    finally:
        host.run(f"rm -r {drop_in}; systemctl daemon-reload; systemctl reset-failed {HOSTILE}")


def test_an_entry_has_moved_to_its_service(host: Any) -> None:
    assert not host.file("/etc/logrotate.d/hostile").exists
    assert host.file("/etc/logrotate.instances/hostile").exists
