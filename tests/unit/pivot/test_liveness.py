# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that does not answer any more is replaced, and no other is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import time
from types import ModuleType
from typing import Any

import pytest
from unit.pivot.harness import PATIENCE, SERVER, Pivot, Site, is_running, state_of, wait_for
from unit.pivot.test_faults import family
from unit.pivot.test_servers import LINES
from unit.pivot.test_servers import release as server_release

SOON = {"interval": 0.1, "failures": 2, "timeout": 0.4}
HEALTH = {"path": "/healthz", "host": "shop.test", "count": 1}

# --- decisions ------------------------------------------------------------------------------


def spec(module: ModuleType, **changes: Any) -> dict[str, Any]:
    given = {"command": "x", "socket": True, "health": HEALTH} | changes
    made: dict[str, Any] = module.release.checked(given, module.contract.SPEC)
    return made


@pytest.mark.parametrize(
    ("changes", "watched"),
    [
        pytest.param({}, True, id="web"),
        pytest.param({"socket": False}, False, id="worker"),
        pytest.param({"health": {}}, False, id="no-path"),
        pytest.param({"overlap": False}, False, id="only-once"),
        pytest.param({"liveness": {"interval": 0}}, False, id="off"),
        pytest.param({"liveness": {"timeout": 0}}, False, id="no-time"),
        pytest.param({"liveness": {"interval": 30}}, True, id="seldom"),
    ],
)
def test_what_is_watched(module: ModuleType, changes: dict[str, Any], watched: bool) -> None:
    assert module.liveness.is_watched(spec(module, **changes)) is watched


def test_a_hang_is_noticed_in_time(module: ModuleType) -> None:
    liveness = module.contract.SPEC["liveness"]
    assert liveness["interval"] + liveness["failures"] * liveness["timeout"] <= 12
    # what is well enough for the gate is well enough to go on
    assert liveness["timeout"] >= module.gate.PROBE_TIMEOUT


def ago(module: ModuleType, *answers: bool, **known: Any) -> Any:
    """What is known after these answers, of which one came a second."""
    pulse = module.liveness.Pulse(**known)
    for second, answered in enumerate(answers):
        pulse = pulse.checked(answered, float(second), 1.0)
    return pulse


@pytest.mark.parametrize(
    ("answers", "rest_until", "hung"),
    [
        pytest.param([], 0.0, False, id="not-asked"),
        pytest.param([True, True, True], 0.0, False, id="well"),
        pytest.param([True, False], 0.0, False, id="once"),
        pytest.param([True, False, False], 0.0, True, id="twice"),
        pytest.param([False, False, False, False], 0.0, True, id="more-often"),
        pytest.param([False, True, False], 0.0, False, id="not-in-a-row"),
        pytest.param([False, False, True], 0.0, False, id="again"),
        pytest.param([False, False], 100.0, True, id="rested"),
        pytest.param([False, False], 100.1, False, id="replaced-lately"),
    ],
)
def test_when_it_is_hung(
    module: ModuleType, answers: list[bool], rest_until: float, hung: bool
) -> None:
    assert ago(module, *answers, rest_until=rest_until).is_hung(100.0, 2) is hung


def test_never_more_than_one_a_minute(module: ModuleType) -> None:
    """Of a process that never answers, whatever replaces it."""
    pulse, at = module.liveness.Pulse(), []
    for now in map(float, range(600)):
        pulse = pulse.checked(False, now, 1.0)
        if pulse.is_hung(now, 2):
            at.append(now)
            pulse = pulse.replaced(now, True).of_another(now, 1.0)
    assert at == [1.0, 61.0, 121.0, 181.0, 241.0, 301.0, 361.0, 421.0, 481.0, 541.0]


def test_the_pause_grows_while_no_replacement_gets_through(module: ModuleType) -> None:
    pulse, pauses = ago(module, False, False), []
    for _each in range(6):
        pulse = pulse.replaced(1000.0, False)
        pauses.append(pulse.rest_until - 1000.0)
        pulse = pulse.checked(False, 1000.0, 1.0)
    assert pauses == [120.0, 240.0, 480.0, 960.0, 960.0, 960.0]
    assert pulse.checked(True, 1000.0, 1.0).replaced(1000.0, False).rest_until == 1120.0


# --- real processes -------------------------------------------------------------------------


def stop(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def stop_all(pivot: Pivot) -> set[int]:
    """The processes of the server, those included that it started while others were stopped."""
    stopped: set[int] = set()
    while others := family(pivot.pid) - stopped:
        stop(*others)
        stopped |= others
    return stopped


def replacement(pivot: Pivot, outcome: str) -> dict[str, Any]:
    """The status once the replacement has come so far."""
    return pivot.until(
        f"a replacement that is {outcome}",
        lambda status: (status.get("replacement") or {}).get("outcome") == outcome,
    )


@contextlib.contextmanager
def stopped(pivot: Pivot) -> Any:
    """A process that is let go again, for what a test leaves."""
    child = pivot.status()["child"]
    stop(child)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)


@pytest.mark.parametrize("server", ["gunicorn sync", "uvicorn workers"])
def test_a_server_that_was_stopped(site: Site, server: str) -> None:
    """Master and workers, under load: what they had is lost, and the next request is answered."""
    name = server_release(site, "r1", LINES[server])
    site.release(name, LINES[server], liveness={"interval": 0.2, "failures": 2, "timeout": 1.0})
    pivot = site.start(name)
    with site.load(close=2, keep=2) as load:
        load.more(5)
        hung = stop_all(pivot)
        assert len(hung) > 2
        status = replacement(pivot, "done")
        assert pivot.ask() == "r1"
    assert (status["state"], status["generation"], status["replacements"]) == ("serving", 2, 1)
    assert not [pid for pid in hung if is_running(pid)]
    assert status["restarts"] == 0
    # no deploy must take it for its own
    assert (status["move"]["outcome"], status["move"]["hups"]) == ("done", 0)
    assert status["move"]["child"] != status["child"] == status["replacement"]["child"]
    assert set(status["replacement"]["seconds"]) == {"gate", "switch", "stop", "total"}
    assert re.search(r"generation 1 is hung: 2 .*\(GET /healthz\): no answer in time", pivot.log())
    # one of a client that had sent its request, and none of those that came later
    assert load["failed"] <= 4


def test_an_error_is_an_answer(site: Site) -> None:
    """Another process would say the same of a database that is gone."""
    ill = site.flag("ill")
    pivot = site.start(site.release("r1", env={"HEALTH_UNTIL": ill}, liveness=SOON))
    ill.touch()
    time.sleep(1.5)
    status = pivot.status()
    assert (status["counter"], status["replacements"]) == (1, 0)
    ill.unlink()
    with stopped(pivot):
        assert replacement(pivot, "done")["counter"] == 2


def test_one_that_goes_on_in_time_stays(site: Site) -> None:
    liveness = {"interval": 0.1, "failures": 2, "timeout": 60.0}
    pivot = site.start(site.release("r1", liveness=liveness))
    with stopped(pivot) as child:
        time.sleep(0.5)
    time.sleep(0.5)
    assert (pivot.status()["child"], pivot.status()["counter"]) == (child, 1)
    assert pivot.ask() == "r1"


def test_what_is_only_busy_ends_its_requests(site: Site) -> None:
    journal, silent, end = (site.flag(name) for name in ("journal", "silent", "end"))
    env = {"JOURNAL": journal, "HEALTH_SILENT_WHILE": silent, "SLOW_UNTIL": end}
    pivot = site.start(site.release("r1", env=env, liveness=SOON))
    with site.load(slow=1, once=1) as slow:
        wait_for(lambda: "slow" in journal.read_text(), "a slow request")
        silent.touch()
        wait_for((site.run_dir / "web-1.2.d").exists, "another process")
        silent.unlink()
        status = replacement(pivot, "switched")
        assert pivot.ask() == "r1"
        assert status["generation"] == 2
        end.touch()
        status = replacement(pivot, "done")
    assert (slow["slow"], slow["failed"]) == (1, 0)
    assert (status["replacement"]["stragglers"], status["replacements"]) == (0, 1)


def test_a_replacement_that_does_not_get_through(site: Site) -> None:
    """What does not answer is better than what cannot; and the next attempt takes its time."""
    silent = site.flag("silent")
    site.release("r1")
    timeout = site.start("r1").ready_timeout()
    assert site.pivots[0].term() == 0
    env = {"HEALTH_SILENT_WHILE": silent, "PRINT": "x\n"}
    pivot = site.start(site.release("r1", env=env, ready_timeout=timeout, liveness=SOON))
    before = pivot.status()
    silent.touch()
    status = replacement(pivot, "refused")
    time.sleep(2)
    status = pivot.status()
    for key in ("child", "generation", "state", "move"):
        assert status[key] == before[key]
    assert (status["counter"], status["replacements"]) == (before["counter"] + 1, 0)
    assert "no answer in time" in status["replacement"]["reason"]
    assert "output" not in status["replacement"]
    assert pivot.ask() == "r1"
    silent.unlink()
    assert pivot.move(site.release("r2"))["release"] == "r2"


def test_one_that_was_replaced_is_not_replaced_again_soon(site: Site) -> None:
    pivot = site.start(site.release("r1", liveness=SOON))
    with stopped(pivot):
        replacement(pivot, "done")
    with stopped(pivot):
        time.sleep(2)
        assert (pivot.status()["counter"], pivot.status()["replacements"]) == (2, 1)


def test_a_hup_does_not_wait_for_an_answer(site: Site) -> None:
    liveness = {"interval": 0.1, "failures": 2, "timeout": 600.0}
    pivot = site.start(site.release("r1", liveness=liveness, drain_timeout=0.1, stop_timeout=0.1))
    with stopped(pivot) as child:
        time.sleep(0.5)
        assert pivot.move(site.release("r2"))["release"] == "r2"
        assert not is_running(child)


@pytest.mark.parametrize("target", ["r1", "r2"])
def test_a_hup_comes_before_a_replacement(site: Site, target: str) -> None:
    silent = site.flag("silent")
    env = {"HEALTH_SILENT_WHILE": silent}
    fast = {"drain_timeout": 0.1, "stop_timeout": 0.1}
    pivot = site.start(site.release("r1", env=env, liveness=SOON, **fast))
    site.release("r2", env=env)
    silent.touch()
    wait_for((site.run_dir / "web-1.2.sock").exists, "another process")
    site.point(target)
    pivot.hup()
    wait_for((site.run_dir / "web-1.3.d").exists, "the one that was asked for")
    silent.unlink()
    status = pivot.moved()
    assert (status["release"], status["generation"]) == (target, 3)
    assert (status["move"]["outcome"], status["move"]["hups"]) == ("done", 1)
    assert (status["replacement"]["outcome"], status["replacements"]) == ("refused", 0)
    assert status["replacement"]["overruled"] is True


def test_the_app_moves_together_although_one_is_being_replaced(site: Site) -> None:
    """What was asked of both is agreed on by both, and what becomes of the replacement concerns neither."""
    silent = site.flag("silent")
    env = {"HEALTH_SILENT_WHILE": silent}
    site.release("r1", env=env, liveness=SOON, drain_timeout=0.1, stop_timeout=0.1)
    site.release("r2", ready_after=1.0)
    pivots = [site.start("r1"), site.start("r1", "web-2")]
    with stopped(pivots[0]):
        silent.touch()
        wait_for((site.run_dir / "web-1.2.sock").exists, "another process")
        site.point("r2")
        for pivot in pivots:
            pivot.hup()
        told = [pivot.moved() for pivot in pivots]
    assert [status["release"] for status in told] == ["r2", "r2"]
    assert [status["move"]["outcome"] for status in told] == ["done", "done"]
    assert [status["replacements"] for status in told] == [0, 0]


@pytest.mark.parametrize("step", ["drain", "stop"])
@pytest.mark.parametrize("broken", ["none", "web-1", "web-2"])
def test_nobody_switches_while_one_ends_what_it_has_replaced(
    site: Site, step: str, broken: str
) -> None:
    """Its requests get the stop timeout yet, and then it takes part in what was asked of both."""
    journal, silent = site.flag("journal"), site.flag("silent-web-1")
    command = f"exec env HEALTH_SILENT_WHILE={site.flag('silent')}-$PROCESS_INSTANCE {SERVER}"
    env = {"JOURNAL": journal, "SLOW_UNTIL": site.flag("never")}
    drain = PATIENCE if step == "drain" else 0.1
    site.release("r1", command, env=env, liveness=SOON, drain_timeout=drain, stop_timeout=4.0)
    site.release("r2", f"test $PROCESS_INSTANCE != {broken} || exit 3; exec {SERVER}")
    web, other = site.start("r1"), site.start("r1", "web-2")
    replaced = web.status()["child"]
    with site.load(slow=1, once=1):
        wait_for(lambda: "slow" in journal.read_text(), "a slow request")
        silent.touch()
        wait_for((site.run_dir / "web-1.2.d").exists, "another process")
        silent.unlink()
        web.until(step, lambda status: (status.get("replacement") or {}).get("step") == step)
        site.point("r2")
        web.hup()
        other.hup()
        began = time.monotonic()
        web.until("the move", lambda status: status["move"]["hups"] == 1)
        assert other.status()["release"] == "r1"
        assert not is_running(replaced)  # never three at a time
        told = [web.moved(), other.moved()]
    assert time.monotonic() - began < PATIENCE / 2
    assert {status["release"] for status in told} == {"r2" if broken == "none" else "r1"}
    assert told[0]["replacements"] == 1
    for status in told:
        if broken not in ("none", status["instance"]):
            reason = f"given up: {broken} did not get through with release r2"
            assert status["move"]["reason"] == reason


def test_nothing_is_replaced_during_a_deploy(site: Site) -> None:
    pivot = site.start(site.release("r1", liveness=SOON))
    handle = os.open(site.root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with stopped(pivot):
            time.sleep(2)
            assert pivot.status()["counter"] == 1
            os.close(handle)
            assert replacement(pivot, "done")["counter"] == 2
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)


def test_term_during_a_replacement(site: Site) -> None:
    silent = site.flag("silent")
    env = {"HEALTH_SILENT_WHILE": silent}
    pivot = site.start(site.release("r1", env=env, liveness=SOON))
    silent.touch()
    wait_for((site.run_dir / "web-1.2.sock").exists, "another process")
    assert pivot.term() == 0
    assert pivot.status()["state"] == "stopped"


def test_the_hung_one_dies_during_its_replacement(site: Site) -> None:
    silent = site.flag("silent")
    pivot = site.start(site.release("r1", env={"HEALTH_SILENT_WHILE": silent}, liveness=SOON))
    child = pivot.status()["child"]
    silent.touch()
    wait_for((site.run_dir / "web-1.2.sock").exists, "another process")
    os.kill(child, signal.SIGKILL)
    silent.unlink()
    status = replacement(pivot, "done")
    assert (status["state"], status["generation"]) == ("serving", 2)


def test_the_count_outlives_a_pivot(site: Site) -> None:
    pivot = site.start(site.release("r1", liveness=SOON))
    assert pivot.status()["replacements"] == 0
    with stopped(pivot):
        replacement(pivot, "done")
    os.kill(pivot.status()["child"], signal.SIGKILL)
    pivot.wait()
    status = site.start().status()
    assert (status["restarts"], status["replacements"]) == (1, 1)


def test_which_processes_are_stopped(module: ModuleType) -> None:
    nothing = 1 << 22
    with subprocess.Popen(["sleep", "600"]) as rests:
        stop(rests.pid)
        wait_for(lambda: state_of(rests.pid) == "T", "the stop")
        assert module.kernel.is_stopped({rests.pid})
        assert module.kernel.is_stopped({rests.pid, nothing})
        assert not module.kernel.is_stopped({rests.pid, os.getpid()})
        assert not module.kernel.is_stopped({nothing})
        rests.kill()
