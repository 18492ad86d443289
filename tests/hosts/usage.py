# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts have used, for the table of tests/parts: told as they are taken away."""

from __future__ import annotations

import json
import os
import pathlib

from .command import attempt

# The file to append to, see tests/parts/usage.py.
FILE = "PARTS_USAGE"


def record(containers: list[str], subnet: str) -> None:
    """Append what `containers`, which share `subnet`, have used, where somebody asks for it."""
    if FILE not in os.environ:
        return
    found: dict[str, float] = {"hosts": len(containers)}
    # Counted by the kernel since the container was started last.
    code, out, _err = attempt(
        "podman", "stats", "--no-stream", "--no-reset", "--format", "{{.CPUNano}}", *containers
    )
    if code == 0:
        found["host_cpu"] = sum(int(line) for line in out.split()) / 1e9
    code, out, _err = attempt("iptables", "-nvxL", "NETAVARK_FORWARD")
    if code == 0 and subnet:
        found["downloaded"] = incoming(out, subnet)
    with pathlib.Path(os.environ[FILE]).open("a") as file:
        file.write(json.dumps(found) + "\n")


def incoming(rules: str, subnet: str) -> int:
    """Bytes that came into `subnet` from outside, from what `iptables -nvxL NETAVARK_FORWARD` prints.

    What the controller sends to its hosts is not forwarded and not counted.
    """
    for line in rules.splitlines():
        fields = line.split()
        if len(fields) > 8 and fields[2] == "ACCEPT" and fields[8] == subnet:
            return int(fields[1])
    return 0
