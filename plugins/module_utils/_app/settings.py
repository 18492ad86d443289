# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of its apps: settings, hosts, and what cannot be meant. Pure.

No more of the settings is read than a function needs, because the values may be templates that only the
app's own hosts can resolve.
"""

from __future__ import annotations

import copy
import datetime
import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import (
    SETTINGS,
    Setting,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.user import name_problem

Groups = Mapping[str, Sequence[str]]
Settings = Mapping[str, Any]


def setting(settings: Settings, path: str, app: str) -> Any:
    """What an app has under a key, or the key's default: ``domains``, ``formation.web``.

    A value within a dictionary is read without the others. An unknown key is a LookupError, and so
    is one that is required and missing.
    """
    value: Any = settings
    options: Mapping[str, Setting] = SETTINGS
    free: Setting | None = None
    for name in path.split("."):
        known = _known(options, name, app, path, free)
        value = _filled(known, value.get(name) if isinstance(value, Mapping) else None, app)
        if value is None and known.required:
            raise LookupError(f"apps.{app} has no {path!r}, which is required.")
        options, free = known.options, known.values
    return value


def complete(settings: Settings, app: str, keys: Iterable[str] | None = None) -> dict[str, Any]:
    """``settings`` (of them ``keys``, if given) with the defaults for what they do not say."""
    made = {
        name: _filled(_known(SETTINGS, name, app, name), settings.get(name), app)
        for name in (SETTINGS if keys is None else keys)
    }
    return {name: value for name, value in made.items() if value is not None}


def _known(
    options: Mapping[str, Setting], name: str, app: str, path: str, free: Setting | None = None
) -> Setting:
    known = options.get(name, free)
    if known is None:
        raise LookupError(f"apps.{app} cannot have {path!r}{nearest(name, options) or '.'}")
    return known


def _filled(known: Setting, said: Any, app: str) -> Any:
    if said is None or (known.empty_is_unset and not said):
        return known.from_name(app) if known.from_name else copy.deepcopy(known.default)
    if known.options and isinstance(said, list | tuple):
        return [_entry(known.options, each, app) for each in said]
    return said


def _entry(options: Mapping[str, Setting], said: Any, app: str) -> Any:
    if not isinstance(said, Mapping):
        return said
    made = {name: _filled(known, said.get(name), app) for name, known in options.items()}
    return {name: value for name, value in made.items() if value is not None}


def has_site(settings: Settings) -> bool:
    """Whether nginx has anything to do with an app: a worker or a bot has no web part."""
    if not setting(settings, "nginx", ""):
        return False
    return (
        "web" in setting(settings, "formation", "")
        or bool(setting(settings, "static_files", ""))
        or bool(setting(settings, "nginx_site", ""))
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
    return str(setting(settings, "hosts", ""))


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


def key_problems(apps: Mapping[str, Settings], names: Iterable[str] | None = None) -> list[str]:
    """A sentence for each key of the apps (of ``names``) that is unknown. No value is read."""
    return [
        problem
        for app in (apps if names is None else names)
        for problem in settings_problems(apps[app], app, keys=())
    ]


def settings_problems(
    settings: Settings, app: str, *, keys: Collection[str] | None = None, prefix: str = ""
) -> list[str]:
    """A sentence for each thing in ``settings`` that cannot be meant.

    Every key is looked at, but only the values of ``keys``, if given. No value that may be a secret
    is repeated.
    """
    prefix = prefix or f"apps.{app}"
    problems = []
    for name in settings:
        if name not in SETTINGS:
            known = nearest(name, SETTINGS) or "; the README of the role app lists the known ones."
            problems.append(f"{prefix}: unknown key {name!r}{known}")
        elif keys is None or name in keys:
            problems += _problems(SETTINGS[name], f"{prefix}.{name}", name, settings[name])
    return problems


def _problems(known: Setting, where: str, name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if known.values and known.values.type == "str" and isinstance(value, Mapping):
        return [
            problem
            for key in value
            for problem in text_problem(f"{where}.{key}", str(key), value[key], known.secret)
        ]
    if known.options:
        if known.type == "list":
            entries = value if isinstance(value, list | tuple) else []
            where = f"an entry of {where}"
        else:
            entries = [value]
        return [
            problem
            for entry in entries
            if isinstance(entry, Mapping)
            for key in entry
            for problem in _entry_problems(known.options, where, key, entry)
        ]
    if known.type in ("str", "path"):
        return text_problem(where, name, value, known.secret)
    if known.elements == "str" and isinstance(value, list | tuple):
        return [
            problem
            for each in value
            for problem in text_problem(f"an entry of {where}", "", each, known.secret)
        ]
    return []


def _entry_problems(
    options: Mapping[str, Setting], where: str, key: str, entry: Settings
) -> list[str]:
    if key not in options:
        known = nearest(key, options) or f"; known are {', '.join(options)}."
        return [f"{where}: unknown key {key!r}{known}"]
    return _problems(options[key], f"{where}.{key}", key, entry[key])


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


def app_name_problems(settings: Settings, app: str) -> list[str]:
    problem = name_problem(app)
    if not problem and "_" in app and has_site(settings):
        problem = (
            f"Invalid app name {app!r}: nginx serves it, and names of its sites have no '_'. "
            "Use '-' instead."
        )
    return [problem] if problem else []


def nearest(word: str, known: Iterable[str]) -> str:
    """A question after the known word that was probably meant; empty if none is near."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
