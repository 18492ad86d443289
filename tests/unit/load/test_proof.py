# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as failed, as cut and as a straggler, and when deploys are proven."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from load import app_servers
from load.heavy_load import HeavyResult
from load.proof import (
    HostRun,
    Move,
    ended_by,
    generation_of,
    prove,
    read_move,
    split_broken,
    table,
)
from load.prove_reload import ProofError, parse_arguments, pro_rata, server_names, versions_run

OLD, NEW, LAST = "1.0.0-aaaaaaaa web-1.3", "1.1.0-bbbbbbbb web-1.4", "1.1.0-bbbbbbbb web-1.5"


def seen(first: float, last_sent: float, slowest: float = 0.1) -> dict[str, Any]:
    return {
        "first": {"seconds": first},
        "last_sent": {"seconds": last_sent},
        "slowest_seconds": slowest,
    }


def broken(process: str, at: float) -> dict[str, Any]:
    return {"version": process, "detail": "closed by the server", "broken": {"seconds": at}}


def counted(*streams: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "started_epoch": 1000.0,
        "requests": 600,
        "failures": {},
        "examples": [],
        "retried": 1,
        "slow_completed": 7,
        "held": {
            "stream": {"completed": 2, "broken": list(streams)},
            "websocket": {"completed": 3, "broken": []},
        },
        "versions": {OLD: seen(0.0, 11.0), NEW: seen(10.0, 52.0, 0.7), LAST: seen(50.0, 70.0)},
    } | more


def move(generation: int, ended: float, drain: float, timeout: float, left: int, kind: str) -> Move:
    seconds = {"gate": 1.0, "switch": 0.0, "drain": drain, "stop": 0.5, "total": 1.5 + drain}
    return Move(kind, "1.1.0-bbbbbbbb", generation, seconds, 1000 + ended, timeout, left)


# The switch to NEW was at 10 s, and 2 connections outlived the 6 s that OLD drained; the one to
# LAST was at 50 s, and NEW was drained to the last connection after 2 s.
MOVES = (move(4, 16.5, 6.0, 6.0, 2, "deploy"), move(5, 52.5, 2.0, 45.0, 0, "reload"))


def run(*streams: dict[str, Any], **more: Any) -> HostRun:
    return HostRun("app1", MOVES, {"pooled": counted(*streams, **more)})


def test_a_move_ends_the_process_before_it() -> None:
    assert generation_of(OLD) == 3
    assert generation_of("unknown") == 0
    assert ended_by(MOVES, OLD) == MOVES[0]
    assert ended_by(MOVES, "1.0.0-aaaaaaaa web-1.1") == MOVES[0]
    assert ended_by(MOVES, NEW) == MOVES[1]
    assert ended_by(MOVES, LAST) is None
    assert ended_by(MOVES, "unknown") is None


@pytest.mark.parametrize(
    ("one", "excused"),
    [
        (broken(OLD, 16.2), True),
        (broken(OLD, 20.0), True),
        # sooner than it was promised
        (broken(OLD, 15.0), False),
        (broken(OLD, 9.0), False),
        # the pivot says that nothing was left to be cut
        (broken(NEW, 96.0), False),
        # nothing ended these
        (broken(LAST, 60.0), False),
        (broken("unknown", 16.2), False),
    ],
)
def test_only_what_outlived_the_drain_is_a_straggler(one: dict[str, Any], excused: bool) -> None:
    stragglers, cut = split_broken(run(one))

    assert (len(stragglers), len(cut)) == ((1, 0) if excused else (0, 1))


def test_no_more_stragglers_than_the_pivot_counted() -> None:
    stragglers, cut = split_broken(run(*[broken(OLD, 16.2)] * 3))

    assert (len(stragglers), len(cut)) == (2, 1)


def test_a_clean_run_is_proven() -> None:
    heavy = {"pooled": HeavyResult(900, 30.0, "7ms", 0.9)}
    proof = prove(
        "uvicorn", [replace(run(broken(OLD, 16.2)), heavy=heavy)], deploys=1, requests=1500
    )

    assert proof.problems == []
    assert (proof.deploys, proof.reloads) == (1, 1)
    assert (proof.requests, proof.checked) == (1500, 600)
    assert (proof.failed, proof.cut, proof.stragglers) == (0, 0, 1)
    assert (proof.slowest_seconds, proof.overlap_seconds) == (0.9, 7.5)
    assert (proof.streams_completed, proof.websockets_completed, proof.left_after_drain) == (
        2,
        3,
        2,
    )


BAD_WRK = HeavyResult(900, 30.0, "7ms", read=2)
LATE = {OLD: seen(0.0, 17.0), NEW: seen(10.0, 52.0), LAST: seen(50.0, 70.0)}
UNSEEN = {OLD: seen(0.0, 11.0), NEW: seen(10.0, 52.0)}


@pytest.mark.parametrize(
    ("bad", "sentence", "failed", "cut"),
    [
        (run(failures={"status 502": 3}), "3 requests failed: 3 of status 502", 3, 0),
        (replace(run(), heavy={"pooled": BAD_WRK}), "2 requests failed: 2 of wrk: read", 2, 0),
        (run(failures={"closed during the answer": 2}), "2 answers were cut short", 0, 2),
        (run(broken(OLD, 12.0)), "cut: stream of 1.0.0-aaaaaaaa web-1.3 on app1 (pooled)", 0, 1),
        (run(requests=100), "100 requests were sent, 600 were wanted", 0, 0),
        (replace(run(), refused=["a deploy failed"]), "a deploy failed", 0, 0),
        (run(versions=LATE), "answered a request that was sent 1.0 s after it was drained", 0, 0),
        (run(versions=UNSEEN), "1.1.0-bbbbbbbb web-1.5 on app1 answered nobody", 0, 0),
    ],
)
def test_each_problem_is_named(bad: HostRun, sentence: str, failed: int, cut: int) -> None:
    proof = prove("uvicorn", [bad], deploys=1, requests=600)

    assert [problem for problem in proof.problems if sentence in problem] == proof.problems
    assert (len(proof.problems), proof.failed, proof.cut) == (1, failed, cut)


def test_too_few_deploys() -> None:
    assert prove("uvicorn", [run()], deploys=2, requests=1).problems == [
        "1 deploys on app1, 2 were wanted"
    ]


def test_nothing_at_all_proves_nothing() -> None:
    assert prove("uvicorn", [HostRun("app1", (), {})], deploys=1, requests=1).problems


def test_table_has_a_line_for_each_and_one_for_all() -> None:
    proof = prove("uvicorn", [run(broken(OLD, 16.2))], deploys=1, requests=600)
    lines = table([proof, replace(proof, server="waitress", requests=1_000_000)]).splitlines()

    assert [line.split()[0] for line in lines] == ["server", "uvicorn", "waitress", "all"]
    assert lines[1].split()[:5] == ["uvicorn", "1", "600", "0", "0"]
    assert "0.70 s" in lines[1]
    assert lines[3].split()[:3] == ["all", "2", "1,000,600"]


def test_move_from_the_word_of_the_pivot() -> None:
    said = {
        "release": "1.1.0-bbbbbbbb",
        "generation": 4,
        "updated": 1016.5,
        "move": {
            "outcome": "done",
            "from": "1.0.0-aaaaaaaa",
            "seconds": dict(MOVES[0].seconds),
            "stragglers": 2,
        },
    }
    refusal = said | {"move": {"outcome": "refused", "reason": "no answer"}}
    made = read_move("deploy", said, {"1.0.0-aaaaaaaa": 6.0})

    assert made == MOVES[0]
    assert (made.process, made.switched, made.drained) == (NEW, 1010.0, 1016.0)
    with pytest.raises(ValueError, match="a reload ended as refused: no answer"):
        read_move("reload", refusal, {})


@pytest.mark.parametrize("name", app_servers.SERVERS)
def test_every_deploy_changes_the_release(name: str) -> None:
    moves = [app_servers.FIRST, *app_servers.moves(23)]
    releases = app_servers.releases(name, app_servers.SERVERS[name])
    contents = {release["name"]: {**release, "name": ""} for release in releases}

    assert set(moves) == set(contents)
    assert all(contents[one] != contents[after] for one, after in pairwise(moves))
    assert app_servers.apps([name])[name]["version"] == contents[app_servers.FIRST]["version"]


def test_a_smaller_run_sends_fewer_requests() -> None:
    count = len(app_servers.SERVERS)

    assert pro_rata(count, 20) == pro_rata(count, 40) == 1_000_000
    assert pro_rata(1, 20) == round(1_000_000 / count)
    assert parse_arguments(["--deploys", "2"]).requests == 100_000
    assert parse_arguments(["--deploys", "2", "--requests", "5"]).requests == 5


def test_server_names() -> None:
    assert server_names("waitress, uvicorn waitress") == ["waitress", "uvicorn"]
    with pytest.raises(ProofError, match="no app server puma; known are gunicorn-sync, "):
        server_names("uvicorn,puma")
    with pytest.raises(ProofError, match="in an empty list"):
        server_names("")


def test_versions_that_ran() -> None:
    results = [
        {"item": {"app": "uwsgi"}, "packages": {"pyuwsgi": version}, "python": "3.13.5"}
        for version in ("2.0.29", "2.0.30", "2.0.29")
    ]

    assert versions_run(results) == {
        "uwsgi": "pyuwsgi 2.0.29, Python 3.13.5; pyuwsgi 2.0.30, Python 3.13.5"
    }
