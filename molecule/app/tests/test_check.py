# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on a host that has everything says that nothing would change."""

import os
import pathlib
import subprocess

testinfra_hosts = ["ansible://app-d12"]

SCENARIO = pathlib.Path(__file__).parents[1]
INVENTORY = os.environ["MOLECULE_PROJECT_DIRECTORY"] + "/build/hosts/molecule-app/inventory.yml"


def test_nothing_would_change(host):
    done = subprocess.run(
        ["ansible-playbook", "--check", "--diff", "--inventory", INVENTORY, "--limit", "app-d12",
         SCENARIO / "converge.yml"],
        capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert "changed=0 " in done.stdout, done.stdout[-8000:]
    assert "\nchanged: " not in done.stdout
