# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a counting client saw."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

EXAMPLES_KEPT = 5


@dataclass(slots=True)
class VersionTally:
    """Answers of one version of the app; times are seconds since the start of the tally."""

    first: float
    last: float
    last_sent: float
    count: int = 0
    slow: int = 0
    slowest: float = 0.0


@dataclass(slots=True)
class HeldTally:
    """Exchanges of one kind that hold a connection for long: a stream, a WebSocket."""

    completed: int = 0
    versions: Counter[str] = field(default_factory=Counter)  # of the completed ones
    broken: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """Counts of one run. A request is counted once, when its fate is known."""

    started: float = field(default_factory=time.monotonic)
    started_at: float = field(default_factory=time.time)
    requests: int = 0
    failed: int = 0
    retried: int = 0
    slow_completed: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, VersionTally] = field(default_factory=dict)
    held: dict[str, HeldTally] = field(default_factory=dict)

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def add_success(self, version: str, sent: float, *, slow: bool) -> None:
        """Count an answer that was right; `sent` is `now()` of its request."""
        now = self.now()
        seen = self.versions.setdefault(version, VersionTally(now, now, sent))
        self.requests += 1
        seen.count += 1
        seen.last = now
        seen.last_sent = max(seen.last_sent, sent)
        if slow:
            # Its duration says nothing about the server: it was asked to be slow.
            self.slow_completed += 1
            seen.slow += 1
        else:
            seen.slowest = max(seen.slowest, now - sent)

    def add_failure(self, request: str, reason: str, detail: str, sent: float) -> None:
        """Count a request without a right answer; `reason` is a class, `detail` is this case."""
        self.requests += 1
        self.failed += 1
        self.failures[reason] += 1
        if len(self.examples) < EXAMPLES_KEPT:
            self.examples.append(
                {
                    "request": request,
                    "reason": reason,
                    "detail": detail,
                    "sent": self._moment(sent),
                    "failed": self._moment(self.now()),
                }
            )

    def add_held(self, kind: str, version: str) -> None:
        """Count a stream or a WebSocket that came to its own end."""
        self.requests += 1
        seen = self.held.setdefault(kind, HeldTally())
        seen.completed += 1
        seen.versions[version] += 1

    def add_broken(self, kind: str, version: str, detail: str, sent: float) -> None:
        """Count one that had begun to answer and was broken off.

        Whether that is a fault depends on how long the server had waited for its end, which is not
        known here. So each is told, and none is a failed request.
        """
        self.requests += 1
        self.held.setdefault(kind, HeldTally()).broken.append(
            {
                "version": version,
                "detail": detail,
                "sent": self._moment(sent),
                "broken": self._moment(self.now()),
            }
        )

    def report(self) -> dict[str, Any]:
        """The numbers, ready for JSON."""
        seconds = self.now()
        return {
            "started_at": _clock(self.started_at),
            "started_epoch": round(self.started_at, 3),
            "seconds": round(seconds, 3),
            "requests": self.requests,
            "failed": self.failed,
            "failures": dict(self.failures.most_common()),
            "examples": self.examples,
            "retried": self.retried,
            "slow_completed": self.slow_completed,
            "held": {
                kind: {
                    "completed": seen.completed,
                    "versions": dict(seen.versions),
                    "broken": seen.broken,
                }
                for kind, seen in self.held.items()
            },
            "rps": round(self.requests / seconds, 1) if seconds else 0.0,
            "versions": {
                version: {
                    "count": seen.count,
                    "slow": seen.slow,
                    "first": self._moment(seen.first),
                    "last": self._moment(seen.last),
                    "last_sent": self._moment(seen.last_sent),
                    "slowest_seconds": round(seen.slowest, 3),
                    "rps": round(seen.count / max(seen.last - seen.first, 0.001), 1),
                }
                for version, seen in self.versions.items()
            },
        }

    def _moment(self, seconds: float) -> dict[str, Any]:
        return {"seconds": round(seconds, 3), "at": _clock(self.started_at + seconds)}


def _clock(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")
