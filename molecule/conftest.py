# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several scenarios ask, and how they are run whose verifier says ``numprocesses``: a host's tests
stay in one process and in their order, and another host's go on beside them."""

import re

import pytest
from xdist.scheduler import LoadScopeScheduling


class HostScheduling(LoadScopeScheduling):
    def _split_scope(self, nodeid):
        # of a name as in test_it[ansible://shop-d12-parameter]
        host = re.search(r"ansible://\w+-\w+", nodeid)
        return host[0] if host else "controller"


@pytest.fixture(scope="session")
def exposure():
    """How much a unit's sandbox leaves open, as systemd-analyze sees it: 0.0, nothing, to 10.0."""

    def score(host, unit):
        said = host.check_output(f"systemd-analyze security --no-pager {unit} | tail --lines=1")
        return float(re.search(r": (\d+\.\d+) ", said)[1])

    return score


@pytest.hookimpl
def pytest_xdist_make_scheduler(config, log):
    return HostScheduling(config, log)
