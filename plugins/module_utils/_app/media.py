# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nginx serves what an app's users upload, by its setting media. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import Setting
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import Problem

# Neither "..", nor a dot in front, nor a slash at an end
_NAME = "[A-Za-z0-9_][A-Za-z0-9._-]*"
MEDIA_PREFIX = rf"(?!internal$){_NAME}(/{_NAME})*"
MEDIA_PREFIX_FORM = (
    "a path without / at its ends, of letters, digits, ., _ and -, as in media or internal/invoices (internal "
    "alone is none)"
)
MEDIA_DIRECTORY = Setting(
    meaning=("Name of a directory in C(/var/lib/<app>).",),
    pattern=_NAME,
    form="the name of a directory in /var/lib/<app>, as in media, without / and without a dot in front",
)
MEDIA = Setting(
    meaning=(
        (
            "What the app's users upload, and nginx serves. Names of URL prefixes to names of directories in "
            "C(/var/lib/<app>), which the app can write to and nginx can read."
        ),
        (
            "For example, C(media) under the name C(media) serves C(/var/lib/<app>/media/a.png) as "
            "C(/media/a.png). Below the prefix C(internal/) nginx serves what a response of the app names in its "
            "header C(X-Accel-Redirect), as in C(/internal/invoices/1.pdf), and nothing else. Each host has "
            "files of its own. Deploys and rollbacks do not touch them."
        ),
    ),
    readers=("app", "proxy"),
    type="dict",
    default={},
    key_pattern=MEDIA_PREFIX,
    key_form=MEDIA_PREFIX_FORM,
    values=MEDIA_DIRECTORY,
)


def media_problems(settings: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    """What collides with a URL prefix or a directory of ``settings``, where these are what they should be."""
    media = settings.get("media")
    if not isinstance(media, Mapping):
        return
    taken = [*_static(settings), *_locations(settings)]
    served: dict[str, str] = {}
    for url, directory in media.items():
        path = f"{prefix}.media.{url}"
        mine = f"/{url}/"
        for what, other in [*taken, *((f"media.{one}", f"/{one}/") for one in served.values())]:
            if other.startswith(mine) or (not what.startswith("nginx") and mine.startswith(other)):
                yield Problem(
                    path, f"is served at {mine}, as {what} is at {other}", "write another prefix"
                )
        if directory == "":
            yield Problem(path, "is without a directory", f"write {MEDIA_DIRECTORY.form}")
        elif directory in served:
            said = f"is the directory {directory!r}, as media.{served[directory]} is"
            yield Problem(
                path, said, "write a directory of its own, so that nothing private is public"
            )
        if isinstance(directory, str):
            served.setdefault(directory, str(url))


def _static(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    static = settings.get("static_files")
    for name in static if isinstance(static, Mapping) else ():
        yield f"static_files.{name}", f"/{name}/"


def _locations(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Plain prefixes and exact paths; nginx asks no pattern where media match. ``/`` and such may surround them."""
    site = settings.get("nginx_site")
    locations = site.get("locations") if isinstance(site, Mapping) else None
    for index, location in enumerate(locations if isinstance(locations, list | tuple) else ()):
        path = location.get("path") if isinstance(location, Mapping) else None
        words = path.split() if isinstance(path, str) else []
        if words and not words[0].startswith(("~", "@")):
            yield f"nginx_site.locations[{index}]", words[-1].rstrip("/") + "/"
