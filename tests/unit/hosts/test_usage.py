# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from hosts import usage

# as iptables 1.8 prints it
RULES = """\
Chain NETAVARK_FORWARD (1 references)
    pkts      bytes target     prot opt in     out     source               destination
    6559 306678674 ACCEPT     0    --  *      *       0.0.0.0/0            10.89.112.0/24       ctstate RELATED,ESTABLISHED
    3291   231995 ACCEPT     0    --  *      *       10.89.112.0/24       0.0.0.0/0
"""


def test_what_came_from_outside_is_counted() -> None:
    assert usage.incoming(RULES, "10.89.112.0/24") == 306678674


def test_another_fleet_is_not_counted() -> None:
    assert usage.incoming(RULES, "10.89.113.0/24") == 0
