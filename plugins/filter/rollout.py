# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout over a fleet: in which order the hosts get a release, whether it goes on, how it ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.plugins.test.core import version_compare
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.hosts import (
    served_by_most,
    serves,
    waits,
)


def batches(hosts: Sequence[str], size: int | str = "100%", canaries: int = 1) -> list[list[str]]:
    """``hosts`` in their order: the canaries, then batches of ``size`` (a number or a percentage).

    A percentage is one of all hosts, rounded down, and at least one host, as in Ansible's
    ``serial``.
    """
    match = re.fullmatch(r"([0-9]+)(%?)", str(size).strip())
    number = int(match[1]) if match else 0
    if not match or number < 1 or (match[2] and number > 100):
        raise AnsibleFilterError(
            f"deploy_batch must be a number of at least 1 or a percentage up to 100%, not {str(size)!r}."
        )
    if match[2]:
        number = max(1, len(hosts) * number // 100)
    if not isinstance(canaries, int) or canaries < 0:
        raise AnsibleFilterError(f"The number of canaries must be at least 0, not {canaries!r}.")
    first, rest = list(hosts[:canaries]), list(hosts[canaries:])
    made = [rest[start : start + number] for start in range(0, len(rest), number)]
    return [first, *made] if first else made


def new_hosts_last(hosts: Sequence[str], hostvars: Mapping[str, Any]) -> list[str]:
    """``hosts`` in their order, but first those that serve a release before a deploy.

    Nobody sends requests to a host that has just joined: as a canary it would show nothing. What is read of each
    host's variables is the answer of deploy_info.
    """
    return sorted(hosts, key=lambda host: not hostvars[host].get("app_pending", {}).get("current"))


def schedule_host(hosts: Sequence[str], play: Iterable[str], reached: Iterable[str]) -> str:
    """The host of an app that runs the schedules of which one host is enough; empty if there is none.

    ``hosts``: all of the inventory that run the app. It is the first one that was not lost. One that is
    not in the ``play``, by a limit, is taken to be there still: a run over some hosts must not have
    another one do the same. Of those in the play ``reached`` are still there.
    """
    lost = set(play) - set(reached)
    return next((host for host in hosts if host not in lost), "")


def rollout_scaled_sites(
    now: Mapping[str, Any], wanted: Mapping[str, Any], types: Iterable[str]
) -> dict[str, dict[str, int]]:
    """Formations of the ``types`` that listen as nginx has them now, before and after the app is scaled.

    What is going to close is taken out before, what is new comes in after. As in a deploy, whoever has the path / has
    the requests of a type that ends altogether.
    """
    made: dict[str, dict[str, int]] = {"now": {}, "before": {}, "after": {}}
    for kind in types:
        have, want = int(now.get(kind) or 0), int(wanted.get(kind) or 0)
        made["now"][kind] = have
        made["before"][kind] = min(have, want)
        made["after"][kind] = want
    return made


def newer_version(release: str, version: str) -> str:
    """The version of ``release`` where that is newer than ``version``, else an empty string.

    ``release`` is an id, <version>-<hash>, or a path that ends with one. Order is that of PEP 440;
    what is not a version of it is not newer than anything.
    """
    serving = release.rpartition("/")[2].rpartition("-")[0]
    try:
        newer = version_compare(serving, str(version), ">", version_type="pep440")
    except AnsibleError:
        return ""
    return serving if newer else ""


def release_to_join_problems(release: str | None, joined: str) -> list[str]:
    """Why a host would not come to the release ``joined`` that others serve; empty where that is not known.

    ``release``: the id that settings make there. ``joined``: empty for whichever they make.
    """
    if not joined or not release or release == joined:
        return []
    found = f"the inventory makes {release}, and the other hosts serve {joined}"
    changed = "its config, processes or lock have changed since: run deploy first"
    upgraded = "Debian was upgraded below the others: publish and deploy a new version first"
    return [f"{found}: {changed}; or {upgraded}"]


Variables = Mapping[str, Any]

PREVIOUS = "previous"  # of the module graceful_reload: the good release before the one that serves


def rollout_decision(
    hosts: Sequence[str],
    hostvars: Mapping[str, Variables],
    reached: Iterable[str],
    unreachable: str,
) -> dict[str, Any]:
    """Whether a rollout over ``hosts`` goes on, and what follows when it does not.

    ``reached``: hosts that the play still reaches. What is read of each one's variables is what the
    role rollout keeps there, see ``HostState``. ``unreachable``: ``stop``, or ``go_on`` without
    the hosts that were lost.
    """
    still = set(reached)
    states = [HostState(host, hostvars[host]) for host in hosts if host in still]
    lost = [host for host in hosts if host not in still]
    # each host knows the refusal, so that whichever of them is lost it counts, once
    problems = list(dict.fromkeys(state.refusal for state in states if state.refusal))
    problems += [f"{state.host}: {state.problem}" for state in states if state.problem]
    targets = {state.target for state in states if state.target}
    if not problems and len(targets) > 1:
        problems = [
            f"{state.host}: would go back to {state.target}; say which release: -e release=ID"
            for state in states
        ]
    if unreachable != "go_on":
        problems += [f"{host}: cannot be reached any more" for host in lost]
    known = [hostvars[state.host] for state in states]
    usual = served_by_most(known)
    put_back = {state.host: back for state in states if (back := state.goes_back_to(usual))}
    waiting = {str(each["app_release"]["current"]) for each in known if waits(each)}
    moved = [state.switch for state in states if state.switch.get("changed")]
    return {
        "go_on": not problems,
        "problems": problems,
        "lost": lost,
        "held": [state.host for state in states if state.held],
        "release": next((state.release for state in states if state.release), ""),
        "previous": (moved or [state.switch for state in states] or [{}])[0].get("previous"),
        "changed": bool(moved),
        "served": any(map(serves, known)),
        "mixed": any(map(serves, known)) and any(map(waits, known)),
        "put_back": put_back,
        "others": sorted((waiting | {*put_back.values()}) - {PREVIOUS}),
    }


def preflight_problems(
    answer: Variables, clock_skew: float, free_mb: float, needs_nginx: bool, host: str = ""
) -> list[str]:
    """Why a host must not be deployed to now.

    ``answer`` is that of the module deploy_info, ``clock_skew`` in seconds, ``free_mb`` in MiB. ``host``: its name in
    the inventory; none where it may be set up for the app by then, as in the check mode of site.
    """
    if "pending" not in answer:
        return [str(answer.get("msg") or "it did not say what there is to do")]
    off, free, nginx = round(answer["clock_off"]), answer["free"] // 1048576, answer["nginx"]
    problems = []
    if abs(off) > float(clock_skew):
        problems.append(
            f"the clock is {off} s off that of the controller, deploy_clock_skew allows "
            f"{clock_skew}; does a time service run?"
        )
    if free < float(free_mb):
        problems.append(f"{free} MiB are free below /srv, deploy_free_mb asks for {free_mb}")
    if needs_nginx and nginx != "active":
        problems.append(f"nginx is {nginx}; systemctl status nginx says why")
    if host and answer.get("unprepared"):
        problems.append(
            f"{', '.join(answer['unprepared'])}; set the host up for it with "
            f"`ansible-playbook twelvefactor.deploy.platform --limit {host}`"
        )
    return problems


def rollout_todo(
    hosts: Sequence[str], hostvars: Mapping[str, Variables], reached: Iterable[str]
) -> list[str]:
    """What a deploy over ``hosts`` has to do or to refuse, a sentence each; empty where all agree with it.

    What is read of each host's variables is the list ``__rollout_found`` of the role rollout. ``reached``: hosts
    that the play still reaches.
    """
    still, found = set(reached), []
    for host in hosts:
        if host not in still:
            found.append(f"{host}: cannot be reached")
            continue
        said = hostvars[host].get("__rollout_found")
        found += [f"{host}: {each}" for each in (["was not asked"] if said is None else said)]
    return found


def rollout_endings(
    decision: Mapping[str, Any], hostvars: Mapping[str, Variables], reached: Iterable[str]
) -> list[str]:
    """What became of the hosts that a stopped rollout had locked: a sentence each, in their order.

    ``decision``: that of ``rollout_decision``, made before hosts were put back. ``reached``: as
    there, but now.
    """
    found = []
    still = set(reached)
    for host in decision["held"]:
        state = HostState(host, hostvars[host])
        if host not in still:
            found.append(f"{host} cannot be reached any more; see later what serves there")
        elif not state.kept:
            found.append(
                f"{host} was left as it is, and no hook was run there: this run does not hold its lock "
                "any more, and whoever took it may have deployed since. See what serves with "
                f"`ansible-playbook twelvefactor.deploy.status -e app={state.app}`, then deploy again"
            )
        elif state.not_put_back:
            found.append(f"{host} was not put back: {state.not_put_back}")
        elif host in decision["put_back"]:
            back = decision["put_back"][host]
            # which one it is, the host has said since
            release = state.switch.get("release") if back == PREVIOUS else back
            others = ", ".join(each for each in decision["others"] if each != release)
            unlike = f", while other hosts serve {others}" if others else ""
            found.append(f"{host} serves {release} again{unlike}")
        elif state.refusal and serves(hostvars[host]):
            found.append(f"{host} still serves {state.release}: {left(state.switch)}")
    return found


def left(switch: Variables) -> str:
    """Why a refused release is not put back where it serves."""
    if switch.get("changed"):
        return "it has no earlier release"
    return "it did so before this deploy; the playbook rollback puts the one before it back"


class HostState:
    """What the role rollout keeps among a host's variables, of the app that it deploys.

    ``__rollout`` is the one dictionary that it writes itself; the others are results of tasks.
    """

    def __init__(self, host: str, variables: Variables) -> None:
        own = variables.get("__rollout", {})
        locks = [variables.get("__rollout_first_lock", {}), variables.get("__rollout_lock", {})]
        refused = [lock for lock in locks if lock and not lock.get("skipped") and not _held(lock)]
        kept = variables.get("__rollout_kept", {})
        self.host = host
        self.app = own.get("app", "")
        self.held = any(map(_held, locks))
        # whether the lock was held still, when that was asked before anything was put back
        self.kept = bool(kept.get("skipped")) or _held(kept)
        self.problem = own.get("problem", "")
        if refused and not self.problem:
            self.problem = f"Acquire the deploy lock: {refused[0].get('msg', 'failed')}"
        # why the release is refused by what all hosts answer
        verdict = variables.get("__rollout_verdict", {})
        self.refusal = verdict.get("refusal", "")
        self.found_bad = host in verdict.get("put_back", ())
        self.target = own.get("target", "")
        self.release = self.target or variables.get("app_release", {}).get("release") or ""
        self.rollback_targets = variables.get("app_release", {}).get("rollback_targets", [])
        self.switch = variables.get("app_switch", {})
        self.serves_it = bool(self.switch.get("changed")) and not self.switch.get("failed")
        self.not_put_back = own.get("not_put_back", "")

    def goes_back_to(self, usual: str) -> str | None:
        """The release to put back; of a host that served the refused one before this deploy its record knows it.

        ``usual``: what most hosts served when the deploy began. It is that one where it was good here, too: what
        another deploy left that was interrupted here, nobody has judged.
        """
        if not self.held or not (self.serves_it or self.found_bad):
            return None
        if usual in self.rollback_targets and usual != self.release:
            return usual
        if self.serves_it and self.switch.get("previous") is not None:
            return str(self.switch["previous"])
        return PREVIOUS if self.found_bad else None


def _held(lock: Mapping[str, Any]) -> bool:
    return bool(lock.get("held"))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "batches": batches,
            "new_hosts_last": new_hosts_last,
            "newer_version": newer_version,
            "preflight_problems": preflight_problems,
            "release_to_join_problems": release_to_join_problems,
            "rollout_decision": rollout_decision,
            "rollout_endings": rollout_endings,
            "rollout_scaled_sites": rollout_scaled_sites,
            "rollout_todo": rollout_todo,
            "schedule_host": schedule_host,
        }
