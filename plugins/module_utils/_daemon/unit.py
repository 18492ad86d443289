# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd, asked and told by its own programs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import (
    Status,
    template_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import BASE, run

PROPERTIES = (
    "ActiveState",
    "CanReload",
    "ControlGroup",
    "ExecMainStatus",
    "FragmentPath",
    "Id",
    "InvocationID",
    "NRestarts",
    "NeedDaemonReload",
    "Result",
    "SubState",
    "Triggers",
    "UnitFileState",
)
BOOTED = Path("/run/systemd/system")
ANSWER_SECONDS = 60.0  # in which systemd answers a question, on a host that is busy
JOURNAL_LINES = 5
PAUSE = 0.2  # seconds between two looks at a unit that stops
# What `systemd-analyze verify` says of a program or a unit that an earlier task would have installed.
MISSING_PROGRAM = " is not executable: No such file or directory"
NOT_INSTALLED = (MISSING_PROGRAM, " not found")


def parse_show(names: Sequence[str], output: str) -> dict[str, Status]:
    """What `systemctl show` says of units: blocks of properties, in the order asked for."""
    blocks = [block for block in output.strip("\n").split("\n\n") if block.strip()]
    if len(blocks) != len(names):
        raise DeployError(
            f"systemctl described {len(blocks)} units instead of {', '.join(names)}: {output[:300]}"
        )
    return {name: _status(name, block) for name, block in zip(names, blocks, strict=True)}


def _status(name: str, block: str) -> Status:
    found = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    state, sub = found.get("ActiveState", ""), found.get("SubState", "")
    restarts = found.get("NRestarts", "")
    result = found.get("Result", "")
    if result == "exit-code":
        result = f"exit code {found.get('ExecMainStatus', '?')}"
    return Status(
        name,
        # among them one that systemd is about to start again: it does what can be done already
        active=state in ("active", "reloading", "activating", "refreshing"),
        file_state=found.get("UnitFileState", ""),
        needs_daemon_reload=found.get("NeedDaemonReload") == "yes",
        can_reload=found.get("CanReload") == "yes",
        invocation=found.get("InvocationID", ""),
        restarts=int(restarts) if restarts.isdigit() else 0,
        state=f"{state} ({sub})" if sub and sub != state else state,
        result="" if result == "success" else result,
        fragment=found.get("FragmentPath", ""),
        cgroup=found.get("ControlGroup", ""),
        triggers=tuple(found.get("Triggers", "").split()),
    )


class Systemd:
    """The host's systemd. Every answer is waited for with a limit."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def running(self) -> bool:
        """Whether the host runs systemd, as sd_booted(3) finds out."""
        return BOOTED.is_dir() and shutil.which("systemctl", path=BASE["PATH"]) is not None

    def status(self, names: Iterable[str]) -> dict[str, Status]:
        """Of each unit what systemd has loaded; one that it does not know is inactive."""
        asked = sorted(set(names))
        if not asked:
            return {}
        if not self.running():
            return {name: Status(name) for name in asked}
        command = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *asked]
        return parse_show(asked, self._run(command, "ask systemd for the state of units"))

    def settled_status(self, names: Iterable[str]) -> dict[str, Status]:
        """As `status`, but not while a unit stops: only then systemd knows whether it starts it again.

        A unit that goes on stopping for the timeout counts as it is.
        """
        asked, deadline = list(names), time.monotonic() + self._timeout
        while True:
            seen = self.status(asked)
            stopping = any(status.state.startswith("deactivating") for status in seen.values())
            if not stopping or time.monotonic() >= deadline:
                return seen
            time.sleep(PAUSE)

    def daemon_reload(self) -> None:
        self._run(["systemctl", "daemon-reload"], "make systemd read its units again")

    def set_enablement(self, verb: str, name: str) -> None:
        """Systemd reads its units again after it: else it says from version 257 on that it should."""
        self._run(["systemctl", verb, "--", name], f"{verb} {name}")

    def act(self, action: str, name: str) -> None:
        """Start, stop, restart or reload a unit, and wait for the end of that."""
        self._run(["systemctl", action, "--", name], f"{action} {name}", self._timeout)

    def reset_failed(self, name: str) -> None:
        """Forget failures and restarts of a unit, so that those that follow can be told apart."""
        run(["systemctl", "reset-failed", "--", name], f"reset {name}", ANSWER_SECONDS)

    def journal(self, name: str) -> str:
        """What the unit's processes wrote last."""
        command = ["journalctl", f"--unit={name}", f"--lines={JOURNAL_LINES}", "--output=cat"]
        try:
            status, output = run([*command, "--no-pager"], "read the journal", ANSWER_SECONDS)
        except DeployError:
            return ""
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return "" if status else " | ".join(lines)

    def verify(
        self,
        staged: Path,
        units: Mapping[str, bool],
        fragments: Mapping[str, str],
        programs: Collection[str],
        *,
        check: bool,
    ) -> str:
        """Let systemd judge units in a staged directory; gives a warning, or nothing.

        `units` says of each whether its own file is staged there. A unit of a package that gets
        drop-ins only is judged with the file that systemd has of it, an instance with its template.
        `programs` are installed together with the units, so that these may name them already.
        """
        paths = []
        for name, own in sorted(units.items()):
            path = staged / name
            if not own:
                template = staged / (template_of(name) or name)
                fragment = str(template) if template.is_file() else fragments.get(name)
                if not fragment:
                    if check:
                        return f"{name} was not verified: the host does not have it yet."
                    raise DeployError(f"{name} has drop-ins, but no unit file on this host.")
                shutil.copyfile(fragment, path)
            paths.append(str(path))
        command = ["systemd-analyze", "verify", "--man=no"]
        if all(units.values()):
            # also what systemd would ignore with a warning, such as an unknown setting
            command.append("--recursive-errors=no")
        if check and shutil.which(command[0], path=BASE["PATH"]) is None:
            return "The units were not verified: the host has no systemd-analyze yet."
        status, output = run([*command, *paths], "verify the units", ANSWER_SECONDS)
        own_programs = [f"Command {path}{MISSING_PROGRAM}" for path in programs]
        lines = [
            line.replace(f"{staged}/", "")
            for line in output.splitlines()
            if line.strip() and not line.rstrip(".").endswith(tuple(own_programs))
        ]
        if status and own_programs and not lines:
            return ""
        if status and check and lines and all(_is_not_installed(line) for line in lines):
            return f"The units could not be verified completely: {' '.join(lines)}"
        if status:
            raise DeployError(f"systemd-analyze verify refuses the units: {' '.join(lines)}.")
        return ""

    def _run(self, command: Sequence[str], what: str, timeout: float = ANSWER_SECONDS) -> str:
        status, output = run(command, what, timeout, remedy="it belongs to systemd")
        if status:
            raise DeployError(f"Could not {what}: {' '.join(output.split()) or status}")
        return output


def _is_not_installed(line: str) -> bool:
    return any(words in line for words in NOT_INSTALLED)
