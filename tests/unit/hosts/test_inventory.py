# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
import pathlib

import yaml
from hosts import host, inventory


def test_inventory() -> None:
    hosts = [host.parse("app1=debian12:app"), host.parse("proxy1=debian13:app,proxy")]
    text = inventory.render(
        hosts,
        {
            "app1": ipaddress.IPv4Address("10.89.7.11"),
            "proxy1": ipaddress.IPv4Address("10.89.7.12"),
        },
        {"app1": "c0ffee", "proxy1": "decade"},
        pathlib.Path("/a b/key"),
        pathlib.Path("/a b/known_hosts"),
    )
    everything = yaml.safe_load(text)["all"]
    assert everything["hosts"]["app1"] == {
        "ansible_host": "10.89.7.11",
        "ansible_control_path": "%(directory)s/c0ffee",
        "ansible_become": True,
    }
    # they would be the controller's, too
    assert "ansible_become" not in everything["vars"]
    assert everything["children"] == {
        "app": {"hosts": {"app1": {}, "proxy1": {}}},
        "proxy": {"hosts": {"proxy1": {}}},
    }
    assert everything["vars"]["ansible_ssh_private_key_file"] == "/a b/key"
    assert "UserKnownHostsFile='/a b/known_hosts'" in everything["vars"]["ansible_ssh_common_args"]
