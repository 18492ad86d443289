# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as a program: what it says, how systemd runs it, and the proof of a reload."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.processes import (
    command_line,
    stat_fields,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import NginxError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.vhosts import (
    Vhost,
    ask_all,
)

TEST_SECONDS = 30.0
SYSTEMCTL_SECONDS = 30.0
# Without a word from nginx: what it cannot do is in its log at once, a port in use after five attempts, half a second
# apart. A host that is very busy takes long to start workers, and the old ones serve meanwhile.
PROOF_SECONDS = 60.0
POLL_SECONDS = 0.05
LOG_GROUP = "adm"  # Debian's group for reading logs

_LOG_LINE = re.compile(r"(?:\S+ \S+ |nginx: )\[(?P<level>[a-z]+)\] (?:\d+#\d+: )?(?P<text>.*)")
_HINTS = {
    "key values mismatch": "The certificate and its key do not belong together.",
    "cannot load certificate": "Certificate and key are wanted as whole PEM blocks.",
    "still could not bind": "Another program has that port: stop it, or listen elsewhere.",
    "duplicate default server": "Only one server of an address and port can be the default.",
    "conflicting server name": "Another server there has the name already: it can only have one.",
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


def refusal(name: str, words: str, what: str = "refused", after: str = "") -> str:
    """The sentence for a configuration that nginx does not take."""
    return f"nginx {what} the configuration with set {name!r}: {words}{after}{hint(words)}"


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
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(argv),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=seconds,
            # A test of the configuration makes log files that are not there yet: for administrators, as
            # rotation makes them, and not for the apps of the host.
            umask=0o027,
            group=LOG_GROUP if os.geteuid() == 0 else None,
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

    def enabled(self) -> bool:
        """Whether it starts at boot."""

    def enable(self) -> None: ...

    def test(self, configuration: Path) -> Answer:
        """Test the configuration; of a good one the answer shows all that was read."""

    def reload(self, served: Iterable[Vhost]) -> None:
        """Reload; return when new workers serve and each vhost answers, or raise NginxError."""

    def start(self, served: Iterable[Vhost]) -> None:
        """Start it if it is not active; return or raise as `reload` does."""


class SystemdNginx:
    """nginx as systemd runs it."""

    def __init__(
        self,
        run: Run = run_command,
        proc: Path = Path("/proc"),
        binary: Path = Path("/usr/sbin/nginx"),
        error_log: Path = Path("/var/log/nginx/error.log"),
        proof_seconds: float = PROOF_SECONDS,
        ask: Callable[[Iterable[Vhost]], None] = ask_all,
    ) -> None:
        self._run = run
        self._proc = proc
        self._binary = binary
        self._error_log = error_log
        self._proof_seconds = proof_seconds
        self._ask = ask

    def installed(self) -> bool:
        return self._binary.exists()

    def active(self) -> bool:
        # What fails to start is `activating` for ever.
        return self._systemctl("is-active", "--quiet").status == 0

    def enabled(self) -> bool:
        return self._systemctl("is-enabled", "--quiet").status == 0

    def enable(self) -> None:
        answer = self._systemctl("enable")
        if answer.status:
            raise NginxError(f"`systemctl enable nginx` failed: {answer.output.strip()}")

    def test(self, configuration: Path) -> Answer:
        # -e: the words come over stderr; they need not stand in the log of the running nginx too.
        argv = [str(self._binary), "-e", "/dev/null", "-T", "-c", str(configuration)]
        return self._run(argv, TEST_SECONDS)

    def reload(self, served: Iterable[Vhost]) -> None:
        self._load("reload", self.workers(self._master()), served)

    def start(self, served: Iterable[Vhost]) -> None:
        self._load("start", (), served)

    def _load(self, verb: str, before: Iterable[Worker], served: Iterable[Vhost]) -> None:
        logged = self._error_log.stat().st_size if self._error_log.exists() else 0
        answer = self._systemctl(verb)
        if answer.status:
            output = answer.output + self._logged_since(logged)
            words = " ".join(messages(output, ("emerg", "alert"))) or answer.output.strip()
            raise NginxError(f"`systemctl {verb} nginx` failed: {words}")
        master = self._master()
        deadline = time.monotonic() + self._proof_seconds
        while not turned_over(before, self.workers(master)):
            emergencies = messages(self._logged_since(logged), ("emerg",))
            # A port in use is tried again by nginx; everything else is its last word.
            last_words = [words for words in emergencies if not words.startswith("bind() to ")]
            if last_words or time.monotonic() > deadline:
                raise NginxError(
                    " ".join(emergencies)
                    or f"no new workers within {self._proof_seconds:.0f} s of the {verb}."
                )
            time.sleep(POLL_SECONDS)
        self._ask(served)

    def workers(self, master: int) -> frozenset[Worker]:
        """The workers of this master, as the kernel lists them."""
        found = (
            self._worker(entry, master) for entry in self._proc.iterdir() if entry.name.isdigit()
        )
        return frozenset(worker for worker in found if worker)

    def _systemctl(self, *words: str) -> Answer:
        return self._run(["systemctl", *words, "nginx"], SYSTEMCTL_SECONDS)

    def _master(self) -> int:
        answer = self._systemctl("show", "--property", "MainPID", "--value")
        pid = answer.output.strip()
        if answer.status or not pid.isdigit() or pid == "0":
            raise NginxError(f"systemd names no main process of nginx: {pid or 'no answer'}.")
        return int(pid)

    def _worker(self, entry: Path, master: int) -> Worker | None:
        try:
            fields = stat_fields(entry)
            if int(fields[1]) != master:
                return None
            title = command_line(entry).rstrip(b"\0").decode("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        if not title.startswith("nginx: worker process"):
            return None
        serving = "shutting down" not in title
        return Worker(pid=int(entry.name), started=int(fields[19]), serving=serving)

    def _logged_since(self, offset: int) -> str:
        if not self._error_log.exists():
            return ""
        with self._error_log.open("rb") as log:
            log.seek(offset)
            return log.read().decode("utf-8", "replace")
