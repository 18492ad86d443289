# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a daemon is to consist of, what was found of it, and what follows. Touches nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TypeAlias

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

STARTED, STOPPED, UNMANAGED = "started", "stopped", "unmanaged"
RESTART, RELOAD, NOTHING = "restart", "reload", "nothing"
START, STOP = "start", "stop"
# UnitFileState of a unit that `systemctl enable` would change
NOT_ENABLED = frozenset({"", "disabled", "enabled-runtime", "linked", "linked-runtime"})


@dataclasses.dataclass(frozen=True)
class File:
    """A file, wanted or found. An owner or group of None does not exist yet."""

    content: bytes
    mode: int
    uid: int | None
    gid: int | None


@dataclasses.dataclass(frozen=True)
class Directory:
    """A directory, wanted or found. What is in it does not make two of them different."""

    mode: int
    uid: int | None
    gid: int | None
    entries: frozenset[str] = dataclasses.field(default=frozenset(), compare=False)


@dataclasses.dataclass(frozen=True)
class Link:
    """A symbolic link, wanted or found. What it leads to need not exist."""

    target: str


Found: TypeAlias = "File | Directory | Link | None"
KINDS = {File: "file", Directory: "directory", Link: "symbolic link"}


@dataclasses.dataclass(frozen=True)
class WantedFile:
    """A file or a link, and what depends on it: its checker, and what its change does to which units."""

    path: str
    file: File | Link
    secret: bool = False
    check: tuple[str, ...] = ()
    on_change: str = RESTART
    affects: tuple[str, ...] = ()
    unit: str = ""  # the unit that this file defines, or adds to

    @property
    def is_program(self) -> bool:
        return isinstance(self.file, File) and bool(self.file.mode & 0o111)


@dataclasses.dataclass(frozen=True)
class Unit:
    name: str
    state: str = STARTED
    enabled: bool | None = True


@dataclasses.dataclass(frozen=True)
class Request:
    name: str
    directories: Mapping[str, Directory]
    files: tuple[WantedFile, ...]
    units: tuple[Unit, ...]
    present: bool = True

    @property
    def has_secrets(self) -> bool:
        return any(file.secret for file in self.files)


@dataclasses.dataclass(frozen=True)
class Owned:
    """What a daemon consists of today, according to its last complete run."""

    files: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()
    units: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Status:
    """What systemd says of a unit."""

    name: str
    active: bool = False
    file_state: str = ""
    needs_daemon_reload: bool = False
    can_reload: bool = False
    invocation: str = ""
    restarts: int = 0
    state: str = "inactive"  # as systemd words it, for messages
    result: str = ""
    fragment: str = ""
    cgroup: str = ""
    triggers: tuple[str, ...] = ()

    @property
    def steady(self) -> bool:
        """Whether it runs, and is not just being started once more."""
        return self.state.startswith(("active", "reloading", "refreshing"))

    @property
    def enabled(self) -> bool:
        return self.file_state == "enabled"


@dataclasses.dataclass(frozen=True)
class Change:
    """One path before and after. `after` None: removed."""

    path: str
    before: Found
    after: Found
    secret: bool = False

    @property
    def action(self) -> str:
        if self.after is None:
            return "removed"
        return "created" if self.before is None else "updated"


@dataclasses.dataclass(frozen=True)
class Step:
    """What is done with one unit: an action, and `enable`, `reenable`, `disable` or nothing."""

    unit: str
    action: str = NOTHING
    enablement: str = ""
    dropped: bool = False

    @property
    def idle(self) -> bool:
        return self.action == NOTHING and not self.enablement


@dataclasses.dataclass(frozen=True)
class Plan:
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    daemon_reload: bool

    @property
    def idle(self) -> bool:
        return not self.changes and not self.daemon_reload and all(s.idle for s in self.steps)


def decide(
    request: Request,
    found: Mapping[str, Found],
    owned: Mapping[str, Owned],
    status: Mapping[str, Status],
) -> Plan:
    """What has to be done. `owned`: what each daemon (this one, too) consists of today.

    Raises DeployError for a file or a unit of another daemon.
    """
    refuse_shared(request, owned)
    mine = owned.get(request.name, Owned())
    changes = _changes(request, found, mine)
    effects = effects_of(request, changes)
    steps = [
        Step(name, STOP if status[name].active else NOTHING, _dropped(status[name]), dropped=True)
        for name in dropped_units(request, mine)
    ]
    if request.present:
        for unit in request.units:
            if is_template(unit.name):
                continue
            seen = status[unit.name]
            action = action_for(unit, seen, effects.get(unit.name, frozenset()))
            steps.append(Step(unit.name, action, _enablement(unit, seen, request, changes)))
    unit_files = {file.path for file in request.files if file.unit}
    gone = {path for name in mine.units for path in mine.files if is_defined_by(name, path)}
    reload = any(change.path in unit_files | gone for change in changes) or any(
        status[step.unit].needs_daemon_reload for step in steps
    )
    return Plan(changes, tuple(steps), reload)


def refuse_shared(request: Request, owned: Mapping[str, Owned]) -> None:
    """A file or a unit belongs to one daemon."""
    for other, theirs in sorted(owned.items()):
        if other == request.name:
            continue
        shared = {file.path for file in request.files} & theirs.files
        shared |= {unit.name for unit in request.units} & set(theirs.units)
        if shared:
            raise DeployError(
                f"Daemon {request.name!r} would change what belongs to the daemon {other!r}: "
                f"{', '.join(sorted(shared))}. Name it in one of the two only."
            )


def dropped_units(request: Request, mine: Owned) -> list[str]:
    """Units that are to be no more: those of the last run that are not asked for, or all."""
    names = [unit.name for unit in request.units]
    if request.present:
        dropped = [name for name in mine.units if name not in names]
    else:
        dropped = [*names, *(name for name in mine.units if name not in names)]
    return [name for name in dropped if not is_template(name)]


def paths_of(request: Request, mine: Owned) -> list[str]:
    """Every path that has to be looked at."""
    wanted = {file.path for file in request.files} | set(request.directories)
    return sorted(wanted | mine.files | mine.directories)


def _changes(request: Request, found: Mapping[str, Found], mine: Owned) -> tuple[Change, ...]:
    files = {file.path: file for file in request.files}
    secrets = mine.secrets | {path for path, file in files.items() if file.secret}
    wanted: dict[str, Found] = {}
    if request.present:
        wanted = {**request.directories, **{path: each.file for path, each in files.items()}}
    changes = []
    for path, after in sorted(wanted.items()):
        before = found[path]
        if before is not None and type(before) is not type(after):
            raise DeployError(
                f"{path} is a {KINDS[type(before)]} on this host: remove it, or use another path."
            )
        if before != after:
            changes.append(Change(path, before, after, path in secrets))
    gone: set[str] = set()
    for path in sorted((mine.files | files.keys()) - wanted.keys()):
        if isinstance(found[path], (File, Link)):
            gone.add(path)
            changes.append(Change(path, found[path], None, path in secrets))
    # the innermost first, so that those around them become empty
    unwanted = (mine.directories | request.directories.keys()) - wanted.keys()
    for path in sorted(unwanted, key=lambda each: (-each.count("/"), each)):
        before = found[path]
        if isinstance(before, Directory) and {f"{path}/{e}" for e in before.entries} <= gone:
            gone.add(path)
            changes.append(Change(path, before, None))
    return tuple(changes)


def effects_of(request: Request, changes: Iterable[Change]) -> dict[str, frozenset[str]]:
    """What the changed files call for, of each unit."""
    files = {file.path: file for file in request.files}
    started = [unit.name for unit in request.units if unit.state == STARTED]
    unmanaged = {unit.name for unit in request.units if unit.state == UNMANAGED}
    services = [name for name in started if name.endswith(".service")]
    effects: dict[str, frozenset[str]] = {}
    for change in changes:
        if Directory in map(type, (change.before, change.after)):
            continue
        # one that is not asked for any more counts as one that the services were started with
        file = files.get(change.path, WantedFile(change.path, File(b"", 0, None, None)))
        affected = [name for name in started if is_defined_by(name, change.path)]
        if file.unit in unmanaged:
            # its timer or its socket, so that the changed unit counts from now on
            affected += [name for name in started if is_paired(name, file.unit)]
        if not (affected or file.unit):
            affected = list(file.affects) or services
        for name in affected if file.on_change != NOTHING else ():
            effects[name] = effects.get(name, frozenset()) | {file.on_change}
    return effects


def action_for(unit: Unit, seen: Status, effects: frozenset[str]) -> str:
    """What is done with a unit. A restart supersedes a reload."""
    if unit.state == STOPPED:
        return STOP if seen.active else NOTHING
    if not seen.active:
        return START if unit.state == STARTED else NOTHING
    # What systemd has not read yet, the program was not started by either.
    if RESTART in effects or (seen.needs_daemon_reload and unit.state == STARTED):
        return RESTART
    if RELOAD in effects:
        return RELOAD if seen.can_reload else RESTART
    return NOTHING


def _enablement(unit: Unit, seen: Status, request: Request, changes: Iterable[Change]) -> str:
    if unit.enabled is None:
        return ""
    if not unit.enabled:
        return "disable" if seen.file_state in ("enabled", "enabled-runtime") else ""
    if seen.file_state in NOT_ENABLED:
        return "enable"
    names = (unit.name, template_of(unit.name))
    own = {file.path for file in request.files if file.unit and file.unit in names}
    for change in changes:
        if (
            change.path in own
            and isinstance(change.before, File)
            and isinstance(change.after, File)
            and install_section(change.before.content) != install_section(change.after.content)
        ):
            return "reenable"
    return ""


def _dropped(seen: Status) -> str:
    return "disable" if seen.file_state in ("enabled", "enabled-runtime") else ""


def install_section(content: bytes) -> tuple[bytes, ...]:
    """The lines by which `systemctl enable` goes."""
    section, lines = b"", []
    for line in content.splitlines():
        stripped = line.strip()
        if stripped.startswith(b"["):
            section = stripped
        elif section == b"[Install]" and stripped and stripped[:1] not in b"#;":
            lines.append(stripped)
    return tuple(lines)


def template_of(name: str) -> str:
    """``a@.service`` of ``a@b.service``, empty for a unit that is no instance."""
    stem, dot, kind = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    return f"{prefix}@{dot}{kind}" if at and instance else ""


def stem(name: str) -> str:
    return name.rpartition(".")[0]


def is_paired(name: str, other: str) -> bool:
    """Whether two units have the same name but for their kind; an instance goes with a template, too."""
    return stem(other) in (stem(name), stem(template_of(name)))


def is_template(name: str) -> bool:
    return stem(name).endswith("@")


def is_defined_by(name: str, path: str) -> bool:
    """Whether a file is that of a unit or of its template, or a drop-in of one of the two."""
    pure = PurePosixPath(path)
    units = (name, template_of(name))
    return pure.name in units or pure.parent.name in (f"{unit}.d" for unit in units if unit)


def _text(change: Change, side: Found) -> str:
    if side is None:
        return ""
    if isinstance(side, Directory):
        return f"directory {_attributes(side)}\n"
    if isinstance(side, Link):
        return f"symbolic link to {side.target}\n"
    hidden = change.secret or any(
        isinstance(each, File) and not each.mode & 0o004 for each in (change.before, change.after)
    )
    if hidden:
        return f"(not shown, {_attributes(side)})\n"
    return side.content.decode("utf-8", "replace")


def _attributes(side: File | Directory | Link) -> str:
    if isinstance(side, Link):
        return "symbolic link"
    owner = "new user" if side.uid is None else side.uid
    group = "new group" if side.gid is None else side.gid
    return f"mode {side.mode:04o}, owner {owner}:{group}"


def _header(change: Change, side: Found) -> str:
    return f"{change.path} ({_attributes(side) if side else 'absent'})"


def diff(changes: Iterable[Change]) -> list[dict[str, str]]:
    """Per file what Ansible shows in diff mode. Of what not everybody may read, no content."""
    shown = []
    for change in changes:
        before, after = _text(change, change.before), _text(change, change.after)
        if before == after and change.before and change.after and before.startswith("(not shown"):
            after = after.replace(")\n", ", other content)\n")
        shown.append(
            {
                "before_header": _header(change, change.before),
                "after_header": _header(change, change.after),
                "before": before,
                "after": after,
            }
        )
    return shown
