# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress

import pytest
from hosts import address
from hosts.errors import HostsError

SUBNET = ipaddress.IPv4Network("10.89.7.0/24")


def test_a_fleet_always_gets_the_same_subnet() -> None:
    assert address.choose_subnet("demo", []) == address.choose_subnet("demo", [])
    assert address.choose_subnet("demo", []).subnet_of(address.POOL)
    assert address.choose_subnet("demo", []) != address.choose_subnet("molecule-nginx", [])


@pytest.mark.parametrize("prefix", [24, 20])
def test_a_taken_subnet_is_passed_over(prefix: int) -> None:
    first = address.choose_subnet("demo", [])
    second = address.choose_subnet("demo", [first.supernet(new_prefix=prefix)])
    assert second.subnet_of(address.POOL)
    assert not second.overlaps(first.supernet(new_prefix=prefix))


def test_no_subnet_left() -> None:
    with pytest.raises(HostsError, match="every subnet of"):
        address.choose_subnet("demo", [address.POOL])


def test_addresses_follow_from_the_names_alone() -> None:
    forwards = address.assign(SUBNET, ["app1", "app2", "index1"])
    assert forwards == address.assign(SUBNET, ["index1", "app2", "app1"])
    assert forwards["app1"] == address.assign(SUBNET, ["app1"])["app1"]


def test_a_full_subnet_has_an_address_for_each_and_no_more() -> None:
    names = [f"host{number}" for number in range(245)]
    addresses = address.assign(SUBNET, names)
    assert len(set(addresses.values())) == len(names)
    assert min(addresses.values()) == SUBNET[10]
    assert max(addresses.values()) == SUBNET[254]
    with pytest.raises(HostsError, match="room for 245"):
        address.assign(SUBNET, [*names, "one-more"])


def test_mac_is_local_and_unicast() -> None:
    mac = address.mac(ipaddress.IPv4Address("10.89.7.10"))
    assert mac == "0a:59:0a:59:07:0a"
    assert int(mac[:2], 16) & 0b11 == 0b10
