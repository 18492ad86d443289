# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration as one transaction: stage, test the whole, switch, prove, or go back.

Works on a directory and knows nginx only through the `Nginx` protocol.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    sync_directory,
    sync_filesystem,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import Busy, flocked
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    Change,
    File,
    Found,
    Link,
    NginxError,
    Request,
    check_request,
    decide,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.service import (
    Nginx,
    messages,
    refusal,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.vhosts import Vhost, vhosts

LOCK_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one call did, or in check mode would do."""

    changes: tuple[Change, ...]
    tested: bool
    reloaded: bool
    recovered: bool
    warnings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return bool(self.changes) or self.recovered


class Transaction:
    """One configuration directory `root`, with the record of who owns what in `state`.

    state/sets/<name>.json   the paths that a set owns
    state/undo/              while a switch is under way: how to go back. Found at the start of a
                             run, it means that an earlier one was cut off.
    """

    def __init__(self, root: Path, state: Path, nginx: Nginx) -> None:
        self._root = root
        self._state = state
        self._nginx = nginx
        self._sets = state / "sets"
        self._undo = state / "undo"

    # -- entry point

    def apply(self, request: Request, *, check: bool = False, reload: bool = True) -> Outcome:
        """Bring the set to its wanted state, or leave everything as it was and raise."""
        check_request(request)
        try:
            if check:
                return self._apply(request, check=True, reload=reload)
            self._require_nginx()
            with self._locked():
                for leftover in self._state.glob("staged-*"):
                    shutil.rmtree(leftover)
                return self._apply(request, check=False, reload=reload)
        except OSError as error:
            raise NginxError(
                f"Set {request.name!r} could not be put into {self._root}: {_reason(error)}. "
                "The configuration is as it was."
            ) from error

    def _apply(self, request: Request, *, check: bool, reload: bool) -> Outcome:
        warnings: list[str] = []
        recovered = self._undo.exists()
        if recovered:
            warnings.append(
                "An earlier run was cut off between its first and its last file; "
                + ("its changes are still there." if check else "its changes were undone first.")
            )
            if not check:
                self._restore()
        managed = self._managed()
        paths = {*request.wanted, *request.absent, *managed.get(request.name, ())}
        changes = decide(request, {path: self._find(path) for path in paths}, managed)
        # What was put back after a power cut is not loaded untested either.
        untested = changes or (recovered and not check)
        served = self._test(request.name, changes, check, warnings) if untested else None
        reloaded = False
        if not check:
            if changes:
                self._switch(changes)
            if (changes or recovered) and reload and self._nginx.active():
                self._reload(request.name, served or ())
                reloaded = True
            self._forget_undo()
            self._write_manifest(request)
        return Outcome(changes, served is not None, reloaded, recovered, tuple(warnings))

    # -- reading

    def _require_nginx(self) -> None:
        if not (self._nginx.installed() and self._root.is_dir()):
            raise NginxError(
                f"nginx is not installed on this host (no program, or no {self._root}): install "
                "it first, for example with the role twelvefactor.deploy.nginx."
            )

    def _managed(self) -> dict[str, frozenset[str]]:
        if not self._sets.is_dir():
            return {}
        return {
            manifest.stem: frozenset(json.loads(manifest.read_text("utf-8"))["paths"])
            for manifest in self._sets.glob("*.json")
        }

    def _find(self, path: str) -> Found:
        parent = self._root
        for part in PurePosixPath(path).parts[:-1]:
            parent /= part
            if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
                raise NginxError(f"Cannot write {path!r}: {parent} is not a directory.")
        live = self._root / path
        try:
            status = live.lstat()
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(status.st_mode):
            return Link(os.readlink(live))
        if not stat.S_ISREG(status.st_mode):
            raise NginxError(f"{live} is neither a file nor a link: it cannot be replaced.")
        mode = stat.S_IMODE(status.st_mode)
        return File(live.read_bytes(), mode, (status.st_uid, status.st_gid))

    # -- testing

    def _test(
        self, name: str, changes: Sequence[Change], check: bool, warnings: list[str]
    ) -> tuple[Vhost, ...] | None:
        """The vhosts of the whole configuration with the changes in it; None: it was not tested."""
        if check:
            unknown = [c.path for c in changes if c.after and c.after.content is None]
            if unknown or not (self._nginx.installed() and self._root.is_dir()):
                warnings.append(
                    "The configuration was not tested: "
                    + (f"{', '.join(unknown)} cannot be read yet." if unknown else "no nginx yet.")
                )
                return None
        base = None if check else self._state
        with tempfile.TemporaryDirectory(prefix="staged-", dir=base) as directory:
            staged = Path(directory) / self._root.name
            self._stage(staged, changes)
            answer = self._nginx.test(staged / "nginx.conf")
        output = answer.output.replace(str(staged), str(self._root))
        if answer.status:
            words = " ".join(messages(output, ("emerg", "alert", "error"))) or output.strip()
            raise NginxError(refusal(name, words))
        served = vhosts(output)
        warned = messages(output, ("warn",))
        self._refuse_conflicts(name, changes, served, warned)
        warnings.extend(f"nginx warns: {words}" for words in warned)
        return served

    def _refuse_conflicts(
        self, name: str, changes: Sequence[Change], served: Sequence[Vhost], warned: Sequence[str]
    ) -> None:
        """nginx only warns of a server that nobody would ever get to."""
        changed = {str(self._root / change.path) for change in changes if change.after}
        for vhost in served:
            conflict = f'conflicting server name "{vhost.name}" on '
            words = " ".join(words for words in warned if words.startswith(conflict))
            if words and vhost.file in changed:
                raise NginxError(refusal(name, f"{words} in {vhost.file}."))

    def _stage(self, staged: Path, changes: Sequence[Change]) -> None:
        """Copy the live tree with the changes in it.

        What names the live tree by its absolute path is made to name the staged one, so that
        such an include or certificate is tested as it will be and not as it was.
        """

        def ignore_others(directory: str, names: list[str]) -> list[str]:
            kinds = {name: os.lstat(os.path.join(directory, name)).st_mode for name in names}
            return [
                name
                for name, mode in kinds.items()
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
            ]

        shutil.copytree(self._root, staged, symlinks=True, ignore=ignore_others)
        for change in changes:
            path = staged / change.path
            if change.before is not None:
                path.unlink()
            if change.after is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(change.after.content or b"")
        old, new = f"{self._root}/", f"{staged}/"
        for directory, subdirectories, names in os.walk(staged):
            for name in (*subdirectories, *names):
                path = Path(directory, name)
                if path.is_symlink():
                    target = os.readlink(path)
                    if target.startswith(old):
                        path.unlink()
                        path.symlink_to(new + target.removeprefix(old))
                elif path.is_file():
                    content = path.read_bytes()
                    if old.encode() in content:
                        path.write_bytes(content.replace(old.encode(), new.encode()))

    # -- switching

    def _switch(self, changes: Sequence[Change]) -> None:
        """Put the changes into the live tree: all that can fail first, then only renames."""
        created: list[Path] = []
        ready: list[tuple[Path, Path]] = []
        try:
            for change in changes:
                if change.after is None:
                    continue
                live = self._root / change.path
                created.extend(_make_parents(live.parent))
                ready.append((_write_beside(live, change.after), live))
            self._write_undo(changes, created)
        except BaseException:
            _remove(candidate for candidate, live in ready)
            for directory in reversed(created):
                directory.rmdir()
            raise
        try:
            for candidate, live in ready:
                candidate.rename(live)
            for change in changes:
                if change.after is None:
                    (self._root / change.path).unlink(missing_ok=True)
        except BaseException:
            _remove(candidate for candidate, live in ready)
            self._restore()
            raise

    def _write_undo(self, changes: Sequence[Change], created: Sequence[Path]) -> None:
        unready = self._state / "undo.unready"
        if unready.exists():
            shutil.rmtree(unready)
        unready.mkdir(mode=0o700)
        record: dict[str, list[str]] = {"back": [], "gone": [], "directories": []}
        for change in changes:
            if change.before is None:
                record["gone"].append(change.path)
            else:
                _copy(self._root / change.path, unready / str(len(record["back"])))
                record["back"].append(change.path)
        record["directories"] = [str(path.relative_to(self._root)) for path in created]
        _write_synced(unready / "undo.json", json.dumps(record).encode())
        # A power cut must not leave a record whose files are empty, nor files that were switched
        # and no record.
        sync_filesystem(unready)
        unready.rename(self._undo)
        sync_directory(self._state)

    def _restore(self) -> None:
        """Make the live tree what it was, whatever part of the switch was done."""
        record = json.loads((self._undo / "undo.json").read_text("utf-8"))
        for number, path in enumerate(record["back"]):
            live = self._root / path
            _make_parents(live.parent)
            beside = live.with_name(f".{live.name}.previous")
            beside.unlink(missing_ok=True)
            _copy(self._undo / str(number), beside)
            beside.rename(live)
        for path in record["gone"]:
            (self._root / path).unlink(missing_ok=True)
            _candidate(self._root / path).unlink(missing_ok=True)
        for path in record["back"]:
            _candidate(self._root / path).unlink(missing_ok=True)
        for path in reversed(record["directories"]):
            directory = self._root / path
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
        self._forget_undo()

    def _forget_undo(self) -> None:
        if self._undo.exists():
            sync_filesystem(self._root)  # what it would undo, or has undone, is as it is to stay
            # Renamed first: half of a record must never be found by the next run.
            done = self._state / "undo.done"
            if done.exists():
                shutil.rmtree(done)
            self._undo.rename(done)
            shutil.rmtree(done)

    def _reload(self, name: str, served: Sequence[Vhost]) -> None:
        try:
            self._nginx.reload(served)
        except NginxError as error:
            if self._undo.exists():
                self._restore()
            words = str(error)
            try:
                self._nginx.reload(())
            except NginxError as again:
                words += f" (The previous configuration could not be reloaded either: {again})"
            raise NginxError(refusal(name, words, reloading=True)) from error

    def _write_manifest(self, request: Request) -> None:
        manifest = self._sets / f"{request.name}.json"
        content = json.dumps({"paths": sorted(request.wanted)}, indent=1).encode() + b"\n"
        if not request.wanted:
            manifest.unlink(missing_ok=True)
        elif not manifest.exists() or manifest.read_bytes() != content:
            self._sets.mkdir(exist_ok=True)
            beside = manifest.with_name(f".{manifest.name}")
            _write_synced(beside, content)
            beside.rename(manifest)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One transaction at a time on a host."""
        _make_parents(self._state.parent)
        self._state.mkdir(mode=0o700, exist_ok=True)
        try:
            with flocked(self._state, LOCK_SECONDS):
                yield
        except Busy:
            raise NginxError(
                f"Another change of {self._root} has been under way for {LOCK_SECONDS:.0f} s; "
                f"`fuser {self._state}` on the host says whose. Try again later."
            ) from None


def _reason(error: OSError) -> str:
    """What the system said, also of a tree that could not be copied: there its first word."""
    if isinstance(error, shutil.Error):
        [(_source, where, words), *_rest] = error.args[0]
        return f"{where}: {str(words).rpartition('] ')[2].partition(': ')[0]}"
    return f"{error.filename or 'a file'}: {error.strerror}"


def _candidate(live: Path) -> Path:
    # A name that no include pattern of nginx matches.
    return live.with_name(f".{live.name}.candidate")


def _remove(candidates: Iterable[Path]) -> None:
    for candidate in candidates:
        candidate.unlink(missing_ok=True)


def _make_parents(directory: Path) -> list[Path]:
    """Create what is missing of `directory`; the ones created, outermost first."""
    if directory.is_dir():
        return []
    created = _make_parents(directory.parent)
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    return [*created, directory]


def _write_beside(live: Path, wanted: File) -> Path:
    candidate = _candidate(live)
    candidate.unlink(missing_ok=True)
    descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(wanted.content or b"")
            stream.flush()
            os.fchown(descriptor, *wanted.owner)
            os.fchmod(descriptor, wanted.mode)
            os.fsync(descriptor)
    except BaseException:
        candidate.unlink(missing_ok=True)
        raise
    return candidate


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a link with its mode, times and owner."""
    status = source.lstat()
    shutil.copy2(source, target, follow_symlinks=False)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
