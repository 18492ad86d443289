# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left after all that side_effect.yml has tried."""

import pytest


@pytest.mark.parametrize(
    ("path", "owner", "group", "mode"),
    [
        ("/etc/echo", "root", "echo", 0o750),
        ("/etc/echo/config.json", "root", "echo", 0o640),
        ("/etc/echo/password", "echo", "root", 0o400),
        ("/etc/systemd/system/echo.service", "root", "root", 0o644),
        ("/etc/systemd/system/echo.service.d", "root", "root", 0o755),
        ("/var/lib/twelvefactor/daemons", "root", "root", 0o700),
    ],
)
def test_owners_and_modes(host, path, owner, group, mode):
    found = host.file(path)
    assert (found.user, found.group, found.mode) == (owner, group, mode)


def test_the_last_change_serves(host):
    assert host.check_output("bash -c 'cat < /dev/tcp/127.0.0.1/8300'") == "three"


@pytest.mark.parametrize("unit", ["echo.service", "echo-job.timer"])
def test_units_are_started_and_enabled(host, unit):
    shown = host.check_output(
        f"systemctl show --value -p ActiveState,UnitFileState,NeedDaemonReload {unit}"
    )
    assert set(shown.split()) == {"active", "enabled", "no"}


def test_the_new_schedule_counts(host):
    shown = host.check_output("systemctl show --value -p NextElapseUSecRealtime echo-job.timer")
    assert " 03:00:00 " in shown


def test_the_dropin_counts(host):
    assert host.check_output("systemctl show --value -p MemoryMax echo.service") == str(64 << 20)


def test_nothing_is_left_of_what_failed(host):
    assert host.check_output("ls -A /etc/echo").split() == ["config.json", "password"]
    assert host.check_output("ls -A /var/lib/twelvefactor/daemons/echo") == "manifest.json"


def test_nothing_is_left_of_what_was_removed(host):
    assert host.check_output("find /etc /var/lib/twelvefactor -name '*short-lived*'") == ""
    kinds = "--type=service,socket,timer,path"  # the slice of instances stays as long as systemd knows it
    assert "short-lived" not in host.check_output(f"systemctl list-units --all --no-legend {kinds}")
