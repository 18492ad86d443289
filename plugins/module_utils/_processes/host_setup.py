# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings of an app need that only the playbook platform makes on a host. Changes nothing.

A deploy runs as little as possible. A host that was set up before the app had a schedule, a server on a port or
uploads may lack what these need, and nothing of the deploy itself would say so.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.sandbox import (
    APP_EXEC,
    unit_prefix,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import listening

ROOT = pathlib.Path("/")
# Where the roles circus and app_user put them, below the root.
APP_SCHEDULE = "usr/local/sbin/app-schedule"
PORTS = "usr/local/lib/twelvefactor/pivot/port.py"


@dataclass(frozen=True)
class Needs:
    """What an app has of the kind that a host is set up for."""

    schedules: bool = False
    ports: tuple[str, ...] = ()  # process types
    media: tuple[str, ...] = ()  # directories of uploads


def needs_of(
    params: Mapping[str, Any], processes: Mapping[str, str], media: Sequence[str]
) -> Needs:
    """``params``: those of the module release; ``processes``: types and their commands, as far as they are known."""
    options = params["process_options"]
    ports = [
        kind
        for kind, command in {**dict.fromkeys(options, ""), **processes}.items()
        if listening(kind, command, _given(options.get(kind))).get("port")
    ]
    return Needs(bool(params["schedules"]), tuple(ports), tuple(media))


def _given(options: Any) -> dict[str, Any]:
    """What is no dictionary is refused by whoever installs the release."""
    found = options.items() if isinstance(options, Mapping) else ()
    return {key: value for key, value in found if value is not None}


def missing(app: str, needs: Needs, root: pathlib.Path = ROOT) -> Iterator[str]:
    """What this host lacks, a sentence each."""
    sandbox = f"etc/systemd/system/{unit_prefix(app)}.service.d/sandbox.conf"
    programs = (APP_SCHEDULE, APP_EXEC[0].lstrip("/"), sandbox) if needs.schedules else ()
    for path in programs:
        if not (root / path).is_file():
            yield f"schedules need /{path}, which is missing"
    if needs.ports and not (root / PORTS).is_file():
        yield f"{', '.join(needs.ports)} on a port needs /{PORTS}, which is missing"
    declared = _declared(root / f"etc/tmpfiles.d/{app}.conf")
    for directory in needs.media:
        path = f"var/lib/{app}/{directory}"
        # the app can make a directory of this name, which nginx cannot read
        if f"/{path}" not in declared or not (root / path).is_dir():
            yield f"media needs /{path}, which is not set up for uploads"


def _declared(path: pathlib.Path) -> set[str]:
    """The directories of a tmpfiles.d(5) file."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return set()
    return {fields[1] for fields in map(str.split, lines) if len(fields) > 1 and fields[0] == "d"}
