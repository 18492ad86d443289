# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can be taken out of a fleet for a while: decisions of the playbook patch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    Groups,
    Settings,
    apps_on,
    has_site,
    hosts_of,
    setting,
)

# What release_info says of an app that does all that it has to do. EMPTY: it has nothing to do there.
SERVING = "serving"
EMPTY = ("empty", "absent")

Results = Sequence[Mapping[str, Any]]


def interruptions(
    apps: Mapping[str, Settings], groups: Groups, hosts: Iterable[str], interrupt: bool = False
) -> list[str]:
    """Why these hosts of the group ``app`` cannot be patched without an interruption, as sentences.

    ``interrupt``: whether the app of a single host may be interrupted.
    """
    known = groups.get("app", [])
    problems = []
    for host in hosts:
        if host not in known:
            problems.append(
                f"host={host}: the group app has no host {host}, it has {', '.join(known) or 'none'}."
            )
            continue
        for app in apps_on(apps, host, groups):
            if interrupt:
                continue
            if hosts_of(setting(apps[app], "hosts", app), groups) == [host]:
                problems.append(
                    f"{app} runs on {host} alone and would be interrupted: add a host, or accept that with"
                    " -e interrupt=true."
                )
            elif has_site(apps[app]) and not groups.get("proxy"):
                problems.append(
                    f"{app} has other hosts than {host}, but the group proxy is empty, so nothing sends its requests"
                    " there: accept the interruption with -e interrupt=true."
                )
    return problems


def hosts_beside(apps: Mapping[str, Settings], groups: Groups, host: str) -> list[str]:
    """The hosts that run an app of ``host``, too."""
    hosts = {
        other: None
        for app in apps_on(apps, host, groups)
        for other in hosts_of(setting(apps[app], "hosts", app), groups)
    }
    return [other for other in hosts if other != host]


def maintenance_refusals(
    others: Sequence[str], host: str, hostvars: Mapping[str, Mapping[str, Any]], max_load: float
) -> list[str]:
    """Why ``others`` cannot carry what ``host`` does: one of them is unwell, or the load is too high.

    Reads what the playbook has registered: ``__maintenance_serving`` (release_info of the apps) and ``__maintenance_load`` (the
    load average of five minutes and the number of cores, a line each). ``max_load`` is for a core.
    """
    refusals = []
    for other in others:
        refusals += [
            f"{other}: {reason}"
            for reason in _unwell(hostvars[other]["__maintenance_serving"]["results"], ())
        ]
    load = sum(_load(hostvars[name])[0] for name in [host, *others])
    cores = sum(_load(hostvars[name])[1] for name in others)
    share = load / cores
    if share > float(max_load):
        refusals.append(
            f"the load of the last five minutes, {load:.2f}, would be {share:.2f} for each of the {cores} cores of the"
            f" other hosts, and maintenance_max_load is {float(max_load):g}"
        )
    return refusals


def not_serving(results: Results) -> list[str]:
    """Which of the apps do not serve, of results of release_info; one without a release is well."""
    return _unwell(results, EMPTY)


def _unwell(results: Results, passed: Iterable[str]) -> list[str]:
    reasons = []
    for result in results:
        state = result.get("state") or "unknown"
        if state != SERVING and state not in passed:
            found = [*result.get("drift", []), *result.get("unwell", [])] or [result.get("msg", "")]
            reasons.append(f"{result['item']} is {state}: {', '.join(found)}".rstrip(": "))
    return reasons


def _load(variables: Mapping[str, Any]) -> tuple[float, int]:
    load, cores = variables["__maintenance_load"]["stdout"].split()
    return float(load), int(cores)
