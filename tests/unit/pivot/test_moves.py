# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves from release to release, and signals at every moment of one."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import pathlib
import random
import re
import signal
import stat
from collections.abc import Iterator
from typing import Any

import pytest
from unit.pivot.harness import (
    PYTHON,
    SERVER,
    Site,
    accepts,
    ask,
    children_of,
    connected,
    is_running,
    wait_for,
)


def test_start(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    status = pivot.status()
    assert (status["app"], status["instance"], status["pid"]) == ("shop", "web-1", pivot.pid)
    assert (status["release"], status["generation"], status["state"]) == ("r1", 1, "serving")
    assert (status["hups"], status["counter"]) == (0, 1)
    assert status["move"]["outcome"] == "done"
    assert ask(pivot.link) == f"r1 {status['child']}"
    # not a symbolic link: the proxy follows none
    assert stat.S_ISSOCK(pivot.link.lstat().st_mode)
    assert pivot.link.samefile(site.run_dir / "web-1.1.sock")
    environ = pathlib.Path(f"/proc/{status['child']}/environ").read_bytes().split(b"\0")
    assert b"RELEASE_ID=r1" in environ
    cwd = os.readlink(f"/proc/{status['child']}/cwd")
    assert cwd == str(site.root / "releases" / "r1")


def test_hup_moves_to_what_current_names(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    old = pivot.status()
    status = pivot.move(site.release("r2"))
    assert (status["release"], status["generation"], status["pid"]) == ("r2", 2, pivot.pid)
    move = status["move"]
    assert (move["outcome"], move["from"], move["to"]) == ("done", "r1", "r2")
    assert (move["child"], move["stragglers"]) == (status["child"], 0)
    assert set(move["seconds"]) == {"gate", "switch", "drain", "stop", "total"}
    assert ask(pivot.link) == f"r2 {status['child']}"
    assert not is_running(old["child"])
    assert site.files() == {"web-1.sock", "web-1.2.sock", "web-1.2.d"}


def test_the_directory_alone_says_who_may_connect(site: Site) -> None:
    """Servers make their sockets with modes from 0600 to 0777; a proxy is another user."""
    pivot = site.start(site.release("r1", f"umask 077; exec {SERVER}"))
    assert stat.S_IMODE(pivot.link.stat().st_mode) == 0o666
    assert stat.S_IMODE((site.run_dir / "web-1.1.d").stat().st_mode) == 0o700


def test_reload_of_the_same_release(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    old = pivot.status()
    status = pivot.move()
    assert (status["release"], status["generation"]) == ("r1", 2)
    assert status["child"] != old["child"]
    assert (status["move"]["from"], status["move"]["to"]) == ("r1", "r1")


TOO_LATE: dict[str, Any] = {"ready_timeout": ...}  # as long as a good one needs, and no longer

BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str, int | None]] = {
    # env, spec, reason, exit code
    "exits at boot": ({"EXIT": 3}, {}, "ended with exit code 3 while starting", 3),
    "exits with 0": ({"EXIT": 0}, {}, "ended with exit code 0 while starting", 0),
    "fails to import": ({"IMPORT": "raise"}, {}, "ended with exit code 1 while starting", 1),
    "hangs at import": ({"IMPORT": "hang"}, TOO_LATE, "it has not made its socket", None),
    "answers 500": ({"HEALTH": "500 Oops"}, TOO_LATE, "HTTP/1.1 500 Oops", None),
    "answers 302": ({"HEALTH": "302 Found"}, TOO_LATE, "HTTP/1.1 302 Found", None),
    "does not answer": ({"HEALTH_SILENT": 1}, TOO_LATE, "no answer in time", None),
    "listens elsewhere": (
        {"LISTEN": "elsewhere.sock"},
        TOO_LATE,
        "it has not made its socket",
        None,
    ),
    "daemonizes": ({"CHILD": "daemonize"}, {}, "ended with exit code 0 while starting", 0),
    "no such program": ({}, {"command": "nothere --x"}, "ended with exit code 127", 127),
    "no command": ({}, {"command": "A=1"}, "cannot start release r2: 'A=1' is not a command", None),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_release_is_refused(site: Site, broken: str) -> None:
    env, spec, reason, code = BROKEN[broken]
    pivot = site.start(site.release("r1"))
    before = pivot.status()
    if spec == TOO_LATE:
        timeout = pivot.ready_timeout()
        spec = {"ready_timeout": timeout}
        reason = f"not ready within {timeout:g} s; GET /healthz on its own socket: {reason}"
    status = pivot.move(site.release("r2", env={"PRINT": "famous last words"} | env, **spec))
    move = status["move"]
    assert reason in move["reason"]
    assert (move["outcome"], move["to"], move.get("exit_code")) == ("refused", "r2", code)
    assert status["state"] == "serving"
    for key in ("release", "generation", "child"):
        assert status[key] == before[key]
    assert pivot.ask() == "r1"
    assert site.files() == {"web-1.sock", "web-1.1.sock", "web-1.1.d"}
    if "command" not in spec:
        assert move["output"][0].startswith("famous last words")
    if broken == "fails to import":
        assert move["output"][-1] == "ImportError: No module named 'nothere'"
    assert f"refused: {move['reason']}" in pivot.log()
    assert pivot.move(site.release("r3"))["release"] == "r3"


def test_a_broken_release_at_the_start(site: Site) -> None:
    site.point(site.release("r1", env={"EXIT": 3, "PRINT": "no config\n"}))
    pivot = site.launch()
    assert pivot.wait() == 1
    status = pivot.status()
    assert (status["state"], status["release"]) == ("failed", None)
    assert (status["move"]["outcome"], status["move"]["exit_code"]) == ("refused", 3)
    assert status["move"]["output"] == ["no config"]
    assert site.files() == set()


def test_a_refused_release_may_tidy_up(site: Site) -> None:
    """It may have made something in places that the pivot knows nothing of."""
    journal = site.flag("journal")
    pivot = site.start(site.release("r1"))
    env = {"JOURNAL": journal, "HEALTH": "500 Oops"}
    pivot.move(site.release("r2", env=env, ready_timeout=pivot.ready_timeout()))
    assert [line.split()[0] for line in journal.read_text().splitlines()] == [
        "start",
        "term",
        "end",
    ]


def test_health_must_hold_count_times_in_a_row(site: Site) -> None:
    health = {"path": "/healthz", "host": "shop.test", "count": 3}
    pivot = site.start(site.release("r1", health=health))
    assert pivot.status()["move"]["seconds"]["gate"] >= 0.1


def test_without_a_health_path_accepting_is_enough(site: Site) -> None:
    pivot = site.start(site.release("r1", env={"HEALTH": "500 Oops"}, health={}))
    assert pivot.status()["move"]["health"] == "accepted a connection"
    assert pivot.ask() == "r1"


# --- a release that is well at first ---------------------------------------------------------


def test_a_release_that_dies_soon_after_it_was_ready(site: Site) -> None:
    """It has nobody's requests yet, because it must be well for some time first."""
    pivot = site.start(site.release("r1"))
    before = pivot.status()
    with site.load(close=2, keep=2) as result:
        site.point(site.release("r2", env={"DIE_WHEN": site.flag("die")}, ready_after=600.0))
        pivot.hup()
        own = site.run_dir / "web-1.2.sock"
        wait_for(lambda: accepts(own), "the socket of generation 2")
        assert ask(own, "/healthz").startswith("r2 ")
        site.flag("die").touch()
        status = pivot.moved()
    assert status["move"]["reason"] == "ended with exit code 7 while starting"
    assert (status["state"], status["child"]) == ("serving", before["child"])
    assert (result["failed"], result["errors"]) == (0, {})
    assert set(result["bodies"]) == {"r1"}


def test_a_release_that_falls_ill_soon_after_it_was_ready(site: Site) -> None:
    well = site.flag("well")
    well.touch()
    pivot = site.start(site.release("r1"))
    timeout = pivot.ready_timeout()
    env = {"HEALTH_WHEN": well}
    site.point(site.release("r2", env=env, ready_after=600.0, ready_timeout=timeout))
    pivot.hup()
    own = site.run_dir / "web-1.2.sock"
    wait_for(lambda: accepts(own), "the socket of generation 2")
    assert ask(own, "/healthz").startswith("r2 ")
    well.unlink()
    move = pivot.moved()["move"]
    assert move["outcome"] == "refused"
    assert move["reason"].endswith("HTTP/1.1 503 Not Yet")
    assert pivot.ask() == "r1"


def test_ready_after_is_waited_for_before_the_switch(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    seconds = pivot.move(site.release("r2", ready_after=1.0))["move"]["seconds"]
    assert seconds["gate"] >= 1.0


def test_nothing_is_waited_for_when_the_old_one_has_died(site: Site) -> None:
    """A new one that is well is better than none."""
    pivot = site.start(site.release("r1"))
    old = pivot.status()["child"]
    site.point(site.release("r2", ready_after=600.0))
    pivot.hup()
    wait_for((site.run_dir / "web-1.2.sock").exists, "the socket of generation 2")
    os.kill(old, signal.SIGKILL)
    assert pivot.moved()["release"] == "r2"
    assert pivot.ask() == "r2"


def test_nothing_is_waited_for_when_there_is_no_old_one(site: Site) -> None:
    """But that it serves is said only when it has stayed up; then a deploy may believe it."""
    site.point(site.release("r1", ready_after=600.0, env={"DIE_WHEN": site.flag("die")}))
    pivot = site.launch()
    status = pivot.until_state("settle")
    assert (status["release"], status["move"]["outcome"]) == ("r1", "pending")
    assert pivot.ask() == "r1"
    site.flag("die").touch()
    assert pivot.wait() == 1
    status = pivot.status()
    assert (status["state"], status["release"]) == ("failed", None)
    assert status["move"]["reason"] == "ended with exit code 7 after the switch"
    assert site.files() == set()


# --- a host that went down in the middle of a deploy ----------------------------------------


def remember(site: Site, *entries: object) -> None:
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    (site.root / "releases.jsonl").write_text("".join(f"{line}\n" for line in lines))


def good(release: str) -> dict[str, str]:
    return {"release": release, "outcome": "good"}


def begun(release: str) -> dict[str, str]:
    return {"release": release, "outcome": "pending"}


def bad(release: str, before: str = "r1") -> dict[str, str]:
    return {"release": release, "outcome": "bad", "before": before}


@pytest.fixture
def deploying(site: Site) -> Iterator[None]:
    """A deploy is under way."""
    handle = os.open(site.root, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield
    os.close(handle)


def test_a_start_takes_what_served_last_when_a_deploy_was_cut_off(site: Site) -> None:
    """Whatever becomes of the release that `current` names: nobody has proven it."""
    site.release("r1")
    site.release("r2")
    remember(site, good("r0"), begun("r1"), good("r1"), begun("r2"), '{"release": "r')
    pivot = site.start("r2")
    assert (pivot.status()["release"], pivot.ask()) == ("r1", "r1")
    assert "instead_of" not in pivot.status()["move"]
    assert pivot.move()["release"] == "r2"


@pytest.mark.parametrize(
    "after",
    [[], [begun("r3")], [begun("r3"), bad("r3")], [begun("r2"), bad("r2", before="r2")]],
    ids=["by hand", "of another release", "another was refused", "its other formation was refused"],
)
def test_a_start_takes_current_when_no_deploy_of_it_was_cut_off(
    site: Site, after: list[object]
) -> None:
    """An operator may have moved it."""
    site.release("r1")
    site.release("r2")
    remember(site, good("r2"), good("r1"), *after)
    assert site.start("r2").ask() == "r2"


def test_a_start_takes_nothing_that_was_refused(site: Site) -> None:
    site.release("r1")
    site.release("r2")
    remember(site, good("r1"), begun("r2"), bad("r2"))
    assert site.start("r2").ask() == "r1"


def test_a_start_does_not_fall_back_to_what_was_refused(site: Site) -> None:
    site.release("r1", "exit 3")
    site.release("r2")
    remember(site, good("r1"), begun("r2"), bad("r2"))
    site.point("r2")
    pivot = site.launch()
    assert pivot.wait() == 1
    assert pivot.status()["move"]["to"] == "r1"
    assert "instead" not in pivot.log()


@pytest.mark.usefixtures("deploying")
def test_a_start_takes_what_was_refused_while_it_is_deployed_again(site: Site) -> None:
    site.release("r1")
    site.release("r2")
    remember(site, good("r1"), bad("r2"), begun("r2"))
    assert site.start("r2").ask() == "r2"


@pytest.mark.usefixtures("deploying")
def test_a_start_takes_current_during_a_deploy(site: Site) -> None:
    site.release("r1")
    site.release("r2")
    remember(site, good("r1"), begun("r2"))
    assert site.start("r2").ask() == "r2"


@pytest.mark.usefixtures("deploying")
@pytest.mark.parametrize("broken", ["at once", "soon", "dangling"])
def test_a_start_falls_back_during_a_deploy(site: Site, broken: str) -> None:
    site.release("r1")
    remember(site, good("r1"), begun("r2"))
    if broken == "soon":
        site.flag("die").touch()
        site.release("r2", env={"DIE_WHEN": site.flag("die")})
    elif broken == "at once":
        site.release("r2", env={"EXIT": 3, "PRINT": "no config\n"})
    pivot = site.start("r2")
    status = pivot.status()
    assert pivot.ask() == "r1"
    assert (status["release"], status["move"]["outcome"], status["move"]["to"]) == (
        "r1",
        "done",
        "r1",
    )
    refused = status["move"]["instead_of"]
    assert refused["outcome"] == "refused"
    if broken == "at once":
        assert (refused["to"], refused["reason"]) == ("r2", "ended with exit code 3 while starting")
        assert refused["output"] == ["no config"]
    status = pivot.move(site.release("r3"))
    assert status["release"] == "r3"
    assert "instead_of" not in status["move"]


@pytest.mark.parametrize("broken", ["gone", "broken"])
def test_a_start_takes_current_when_what_served_last_is(site: Site, broken: str) -> None:
    if broken == "broken":
        site.release("r1", env={"EXIT": 3})
    remember(site, good("r1"), begun("r2"))
    assert site.start(site.release("r2")).ask() == "r2"


@pytest.mark.parametrize("record", [None, "", "nonsense\n[]\n3\n", "r2", "gone"], ids=repr)
def test_a_start_with_nothing_else_to_try(site: Site, record: str | None) -> None:
    if record is not None:
        remember(site, good(record) if record in ("r2", "gone") else record)
    site.point(site.release("r2", env={"EXIT": 3}))
    pivot = site.launch()
    assert pivot.wait() == 1
    status = pivot.status()
    assert (status["state"], status["release"]) == ("failed", None)
    move = status["move"].get("instead_of", status["move"])
    assert (move["to"], move["exit_code"]) == ("r2", 3)
    assert site.files() == set()


def test_a_move_never_falls_back(site: Site) -> None:
    """What served until then goes on, whatever the record says."""
    site.release("r0")
    pivot = site.start(site.release("r1"))
    remember(site, good("r0"))
    assert pivot.move(site.release("r2", env={"EXIT": 3}))["release"] == "r1"


def ignores_hup(pid: int) -> bool:
    mask = re.search(r"SigIgn:\s+(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    assert mask
    return bool(int(mask[1], 16) & 1 << signal.SIGHUP - 1)


def test_hup_before_python_is_up(site: Site) -> None:
    """A supervisor may forward HUP at any time; the watchers start the pivot like this."""
    site.point(site.release("r1"))
    through = ["/usr/bin/env", "--ignore-signal=HUP", PYTHON, "-I", "-S"]
    for _each in range(5):
        pivot = site.launch(through=through)
        wait_for(functools.partial(ignores_hup, pivot.pid), "env")
        os.kill(pivot.pid, signal.SIGHUP)
        status = pivot.until_state("serving")
        assert not ignores_hup(status["child"]), "that is not for the process itself"
        assert pivot.move()["generation"] == status["generation"] + 1
        assert pivot.term() == 0


def test_a_new_pivot_counts_on(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    assert pivot.move()["generation"] == 2
    assert pivot.term() == 0
    assert site.files() == set()
    assert site.start().status()["generation"] == 3


# --- signals while something is under way ---------------------------------------------------


class Held:
    """A move from r1 to r2 that stands still in one step until ``let_go``."""

    def __init__(self, site: Site, step: str, **spec: Any) -> None:
        self.site = site
        self.step = step
        self.flag = site.flag(f"{step}-may-end")
        variable = {"gate": "HEALTH_WHEN", "drain": "", "stop": "TERM_WHEN"}[step]
        env = {variable: self.flag} if variable else {}
        site.release("r1", env=env if step == "stop" else {}, **spec)
        site.release("r2", env=env if step == "gate" else {}, **spec)
        self.pivot = site.start("r1")
        self.first = self.pivot.status()["child"]
        self.connection = connected(self.pivot.link)
        if step == "drain":
            self.connection.__enter__()
        site.point("r2")
        self.pivot.hup()
        self.pivot.until_state(step)
        if step == "gate":  # not before it is there to be signalled
            wait_for((site.run_dir / "web-1.2.sock").exists, "the socket of generation 2")

    def let_go(self) -> None:
        self.flag.touch()
        if self.step == "drain":
            self.connection.__exit__(None, None, None)


STEPS = ("gate", "drain", "stop")


@pytest.mark.parametrize("step", STEPS)
def test_who_serves_meanwhile(site: Site, step: str) -> None:
    held = Held(site, step)
    serves = "r1" if step == "gate" else "r2"
    assert held.pivot.ask() == serves
    assert held.pivot.status()["release"] == serves
    assert is_running(held.first)
    held.let_go()
    assert held.pivot.moved()["release"] == "r2"


def test_hup_for_another_release_during_the_gate(site: Site) -> None:
    """Nobody wants the one at the gate any more, so nobody's request may reach it."""
    held = Held(site, "gate")
    held.pivot.hup()  # for the same release: that is no reason to give it up
    held.pivot.until("HUP is counted", lambda status: status["state"] == "gate")
    with site.load(close=2) as result:
        site.point("r1")
        held.pivot.hup()
        status = held.pivot.moved()
    assert (status["release"], status["move"]["from"], status["move"]["to"]) == ("r1", "r1", "r1")
    assert set(result["bodies"]) == {"r1"}
    assert "refused: given up: another release was asked for meanwhile" in held.pivot.log()
    held.let_go()


def test_hup_for_another_release_while_a_worker_proves_itself(site: Site) -> None:
    pivot = site.start(site.release("r1", kind="worker"), "worker-1")
    site.point(site.release("r2", kind="worker", ready_after=600.0))
    pivot.hup()
    pivot.until_state("gate")
    site.point("r1")
    pivot.hup()
    assert pivot.moved()["release"] == "r1"


@pytest.mark.parametrize("step", STEPS[1:])
def test_hup_during_a_move(site: Site, step: str) -> None:
    """It is answered by one more move, to what `current` names after this one."""
    held = Held(site, step)
    site.release("r3")
    site.release("r4")
    site.point("r3")
    held.pivot.hup()
    site.point("r4")
    held.pivot.until("HUP is counted", lambda _status: True)
    held.let_go()
    status = held.pivot.moved()
    assert (status["release"], status["generation"]) == ("r4", 3)
    assert (status["move"]["from"], status["move"]["to"]) == ("r2", "r4")


@pytest.mark.parametrize("step", STEPS)
def test_several_hups_during_a_move_are_one(site: Site, step: str) -> None:
    held = Held(site, step)
    for _each in range(5):
        os.kill(held.pivot.pid, signal.SIGHUP)
    held.let_go()
    status = held.pivot.until(
        "third generation",
        lambda status: status["generation"] == 3 and status["state"] == "serving",
    )
    # HUPs that are pending at once are one to the kernel; whoever sent one is answered
    assert status["hups"] >= 2
    assert status["move"]["hups"] == status["hups"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", STEPS)
def test_term_during_a_move_stops_both(site: Site, step: str, number: signal.Signals) -> None:
    held = Held(site, step)
    os.kill(held.pivot.pid, number)
    if step == "stop":
        held.pivot.until_state("stopping")
        held.let_go()
    assert held.pivot.wait() == 0
    assert held.pivot.status()["state"] == "stopped"
    assert held.pivot.status()["release"] is None
    assert site.files() == set()
    held.connection.__exit__(None, None, None) if step == "drain" else None


def test_term_lets_requests_end_on_both(site: Site) -> None:
    """A request in flight on the old one and one on the new one, then TERM."""
    journal, end = site.flag("journal"), site.flag("slow requests may end")
    for name in ("r1", "r2"):
        site.release(name, env={"JOURNAL": journal, "SLOW_UNTIL": end})
    pivot = site.start("r1")
    with site.load(slow=1, once=1) as on_old:
        wait_for(lambda: "slow r1" in journal.read_text(), "a slow request")
        site.point("r2")
        pivot.hup()
        pivot.until_state("drain")
        with site.load(slow=1, once=1) as on_new:
            wait_for(lambda: "slow r2" in journal.read_text(), "a slow request to the new one")
            pivot.process.terminate()
            wait_for(lambda: journal.read_text().count("term") == 2, "TERM to both")
            end.touch()
            assert pivot.wait() == 0
    assert (on_old["slow"], on_old["bodies"]) == (1, {"r1": 1})
    assert (on_new["slow"], on_new["bodies"]) == (1, {"r2": 1})


def test_hup_and_term_at_once(site: Site) -> None:
    for number in range(5):
        pivot = site.start(site.release(f"r{number}"))
        for one in random.Random(number).sample([signal.SIGHUP] * 3 + [signal.SIGTERM] * 2, 5):
            os.kill(pivot.pid, one)
        assert pivot.wait() == 0
        assert pivot.status()["state"] == "stopped"
        assert site.files() == set()


def test_a_storm_of_hups(site: Site) -> None:
    """HUPs at random moments of moves between random releases; the last word counts."""
    chance = random.Random(12)
    names = [site.release(f"r{number}") for number in range(4)]
    names.append(site.release("bad", env={"EXIT": 3}))
    pivot = site.start("r0")
    for _each in range(20):
        site.point(chance.choice(names))
        hups = pivot.status()["hups"]
        pivot.hup()
        moment = chance.choice(["gate", "switch", "drain", "stop", "serving", None])
        if moment:  # or, where that was too short to be seen, the end of the move
            pivot.until(
                moment,
                lambda status, moment=moment, hups=hups: (
                    status["state"] == moment
                    or (status["state"] == "serving" and status["hups"] > hups)
                ),
            )
    site.point(site.release("last"))
    pivot.hup()
    pivot.until(
        "the last release, and no HUP that is not answered",
        lambda status: (
            (status["state"], status["release"]) == ("serving", "last")
            and status["hups"] == status["move"]["hups"]
        ),
    )
    assert pivot.ask() == "last"
    assert len(children_of(pivot.pid)) == 1
    assert len(site.files()) == 3
    assert pivot.status()["hups"] <= pivot.hups


def test_term_while_the_first_release_starts(site: Site) -> None:
    site.point(site.release("r1", env={"IMPORT": "hang"}))
    pivot = site.launch()
    pivot.until_state("gate")
    assert pivot.term() == 0
    assert pivot.status()["state"] == "stopped"


def test_term_while_a_failed_start_pauses(site: Site) -> None:
    site.point(site.release("r1", env={"EXIT": 3}))
    pivot = site.launch()
    pivot.until_state("failed")
    assert pivot.term() == 0


def test_term_at_the_very_moment_of_a_start(site: Site) -> None:
    """The new process has not reset its signal handlers yet: it must get its TERM all the same."""
    site.point(site.release("r1", env={"IMPORT": "hang"}, stop_timeout=600.0))
    for _each in range(10):
        pivot = site.launch()
        wait_for(lambda: any(name.endswith(".d") for name in site.files()), "a generation")
        os.kill(pivot.pid, signal.SIGTERM)
        assert pivot.wait() == 0


# --- processes that die ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "number", "code"),
    [({"DIE_WHEN": "die"}, None, 7), ({}, signal.SIGKILL, 137), ({}, signal.SIGTERM, 1)],
    ids=["exit", "KILL", "ends as if told to"],
)
def test_the_serving_process_dies(
    site: Site, env: dict[str, object], number: int | None, code: int
) -> None:
    env = {"PRINT": "words\n"} | {key: site.flag(str(value)) for key, value in env.items()}
    pivot = site.start(site.release("r1", env=env))
    if number:
        os.kill(pivot.status()["child"], number)
    site.flag("die").touch()
    assert pivot.wait() == code
    status = pivot.status()
    assert (status["state"], status["release"]) == ("failed", None)
    assert status["exit_code"] == (0 if number == signal.SIGTERM else code)
    assert status["output"][0] == "words"
    assert site.files() == set()


def test_restarts_that_nobody_asked_for_are_counted(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    assert pivot.status()["restarts"] == 0
    os.kill(pivot.status()["child"], signal.SIGKILL)
    pivot.wait()
    pivot = site.start()
    assert pivot.move(site.release("r2"))["restarts"] == 1
    pivot.process.terminate()
    pivot.wait()
    assert site.start().status()["restarts"] == 1


def test_the_old_one_dies_during_the_gate(site: Site) -> None:
    """Nobody serves until the new one does, so the gate goes on."""
    held = Held(site, "gate")
    os.kill(held.first, signal.SIGKILL)
    wait_for(lambda: not is_running(held.first), "its end")
    held.let_go()
    status = held.pivot.moved()
    assert (status["release"], status["move"]["outcome"]) == ("r2", "done")


def test_the_old_one_dies_during_the_gate_of_a_broken_one(site: Site) -> None:
    site.release("r2", env={"DIE_WHEN": site.flag("die"), "HEALTH": "500 Oops"})
    pivot = site.start(site.release("r1"))
    site.point("r2")
    pivot.hup()
    pivot.until_state("gate")
    os.kill(pivot.status()["child"], signal.SIGKILL)
    site.flag("die").touch()
    assert pivot.wait() == 137
    assert pivot.status()["move"]["outcome"] == "refused"


@pytest.mark.parametrize("step", ["drain", "stop"])
def test_the_old_one_dies_after_the_switch(site: Site, step: str) -> None:
    held = Held(site, step)
    os.kill(held.first, signal.SIGKILL)
    status = held.pivot.moved()
    assert (status["release"], status["move"]["outcome"]) == ("r2", "done")
    assert held.pivot.ask() == "r2"
    held.let_go()


def test_the_new_one_dies_during_the_drain(site: Site) -> None:
    """The old one is still there and well: it takes over again, and nothing is restarted."""
    held = Held(site, "drain")
    child = held.pivot.until("r2", lambda status: status["release"] == "r2")["child"]
    os.kill(child, signal.SIGKILL)
    status = held.pivot.moved()
    assert (status["release"], status["generation"], status["child"]) == ("r1", 1, held.first)
    assert status["move"]["outcome"] == "refused"
    assert status["move"]["reason"] == "ended with exit code 137 after the switch"
    assert status["move"]["exit_code"] == 137
    assert held.pivot.ask() == "r1"
    assert site.files() == {"web-1.sock", "web-1.1.sock", "web-1.1.d"}
    held.let_go()


def test_both_die_during_the_drain(site: Site) -> None:
    held = Held(site, "drain")
    child = held.pivot.until("r2", lambda status: status["release"] == "r2")["child"]
    os.kill(held.pivot.pid, signal.SIGSTOP)  # so that it sees both deaths at once
    os.kill(held.first, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    os.kill(held.pivot.pid, signal.SIGCONT)
    assert held.pivot.wait() == 137
    assert site.files() == set()
    held.let_go()


def test_the_new_one_dies_while_the_old_one_stops(site: Site) -> None:
    """The old one cannot come back; waiting for its end would only delay the restart."""
    held = Held(site, "stop")
    os.kill(held.pivot.status()["child"], signal.SIGKILL)
    assert held.pivot.wait() == 137
    assert held.pivot.status()["state"] == "failed"


def test_hup_finds_the_serving_process_dead(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    child = pivot.status()["child"]
    os.kill(pivot.pid, signal.SIGSTOP)
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: not is_running(child), "its end")
    pivot.hup()
    os.kill(pivot.pid, signal.SIGCONT)
    # whichever it sees first: either way there is a process again
    status = pivot.until(
        "the end, or a second generation",
        lambda status: (
            (status["state"], status["generation"]) in (("failed", None), ("serving", 2))
        ),
    )
    assert status["state"] == "serving" or pivot.wait() == 137


# --- connections ----------------------------------------------------------------------------


def test_a_straggler_is_cut_off_after_the_drain_timeout(site: Site) -> None:
    pivot = site.start(site.release("r1", drain_timeout=0.5))
    with connected(pivot.link) as connection:
        status = pivot.move(site.release("r2"))
        assert status["move"]["stragglers"] == 1
        assert status["move"]["outcome"] == "done"
        assert status["move"]["seconds"]["drain"] >= 0.5
        assert connection.recv(1) == b""


def test_a_server_that_cannot_be_seen_gets_the_whole_drain_timeout(site: Site) -> None:
    """It listens under another name of the same socket, so its connections cannot be counted."""
    (site.run_dir / "same").symlink_to(".")
    site.foreign.add("same")
    command = f'LISTEN="${{SOCKET%/*}}/same/${{SOCKET##*/}}" {SERVER}'
    pivot = site.start(site.release("r1", command, drain_timeout=0.5))
    assert pivot.move(site.release("r2"))["move"]["seconds"]["drain"] >= 0.5


def test_a_release_whose_web_has_no_socket_any_more(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    status = pivot.move(site.release("r2", socket=False))
    assert (status["release"], status["state"]) == ("r2", "serving")
    assert site.files() == {"web-1.2.d"}
    assert not pivot.link.exists()


def test_ten_moves_under_load_lose_nothing(site: Site) -> None:
    names = [site.release(f"r{number}") for number in range(11)]
    pivot = site.start("r0")
    with site.load(close=4, keep=4) as result:
        with site.load(slow=4) as slow:
            for name in names[1:3]:
                move = pivot.move(name)["move"]
                assert (move["outcome"], move["stragglers"]) == ("done", 0)
                result.more(10)
        for name in names[3:]:
            assert pivot.move(name)["move"]["outcome"] == "done"
            result.more(10)
    assert (result["failed"], result["errors"]) == (0, {})
    assert (slow["failed"], slow["errors"]) == (0, {})
    assert set(result["bodies"]) == set(names)
    assert min(result["close"], result["keep"]) >= 100
    assert slow["slow"] >= 4
    print(f"{result['close']} + {result['keep']} + {slow['slow']} requests, 0 failed")


def test_refused_releases_under_load_lose_nothing(site: Site) -> None:
    broken: list[dict[str, object]] = [
        {"EXIT": 3},
        {"IMPORT": "raise"},
        {"HEALTH": "500 Oops"},
        {"CHILD": "daemonize"},
    ]
    pivot = site.start(site.release("good"))
    with site.load(close=4, keep=4, slow=2) as result:
        for number, env in enumerate(broken):
            status = pivot.move(site.release(f"bad{number}", env=env, ready_timeout=0.5))
            assert status["move"]["outcome"] == "refused"
    assert (result["failed"], result["errors"]) == (0, {})
    assert set(result["bodies"]) == {"good"}
