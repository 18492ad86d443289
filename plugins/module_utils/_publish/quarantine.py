# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a lock are old enough to be in it. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
)

DAY = 86_400  # seconds


@dataclass(frozen=True)
class Uploaded:
    """One file of a project: its name, and when it was uploaded, in seconds since 1970."""

    filename: str
    time: float


def parse_upload_times(page: Mapping[str, Any]) -> dict[str, Uploaded]:
    """When the files of a project were uploaded, by their sha256 (PEP 700)."""
    times = {}
    for file in page.get("files", []):
        when, digest = file.get("upload-time"), file.get("hashes", {}).get("sha256")
        if when and digest:
            moment = datetime.datetime.fromisoformat(when)
            times[digest.lower()] = Uploaded(file.get("filename", ""), moment.timestamp())
    return times


@dataclass(frozen=True)
class Aged:
    """A lock with what is too young left out."""

    pins: tuple[Pin, ...]
    young: tuple[Pin, ...]  # no wheel of it is old enough
    unknown: tuple[str, ...]  # names of projects whose files nobody has a time for


def hold_back(
    pins: Sequence[Pin],
    times: Mapping[str, Mapping[str, Uploaded] | None],
    cutoff: float,
    exempt: Collection[str] = (),
) -> Aged:
    """Leave out files that were uploaded after ``cutoff``.

    ``times``: per project what is known of its files; None for a project that the public does not
    know, i.e. one of our own, which needs no waiting for. A file of a known project without a time
    is as good as young: somebody put it there in another's name, or it has been taken away.
    """
    kept, young, unknown = [], [], []
    names = {canonical_name(name) for name in exempt}
    for pin in pins:
        known = times[pin.name] if pin.name not in names else None
        if known is None:
            kept.append(pin)
            continue
        old = [h for h in pin.hashes if h in known and known[h].time <= cutoff]
        if any(known[h].filename.endswith(".whl") for h in old):
            kept.append(replace(pin, hashes=tuple(old)))
        elif not any(h in known for h in pin.hashes):
            unknown.append(pin.name)
        else:
            young.append(pin)
    return Aged(tuple(kept), tuple(young), tuple(unknown))
