# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
import pathlib

import pytest
from hosts import fleet, host
from hosts.errors import HostsError


def test_checkouts_do_not_share_names(tmp_path: pathlib.Path) -> None:
    one, other = fleet.Fleet("demo", tmp_path / "one"), fleet.Fleet("demo", tmp_path / "other")
    app = host.parse("app1=debian12")
    assert one.network != other.network
    assert one.container(app) != other.container(app)
    assert one.container(app).startswith("demo-app1-")


@pytest.mark.parametrize(
    "specs", [pytest.param([], id="none"), pytest.param(["a=debian12", "a=debian13"], id="twice")]
)
def test_a_fleet_needs_hosts_with_a_name_each(specs: list[str], tmp_path: pathlib.Path) -> None:
    hosts = [host.parse(spec) for spec in specs]
    with pytest.raises(HostsError, match="needs hosts with a name each"):
        fleet.up(fleet.Fleet("demo", tmp_path), hosts, mtu=1500)


@pytest.mark.parametrize("name", ["", "../demo", "Demo", "-demo", "de mo"])
def test_bad_name_of_a_fleet(name: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(HostsError, match="is no name of a fleet"):
        fleet.Fleet(name, tmp_path)


def test_a_host_that_goes_down_while_it_is_started_is_started_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`podman start` does nothing for a container that still runs."""
    # what systemd says at each look: it is gone after the second
    states = iter(["stopping", "", "starting", "running"])
    started: list[str] = []

    def attempt(*argv: str) -> tuple[int, str, str]:
        if argv[:2] == ("podman", "start"):
            started.append(argv[2])
        return 0, next(states) if "is-system-running" in argv else "", ""

    monkeypatch.setattr(fleet, "attempt", attempt)
    monkeypatch.setattr(fleet, "run", lambda *_argv: "ssh-ed25519 AAAA root")
    monkeypatch.setattr(fleet, "ssh_answers", lambda _ip: True)
    demo, app = fleet.Fleet("demo", tmp_path), host.parse("app1=debian12")
    fleet.wait(demo, app, ipaddress.IPv4Address("10.89.0.2"), new=False)
    assert started == [demo.container(app)] * 4
