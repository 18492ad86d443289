# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""To which processes the site of an app in nginx passes requests, by the file that the role nginx has written."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    instances,
    kind_of,
)

NGINX = pathlib.Path("/etc/nginx")
PLACES = ("sites-enabled", "address-sites")
UPSTREAM = re.compile(r"(?ms)^upstream (?P<name>\S+) \{\n(?P<servers>.*?)^\}")

Upstreams = Mapping[str, frozenset[str]]  # names of processes by the name of an upstream


def upstreams(text: str, app: str) -> dict[str, frozenset[str]]:
    """Pure. Only servers that are sockets of the app."""
    socket = re.compile(rf"(?m)^\s*server unix:/run/{re.escape(app)}/(\S+-[0-9]+)\.sock\b")
    return {
        found["name"]: frozenset(socket.findall(found["servers"]))
        for found in UPSTREAM.finditer(text)
    }


def read_site(app: str, root: pathlib.Path = NGINX) -> dict[str, frozenset[str]] | None:
    """None where there is no such file: then nobody knows."""
    for place in PLACES:
        try:
            return upstreams((root / place / f"{app}.conf").read_text("utf-8"), app)
        except (FileNotFoundError, NotADirectoryError):
            continue
    return None


def leads_to(site: Upstreams | None, app: str, kind: str) -> bool:
    """Whether / is passed to this process type, as far as is known."""
    return site is None or kind in map(kind_of, site.get(app, ()))


def astray(
    site: Upstreams | None, app: str, listening: Mapping[str, int], types: Sequence[str]
) -> Iterator[str]:
    """Where the site does not follow what runs, as sentences. ``types``: the first one has what no other has."""
    if site is None:
        return
    named = frozenset[str]().union(*site.values())
    running = {kind: listening[kind] for kind in types if listening.get(kind)}
    missing = [name for name in instances(running) if name not in named]
    if missing:
        yield f"nginx is to pass requests to {', '.join(missing)}"
    # where nobody has /, each keeps a socket, and so does the first one
    ended = {kind_of(name) for name in named} & {*types[1:]} - {*running}
    if ended and site.get(app):
        yield f"nginx is to pass requests of {', '.join(sorted(ended))} to others"
