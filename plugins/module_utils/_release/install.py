# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a release on a host, and not too many others: what is there, the plan, and its writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    installed_packages,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    Unreachable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.difference import (
    Contents,
    compare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.installation import (
    Installation,
    prepare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import (
    check_formation,
    release_id,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.request import (
    InstallRequest,
    find_build,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.retention import to_prune


@dataclass(frozen=True)
class Found:
    """The releases of an app on a host."""

    current: str | None
    installed: Sequence[str]  # complete ones, oldest first
    unfinished: Sequence[str]  # left behind by runs that were cut off
    rollback_target: str | None


@dataclass(frozen=True)
class Decision:
    """What becomes of which directory."""

    install: bool
    cut_off: tuple[str, ...]  # to be removed before
    pruned: tuple[str, ...]  # to be removed afterwards


def inspect(home: AppHome) -> Found:
    current = home.current()
    target = home.rollback_target(current)
    return Found(current, home.installed(), home.unfinished(), target)


def decide(release: str, found: Found, keep: int) -> Decision:
    """What serves is left alone even if its release.json is gone."""
    if release == found.current and release in found.unfinished:
        raise DeployError(
            f"{release} serves, but its release.json is missing. Switch to another release first, "
            "then install this one again."
        )
    return Decision(
        install=release not in found.installed,
        cut_off=tuple(name for name in found.unfinished if name != found.current),
        pruned=tuple(
            to_prune(found.installed, keep, found.current, found.rollback_target, release)
        ),
    )


@dataclass(frozen=True)
class InstallPlan:
    """What has to happen so that ``release`` is on the host."""

    home: AppHome
    release: str | None  # None where its id cannot be known yet
    version: str
    current: str | None
    decision: Decision
    processes: Mapping[str, str]
    packages: Mapping[str, str]
    python: str | None
    changes: tuple[str, ...]  # lines for the diff
    installation: Installation | None = None  # None where nothing is to be installed
    warnings: tuple[str, ...] = ()

    def apply(self) -> InstallPlan:
        """Write; returns the plan with what came of it."""
        for name in self.decision.cut_off:
            self.home.remove(name)
        done = self._install()
        for name in self.decision.pruned:
            self.home.remove(name)
        return done

    def _install(self) -> InstallPlan:
        if self.installation is None or self.release is None:
            return self
        warnings = self.installation.make(self.home, self.release)
        return dataclasses.replace(
            self,
            packages=installed_packages(self.home.releases / self.release / "venv"),
            warnings=(*self.warnings, *warnings),
        )

    def result(self) -> dict[str, Any]:
        """What the module says, in check mode as well."""
        removed = [*self.decision.cut_off, *self.decision.pruned]
        lines = [*self.changes, *(f"release {name}: removed" for name in removed)]
        return {
            "changed": self.decision.install or bool(removed),
            "release": self.release,
            "path": str(self.home.releases / self.release) if self.release else None,
            "current": self.current,
            "processes": dict(self.processes),
            "packages": dict(self.packages),
            "python": self.python,
            "pruned": list(self.decision.pruned),
            "diff": {
                "before_header": f"{self.home.app} {self.current}",
                "after_header": f"{self.home.app} {self.release or self.version}",
                "before": "",
                "after": "".join(f"{line}\n" for line in lines),
            },
        }


def plan_install(home: AppHome, request: InstallRequest, *, predicted: bool = False) -> InstallPlan:
    """Read and decide. Raises DeployError for what cannot be installed.

    ``predicted``: in check mode the index may be one that would be there by now.
    """
    try:
        build, warning = find_build(request, home)
    except Unreachable as error:
        if home.exists or not predicted:
            raise
        return plan_of_first_release(home, request, str(error))
    release, found = release_id(build, request.config), inspect(home)
    decision = decide(release, found, request.keep)
    before = home.contents(found.current) if found.current else None
    manifest = home.manifest(release)
    installation = None if manifest else prepare(request, home, build)
    if installation:
        processes, packages = installation.processes, installation.packages
        python, changes = installation.python, compare(before, installation.contents())
    else:
        manifest, changes = manifest or {}, []
        processes, packages, python = manifest["commands"], manifest["packages"], manifest["python"]
    check_formation(request.formation, processes, f"{build.package} {build.version}")
    return InstallPlan(
        home=home,
        release=release,
        version=build.version,
        current=found.current,
        decision=decision,
        processes=processes,
        packages=packages,
        python=python,
        changes=tuple(changes),
        installation=installation,
        warnings=(warning,) if warning else (),
    )


def plan_of_first_release(home: AppHome, request: InstallRequest, why: str) -> InstallPlan:
    """What check mode can say of a host that has neither the app nor, so far, its index."""
    version, config = request.build.version, request.config
    processes = request.build.procfile or {}
    after = Contents({}, config.env, processes, "to be found out", config.python)
    first = f"release {version}: installed, the first one"
    warning = (
        f"{why} This host has nothing of {home.app} yet; once the index answers, {version} is "
        "going to be its first release."
    )
    return InstallPlan(
        home=home,
        release=None,
        version=version,
        current=None,
        decision=Decision(install=True, cut_off=(), pruned=()),
        processes=processes,
        packages={},
        python=None,
        changes=(first, *compare(None, after)),
        warnings=(warning,),
    )
