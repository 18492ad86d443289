# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is not on the host yet: all that goes into it, and how its directory is made."""

from __future__ import annotations

import calendar
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    format_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    make_directory,
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    find_uv,
    installed_packages,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    Index,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    Environment,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.wheelhouse import (
    Wheelhouse,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.cache import make_cache
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import (
    Config,
    format_env,
    run_specs,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.difference import (
    Contents,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import (
    CONFIG,
    IN_USE,
    RUN,
    AppHome,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.installer import (
    WHEELS,
    Installer,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import (
    Build,
    complete_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.request import (
    InstallRequest,
    pins_for,
    read_contents,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.schedules import (
    require_calendars,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.verification import (
    verify,
)

MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Installation:
    """All that goes into a release of this host."""

    installer: Installer
    build: Build  # with its lock and its process types
    config: Config
    pins: Sequence[Pin]  # what of the lock is meant for this host
    python: str  # the interpreter's version
    source: Index | Wheelhouse | None

    @property
    def processes(self) -> dict[str, str]:
        return dict(self.build.procfile or {})

    @property
    def packages(self) -> dict[str, str]:
        return {pin.name: pin.version for pin in sorted(self.pins, key=lambda pin: pin.name)}

    @property
    def lock_digest(self) -> str:
        return hashlib.sha256(complete_lock(self.build).encode()).hexdigest()

    def contents(self) -> Contents:
        return Contents(
            self.packages,
            self.config.env,
            self.processes,
            self.python,
            self.config.python,
            run_specs(self.processes, self.config),
            self.build.wheel_sha256,
            self.lock_digest,
            self.config.schedules,
            self.config.files,
        )

    def make(self, home: AppHome, release: str) -> list[str]:
        """Make the release's directory; returns warnings. What is left of a failure is removed."""
        try:
            return self._make(home, release)
        except BaseException as error:
            home.remove(release)
            if isinstance(error, OSError):
                raise DeployError(f"Could not install {release}: {error}.") from error
            raise

    def _make(self, home: AppHome, release: str) -> list[str]:
        """It counts as a release once release.json is there, the last."""
        began = time.monotonic()
        warnings = make_cache(home)
        self._write_files(home, release)
        yanked = self._install_packages(home, release)
        verify(home, release)
        manifest = json.dumps(self._manifest(home, release, began), indent=1) + "\n"
        home.flush(release)
        write_atomically(home.releases / release / "release.json", manifest, 0o640, home.gid)
        return warnings + [
            f"{name} was yanked from the index{f': {reason}' if reason else ''}. It is installed, "
            "because the lock names it; lock another version."
            for name, reason in yanked.items()
        ]

    def _write_files(self, home: AppHome, release: str) -> None:
        path = home.releases / release
        make_directory(path, 0o750, os.geteuid(), home.gid)
        make_directory(path / "bin", 0o750, os.geteuid(), home.gid)
        lock = complete_lock(self.build)
        write_atomically(path / "env", format_env(self.config.env), 0o640, home.gid)
        write_atomically(path / "Procfile", format_procfile(self.processes), 0o640, home.gid)
        write_atomically(path / "requirements.txt", lock, 0o640, home.gid)
        write_atomically(path / "bin" / "run", RUN, 0o750, home.gid)
        if self.config.files:
            make_directory(path / CONFIG, 0o750, os.geteuid(), home.gid)
        for name, text in self.config.files.items():
            write_atomically(path / CONFIG / name, text, 0o640, home.gid)
        write_atomically(path / IN_USE, "", 0o600)

    def _install_packages(self, home: AppHome, release: str) -> Mapping[str, str]:
        """Returns what of the dependencies was yanked, and why."""
        path = home.releases / release
        if isinstance(self.source, Wheelhouse):
            self.source.unpack(self.pins, path / WHEELS, home.gid)
        venv = path / "venv"
        make_directory(venv, 0o750, home.installing.uid, home.gid)
        yanked = self.installer.install(venv, path / "requirements.txt")
        own = f"{canonical_name(self.build.package)} {self.build.version}"
        if own in yanked:
            reason = f": {yanked[own]}" if yanked[own] else ""
            raise DeployError(f"{own} was yanked from the index{reason}.")
        if isinstance(self.source, Wheelhouse):
            shutil.rmtree(path / WHEELS)
        return yanked

    def _manifest(self, home: AppHome, release: str, began: float) -> dict[str, Any]:
        return {
            "id": release,
            "app": home.app,
            "package": canonical_name(self.build.package),
            "version": self.build.version,
            "wheel_sha256": self.build.wheel_sha256,
            "commit": self.build.commit,
            "lock_sha256": self.lock_digest,
            "python": self.python,
            "interpreter": self.config.python,
            "packages": installed_packages(home.releases / release / "venv"),
            "commands": self.processes,
            "processes": run_specs(self.processes, self.config),
            "schedules": self.config.schedules,
            "installed_at": after(time.time(), home.installation_times().values()),
            "seconds": round(time.monotonic() - began, 1),
        }


def after(now: float, earlier: Iterable[str]) -> str:
    """``now`` as UTC in ISO 8601, but later than each of ``earlier``, by which the oldest releases are removed.

    A host's clock may be set back, and two releases may be installed within a second.
    """
    said = time.strftime(MOMENT, time.gmtime(now))
    newest = max(earlier, default="")
    if said > newest:
        return said
    try:
        return time.strftime(
            MOMENT, time.gmtime(calendar.timegm(time.strptime(newest, MOMENT)) + 1)
        )
    except ValueError:  # of another form
        return said


def installer_of(request: InstallRequest, home: AppHome) -> Installer:
    return Installer(
        home,
        request.index_url,
        request.config.python,
        find_uv(request.uv),
        request.ca_path,
        offline=isinstance(request.source, Wheelhouse),
    )


def prepare(
    request: InstallRequest, build: Build, installer: Installer, environment: Environment
) -> Installation:
    """Read what the release is made of. Raises DeployError for what cannot be installed here."""
    source = request.source
    require_calendars(request.config.schedules)
    build = read_contents(build, source, environment)
    pins = pins_for(build, environment)
    if isinstance(source, Wheelhouse):
        source.require(pins)
    python = environment["python_full_version"]
    return Installation(installer, build, request.config, pins, python, source)
