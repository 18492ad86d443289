# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which addresses the hosts of an inventory reach each other."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError


def addresses(name: str) -> list[str]:
    """The IP addresses of a host: of its ``ansible_host``, or of its name in the inventory.

    A name is resolved on the controller. Raises AnsibleFilterError when it cannot be.
    """
    try:
        return [str(ipaddress.ip_address(name))]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AnsibleFilterError(
            f"Cannot resolve {name} on the controller: {error}. Set ansible_host of that host to its "
            "IP address in the inventory."
        ) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolved_address(answer: str, ipv6: bool = True) -> str:
    """The one address to connect to, of an answer of ``getent ahosts``; empty where that is empty.

    Of the family that the resolver has first, which knows what can be routed. Of several of this family the
    lowest: with round-robin DNS each answer has another order. Without `ipv6` the host does not listen there.
    """
    found = [ipaddress.ip_address(line.split()[0]) for line in answer.splitlines()]
    usable = [each for each in found if ipv6 or each.version == 4] or found
    family = [each for each in usable if each.version == usable[0].version]
    return str(min(family, key=int)) if family else ""


def endpoint(host: str, port: int | str) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        version = 4  # a name
    return f"[{host}]:{port}" if version == 6 else f"{host}:{port}"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "addresses": addresses,
            "endpoint": endpoint,
            "resolved_address": resolved_address,
        }
