# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The static files of an app's releases, all of them in one directory that a web server can read.

A page of the old release asks for its files when the new one serves already, and behind a load
balancer the other way round too. So what any installed release has is there; where two have another
file under the same name, the release that serves has the last word.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import glob
import os
import pathlib
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    candidate,
    link_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

LINK = "release"
RELEASES = "releases"
WEB_ROOT = "/var/www"


@dataclass(frozen=True)
class StaticFile:
    """A regular file; where it is does not make it another one."""

    size: int
    mtime_ns: int
    path: pathlib.Path = field(compare=False)


@dataclass(frozen=True)
class Changes:
    """Names relative to the directory of the published files."""

    publish: tuple[str, ...]
    remove: tuple[str, ...]


def check_directories(directories: Mapping[str, str]) -> None:
    """Raise DeployError for a name that leads out of where it should be, or into our own."""
    for name in (*directories.keys(), *directories.values()):
        parts = pathlib.PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise DeployError(
                f"directories: {name!r} is not a relative path without '..', like 'static'."
            )
    for name in directories:
        if pathlib.PurePosixPath(name).parts[0] in (LINK, RELEASES):
            raise DeployError(f"directories: {name!r} is a name that is needed for releases.")


def serving_last(installed: list[str], current: str | None) -> list[str]:
    """The releases in the order in which a later one takes precedence over those before it."""
    return sorted(installed, key=lambda release: release == current)


def decide(wanted: Mapping[str, StaticFile], found: Mapping[str, StaticFile]) -> Changes:
    """What has to be written and removed. The same content under another date is the same file."""
    return Changes(
        publish=tuple(
            name
            for name, file in sorted(wanted.items())
            if name not in found or not same(file, found[name])
        ),
        remove=tuple(sorted(found.keys() - wanted.keys())),
    )


def same(one: StaticFile, other: StaticFile) -> bool:
    if one == other:
        return True
    return one.size == other.size and filecmp.cmp(one.path, other.path, shallow=False)


def source_of(home: AppHome, release: str, directory: str) -> pathlib.Path | None:
    """A directory of a release: below its root, or below its packages."""
    root = home.releases / release
    packages = root.glob(f"venv/lib/python3*/site-packages/{glob.escape(directory)}")
    return next((path for path in (root / directory, *sorted(packages)) if path.is_dir()), None)


def files_below(top: pathlib.Path) -> Iterator[tuple[str, StaticFile]]:
    """Regular files; links are left out, a file outside could be behind one."""
    for directory, _directories, names in os.walk(top):
        for name in names:
            path = pathlib.Path(directory, name)
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                relative = path.relative_to(top).as_posix()
                yield relative, StaticFile(status.st_size, status.st_mtime_ns, path)


def wanted_files(home: AppHome, directories: Mapping[str, str]) -> dict[str, StaticFile]:
    """Name to file, for all installed releases. Raises DeployError where the newest has none."""
    installed = home.installed()
    wanted: dict[str, StaticFile] = {}
    for target, directory in directories.items():
        for release in serving_last(installed, home.current()):
            source = source_of(home, release, directory)
            if source is not None:
                wanted.update({f"{target}/{name}": file for name, file in files_below(source)})
            elif release == installed[-1]:
                raise DeployError(
                    f"Release {release} has no directory {directory!r}, neither in itself nor among "
                    "its packages. Is it part of the wheel?"
                )
    return wanted


def found_files(root: pathlib.Path, directories: Mapping[str, str]) -> dict[str, StaticFile]:
    return {
        f"{target}/{name}": file
        for target in directories
        for name, file in files_below(root / target)
    }


def unpublished(home: AppHome, directories: Mapping[str, str], base: str = WEB_ROOT) -> bool:
    """Whether anything is to be done so that all of this is published. Raises DeployError."""
    check_directories(directories)
    root, current = pathlib.Path(base) / home.app, home.current()
    changes = decide(wanted_files(home, directories), found_files(root, directories))
    renamed = current is not None and say_release(root, current, check=True)
    return bool(changes.publish or changes.remove or renamed)


def make_directory(path: pathlib.Path) -> None:
    """Make what is missing of it, readable by everybody whatever the umask is."""
    for directory in (*reversed(path.parents), path):
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
            directory.chmod(0o755)


def publish(source: pathlib.Path, target: pathlib.Path, home: AppHome) -> None:
    """Copy a file of a release, so that a reader sees all of it or none.

    The app may write into a release that its own user installed, and could put a link to anybody's
    file there, or link a directory of its path: what is opened has to be the app's own.
    """
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not home.owns(status) or not stat.S_ISREG(status.st_mode):
            raise DeployError(f"{source} is not published: it is not a file of the app's releases.")
        make_directory(target.parent)
        beside = candidate(target)
        try:
            with beside.open("wb") as copy:
                shutil.copyfileobj(file, copy)
                os.fchmod(copy.fileno(), 0o644)
            os.utime(beside, ns=(status.st_mtime_ns, status.st_mtime_ns))
            beside.rename(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def remove(root: pathlib.Path, name: str) -> None:
    """Remove a file and the directories that it leaves empty."""
    path = root / name
    path.unlink()
    with contextlib.suppress(OSError):
        for parent in path.parents:
            if parent == root:
                break
            parent.rmdir()


def say_release(root: pathlib.Path, release: str, *, check: bool) -> bool:
    """Let ``root/release`` name the release that serves; whether that is news."""
    link = root / LINK
    target = f"{RELEASES}/{release}"
    try:
        if os.readlink(link) == target:
            return False
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    if not check:
        # It has to lead somewhere for a web server to follow it.
        make_directory(root / target)
        link_atomically(link, target)
    return True


def forget_releases(root: pathlib.Path, installed: list[str], current: str) -> None:
    for path in (root / RELEASES).iterdir():
        if path.name not in (*installed, current):
            path.rmdir()
