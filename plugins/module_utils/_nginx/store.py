# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration on a disk: what is there, who owns it, and a change of it that can be taken back."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    candidate,
    sync_filesystem,
    write_atomically,
    write_candidate,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import Busy, flocked
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.undo import Undo
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    Change,
    File,
    Found,
    Link,
    NginxError,
    Request,
)

LOCK_SECONDS = 120.0


class Store:
    """One configuration directory `root`, with the record of who owns what in `state`.

    state/sets/<name>.json   the paths that a set owns, and which of them nginx's workers read
    state/undo/              while a switch is under way: how to go back. Found at the start of a
                             run, it means that an earlier one was cut off.
    """

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.state = state
        self._sets = state / "sets"
        self._undo = Undo(state)

    # -- what is there

    @property
    def switching(self) -> bool:
        """Whether a switch is under way, or was cut off."""
        return self._undo.exists()

    def managed(self) -> dict[str, frozenset[str]]:
        """The paths of each set."""
        if not self._sets.is_dir():
            return {}
        return {
            manifest.stem: frozenset(json.loads(manifest.read_text("utf-8"))["paths"])
            for manifest in self._sets.glob("*.json")
        }

    def read_by_workers(self, name: str) -> frozenset[str]:
        """Those of a set's paths. Earlier versions have written none, and did not note that."""
        try:
            given = json.loads((self._sets / f"{name}.json").read_text("utf-8"))
        except FileNotFoundError:
            return frozenset()
        return frozenset(given.get("workers", ()))

    def find(self, path: str, *, workers: bool = False) -> Found:
        parent = self.root
        for part in PurePosixPath(path).parts[:-1]:
            parent /= part
            if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
                raise NginxError(f"Cannot write {path!r}: {parent} is not a directory.")
        live = self.root / path
        try:
            status = live.lstat()
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(status.st_mode):
            return Link(os.readlink(live))
        if not stat.S_ISREG(status.st_mode):
            raise NginxError(f"{live} is neither a file nor a link: it cannot be replaced.")
        mode = stat.S_IMODE(status.st_mode)
        return File(live.read_bytes(), mode, (status.st_uid, status.st_gid), workers)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One transaction at a time on a host."""
        _make_parents(self.state.parent)
        self.state.mkdir(mode=0o700, exist_ok=True)
        try:
            with flocked(self.state, LOCK_SECONDS):
                yield
        except Busy:
            raise NginxError(
                f"Another change of {self.root} has been under way for {LOCK_SECONDS:.0f} s; "
                f"`fuser {self.state}` on the host says whose. Try again later."
            ) from None

    def closed(self, wanted: Mapping[str, File]) -> dict[str, tuple[int, int]]:
        """Directories that workers cannot enter to read their files, and who is to own them."""
        found: dict[str, tuple[int, int]] = {}
        for path, file in sorted(wanted.items()):
            for parent in PurePosixPath(path).parents[:-1] if file.workers else ():
                with suppress(FileNotFoundError):
                    status = (self.root / parent).lstat()
                    theirs = status.st_gid == file.owner[1]
                    if not status.st_mode & (stat.S_IXGRP if theirs else stat.S_IXOTH):
                        found[str(parent)] = file.owner
        return found

    def open(self, closed: Mapping[str, tuple[int, int]]) -> None:
        for path, owner in closed.items():
            _restrict([self.root / path], owner)

    # -- switching

    def switch(self, changes: Sequence[Change]) -> None:
        """Put the changes into the live tree: all that can fail first, then only renames.

        What workers read stays until nobody needs it any more: `sweep`.
        """
        created: list[Path] = []
        ready: list[Path] = []
        try:
            for change in changes:
                if change.after is None:
                    continue
                live = self.root / change.path
                parents = _make_parents(live.parent)
                created.extend(parents)
                if change.after.workers:
                    _restrict(parents, change.after.owner)
                write_candidate(
                    live, change.after.content or b"", change.after.mode, *change.after.owner
                )
                ready.append(live)
            self._write_undo(changes, created)
        except BaseException:
            _remove_candidates(ready)
            for directory in reversed(created):
                directory.rmdir()
            raise
        try:
            for live in ready:
                candidate(live).rename(live)
            self._remove(change for change in changes if change.loaded)
        except BaseException:
            _remove_candidates(ready)
            self.restore()
            raise

    def sweep(self, changes: Sequence[Change]) -> None:
        """Remove what workers of the previous configuration have read."""
        self._remove(change for change in changes if not change.loaded)

    def _remove(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.after is None:
                (self.root / change.path).unlink(missing_ok=True)

    def _write_undo(self, changes: Sequence[Change], created: Sequence[Path]) -> None:
        back = [change.path for change in changes if change.before is not None]
        record = {
            "back": back,
            "gone": [change.path for change in changes if change.before is None],
            "directories": [str(path.relative_to(self.root)) for path in created],
        }
        with self._undo.written(record) as unready:
            for number, path in enumerate(back):
                _copy(self.root / path, unready / str(number))
            # A power cut must not leave a record whose files are empty, nor files that were
            # switched and no record.
            sync_filesystem(unready)

    def restore(self) -> None:
        """Make the live tree what it was, whatever part of the switch was done."""
        record = self._undo.read()
        for number, path in enumerate(record["back"]):
            live = self.root / path
            _make_parents(live.parent)
            beside = live.with_name(f".{live.name}.previous")
            beside.unlink(missing_ok=True)
            _copy(self._undo.path / str(number), beside)
            beside.rename(live)
        for path in record["gone"]:
            (self.root / path).unlink(missing_ok=True)
        _remove_candidates(self.root / path for path in (*record["gone"], *record["back"]))
        for path in reversed(record["directories"]):
            directory = self.root / path
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
        self.forget_undo()

    def forget_undo(self) -> None:
        if self.switching:
            sync_filesystem(self.root)  # what it would undo, or has undone, is as it is to stay
            self._undo.forget()

    def write_manifest(self, request: Request) -> None:
        manifest = self._sets / f"{request.name}.json"
        given = {
            "paths": sorted(request.wanted),
            "workers": sorted(path for path, file in request.wanted.items() if file.workers),
        }
        text = json.dumps(given, indent=1) + "\n"
        if not request.wanted:
            manifest.unlink(missing_ok=True)
        elif not manifest.exists() or manifest.read_text("utf-8") != text:
            self._sets.mkdir(exist_ok=True)
            write_atomically(manifest, text, 0o600)


def _remove_candidates(paths: Iterable[Path]) -> None:
    for path in paths:
        candidate(path).unlink(missing_ok=True)


def _make_parents(directory: Path) -> list[Path]:
    """Create what is missing of `directory`; the ones created, outermost first."""
    if directory.is_dir():
        return []
    created = _make_parents(directory.parent)
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    return [*created, directory]


def _restrict(directories: Iterable[Path], owner: tuple[int, int]) -> None:
    """For the group of the workers only, as what is in them."""
    for directory in directories:
        os.chown(directory, *owner)
        directory.chmod(0o750)


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a link with its mode, times and owner."""
    status = source.lstat()
    shutil.copy2(source, target, follow_symlinks=False)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
