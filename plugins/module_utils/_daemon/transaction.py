# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon as one transaction: check, switch, reload or restart, prove, or go back."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import (
    NOTHING,
    RELOAD,
    RESTART,
    START,
    STOP,
    Change,
    File,
    Owned,
    Plan,
    Request,
    Status,
    Step,
    WantedFile,
    decide,
    dropped_units,
    is_template,
    paths_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.proof import Prover
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.store import Store, find
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.unit import Systemd
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run

CHECK_SECONDS = 120.0  # in which a program judges its file
PROVEN = (START, RESTART, RELOAD)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one call did, or in check mode would do."""

    plan: Plan
    proven: bool
    recovered: bool
    warnings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return not self.plan.idle or self.recovered


class Transaction:
    """One daemon of a host."""

    def __init__(self, store: Store, systemd: Systemd, prover: Prover, timeout: float) -> None:
        self._store = store
        self._systemd = systemd
        self._prover = prover
        self._timeout = timeout
        self._warnings: list[str] = []

    def apply(self, request: Request, *, check: bool) -> Outcome:
        """Bring the daemon to its wanted state, or leave everything as it was and raise."""
        if check:
            return self._apply(request, check=True)
        if not self._systemd.running():
            raise DeployError("This host does not run systemd, which a daemon needs.")
        with self._store.locked():
            return self._apply(request, check=False)

    def _apply(self, request: Request, *, check: bool) -> Outcome:
        recovered = self._store.interrupted()
        past = {}
        if recovered:
            past = self._store.found_before()
            self._warnings.append(
                "An earlier run was interrupted before it was complete; "
                + ("its changes are still there." if check else "its changes were undone first.")
            )
            if not check:
                self._undo_interrupted()
        owned = self._store.owned()
        mine = owned.get(request.name, Owned())
        found = {path: find(path) for path in paths_of(request, mine)}
        found |= {path: side for path, side in past.items() if path in found}
        names = {unit.name for unit in request.units} | set(dropped_units(request, mine))
        status = self._systemd.settled_status(name for name in names if not is_template(name))
        try:
            plan = decide(request, found, owned, status)
            if request.present:
                self._check_files(request, plan.changes, status, check=check)
        except DeployError as error:
            raise error if recovered else DeployError(f"{error} Nothing was changed.") from None
        if check:
            return Outcome(plan, False, recovered, tuple(self._warnings))
        proven = False
        if not plan.idle:
            self._store.write_undo(plan.changes, _remember(plan, status))
            proven = self._change(request, plan, status)
        self._store.write_owned(_owned(request))
        self._store.forget_undo()
        return Outcome(plan, proven, recovered, tuple(self._warnings))

    # -- checking

    def _check_files(
        self,
        request: Request,
        changes: Sequence[Change],
        status: Mapping[str, Status],
        *,
        check: bool,
    ) -> None:
        """Let each changed file be judged by its program, in a copy of all files of the daemon."""
        changed = {change.path for change in changes if change.after is not None}
        if not any(file.path in changed for file in request.files):
            return
        base = None if check else self._store.staging
        with tempfile.TemporaryDirectory(prefix="staged-", dir=base) as directory:
            staged = Path(directory)
            for file in request.files:
                _stage(staged, file)
            for file in request.files:
                if file.check and file.path in changed:
                    self._check_file(staged, file, check=check)
            units = [file for file in request.files if file.unit]
            if any(file.path in changed for file in units):
                programs = [each.path for each in request.files if each.is_program]
                self._check_units(staged, units, status, programs, check=check)

    def _check_units(
        self,
        staged: Path,
        files: Sequence[WantedFile],
        status: Mapping[str, Status],
        programs: Collection[str],
        *,
        check: bool,
    ) -> None:
        own = dict.fromkeys((file.unit for file in files), False)
        for file in files:
            path = Path(file.path)
            own[file.unit] = own[file.unit] or path.name == file.unit
            above = path.parent if path.name == file.unit else path.parent.parent
        fragments = {name: seen.fragment for name, seen in status.items()}
        place = staged / str(above).lstrip("/")
        warning = self._systemd.verify(place, own, fragments, programs, check=check)
        if warning:
            self._warnings.append(warning)

    def _check_file(self, staged: Path, file: WantedFile, *, check: bool) -> None:
        path = str(staged / file.path.lstrip("/"))
        command = [argument.replace("%s", path) for argument in file.check]
        try:
            status, output = run(command, f"check {file.path}", CHECK_SECONDS)
        except DeployError as error:
            if check and "is missing on this host" in str(error):
                self._warnings.append(f"{file.path} was not checked: {command[0]} is missing.")
                return
            raise
        if status:
            words = " ".join(output.replace(str(staged), "").split())[-1000:]
            if file.secret:
                words = "what it said is not shown, because the file is secret"
            raise DeployError(f"{file.check[0]} refuses {file.path} (exit code {status}): {words}.")

    # -- changing

    def _change(self, request: Request, plan: Plan, status: Mapping[str, Status]) -> bool:
        """Do the plan and prove it. Raises DeployError after everything was put back."""
        touched: list[Step] = []
        try:
            for step in plan.steps:
                if step.dropped and not step.idle:
                    touched.append(step)
                    self._do(step)
            self._store.switch(plan.changes)
            if plan.daemon_reload:
                self._systemd.daemon_reload()
            loaded = self._systemd.status(s.unit for s in plan.steps if s.action == RESTART)
            for step in plan.steps:
                if step.dropped:
                    # systemd would keep a failed unit, as one without a file
                    self._systemd.reset_failed(step.unit)
                elif not step.idle:
                    touched.append(step)
                    self._do(self._unless_restarted(step, loaded))
            proven = [step.unit for step in plan.steps if step.action in PROVEN]
            if proven:
                allowed = {
                    s.unit: status[s.unit].restarts for s in plan.steps if s.action == RELOAD
                }
                beside = {s.unit for s in plan.steps if not s.dropped} - set(proven)
                self._prover.prove(proven, allowed, beside)
            return bool(proven)
        except BaseException as error:
            trouble = self._put_back(plan, touched)
            if not isinstance(error, (DeployError, OSError)):
                raise
            raise DeployError(
                f"Could not change the daemon {request.name!r}: {_reason(error)} "
                + (trouble or "Everything is as it was before.")
            ) from error

    def _unless_restarted(self, step: Step, loaded: Mapping[str, Status]) -> Step:
        """A start instead of a restart of what has stopped or was restarted since its files are in place.

        systemd does that with each unit that requires one which is restarted.
        """
        if step.action != RESTART or not loaded[step.unit].active:
            return step
        now = self._systemd.status([step.unit])[step.unit]
        if now.active and now.invocation == loaded[step.unit].invocation:
            return step
        return dataclasses.replace(step, action=START)

    def _do(self, step: Step) -> None:
        """One unit: enabled or not, and then what its action says."""
        if step.enablement:
            self._systemd.set_enablement(step.enablement, step.unit)
        if step.action == NOTHING:
            return
        if step.action in (START, RESTART):
            # restarts are counted from now on, and failures of before do not prevent the start
            self._systemd.reset_failed(step.unit)
        services: list[str] = []
        if step.action == RESTART and step.unit.endswith(".socket"):
            # systemd refuses to bind a socket while its service has it
            triggered = self._systemd.status(self._systemd.status([step.unit])[step.unit].triggers)
            services = [name for name, seen in triggered.items() if seen.active]
        for service in services:
            self._systemd.act(STOP, service)
        try:
            self._systemd.act(step.action, step.unit)
        except DeployError as error:
            raise DeployError(f"{error}{self._prover.last_messages([step.unit])}.") from None
        for service in services:
            self._systemd.act(START, service)

    # -- going back

    def _put_back(self, plan: Plan, touched: Sequence[Step]) -> str:
        """Files, enablement and what ran before. Gives what could not be put back, or nothing."""
        try:
            before = self._store.units_before()
            self._leave(before, [step.unit for step in touched])
            self._store.restore()
            self._systemd.daemon_reload()
            restarted = []
            for step in touched:
                was = before[step.unit]
                if step.enablement and was["enabled"]:
                    self._systemd.set_enablement("reenable", step.unit)
                if was["steady"]:
                    self._run_again(step)
                    restarted.append(step.unit)
                elif was["active"]:
                    # one that did not stay up before: systemd goes on trying
                    with contextlib.suppress(DeployError):
                        self._run_again(step)
            restarted += self._start_stopped(before)
            if restarted:
                seen = self._systemd.status(restarted)
                allowed = {name: unit.restarts for name, unit in seen.items()}
                self._prover.wait_active(restarted, allowed, time.monotonic() + self._timeout)
        except (DeployError, OSError) as error:
            # The record stays: the next run goes on from here.
            return f"Going back failed, too: {_reason(error)} The next run tries it again."
        self._store.forget_undo()
        return ""

    def _start_stopped(self, before: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Start what systemd has stopped along with another unit, which it requires."""
        seen = self._systemd.status(before)
        stopped = [name for name, was in before.items() if was["steady"] and not seen[name].active]
        for name in stopped:
            self._run_again(Step(name, RESTART))
        return stopped

    def _run_again(self, step: Step) -> None:
        if step.action == RELOAD and self._systemd.status([step.unit])[step.unit].active:
            self._systemd.act(RELOAD, step.unit)
            return
        self._systemd.reset_failed(step.unit)
        self._do(Step(step.unit, RESTART))

    def _leave(self, before: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> None:
        """Stop and disable what was not running or not enabled before, while its file is there."""
        seen = self._systemd.status(names)
        for name in reversed(names):
            if not before[name]["active"]:
                if not seen[name].state.startswith("inactive"):
                    self._systemd.act(STOP, name)
                self._systemd.reset_failed(name)
            if not before[name]["enabled"] and seen[name].enabled:
                self._systemd.set_enablement("disable", name)

    def _undo_interrupted(self) -> None:
        """Undo what an earlier run has left. Interrupted in turn, it is undone once more.

        How far that run came nobody knows: what ran before it is started again. Where that fails,
        the present run is what may mend it.
        """
        before = self._store.units_before()
        self._leave(before, list(before))
        self._store.restore()
        self._systemd.daemon_reload()
        seen = self._systemd.status(before)
        for name, unit in before.items():
            try:
                if unit["enabled"] and not seen[name].enabled:
                    self._systemd.set_enablement("enable", name)
                if unit["active"]:
                    self._run_again(Step(name, RESTART))
            except DeployError as error:
                self._warnings.append(f"After the interrupted run was undone: {error}")
        self._store.forget_undo()


def _stage(staged: Path, file: WantedFile) -> None:
    if not isinstance(file.file, File):
        return
    path = staged / file.path.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.file.content)
    path.chmod(file.file.mode & 0o666 if not file.secret else 0o600)


def _remember(plan: Plan, status: Mapping[str, Status]) -> dict[str, dict[str, Any]]:
    """What the units of a plan are now, for the way back."""
    return {
        step.unit: {
            "active": status[step.unit].active,
            "steady": status[step.unit].steady,
            "enabled": status[step.unit].enabled,
        }
        for step in plan.steps
    }


def _owned(request: Request) -> Owned:
    if not request.present:
        return Owned()
    return Owned(
        frozenset(file.path for file in request.files),
        frozenset(request.directories),
        tuple(unit.name for unit in request.units),
        frozenset(file.path for file in request.files if file.secret),
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror}."
    return str(error)
