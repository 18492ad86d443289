# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that asks devpi itself does so at the socket that the role has it listen on."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import CONNECTION

ROOT = pathlib.Path(__file__).resolve().parents[3]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


SOCKET = read("roles/devpi/vars/main.yml")["__devpi_socket"]


@pytest.mark.parametrize(
    "url",
    [CONNECTION["url"]["default"], read("roles/munin/defaults/main.yml")["munin_devpi_url"]],
    ids=["modules", "munin"],
)
def test_the_default_is_the_socket_of_the_role(url: str) -> None:
    assert url == f"unix:{SOCKET}"


def test_a_restored_index_is_waited_for_at_the_socket() -> None:
    tasks = read("playbooks/restore.yml")[-1]["tasks"]
    asked = [task["ansible.builtin.uri"] for task in tasks if "ansible.builtin.uri" in task]
    assert [uri["unix_socket"] for uri in asked] == [SOCKET]


def test_nothing_that_is_installed_asks_at_a_port() -> None:
    search = [
        "git",
        "grep",
        "--files-with-matches",
        "-e127.0.0.1:3141",
        "-edevpi_port",
        "-edevpi_host",
    ]
    search += ["--", "roles", "playbooks", "plugins", "inventories", "examples"]
    result = subprocess.run(search, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
