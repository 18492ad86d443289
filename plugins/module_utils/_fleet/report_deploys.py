# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of all hosts as the deploys that they were, and how fast answers were around each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    seconds_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import Tally

TOGETHER = 3600.0  # seconds between two hosts that may lie within one rollout
PARTS = ("requests", "bytes", "statuses", "timed", "milliseconds", "longest", "latencies")


@dataclass
class Rollout:
    """What was one deploy, rollback or change of the formation, over all hosts that record it."""

    event: str
    release: str
    records: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by host
    last: float = 0.0  # when the last host began

    @property
    def at(self) -> float:
        return min(seconds_of(record["at"]) or 0.0 for record in self.records.values())

    @property
    def seconds(self) -> float | None:
        """From the begin on the first host to the end on the last; None while none has ended."""
        ends = [
            (seconds_of(record["at"]) or 0.0) + record["seconds"]
            for record in self.records.values()
            if record.get("seconds") is not None
        ]
        return max(ends) - self.at if ends else None

    @property
    def slowest(self) -> float | None:
        """Seconds of the host that took longest."""
        taken = [record.get("seconds") for record in self.records.values()]
        return max((each for each in taken if each is not None), default=None)

    @property
    def outcome(self) -> str:
        """bad, when it was on any host; pending, when one has not ended; good."""
        found = {str(record["outcome"]) for record in self.records.values()}
        return next((each for each in ("bad", "pending") if each in found), "good")

    @property
    def before(self) -> list[str]:
        """What served until then, on any of the hosts."""
        found = [record.get("before") for record in self.records.values()]
        return [str(each) for each in dict.fromkeys(found) if each]

    @property
    def moved(self) -> bool:
        """Whether it brought another release into service, or was to."""
        return self.before != [self.release]


def rollouts(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Rollout]:
    """The records of each host, put together; the latest first.

    Records are of one rollout when they say the same of the same release, not much later than on
    the host before, and no host has two of them.
    """
    found: list[Rollout] = []
    entries = [
        (at, host, record)
        for host, entries in records.items()
        for record in entries
        if (at := seconds_of(record.get("at"))) is not None
    ]
    for at, host, record in sorted(entries, key=lambda entry: entry[:2]):
        event, release = str(record["event"]), str(record["release"])
        same = (
            each
            for each in reversed(found)
            if (each.event, each.release) == (event, release)
            and host not in each.records
            and at - each.last <= TOGETHER
        )
        rollout = next(same, None)
        if rollout is None:
            rollout = Rollout(event, release)
            found.append(rollout)
        rollout.records[host], rollout.last = record, at
    return sorted(found, key=lambda each: each.at, reverse=True)


def around(rollout: Rollout, stretches: Iterable[Mapping[str, Any]]) -> tuple[Tally, Tally]:
    """What its hosts answered from the deploy before until then, and from then to the next.

    ``stretches`` are those of log_document. Nothing is counted for a host on which the release did
    not come into service.
    """
    before, after = Tally(), Tally()
    by_host: dict[str, list[Mapping[str, Any]]] = {}
    for each in stretches:
        by_host.setdefault(each["host"], []).append(each)
    for host, record in rollout.records.items():
        if record["outcome"] != "good" or record.get("before") == record["release"]:
            continue
        own = sorted(by_host.get(host, []), key=lambda each: str(each["since"]))
        for each in own:
            if (each["since"], each["release"]) == (record["at"], record["release"]):
                after.merge(tally(each))
        earlier = [each for each in own if each["since"] < record["at"]]
        # of one stretch only: the one that ended with this
        for each in earlier:
            last = earlier[-1]["since"]
            if each["since"] == last and each["release"] == record.get("before"):
                before.merge(tally(each))
    return before, after


def tally(stretch: Mapping[str, Any]) -> Tally:
    return Tally.unpacked({key: stretch[key] for key in PARTS})
