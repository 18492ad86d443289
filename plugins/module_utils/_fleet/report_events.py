# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and warnings of the logs, as the page lists them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    clock,
    count,
    seconds_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import line

SHOWN_EVENTS = 25


def events(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Errors and warnings, those that say the same together."""
    every = list(found)
    return {
        "rows": [
            {
                "grade": "bad" if each["level"] == "error" else "note",
                "level": each["level"],
                "message": line(each["message"]),
                "exception": line(each["exception"]),
                "where": line(each["where"]),
                "count": count(each["count"]),
                "releases": [
                    f"{line(release)}: {count(number)}"
                    for release, number in sorted(each["releases"].items())
                ],
                "processes": ", ".join(map(line, sorted(each["processes"]))),
                "hosts": ", ".join(sorted(each["hosts"])),
                "last": clock(seconds_of(each["last"])),
            }
            for each in every[:SHOWN_EVENTS]
        ],
        "more": max(0, len(every) - SHOWN_EVENTS),
    }
