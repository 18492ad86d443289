# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments on a disk: what is there, and how one takes another's place."""

from __future__ import annotations

import contextlib
import csv
import ctypes
import dataclasses
import errno
import os
import pathlib
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    sync_directory,
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import (
    Busy,
    exclusive,
    name_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.processes import (
    command_line,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment.plan import (
    Environment,
    Found,
    Place,
    Request,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    installed_packages,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    satisfies,
)

# In an environment that is complete, and written last: the lock that it was made from.
STAMP = "environment.lock"
PYVENV = "pyvenv.cfg"
PROC = pathlib.Path("/proc")
AT_FDCWD = -100  # linux/fcntl.h
RENAME_EXCHANGE = 2  # linux/fs.h


class Store:
    """The environments of one path: directories in ``<path>.d``, one of which ``path`` links to."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.directory = path.with_name(f"{path.name}.d")

    # --- what is there

    def inspect(self, request: Request | None) -> Found:
        """What is on the host. What has the key of ``request`` is checked for damage."""
        place, target = self._place()
        names = sorted(os.listdir(self.directory)) if self.directory.is_dir() else []
        complete = [name for name in names if (self.directory / name / STAMP).is_file()]
        used = self._in_use(complete)
        environments = []
        for name in complete:
            root = self.directory / name
            found = Environment(name, installed_packages(root), in_use=name in used)
            if request and found.key == request.key:
                found = dataclasses.replace(found, problem=damage(root, request))
            environments.append(found)
        if place is Place.LINK and target not in complete:
            place = Place.BROKEN_LINK
        return Found(
            place,
            target,
            tuple(environments),
            tuple(name for name in names if name not in complete),
            installed_packages(self.path) if place is Place.VIRTUALENV else {},
        )

    def _place(self) -> tuple[Place, str]:
        if self.path.is_symlink():
            target = os.readlink(self.path)
            resolved = pathlib.Path(os.path.normpath(self.path.parent / target))
            if resolved.parent == self.directory:
                return Place.LINK, resolved.name
            return Place.OTHER_LINK, target
        if not self.path.exists():
            return Place.NOTHING, ""
        made = self.path.is_dir() and (
            (self.path / PYVENV).is_file() or not any(self.path.iterdir())
        )
        return Place.VIRTUALENV if made else Place.OTHER, ""

    def _in_use(self, names: Collection[str]) -> set[str]:
        """Those that running programs belong to: a script's interpreter is named by its real path."""
        if not names:
            return set()
        places = {self.directory, self.directory.resolve()}
        wanted = {f"{place}/{name}/".encode(): name for name in names for place in places}
        used: set[str] = set()
        for path in PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = command_line(path)
                used |= {name for start, name in wanted.items() if start in words}
        return used

    # --- what is done

    @contextlib.contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Nobody else works on these environments meanwhile."""
        with _public_files():
            self.directory.mkdir(parents=True, exist_ok=True)
            try:
                with exclusive(name_of("locked_environment", self.path), timeout):
                    yield
            except Busy:
                raise DeployError(
                    f"Another run has been working on {self.path} for {timeout:g} s. Nothing was "
                    "changed. Wait for its end, or give more time by timeout."
                ) from None

    @contextlib.contextmanager
    def workspace(self) -> Iterator[pathlib.Path]:
        """A directory beside the environments that only root enters, and that goes at the end."""
        work = pathlib.Path(tempfile.mkdtemp(prefix=".work-", dir=self.directory))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    @contextlib.contextmanager
    def creating(self, name: str, request: Request) -> Iterator[pathlib.Path]:
        """A directory to fill. It counts when that has succeeded, and does not stay if it has not."""
        root = self.directory / name
        try:
            yield root
            problem = damage(root, request)
            if problem:
                raise DeployError(
                    f"The environment for {self.path} is not as locked: {problem}. Nothing that was "
                    "in use was changed."
                )
            write_atomically(root / STAMP, request.lock, 0o644, os.getegid())
        except BaseException:
            self.remove(name)
            raise

    def flip(self, name: str) -> None:
        """Let the link name an environment. At no time is there none if there was one."""
        link = self.directory / ".link"
        self.remove(link.name)
        link.symlink_to(pathlib.Path(self.directory.name) / name)
        if self.path.is_symlink() or not self.path.exists():
            os.replace(link, self.path)
        else:
            self._replace_directory(link)
        sync_directory(self.path.parent)

    def _replace_directory(self, link: pathlib.Path) -> None:
        try:
            exchange(link, self.path)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise
            # A filesystem that cannot swap two names: for a moment there is neither.
            replaced = self.directory / ".replaced"
            self.remove(replaced.name)
            os.rename(self.path, replaced)
            os.rename(link, self.path)
            link = replaced
        self.remove(link.name)

    def remove(self, name: str) -> None:
        """Remove what is in the store. What is cut off here is not taken for complete."""
        path = self.directory / name
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            (path / STAMP).unlink(missing_ok=True)
            shutil.rmtree(path)

    def remove_all(self) -> None:
        """The link first, so that nobody finds half an environment behind it."""
        if self.path.is_symlink():
            self.path.unlink()
        elif self.path.exists():
            gone = self.directory / ".replaced"
            self.remove(gone.name)
            os.rename(self.path, gone)
        for name in sorted(os.listdir(self.directory)):
            self.remove(name)
        self.directory.rmdir()


@contextlib.contextmanager
def _public_files() -> Iterator[None]:
    """What root installs, others run, whatever root's umask is."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def site_packages(root: pathlib.Path) -> pathlib.Path:
    found = sorted(root.glob("lib/python3.*/site-packages"))
    if not found:
        raise DeployError(f"{root} has no lib/python3.*/site-packages.")
    return found[0]


def damage(root: pathlib.Path, request: Request) -> str:
    """What of an environment is not as it was made; empty when nothing is.

    Files are compared by presence and size. Their contents are not: nobody but root can change
    them, and reading them all would take seconds.
    """
    if not os.access(root / "bin" / "python", os.X_OK):
        return "its interpreter is missing"
    packages = installed_packages(root)
    wanted = request.packages
    missing = sorted(wanted.keys() - packages.keys())
    if missing:
        return f"{', '.join(missing)} is missing"
    other = [
        f"{name} {version}"
        for name, version in packages.items()
        if name not in wanted or not _same_version(version, wanted[name])
    ]
    if other:
        return f"{', '.join(other)} is not locked"
    site = site_packages(root)
    for record in sorted(site.glob("*.dist-info/RECORD")):
        lost = _lost_file(record)
        if lost:
            return f"{lost} is missing or incomplete"
    return _changed_file(site, request.files)


def _same_version(found: str, wanted: str) -> bool:
    """A wheel may spell its version in another way than the lock: 1.0 and 1.0.0."""
    with contextlib.suppress(DeployError):
        return found == wanted or satisfies(found, f"=={wanted}")
    return False


def _lost_file(record: pathlib.Path) -> str:
    """The first file of a package that is gone or has another size than its list says."""
    site = record.parent.parent
    try:
        with record.open(encoding="utf-8", newline="") as file:
            rows = [(name, size) for name, _hash, size in csv.reader(file)]
    except (OSError, ValueError, csv.Error):
        return str(record.relative_to(site))
    for name, size in rows:
        if name.endswith(".pyc"):  # compiled again on this host
            continue
        try:
            found = os.stat(site / name).st_size
        except (OSError, ValueError):
            return name
        if size not in ("", str(found)):
            return name
    return ""


def _changed_file(site: pathlib.Path, files: Mapping[str, str]) -> str:
    for name, content in files.items():
        try:
            same = (site / name).read_bytes() == content.encode()
        except OSError:
            same = False
        if not same:
            return f"{name} is missing or has another content"
    return ""


def exchange(one: pathlib.Path, other: pathlib.Path) -> None:
    """Swap what two names stand for, at once (renameat2(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(
        AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), ctypes.c_uint(RENAME_EXCHANGE)
    ):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(other))
