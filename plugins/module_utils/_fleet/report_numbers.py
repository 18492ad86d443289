# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet in a few numbers, on top of the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_hosts import (
    certificates,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_plot import classes
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    NOTHING,
    amount,
    count,
    share,
)

MANY = 0.01  # part of the answers: 5xx above it stand out


def tiles(
    status: Mapping[str, Any], logs: Mapping[str, Any], apps: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """The fleet in a few numbers."""
    return [
        hosts_tile(status, logs, len(apps)),
        *request_tiles(logs),
        deploys_tile(apps),
        logged_tile(logs),
        certificates_tile(status),
    ]


def tile(label: str, value: str, note: str, *, bad: bool = False) -> dict[str, str]:
    return {"label": label, "value": value, "note": note, "grade": "bad" if bad else ""}


def hosts_tile(status: Mapping[str, Any], logs: Mapping[str, Any], apps: int) -> dict[str, str]:
    hosts = {host for told in status["apps"].values() for host in told["hosts"]}
    lost = {*status["unreachable"], *status["failed"]} | set(logs["unreachable"])
    value = f"{len(hosts | lost) - len(lost)} of {len(hosts | lost)}"
    return tile("Hosts", value, f"answer, with {amount(apps, 'app')}", bad=bool(lost))


def request_tiles(logs: Mapping[str, Any]) -> list[dict[str, str]]:
    counted = logs["apps"].values()
    requests = sum(told["requests"] for told in counted)
    failed = sum(classes(told["statuses"])["5xx"] for told in counted)
    note = f"{count(failed)} answers 5xx"
    return [
        tile("Requests", count(requests), "in this time"),
        tile("Failed", share(failed, requests), note, bad=failed > MANY * requests),
    ]


def deploys_tile(apps: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    deploys = [each for told in apps for each in told["deploys"] if each["in_range"]]
    wrong = sum(each["outcome"] != "good" for each in deploys)
    note = f"in this time, {wrong} not good" if wrong else "in this time"
    return tile("Deploys", str(len(deploys)), note)


def logged_tile(logs: Mapping[str, Any]) -> dict[str, str]:
    logged = {"error": 0, "warning": 0}
    for told in [*logs["apps"].values(), {"events": logs["nginx"]}]:
        for each in told["events"]:
            logged[each["level"]] += each["count"]
    note = f"and {amount(logged['warning'], 'warning')}"
    return tile("Logged errors", count(logged["error"]), note)


def certificates_tile(status: Mapping[str, Any]) -> dict[str, str]:
    ending = certificates(status.get("certificates", {}))
    if not ending:
        return tile("Certificates", NOTHING, "none was found")
    first = ending[0]
    bad = first["grade"] == "bad"
    return tile("Certificates", amount(first["days"], "day"), "until the first ends", bad=bad)
