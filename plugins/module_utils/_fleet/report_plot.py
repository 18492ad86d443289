# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bars, lines and words of a plot of requests go. Pure; the template draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    ceiling,
    count,
)

CLASSES = ("2xx", "3xx", "4xx", "5xx")  # from the bottom of a bar up
LETTER = 6.9  # width of a letter of a label in units of the drawing, rather too much
LANE = 18.0  # height of a row of labels
LANES = 4
LEFT, RIGHT, BOTTOM = 46.0, 10.0, 24.0
TICK = 60.0  # room for the words of one
LEAST = 2.0  # height of what is there and must be seen
TICKS = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)


@dataclass(frozen=True)
class Mark:
    """A deploy or rollback on the axis of time."""

    at: float
    label: str
    good: bool


@dataclass(frozen=True)
class Frame:
    """What a plot shows, and how large it is."""

    since: float
    until: float
    step: int
    width: float
    height: float

    def x(self, at: float) -> float:
        part = (at - self.since) / (self.until - self.since)
        return round(LEFT + min(1.0, max(0.0, part)) * (self.width - LEFT - RIGHT), 1)


def classes(statuses: Mapping[str, int]) -> dict[str, int]:
    """Answers per class of status. What belongs to none of them (101) counts as 2xx: it went well."""
    found = dict.fromkeys(CLASSES, 0)
    for status, number in statuses.items():
        name = f"{status[:1]}xx"
        found[name if name in found else CLASSES[0]] += number
    return found


def draw(
    frame: Frame, buckets: Mapping[float, Mapping[str, int]], marks: Sequence[Mark]
) -> dict[str, Any]:
    """The parts of a plot; ``buckets`` are answers by class, per begin of a step."""
    placed, lanes = labels(frame, marks)
    top = 8.0 + lanes * LANE
    bottom = frame.height - BOTTOM
    most = ceiling(max((sum(each.values()) for each in buckets.values()), default=0))
    bars = [
        part
        for start, counts in sorted(buckets.items())
        for part in stack(frame, start, counts, bottom, (bottom - top) / most)
    ]
    return {
        "width": frame.width,
        "height": frame.height,
        "left": LEFT,
        "right": frame.width - RIGHT,
        "top": top,
        "bottom": bottom,
        "bars": bars,
        "grid": [
            {
                "y": round(bottom - (bottom - top) * part / 4, 1),
                "text": count(most * part / 4) if most * part % 4 == 0 else f"{most * part / 4:g}",
            }
            for part in range(5)
        ],
        "ticks": ticks(frame),
        "marks": placed,
    }


def stack(
    frame: Frame, start: float, counts: Mapping[str, int], bottom: float, scale: float
) -> list[dict[str, Any]]:
    """One bar, a part per class. Failures are never too small to be seen."""
    left, right = frame.x(start), frame.x(start + frame.step)
    gap = 1.0 if right - left > 4 else 0.0
    parts, y = [], bottom
    for name in CLASSES:
        if counts[name]:
            height = counts[name] * scale
            if name in ("4xx", "5xx"):
                height = max(height, LEAST)
            y -= height
            size = {"width": max(1.0, right - left - gap), "height": height, "y": y}
            parts.append(
                {"class": f"s{name[0]}", "x": left} | {k: round(v, 1) for k, v in size.items()}
            )
    return parts


def ticks(frame: Frame) -> list[dict[str, Any]]:
    """Round times in UTC; a day has its date."""
    length = frame.until - frame.since
    room = max(2, int((frame.width - LEFT - RIGHT) // TICK))
    step = next((each for each in TICKS if length / each <= room), TICKS[-1])
    first = -int(-frame.since // step) * step
    found = []
    for at in range(first, int(frame.until) + 1, step):
        moment = datetime.fromtimestamp(at, UTC)
        text = moment.strftime("%d %b" if at % 86400 == 0 else "%H:%M")
        found.append({"x": frame.x(at), "text": text})
    return found


def labels(frame: Frame, marks: Sequence[Mark]) -> tuple[list[dict[str, Any]], int]:
    """Each mark with its label in the first lane that has room, and how many lanes there are.

    One that finds no room in LANES of them keeps its line and goes without a label; the table of
    deploys has them all.
    """
    ends: list[float] = []
    placed = []
    for mark in sorted(marks, key=lambda each: each.at):
        x = frame.x(mark.at)
        width = len(mark.label) * LETTER + 16
        left = min(x, frame.width - RIGHT - width)  # near the right edge it stands to the left
        lane = next((n for n, end in enumerate(ends) if end <= left), len(ends))
        if lane < LANES and left >= 0:
            ends[lane : lane + 1] = [left + width]
        else:
            lane = -1
        placed.append(
            {
                "x": x,
                "good": mark.good,
                "text": mark.label if lane >= 0 else "",
                "name": mark.label,
                "label_x": round(left, 1),
                "label_width": round(width - 4, 1),
                "label_y": round(4.0 + max(lane, 0) * LANE, 1),
            }
        )
    return placed, len(ends)
