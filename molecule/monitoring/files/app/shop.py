# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app that answers /NNN with status NNN, and counts orders in the plainest way that there is."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

statsd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def say(line: str) -> None:
    host, port = os.environ["STATSD"].split(":")
    statsd.sendto(line.encode(), (host, int(port)))


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    status = environ["PATH_INFO"].split("/")[1]
    if environ["REQUEST_METHOD"] == "POST":
        say("shop.orders:1|c")
        say("shop.stock:17|g")
    start(f"{status} Status", [("Content-Type", "text/plain")])
    return [status.encode()]
