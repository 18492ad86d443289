# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a release that serves answers with more errors, or later, than the one before it. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.exact_test import (
    fisher_greater,
    largest_increase,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.rank_test import (
    rank_sum_greater,
    share_apart,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.routes import (
    more_errors,
    worse_routes,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.side import Side
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import GAMMA

GOOD, BAD, UNDECIDED = "good", "bad", "undecided"

# Of releases that are alike no more than this share may be called bad, in a deploy, however often it is
# looked: what the canaries' time and the watch may spend together.
FALSE_ALARMS = 0.01
PARTS = 2
# … of that, how much each test may spend
FOR_ERRORS, FOR_ROUTES, FOR_LATENCY = 0.5, 0.25, 0.25
# Bad needs this much beside p: a median time that is so many times the other and so many milliseconds more, of so many
# responses on both sides; and that the half of all pairs of responses are so many times apart, or so many buckets.
SLOWER, SLOWER_BY, LEAST_TIMED = 1.5, 20.0, 30
APART, LEAST_APART = math.floor(math.log(SLOWER, GAMMA)), 0.5
# Good means: with 95 % confidence there are not five more errors in a hundred requests than before.
TOLERATED, DOUBT = 0.05, 0.05
LEAST_BASELINE = 50  # requests

LEAST_SHARE = 0.1  # of the requests that a side should have answered, below which it is said that they are few

FIRST_LOOK = 5  # seconds
ROUTES = 3  # that a message names
LONGEST_ROUTE = 80  # letters
# A path is chosen by clients: what is none of these does not get into a message.
FOREIGN = re.compile(r"[^A-Za-z0-9 /{}()._~%+-]")


@dataclass(frozen=True)
class Verdict:
    """``details``: lines for whoever watches the deploy. They have paths, which are the customers' and no record's."""

    verdict: str  # good | bad | undecided
    p: float
    message: str
    details: tuple[str, ...] = ()
    judge: str = "responses"  # or gate: by what it was decided


def look_times(seconds: int) -> list[int]:
    """After how many seconds it is looked, the last time at the end.

    Each time after twice as long: what is broken is found within seconds, and an hour has no more than eleven looks.
    """
    times = []
    at = FIRST_LOOK
    while at * 1.5 <= seconds:
        times.append(at)
        at *= 2
    return [*times, seconds]


def level(look: int, looks: int) -> float:
    """Below which p a look calls a release bad.

    Half of what may be spent is for the last look, which has the most to go by; the others share the rest. By
    Bonferroni's inequality the sum holds for any of them, whenever they are.
    """
    whole = FALSE_ALARMS / PARTS
    if looks == 1:
        return whole
    return whole / 2 if look == looks else whole / 2 / (looks - 1)


def judge(new: Side, baseline: Side, against: str, look: int = 1, looks: int = 1) -> Verdict:
    """The verdict of one look; only the last one can be ``good``.

    ``against``: what the baseline is, for the sentence.
    """
    for side, name in ((new, "of the new release"), (baseline, against)):
        if not side.seconds:
            why = "; ".join(side.unread)
            return Verdict(UNDECIDED, 1.0, f"The responses {name} could not be counted: {why}")
    details = tuple(f"Not counted on {each}" for each in new.unread + baseline.unread)
    may_be = level(look, looks)
    p = fisher_greater(new.errors, new.requests, baseline.errors, baseline.requests)
    numbers = f"{new.text()} of the new release, {baseline.text()} {against}; p = {p:.2g}"
    if p <= may_be * FOR_ERRORS and more_errors(new, baseline):
        message = f"Requests answered with 5xx: {numbers}"
        return Verdict(BAD, p, message, most_failed(new) + details)
    routes = worse_routes(new, baseline, may_be * FOR_ROUTES)
    if routes:
        worst = routes[0]
        message = (
            f"Requests of a route answered with 5xx: {worst.new.text()} of the new release, "
            f"{worst.baseline.text()} {against}; p = {worst.p:.2g}"
        )
        names = [f"{shown(each.name)} ({each.new.text()})" for each in routes[:ROUTES]]
        return Verdict(BAD, worst.p, message, (f"Worse: {', '.join(names)}", *details))
    # a process that has just started fills its caches: in the first look there may be nothing else
    if (look > 1 or looks == 1) and much_slower(new, baseline):
        p_slow = rank_sum_greater(new.latencies, baseline.latencies)
        if p_slow <= may_be * FOR_LATENCY:
            message = (
                f"Slow responses: a median of {new.milliseconds(50):.0f} ms in {new.timed} of the new release, "
                f"{baseline.milliseconds(50):.0f} ms in {baseline.timed} {against}; p = {p_slow:.2g}"
            )
            return Verdict(BAD, p_slow, message, details)
    numbers += medians(new, baseline)
    enough = baseline.requests >= LEAST_BASELINE
    if look == looks and enough and not_worse(new, baseline):
        return Verdict(GOOD, p, f"Requests answered with 5xx: {numbers}", details)
    message = f"Too few requests to decide. Answered with 5xx: {numbers}{few(new, baseline)}"
    return Verdict(UNDECIDED, p, message, details)


def with_gate(found: Verdict, outcome: str, reason: str, *, last: bool) -> Verdict:
    """The verdict by what the responses say and what a gate does, of which one look is the ``last``.

    ``outcome``: ``good``, ``bad``, or anything else for a gate that does not work.
    """
    if found.verdict == BAD:
        return found
    if outcome == BAD:
        return Verdict(BAD, found.p, f"The gate refuses it: {reason}", judge="gate")
    if outcome == GOOD:
        return replace(found, details=("The gate agrees", *found.details))
    message = f"The gate did not answer: {reason}"
    if not last:
        return replace(found, details=(message, *found.details))
    return Verdict(UNDECIDED, found.p, f"{message}. {found.message}", found.details, "gate")


def not_worse(new: Side, baseline: Side) -> bool:
    more = largest_increase(
        new.errors, new.requests, baseline.errors, baseline.requests, doubt=DOUBT
    )
    return more <= TOLERATED


def much_slower(new: Side, baseline: Side) -> bool:
    """Whether times differ by enough to matter, and not only how many requests are of a slow kind.

    Requests come in clusters, of a user or of a page with all that it asks for. So the shares of fast and slow ones
    differ by more than chance between hosts that are alike, and with them the medians.
    """
    if min(new.timed, baseline.timed) < LEAST_TIMED:
        return False
    now, before = new.milliseconds(50), baseline.milliseconds(50)
    if now < before * SLOWER or now - before < SLOWER_BY:
        return False
    return share_apart(new.latencies, baseline.latencies, APART) >= LEAST_APART


def medians(new: Side, baseline: Side) -> str:
    """The end of a sentence, where both sides have any."""
    if not new.timed or not baseline.timed:
        return ""
    return f"; median time {new.milliseconds(50):.0f} and {baseline.milliseconds(50):.0f} ms"


def few(new: Side, baseline: Side) -> str:
    """What is odd where the new side has hardly answered while the baseline was busy, as the end of a sentence."""
    expected = baseline.requests * new.seconds / baseline.seconds
    if expected < LEAST_BASELINE or new.requests >= expected * LEAST_SHARE:
        return ""
    return (
        f"; as busy as these it would have answered about {expected:.0f}: does it let requests wait, "
        "or get none?"
    )


def most_failed(side: Side) -> tuple[str, ...]:
    """Where most errors are, as a line."""
    order = sorted(side.routes.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{shown(route)} ({number})" for route, number in order[:ROUTES] if number]
    return (f"Most of them: {', '.join(named)}",) if named else ()


def shown(route: str) -> str:
    text = FOREIGN.sub("?", route)
    return text if len(text) <= LONGEST_ROUTE else text[: LONGEST_ROUTE - 3] + "..."
