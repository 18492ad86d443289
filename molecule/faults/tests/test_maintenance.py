# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of a maintenance: app hosts that run with what is new, and get their requests again."""


def balances(host):
    return host.backend.get_hostname() == "faults-proxy"


def test_the_supervisor_runs_with_its_new_limit(host):
    if not balances(host):
        unit = "circus@subject.service"
        assert "MemoryMax=600M" in host.check_output(f"systemctl cat {unit}")
        assert host.check_output(f"systemctl show --value --property=MemoryMax {unit}") == str(
            600 << 20
        )
        # It was started after the unit was written.
        started = host.check_output(
            f"systemctl --timestamp=us+utc show --value --property=ActiveEnterTimestamp {unit}"
        )
        newer = f"find /etc/systemd/system/{unit} -newermt '{started}'"
        assert host.check_output(newer) == ""


def test_it_gets_requests_again(host):
    assert host.check_output("find /var/lib/nginx -name 'maintenance-*'") == ""


def test_no_lock_is_left(host):
    assert not host.file("/var/lib/twelvefactor/locks/subject.json").exists
