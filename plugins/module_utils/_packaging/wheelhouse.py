# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels in a directory or a tarball on this host, for a host that reaches no index."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import shutil
import tarfile
import zlib
from collections.abc import Collection, Iterator
from typing import IO

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    File,
    pick_wheel,
    wheel_version,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import Pin


class Wheelhouse:
    """Answers as an index does, without a network.

    What its files hash to is known from themselves only. Of what a lock names that is checked
    against the lock; the app's own wheel is taken as it is.
    """

    def __init__(self, path: str) -> None:
        self.path = pathlib.Path(path)
        self.shown = str(path)

    @contextlib.contextmanager
    def _wheels(self) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
        """Names and contents, one after the other; a name is never a path."""
        try:
            if self.path.is_dir():
                yield self._of_directory()
            else:
                with tarfile.open(self.path) as archive:
                    yield self._of_tarball(archive)
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise DeployError(
                f"The wheelhouse {self.shown} is neither a directory nor a tarball: {error}."
            ) from None
        except FileNotFoundError:
            raise DeployError(f"The wheelhouse {self.shown} does not exist on this host.") from None

    def _of_directory(self) -> Iterator[tuple[str, IO[bytes]]]:
        for path in sorted(self.path.rglob("*.whl")):
            with path.open("rb") as file:
                yield path.name, file

    def _of_tarball(self, archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            name = member.name.rpartition("/")[2]
            if file is not None and name.endswith(".whl"):
                yield name, file

    def find(self, package: str, version: str) -> File:
        """The wheel of a version."""
        own, found = canonical_name(package), dict[str, File]()
        with self._wheels() as wheels:
            for name, file in wheels:
                known = wheel_version(name)
                if known and known[0] == own and name not in found:
                    wanted = known[1] == version
                    digest = hashlib.sha256(file.read()).hexdigest() if wanted else None
                    found[name] = File(name, name, digest)
        return pick_wheel(list(found.values()), package, version, self.shown, "Put it in there.")

    def read(self, file: File) -> bytes:
        with self._wheels() as wheels:
            for name, content in wheels:
                if name == file.name:
                    return content.read()
        raise DeployError(f"{file.name} is gone from the wheelhouse {self.shown}.")

    def require(self, pins: Collection[Pin]) -> None:
        """Raise DeployError when there is no wheel at all of what is to be installed."""
        with self._wheels() as wheels:
            there = {wheel_version(name) for name, _file in wheels}
        missing = [f"{p.name} {p.version}" for p in pins if (p.name, p.version) not in there]
        if missing:
            raise DeployError(
                f"The wheelhouse {self.shown} has no wheel of {', '.join(missing)}, which the "
                "lock file names. Put it in there."
            )

    def unpack(self, pins: Collection[Pin], directory: pathlib.Path, gid: int) -> None:
        """Put the wheels that ``pins`` name where members of the group ``gid`` may read them."""
        wanted = {(pin.name, pin.version) for pin in pins}
        directory.mkdir(mode=0o700)
        os.chown(directory, os.geteuid(), gid)
        directory.chmod(0o750)
        with self._wheels() as wheels:
            for name, content in wheels:
                # of two files of one name the first counts, as above
                if wheel_version(name) in wanted and not (directory / name).exists():
                    with (directory / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
                        os.fchmod(file.fileno(), 0o640)
                        os.fchown(file.fileno(), os.geteuid(), gid)
