# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an app's releases lie on a host, and how they are read and changed there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.fence import (
    changing,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import trees
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import Identity
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    link_atomically,
    sync_filesystem,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import (
    Busy,
    flocked,
    is_held,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    format_pins,
    parse_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.difference import (
    Contents,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import mask_of
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import (
    python_problem,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    Record,
    read_records,
    rollback_target,
    rollback_targets,
)

# Seconds; a pivot that starts holds the lock for a moment, to see whether somebody else does.
LOCK_PATIENCE = 0.5
REMOVAL_TIMEOUT = 600.0  # seconds; some packages have many thousand files
NOBODY = 65534
# The system user that releases and caches belong to, of all apps; the role app_user makes it.
INSTALLER = "twelvefactor-install"

# In a release, the directory of its config files. Processes and commands start in the directory of their release, so
# that they name one of these as config/NAME.
CONFIG = "config"
# In a release, a file that only root can open. Whoever runs something of a release that may go on when another
# one serves holds a shared flock on it, as roles/circus/files/app_schedule.py does.
IN_USE = "in-use"

RUN = """\
#!/bin/sh
# Runs a command with the config and the packages of this release, e.g. bin/run python -m shop.admin
set -eu
release=$(dirname "$(dirname "$(readlink -f "$0")")")
set -a
. "$release/env"
RELEASE_ID=${release##*/}
VIRTUAL_ENV=$release/venv
PATH=$release/venv/bin:/usr/local/bin:/usr/bin:/bin
set +a
cd "$release"
exec "$@"
"""


@dataclass(frozen=True)
class AppHome:
    """The directory of one app on this host, ``/srv/<app>``."""

    app: str
    root: pathlib.Path
    uid: int
    gid: int
    # Uid of INSTALLER; None where the host has no such user.
    installer: int | None = None

    @classmethod
    def of(cls, app: str, base: str = "/srv", foreseen: bool = False) -> AppHome:
        """Raises DeployError when the app's user or directory is not there.

        Unless it is ``foreseen``: in check mode roles that ran before have only said that they
        would make them. Then there are no releases, and nobody's rights are enough to look around.
        """
        root = pathlib.Path(base) / app
        if foreseen and not (root / "releases").is_dir():
            return cls(app, root, NOBODY, NOBODY, NOBODY)
        try:
            user = pwd.getpwnam(app)
        except KeyError:
            raise DeployError(
                f"This host has no user {app!r}; run the role app_user for the app first."
            ) from None
        if not (root / "releases").is_dir():
            raise DeployError(
                f"{root}/releases is missing; run the role app_user for the app first."
            )
        return cls(app, root, user.pw_uid, user.pw_gid, installer_uid(foreseen=foreseen))

    @property
    def identity(self) -> Identity:
        return Identity(self.uid, self.gid)

    @property
    def installing(self) -> Identity:
        """Who installs. By the app's group the app can read what comes of it.

        Raises DeployError when the host has no such user.
        """
        if self.installer is None:
            raise DeployError(
                f"This host has no user {INSTALLER!r}, which releases belong to; "
                "run the role app_user for the app first."
            )
        return Identity(self.installer, self.gid)

    def owns(self, status: os.stat_result) -> bool:
        """Whether a file is of this app's releases, also of those that the app's user installed.

        The installing user is that of all apps; the group says whose release it is.
        """
        installed = (status.st_uid, status.st_gid) == (self.installer, self.gid)
        return installed or status.st_uid == self.uid

    @property
    def releases(self) -> pathlib.Path:
        return self.root / "releases"

    @property
    def cache(self) -> pathlib.Path:
        """What the installer keeps; see _release/cache.py."""
        return self.root / "cache"

    @property
    def link(self) -> pathlib.Path:
        return self.root / "current"

    @property
    def exists(self) -> bool:
        return self.releases.is_dir()

    @contextlib.contextmanager
    def locked(self, generation: int | None = None) -> Iterator[None]:
        """Keep two runs from working on this app's releases at the same time.

        ``generation``: that of the deploy lock which the caller's run holds. Raises DeployError where
        it does not hold that any more.

        The lock is one that only root can hold. That of the app's directory is for its pivots, which
        see by it that somebody deploys; the app can hold it as well, and must not stop a deploy so.
        """
        if not self.exists:
            yield
            return
        with contextlib.ExitStack() as held:
            held.enter_context(changing(self.app, generation))
            with contextlib.suppress(Busy, OSError):
                held.enter_context(flocked(self.root, LOCK_PATIENCE))
            yield

    def current(self) -> str | None:
        """The release that ``current`` names, whether it exists or not."""
        try:
            return os.path.basename(os.readlink(self.link))
        except FileNotFoundError:
            return None

    def point_to(self, release: str | None) -> None:
        """Let ``current`` name a release, or nothing: one rename."""
        if release is None:
            with contextlib.suppress(FileNotFoundError):
                self.link.unlink()
            return
        target = f"releases/{release}"
        # on a full disk the way back must not need room for what is there already
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(self.link) == target:
                return
        # synced: what the record says of it next must not outlive it
        link_atomically(self.link, target)

    def manifest(self, release: str) -> dict[str, Any] | None:
        """A release's release.json; None when the release is missing or unfinished."""
        try:
            manifest: dict[str, Any] = json.loads(
                (self.releases / release / "release.json").read_text()
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:
            raise DeployError(
                f"{self.releases / release}/release.json cannot be read: {error}. "
                "Remove that release and install it again."
            ) from None
        return manifest

    def installed(self) -> list[str]:
        """Complete releases, the one installed first comes first."""
        times = self.installation_times()
        return sorted(times, key=lambda name: (times[name], name))

    def installation_times(self) -> dict[str, str]:
        """When each complete release was installed: UTC, ISO 8601."""
        manifests = {path.name: self.manifest(path.name) for path in self._directories()}
        return {name: found["installed_at"] for name, found in manifests.items() if found}

    def python_problem(self, release: str) -> str:
        """Why the Python of this host cannot run a release, as a sentence; else nothing."""
        python = self.releases / release / "venv" / "bin" / "python"
        if not python.is_symlink():
            return ""
        made_with = (self.manifest(release) or {}).get("python", "")
        path = os.path.realpath(python)
        return python_problem(release, made_with, path, exists=os.path.exists(path))

    def usable(self) -> list[str]:
        """Complete releases that the Python of this host can run, the one installed first first."""
        return [release for release in self.installed() if not self.python_problem(release)]

    def unfinished(self) -> list[str]:
        return [path.name for path in self._directories() if not (path / "release.json").exists()]

    def _directories(self) -> list[pathlib.Path]:
        if not self.exists:
            return []
        return sorted(path for path in self.releases.iterdir() if path.is_dir())

    def in_use(self, release: str) -> bool:
        """Whether a job runs that was started with this release."""
        # one of an earlier version has no such file
        return is_held(self.releases / release / IN_USE)

    def contents(self, release: str) -> Contents | None:
        manifest = self.manifest(release)
        if manifest is None:
            return None
        return Contents(
            packages=manifest["packages"],
            env=self.env(release),
            processes=manifest["commands"],
            python=manifest["python"],
            interpreter=manifest.get("interpreter", ""),
            specs=manifest.get("processes", {}),
            wheel=manifest.get("wheel_sha256"),
            lock=self._lock_digest(release) or manifest.get("lock_sha256"),
            schedules=manifest.get("schedules", {}),
            files=self.config_files(release),
        )

    def env(self, release: str) -> dict[str, str]:
        """The config of a release. Raises OSError and ValueError."""
        # as bytes: reading text would make "\n" of a carriage return in a value
        text = (self.releases / release / "env").read_bytes().decode()
        return dict(word.split("=", 1) for word in shlex.split(text, comments=True))

    def config_files(self, release: str) -> dict[str, str]:
        """The config files of a release, which one of an earlier version has not. Raises OSError and ValueError."""
        directory = self.releases / release / CONFIG
        if not directory.is_dir():
            return {}
        return {path.name: path.read_bytes().decode() for path in sorted(directory.iterdir())}

    def mask(self, release: str) -> Callable[[str], str]:
        """What takes a release's config out of messages. Raises OSError and ValueError."""
        return mask_of(self.env(release), self.config_files(release))

    def _lock_digest(self, release: str) -> str | None:
        """Of what the lock says: a release made before there was one way to write it has its own."""
        with contextlib.suppress(OSError, ValueError, DeployError):
            text = (self.releases / release / "requirements.txt").read_text("utf-8")
            return hashlib.sha256(format_pins(parse_lock(text)).encode()).hexdigest()
        return None

    def flush(self, release: str) -> None:
        """Have a release on the disk, and not in memory only.

        A host that loses power afterwards must not come back with a release that counts as
        complete and has empty files.
        """
        sync_filesystem(self.releases / release)

    def remove(self, release: str) -> None:
        """Remove a release; what is left when that is interrupted no longer counts as one."""
        path = self.releases / release
        with contextlib.suppress(FileNotFoundError):
            (path / "release.json").unlink()
        if path.exists():
            trees.remove(path, REMOVAL_TIMEOUT)

    @property
    def record_path(self) -> pathlib.Path:
        return self.root / "releases.jsonl"

    def records(self) -> list[Record]:
        return read_records(self.record_path)

    def remember(self, record: Record) -> None:
        handle = os.open(self.record_path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            if os.geteuid() == 0:
                os.fchown(handle, 0, self.gid)
            os.fchmod(handle, 0o640)  # pivots read it, whatever the umask is
            size = os.fstat(handle).st_size
            # a line that a full disk cut short must not take this one with it
            whole = size == 0 or os.pread(handle, 1, size - 1) == b"\n"
            rest = (b"" if whole else b"\n") + record.line().encode()
            while rest:  # a disk that is nearly full takes a part of it, and refuses the next one
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)

    def rollback_target(self, current: str | None) -> str | None:
        return rollback_target(self.records(), current, self.usable())

    def rollback_targets(self, current: str | None) -> list[str]:
        return rollback_targets(self.records(), current, self.usable())


def installer_uid(*, foreseen: bool) -> int | None:
    try:
        return pwd.getpwnam(INSTALLER).pw_uid
    except KeyError:
        return NOBODY if foreseen else None
