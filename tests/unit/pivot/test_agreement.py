# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of an app switch together or not at all, also when nobody is left to say so."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from types import ModuleType
from typing import Any

import pytest
from unit.pivot.harness import Pivot, Site, wait_for


def peer(state: str, **move: Any) -> dict[str, Any]:
    return {"instance": "web-1", "state": state, "move": move}


@pytest.mark.parametrize(
    ("said", "vote", "vote_to_stop"),
    [
        pytest.param(peer("serving", to="r1", outcome="done"), "", "", id="was-not-asked"),
        pytest.param(peer("serving", to="r2", outcome="done"), "", "", id="is-there-already"),
        pytest.param({"instance": "web-1"}, "wait", "wait", id="says-nothing-yet"),
        pytest.param(peer("gate", to="r2"), "wait", "wait", id="at-the-gate"),
        pytest.param(peer("gate", to="r2", proven=True), "yes", "yes", id="through-the-gate"),
        pytest.param(peer("drain", to="r2", proven=True), "yes", "yes", id="has-switched"),
        pytest.param(peer("agree", to="r2"), "wait", "", id="waits-to-stop"),
        pytest.param(peer("stop", to="r2"), "wait", "wait", id="makes-room"),
        pytest.param(peer("gate", to="r3", proven=True), "wait", "wait", id="goes-elsewhere"),
        pytest.param(peer("drain", to="r1", proven=True), "wait", "wait", id="an-earlier-move"),
        pytest.param(
            peer("serving", to="r2", outcome="refused", ended=11.0), "no", "no", id="refused"
        ),
        pytest.param(peer("serving", to="r2", outcome="refused", ended=9.0), "", "", id="long-ago"),
        pytest.param(peer("serving", to="r3", outcome="refused", ended=11.0), "", "", id="another"),
        pytest.param(peer("serving", outcome="refused", ended=11.0), "", "", id="found-none"),
        pytest.param(peer("serving", to="r2", outcome="refused"), "", "", id="older-version"),
        pytest.param(peer("failed", to="r2"), "", "", id="failed"),
        pytest.param(peer("stopping", to="r2"), "", "", id="is-stopped"),
        pytest.param(peer("serving", to="r1") | {"hups": 1}, "wait", "wait", id="was-asked"),
        pytest.param(
            peer("serving", to="r1", hups=1, outcome="done") | {"hups": 1}, "", "", id="was-moved"
        ),
        pytest.param(
            peer("serving", to="r2", hups=1, outcome="refused", ended=9.0) | {"hups": 2},
            "wait",
            "wait",
            id="was-asked-again",
        ),
        pytest.param(
            peer("serving", to="r2", hups=1, outcome="refused", ended=11.0) | {"hups": 2},
            "no",
            "no",
            id="refused-and-was-asked-again",
        ),
        pytest.param(
            peer("gate", to="r2", hups=1, proven=True) | {"hups": 2}, "yes", "yes", id="asked-twice"
        ),
    ],
)
def test_vote(module: ModuleType, said: dict[str, Any], vote: str, vote_to_stop: str) -> None:
    assert module.peers.vote(said, "r2", 10.0, False) == vote
    assert module.peers.vote(said, "r2", 10.0, True) == vote_to_stop


def hup(*pivots: Pivot) -> None:
    for pivot in pivots:
        pivot.hup()


def proven(pivot: Pivot) -> dict[str, Any]:
    """The status of a move that was asked for by now, once it is through the gate."""
    return pivot.until(
        "through the gate",
        lambda status: status["move"].get("hups") == pivot.hups and status["move"].get("proven"),
    )


def held(site: Site) -> dict[str, Any]:
    """A worker that proves itself when it is let go."""
    return {"socket": True, "misbehave": {"HEALTH_WHEN": site.flag("well")}}


def let_go(site: Site) -> None:
    site.flag("well").touch()


def pair(site: Site, **worker: Any) -> tuple[Pivot, Pivot]:
    """Web and worker at r1, and an r2 whose worker takes its time."""
    site.formation("r1", web={}, worker={} | {k: v for k, v in worker.items() if k == "overlap"})
    site.formation("r2", web={}, worker={"ready_after": 600.0} | worker)
    return site.start("r1"), site.start("r1", "worker-1")


def test_all_wait_for_the_last(site: Site) -> None:
    web, worker = pair(site, ready_after=3.0)
    site.point("r2")
    with site.load(keep=1) as load:
        hup(web, worker)
        web.until("the switch", lambda status: status["release"] == "r2")
        assert worker.status()["move"].get("proven")
        status, other = web.moved(), worker.moved()
    assert (status["release"], other["release"]) == ("r2", "r2")
    assert load["failed"] == 0


def test_the_web_process_of_a_broken_worker_serves_nobody(site: Site) -> None:
    """Nobody tells the web process: whoever deploys may have been killed."""
    web, worker = pair(site, misbehave={"DIE_WHEN": site.flag("die")})
    site.point("r2")
    with site.load(keep=1, close=1) as load:
        hup(web, worker)
        proven(web)
        site.flag("die").touch()
        status, other = web.moved(), worker.moved()
    assert other["move"]["reason"] == "ended with exit code 7 while starting"
    assert other["move"]["overruled"] is False
    assert status["move"]["reason"] == "given up: worker-1 did not get through with release r2"
    assert status["move"]["overruled"] is True
    assert (status["release"], other["release"]) == ("r1", "r1")
    assert load["failed"] == 0
    assert set(load["bodies"]) == {"r1"}


@pytest.mark.parametrize("after", [0.0, 0.5])
def test_the_worker_of_a_broken_web_process_stays(site: Site, after: float) -> None:
    """However soon the worker counts as ready."""
    site.formation("r1", web={}, worker={})
    site.formation("r2", web={"misbehave": {"EXIT": 3}}, worker={"ready_after": after})
    web, worker = site.start("r1"), site.start("r1", "worker-1")
    child = worker.status()["child"]
    site.point("r2")
    hup(worker, web)
    status, other = web.moved(), worker.moved()
    assert (status["release"], other["release"], other["child"]) == ("r1", "r1", child)
    assert other["move"]["reason"] == "given up: web-1 did not get through with release r2"


def test_types_that_listen_each_switch_together_or_not_at_all(site: Site) -> None:
    """Each on a socket of its own, with a health check of its own: none but a connection for ws."""
    plain = {"path": "", "host": "shop.test", "count": 1}
    bad = {"misbehave": {"HEALTH": "'503 Service Unavailable'"}, "ready_timeout": 2.0}

    def formation(name: str, **api: Any) -> None:
        ws = {"socket": True, "health": plain, "misbehave": {"HEALTH": "'404 Not Found'"}}
        site.formation(name, web={}, api={"socket": True, **api}, ws=ws)

    formation("r1")
    formation("r2", **bad)
    formation("r3")
    names = ["web-1", "api-1", "ws-1"]
    pivots = [site.start("r1", name) for name in names]
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(site.load(name, keep=1, close=1)) for name in names]
        site.point("r2")
        hup(*pivots)
        refused = [pivot.moved() for pivot in pivots]
        site.point("r3")
        hup(*pivots)
        done = [pivot.moved() for pivot in pivots]
    assert [status["release"] for status in refused] == ["r1", "r1", "r1"]
    reasons = [status["move"]["reason"] for status in refused]
    assert "GET /healthz on its own socket: HTTP/1.1 503" in reasons[1]
    assert reasons[0] == reasons[2] == "given up: api-1 did not get through with release r2"
    assert [status["release"] for status in done] == ["r3", "r3", "r3"]
    assert [load["failed"] for load in loads] == [0, 0, 0]
    assert [set(load["bodies"]) for load in loads] == [{"r1", "r3"}] * 3


def test_a_refusal_counts_for_its_own_attempt_only(site: Site) -> None:
    site.formation("r1", web={}, worker={})
    misbehave = {"EXIT": f"$(test -e {site.flag('repaired')} || echo 3)"}
    site.formation("r2", web={}, worker={"misbehave": misbehave, "ready_after": 600.0})
    web, worker = site.start("r1"), site.start("r1", "worker-1")
    site.point("r2")
    hup(web, worker)
    assert {web.moved()["release"], worker.moved()["release"]} == {"r1"}
    site.formation("r2", web={}, worker={})
    hup(web, worker)
    assert {web.moved()["release"], worker.moved()["release"]} == {"r2"}


def test_one_that_moves_alone_waits_for_nobody(site: Site) -> None:
    web, worker = pair(site)
    assert web.move("r2")["release"] == "r2"
    assert worker.status()["release"] == "r1"


def test_a_process_type_that_the_release_does_not_have_has_no_say(site: Site) -> None:
    """A refused release had added it, and it is started again and again."""
    site.formation("r1", web={}, worker={})
    site.formation("r2", web={}, worker={}, beat={"ready_after": 60.0})
    web, worker = site.start("r2"), site.start("r2", "worker-1")
    site.launch("beat-1").until_state("gate")
    site.point("r1")
    hup(web, worker)
    assert {web.moved()["release"], worker.moved()["release"]} == {"r1"}


def test_what_no_pivot_wrote_keeps_nobody_from_moving(site: Site) -> None:
    site.release("r1")
    site.release("r2")
    pivot = site.start("r1")
    os.mkfifo(site.run_dir / "a-1.json")
    (site.run_dir / "b-1.json").write_text("[" * 100_000)
    (site.run_dir / "c-1.json").symlink_to("/dev/zero")
    forged = {"instance": "web-2", "state": "gate", "pid": pivot.pid}
    for number, more in enumerate(({"move": "x"}, {"move": {"ended": "x", "outcome": "refused"}})):
        name = f"{pivot.instance}-{number}"
        (site.run_dir / f"{name}.json").write_text(json.dumps(forged | more))
    assert pivot.move("r2")["release"] == "r2"


STATUS = {
    "instance": "web-1",
    "pid": 10,
    "state": "serving",
    "hups": 1,
    "counter": 3,
    "restarts": 1,
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[" * 100_000,
        "\0",
        '{"pid": 1e999}',
        *(
            json.dumps(STATUS | changes)
            for changes in (
                {"pid": "x"},
                {"pid": -1},
                {"pid": 10**400},
                {"counter": "x"},
                {"counter": True},
                {"restarts": {}},
                {"state": []},
                {"instance": 1},
                {"move": "x"},
                {"move": {"ended": "x"}},
                {"move": {"ended": float("nan")}},
                {"move": {"to": {}}},
                {"move": {"outcome": []}},
            )
        ),
    ],
    ids=lambda text: text[:40] if len(text) < 20 else "",
)
def test_a_status_that_no_pivot_wrote(module: ModuleType, tmp_path: Any, text: str) -> None:
    (tmp_path / "web-1.json").write_text(text)
    assert module.status.read_status(tmp_path / "web-1.json") == {}


def test_a_status(module: ModuleType, tmp_path: Any) -> None:
    move = {"to": "r1", "ended": 1.5, "proven": True, "hups": 1}
    said = STATUS | {"move": move | {"health": "x"}, "child": 1}
    (tmp_path / "web-1.json").write_text(json.dumps(said))
    assert module.status.read_status(tmp_path / "web-1.json") == STATUS | {"move": move}


def test_what_must_not_overlap_is_not_stopped_for_a_broken_release(site: Site) -> None:
    site.formation("r1", web={}, beat={"overlap": False})
    site.formation("r2", web={"misbehave": {"EXIT": 3}}, beat={"overlap": False})
    web, beat = site.start("r1"), site.start("r1", "beat-1")
    child = beat.status()["child"]
    site.point("r2")
    hup(beat, web)
    status, other = web.moved(), beat.moved()
    assert (status["release"], other["release"], other["child"]) == ("r1", "r1", child)
    assert set(other["move"]["seconds"]) == {"agree", "total"}
    assert other["move"]["reason"] == "given up: web-1 did not get through with release r2"


def test_all_wait_for_what_must_not_overlap(site: Site) -> None:
    """It can prove itself last only; then its old release comes back, and the others stay."""
    broken = {"overlap": False, "ready_after": 600.0, "misbehave": {"EXIT": 3}}
    site.formation("r1", web={}, worker={}, beat={"overlap": False})
    site.formation("r2", web={}, worker={}, beat=broken)
    pivots = [site.start("r1", name) for name in ("web-1", "worker-1", "beat-1")]
    site.point("r2")
    hup(*pivots)
    told = [pivot.moved() for pivot in pivots]
    assert {status["release"] for status in told} == {"r1"}
    assert [status["move"]["overruled"] for status in told] == [True, True, False]


def test_two_that_must_not_overlap_do_not_wait_for_each_other(site: Site) -> None:
    for name in ("r1", "r2"):
        site.formation(name, web={}, beat={"overlap": False}, cron={"overlap": False})
    pivots = [site.start("r1", name) for name in ("web-1", "beat-1", "cron-1")]
    site.point("r2")
    hup(*pivots)
    assert {pivot.moved()["release"] for pivot in pivots} == {"r2"}


def test_nobody_waits_for_the_dead(site: Site) -> None:
    web, worker = pair(site)
    site.point("r2")
    hup(web, worker)
    worker.until_state("gate")
    proven(web)
    worker.process.kill()
    assert web.moved()["release"] == "r2"
    site.end_adopted()
    site.point("r1")
    site.launch("worker-1").until_state("serving")


def test_nobody_waits_for_ever(site: Site) -> None:
    site.formation("r1", web={}, worker={})
    web, worker = site.start("r1"), site.start("r1", "worker-1")
    timeout = web.ready_timeout()
    web_spec = {"ready_timeout": timeout, "ready_after": 0.2, "stop_timeout": 0.2}
    worker_spec = {"ready_timeout": 0, "ready_after": 2.0, "stop_timeout": 0.2}
    site.formation("r2", web=web_spec, worker=worker_spec)
    site.point("r2")
    hup(worker)
    worker.until_state("gate")
    os.kill(worker.pid, signal.SIGSTOP)
    hup(web)
    status = web.moved()
    os.kill(worker.pid, signal.SIGCONT)
    waited = f"waited {timeout + 2.6:g} s for worker-1 to get through"
    assert status["move"]["reason"] == f"given up: {waited}"
    assert status["release"] == "r1"
    assert worker.moved()["release"] == "r1"


@pytest.mark.parametrize("overlap", [True, False], ids=["ready", "to-stop"])
def test_another_release_ends_the_waiting(site: Site, overlap: bool) -> None:
    site.formation("r1", web={}, worker={"overlap": overlap})
    site.formation("r2", web={"ready_after": 600.0}, worker={"overlap": overlap})
    web, worker = site.start("r1"), site.start("r1", "worker-1")
    site.point("r2")
    hup(web, worker)
    web.until_state("gate")
    if overlap:
        proven(worker)
    else:
        worker.until_state("agree")
    site.point("r1")
    hup(worker, web)
    assert {web.moved()["release"], worker.moved()["release"]} == {"r1"}
    assert "another release was asked for meanwhile" in worker.log()


def test_when_the_old_one_dies_the_new_one_waits_no_longer(site: Site) -> None:
    site.formation("r1", web={"misbehave": {"DIE_WHEN": site.flag("die")}}, worker={})
    site.formation("r2", web={}, worker={"ready_after": 600.0})
    web, worker = site.start("r1"), site.start("r1", "worker-1")
    site.point("r2")
    hup(web, worker)
    proven(web)
    site.flag("die").touch()
    assert web.moved()["release"] == "r2"
    assert worker.status()["state"] == "gate"


@pytest.mark.parametrize("misbehaviour", ["DIE_WHEN", "HEALTH_UNTIL"])
def test_what_is_through_the_gate_must_stay_well(site: Site, misbehaviour: str) -> None:
    flag = site.flag("ill")
    site.formation("r1", web={}, worker={})
    web, worker = site.start("r1"), site.start("r1", "worker-1")
    web_spec = {"misbehave": {misbehaviour: flag}, "ready_timeout": web.ready_timeout()}
    site.formation("r2", web=web_spec, worker=held(site))
    site.point("r2")
    hup(web, worker)
    proven(web)
    flag.touch()
    status = web.moved()
    let_go(site)
    other = worker.moved()
    assert {status["release"], other["release"]} == {"r1"}
    assert status["move"]["overruled"] is False
    assert other["move"]["overruled"] is True
    wait_for(lambda: len(site.files()) == 4, "nothing but what serves")


def test_who_is_ill_for_a_while_holds_the_others_up(site: Site) -> None:
    flag = site.flag("ill")
    site.formation("r1", web={}, worker={})
    site.formation("r2", web={"misbehave": {"HEALTH_UNTIL": flag}}, worker=held(site))
    web, worker = site.start("r1"), site.start("r1", "worker-1")
    site.point("r2")
    hup(web, worker)
    proven(web)
    flag.touch()
    web.until("ill", lambda status: not status["move"].get("proven"))
    let_go(site)
    proven(worker)
    time.sleep(1)
    assert (web.status()["release"], worker.status()["release"]) == ("r1", "r1")
    flag.unlink()
    assert {web.moved()["release"], worker.moved()["release"]} == {"r2"}
