# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can be taken out of a fleet for a while: decisions of patch and replace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
# Before the app's name: with this file in /var/lib/nginx a host hands its requests back (role nginx).
MARK = "maintenance-"

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
    others: Sequence[str],
    host: str,
    hostvars: Mapping[str, Mapping[str, Any]],
    max_load: float | None = None,
    joining: Collection[str] = (),
) -> list[str]:
    """Why ``others`` cannot carry what ``host`` does, as texts.

    Those of ``joining`` get its apps only in this run, which in check mode has not happened.


    They have to serve the apps that have a release on ``host``, get requests themselves, and their load must not come
    above ``max_load`` for a core. Reads what the playbooks have registered: ``__maintenance_serving`` (release_info of
    the apps) and ``__maintenance_load`` (the load average of five minutes, the number of cores, and names of files
    by which nginx hands requests back, a line each).
    """
    served = {
        result["item"]
        for result in _results(hostvars[host])
        if result.get("state") not in (None, *EMPTY)
    }
    refusals = []
    for other in others:
        if "__maintenance_load" not in hostvars[other]:
            refusals.append(f"{other} is not part of this run, see --limit")
            continue
        wanted = set() if other in joining else served
        results = [each for each in _results(hostvars[other]) if each["item"] in wanted]
        refusals += [f"{other}: {reason}" for reason in not_serving(results)]
        refusals += [
            f"{other} gets no requests of {app}: it has /var/lib/nginx/{MARK}{app}"
            for app in sorted(served)
            if f"{MARK}{app}" in _lines(hostvars[other])[2:]
        ]
    if max_load is not None and others and not refusals:
        load = sum(float(_lines(hostvars[name])[0]) for name in [host, *others])
        cores = sum(int(_lines(hostvars[name])[1]) for name in others)
        if load / cores > float(max_load):
            refusals.append(
                f"the load of the last five minutes, {load:.2f}, would be {load / cores:.2f} for each of the {cores}"
                f" cores of the other hosts, and maintenance_max_load is {float(max_load):g}"
            )
    return refusals


def not_serving(results: Results) -> list[str]:
    """Which of the apps do not serve, and why, of results of release_info."""
    reasons = []
    for result in results:
        state = result.get("state") or "unknown"
        if state != SERVING:
            found = [*result.get("drift", []), *result.get("unwell", [])] or [result.get("msg", "")]
            reasons.append(f"{result['item']} is {state}: {', '.join(found)}".rstrip(": "))
    return reasons


def _results(variables: Mapping[str, Any]) -> Results:
    results: Results = variables["__maintenance_serving"]["results"]
    return results


def _lines(variables: Mapping[str, Any]) -> list[str]:
    return str(variables["__maintenance_load"]["stdout"]).split()
