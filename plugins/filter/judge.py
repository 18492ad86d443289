# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the hosts that serve a new release answer worse than what they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.hosts import (
    moved,
    serves,
    waits,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.side import Side
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.verdict import (
    BAD,
    GOOD,
    UNDECIDED,
    Verdict,
    judge,
    look_times,
    with_gate,
)

Variables = Mapping[str, Any]

# What the new release is compared with: its name, how a sentence says it, and where each host of it has its counts.
BASELINES = {
    "others": ("of the other hosts in the same time", "__rollout_responses"),
    "before": ("of the same hosts before the deploy", "__rollout_responses_before"),
}
BEFORE = 600  # seconds before the deploy, or as many as are compared, if these are more


def rollout_comparison(
    hosts: Sequence[str],
    hostvars: Mapping[str, Variables],
    reached: Iterable[str],
    against: str,
    seconds: int | str,
) -> dict[str, Any]:
    """Which of the ``hosts`` behind nginx serve the new release, and which are the baseline.

    ``against``: ``others``, which still serve what was there before, or ``before``, the same hosts. ``unjudged`` says
    why nothing can be compared, as in an app's first deploy or where only the formation has changed. ``hosts``: all
    that serve the new release, behind nginx or not. ``interrupted``: those of them that did so before this deploy,
    while others still wait.
    """
    if against not in BASELINES:
        raise AnsibleFilterError(
            f"A release is compared with {' or '.join(BASELINES)}, not {against!r}."
        )
    still = set(reached)
    web = {
        host: hostvars[host]
        for host in hosts
        if host in still and hostvars[host].get("__rollout", {}).get("web")
    }
    if against == "others":
        new = [host for host, variables in web.items() if serves(variables)]
        baseline = [host for host, variables in web.items() if waits(variables)]
        lacks = "no other host that nginx asks serves another release still"
    else:
        new = baseline = [host for host, variables in web.items() if moved(variables)]
        lacks = "no host that nginx asks served another release before"
    if against == "others" and not new:
        lacks = "nginx asks none of the hosts that serve it"
    return {
        "against": against,
        "new": new,
        "baseline": baseline,
        "hosts": [host for host in hosts if host in still and serves(hostvars[host])],
        "interrupted": [
            host
            for host in hosts
            if host in still and serves(hostvars[host]) and not moved(hostvars[host])
        ]
        if against == "others" and any(waits(hostvars[host]) for host in hosts if host in still)
        else [],
        "unjudged": "" if new and baseline else f"The release is not judged: {lacks}.",
        "looks": look_times(int(seconds)),
        "before": max(BEFORE, int(seconds)),
    }


def rollout_verdict(
    comparison: Mapping[str, Any],
    hostvars: Mapping[str, Variables],
    look: int | str,
    undecided: str,
    gate: Mapping[str, Any],
) -> dict[str, Any]:
    """The verdict by what the hosts of a comparison have counted until its look number ``look``.

    ``undecided``: ``stop`` to refuse a release of which the last look cannot decide whether it is bad. ``gate``: the
    result of the module release_gate, or of the task that was skipped where there is no gate.
    """
    looks, number = comparison["looks"], int(look)
    last = number == len(looks)
    found = _by_responses(comparison, hostvars, number)
    if gate and not gate.get("skipped"):
        reason = str(gate.get("reason") or gate.get("msg") or "no reason")
        found = with_gate(found, str(gate.get("outcome")), reason, last=last)
    refused = found.verdict == BAD or (found.verdict == UNDECIDED and undecided == "stop" and last)
    # what is not on the first line is only shown: records and webhooks take that line
    text = "\n".join([found.message, *found.details])
    return {
        "verdict": found.verdict,
        "put_back": comparison["interrupted"] if found.verdict == BAD else [],
        "p": found.p,
        "message": text,
        "refusal": f"Judge the release by its {found.judge}: {text}" if refused else "",
    }


def _by_responses(
    comparison: Mapping[str, Any], hostvars: Mapping[str, Variables], look: int
) -> Verdict:
    if comparison["unjudged"]:
        return Verdict(GOOD, 1.0, comparison["unjudged"])
    words, register = BASELINES[comparison["against"]]
    looks = comparison["looks"]
    passed = looks[look - 1]
    earlier = comparison["before"] if comparison["against"] == "before" else passed
    return judge(
        _side(comparison["new"], hostvars, "__rollout_responses", passed),
        _side(comparison["baseline"], hostvars, register, earlier),
        words,
        look,
        len(looks),
    )


def _side(
    hosts: Iterable[str], hostvars: Mapping[str, Variables], register: str, seconds: float
) -> Side:
    return Side.of({host: hostvars[host].get(register, {}) for host in hosts}, seconds)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"rollout_comparison": rollout_comparison, "rollout_verdict": rollout_verdict}
