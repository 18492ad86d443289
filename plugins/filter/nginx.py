# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role nginx is told of its sites."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

# What a site says of itself is its location /, unless that stands among its locations.
LOCATION_KEYS = ("root", "try_files", "cache_control", "redirect", "redirect_code")

# Of nginx's times, in milliseconds: a month has 30 days, a year 365.
UNITS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "M": 2_592_000_000,
    "y": 31_536_000_000,
}

Site = dict[str, Any]


def nginx_complete_sites(sites: Iterable[Mapping[str, Any]], defaults: Site) -> list[Site]:
    """Each site with every key that a site may have, and with a location that answers for /."""
    return [_complete(given, defaults) for given in sites]


def _complete(given: Mapping[str, Any], defaults: Site) -> Site:
    site = _merged(defaults, given)
    site["upstreams"] = [_merged(defaults["upstream"], each) for each in site["upstreams"]]
    location = {key: site[key] for key in LOCATION_KEYS if key in given}
    answers = bool(location or site["upstream"]["servers"])
    described = any(each["path"] == "/" for each in site["locations"])
    if not described and (answers or not site["snippet"]):
        nothing = {} if answers else {"snippet": "return 404;"}
        site["locations"] = [*site["locations"], {"path": "/", **location, **nothing}]
    return site


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Site:
    """Dictionaries in dictionaries are merged, too; lists are replaced.

    Taken key by key: `dict()` of one of Ansible's dictionaries has templates for values.
    """
    made = {key: below[key] for key in below}
    for key in above:
        under, value = made.get(key), above[key]
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            value = _merged(under, value)
        made[key] = value
    return made


def nginx_hosts(servers: Iterable[str | Mapping[str, Any]]) -> list[str]:
    """Addresses of the servers of an upstream that are on other hosts and get requests."""
    said = [{"address": each} if isinstance(each, str) else each for each in servers]
    return [
        each["address"]
        for each in said
        if not each["address"].startswith("unix:") and not each.get("down")
    ]


def nginx_milliseconds(time: str | int) -> int:
    """A time as nginx reads it: ``90``, ``90s`` and ``1m 30s`` are the same.

    Raises AnsibleFilterError for anything else.
    """
    text = str(time).strip()
    if not re.fullmatch(r"(\d+(ms|[smhdwMy])\s*)*(\d+)?", text, re.ASCII) or not text:
        raise AnsibleFilterError(
            f"Invalid time {text!r}: write it as nginx reads it, for example 30s or 1m 30s."
        )
    parts = re.findall(r"(\d+)(ms|[smhdwMy])?", text)
    return sum(int(number) * UNITS[unit or "s"] for number, unit in parts)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "nginx_complete_sites": nginx_complete_sites,
            "nginx_hosts": nginx_hosts,
            "nginx_milliseconds": nginx_milliseconds,
        }
