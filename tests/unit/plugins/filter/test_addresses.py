# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which addresses hosts reach each other."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.filter.addresses import (
    addresses,
    endpoint,
    resolved_address,
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.11", ["192.0.2.11"]),
        ("2001:db8::11", ["2001:db8::11"]),
        ("2001:DB8:0::11", ["2001:db8::11"]),
    ],
)
def test_an_address_stays(host: str, expected: list[str]) -> None:
    assert addresses(host) == expected


def test_a_name_is_resolved() -> None:
    found = addresses("localhost")
    assert found
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("host", ["www.example.invalid", "a" * 64 + ".example"])
def test_a_name_that_means_nothing(host: str) -> None:
    with pytest.raises(AnsibleFilterError, match="Set ansible_host of that host to its IP address"):
        addresses(host)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.11", "192.0.2.11:443"),
        ("2001:db8::11", "[2001:db8::11]:443"),
        ("app1.example.org", "app1.example.org:443"),
    ],
)
def test_endpoint(host: str, expected: str) -> None:
    assert endpoint(host, 443) == expected
    assert endpoint(host, "443") == expected


@pytest.mark.parametrize(
    ("answer", "ipv6", "address"),
    [
        ([], True, ""),
        ([], False, ""),
        (["192.0.2.11"], True, "192.0.2.11"),
        # the resolver's order of families
        (["2001:db8::11", "192.0.2.11"], True, "2001:db8::11"),
        (["192.0.2.11", "2001:db8::11"], True, "192.0.2.11"),
        (["2001:db8::11", "192.0.2.11"], False, "192.0.2.11"),
        (["2001:db8::11"], False, "2001:db8::11"),
        # round robin, and numbers are no texts
        (["192.0.2.100", "192.0.2.20"], True, "192.0.2.20"),
        (["192.0.2.20", "192.0.2.100"], True, "192.0.2.20"),
        (["2001:db8::100", "2001:db8::20", "192.0.2.11"], True, "2001:db8::20"),
    ],
)
def test_a_host_with_several_addresses_has_one(answer: list[str], ipv6: bool, address: str) -> None:
    kinds = [f"{each:<15} {kind}" for each in answer for kind in ("STREAM name", "DGRAM", "RAW")]
    assert resolved_address("\n".join(kinds), ipv6) == address
