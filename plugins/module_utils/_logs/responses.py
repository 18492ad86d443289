# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests an app has answered on a host, and how many of them with errors."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.access import (
    Request,
    Served,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.summary import Summary
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import (
    OTHER,
    bucket,
    fold,
)

MOST_ROUTES = 500  # that are counted apart, and for a time up to twice as many
ROUTES = 100  # that are returned: with the most errors, and with the most requests
LONGEST = 3_600_000  # milliseconds; what took longer counts as that, so that there are few buckets


@dataclass
class Responses:
    """Of the app itself: what nginx answers without it (files, redirects, its limits) does not count."""

    since: float
    ignored_paths: Collection[str] = ()
    release: str | None = None
    served: Served | None = None
    requests: int = 0
    server_errors: int = 0
    routes: dict[str, list[int]] = field(default_factory=dict)  # requests and errors of each
    latencies: dict[int, int] = field(default_factory=dict)  # responses without an error per bucket

    def add(self, request: Request) -> None:
        # one that began before was perhaps answered by what served then
        if not request.by_app or request.began < self.since or request.path in self.ignored_paths:
            return
        if self.release and self.served:
            stretch = self.served.stretch(request.began, request.release)
            # what was before the first record is not known
            if stretch and stretch.release != self.release:
                return
        self.requests += 1
        # 4xx is the client's, and an app that did not answer is a 502 or 504 of nginx
        failed = request.status >= 500
        self.server_errors += failed
        counts = self.counts(request.route)
        counts[0] += 1
        counts[1] += failed
        if not failed and request.waited is not None:
            number = bucket(min(request.waited, LONGEST))
            self.latencies[number] = self.latencies.get(number, 0) + 1

    def counts(self, route: str) -> list[int]:
        """Requests and errors of a route. Clients can invent as many as they like: the smallest are put together."""
        if route not in self.routes:
            if len(self.routes) > 2 * MOST_ROUTES:
                fold(self.routes, MOST_ROUTES, lambda counts: counts[0] + 1000 * counts[1], merge)
            self.routes[route] = [0, 0]
        return self.routes[route]

    def told(self) -> dict[str, Any]:
        named = [item for item in self.routes.items() if item[0] != OTHER]
        failed = sorted(
            (item for item in named if item[1][1]), key=lambda item: (-item[1][1], item[0])
        )[:ROUTES]
        asked = sorted(named, key=lambda item: (-item[1][0], item[0]))[:ROUTES]
        return {
            "requests": self.requests,
            "server_errors": self.server_errors,
            "routes": {route: counts[1] for route, counts in failed},
            "route_requests": {route: counts[0] for route, counts in failed + asked},
            # JSON has no keys but strings
            "latencies": {str(number): count for number, count in sorted(self.latencies.items())},
        }


def merge(counts: list[int], other: list[int]) -> None:
    counts[0] += other[0]
    counts[1] += other[1]


def count_responses(
    summary: Summary, app: str, ignored_paths: Collection[str], release: str | None = None
) -> Responses:
    """Those that began and ended in the range of ``summary``, whose ``incomplete`` says what was not read.

    ``release``: only those that it has answered, as far as the record of the host and the answers say so.
    """
    served = summary.served(app) if release else None
    found = Responses(summary.wanted.since, ignored_paths, release, served)
    for request in summary.requests(f"{app}.access.log"):
        if request is not None:
            found.add(request)
    return found
