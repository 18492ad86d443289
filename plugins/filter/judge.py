# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the hosts that serve a new release answer worse than what they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.verdict import (
    BAD,
    UNDECIDED,
    Side,
    judge,
    looks_in,
)

Variables = Mapping[str, Any]

# What the new release is compared with: its name, how a sentence says it, and where each host of it has its counts.
BASELINES = {
    "others": ("of the other hosts in the same time", "__rollout_responses"),
    "before": ("of the same hosts before the deploy", "__rollout_responses_before"),
}


def rollout_comparison(
    hosts: Sequence[str],
    hostvars: Mapping[str, Variables],
    reached: Iterable[str],
    against: str,
    seconds: int | str,
) -> dict[str, Any]:
    """Which of the ``hosts`` that nginx asks serve another release than before this deploy, and which are the baseline.

    ``against``: ``others``, which still serve what was there before, or ``before``, the same hosts. ``possible`` is
    false where one side has no host, as in an app's first deploy or where only the formation has changed.
    """
    if against not in BASELINES:
        raise AnsibleFilterError(
            f"A release is compared with {' or '.join(BASELINES)}, not {against!r}."
        )
    still = set(reached)
    web = [
        (host, hostvars[host])
        for host in hosts
        if host in still and hostvars[host].get("__rollout", {}).get("web")
    ]
    new = [host for host, variables in web if _moved(variables.get("app_switch", {}))]
    waiting = [host for host, variables in web if _waits(variables)]
    baseline = waiting if against == "others" else new
    return {
        "against": against,
        "new": new,
        "baseline": baseline,
        "possible": bool(new and baseline),
        "looks": looks_in(int(seconds)),
    }


def rollout_verdict(
    comparison: Mapping[str, Any],
    hostvars: Mapping[str, Variables],
    look: int | str,
    undecided: str,
) -> dict[str, Any]:
    """The verdict by what the hosts of a comparison have counted until its look number ``look``.

    ``undecided``: ``stop`` to refuse a release of which the last look cannot decide whether it is bad.
    """
    words, register = BASELINES[comparison["against"]]
    found = judge(
        _side(comparison["new"], hostvars, "__rollout_responses"),
        _side(comparison["baseline"], hostvars, register),
        words,
        int(look),
        comparison["looks"],
    )
    refused = found.verdict == BAD or (
        found.verdict == UNDECIDED and undecided == "stop" and int(look) == comparison["looks"]
    )
    return {
        "verdict": found.verdict,
        "p": found.p,
        "message": found.message,
        "refusal": f"Judge the release by its responses: {found.message}" if refused else "",
    }


def _side(hosts: Iterable[str], hostvars: Mapping[str, Variables], register: str) -> Side:
    return Side.of(hostvars[host].get(register, {}) for host in hosts)


def _moved(switch: Variables) -> bool:
    """Whether another release than before serves after it."""
    return (
        bool(switch.get("changed"))
        and not switch.get("failed")
        and switch.get("previous") not in (None, switch.get("release"))
    )


def _waits(variables: Variables) -> bool:
    """Whether a host serves what was there before, and has not been switched yet."""
    release = variables.get("app_release", {})
    return not variables.get("app_switch") and release.get("current") not in (
        None,
        release.get("release"),
    )


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"rollout_comparison": rollout_comparison, "rollout_verdict": rollout_verdict}
