# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can take the place of another one, and with which releases: decisions of the playbook replace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    Groups,
    Settings,
    apps_on,
    has_site,
    hosts_of,
    place_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.maintenance import (
    hosts_beside,
)

Apps = Mapping[str, Settings]

# A release that was made again after an upgrade of Debian has another id where the upgraded host made it, and a deploy
# of its version leaves that so.
DEPLOY_FIRST = "run deploy first; after an upgrade of Debian below the releases, publish and deploy a new version"


def replacement_problems(
    apps: Apps,
    groups: Groups,
    play: Collection[str],
    host: str,
    successor: str,
    dead: bool = False,
) -> list[str]:
    """Why ``successor`` cannot take the place of ``host`` by this inventory, as sentences.

    ``play``: the hosts of this run. ``dead``: the host is gone, so it is not asked for anything.
    """
    if not host or not successor:
        return ["Say which host is replaced, and by which: -e host=NAME -e with=NAME."]
    if host == successor:
        return [f"{host} cannot take its own place."]
    problems = _places(apps, groups, host, successor)
    if problems:
        return problems
    return [
        *_tasks(apps, groups, host, successor),
        *_limits(apps, groups, play, host, dead),
    ]


def _places(apps: Apps, groups: Groups, host: str, successor: str) -> list[str]:
    """Both have to be app hosts: an inventory with both is one that a deploy and `site` follow, too."""
    members = groups.get("app", ())
    if host not in members:
        return [f"host={host}: the group app has no host {host}, it has {', '.join(members)}."]
    place = ", ".join(name for name in groups if name != "all" and host in groups[name])
    if successor not in groups.get("all", ()):
        return [
            f"with={successor}: the inventory has no host {successor}: add it to the groups of {host}, {place}."
        ]
    if successor not in members:
        return [
            f"with={successor}: {successor} is not an app host: add it to the groups of {host}, {place}."
        ]
    if not apps_on(apps, host, groups):
        return [f"{host} runs no app, so there is nothing to replace."]
    return []


def _tasks(apps: Apps, groups: Groups, host: str, successor: str) -> list[str]:
    """What the successor would not do, what else it does, and what nobody would send it."""
    wanted, found = apps_on(apps, host, groups), apps_on(apps, successor, groups)
    problems = []
    for app in wanted:
        place = place_of(apps[app])
        if app not in found:
            problems.append(
                f"{app} runs on {host} and not on {successor}: "
                + (f"add that to the group {place}." if place in groups else _own_place(app, host))
            )
        elif has_site(apps[app]) and not groups.get("proxy"):
            problems.append(
                f"The group proxy is empty, so nothing would send requests of {app} to {successor}."
            )
    others = [app for app in found if app not in wanted]
    if others:
        problems.append(
            f"{successor} runs {', '.join(others)}, too, and {host} does not: choose a host with nothing else to do."
        )
    return problems


def _own_place(app: str, host: str) -> str:
    return f"apps.{app}.hosts names {host} itself, so write a group with both hosts there."


def _limits(apps: Apps, groups: Groups, play: Collection[str], host: str, dead: bool) -> list[str]:
    needed = [
        *([] if dead else [host]),
        *hosts_beside(apps, groups, host),
        *groups.get("proxy", ()),
    ]
    missing = [name for name in dict.fromkeys(needed) if name not in play]
    return [f"{', '.join(missing)} must be part of this run, see --limit."] if missing else []


def releases_to_join(
    apps: Apps,
    groups: Groups,
    hostvars: Mapping[str, Mapping[str, Any]],
    host: str,
    successor: str,
    dead: bool = False,
    joined: bool = False,
) -> dict[str, Any]:
    """Of each app of ``host`` the release that ``successor`` is to serve, and why there is none, as sentences.

    It is what the other hosts serve. Reads what the playbook has registered as ``__replace_read``: release_info of the
    apps of each host. ``joined``: whether ``successor`` has got it, and is to serve the same as they do by now.
    """
    releases: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for app in apps_on(apps, host, groups):
        places = [name for name in hosts_of(place_of(apps[app]), groups) if name != host]
        hosts = [
            name
            for name in hosts_of(place_of(apps[app]), groups)
            if name != successor and not (dead and name == host)
        ]
        answers = {name: _answer(hostvars[name], app) for name in [*hosts, successor]}
        problems += [
            _silence(name, answer, name == host)
            for name, answer in answers.items()
            if "current" not in answer
        ]
        serving = {name: each["current"] for name, each in answers.items() if each.get("current")}
        found = {name: serving[name] for name in serving if joined or name != successor}
        if len(set(found.values())) > 1:
            each_one = ", ".join(f"{name} {release}" for name, release in found.items())
            problems.append(
                f"The hosts of {app} serve different releases ({each_one}): "
                + ("one was deployed meanwhile: run this again." if joined else f"{DEPLOY_FIRST}.")
            )
        # a run that was cut off has ended the only other host
        release = next(iter(found.values()), serving.get(successor))
        version = _version(answers.values(), release)
        if release and version:
            releases[app] = {
                "id": release,
                "version": version,
                "hosts": _by_schedules(hosts, answers, successor),
                # the one that a deploy chooses when the inventory has the replaced one no more
                "schedule_host": next((name for name in places if name in serving), ""),
            }
        elif release:
            problems.append(f"No host says which version of {app} {release} is: {DEPLOY_FIRST}.")
        elif not problems:
            problems.append(
                f"No host says which release of {app} {successor} is to serve: "
                + (f"remove {host} from the inventory and run site." if dead else "run site first.")
            )
    return {"releases": releases, "problems": list(dict.fromkeys(problems))}


def _by_schedules(
    hosts: Sequence[str], answers: Mapping[str, Mapping[str, Any]], successor: str
) -> list[str]:
    """The hosts, first the one that runs schedules of which one host is enough, as in a run that was cut off.

    ``successor`` is the last one otherwise: it must not take them over from a host that runs them still.
    """
    order = [*hosts, successor]
    running = {name: len(answers[name].get("schedules", ())) for name in order}
    return sorted(order, key=lambda name: running[name] < max(running.values()))


def _version(answers: Iterable[Mapping[str, Any]], release: str | None) -> str:
    """As the build has it: in an id it is without the characters that a path must not have."""
    found = (each for answer in answers for each in answer.get("releases", ()))
    return next((each.get("version") or "" for each in found if each["id"] == release), "")


def _answer(variables: Mapping[str, Any], app: str) -> Mapping[str, Any]:
    read = variables.get("__replace_read", {})
    results: Sequence[Mapping[str, Any]] = read.get("results", ())
    return next((each for each in results if each.get("item") == app), read)


def _silence(name: str, answer: Mapping[str, Any], replaced: bool) -> str:
    if not answer.get("unreachable"):
        return f"{name} could not say what it serves: {answer.get('msg') or 'it was not asked'}."
    if replaced:
        return f"{name} cannot be reached. If it is gone for good, say so: -e dead=true."
    return f"{name} cannot be reached."
