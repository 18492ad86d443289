# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a part used: the lines that the test hosts and Ansible append to its file.

The file is named by the environment variable PARTS_USAGE. Each line is a JSON object with numbers
under some of the keys `tasks` (results of tasks on hosts), `hosts` (booted), `host_cpu` (seconds)
and `downloaded` (bytes that came from outside). The same keys may come many times; they are added up.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any


@dataclasses.dataclass(frozen=True)
class Usage:
    """Sums over one part; `host_cpu` in seconds, `downloaded` in bytes."""

    tasks: int = 0
    hosts: int = 0
    host_cpu: float = 0.0
    downloaded: int = 0


def read(path: pathlib.Path) -> Usage:
    """The sums of the file at `path`; zeros when nothing was written.

    A part that was killed may leave half a line, which is passed over.
    """
    sums: dict[str, Any] = dataclasses.asdict(Usage())
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            for key in sums.keys() & found.keys():
                sums[key] += found[key]
    return Usage(**sums)
