# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one side of a comparison has answered, summed over its hosts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.rank_test import quantile
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import (
    add_counts,
    bucket,
    largest,
    middle,
)

LONGEST_SENTENCE = 200  # letters
# A host may say what it likes. It reads for 20 seconds, in which it does not come to so many requests; of more, the
# tails of the distributions take long to compute.
MOST_COUNTED = 10**7
MOST_ROUTES = 200  # of a host, as many as response_counts returns at most
LAST_BUCKET = bucket(3_600_000)  # to which it counts what took an hour or longer
BUCKET = re.compile(r"-1|[0-9]{1,4}")


@dataclass(frozen=True)
class Side:
    """What one side has answered: requests, those of them with a status of 500 or more, and these by route.

    ``latencies``: how many of the others the app took how long for, by bucket of the room _logs. ``asked``: requests
    by route; of hosts where a route is rare, and had no errors, they are missing.
    """

    requests: int = 0
    errors: int = 0
    routes: Mapping[str, int] = field(default_factory=dict)
    seconds: float = (
        1.0  # of all hosts together, in which it answered these; 0 where none could be read
    )
    latencies: Mapping[int, int] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()  # what could not be counted on which host, a sentence each

    @property
    def share(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    @classmethod
    def of(cls, counts: Mapping[str, Mapping[str, object]], seconds: float = 1.0) -> Side:
        """The sum over hosts, of what the module response_counts returns of each about so many seconds."""
        requests = errors = read = 0
        routes: dict[str, int] = {}
        asked: dict[str, int] = {}
        latencies: dict[int, int] = {}
        unread = []
        for host, each in counts.items():
            if "requests" not in each:
                unread.append(f"{host}: {_sentence(each.get('msg') or 'no answer')}")
                continue
            read += 1
            requests += _count(each.get("requests"))
            errors += _count(each.get("server_errors"))
            add_counts(routes, _routes(each.get("routes")))
            add_counts(asked, _routes(each.get("route_requests")))
            for key, number in _counts(each.get("latencies")).items():
                if BUCKET.fullmatch(key):
                    add_counts(latencies, {min(int(key), LAST_BUCKET): number})
            incomplete = each.get("incomplete")
            if incomplete and isinstance(incomplete, list):
                unread.append(f"{host}: {_sentence(incomplete[0])}")
        seconds *= read
        errors = min(errors, requests)
        return cls(requests, errors, routes, seconds, latencies, asked, tuple(unread))

    @property
    def timed(self) -> int:
        return sum(self.latencies.values())

    def milliseconds(self, percent: float) -> float:
        """Within which so many percent of the timed responses began, to about 2 %; 0 where there are none."""
        return middle(quantile(self.latencies, percent / 100)) if self.latencies else 0.0

    def text(self) -> str:
        return f"{self.errors} of {self.requests} ({self.share:.1%})"


def _count(value: object) -> int:
    return min(max(0, value), MOST_COUNTED) if isinstance(value, int) else 0


def _counts(value: object) -> dict[str, int]:
    return (
        {str(key): _count(number) for key, number in value.items()}
        if isinstance(value, Mapping)
        else {}
    )


def _routes(value: object) -> dict[str, int]:
    return dict(largest(_counts(value).items(), MOST_ROUTES, lambda item: item[1]))


def _sentence(value: object) -> str:
    first = (str(value).strip().splitlines() or [""])[0]
    return first if len(first) <= LONGEST_SENTENCE else first[: LONGEST_SENTENCE - 3] + "..."
