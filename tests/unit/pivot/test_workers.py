# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes without a socket, processes of which there may be only one, and several instances."""

from __future__ import annotations

import os
import pathlib
import signal

import pytest
from unit.pivot.harness import SERVER, Site, children_of, is_running, wait_for


def events(journal: pathlib.Path) -> list[tuple[str, str]]:
    lines = [line.split() for line in journal.read_text().splitlines()]
    return [(event, release) for event, release, _pid in lines]


def test_ready_after(site: Site) -> None:
    pivot = site.start(site.release("r1", kind="worker", ready_after=0.5), "worker-1")
    status = pivot.status()
    assert (status["release"], status["instance"]) == ("r1", "worker-1")
    assert status["move"]["seconds"]["gate"] >= 0.5
    assert site.files() == {"worker-1.1.d"}


def test_ready_after_nothing(site: Site) -> None:
    pivot = site.start(site.release("r1", kind="worker", ready_after=0), "worker-1")
    assert pivot.status()["move"]["seconds"]["gate"] < 5  # what it is where nothing is said


def test_a_worker_that_dies_within_ready_after_is_refused(site: Site) -> None:
    pivot = site.start(site.release("r1", kind="worker"), "worker-1")
    before = pivot.status()
    env = {"DIE_WHEN": site.flag("die")}
    site.point(site.release("r2", kind="worker", ready_after=600.0, env=env))
    pivot.hup()
    pivot.until_state("gate")
    site.flag("die").touch()
    status = pivot.moved()
    assert status["move"]["reason"] == "ended with exit code 7 while starting"
    assert status["move"]["output"] == ["dying"]
    assert (status["state"], status["child"]) == ("serving", before["child"])


def test_workers_overlap(site: Site) -> None:
    journal, end = site.flag("journal"), site.flag("r1 may end")
    site.release("r1", kind="worker", env={"JOURNAL": journal, "TERM_WHEN": end})
    site.release("r2", kind="worker", env={"JOURNAL": journal})
    pivot = site.start("r1", "worker-1")
    wait_for(journal.exists, "the start")
    site.point("r2")
    pivot.hup()
    wait_for(lambda: ("start", "r2") in events(journal), "the start of the second")
    end.touch()
    status = pivot.moved()
    assert (status["release"], status["move"]["stragglers"]) == ("r2", 0)
    assert events(journal) == [("start", "r1"), ("start", "r2"), ("term", "r1"), ("end", "r1")]


@pytest.mark.parametrize(
    "overlaps", [(False, False), (True, False), (False, True)], ids=["both", "new", "old"]
)
def test_without_overlap_the_old_one_ends_first(site: Site, overlaps: tuple[bool, bool]) -> None:
    """Either release may say that there must be only one."""
    journal = site.flag("journal")
    for name, overlap in zip(("r1", "r2"), overlaps, strict=True):
        site.release(name, kind="beat", env={"JOURNAL": journal}, overlap=overlap, ready_after=0.5)
    pivot = site.start("r1", "beat-1")
    wait_for(journal.exists, "the start")
    status = pivot.move("r2")
    wait_for(lambda: len(events(journal)) == 4, "the last word")
    assert status["release"] == "r2"
    assert set(status["move"]["seconds"]) == {"agree", "stop", "gate", "switch", "total"}
    assert events(journal) == [("start", "r1"), ("term", "r1"), ("end", "r1"), ("start", "r2")]


def test_without_overlap_the_status_claims_nothing_in_between(site: Site) -> None:
    for name in ("r1", "r2"):
        site.release(name, kind="beat", overlap=False, ready_after=600.0 * (name == "r2"))
    pivot = site.start("r1", "beat-1")
    site.point("r2")
    pivot.hup()
    status = pivot.until_state("gate")
    assert (status["release"], status["child"]) == (None, None)
    wait_for(lambda: len(children_of(pivot.pid)) == 1, "the new process, alone")


@pytest.mark.parametrize("broken", ["dies", "does not start"])
def test_without_overlap_the_old_one_comes_back(site: Site, broken: str) -> None:
    journal = site.flag("journal")
    env = {"JOURNAL": journal}
    site.release("r1", kind="beat", env=env, overlap=False)
    bad = {"EXIT": 3} if broken == "dies" else {}
    site.release("r2", kind="beat", env=env | bad, overlap=False, ready_after=600.0)
    if broken == "does not start":
        (site.root / "releases" / "r2" / "env").write_text("nonsense")
    pivot = site.start("r1", "beat-1")
    before = pivot.status()
    wait_for(journal.exists, "the start")
    status = pivot.move("r2")
    assert (status["state"], status["release"]) == ("serving", "r1")
    assert status["child"] != before["child"]
    assert status["move"]["outcome"] == "refused"
    assert is_running(status["child"])
    attempt = [("start", "r2")] if broken == "dies" else []
    wait_for(lambda: len(events(journal)) == 4 + len(attempt), "the second start")
    r1 = [("start", "r1"), ("term", "r1"), ("end", "r1")]
    assert events(journal) == [*r1, *attempt, ("start", "r1")]
    assert pivot.move(site.release("r3", kind="beat", overlap=False))["release"] == "r3"


def test_without_overlap_and_nothing_to_come_back_to(site: Site) -> None:
    pivot = site.start(site.release("r1", kind="beat", overlap=False), "beat-1")
    (site.root / "releases" / "r1" / "env").unlink()
    site.point(site.release("r2", kind="beat", overlap=False, env={"EXIT": 3}, ready_after=600.0))
    pivot.hup()
    assert pivot.wait() == 1
    status = pivot.status()
    assert (status["state"], status["release"]) == ("failed", None)
    assert status["move"]["reason"] == "ended with exit code 3 while starting"
    assert "r1 does not come back either" in pivot.log()


def test_term_while_the_old_one_comes_back(site: Site) -> None:
    site.release("r1", kind="beat", overlap=False, ready_after=1.0)
    pivot = site.start("r1", "beat-1")
    site.point(site.release("r2", kind="beat", overlap=False, env={"EXIT": 3}, ready_after=600.0))
    pivot.hup()
    pivot.until("third generation", lambda status: (site.run_dir / "beat-1.3.d").exists())
    assert pivot.term() == 0


def test_without_overlap_a_web_process_keeps_no_socket(site: Site) -> None:
    pivot = site.start(site.release("r1", overlap=False))
    assert pivot.move(site.release("r2", overlap=False))["release"] == "r2"
    assert pivot.ask() == "r2"
    assert site.files() == {"web-1.sock", "web-1.2.sock", "web-1.2.d"}


def test_several_instances_side_by_side(site: Site) -> None:
    """Each has its own status, sockets and moves."""
    fast = {"command": SERVER, "health": {"path": "/healthz"}, "ready_after": 0.1}
    processes = {"web": fast | {"socket": True}, "worker": fast, "long-run_1": fast}
    for name in ("r1", "r2"):
        site.release(name)
        site.describe(name, processes)
    site.point("r1")
    names = ["web-1", "web-2", "web-12", "worker-1", "worker-2", "long-run_1-1"]
    pivots = {name: site.launch(name) for name in names}
    for pivot in pivots.values():
        assert pivot.until_state("serving")["release"] == "r1"
    site.point("r2")
    for pivot in pivots.values():
        pivot.hup()
    for pivot in pivots.values():
        assert pivot.moved()["release"] == "r2"
    assert {pivots[name].ask() for name in ("web-1", "web-2", "web-12")} == {"r2"}
    os.kill(pivots["web-1"].pid, signal.SIGTERM)
    assert pivots["web-1"].wait() == 0
    assert pivots["web-12"].ask() == "r2"
    assert not any(name.startswith("web-1.") for name in site.files())


def test_a_worker_that_finishes_its_job_first(site: Site) -> None:
    """TERM asks; the stop timeout is how long it may take."""
    env = {"TERM_WHEN": site.flag("job done")}
    pivot = site.start(site.release("r1", kind="worker", env=env), "worker-1")
    old = pivot.status()["child"]
    site.point(site.release("r2", kind="worker"))
    pivot.hup()
    assert pivot.until_state("stop")["release"] == "r2"
    assert is_running(old)
    site.flag("job done").touch()
    assert pivot.moved()["move"]["outcome"] == "done"
    wait_for(lambda: not is_running(old), "its end")
