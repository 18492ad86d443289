# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a release on a host, and not too many others: what is there, the plan, and its writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    installed_packages,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    Unreachable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    Environment,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.difference import (
    Contents,
    compare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.installation import (
    Installation,
    installer_of,
    prepare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.installer import (
    Installer,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import (
    Build,
    check_formation,
    minor,
    pick_id,
    release_ids,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.request import (
    InstallRequest,
    find_build,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.retention import (
    superseded,
    to_prune,
)


@dataclass(frozen=True)
class Found:
    """The releases of an app on a host."""

    current: str | None
    installed: Sequence[str]  # complete ones, oldest first
    unfinished: Sequence[str]  # left behind by runs that were cut off
    rollback_target: str | None
    used: Sequence[str] = ()  # by jobs that still run


@dataclass(frozen=True)
class Decision:
    """What becomes of which directory."""

    install: bool
    cut_off: tuple[str, ...]  # to be removed before
    pruned: tuple[str, ...]  # to be removed afterwards


def inspect(home: AppHome) -> Found:
    current = home.current()
    target, installed = home.rollback_target(current), home.installed()
    used = [release for release in installed if home.in_use(release)]
    return Found(current, installed, home.unfinished(), target, used)


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
            to_prune(
                found.installed, keep, found.current, found.rollback_target, release, found.used
            )
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
    installer: Installer | None = None
    rollback_targets: tuple[str, ...] = ()  # that stay, the nearest first

    def apply(self) -> InstallPlan:
        """Write; returns the plan with what came of it."""
        for name in self.decision.cut_off:
            self.home.remove(name)
        done = self._install()
        kept = [name for name in self.home.installed() if name not in self.decision.pruned]
        unused = superseded(self._packages(self.decision.pruned), self._packages(kept))
        for name in self.decision.pruned:
            self.home.remove(name)
        warning = self.installer.forget(unused) if self.installer else ""
        return dataclasses.replace(done, warnings=(*done.warnings, warning)) if warning else done

    def _packages(self, releases: Iterable[str]) -> list[Mapping[str, str]]:
        return [(self.home.manifest(name) or {}).get("packages", {}) for name in releases]

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
            "rollback_targets": list(self.rollback_targets),
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
    installer = installer_of(request, home)
    try:
        build, warning = find_build(request, home, lambda: minor_of(installer.environment()))
    except Unreachable as error:
        if home.exists or not predicted:
            raise
        return plan_of_first_release(home, request, str(error))
    environment = installer.environment()
    release, found = name(build, request, home, minor_of(environment)), inspect(home)
    decision = decide(release, found, request.keep)
    before = home.contents(found.current) if found.current else None
    manifest = home.manifest(release)
    installation = None if manifest else prepare(request, build, installer, environment)
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
        installer=installer,
        rollback_targets=tuple(
            each for each in home.rollback_targets(found.current) if each not in decision.pruned
        ),
    )


def minor_of(environment: Environment) -> str:
    return minor(environment["python_full_version"])


def name(build: Build, request: InstallRequest, home: AppHome, python: str) -> str:
    """The id of the release, which is another one where the host has it with another Python."""
    ids = release_ids(build, request.config, python)
    manifests = {release: home.manifest(release) for release in ids}
    made_with = {release: minor(found["python"]) for release, found in manifests.items() if found}
    return pick_id(ids, made_with, python)


def plan_of_first_release(home: AppHome, request: InstallRequest, why: str) -> InstallPlan:
    """What check mode can say of a host that has neither the app nor, so far, its index."""
    version, config = request.build.version, request.config
    processes = request.build.procfile or {}
    after = Contents(
        {},
        config.env,
        processes,
        "to be found out",
        config.python,
        schedules=config.schedules,
        files=config.files,
    )
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
