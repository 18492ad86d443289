# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt is asked where one of nginx's packages is not installed, and nowhere else."""

from __future__ import annotations

import pytest
from unit.nginx.configuration import evaluate

PACKAGES = ["ca-certificates", "libnginx-mod-http-brotli-static", "logrotate", "nginx"]


@pytest.mark.parametrize(
    ("lines", "installed"),
    [
        pytest.param([f"installed {name}" for name in PACKAGES], True, id="all"),
        pytest.param([f"installed {name}" for name in PACKAGES[:3]], False, id="one missing"),
        pytest.param(
            [*(f"installed {name}" for name in PACKAGES[:3]), "config-files nginx"],
            False,
            id="one removed",
        ),
        pytest.param([], False, id="a virgin host"),
    ],
)
def test_installed(lines: list[str], installed: bool) -> None:
    assert evaluate("nginx", "{{ __nginx_packages }}") == PACKAGES
    build = {"rc": 0, "stderr": "", "stdout_lines": lines}
    assert evaluate("nginx", "{{ __nginx_is_installed }}", __nginx_build=build) is installed
