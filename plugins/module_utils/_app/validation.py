# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be meant of an app's settings, its name and the hosts that it is to run on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import Setting
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.listen_problems import (
    listen_problems,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.media import media_problems
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.network import (
    network_problems,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import (
    Problem,
    nearest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    Groups,
    Settings,
    has_site,
    hosts_of,
    place_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import SETTINGS
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.user import name_problem
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import (
    Unresolved,
    options_problems,
    unknown,
)

ELSEWHERE = "the README of the role app lists the known ones"


def settings_problems(
    settings: Settings,
    app: str,
    prefix: str = "",
    specification: Mapping[str, Setting] | None = None,
) -> Iterator[Problem]:
    """Each thing in ``settings`` that cannot be meant, under ``prefix`` (``apps.NAME``).

    ``specification``: the known settings, by default those of every app.
    """
    prefix = prefix or f"apps.{app}"
    known = SETTINGS if specification is None else specification
    yield from options_problems(known, prefix, settings, elsewhere=ELSEWHERE)
    yield from name_problems(settings, app, prefix)
    yield from _option_types(settings, prefix)
    yield from media_problems(settings, prefix)
    yield from network_problems(settings, prefix)
    yield from listen_problems(settings, prefix)


def key_problems(settings: Settings, app: str) -> Iterator[Problem]:
    """Unknown keys alone. No value is read."""
    for name in settings:
        if name not in SETTINGS:
            yield unknown(f"apps.{app}.{name}", str(name), SETTINGS, ELSEWHERE)


def name_problems(settings: Settings, app: str, prefix: str) -> Iterator[Problem]:
    problem = name_problem(app)
    if problem:
        yield Problem(prefix, f"cannot be used: {problem.rstrip('.')}")
    elif "_" in app and surely_has_site(settings):
        yield Problem(
            prefix,
            f"cannot be used: Invalid app name {app!r}: nginx serves it, and names of its sites have no '_'",
            f"write {app.replace('_', '-')}",
        )


def surely_has_site(settings: Settings) -> bool:
    """Whether nginx serves the app, as far as its settings are known and are what they should be."""
    maps = ("formation", "listen", "static_files", "media", "nginx_site")
    kinds = {**dict.fromkeys(maps, Mapping), "nginx": int}
    right = all(isinstance(settings.get(key) or {}, kind | dict) for key, kind in kinds.items())
    return right and has_site(settings)


def _option_types(settings: Settings, prefix: str) -> Iterator[Problem]:
    """Options of process types that an app with commands of its own does not have."""
    types, options = settings.get("processes"), settings.get("process_options")
    if isinstance(types, Mapping) and types and isinstance(options, Mapping):
        for name in options:
            if name not in types:
                yield unknown(f"{prefix}.process_options.{name}", str(name), types)


def placement_problem(app: str, settings: Any, groups: Groups) -> Iterator[Problem]:
    """Why an app would run nowhere, or on hosts that are passed over."""
    if not isinstance(settings, Mapping) or isinstance(settings.get("hosts"), Unresolved):
        return
    place = place_of(settings)
    hosts = hosts_of(place, groups)
    strangers = [host for host in hosts if host not in groups.get("app", ())]
    path = f"apps.{app}.hosts"
    if not hosts:
        known = [name for name in groups if name not in ("all", "ungrouped")]
        what = "a group without hosts" if place in groups else "neither a group nor a host"
        said = f"is {place!r}, {what} of this inventory"
        if not settings.get("hosts"):
            said = f"is not given, so the app runs on the group 'app', {what} of this inventory"
        near = nearest(place, [*known, *groups.get("all", ())])
        right = f"its groups are {', '.join(known) or 'none'}"
        yield Problem(path, said, right, near if near != place else "")
    elif strangers:
        yield Problem(
            path,
            f"is {place!r}, but {', '.join(strangers)} {'are' if strangers[1:] else 'is'} not in the "
            "group 'app', which holds every host that runs an app",
            f"make {place} a child of it" if place in groups else "add it there",
        )
