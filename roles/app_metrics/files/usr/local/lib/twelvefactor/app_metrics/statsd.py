# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics for a StatsD server."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator

from .metrics import Sample, number

DATAGRAM = 1400  # bytes that fit into one packet on the way to a StatsD server


def gauges(samples: Iterable[Sample], prefix: str, now: float) -> Iterator[str]:
    """The same for StatsD: ``prefix.APP[.PROCESS].WORD:VALUE|g``.

    A moment becomes seconds since, of a certificate until then. Never below zero: to StatsD a sign
    means "by so much more or less".
    """
    for sample in samples:
        group, _under, word = sample.name.partition("_")
        if sample.name.endswith("_info"):
            continue
        value = sample.value
        if sample.name.endswith("_time_seconds"):
            value = value - now if group == "certificate" else now - value
            word = "left_seconds" if group == "certificate" else word.replace("_time_", "_age_")
        labels = {key: text for key, text in sample.labels.items() if key != "type"}
        path = [] if group in ("app", "process") else [labels.pop("app", ""), group]
        path += [labels.pop("app", ""), *labels.values(), word]
        name = ".".join(re.sub(r"[^\w-]", "_", part) for part in path if part)
        yield f"{prefix}.{name}:{number(round(max(0.0, value), 3))}|g"


def packets(lines: Iterable[str], size: int = DATAGRAM) -> Iterator[bytes]:
    """As many lines in one datagram as fit."""
    packet = b""
    for line in lines:
        data = line.encode()
        if packet and len(packet) + 1 + len(data) > size:
            yield packet
            packet = b""
        packet = packet + b"\n" + data if packet else data
    if packet:
        yield packet


def send(lines: Iterable[str], host: str, port: int) -> None:
    """To whoever listens: nobody there is no error, and nothing waits for anything."""
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[
        0
    ]
    with socket.socket(family, kind, protocol) as sock:
        for packet in packets(lines):
            sock.sendto(packet, address)
