# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host serves in a deploy, by what the role rollout keeps among its variables. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Variables = Mapping[str, Any]


def serves(variables: Variables) -> bool:
    """Whether a host serves the deploy's release, since this deploy or since one that was interrupted."""
    release, switch = variables.get("app_release", {}), variables.get("app_switch", {})
    if switch:
        return not switch.get("failed")
    return release.get("current") is not None and release["current"] == release.get("release")


def waits(variables: Variables) -> bool:
    """Whether a host serves what was there before, and has not been switched yet."""
    release = variables.get("app_release", {})
    return not variables.get("app_switch") and release.get("current") not in (
        None,
        release.get("release"),
    )


def moved(variables: Variables) -> bool:
    """Whether a host served another release until this deploy."""
    switch = variables.get("app_switch", {})
    return (
        bool(switch.get("changed"))
        and not switch.get("failed")
        and switch.get("previous") not in (None, switch.get("release"))
    )


def served_by_most(hosts: Iterable[Variables]) -> str:
    """The release that more than half of the hosts served when the deploy began; empty where there is none.

    Hosts that had no release yet do not count.
    """
    before = Counter(filter(None, map(_served_before, hosts)))
    ((release, number),) = before.most_common(1) or [("", 0)]
    return release if 2 * number > before.total() else ""


def _served_before(variables: Variables) -> str | None:
    found = (
        variables["app_switch"]["previous"]
        if moved(variables)
        else variables.get("app_release", {}).get("current")
    )
    return None if found is None else str(found)
