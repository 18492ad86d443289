# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says before, while and after it runs its parts: text from data, nothing else."""

from __future__ import annotations

import collections.abc
import dataclasses

from . import schedule
from .usage import Usage

PASSED = "passed"
FAILED = "FAILED"
STOPPED = "STOPPED"
NOT_STARTED = "not run"


@dataclasses.dataclass(frozen=True)
class Row:
    """One part of the table; `seconds` and `cpu` (of the controller) in seconds."""

    part: str
    result: str
    seconds: float = 0.0
    cpu: float = 0.0
    load: float = 0.0
    usage: Usage = dataclasses.field(default_factory=Usage)


HEADINGS = ("part", "result", "seconds", "load", "cpu", "host cpu", "tasks", "hosts", "MB in")
FORMAT = "{:<26} {:<8} {:>8} {:>6} {:>6} {:>9} {:>7} {:>6} {:>7}"


def minutes(seconds: float) -> str:
    """`seconds` as people say it: 45 s, 12 min."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def before(
    parts: collections.abc.Sequence[str],
    jobs: int,
    expected: collections.abc.Mapping[str, float],
    here: collections.abc.Collection[str],
    limit: float | None,
) -> str:
    """The summary that a run begins with; `here` are the parts that this machine has run before."""
    lines = [
        f"{len(parts)} parts, {jobs} at a time, the longest first;"
        f" about {minutes(schedule.estimate(parts, jobs, expected))} in all"
        + (f", at most {minutes(limit)}" if limit else "")
        + ".",
        f"{'part':<26} {'expected':>9}",
    ]
    for part in parts:
        seconds = f"{expected[part]:.0f} s" if part in expected else "?"
        lines.append(f"{part:<26} {seconds:>9}{'' if part in here else '   not measured here yet'}")
    return "\n".join(lines) + "\n"


def after(rows: collections.abc.Sequence[Row], seconds: float, cores: int) -> str:
    """The table at the end, with a line of sums."""
    lines = [FORMAT.format(*HEADINGS)]
    for row in rows:
        lines.append(_line(row.part, row.result, row))
    total = Row(
        part="total",
        result="",
        seconds=seconds,
        cpu=sum(row.cpu for row in rows),
        load=max((row.load for row in rows), default=0.0),
        usage=Usage(
            tasks=sum(row.usage.tasks for row in rows),
            hosts=sum(row.usage.hosts for row in rows),
            host_cpu=sum(row.usage.host_cpu for row in rows),
            downloaded=sum(row.usage.downloaded for row in rows),
        ),
    )
    lines.append(_line(total.part, total.result, total))
    lines.append(
        f"On {cores} cores. load: of the machine when the part ended; cpu, host cpu: seconds of a core"
        " used by the controller's processes and by the hosts; tasks: results on hosts."
    )
    return "\n".join(lines)


def _line(part: str, result: str, row: Row) -> str:
    usage = row.usage
    return FORMAT.format(
        part, result, f"{row.seconds:.0f}", f"{row.load:.1f}", f"{row.cpu:.0f}",
        f"{usage.host_cpu:.0f}", usage.tasks, usage.hosts, f"{usage.downloaded / 1e6:.0f}",
    )  # fmt: skip


def verdict(rows: collections.abc.Sequence[Row], limit: float | None, pace: float) -> str:
    """The last lines: what kept the run from passing, then how many parts passed and failed."""
    lines = []
    cut = [row.part for row in rows if row.result in (NOT_STARTED, STOPPED)]
    if cut and limit:
        lines.append(
            f"This run was cut short: {', '.join(cut)} could not end within the limit of"
            f" {limit:.0f} s; parts took {pace:.1f} times as long as expected."
        )
    passed = sum(row.result == PASSED for row in rows)
    lines.append(f"{passed} passed, {len(rows) - passed} failed")
    return "\n".join(lines)
