# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration as one transaction: decide, stage, test the whole, switch, prove.

Imports without Ansible. `decide` and the functions around it are pure; `Transaction` works on a
directory and knows nginx only through the `Nginx` protocol, so that both are tested without one.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeAlias

SET_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")

TEST_SECONDS = 30.0
SYSTEMCTL_SECONDS = 30.0
# nginx itself tries five times, half a second apart, to bind a port that is in use.
PROOF_SECONDS = 15.0
LOCK_SECONDS = 120.0
POLL_SECONDS = 0.05


class NginxError(Exception):
    """The one exception of this file: its text is what the user reads."""


# --- decide -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class File:
    """A regular file, wanted or found. `content` None: not known yet (check mode only)."""

    content: bytes | None
    mode: int
    owner: tuple[int, int]

    @property
    def secret(self) -> bool:
        """What not everybody on the host may read must not be shown in a diff either."""
        return not self.mode & stat.S_IROTH


@dataclasses.dataclass(frozen=True)
class Link:
    """A symbolic link, as found."""

    target: str


Found: TypeAlias = "File | Link | None"


@dataclasses.dataclass(frozen=True)
class Request:
    """One call of the module. Paths are relative to the configuration directory."""

    name: str
    wanted: Mapping[str, File]
    absent: frozenset[str] = frozenset()
    replace: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Change:
    """One path before and after. `after` None: removed."""

    path: str
    before: Found
    after: File | None

    @property
    def action(self) -> str:
        if self.after is None:
            return "removed"
        return "created" if self.before is None else "updated"


def check_path(path: str) -> str:
    """Give back `path` if it is a plain path below the configuration directory."""
    parts = PurePosixPath(path).parts
    if (
        not parts
        or path != "/".join(parts)
        or parts[0] == "/"
        or ".." in parts
        or any(ord(character) < 32 for character in path)
    ):
        raise NginxError(
            f"{path!r} is not a path below the configuration directory: "
            "give it relative to /etc/nginx, without '..', like 'sites-enabled/shop.conf'."
        )
    return path


def check_request(request: Request) -> None:
    """Refuse what no state of the host could make right."""
    if not SET_NAME.fullmatch(request.name):
        raise NginxError(
            f"{request.name!r} cannot name a set of files: use lower case letters, digits, "
            "'-', '_' and '.', beginning with a letter or a digit."
        )
    for path in (*request.wanted, *request.absent, *request.replace):
        check_path(path)
    both = sorted(request.absent & request.wanted.keys())
    if both:
        raise NginxError(f"{', '.join(both)}: both wanted and absent. Drop one of the two.")


def decide(
    request: Request,
    found: Mapping[str, Found],
    managed: Mapping[str, frozenset[str]],
) -> tuple[Change, ...]:
    """What has to change. `managed`: the paths that each set (this one too) owns today.

    Raises NginxError for a file that belongs to somebody else; a foreign file that already has
    exactly the wanted content is taken over, because nothing of it would be lost.
    """
    mine = managed.get(request.name, frozenset())
    owner_of = {
        path: name for name, paths in managed.items() if name != request.name for path in paths
    }
    foreign: list[str] = []
    changes: list[Change] = []
    for path, wanted in sorted(request.wanted.items()):
        before = found.get(path)
        if path in owner_of:
            foreign.append(f"{path} belongs to the set {owner_of[path]!r}")
        elif before == wanted:
            continue
        elif (
            before is not None
            and path not in mine
            and path not in request.replace
            and not (isinstance(before, File) and before.content == wanted.content)
        ):
            foreign.append(f"{path} exists and was not written by this module")
        else:
            changes.append(Change(path, before, wanted))
    for path in sorted((mine - request.wanted.keys()) | request.absent):
        before = found.get(path)
        if path in owner_of:
            foreign.append(f"{path} belongs to the set {owner_of[path]!r}")
        elif before is not None:
            changes.append(Change(path, before, None))
    if foreign:
        raise NginxError(
            f"Set {request.name!r} would overwrite files that are not its own: "
            f"{'; '.join(sorted(foreign))}. Nothing was changed. Choose other names, or list a "
            "file of another tool under 'replace' if it is to be lost."
        )
    return tuple(changes)


def _text(side: File | Link | None, *, secret: bool) -> str:
    if side is None:
        return ""
    if isinstance(side, Link):
        return f"symbolic link to {side.target}\n"
    if side.content is None:
        return "(not made yet)\n"
    if secret:
        return f"(secret, sha256 {hashlib.sha256(side.content).hexdigest()[:16]})\n"
    return side.content.decode("utf-8", "replace")


def _header(path: str, side: File | Link | None) -> str:
    if side is None:
        return f"{path} (absent)"
    return path if isinstance(side, Link) else f"{path} (mode {side.mode:04o})"


def diff(changes: Iterable[Change], root: str) -> list[dict[str, str]]:
    """Per file what Ansible shows in diff mode; of a secret only a fingerprint."""
    shown = []
    for change in changes:
        sides = (change.before, change.after)
        secret = any(isinstance(side, File) and side.secret for side in sides)
        path = f"{root}/{change.path}"
        shown.append(
            {
                "before_header": _header(path, change.before),
                "after_header": _header(path, change.after),
                "before": _text(change.before, secret=secret),
                "after": _text(change.after, secret=secret),
            }
        )
    return shown


# --- what nginx says --------------------------------------------------------------------------

_LOG_LINE = re.compile(r"(?:\S+ \S+ |nginx: )\[(?P<level>[a-z]+)\] (?:\d+#\d+: )?(?P<text>.*)")
_HINTS = {
    "key values mismatch": "The certificate and its key do not belong together.",
    "cannot load certificate": "Certificate and key are wanted as whole PEM blocks.",
    "still could not bind": "Another program has that port: stop it, or listen elsewhere.",
    "duplicate default server": "Only one server of an address and port can be the default.",
    "host not found in upstream": "The name does not resolve on this host: give an address.",
}


def messages(output: str, levels: Iterable[str]) -> tuple[str, ...]:
    """The distinct messages of these levels in nginx's output or log, in their order."""
    wanted = frozenset(levels)
    texts = [
        match["text"].strip()
        for match in map(_LOG_LINE.match, output.splitlines())
        if match and match["level"] in wanted
    ]
    return tuple(dict.fromkeys(texts))


def hint(words: str) -> str:
    """What to do about it, where nginx's own words leave that open."""
    return next((f" {advice}" for symptom, advice in _HINTS.items() if symptom in words), "")


def refusal(name: str, words: str, *, reloading: bool = False) -> str:
    """The sentence for a configuration that nginx does not take."""
    what = "did not load" if reloading else "refused"
    after = (
        "The previous files are back and nginx serves the previous configuration."
        if reloading
        else "Nothing was changed."
    )
    return f"nginx {what} the configuration with set {name!r}: {words} {after}{hint(words)}"


@dataclasses.dataclass(frozen=True)
class Worker:
    """A child of nginx's master. `started` (clock ticks) makes a reused pid another worker."""

    pid: int
    started: int
    serving: bool

    @property
    def identity(self) -> tuple[int, int]:
        return (self.pid, self.started)


def turned_over(before: Iterable[Worker], now: Iterable[Worker]) -> bool:
    """Whether new workers serve and every old one is gone or only finishes its requests."""
    old = {worker.identity for worker in before}
    serving = {worker.identity for worker in now if worker.serving}
    return bool(serving - old) and not serving & old


# --- nginx ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command answered."""

    status: int
    output: str


Run = Callable[[Sequence[str], float], Answer]


def run_command(argv: Sequence[str], seconds: float) -> Answer:
    """Run `argv` in the C locale and wait no longer than `seconds`."""
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
    }
    try:
        done = subprocess.run(
            list(argv),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise NginxError(f"`{' '.join(argv)}` gave no answer within {seconds:.0f} s.") from error
    except OSError as error:
        raise NginxError(f"`{' '.join(argv)}` could not be run: {error.strerror}.") from error
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"))


class Nginx(Protocol):
    """What a transaction asks of nginx."""

    def installed(self) -> bool: ...

    def active(self) -> bool: ...

    def test(self, configuration: Path) -> Answer: ...

    def reload(self) -> None:
        """Reload and return when new workers serve; NginxError with nginx's words if not."""


class SystemdNginx:
    """nginx as systemd runs it."""

    def __init__(
        self,
        run: Run = run_command,
        proc: Path = Path("/proc"),
        binary: Path = Path("/usr/sbin/nginx"),
        error_log: Path = Path("/var/log/nginx/error.log"),
        proof_seconds: float = PROOF_SECONDS,
    ) -> None:
        self._run = run
        self._proc = proc
        self._binary = binary
        self._error_log = error_log
        self._proof_seconds = proof_seconds

    def installed(self) -> bool:
        return self._binary.exists()

    def active(self) -> bool:
        return (
            self._run(["systemctl", "is-active", "--quiet", "nginx"], SYSTEMCTL_SECONDS).status == 0
        )

    def test(self, configuration: Path) -> Answer:
        # -e: the words come over stderr; they need not stand in the log of the running nginx too.
        argv = [str(self._binary), "-e", "/dev/null", "-t", "-c", str(configuration)]
        return self._run(argv, TEST_SECONDS)

    def reload(self) -> None:
        master = self._master()
        before = self.workers(master)
        logged = self._error_log.stat().st_size if self._error_log.exists() else 0
        answer = self._run(["systemctl", "reload", "nginx"], SYSTEMCTL_SECONDS)
        if answer.status:
            words = " ".join(messages(answer.output, ("emerg", "alert"))) or answer.output.strip()
            raise NginxError(f"`systemctl reload nginx` failed: {words}")
        deadline = time.monotonic() + self._proof_seconds
        while not turned_over(before, self.workers(master)):
            emergencies = messages(self._logged_since(logged), ("emerg",))
            # A port in use is tried again by nginx; everything else is its last word.
            last_words = [words for words in emergencies if not words.startswith("bind() to ")]
            if last_words or time.monotonic() > deadline:
                raise NginxError(
                    " ".join(emergencies)
                    or f"no new workers within {self._proof_seconds:.0f} s of the reload."
                )
            time.sleep(POLL_SECONDS)

    def workers(self, master: int) -> frozenset[Worker]:
        """The workers of this master, as the kernel lists them."""
        found = (
            self._worker(entry, master) for entry in self._proc.iterdir() if entry.name.isdigit()
        )
        return frozenset(worker for worker in found if worker)

    def _master(self) -> int:
        argv = ["systemctl", "show", "--property", "MainPID", "--value", "nginx"]
        answer = self._run(argv, SYSTEMCTL_SECONDS)
        pid = answer.output.strip()
        if answer.status or not pid.isdigit() or pid == "0":
            raise NginxError(f"systemd names no main process of nginx: {pid or 'no answer'}.")
        return int(pid)

    def _worker(self, entry: Path, master: int) -> Worker | None:
        try:
            # The name in parentheses may hold spaces and parentheses: read from the last one on.
            fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            title = (entry / "cmdline").read_bytes().rstrip(b"\0").decode("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        if int(fields[1]) != master or not title.startswith("nginx: worker process"):
            return None
        serving = "shutting down" not in title
        return Worker(pid=int(entry.name), started=int(fields[19]), serving=serving)

    def _logged_since(self, offset: int) -> str:
        if not self._error_log.exists():
            return ""
        with self._error_log.open("rb") as log:
            log.seek(offset)
            return log.read().decode("utf-8", "replace")


# --- the transaction --------------------------------------------------------------------------


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
            where = error.filename or self._root
            raise NginxError(
                f"Set {request.name!r} could not be put into {self._root}: {where}: "
                f"{error.strerror}. The configuration is as it was."
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
        tested = bool(changes) and self._test(request.name, changes, check, warnings)
        reloaded = False
        if not check:
            if changes:
                self._switch(changes)
            if (changes or recovered) and reload and self._nginx.active():
                self._reload(request.name)
                reloaded = True
            self._forget_undo()
            self._write_manifest(request)
        return Outcome(changes, tested, reloaded, recovered, tuple(warnings))

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
                raise NginxError(f"{parent} is no directory: {path!r} cannot be put below it.")
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

    def _test(self, name: str, changes: Sequence[Change], check: bool, warnings: list[str]) -> bool:
        if check:
            unknown = [c.path for c in changes if c.after and c.after.content is None]
            if unknown or not (self._nginx.installed() and self._root.is_dir()):
                warnings.append(
                    "The configuration was not tested: "
                    + (f"{', '.join(unknown)} cannot be read yet." if unknown else "no nginx yet.")
                )
                return False
        base = None if check else self._state
        with tempfile.TemporaryDirectory(prefix="staged-", dir=base) as directory:
            staged = Path(directory) / self._root.name
            self._stage(staged, changes)
            answer = self._nginx.test(staged / "nginx.conf")
        output = answer.output.replace(str(staged), str(self._root))
        if answer.status:
            words = " ".join(messages(output, ("emerg", "alert", "error"))) or output.strip()
            raise NginxError(refusal(name, words))
        warnings.extend(f"nginx warns: {words}" for words in messages(output, ("warn",)))
        return True

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
        unready.rename(self._undo)

    def _restore(self) -> None:
        """Make the live tree what it was, whatever part of the switch was done."""
        record = json.loads((self._undo / "undo.json").read_text("utf-8"))
        for number, path in enumerate(record["back"]):
            live = self._root / path
            live.parent.mkdir(parents=True, exist_ok=True)
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
            # Renamed first: half of a record must never be found by the next run.
            done = self._state / "undo.done"
            if done.exists():
                shutil.rmtree(done)
            self._undo.rename(done)
            shutil.rmtree(done)

    def _reload(self, name: str) -> None:
        try:
            self._nginx.reload()
        except NginxError as error:
            if self._undo.exists():
                self._restore()
            words = str(error)
            try:
                self._nginx.reload()
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
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + LOCK_SECONDS
        with (self._state / "lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise NginxError(
                            f"Another change of {self._root} has been under way for "
                            f"{LOCK_SECONDS:.0f} s (lock {self._state / 'lock'}). Try again later."
                        ) from None
                    time.sleep(POLL_SECONDS)
            yield


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
