# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of its apps: defaults, hosts, and what cannot be meant. Pure.

``options`` is the specification of ``app_settings`` in the role app. No more of the settings is read
than a function needs, because the values may be templates that only the app's own hosts can resolve.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.user import name_problem

# dictionaries whose values become text
TEXTS = ("build_environment", "env", "processes")

Options = Mapping[str, Mapping[str, Any]]
Settings = Mapping[str, Any]
Groups = Mapping[str, Sequence[str]]


def complete(
    settings: Settings, app: str, options: Options, keys: Iterable[str] | None = None
) -> dict[str, Any]:
    """``settings`` (of them ``keys``, if given) with the defaults for what they do not say."""
    wanted = [*settings, *options] if keys is None else list(keys)
    made = {name: options[name]["default"] for name in wanted if "default" in options.get(name, {})}
    if "package" in wanted:
        made["package"] = app
    if "domains" in wanted:
        made["domains"] = [app]
    for name in dict.fromkeys(wanted):
        value = settings.get(name)
        if value is not None and not (name == "domains" and not value):
            made[name] = value
    return made


def has_site(settings: Settings, options: Options) -> bool:
    """Whether nginx has anything to do with an app: a worker or a bot has no web part."""
    said = complete(settings, "", options, ["nginx", "formation"])
    if not said["nginx"]:
        return False
    return "web" in said["formation"] or any(
        settings.get(name) for name in ("static_files", "nginx_site")
    )


def hosts_of(place: str, groups: Groups) -> list[str]:
    """The hosts of a group, or the one host of that name; none if there is neither."""
    if place in groups:
        return list(groups[place])
    return [place] if place in groups.get("all", ()) else []


def apps_on(apps: Mapping[str, Settings], host: str, groups: Groups) -> list[str]:
    """Names of the apps that run on ``host``, in the order of the inventory."""
    return [app for app, said in apps.items() if host in hosts_of(place_of(said), groups)]


def place_of(settings: Settings) -> str:
    return str(settings.get("hosts") or "app")


def placement_problems(
    apps: Mapping[str, Settings], groups: Groups, names: Iterable[str] | None = None
) -> list[str]:
    """A sentence for each app (of ``names``) that would run nowhere, or on hosts that are passed over."""
    problems = []
    known = [name for name in groups if name not in ("all", "ungrouped")]
    for app in apps if names is None else names:
        place = place_of(apps[app])
        hosts = hosts_of(place, groups)
        strangers = [host for host in hosts if host not in groups.get("app", ())]
        if not hosts:
            what = "a group without hosts" if place in groups else "neither a group nor a host"
            said = f"apps.{app}.hosts is {place!r}, {what}"
            if not apps[app].get("hosts"):
                said = f"apps.{app} has no `hosts`, so it runs on the group 'app', {what}"
            problems.append(
                f"{said} of this inventory"
                f"{nearest(place, [*known, *groups.get('all', ())]) or '.'} Its groups are {', '.join(known) or 'none'}."
            )
        elif strangers:
            problems.append(
                f"apps.{app}.hosts is {place!r}, but {', '.join(strangers)} "
                f"{'are' if strangers[1:] else 'is'} not in the group 'app', which holds every host "
                f"that runs an app: "
                f"{'make ' + place + ' a child of it' if place in groups else 'add it there'}."
            )
    return problems


def settings_problems(
    settings: Settings,
    app: str,
    options: Options,
    *,
    keys: Collection[str] | None = None,
    prefix: str = "",
) -> list[str]:
    """A sentence for each thing in ``settings`` that cannot be meant.

    Every key is looked at, but only the values of ``keys``, if given. No value that may be a secret
    is repeated.
    """
    prefix = prefix or f"apps.{app}"
    problems = []
    for name in settings:
        if name not in options:
            known = nearest(name, options) or "; the README of the role app lists the known ones."
            problems.append(f"{prefix}: unknown key {name!r}{known}")
            continue
        if keys is not None and name not in keys:
            continue
        value = settings[name]
        if value is None:
            continue
        option = options[name]
        secret = bool(option.get("no_log"))
        if name in TEXTS and isinstance(value, Mapping):
            for key in value:
                problems += text_problem(f"{prefix}.{name}.{key}", str(key), value[key], secret)
        elif option.get("type") in ("str", "path"):
            problems += text_problem(f"{prefix}.{name}", name, value, secret)
        elif option.get("elements") == "str" and isinstance(value, list | tuple):
            for each in value:
                problems += text_problem(f"an entry of {prefix}.{name}", "", each, secret)
    return problems


def text_problem(where: str, key: str, value: Any, secret: bool = False) -> list[str]:
    """What is wrong with a value that is going to be text, as at most one sentence."""
    label = f"{key}: " if key else ""
    if isinstance(value, bool):
        said = f'true or false; write the text that is meant, in quotes: {label}"true"'
    elif isinstance(value, float):
        text = "1.5" if secret else str(value)
        said = (
            f"a number with a fraction, which would lose zeros at its end; "
            f'write the text that is meant, in quotes: {label}"{text}" or "{text}0"'
        )
    elif isinstance(value, datetime.date):
        text = "2026-01-02" if secret else str(value)
        said = f'a date; write the text that is meant, in quotes: {label}"{text}"'
    elif value is None:
        said = f'without a value; write {label}"" for an empty one'
    elif isinstance(value, Mapping):
        said = "a dictionary; one text is needed"
    elif isinstance(value, list | tuple | set):
        said = "a list; one text is needed"
    else:
        return []
    return [f"{where} is {said}."]


def app_name_problems(settings: Settings, app: str, options: Options) -> list[str]:
    problem = name_problem(app)
    if not problem and "_" in app and has_site(settings, options):
        problem = (
            f"Invalid app name {app!r}: nginx serves it, and names of its sites have no '_'. "
            "Use '-' instead."
        )
    return [problem] if problem else []


def nearest(word: str, known: Iterable[str]) -> str:
    """A question after the known word that was probably meant; empty if none is near."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
