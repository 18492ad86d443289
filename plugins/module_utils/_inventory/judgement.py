# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in an inventory that cannot be meant, of all apps and hosts at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import (
    Problem,
    nearest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    hosts_of,
    place_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.validation import (
    key_problems,
    placement_problem,
    settings_problems,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import (
    Unresolved,
    problems,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory import clashes
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    GROUPS,
    OTHERS,
    PLAYBOOKS,
    REQUIRED,
    Declarations,
)

# so many hosts of a problem are named
NAMED = 3

__all__ = [
    "Finding",
    "Inventory",
    "Unresolved",
    "brief_findings",
    "findings",
    "fleet",
    "hosts_of_app",
]
OWN = "deploy_own_variables"


@dataclass(frozen=True)
class Inventory:
    """``hosts``: those that the playbooks deal with, each with its variables. A value that is not
    known yet is Unresolved. ``used``: names that templates of the inventory mention."""

    groups: Mapping[str, Sequence[str]]
    hosts: Mapping[str, Mapping[str, Any]]
    used: Collection[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Finding:
    """A problem, and the hosts that have it where not all have it that could."""

    problem: Problem
    hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.hosts:
            return str(self.problem)
        more = len(self.hosts) - NAMED
        rest = f" and {more} more" if more > 0 else ""
        return f"{self.problem} (on {', '.join(self.hosts[:NAMED])}{rest})"


def fleet(groups: Mapping[str, Sequence[str]], places: Iterable[str]) -> list[str]:
    """The hosts that the playbooks deal with: of their groups, and of ``places`` of apps."""
    hosts = [host for place in (*GROUPS, *places) for host in hosts_of(place, groups)]
    return list(dict.fromkeys(hosts)) or list(groups.get("all", ()))


def hosts_of_app(settings: Any, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The hosts that run an app, as far as its settings are known."""
    if not isinstance(settings, Mapping) or isinstance(settings.get("hosts"), Unresolved):
        return []
    return hosts_of(place_of(settings), groups)


def findings(inventory: Inventory, known: Declarations, *, places: bool = True) -> list[Finding]:
    """What is wrong, host by host. ``places``: whether it matters where apps run."""
    found: dict[Problem, list[str]] = {}
    possible: dict[Problem, int] = {}
    seen: dict[tuple[str, int], list[Problem]] = {}
    for host, variables in inventory.hosts.items():
        for problem in (
            *_required(inventory, host),
            *_variables(inventory, known, variables, seen),
            *_apps(inventory, known, host, seen),
            *(_places(inventory, host) if places else ()),
            *clashes.on_host(inventory.groups, host, variables, known.variables),
        ):
            found.setdefault(problem, []).append(host)
    for problem in found:
        possible[problem] = len(_could_have(inventory, problem.path))
    return [
        Finding(problem, tuple(hosts) if len(set(hosts)) < possible[problem] else ())
        for problem, hosts in found.items()
    ]


def _could_have(inventory: Inventory, path: str) -> Collection[str]:
    """Hosts for which a problem of that path would be looked for."""
    name, _dot, rest = path.partition(".")
    if name == "apps" and rest:
        return {
            host
            for host, variables in inventory.hosts.items()
            if rest.partition(".")[0] in _apps_of(inventory, host, variables)
        }
    return inventory.hosts


def _required(inventory: Inventory, host: str) -> Iterator[Problem]:
    variables, groups = inventory.hosts[host], inventory.groups
    for group, names in REQUIRED.items():
        if host in groups.get(group, ()):
            for name in names:
                if name not in variables:
                    yield Problem(
                        name,
                        f"is missing, which hosts of the group {group!r} need",
                        "inventories/example shows how to set it",
                    )


def _variables(
    inventory: Inventory,
    known: Declarations,
    variables: Mapping[str, Any],
    seen: dict[tuple[str, int], list[Problem]],
) -> Iterator[Problem]:
    own = variables.get(OWN)
    own = own if isinstance(own, list | tuple) else ()
    for name, value in variables.items():
        if name == "apps":
            continue
        if name in known.variables:
            # most hosts have the same values, by group_vars
            key = (name, id(value))
            if key not in seen:
                seen[key] = list(problems(known.variables[name], name, value))
            yield from seen[key]
        elif name not in OTHERS and name not in own and name not in inventory.used:
            key = (name, 0)
            if key not in seen:
                seen[key] = list(_unknown(name, known))
            yield from seen[key]


def _unknown(name: str, known: Declarations) -> Iterator[Problem]:
    """A variable that is spelled nearly like one of a role, unless a template of the inventory needs it.

    Other names that begin like a role's are no concern of ours: roles of other collections have such.
    """
    near = known.meant(name)
    if near:
        owner = known.owner(near)
        who = "the playbooks" if owner in ("", "index", "deploy") else f"the role {owner}"
        yield Problem(
            name,
            f"is unknown to {who}",
            f"if it is one of your own, list it in {OWN}: [{name}]",
            near,
        )


def _apps_of(inventory: Inventory, host: str, variables: Mapping[str, Any]) -> list[str]:
    """The apps whose settings are judged with the values of ``host``."""
    apps = variables.get("apps")
    if not isinstance(apps, Mapping):
        return []
    first = next(iter(inventory.hosts))
    names = []
    for app, settings in apps.items():
        hosts = [h for h in hosts_of_app(settings, inventory.groups) if h in inventory.hosts]
        if host in hosts or (not hosts and host == first):
            names.append(str(app))
    return names


def _apps(
    inventory: Inventory,
    known: Declarations,
    host: str,
    seen: dict[tuple[str, int], list[Problem]],
) -> Iterator[Problem]:
    variables = inventory.hosts[host]
    apps = variables.get("apps", {})
    if not isinstance(apps, Mapping):
        yield from problems(PLAYBOOKS["apps"], "apps", apps)
        return
    for app in _apps_of(inventory, host, variables):
        settings = apps[app]
        key = (app, id(settings))
        if key not in seen:
            seen[key] = list(_app(app, settings, inventory, known))
        yield from seen[key]


def _places(inventory: Inventory, host: str) -> Iterator[Problem]:
    variables = inventory.hosts[host]
    for app in _apps_of(inventory, host, variables):
        yield from placement_problem(app, variables["apps"][app], inventory.groups)


def _app(app: str, settings: Any, inventory: Inventory, known: Declarations) -> Iterator[Problem]:
    if not isinstance(settings, Mapping):
        if settings is None:
            settings = "nothing"
        yield from problems(PLAYBOOKS["apps"].values, f"apps.{app}", settings)  # type: ignore[arg-type]
        return
    yield from settings_problems(settings, app, specification=known.apps)
    yield from _hosts_named(app, settings, inventory)


def _hosts_named(app: str, settings: Mapping[str, Any], inventory: Inventory) -> Iterator[Problem]:
    """Hosts that settings name, which have to be those of the app."""
    hosts = hosts_of_app(settings, inventory.groups)
    named = settings.get("migrate_hosts")
    for index, host in enumerate(named if isinstance(named, list | tuple) else ()):
        if isinstance(host, str) and hosts and host not in hosts:
            yield Problem(
                f"apps.{app}.migrate_hosts[{index}]",
                f"is {host!r}, no host of the app",
                f"its hosts are {', '.join(hosts)}",
                nearest(host, hosts),
            )
    sentry = settings.get("sentry")
    teller = sentry.get("told_from") if isinstance(sentry, Mapping) else None
    everybody = ["localhost", *inventory.groups.get("all", ())]
    if isinstance(teller, str) and teller not in everybody:
        yield Problem(
            f"apps.{app}.sentry.told_from",
            f"is {teller!r}, no host of this inventory",
            near=nearest(teller, everybody),
        )


def brief_findings(
    apps: Any, groups: Mapping[str, Sequence[str]], names: Collection[str] | None = None
) -> list[Finding]:
    """Unknown keys and wrong places alone, of the apps (of ``names``). Needs no value but ``hosts``."""
    if not isinstance(apps, Mapping):
        return [Finding(each) for each in problems(PLAYBOOKS["apps"], "apps", apps)]
    return [
        Finding(problem)
        for app, settings in apps.items()
        if (names is None or app in names) and isinstance(settings, Mapping)
        for problem in (*key_problems(settings, app), *placement_problem(app, settings, groups))
    ]
