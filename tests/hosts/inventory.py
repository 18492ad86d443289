# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible inventory of a fleet."""

from __future__ import annotations

import ipaddress
import json
import pathlib
import shlex

from .host import Host


def render(
    hosts: list[Host],
    addresses: dict[str, ipaddress.IPv4Address],
    boots: dict[str, str],
    private_key: pathlib.Path,
    known_hosts: pathlib.Path,
) -> str:
    """The YAML of an inventory; `boots` holds an id of each container."""
    options = (
        f"-o UserKnownHostsFile={shlex.quote(str(known_hosts))}"
        " -o IdentitiesOnly=yes -o ConnectTimeout=10"
    )
    groups: dict[str, list[str]] = {}
    for host in hosts:
        for group in host.groups:
            groups.setdefault(group, []).append(host.name)
    lines = ["# Written by tests/hosts/hosts.", "all:", "  hosts:"]
    for host in hosts:
        lines += [
            f"    {host.name}:",
            f"      ansible_host: {addresses[host.name]}",
            # A connection kept open by SSH must not outlive the container it led to.
            f'      ansible_control_path: "%(directory)s/{boots[host.name]}"',
            # Of each host and not of all of them, among which Ansible counts the controller: there Mitogen
            # asks for sudo even when it is root already.
            "      ansible_become: true",
        ]
    if groups:
        lines.append("  children:")
    for group, members in sorted(groups.items()):
        lines += [f"    {group}:", "      hosts:"]
        lines += [f"        {member}: {{}}" for member in members]
    lines += [
        "  vars:",
        "    ansible_user: ops",
        "    ansible_python_interpreter: /usr/bin/python3",
        f"    ansible_ssh_private_key_file: {json.dumps(str(private_key))}",
        f"    ansible_ssh_common_args: {json.dumps(options)}",
        "",
    ]
    return "\n".join(lines)
