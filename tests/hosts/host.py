# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as the command line names it."""

from __future__ import annotations

import dataclasses
import re

from .errors import HostsError

NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")


@dataclasses.dataclass(frozen=True)
class Host:
    name: str
    image: str
    groups: tuple[str, ...]


def parse(spec: str) -> Host:
    """A host from `name=image[:group,...]`."""
    rest, _colon, groups = spec.partition(":")
    name, _equals, image_name = rest.partition("=")
    if not NAME.fullmatch(name) or not image_name:
        raise HostsError(f"{spec!r} is no host: write name=image[:group,...], as app1=debian12:app")
    return Host(name, image_name, tuple(group for group in groups.split(",") if group))
