# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For scenarios whose verifier says ``numprocesses``: a host's tests stay in one process and in their
order, and another host's go on beside them."""

import re

import pytest
from xdist.scheduler import LoadScopeScheduling


class HostScheduling(LoadScopeScheduling):
    def _split_scope(self, nodeid):
        # of a name as in test_it[ansible://shop-d12-parameter]
        host = re.search(r"ansible://\w+-\w+", nodeid)
        return host[0] if host else "controller"


@pytest.hookimpl
def pytest_xdist_make_scheduler(config, log):
    return HostScheduling(config, log)
