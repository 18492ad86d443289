# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a program, together in a directory that is named by their content."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import stat
from collections.abc import Iterator, Mapping

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    link_atomically,
    make_directory,
    sync_directory,
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import (
    Busy,
    exclusive,
    name_of,
)

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
FILE_MODE, DIRECTORY_MODE = 0o644, 0o755
TIMEOUT = 60.0  # seconds that another run is waited for
BYTECODE = "__pycache__"
COMPILE_TIMEOUT = 120.0  # seconds


@dataclasses.dataclass(frozen=True)
class Request:
    path: pathlib.Path  # of the link
    files: Mapping[str, str]  # content by name
    python: str = ""  # whose bytecode is kept beside the files; empty: none
    tag: str = ""  # how that Python names its bytecode

    @property
    def directory(self) -> pathlib.Path:
        """Named by names and contents, each of which ends where it ends."""
        made = hashlib.sha256(repr(sorted(self.files.items())).encode())
        return self.path.with_name(f"{self.path.name}-{made.hexdigest()[:12]}")

    @property
    def states(self) -> dict[str, str]:
        """What ``states`` has to find."""
        owner = f"user {os.geteuid()}"
        found = {".": f"{DIRECTORY_MODE:04o} {owner}"}
        for name, content in self.files.items():
            digest = hashlib.sha256(content.encode()).hexdigest()
            found[name] = f"{FILE_MODE:04o} {owner} sha256:{digest}"
        if self.python:
            stems = [name.removesuffix(".py") for name in self.files if name.endswith(".py")]
            compiled = " ".join(sorted(f"{stem}.{self.tag}.pyc" for stem in stems))
            found[BYTECODE] = f"{DIRECTORY_MODE:04o} {owner} {compiled}"
        return found


@dataclasses.dataclass(frozen=True)
class Plan:
    request: Request
    target: str  # what the link names; empty: there is none
    before: Mapping[str, str]  # states of what the link names
    made: Mapping[str, str]  # states of what is to be named
    removed: tuple[str, ...]  # directories that nothing can start from any more

    @property
    def changed(self) -> bool:
        directory = self.request.directory
        return self.target != directory.name or self.made != self.request.states

    def diff(self) -> dict[str, str]:
        path = self.request.path
        return {
            "before_header": f"{path} -> {self.target}" if self.target else f"{path} (absent)",
            "after_header": f"{path} -> {self.request.directory.name}",
            "before": _lines(self.before),
            "after": _lines(self.request.states),
        }


def check_path(path: str) -> pathlib.Path:
    if not os.path.isabs(path) or os.path.normpath(path) != path or path == "/":
        raise DeployError(f"path must be absolute and without '..', not {path!r}.")
    return pathlib.Path(path)


def make_request(path: str, files: Mapping[str, object], python: str = "") -> Request:
    """The module's parameters, or DeployError for what cannot be meant."""
    link = check_path(path)
    if not files:
        raise DeployError(f"files must name at least one file for {path}.")
    for name, content in files.items():
        if not FILE_NAME.fullmatch(name):
            raise DeployError(
                f"Invalid file name {name!r} in files: use only letters, digits, '_', '-' and '.', "
                "and no directories."
            )
        if not isinstance(content, str):
            raise DeployError(f"The content of {name} in files must be text.")
    texts = {name: str(content) for name, content in files.items()}
    return Request(link, texts, python, _cache_tag(python) if python else "")


def _cache_tag(python: str) -> str:
    show = "import sys; print(sys.implementation.cache_tag)"
    code, output = run([python, "-I", "-c", show], f"ask {python} for its version", TIMEOUT)
    if code:
        raise DeployError(f"Could not ask {python} for its version: {output.strip()[-300:]}")
    return output.strip()


def make_plan(request: Request) -> Plan:
    """Read what is there, and decide. Writes nothing."""
    path, directory = request.path, request.directory
    target = ""
    if path.is_symlink():
        target = os.readlink(path)
    elif path.exists():
        raise DeployError(f"{path} is not a link. Move away what is there; nothing was changed.")
    versions = _versions(path)
    before = states(path.parent / target) if target in versions else {}
    plan = Plan(request, target, before, states(directory), ())
    if not plan.changed:
        return plan
    # Who has read the link a moment ago still reads from there.
    kept = {directory.name, target}
    return dataclasses.replace(plan, removed=tuple(sorted(versions - kept)))


def find_all(path: pathlib.Path) -> tuple[str, ...]:
    """What there is of a program, by name: every version of it, and the link last."""
    if path.exists() and not path.is_symlink():
        raise DeployError(f"{path} is not a link. Move away what is there; nothing was changed.")
    return (*sorted(_versions(path)), *([path.name] if path.is_symlink() else []))


def remove_all(path: pathlib.Path) -> tuple[str, ...]:
    """Remove what ``find_all`` finds, and give it back. A run that is interrupted is completed by the next."""
    with _alone(path):
        found = find_all(path)
        # the link first: nothing may start from what is half removed
        for name in reversed(found):
            _remove(path.with_name(name))
    return found


@contextlib.contextmanager
def _alone(path: pathlib.Path) -> Iterator[None]:
    try:
        with exclusive(name_of("program_directory", path), TIMEOUT):
            yield
    except Busy:
        raise DeployError(
            f"Another run has been working on {path} for {TIMEOUT:g} s. Wait for its end."
        ) from None


def _versions(path: pathlib.Path) -> set[str]:
    """The directories that stand beside the link, by name."""
    pattern = re.compile(rf"{re.escape(path.name)}-[0-9a-f]{{12}}")
    try:
        names = os.listdir(path.parent)
    except FileNotFoundError:  # in check mode it may be for another task to make
        return set()
    return {name for name in names if pattern.fullmatch(name)}


def states(directory: pathlib.Path) -> dict[str, str]:
    """Mode, owner and content of a directory and of what is in it; nothing where it is none."""
    if directory.is_symlink() or not directory.is_dir():
        return {}
    found = {}
    for path in (directory, *sorted(directory.iterdir())):
        seen = path.lstat()
        words = [f"{stat.S_IMODE(seen.st_mode):04o}", f"user {seen.st_uid}"]
        if stat.S_ISREG(seen.st_mode):
            words.append(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
        elif path != directory:
            words.append(_bytecode(path, seen) if path.name == BYTECODE else "no file")
        found["." if path == directory else path.name] = " ".join(words)
    return found


def _bytecode(path: pathlib.Path, directory: os.stat_result) -> str:
    """Names of what is in a directory of bytecode, where nobody else has made or can change it."""
    if not stat.S_ISDIR(directory.st_mode):
        return "no file"
    for each in path.iterdir():
        seen = each.lstat()
        regular = stat.S_ISREG(seen.st_mode) and stat.S_IMODE(seen.st_mode) == FILE_MODE
        if not regular or seen.st_uid != directory.st_uid:
            return "no file"
    return " ".join(sorted(os.listdir(path)))


def _lines(found: Mapping[str, str]) -> str:
    return "".join(f"{name} {words}\n" for name, words in sorted(found.items()))


def apply(request: Request) -> Plan:
    """Make it so. The link names a directory that is complete, at any moment and after a crash."""
    with _alone(request.path):
        plan = make_plan(request)
        if plan.changed:
            _fill(plan)
            link_atomically(request.path, request.directory.name)
            for each in plan.removed:
                _remove(request.path.with_name(each))
    return plan


def _fill(plan: Plan) -> None:
    request, directory = plan.request, plan.request.directory
    uid, gid = os.geteuid(), os.getegid()
    if not request.path.parent.exists():
        make_directory(request.path.parent, DIRECTORY_MODE, uid, gid)
    if not plan.made:
        _remove(directory)
        make_directory(directory, DIRECTORY_MODE, uid, gid)
    os.chown(directory, uid, gid)
    directory.chmod(DIRECTORY_MODE)
    for name, wanted in request.states.items():
        if name in request.files and plan.made.get(name) != wanted:
            if plan.made.get(name, "").endswith("no file"):
                _remove(directory / name)
            write_atomically(directory / name, request.files[name], FILE_MODE, gid)
    for name in sorted(plan.made.keys() - request.states.keys()):
        _remove(directory / name)
    if request.python and plan.made.get(BYTECODE) != request.states[BYTECODE]:
        _compile(request)
    sync_directory(directory)


def _compile(request: Request) -> None:
    """Bytecode that names the source by its hash: the same on every host, and none of another source counts."""
    directory = request.directory
    _remove(directory / BYTECODE)
    code, output = run(
        [*(request.python, "-I", "-m", "compileall", "-q", "-l"),
         *("--invalidation-mode=checked-hash", str(directory))],
        f"compile {directory}",
        COMPILE_TIMEOUT,
    )  # fmt: skip
    if code:
        raise DeployError(f"{request.python} cannot compile {directory}: {output.strip()[-1000:]}")
    for path in (directory / BYTECODE).iterdir():
        path.chmod(FILE_MODE)
        # half of it after a crash would not be taken for none, as half of a source is not
        with path.open("rb") as file:
            os.fsync(file.fileno())
    (directory / BYTECODE).chmod(DIRECTORY_MODE)
    sync_directory(directory / BYTECODE)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
