# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a formation, and Circus's configuration for them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    GRACEFUL_TIMEOUT,
)

PIVOT = "/usr/local/lib/twelvefactor/pivot.py"


def instances(formation: Mapping[str, int]) -> list[str]:
    """Names of the processes of a formation: ``web-1``, ``worker-1``, ``worker-2``."""
    return [
        f"{kind}-{number}" for kind in sorted(formation) for number in range(1, formation[kind] + 1)
    ]


def kind_of(name: str) -> str:
    """The type of a process."""
    return name.rpartition("-")[0]


def counted(names: Iterable[str]) -> dict[str, int]:
    """The formation of these processes: what ``instances`` made them of."""
    return dict(sorted(Counter(map(kind_of, names)).items()))


def listening(
    releases: Mapping[str, str | None], manifests: Mapping[str, Mapping[str, Any]]
) -> dict[str, int]:
    """How many processes of each type listen, by what each runs and what that release says of it."""
    return counted(
        name
        for name, release in releases.items()
        if manifests.get(release or "", {})
        .get("processes", {})
        .get(kind_of(name), {})
        .get("socket")
    )


def watchers(app: str, formation: Mapping[str, int], running: str = "") -> str:
    """Circus's configuration for a formation: one watcher per process.

    One each, because Circus adds and removes whole watchers without touching the others, and
    because a process that is restarted keeps its number, its socket and its log file.

    ``running`` is the configuration of a circusd that runs. It stops and starts a watcher whose
    text has changed, so those that stay keep theirs: a newer version of this collection must not
    cost a request. Its text counts from the next start of circusd on that is no reload.
    """
    kept = sections(running)
    return written(kept.get(name) or section(app, name) for name in instances(formation))


def written(parts: Iterable[str]) -> str:
    made = "# Written by twelvefactor.deploy.graceful_reload; it follows the release.\n"
    return "\n".join([made, *parts])


def united(one: str, other: str) -> str:
    """The configuration of the processes of both; where they differ, ``other`` is right."""
    return written(text for _name, text in sorted((sections(one) | sections(other)).items()))


def without(configuration: str, names: Collection[str]) -> str:
    """The same configuration, but for these processes."""
    kept = {name: text for name, text in sections(configuration).items() if name not in names}
    return configuration if kept == sections(configuration) else written(kept.values())


def only(configuration: str, names: Collection[str]) -> str:
    """The part of it for these processes."""
    return written(text for name, text in sections(configuration).items() if name in names)


def section(app: str, instance: str, option: str = "") -> str:
    """The watcher of one process, ``option`` is for its pivot."""
    log = f"/var/log/{app}/{instance}.log"
    return (
        f"[watcher:{instance}]\n"
        # a HUP that comes before Python is up must not end it
        "cmd = /usr/bin/env --ignore-signal=HUP"
        f" /usr/bin/python3 -I {PIVOT} /srv/{app} {instance}{option}\n"
        # HUP is what makes a pivot move; anything else would restart it
        "send_hup = True\n"
        f"graceful_timeout = {GRACEFUL_TIMEOUT}\n"
        "max_retry = -1\n"
        # follows a rename by logrotate by itself
        "stdout_stream.class = WatchedFileStream\n"
        f"stdout_stream.filename = {log}\n"
        "stderr_stream.class = WatchedFileStream\n"
        f"stderr_stream.filename = {log}\n"
    )


def sections(configuration: str) -> dict[str, str]:
    """The watchers of a configuration made by ``watchers``, by the names of their processes."""
    parts = re.split(r"^(?=\[watcher:([^\]]+)\])", configuration, flags=re.MULTILINE)[1:]
    return {
        name: text.rstrip("\n") + "\n" for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def watched(configuration: str) -> list[str]:
    """The processes that a configuration made by ``watchers`` names."""
    return list(sections(configuration))
