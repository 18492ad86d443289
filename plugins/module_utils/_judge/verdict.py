# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a release that serves answers more requests with errors than the one before it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.exact_test import (
    binomial_at_most,
    fisher_greater,
)

GOOD, BAD, UNDECIDED = "good", "bad", "undecided"

# Of releases that are alike no more than this share may be called bad, in a deploy, however often it is
# looked: what the canaries' time and the watch may spend together.
FALSE_ALARMS = 0.01
PARTS = 2
# Bad needs this much besides: a share of errors that is higher by so much, and so many errors.
LEAST_EFFECT = 0.005
LEAST_ERRORS = 5
# Good means: with 95 % confidence there are not five more errors in a hundred requests than before.
TOLERATED, DOUBT = 0.05, 0.05
LEAST_BASELINE = 50  # requests

LOOK_SECONDS, MOST_LOOKS = 5, 12
ROUTES = 3  # that a message names
LONGEST_ROUTE = 80  # letters
# A path is chosen by clients: what is none of these does not get into a message.
FOREIGN = re.compile(r"[^A-Za-z0-9 /{}()._~%+-]")


@dataclass(frozen=True)
class Side:
    """What one side has answered: requests, those of them with a status of 500 or more, and these by route."""

    requests: int = 0
    errors: int = 0
    routes: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    @classmethod
    def of(cls, counts: Iterable[Mapping[str, object]]) -> Side:
        """The sum over hosts, of what the module response_counts returns of each."""
        requests = errors = 0
        routes: dict[str, int] = {}
        for each in counts:
            requests += _count(each.get("requests"))
            errors += _count(each.get("server_errors"))
            found = each.get("routes")
            for route, number in found.items() if isinstance(found, Mapping) else ():
                routes[str(route)] = routes.get(str(route), 0) + _count(number)
        return cls(requests, min(errors, requests), routes)

    def text(self) -> str:
        return f"{self.errors} of {self.requests} ({self.share:.1%})"


@dataclass(frozen=True)
class Verdict:
    verdict: str  # good | bad | undecided
    p: float
    message: str


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0


def looks_in(seconds: int) -> int:
    """How often it is looked in that time, the last time at its end."""
    return max(1, min(MOST_LOOKS, seconds // LOOK_SECONDS))


def level(look: int, looks: int) -> float:
    """Below which p a look calls a release bad.

    Half of what may be spent is for the last look, which has the most to go by; the others share the rest. By
    Bonferroni's inequality the sum holds for any of them.
    """
    whole = FALSE_ALARMS / PARTS
    if looks == 1:
        return whole
    return whole / 2 if look == looks else whole / 2 / (looks - 1)


def judge(new: Side, baseline: Side, against: str, look: int = 1, looks: int = 1) -> Verdict:
    """The verdict of one look; only the last one can be ``good``.

    ``against``: what the baseline is, for the sentence.
    """
    p = fisher_greater(new.errors, new.requests, baseline.errors, baseline.requests)
    numbers = f"{new.text()} of the new release, {baseline.text()} {against}; p = {p:.2g}"
    worse = (
        p <= level(look, looks)
        and new.errors >= LEAST_ERRORS
        and new.share - baseline.share >= LEAST_EFFECT
    )
    if worse:
        return Verdict(BAD, p, f"Requests answered with 5xx: {numbers}{most_failed(new)}")
    enough = baseline.requests >= LEAST_BASELINE
    no_worse = binomial_at_most(new.errors, new.requests, baseline.share + TOLERATED) <= DOUBT
    if look == looks and enough and no_worse:
        return Verdict(GOOD, p, f"Requests answered with 5xx: {numbers}")
    return Verdict(UNDECIDED, p, f"Too few requests to decide. Answered with 5xx: {numbers}")


def most_failed(side: Side) -> str:
    """Where most errors are, as the end of a sentence."""
    order = sorted(side.routes.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{shown(route)} ({number})" for route, number in order[:ROUTES] if number]
    return f"; most of them: {', '.join(named)}" if named else ""


def shown(route: str) -> str:
    text = FOREIGN.sub("?", route)
    return text if len(text) <= LONGEST_ROUTE else text[: LONGEST_ROUTE - 3] + "..."
