# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which addresses hosts reach each other."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.filter.addresses import addresses, endpoint


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
