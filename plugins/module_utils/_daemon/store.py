# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon's files on a disk, what it owns of them, and how to get back to those of before."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import (
    Change,
    Directory,
    File,
    Found,
    Link,
    Owned,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    candidate,
    sync_filesystem,
    write_atomically,
    write_candidate,
    write_synced,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import (
    Busy,
    flocked,
    make_private,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.undo import Undo

LOCK_SECONDS = 600.0  # the start of another daemon may take minutes
MANIFEST = "manifest.json"


def find(path: str) -> Found:
    """What is at a path. Raises DeployError for anything but a file, a directory, a link or nothing."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise DeployError(f"{path}: what is above it is not a directory.") from None
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Directory(mode, status.st_uid, status.st_gid, frozenset(os.listdir(path)))
    if stat.S_ISREG(status.st_mode):
        return File(Path(path).read_bytes(), mode, status.st_uid, status.st_gid)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(path)
        if target == "/dev/null":
            raise DeployError(f"{path} is masked (a link to /dev/null): unmask it first.")
        return Link(target)
    raise DeployError(f"{path} is neither a file, a directory nor a link: it cannot be replaced.")


class Store:
    """What is kept of one daemon, below a directory that only root can enter.

    <name>/manifest.json   what the daemon consists of
    <name>/undo/           while a change is under way: how to go back. Found at the start of a run,
                           it means that an earlier one was interrupted.
    """

    def __init__(self, state: Path, name: str) -> None:
        self._state = state
        self._mine = state / name
        self._undo = Undo(self._mine)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One change of daemons at a time on a host."""
        make_private(self._state)
        try:
            with flocked(self._state, LOCK_SECONDS):
                self._mine.mkdir(mode=0o700, exist_ok=True)
                for leftover in self._mine.glob("staged-*"):
                    shutil.rmtree(leftover)
                yield
                if not any(self._mine.iterdir()):
                    self._mine.rmdir()
        except Busy:
            raise DeployError(
                f"Another change of a daemon has been under way for {LOCK_SECONDS:.0f} s; "
                f"`fuser {self._state}` on the host says whose. Try again later."
            ) from None

    @property
    def staging(self) -> Path:
        return self._mine

    # -- what daemons own

    def owned(self) -> dict[str, Owned]:
        """What each daemon of this host owns."""
        found = {}
        for path in self._state.glob(f"*/{MANIFEST}") if self._state.is_dir() else ():
            given = json.loads(path.read_text("utf-8"))
            found[path.parent.name] = Owned(
                frozenset(given["files"]),
                frozenset(given["directories"]),
                tuple(given["units"]),
                frozenset(given["secrets"]),
            )
        return found

    def write_owned(self, owned: Owned) -> None:
        """Note what the daemon consists of; nothing at all is no note."""
        given = {
            "files": sorted(owned.files),
            "directories": sorted(owned.directories),
            "units": list(owned.units),
            "secrets": sorted(owned.secrets),
        }
        self._write_manifest(json.dumps(given, indent=1) + "\n" if owned != Owned() else None)

    def _write_manifest(self, text: str | None) -> None:
        manifest = self._mine / MANIFEST
        if text is None:
            manifest.unlink(missing_ok=True)
        elif self._read_manifest() != text:
            write_atomically(manifest, text, 0o600)

    def _read_manifest(self) -> str | None:
        try:
            return (self._mine / MANIFEST).read_text("utf-8")
        except FileNotFoundError:
            return None

    # -- going forth

    def switch(self, changes: Sequence[Change]) -> None:
        """Put changes into place: all that can fail first, then only renames."""
        for change in changes:
            if isinstance(change.after, Directory):
                _make(change.path, change.after)
            elif change.after is not None:
                _write_candidate(Path(change.path), change.after)
        for change in changes:
            if isinstance(change.after, (File, Link)):
                candidate(Path(change.path)).rename(change.path)
        for change in changes:
            if change.after is None:
                if isinstance(change.before, Directory):
                    _remove_empty(change.path)
                else:
                    Path(change.path).unlink(missing_ok=True)

    # -- and back

    def write_undo(self, changes: Iterable[Change], units: Mapping[str, Mapping[str, Any]]) -> None:
        """Note how everything is, before the first change of it."""
        self.forget_undo()
        entries: list[dict[str, Any]] = []
        record = {"entries": entries, "units": units, "manifest": self._read_manifest()}
        with self._undo.written(record) as unready:
            for number, change in enumerate(changes):
                entries.append(_entry(change, str(number)))
                if isinstance(change.before, File):
                    write_synced(unready / str(number), change.before.content)

    def interrupted(self) -> bool:
        return self._undo.exists()

    def units_before(self) -> dict[str, dict[str, Any]]:
        """Of each unit whether it was active and enabled before the change under way."""
        units: dict[str, dict[str, Any]] = self._record()["units"]
        return units

    def found_before(self) -> dict[str, Found]:
        """The paths of the change under way as they were before it."""
        return {entry["path"]: self._before(entry) for entry in self._record()["entries"]}

    def restore(self) -> None:
        """Make everything on the disk what it was, whatever part of the change was done."""
        record = self._record()
        entries = record["entries"]
        for entry in entries:
            before, path = self._before(entry), entry["path"]
            if isinstance(before, Directory):
                _make(path, before)
            elif entry["kind"] == "file":
                candidate(Path(path)).unlink(missing_ok=True)
                if before is None:
                    Path(path).unlink(missing_ok=True)
                # What is as it was needs no space on a disk that may be full.
                elif find(path) != before:
                    _write_candidate(Path(path), before)
                    candidate(Path(path)).rename(path)
        for entry in reversed(entries):
            if entry["kind"] == "directory" and not entry["existed"]:
                _remove_empty(entry["path"])
        self._write_manifest(record["manifest"])

    def forget_undo(self) -> None:
        if self.interrupted():
            # What it would undo, or has undone, is as it is to stay, before the way back goes.
            for directory in _one_of_each_disk(
                entry["path"] for entry in self._record()["entries"]
            ):
                sync_filesystem(directory)
        self._undo.forget()

    def _record(self) -> dict[str, Any]:
        record = self._undo.read()
        # directories above what is in them
        record["entries"].sort(key=lambda entry: entry["path"])
        return record

    def _before(self, entry: Mapping[str, Any]) -> Found:
        if not entry["existed"]:
            return None
        if "target" in entry:
            return Link(entry["target"])
        if entry["kind"] == "directory":
            return Directory(entry["mode"], *entry["owner"])
        return File(
            (self._undo.path / entry["content"]).read_bytes(), entry["mode"], *entry["owner"]
        )


def _one_of_each_disk(paths: Iterable[str]) -> Iterable[Path]:
    """Directories of all file systems that the paths are on."""
    found: dict[int, Path] = {}
    for path in paths:
        directory = next(each for each in Path(path).parents if each.is_dir())
        found.setdefault(directory.stat().st_dev, directory)
    return found.values()


def _entry(change: Change, content: str) -> dict[str, Any]:
    """A path as it is before its change; `content` names the file with what was in it."""
    kind = "directory" if Directory in map(type, (change.before, change.after)) else "file"
    entry: dict[str, Any] = {"path": change.path, "kind": kind, "existed": False}
    before = change.before
    if before is None:
        return entry
    entry["existed"] = True
    if isinstance(before, Link):
        entry["target"] = before.target
    else:
        entry |= {"mode": before.mode, "owner": _owner(before)}
    if isinstance(before, File):
        entry["content"] = content
    return entry


def _write_candidate(path: Path, wanted: File | Link) -> None:
    """All of a file or a link beside its path."""
    if isinstance(wanted, Link):
        beside = candidate(path)
        beside.unlink(missing_ok=True)
        beside.symlink_to(wanted.target)
    else:
        write_candidate(path, wanted.content, wanted.mode, *_owner(wanted))


def _owner(side: File | Directory) -> tuple[int, int]:
    if side.uid is None or side.gid is None:
        raise DeployError("The owner of a file does not exist on this host.")
    return side.uid, side.gid


def _make(path: str, wanted: Directory) -> None:
    """Make a directory, or give it its attributes. Who owns the one above cannot redirect that."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise DeployError(
            f"{path} cannot be made: the directory above it does not exist. List it, too."
        ) from None
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(handle, *_owner(wanted))
        os.fchmod(handle, wanted.mode)
    finally:
        os.close(handle)


def _remove_empty(path: str) -> None:
    # Somebody may have put something into it in the meantime: that stays.
    with contextlib.suppress(OSError):
        os.rmdir(path)
