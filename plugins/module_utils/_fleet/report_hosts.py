# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says of hosts: when certificates end, and how full disks are. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    clock,
    seconds_of,
    share,
    size,
)

DAYS_LEFT = 14  # of a certificate, below which it is a trouble
DISK_FREE = 0.1  # part of a filesystem, below which it is a trouble


def certificates(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The one that ends first on top."""
    rows = [
        {
            "host": host,
            "name": name,
            "until": clock(seconds_of(told["expires"])),
            "days": told["days"],
            "grade": "bad" if told["days"] < DAYS_LEFT else "good",
        }
        for host, ending in found.items()
        for name, told in ending.items()
    ]
    return sorted(rows, key=lambda row: (row["days"], row["host"], row["name"]))


def disks(apps: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per host the filesystem below /srv, and what the releases of each app take up of it."""
    rows: dict[str, dict[str, Any]] = {}
    for name, whole in apps.items():
        for host, told in whole["hosts"].items():
            disk = told.get("disk")
            if disk is None:
                continue
            row = rows.setdefault(
                host,
                {
                    "host": host,
                    "size": size(disk["size"]),
                    "free": size(disk["free"]),
                    "used": share(disk["size"] - disk["free"], disk["size"]),
                    "part": round(100 * (1 - disk["free"] / disk["size"])) if disk["size"] else 0,
                    "grade": "bad" if disk["free"] < DISK_FREE * disk["size"] else "good",
                    "apps": [],
                },
            )
            row["apps"].append({"name": name, "releases": size(disk["releases"])})
    return list(rows.values())
