# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the parameters of the module `daemon` to a request."""

from __future__ import annotations

import dataclasses
import grp
import os.path
import pwd
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import (
    STARTED,
    STOPPED,
    UNMANAGED,
    Directory,
    File,
    Link,
    Request,
    Unit,
    WantedFile,
    is_template,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.proof import (
    Proof,
    parse_endpoint,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
UNIT_NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9:_.\\-]*(@[A-Za-z0-9:_.\\-]*)?\.(service|socket|timer|path|mount)"
)
DROP_IN = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.-]*\.conf")
MODE = re.compile(r"0[0-7]{3,4}")
ROOT = (0, 0)
STAGED = "%s"  # in a checker's argv: the file in the staged copy


@dataclasses.dataclass(frozen=True)
class Accounts:
    """Users and groups by name. In check mode, those that do not exist yet have no number."""

    predicted: bool

    def uid(self, name: str) -> int | None:
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            self._require("user", name)
            return None

    def gid(self, name: str) -> int | None:
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            self._require("group", name)
            return None

    def _require(self, kind: str, name: str) -> None:
        if not self.predicted:
            raise DeployError(f"The {kind} {name!r} does not exist on this host: create it first.")


def make_request(params: Mapping[str, Any], unit_directory: str, *, check: bool) -> Request:
    """The request that the parameters state. Raises DeployError where no host could fulfil it."""
    name = params["name"]
    if not NAME.fullmatch(name):
        raise DeployError(
            f"Invalid name of a daemon {name!r}: use letters, digits, '-', '_' and '.', beginning "
            "with a letter or a digit."
        )
    present = params["state"] == "present"
    accounts = Accounts(predicted=check or not present)
    units = tuple(_unit(given) for given in params["units"])
    directories = {}
    for given in params["directories"]:
        mode, uid, gid = _attributes(given, accounts, given["path"])
        directories[_path(given["path"])] = Directory(mode, uid, gid)
    files = [_file(given, accounts) for given in params["files"]]
    files += [_link(given) for given in params["links"]]
    for given in params["units"]:
        files.extend(_unit_files(given, unit_directory))
        if given["dropins"]:
            directories[f"{unit_directory}/{given['name']}.d"] = Directory(0o755, *ROOT)
    _refuse_twice([file.path for file in files] + list(directories), "path")
    _refuse_twice([unit.name for unit in units], "unit")
    _refuse_unknown_units(files, units)
    return Request(name, directories, tuple(files), units, present)


def make_proof(given: Mapping[str, Any] | None, timeout: int) -> Proof:
    given = given or {"active_seconds": 3, "listens": [], "command": [], "timeout": None}
    if given["timeout"] is not None:
        timeout = given["timeout"]
    if given["active_seconds"] < 0 or timeout < 1:
        raise DeployError("'active_seconds' must be at least 0, and 'timeout' at least 1.")
    return Proof(
        seconds=given["active_seconds"],
        listens=tuple(parse_endpoint(text) for text in given["listens"]),
        command=tuple(given["command"]),
        timeout=timeout,
    )


def _path(path: str) -> str:
    if not path.startswith("/") or path != os.path.normpath(path) or path.startswith("//"):
        raise DeployError(f"Invalid path {path!r}: give it absolute, without '..' or a final '/'.")
    if any(ord(character) < 32 for character in path):
        raise DeployError(f"Invalid path {path!r}: it has control characters.")
    return path


def _attributes(
    given: Mapping[str, Any], accounts: Accounts, path: str
) -> tuple[int, int | None, int | None]:
    if not MODE.fullmatch(given["mode"]):
        raise DeployError(
            f"Invalid mode {given['mode']!r} of {path}: write it octal and in quotes, as '0644'."
        )
    return int(given["mode"], 8), accounts.uid(given["owner"]), accounts.gid(given["group"])


def _file(given: Mapping[str, Any], accounts: Accounts) -> WantedFile:
    path = _path(given["path"])
    check = tuple(given["check"])
    if check and STAGED not in " ".join(check):
        raise DeployError(f"The checker of {path} has no '%s', which stands for the staged file.")
    mode, uid, gid = _attributes(given, accounts, path)
    return WantedFile(
        path,
        File((given["content"] or "").encode(), mode, uid, gid),
        secret=given["secret"],
        check=check,
        on_change=given["on_change"],
        affects=tuple(given["affects"]),
    )


def _link(given: Mapping[str, Any]) -> WantedFile:
    path, target = _path(given["path"]), given["target"]
    if not target or any(ord(character) < 32 for character in target):
        raise DeployError(f"Invalid target {target!r} of the link {path}.")
    return WantedFile(
        path, Link(target), on_change=given["on_change"], affects=tuple(given["affects"])
    )


def _unit(given: Mapping[str, Any]) -> Unit:
    name, state, enabled = given["name"], given["state"], given["enabled"]
    if not UNIT_NAME.fullmatch(name):
        raise DeployError(
            f"Invalid name of a unit {name!r}: write it with its kind, as 'shop.service'. "
            "The kinds are service, socket, timer, path and mount."
        )
    if is_template(name) and (state != UNMANAGED or enabled is not None):
        raise DeployError(
            f"{name} is a template, which cannot be started or enabled: set its 'state' to "
            "'unmanaged', and name its instances beside it."
        )
    if enabled is None:
        enabled = {STARTED: True, STOPPED: False, UNMANAGED: None}[state]
    return Unit(name, state, enabled)


def _unit_files(given: Mapping[str, Any], unit_directory: str) -> Iterator[WantedFile]:
    """A unit's file and drop-ins: everybody can read them, because systemd tells everybody."""
    name = given["name"]
    if given["content"] is not None:
        file = File(given["content"].encode(), 0o644, *ROOT)
        yield WantedFile(f"{unit_directory}/{name}", file, unit=name)
    for dropin, content in given["dropins"].items():
        if not DROP_IN.fullmatch(dropin):
            raise DeployError(f"Invalid name of a drop-in {dropin!r}: it has to end in '.conf'.")
        if not isinstance(content, str):
            raise DeployError(f"The content of the drop-in {dropin!r} of {name} is not a text.")
        file = File(content.encode(), 0o644, *ROOT)
        yield WantedFile(f"{unit_directory}/{name}.d/{dropin}", file, unit=name)


def _refuse_twice(names: Sequence[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DeployError(f"The same {what} is given more than once: {', '.join(twice)}.")


def _refuse_unknown_units(files: Sequence[WantedFile], units: Sequence[Unit]) -> None:
    known = {unit.name for unit in units}
    for file in files:
        unknown = sorted(set(file.affects) - known)
        if unknown:
            raise DeployError(
                f"{file.path} affects {', '.join(unknown)}, which is not among the units: "
                f"{', '.join(sorted(known)) or 'there are none'}."
            )
