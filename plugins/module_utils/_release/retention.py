# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases stay on a host, and the removal of one that somebody names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import RELEASE_ID


def to_prune(
    installed: Sequence[str],
    keep: int,
    current: str | None,
    target: str | None,
    new: str,
    used: Iterable[str] = (),
) -> list[str]:
    """Which releases to remove. ``installed``: complete ones, oldest first.

    ``keep`` releases stay. The current one, the one a rollback would pick and the one that was
    asked for stay in any case, and so do those that are ``used`` by jobs that have not ended.
    """
    protected = {current, target, new, *used}
    surplus = len({*installed, new}) - keep
    candidates = [name for name in installed if name not in protected]
    return candidates[: max(surplus, 0)]


def superseded(pruned: Iterable[Mapping[str, str]], kept: Iterable[Mapping[str, str]]) -> list[str]:
    """Packages of which a version is in a pruned release, and in no release that is kept.

    Of each release its packages: name to version.
    """
    left = {item for packages in kept for item in packages.items()}
    return sorted({name for packages in pruned for name, version in packages.items()
                   if (name, version) not in left})  # fmt: skip


@dataclass(frozen=True)
class RemovalPlan:
    """What has to happen so that a release is not on the host."""

    home: AppHome
    release: str
    current: str | None
    exists: bool
    warnings: tuple[str, ...] = ()

    def apply(self) -> RemovalPlan:
        """Write; returns the plan with what came of it."""
        if self.exists:
            self.home.remove(self.release)
        return self

    def result(self) -> dict[str, Any]:
        """What the module says, in check mode as well."""
        return {
            "changed": self.exists,
            "release": self.release,
            "path": str(self.home.releases / self.release),
            "current": self.current,
            "pruned": [],
            "diff": {"before": f"{self.release}\n" if self.exists else "", "after": ""},
        }


def plan_removal(home: AppHome, release: str) -> RemovalPlan:
    """Raises DeployError for what is not a release id, and for the release that serves."""
    current = home.current()
    if not RELEASE_ID.match(release):
        raise DeployError(
            f"Invalid release id {release!r}; a valid one is, for example, 1.4.0-3f2a9c01."
        )
    if release == current:
        raise DeployError(f"{release} is the release that serves {home.app}; it is not removed.")
    if home.in_use(release):
        raise DeployError(
            f"A scheduled job of {home.app} still runs with {release}, so it is not removed; "
            f"`systemctl list-units 'schedule-{home.app}@*'` shows which."
        )
    return RemovalPlan(home, release, current, (home.releases / release).is_dir())
