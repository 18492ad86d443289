# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of its apps: settings, hosts. Pure.

No more of the settings is read than a function needs, because the values may be templates that only the
app's own hosts can resolve.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import Setting
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.listen import listeners
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import nearest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import SETTINGS

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
        near = nearest(name, options)
        raise LookupError(
            f"apps.{app} cannot have {path!r}{f'; did you mean {near!r}?' if near else '.'}"
        )
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
    formation = setting(settings, "formation", "")
    return (
        any(kind in formation for kind in listeners(setting(settings, "listen", "")))
        or bool(setting(settings, "static_files", ""))
        or bool(setting(settings, "media", ""))
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
