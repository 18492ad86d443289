# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration as one transaction: stage, test the whole, switch, prove, or go back.

Works on a directory (`Store`) and knows nginx only through the `Nginx` protocol.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import unchanged
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.authority import Authority
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    Change,
    NginxError,
    Request,
    Signing,
    check_request,
    decide,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.service import (
    Nginx,
    messages,
    refusal,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.store import Store
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.vhosts import Vhost, vhosts


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one call did, or in check mode would do."""

    changes: tuple[Change, ...]
    tested: bool
    reloaded: bool
    recovered: bool
    warnings: tuple[str, ...]
    started: bool = False
    enabled: bool = False
    sets: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()  # directories that workers could not enter

    @property
    def changed(self) -> bool:
        return bool(self.changes or self.opened or self.recovered or self.started or self.enabled)


class Transaction:
    def __init__(self, root: Path, state: Path, nginx: Nginx) -> None:
        self._root = root
        self._state = state
        self._nginx = nginx
        self._store = Store(root, state)
        self._touched = False  # whether the configuration may be another than was found
        self._signed = False  # whether the CA of the host has made something

    # -- entry point

    def apply(self, request: Request, *, check: bool = False, reload: bool = True) -> Outcome:
        """Bring the set to its wanted state, or leave everything as it was and raise.

        Where the disk fails after the switch, the error says that something may have changed.
        """
        check_request(request)
        try:
            if check:
                return self._apply(request, check=True, reload=reload)
            self._require_nginx()
            with self._store.locked():
                for leftover in self._state.glob("staged-*"):
                    if leftover.is_dir():  # and not the key of a certificate called so
                        shutil.rmtree(leftover)
                return self._apply(request, check=False, reload=reload)
        except OSError as error:
            raise NginxError(
                f"Set {request.name!r} could not be put into {self._root}: {_reason(error)}. "
                "The configuration "
                + ("may have been changed; run this again." if self._touched else "is as it was.")
            ) from error

    def _apply(self, request: Request, *, check: bool, reload: bool) -> Outcome:
        warnings: list[str] = []
        recovered = self._store.switching
        if recovered:
            warnings.append(
                "An earlier run was cut off between its first and its last file; "
                + ("its changes are still there." if check else "its changes were undone first.")
            )
            if not check:
                self._touched = True
                self._store.restore()
        started = request.started and self._nginx.installed() and not self._nginx.active()
        enabled = request.started and self._nginx.installed() and not self._nginx.enabled()
        managed = self._store.managed()
        given = request
        try:
            request, changes = self._decide(given, managed)
            if not check and self._sign(given.signing):
                request, changes = self._decide(given, managed)
            # What was put back after a power cut is not loaded untested either.
            loaded = any(change.loaded for change in changes)
            untested = loaded or started or (recovered and not check)
            served = self._test(request.name, changes, check, warnings) if untested else None
        except NginxError as error:
            raise error if recovered or self._signed else NginxError(unchanged(error)) from None
        closed = self._store.closed(request.wanted)
        reloaded = False
        if not check:
            if changes:
                self._switch(changes)
            if started:
                self._load(request.name, served or (), start=True)
            elif (loaded or recovered) and reload and self._nginx.active():
                self._load(request.name, served or (), start=False)
                reloaded = True
            self._store.open(closed)
            self._store.sweep(changes)
            self._store.forget_undo()
            self._store.write_manifest(request)
            if enabled:
                self._enable()
        sets = {name for name in managed if name != request.name}
        sets |= {request.name} if request.wanted else set()
        return Outcome(
            changes,
            served is not None,
            reloaded,
            recovered,
            tuple(warnings),
            started,
            enabled,
            tuple(sorted(sets)),
            tuple(closed),
        )

    # -- reading

    def _decide(
        self, request: Request, managed: Mapping[str, frozenset[str]]
    ) -> tuple[Request, tuple[Change, ...]]:
        """The request with the certificates as they are now, and what has to change for it."""
        if signing := request.signing:
            authority = Authority(self._state, signing.authority, signing.days)
            signed = authority.files(signing.certificates, signing.owner)
            request = dataclasses.replace(request, wanted={**request.wanted, **signed})
        paths = {*request.wanted, *request.absent, *managed.get(request.name, ())}
        read = self._store.read_by_workers(request.name)
        found = {path: self._store.find(path, workers=path in read) for path in paths}
        return request, decide(request, found, managed)

    def _sign(self, signing: Signing | None) -> bool:
        """Sign what is due; whether anything was."""
        if signing is None:
            return False
        authority = Authority(self._state, signing.authority, signing.days)
        due = authority.due(signing.certificates)
        if due:
            self._signed = True
            authority.sign(due)
        return bool(due)

    def _require_nginx(self) -> None:
        if not (self._nginx.installed() and self._root.is_dir()):
            raise NginxError(
                f"nginx is not installed on this host (no program, or no {self._root}): install "
                "it first, for example with the role twelvefactor.deploy.nginx."
            )

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

    def _switch(self, changes: Sequence[Change]) -> None:
        recovered, self._touched = self._touched, True
        try:
            self._store.switch(changes)
        except OSError:
            # It has undone what it did, unless the record for that is still there.
            self._touched = recovered or self._store.switching
            raise

    def _enable(self) -> None:
        try:
            self._nginx.enable()
        except NginxError as error:
            raise NginxError(
                f"{error} nginx runs with the files of this run, but is not started at boot."
            ) from error

    def _load(self, name: str, served: Sequence[Vhost], *, start: bool) -> None:
        try:
            (self._nginx.start if start else self._nginx.reload)(served)
        except NginxError as error:
            after = ""
            if self._store.switching:
                self._store.restore()
                after = " The previous files are back."
            words = str(error)
            if start and not self._nginx.active():
                # systemd goes on trying, with the previous files
                raise NginxError(refusal(name, words, "did not start with", after)) from error
            try:
                self._nginx.reload(())
            except NginxError as again:
                words += f" (The previous configuration could not be reloaded either: {again})"
            after = " The previous files are back and nginx serves the previous configuration."
            raise NginxError(refusal(name, words, "did not load", after)) from error


def _reason(error: OSError) -> str:
    """What the system said, also of a tree that could not be copied: there its first word."""
    if isinstance(error, shutil.Error):
        [(_source, where, words), *_rest] = error.args[0]
        return f"{where}: {str(words).rpartition('] ')[2].partition(': ')[0]}"
    return f"{error.filename or 'a file'}: {error.strerror}"
