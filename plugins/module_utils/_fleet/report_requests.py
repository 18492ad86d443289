# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says of an app's requests: how many, how they ended, how long they took. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_deploys import (
    Rollout,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_plot import (
    CLASSES,
    Frame,
    Mark,
    classes,
    draw,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    NOTHING,
    clock,
    count,
    milliseconds,
    seconds_of,
    share,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import line
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import Tally

WIDE, NARROW = (1120.0, 300.0), (360.0, 260.0)
TIMES = ("p50", "p95", "p99")


def status_rows(told: Mapping[str, Any] | None) -> list[dict[str, str]]:
    if not told or not told["requests"]:
        return []
    return [
        {
            "class": f"s{code[:1]}" if f"{code[:1]}xx" in CLASSES else "s2",
            "status": code,
            "count": count(number),
            "share": share(number, told["requests"]),
        }
        for code, number in told["statuses"].items()
    ]


def latency_text(latency: Mapping[str, float] | None) -> dict[str, str]:
    return {key: milliseconds(latency[key] if latency else None) for key in (*TIMES, "max")}


def load(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A row of numbers about requests."""
    kinds = classes(told["statuses"])
    return {
        "name": line(told[name]),
        "requests": count(told["requests"]),
        **{key: count(number) if number else NOTHING for key, number in kinds.items()},
        "failed": kinds["5xx"] > 0,
        "failed_share": share(kinds["5xx"], told["requests"]),
        **latency_text(told["latency"]),
    }


def proxy_loads(
    name: str, proxies: Mapping[str, Mapping[str, Any]], behind: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """What each proxy answered of an app, and below, to compare their times with, what its own hosts answered."""
    rows = [
        load({**told["apps"][name], "host": host}, "host")
        for host, told in proxies.items()
        if name in told["apps"] and told["apps"][name]["requests"]
    ]
    if rows and behind:
        rows.append(load({**behind, "host": "(the hosts of the app)"}, "host"))
    return rows


def timeline(told: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """The numbers behind the plot."""
    rows = []
    for start, statuses in (told or {}).get("timeline", {}).items():
        kinds = {key: count(number) for key, number in classes(statuses).items()}
        rows.append({"at": clock(seconds_of(start)), **kinds, "all": count(sum(statuses.values()))})
    return rows


def plots(
    name: str, found: Sequence[Rollout], told: Mapping[str, Any] | None, logs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The same plot for a large screen and for a phone; none where nothing was asked."""
    since, until = seconds_of(logs["since"]), seconds_of(logs["until"])
    if not told or not told["requests"] or since is None or until is None or "step" not in logs:
        return []
    buckets = {
        at: classes(statuses)
        for start, statuses in told["timeline"].items()
        if (at := seconds_of(start)) is not None
    }
    inside = [each for each in found if each.moved and since <= each.at < until]
    short = labels(each.release for each in inside)
    marks = [Mark(each.at, mark_text(each, short), each.outcome == "good") for each in inside]
    kinds = classes(told["statuses"])
    sums = ", ".join(f"{count(kinds[key])} {key}" for key in CLASSES)
    said = "; ".join(f"{clock(mark.at)} {mark.label}" for mark in sorted(marks, key=lambda m: m.at))
    description = (
        f"{count(told['requests'])} requests from {clock(since)} to {clock(until)} UTC: {sums}. "
        + (f"Deploys and rollbacks: {said}." if said else "No deploy in this time.")
    )
    return [
        {
            "size": kind,
            "title": f"Requests of {name} over time, by status",
            "description": description,
            **draw(Frame(since, until, logs["step"], *measures), buckets, marks),
        }
        for kind, measures in (("wide", WIDE), ("narrow", NARROW))
    ]


def labels(releases: Iterable[str]) -> dict[str, str]:
    """Versions where they tell releases apart, ids where they do not."""
    ids = list(dict.fromkeys(releases))
    versions = [each.rpartition("-")[0] or each for each in ids]
    return {
        each: version if versions.count(version) == 1 else each
        for each, version in zip(ids, versions, strict=True)
    }


def mark_text(rollout: Rollout, short: Mapping[str, str]) -> str:
    text = short[rollout.release]
    if rollout.outcome != "good":
        return f"✕ {text}"
    return f"↩ {text}" if rollout.event == "rollback" else text


def compared(before: Tally, after: Tally) -> list[dict[str, str]]:
    """Each percentile before and after, and which way it went where that is more than an error."""
    was, became = before.latency() or {}, after.latency() or {}
    rows = []
    for key in TIMES:
        old, new = was.get(key), became.get(key)
        way = ""
        # both may be wrong by the error of a percentile, and a millisecond is the clock's
        if old is not None and new is not None and abs(new - old) > max(1.0, 0.1 * old):
            way = "slower" if new > old else "faster"
        rows.append(
            {"name": key, "before": milliseconds(old), "after": milliseconds(new), "way": way}
        )
    return rows
