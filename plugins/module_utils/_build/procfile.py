# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process types and their commands, read and written. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

# A process type names watchers, sockets and log files, hence no dots, slashes or spaces. One that ends as
# `web-1` does would be taken for a process of the type `web`.
PROCESS_TYPE = re.compile(r"(?!.*-[0-9]+\Z)[a-z][a-z0-9_]*(-[a-z0-9_]+)*\Z")
# The process type that prepares the attached services of a release (migrations). It runs once,
# before the switch, and is never supervised.
RELEASE_TYPE = "release"


def parse_procfile(text: str) -> dict[str, str]:
    """Process types and their commands, one ``name: command`` a line."""
    processes: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        kind, colon, command = line.partition(":")
        if not colon or not command.strip():
            raise DeployError(f"The Procfile has the line {line!r}; expected 'name: command'.")
        if kind.strip() in processes:
            raise DeployError(f"The Procfile names process type {kind.strip()!r} twice.")
        processes[kind.strip()] = command.strip()
    return check_process_types(processes)


def check_process_types(processes: Mapping[str, Any]) -> dict[str, str]:
    """Raise DeployError for what cannot be a Procfile."""
    for kind, command in processes.items():
        if not PROCESS_TYPE.match(kind):
            raise DeployError(
                f"Invalid process type {kind!r}: use lower-case letters, digits and '_', in words with '-' "
                "between them, as in celery-worker. The first character is a letter, the last word no number."
            )
        if not isinstance(command, str) or not command.strip() or "\n" in command.strip():
            raise DeployError(
                f"The command of process type {kind!r} is {command!r}; it must be one line of text."
            )
    alike = Counter(kind.replace("-", "_") for kind in processes)
    for kind in processes:
        # some metrics have no '-' in their names
        if alike[kind.replace("-", "_")] > 1:
            raise DeployError(
                f"Process type {kind!r} differs from another one only in '-' and '_'; rename one of them."
            )
    if not set(processes) - {RELEASE_TYPE}:
        raise DeployError("No process type to run: a Procfile needs at least one, such as 'web: …'.")
    return dict(processes)


def format_procfile(processes: Mapping[str, str]) -> str:
    return "".join(f"{kind}: {command}\n" for kind, command in processes.items())
