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


def endpoint(host: str, port: int | str) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        version = 4  # a name
    return f"[{host}]:{port}" if version == 6 else f"{host}:{port}"


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"addresses": addresses, "endpoint": endpoint}
