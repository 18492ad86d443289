# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd, circusd and the pivots' files, as far as a test can have them: small real processes."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import (
    sandbox,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import (
    supervisor as processes_supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

OLD, NEW = "1.0-aaaaaaaa", "2.0-bbbbbbbb"


@dataclass(frozen=True)
class Here(Supervisor):
    """A supervisor whose files lie in the app's directory; commands give what they are told to."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)

    @property
    def configuration_path(self) -> pathlib.Path:
        return self.home.root / "circus.d" / "formation.ini"

    @property
    def run_directory(self) -> pathlib.Path:
        return self.home.root / "run"

    def _run(
        self, command: Sequence[str], what: str, as_app: bool = False, seconds: float = 30
    ) -> str:
        self.commands.append(list(command))
        code, output = self.answers.pop(0) if self.answers else (0, "")
        return super()._run(["sh", "-c", f"echo '{output}'; exit {code}"], what, as_app)


@pytest.fixture
def here(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.setattr(processes_supervisor, "POLL", 0.005)
    monkeypatch.setattr(sandbox, "APP_EXEC", ("sh", "-c", 'exec "$@"'))
    here = Here(home)
    here.run_directory.mkdir()
    here.configuration_path.parent.mkdir()
    return here


@pytest.fixture
def child() -> Iterator[int]:
    """The pid of a process that runs release NEW."""
    with sleeping({"RELEASE_ID": NEW}) as pid:
        yield pid


@contextlib.contextmanager
def sleeping(environment: dict[str, str], **options: Any) -> Iterator[int]:
    with subprocess.Popen(["sleep", "600"], env=environment, **options) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def tell(here: Here, name: str = "web-1", **changes: Any) -> None:
    """Write what a pivot would; this process is the pivot unless it is told otherwise."""
    document = {
        "instance": name, "pid": os.getpid(), "state": "serving", "release": NEW, "child": None,
        "hups": 0, "generation": 1, "move": {"hups": 0, "to": NEW, "outcome": "done"},
    } | changes  # fmt: skip
    (here.run_directory / f"{name}.json").write_text(json.dumps(document))


def test_paths(home: AppHome) -> None:
    supervisor = Supervisor(home)
    assert supervisor.unit == "circus@shop.service"
    assert str(supervisor.configuration_path) == "/etc/circus/shop.d/formation.ini"
    assert str(supervisor.run_directory) == "/run/shop"


# --- commands ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_is_active(code: int, here: Here) -> None:
    here.answers.append((code, ""))
    assert here.is_active() is (code == 0)
    assert here.commands == [["systemctl", "is-active", "--quiet", "circus@shop.service"]]


def test_start_and_stop(here: Here) -> None:
    here.start()
    here.stop()
    assert [command[1:] for command in here.commands] == [
        ["reset-failed", "circus@shop.service"],
        ["start", "circus@shop.service"],
        ["stop", "--no-block", "circus@shop.service"],
    ]


def test_command_that_fails(here: Here) -> None:
    here.answers.append((1, "no such unit"))
    with pytest.raises(DeployError, match=r"Could not stop circus@shop\.service: .* no such unit"):
        here.stop()


def test_busy_circusd_is_asked_again(here: Here) -> None:
    here.answers.extend([(3, "error: arbiter is already running stop command")] * 2)
    here.take_configuration()
    assert [command[-1] for command in here.commands] == ["reloadconfig"] * 3
    endpoint = "ipc:///run/circus-shop/control.sock"
    assert here.commands[0][1:5] == ["--timeout", "10", "--endpoint", endpoint]


def test_circusd_that_stays_busy(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes_supervisor, "BUSY_TIMEOUT", 0.0)
    here.answers.extend([(3, "already running")] * 5)
    with pytest.raises(DeployError, match="Could not tell circusd of shop to read its conf"):
        here.take_configuration()


def test_circusd_that_says_no(here: Here) -> None:
    here.answers.append((1, "no such watcher"))
    with pytest.raises(DeployError, match=r"to read its configuration: .* no such watcher"):
        here.take_configuration()
    assert len(here.commands) == 1


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        pytest.param((0, "beat-1,web-1,web-10"), ["beat-1", "web-1", "web-10"], id="some"),
        pytest.param((0, "celery-worker-1"), ["celery-worker-1"], id="dashes"),
        pytest.param((0, ""), [], id="none"),
        pytest.param((0, "warning: x\nweb-1"), ["web-1"], id="after-a-warning"),
        pytest.param((0, "circusd-stats,web-1"), ["web-1"], id="not-of-ours"),
        pytest.param((3, "error: timed out"), ["alive-1", "on_disk-1"], id="no-answer"),
    ],
)
def test_what_circusd_runs(answer: tuple[int, str], names: list[str], here: Here) -> None:
    here.configure("[watcher:on_disk-1]\n")
    tell(here, "alive-1", state="gate")
    tell(here, "dead-1", state="gate", pid=2**22 + 1)
    here.answers.append(answer)
    assert here.watching() == names
    assert here.commands[0][-1] == "list"


def test_reload(here: Here) -> None:
    here.answers.append((3, "already running"))
    here.reload(["web-1", "web-2"])
    assert [command[-2:] for command in here.commands] == [["reload", "web-1"], ["reload", "web-2"]]


def test_drop(here: Here) -> None:
    tell(here, "beat-1", state="gate")

    class Obeyed(Here):
        def take_configuration(self) -> None:
            tell(here, "beat-1", state="stopping")

    Obeyed(here.home).drop(["beat-1", "gone-1"])
    here.answers.append((1, "no"))
    here.drop(["beat-1"])  # a circusd that does not listen is in nobody's way


def test_drop_of_what_does_not_heed_it(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes_supervisor, "COMMAND_TIMEOUT", 5.0)
    tell(here, "beat-1", state="gate")
    looks: list[str] = []

    class Slow(Here):
        def status(self, instance: str) -> Any:
            looks.append(instance)
            if len(looks) == 5:
                tell(here, "beat-1", state="stopping")
            return super().status(instance)

    Slow(here.home).drop(["beat-1"])
    assert len(looks) == 5


@pytest.fixture
def pivot() -> Iterator[subprocess.Popen[str]]:
    """A process that says when it got a HUP, also where this one was started to ignore it."""
    heed = "import signal, time; signal.signal(signal.SIGHUP, lambda *_args: exit('moved'))"
    command = [sys.executable, "-c", f"{heed}; print('ready', flush=True); time.sleep(600)"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_hup(here: Here, pivot: subprocess.Popen[str]) -> None:
    tell(here, "web-1", pid=pivot.pid)
    status = here.status("web-1")
    assert status
    here.hup([status])
    assert pivot.communicate(timeout=120)[1] == "moved\n"
    here.hup([status])  # it has ended: nothing to be done
    assert here.commands == []


def test_hup_spares_somebody_elses_process(here: Here, pivot: subprocess.Popen[str]) -> None:
    tell(here, "web-1", pid=pivot.pid)
    status = here.status("web-1")
    assert status
    stranger = Here(AppHome("shop", here.home.root, here.home.uid + 1, here.home.gid))
    stranger.hup([status])
    pivot.terminate()
    assert pivot.communicate(timeout=120)[1] == ""


# --- files ------------------------------------------------------------------------------------


def test_configuration(here: Here) -> None:
    assert here.configuration() == ""
    here.configure("[watcher:web-1]\n")
    assert here.configuration() == "[watcher:web-1]\n"


def test_configuration_without_the_role(here: Here) -> None:
    here.configuration_path.parent.rmdir()
    assert here.configuration() == ""
    with pytest.raises(DeployError, match=r"circus\.d is missing; run the role circus"):
        here.configure("")


def test_status(here: Here) -> None:
    assert here.status("web-1") is None
    tell(here)
    status = here.status("web-1")
    assert status is not None
    assert (status.instance, status.pid, status.release) == ("web-1", os.getpid(), NEW)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"pid": "self"}', "\udcff" * 3], ids=ascii
)
def test_status_that_no_pivot_wrote(text: str, here: Here) -> None:
    path = here.run_directory / "web-1.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert here.status("web-1") is None


def test_status_behind_a_link_is_not_believed(here: Here) -> None:
    tell(here, "other")
    (here.run_directory / "web-1.json").symlink_to("other.json")
    assert here.status("web-1") is None


def test_status_that_is_a_pipe_does_not_block(here: Here) -> None:
    os.mkfifo(here.run_directory / "web-1.json")
    assert here.status("web-1") is None


def test_status_that_is_a_directory(here: Here) -> None:
    (here.run_directory / "web-1.json").mkdir()
    assert here.status("web-1") is None


def test_status_of_a_pivot_that_is_dead(here: Here) -> None:
    with sleeping({}) as pid:
        tell(here, pid=pid)
        assert here.status("web-1") is not None
    assert here.status("web-1") is None


def test_status_of_a_pivot_that_nobody_has_reaped(here: Here) -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    tell(here, pid=process.pid)
    assert processes_supervisor.is_zombie(process.pid)
    assert here.status("web-1") is None
    process.wait()


def test_status_that_names_somebody_elses_process(here: Here) -> None:
    stranger = Here(AppHome("shop", here.home.root, here.home.uid + 1, here.home.gid))
    tell(here)
    assert stranger.status("web-1") is None


# --- what serves ------------------------------------------------------------------------------


def test_process_of_the_release_serves(here: Here, child: int) -> None:
    tell(here, child=child)
    assert here.serves(here.status("web-1"), NEW)
    assert not here.serves(here.status("web-1"), OLD)
    assert here.not_serving(["web-1", "web-2"], NEW) == ["web-2"]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "gate"},
        {"state": "failed"},
        {"release": OLD},
        {"release": None},
        {"child": None},
        {"child": 0},
        {"child": 2**22 + 1},
        {"child": os.getpid()},
    ],
    ids=["gate", "failed", "old", "none", "no-child", "zero", "dead", "without-the-mark"],
)
def test_word_of_the_pivot_alone_is_no_proof(
    changes: dict[str, Any], here: Here, child: int
) -> None:
    tell(here, **({"child": child} | changes))
    assert not here.serves(here.status("web-1"), NEW)


def test_kernel_has_the_last_word(here: Here) -> None:
    with sleeping({"RELEASE_ID": OLD}) as pid:
        tell(here, child=pid)
        assert not here.serves(here.status("web-1"), NEW)


# --- following --------------------------------------------------------------------------------


def test_follow_until_all_have_arrived(here: Here) -> None:
    tell(here, "web-1", release=OLD)
    before = here.status("web-1")
    steps = iter(
        [
            {"hups": 1, "state": "gate", "move": {"hups": 1, "step": "gate", "to": NEW}},
            {"hups": 1, "move": {"hups": 1, "outcome": "done", "to": NEW}},
        ]
    )

    class Moving(Here):
        def status(self, instance: str) -> Any:
            if (step := next(steps, None)) is not None:
                tell(here, "web-1", **step)
            return super().status(instance)

    tell(here, "worker-1")
    moving = Moving(here.home)
    assert not moving.follow({"web-1": before, "worker-1": None}, NEW, 10)


def test_follow_one_that_had_read_current_too_early(here: Here) -> None:
    """It was started, by whomever, just before `current` was flipped: nobody has told it."""
    told: list[str] = []

    class Early(Here):
        def hup(self, statuses: Any) -> None:
            told.extend(status.instance for status in statuses)
            tell(here, "web-1", hups=1, move={"hups": 1, "outcome": "done", "to": NEW})

    tell(here, "web-1", release=OLD)
    assert not Early(here.home).follow({"web-1": None}, NEW, 10)
    assert told == ["web-1"]


def test_serving_release(here: Here, child: int) -> None:
    tell(here, "web-1", child=child)
    tell(here, "web-2", child=child)
    assert here.serving_release(["web-1", "web-2"]) == NEW
    assert here.serving_release(["web-1", "web-3"]) is None
    assert here.serving_release([]) is None
    tell(here, "web-2", child=child, release=OLD)
    assert here.serving_release(["web-1", "web-2"]) is None
    assert here.serving_release(["web-2"]) is None  # the kernel does not agree


def test_follow_nobody(here: Here) -> None:
    assert not here.follow({}, NEW, 10)


def test_follow_one_that_is_refused(here: Here) -> None:
    move = {
        "hups": 0,
        "to": NEW,
        "outcome": "refused",
        "reason": "exit 3",
        "output": ["KeyError: x"],
    }
    tell(here, "web-1", state="failed", move=move)
    failure = here.follow({"web-1": None, "web-2": None}, NEW, 10)
    assert failure == Failure("web-1 exit 3", ("KeyError: x",))
    assert str(failure) == "web-1 exit 3; it wrote:\n    KeyError: x"


def test_follow_one_that_does_not_arrive(here: Here) -> None:
    tell(here, "web-1", state="gate", move={"hups": 0, "to": NEW, "step": "gate"})
    tell(here, "web-2")
    failure = here.follow({"web-1": None, "web-2": None, "web-3": None}, NEW, 0.02)
    assert failure.reason == (
        f"web-1 is at the step 'gate' of its move to {NEW} after 0.02 s; "
        "web-3 has not said anything yet after 0.02 s"
    )


def test_no_failure_is_false() -> None:
    assert not Failure()
    assert str(Failure("why")) == "why"


def test_wait_until_gone(here: Here) -> None:
    with sleeping({}) as pid:
        tell(here, "web-1", pid=pid)
    tell(here, "web-2")
    assert here.wait_until_gone(["web-1", "web-2", "web-3"], 0.02) == ["web-2"]
    assert [path.name for path in here.run_directory.iterdir()] == ["web-2.json"]
    (here.run_directory / "web-4.json").mkdir()  # by the app
    assert here.wait_until_gone(["web-4"], 0.02) == []


def test_zombie() -> None:
    assert not processes_supervisor.is_zombie(os.getpid())
    name = [sys.executable, "-c", "open('/proc/self/comm', 'w').write(') Z ('); input()"]
    with subprocess.Popen(name, stdin=subprocess.PIPE) as process:
        assert not processes_supervisor.is_zombie(process.pid)
        process.communicate(b"\n", timeout=10)


def test_what_a_process_wrote_cannot_act_on_a_terminal() -> None:
    failure = Failure("web-1 said \x1b[2J", ("\x1b]0;x\x07", "one\nweb-2 serves"))
    assert str(failure) == (
        "web-1 said \\x1b[2J; it wrote:\n    \\x1b]0;x\\x07\n    one\\nweb-2 serves"
    )
    assert failure.reason == "web-1 said \\x1b[2J"


def test_an_eviction_tries_all_of_it(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def end(_uid: int) -> None:
        raise DeployError("Could not end the process 4.")

    def forget(app: str, *_args: object) -> list[str]:
        asked.append(app)
        raise DeployError("Could not remove all.")

    monkeypatch.setattr(processes_supervisor, "end_processes", end)
    monkeypatch.setattr(processes_supervisor, "forget", forget)
    with pytest.raises(
        DeployError, match=r"^Could not end the process 4\. Could not remove all\.$"
    ):
        here.evict()
    assert asked == ["shop"]
