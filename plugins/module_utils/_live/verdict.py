# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message with which a rollout fails, by hosts. Pure.

It is the role's own, in which secrets are masked: one paragraph per host that went wrong, and a line per
host of what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import printable


@dataclass(frozen=True)
class Verdict:
    problems: Mapping[str, str] = field(default_factory=dict)  # host to text
    endings: tuple[str, ...] = ()
    rest: str = ""  # what is about no host


def read_verdict(message: str, hosts: Iterable[str]) -> Verdict:
    """``message`` as the role ``rollout`` writes it; the lines of a problem follow the name of its host."""
    known = sorted(hosts, key=len, reverse=True)
    problems: dict[str, list[str]] = {}
    endings: list[str] = []
    rest: list[str] = []
    current = rest
    for line in printable(message).splitlines()[1:]:
        host = next((name for name in known if line.startswith((f"{name}: ", f"{name} "))), None)
        if host and line.startswith(f"{host}: "):
            current = problems.setdefault(host, [])
            line = line.removeprefix(f"{host}: ")
        elif host:
            endings.append(line)
            current = endings
            continue
        current.append(line)
    texts = {host: "\n".join(lines).strip("\n") for host, lines in problems.items()}
    return Verdict(texts, tuple(filter(str.strip, endings)), "\n".join(rest).strip("\n"))
