# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which subnet a fleet gets and which address each of its hosts: the same ones every time.

Both follow from the names, so that an inventory, a browser tab or a certificate made yesterday
still fits the fleet of today.
"""

from __future__ import annotations

import collections.abc
import hashlib
import ipaddress

from .errors import HostsError

POOL = ipaddress.IPv4Network("10.89.0.0/16")
PREFIX = 24
FIRST_HOST = 10  # below are the gateway and room for the user


def _number(name: str, below: int) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % below


def choose_subnet(
    fleet: str, taken: collections.abc.Iterable[ipaddress.IPv4Network]
) -> ipaddress.IPv4Network:
    """The subnet that `fleet` always gets, or the next one that overlaps nothing in `taken`."""
    taken = list(taken)
    subnets = list(POOL.subnets(new_prefix=PREFIX))
    start = _number(fleet, len(subnets))
    for subnet in subnets[start:] + subnets[:start]:
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise HostsError(f"every subnet of {POOL} is in use: `tests/hosts/hosts down` a fleet")


def assign(
    subnet: ipaddress.IPv4Network, names: collections.abc.Iterable[str]
) -> dict[str, ipaddress.IPv4Address]:
    """The address of each name; the order of the names does not matter."""
    room = range(FIRST_HOST, subnet.num_addresses - 1)
    numbers: dict[int, str] = {}
    for name in sorted(names):
        start = _number(name, len(room))
        number = next((n for n in (*room[start:], *room[:start]) if n not in numbers), None)
        if number is None:
            raise HostsError(f"a fleet has room for {len(room)} hosts")
        numbers[number] = name
    return {name: subnet[number] for number, name in numbers.items()}


def mac(address: ipaddress.IPv4Address) -> str:
    """A locally administered MAC per address, so that no neighbour cache is ever wrong."""
    return ":".join(f"{byte:02x}" for byte in b"\x0a\x59" + address.packed)
