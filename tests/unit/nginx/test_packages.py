# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt is asked where one of nginx's packages is not installed, and nowhere else."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest
import yaml
from unit.nginx.configuration import evaluate

BUILD = pathlib.Path(__file__).resolve().parents[3] / "roles/nginx/tasks/build.yml"
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
        pytest.param(
            [*(f"installed {name}" for name in PACKAGES), "automatic nginx"],
            False,
            id="one that another package brought",
        ),
        pytest.param(
            [*(f"installed {name}" for name in PACKAGES), "automatic other"], True, id="another"
        ),
        pytest.param([], False, id="a virgin host"),
    ],
)
def test_installed(lines: list[str], installed: bool) -> None:
    assert evaluate("nginx", "{{ __nginx_packages }}") == PACKAGES
    build = {"rc": 0, "stderr": "", "stdout_lines": lines}
    assert evaluate("nginx", "{{ __nginx_is_installed }}", __nginx_build=build) is installed


STATES = """\
Package: nginx
Architecture: amd64
Auto-Installed: 1

Package: logrotate
Auto-Installed: 0

Package: nginx-common
Auto-Installed: 1
"""


def test_what_apt_may_remove_again(tmp_path: pathlib.Path) -> None:
    (tmp_path / "states").write_text(STATES)
    [task] = yaml.safe_load(BUILD.read_text("utf-8"))
    whole = evaluate("nginx", task["ansible.builtin.shell"])
    command = whole[whole.index("awk") : whole.index("/usr/sbin/nginx")]
    assert "/var/lib/apt/extended_states" in command
    command = command.replace("/var/lib/apt/extended_states", str(tmp_path / "states"))
    assert subprocess.check_output(["/bin/sh", "-c", command], text=True) == "automatic nginx\n"


INSTALLED = [f"installed {name}" for name in PACKAGES]


@pytest.mark.parametrize(
    ("build", "failed"),
    [
        pytest.param({"rc": 0, "stdout_lines": INSTALLED}, False, id="installed"),
        pytest.param({"rc": 127, "stdout_lines": []}, False, id="a virgin host"),
        pytest.param({"rc": 0, "stdout_lines": []}, False, id="not all packages"),
        pytest.param({"rc": 127, "stdout_lines": INSTALLED}, True, id="it does not run"),
        pytest.param({"msg": "no python"}, True, id="the module did not run"),
    ],
)
def test_build_options_that_nobody_could_read(build: dict[str, Any], failed: bool) -> None:
    """They would count as none, and HTTP/3 and the post-quantum key exchange go."""
    [task] = yaml.safe_load(BUILD.read_text("utf-8"))
    condition = "{{ " + str(task["failed_when"]) + " }}"
    assert evaluate("nginx", condition, __nginx_build=build) is failed
    # whatever the PATH of who logs in is
    assert "\n/usr/sbin/nginx -V" in task["ansible.builtin.shell"]
