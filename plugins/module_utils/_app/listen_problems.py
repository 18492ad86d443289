# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be meant of the setting listen, beside the form of its values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.listen import (
    LISTEN_PATH_FORM,
    ROOT,
    WEB,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import (
    Problem,
    nearest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import setting
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import (
    Unresolved,
    is_false,
    is_true,
    unknown,
)

RESERVED = ("/.error/", "/.well-known/acme-challenge/")  # includes/ of the role nginx


def listen_problems(settings: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    """What is wrong with the types and the paths of ``settings``, where these are what they should be."""
    listen = settings.get("listen")
    if not isinstance(listen, Mapping):
        return
    for kind in listen:
        yield from _type_problems(settings, prefix, str(kind))
    if not is_false(settings.get("nginx")):
        yield from _path_problems(settings, prefix, listen)


def _type_problems(settings: Mapping[str, Any], prefix: str, kind: str) -> Iterator[Problem]:
    path, commands = f"{prefix}.listen.{kind}", _part(settings, "processes")
    formation = setting(settings, "formation", "")
    if commands and kind not in commands:
        yield unknown(path, kind, commands)
    elif isinstance(formation, Mapping) and kind not in formation:
        yield Problem(
            path,
            f"listens, but {prefix}.formation has no {kind}, so that nobody would answer",
            f"write formation: {{{kind}: 1}} beside the others",
            nearest(kind, map(str, formation)),
        )
    if is_false(_part(_part(settings, "process_options"), kind).get("socket")):
        option = f"{prefix}.process_options.{kind}.socket"
        yield Problem(option, f"is false, and {path} says that it listens", "remove one of the two")
    said = _part(_part(settings, "listen"), kind)
    if is_true(said.get("grpc")) and said.get("health_path"):
        yield Problem(
            f"{path}.health_path", "is a path, which a gRPC server does not answer", "remove it"
        )
    if "_" in kind and not is_false(settings.get("nginx")):
        yield Problem(
            path,
            "cannot be served by nginx, whose names of upstreams have no '_'",
            f"name the process type {kind.replace('_', '-')}",
        )


def _path_problems(
    settings: Mapping[str, Any], prefix: str, listen: Mapping[Any, Any]
) -> Iterator[Problem]:
    site = _part(settings, "nginx_site")
    locations, upstreams = _entries(site, "locations"), _entries(site, "upstreams")
    taken = dict(_taken(settings, locations))
    known = _all_known(settings.get("nginx_site"), listen)
    for kind in listen:
        path, paths = f"{prefix}.listen.{kind}", _part(listen, kind).get("paths") or ()
        named = any(each.get("upstream") == kind for each in locations)
        if known and not paths and not named and kind != WEB:
            yield Problem(f"{path}.paths", "is missing", f"write paths: [/{kind}/]")
        if any(each.get("name") == kind for each in upstreams):
            yield Problem(
                path, "is the name of one of nginx_site.upstreams, too", "rename that one"
            )
        for each in map(str, paths if isinstance(paths, list | tuple) else ()):
            if not each:
                yield Problem(f"{path}.paths", "has an empty path", f"write {LISTEN_PATH_FORM}")
            elif each in RESERVED:
                yield Problem(
                    f"{path}.paths", f"has {each}, which nginx serves itself", "remove it"
                )
            elif each in taken:
                said = f"has {each}, as {taken[each]} has"
                yield Problem(f"{path}.paths", said, "remove one of the two")
            taken.setdefault(each, f"listen.{kind}")
    if known and listen:
        yield from _default_problems(settings, prefix, taken)


def _all_known(site: Any, listen: Mapping[Any, Any]) -> bool:
    """Whether all that may have a path is there, and is what it should be."""
    given = [_part(listen, kind).get("paths") for kind in listen]
    return not any(isinstance(each, Unresolved) for each in (site, *listen.values())) and all(
        each is None or isinstance(each, list | tuple) for each in given
    )


def _default_problems(
    settings: Mapping[str, Any], prefix: str, taken: Mapping[str, str]
) -> Iterator[Problem]:
    """Whoever has what no other type has: web, if nothing else is said of /."""
    formation = setting(settings, "formation", "")
    if not isinstance(formation, Mapping):
        return
    own_paths = _part(_part(settings, "listen"), WEB).get("paths")
    site = _part(settings, "nginx_site")
    served = ROOT in taken or any(key in site for key in ("root", "redirect", "snippet"))
    # a template is not known yet
    web = WEB in formation and not (str(formation[WEB]).isdigit() and int(formation[WEB]) == 0)
    if not served and (not web or own_paths):
        yield Problem(
            f"{prefix}.listen",
            "has no type for the path /",
            "write paths: [/] for one of its types",
        )
    elif WEB in formation and not own_paths and taken.get(ROOT, "").startswith("listen."):
        yield Problem(
            f"{prefix}.listen.{WEB}.paths",
            f"is missing, and {taken[ROOT]} has the path /, so that no request would reach {WEB}",
            f"write the paths of {WEB}, or remove it from the formation",
        )


def _taken(
    settings: Mapping[str, Any], locations: list[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Locations that nginx has already, and would not take twice."""
    for key in ("static_files", "media"):
        for name in _part(settings, key):
            yield f"/{name}/", f"{key}.{name}"
    for index, each in enumerate(locations):
        words = str(each.get("path", "")).split()
        if len(words) == 1 or words[:1] == ["^~"]:
            yield words[-1], f"nginx_site.locations[{index}]"


def _part(settings: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What is not known yet, and what is refused elsewhere, says nothing."""
    found = settings.get(key)
    return found if isinstance(found, Mapping) else {}


def _entries(site: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = site.get(key)
    listed = found if isinstance(found, list | tuple) else ()
    return [each for each in listed if isinstance(each, Mapping)]
