# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sites get a certificate of the host's own CA."""

from __future__ import annotations

from unit.nginx.configuration import evaluate

SITES = [
    {"name": "shop", "domains": ["shop.test", "www.shop.test"], "addresses": ["192.0.2.1"]},
    {"name": "given", "domains": ["given.test"], "certificate": "PEM", "certificate_key": "PEM"},
    {"name": "ordered", "domains": ["ordered.test"], "acme": True},
    {"name": "issued", "domains": ["issued.test"], "acme": True},
]


def test_those_without_one_and_those_whose_order_is_not_through() -> None:
    issued = {"files": [{"path": "/etc/letsencrypt/live/sites@issued-0123456789ab"}]}
    wanted = evaluate(
        "nginx", "{{ __nginx_self_signed }}", nginx_sites=SITES, __nginx_issued=issued
    )
    assert wanted == [
        {
            "name": "shop",
            "alternative_names": ["DNS:shop.test", "DNS:www.shop.test", "IP:192.0.2.1"],
            "trust": True,
        },
        {"name": "ordered", "alternative_names": ["DNS:ordered.test"], "trust": False},
    ]
