# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients saw of deploys, held against what the hosts say they did. Pure.

A *process* is one start of one release on one host, `RELEASE web-1.GENERATION`, as the answers name
it. Each move ends the process before it: switch, drain, stop.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .heavy_load import HeavyResult

# Between an event and the moment in which a process of a busy machine looks at the clock.
BLUR_SECONDS = 0.5
# Reason under which the counting client counts an answer that began and was not completed.
CUT_REASON = "closed during the answer"


@dataclass(frozen=True, slots=True)
class Move:
    """One move of one host to another release, or by a plain reload to the same one."""

    kind: str  # "deploy" or "reload"
    release: str
    generation: int
    seconds: Mapping[str, float]
    ended: float  # Unix time
    drain_timeout: float  # of the release that it moved away from
    stragglers: int  # connections that were left when the drain timeout was over

    @property
    def process(self) -> str:
        return f"{self.release} web-1.{self.generation}"

    @property
    def drained(self) -> float:
        """When the old process was told to stop."""
        return self.ended - self.seconds["stop"]

    @property
    def switched(self) -> float:
        return self.drained - self.seconds["drain"]


@dataclass(frozen=True, slots=True)
class HostRun:
    """One app server on one host: its moves in order, and what every client of it counted."""

    host: str
    moves: Sequence[Move]
    counted: Mapping[str, Mapping[str, Any]]  # by the name of the client
    heavy: Mapping[str, HeavyResult] = field(default_factory=dict)
    refused: Sequence[str] = ()  # why moves that should have been made were not


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be said of one app server."""

    server: str
    deploys: int
    reloads: int
    requests: int
    checked: int  # of these, by the client that looks at every answer; wrk looks at the status
    failed: int
    cut: int
    stragglers: int
    slowest_seconds: float
    overlap_seconds: float  # longest time in which old and new both ran
    median_overlap_seconds: float
    slow_completed: int
    streams_completed: int
    websockets_completed: int
    left_after_drain: int  # connections, by the pivots' count
    retried: int
    reasons: Mapping[str, int]
    examples: Sequence[Mapping[str, Any]]
    problems: Sequence[str]


def generation_of(process: str) -> int:
    """The number at the end of a process's name; 0 when it has none."""
    number = process.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def ended_by(moves: Iterable[Move], process: str) -> Move | None:
    """The move that stopped a process: the first to a later generation."""
    generation = generation_of(process)
    return next((move for move in moves if 0 < generation < move.generation), None)


def split_broken(run: HostRun) -> tuple[list[str], list[str]]:
    """Streams and WebSockets that were broken off: stragglers, and those with no excuse.

    A straggler was there when the drain timeout was over: it broke after that, and the pivot had
    counted it.
    """
    stragglers: list[str] = []
    cut: list[str] = []
    left = {move.generation: move.stragglers for move in run.moves}
    for client, counted in run.counted.items():
        for kind, held in counted["held"].items():
            for broken in held["broken"]:
                process = broken["version"]
                move = ended_by(run.moves, process)
                at = counted["started_epoch"] + broken["broken"]["seconds"]
                what = f"{kind} of {process} on {run.host} ({client}): {broken['detail']}"
                if move is None:
                    cut.append(f"{what}, which no move ended")
                    continue
                what = f"{what}, {at - move.switched:.1f} s after the switch"
                early = at < move.drained - BLUR_SECONDS
                promised = move.seconds["drain"] >= move.drain_timeout
                if early or not promised or not left[move.generation]:
                    cut.append(what)
                else:
                    left[move.generation] -= 1
                    stragglers.append(what)
    return stragglers, cut


def stale(run: HostRun) -> list[str]:
    """Requests that were sent when a process should have been drained, and answered by it."""
    found = []
    for client, counted in run.counted.items():
        for process, seen in counted["versions"].items():
            move = ended_by(run.moves, process)
            sent = counted["started_epoch"] + seen["last_sent"]["seconds"]
            if move and sent > move.drained + BLUR_SECONDS:
                found.append(
                    f"{process} on {run.host} ({client}) answered a request that was sent "
                    f"{sent - move.drained:.1f} s after it was drained"
                )
    return found


def unseen(run: HostRun) -> list[str]:
    """Moves that no client noticed: nothing was proven by these."""
    return [
        f"{move.process} on {run.host} answered nobody"
        for move in run.moves
        if not any(move.process in counted["versions"] for counted in run.counted.values())
    ]


def prove(server: str, runs: Sequence[HostRun], *, deploys: int, requests: int) -> Proof:
    """Judge one app server; `deploys` on each host and `requests` in all are what was wanted."""
    moves = [move for run in runs for move in run.moves]
    counted = [client for run in runs for client in run.counted.values()]
    heavy = [result for run in runs for result in run.heavy.values()]
    reasons: Counter[str] = Counter()
    for client in counted:
        reasons.update(client["failures"])
    for result in heavy:
        reasons.update({f"wrk: {name}": count for name, count in result.failures.items()})
    split = [split_broken(run) for run in runs]
    stragglers = [one for late, _cut in split for one in late]
    cut = [one for _late, early in split for one in early]
    overlaps = [move.seconds.get("total", 0.0) for move in moves]
    checked = sum(client["requests"] for client in counted)
    sent = checked + sum(one.requests for one in heavy)
    broken_requests = reasons.get(CUT_REASON, 0)
    failed = reasons.total() - broken_requests

    problems = [sentence for run in runs for sentence in (*run.refused, *stale(run), *unseen(run))]
    if failed:
        problems.append(f"{failed} requests failed: {_counts(reasons)}")
    if broken_requests:
        problems.append(f"{broken_requests} answers were cut short")
    problems += [f"cut: {what}" for what in cut]
    for run in runs:
        made = sum(move.kind == "deploy" for move in run.moves)
        if made < deploys:
            problems.append(f"{made} deploys on {run.host}, {deploys} were wanted")
    if sent < requests:
        problems.append(f"{sent:,} requests were sent, {requests:,} were wanted")

    def held(kind: str) -> int:
        return sum(one["held"].get(kind, {"completed": 0})["completed"] for one in counted)

    return Proof(
        server=server,
        deploys=sum(move.kind == "deploy" for move in moves),
        reloads=sum(move.kind == "reload" for move in moves),
        requests=sent,
        checked=checked,
        failed=failed,
        cut=broken_requests + len(cut),
        stragglers=len(stragglers),
        slowest_seconds=max(
            [seen["slowest_seconds"] for one in counted for seen in one["versions"].values()]
            + [result.slowest_seconds for result in heavy],
            default=0.0,
        ),
        overlap_seconds=max(overlaps, default=0.0),
        median_overlap_seconds=round(statistics.median(overlaps), 3) if overlaps else 0.0,
        slow_completed=sum(one["slow_completed"] for one in counted),
        streams_completed=held("stream"),
        websockets_completed=held("websocket"),
        left_after_drain=sum(move.stragglers for move in moves),
        retried=sum(one["retried"] for one in counted),
        reasons=dict(reasons.most_common()),
        examples=[example for one in counted for example in one["examples"]],
        problems=problems,
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in counts.items())


HEADINGS = (
    *("server", "deploys", "requests", "failed", "cut", "slowest", "overlap", "median"),
    *("2.5 s", "streams", "websockets", "stragglers"),
)


def row(proof: Proof) -> tuple[str, ...]:
    return (
        proof.server,
        str(proof.deploys),
        f"{proof.requests:,}",
        str(proof.failed),
        str(proof.cut),
        f"{proof.slowest_seconds:.2f} s",
        f"{proof.overlap_seconds:.1f} s",
        f"{proof.median_overlap_seconds:.1f} s",
        f"{proof.slow_completed:,}",
        str(proof.streams_completed),
        str(proof.websockets_completed),
        str(proof.stragglers),
    )


def table(proofs: Sequence[Proof]) -> str:
    """A line for each app server, and one for all."""
    total = (
        "all",
        str(sum(one.deploys for one in proofs)),
        f"{sum(one.requests for one in proofs):,}",
        str(sum(one.failed for one in proofs)),
        str(sum(one.cut for one in proofs)),
        f"{max((one.slowest_seconds for one in proofs), default=0):.2f} s",
        f"{max((one.overlap_seconds for one in proofs), default=0):.1f} s",
        "",
        f"{sum(one.slow_completed for one in proofs):,}",
        str(sum(one.streams_completed for one in proofs)),
        str(sum(one.websockets_completed for one in proofs)),
        str(sum(one.stragglers for one in proofs)),
    )
    rows = [HEADINGS, *map(row, proofs), total]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in rows
    )


def read_move(kind: str, status: Mapping[str, Any], drains: Mapping[str, float]) -> Move:
    """A move from what the pivot says when it is over; ValueError with the reason if it failed.

    `drains` holds the drain timeout of every release.
    """
    move = status["move"]
    if move["outcome"] != "done":
        raise ValueError(f"a {kind} ended as {move['outcome']}: {move.get('reason')}")
    return Move(
        kind=kind,
        release=status["release"],
        generation=status["generation"],
        seconds=move["seconds"],
        ended=status["updated"],
        drain_timeout=drains.get(move["from"], 0.0),
        stragglers=move.get("stragglers", 0),
    )
