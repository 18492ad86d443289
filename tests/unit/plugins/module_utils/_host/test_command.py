# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs with a deadline, maybe as another user."""

from __future__ import annotations

import os
import pathlib
import resource
import signal
import sys
import time

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import (
    KEPT,
    Identity,
    run,
)

NOBODY = Identity(65534, 65534)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param("echo out; echo err >&2", (0, "out\nerr\n"), id="both-streams"),
        pytest.param("echo no; exit 3", (3, "no\n"), id="exit-code"),
        pytest.param("kill -9 $$", (-9, ""), id="killed"),
        pytest.param("printf 'a\\377b'", (0, "a\ufffdb"), id="no-utf-8"),
        pytest.param("cat", (0, ""), id="nothing-to-read"),
        pytest.param("umask", (0, "0027\n"), id="umask"),
        pytest.param("echo $LANG", (0, "C.UTF-8\n"), id="language"),
        pytest.param("echo $SECRET", (0, "\n"), id="own-environment-is-not-handed-on"),
    ],
)
def test_run(script: str, answer: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "value")
    assert run(["sh", "-c", script], "test", 10) == answer


def test_another_umask() -> None:
    assert run(["sh", "-c", "umask"], "test", 10, umask=0o022) == (0, "0022\n")


def test_environment_and_directory(tmp_path: pathlib.Path) -> None:
    answer = run(
        ["sh", "-c", "pwd; echo $A"], "test", 10, environment={"A": "1"}, directory=tmp_path
    )
    assert answer == (0, f"{tmp_path}\n1\n")


def test_program_that_is_missing() -> None:
    with pytest.raises(DeployError) as caught:
        run(["/no/such/program"], "start it", 10, remedy="install it")
    assert str(caught.value) == (
        "Could not start it: /no/such/program is missing on this host; install it."
    )


def test_program_that_cannot_be_run(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DeployError, match=f"Could not start it: {tmp_path}: Permission denied"):
        run([str(tmp_path)], "start it", 10)


def test_deadline_ends_the_whole_family(tmp_path: pathlib.Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(DeployError, match=r"Could not wait: sh had not ended after 2 s"):
        run(["sh", "-c", script], "wait", 2)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 120
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid)


def test_a_program_does_not_outlive_who_started_it(tmp_path: pathlib.Path) -> None:
    """Not even where that is killed: whoever comes next would find it still writing."""
    pid = os.fork()
    if not pid:
        try:
            run(["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600"], "wait", 600)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 120
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    child = int((tmp_path / "pid").read_text())
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def test_another_user() -> None:
    code, output = run(["sh", "-c", "id -u; id -g; id -G"], "ask", 10, identity=NOBODY)
    me = (os.geteuid(), os.getegid())
    uid, gid = (NOBODY.uid, NOBODY.gid) if os.geteuid() == 0 else me
    assert code == 0
    assert output.split()[:2] == [str(uid), str(gid)]
    if os.geteuid() == 0:
        assert output.split()[2:] == [str(gid)]  # none of root's groups


# --- how much of the output is kept --------------------------------------------------------------

FLOOD = "import sys\nfor n in range({}): sys.stdout.write('%08d\\n' % n)"


def flood(lines: int) -> list[str]:
    return [sys.executable, "-I", "-c", FLOOD.format(lines)]


def test_a_flood_of_output_leaves_its_last_bytes() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = 3_000_000
    code, output = run(flood(lines), "write", 120)
    marker, *kept = output.splitlines()
    assert code == 0
    assert marker == f"… ({9 * lines - KEPT} bytes before this are left out)"
    assert kept[-2:] == ["02999998", "02999999"]
    assert len("\n".join(kept)) + 1 == KEPT
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10 * 1024  # KiB


def test_output_that_fits_is_left_alone() -> None:
    output = run(["sh", "-c", f"head -c {KEPT} /dev/zero | tr '\\0' x"], "write", 10)[1]
    assert output == "x" * KEPT


def test_line_ends_are_those_of_text() -> None:
    assert run(["printf", "a\\r\\nb\\rc\\n"], "write", 10) == (0, "a\nb\nc\n")


def test_output_that_is_needed_whole_has_a_bound() -> None:
    assert run(flood(100), "ask", 10, whole=900)[1].count("\n") == 100
    with pytest.raises(DeployError) as caught:
        run(["yes"], "ask yes", 100, whole=900)
    assert str(caught.value) == "Could not ask yes: yes wrote more than 900 bytes; it was ended."


def test_output_after_the_program_has_ended_is_waited_for() -> None:
    assert run(["sh", "-c", "(sleep 0.3; echo late) &"], "wait", 10) == (0, "late\n")
    with pytest.raises(DeployError, match=r"had not ended after 0\.2 s"):
        run(["sh", "-c", "exec >&- 2>&-; sleep 600"], "wait", 0.2)
