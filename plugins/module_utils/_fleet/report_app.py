# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The section of one app: its hosts, requests, deploys, processes and packages. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_deploys import (
    Rollout,
    around,
    rollouts,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_events import events
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_requests import (
    compared,
    latency_text,
    load,
    plots,
    status_rows,
    timeline,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    NOTHING,
    amount,
    clock,
    count,
    duration,
    seconds_of,
    size,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_troubles import (
    grade_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import (
    line,
    schedule_notes,
)

SHOWN_DEPLOYS, SHOWN_ROUTES = 25, 15


def app(
    name: str,
    number: int,
    whole: Mapping[str, Any] | None,
    told: Mapping[str, Any] | None,
    logs: Mapping[str, Any],
) -> dict[str, Any]:
    """One app; ``whole`` is what status says of it and ``told`` what the logs do."""
    every = dict(whole["hosts"]) if whole else {}
    hosts = {host: each for host, each in every.items() if each["state"] != "absent"}
    requests = told["requests"] if told else 0
    found = rollouts({host: each["records"] for host, each in hosts.items()})
    rows = [deploy(each, told, logs, len(hosts)) for each in found]
    return {
        "name": name,
        "anchor": f"app-{number}",
        "there": bool(hosts) or requests > 0 or whole is None,
        **grade_of([each["state"] for each in hosts.values()]),
        "releases": list(dict.fromkeys(each["current"] or "none" for each in hosts.values())),
        "hosts": [host_row(host, each, whole or {}) for host, each in hosts.items()],
        "requests": count(requests),
        "statuses": status_rows(told),
        "latency": latency_text(told["latency"] if told else None),
        "plots": plots(name, found, told, logs),
        "timeline": timeline(told),
        "step": duration(logs["step"]).replace(".0", "") if "step" in logs else NOTHING,
        "deploys": rows[:SHOWN_DEPLOYS],
        "more_deploys": max(0, len(rows) - SHOWN_DEPLOYS),
        "by_release": [load(each, "release") for each in (told or {}).get("releases", [])],
        "by_route": [load(each, "route") for each in (told or {}).get("routes", [])][:SHOWN_ROUTES],
        "errors": events((told or {}).get("events", [])),
        "processes": [row for host, each in hosts.items() for row in process_rows(host, each)],
        "schedules": [
            {"host": host, "text": line(text)}
            for host, each in hosts.items()
            for text in schedule_notes(each)
        ],
        "packages": packages(hosts),
    }


def host_row(host: str, told: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    formation = told["formation"]
    return {
        "host": host,
        **grade_of([told["state"]]),
        "release": told["current"] or "none",
        "differs": len(whole["releases"]) > 1,
        "since": clock(seconds_of(told["since"])),
        "formation": ", ".join(f"{kind} {formation[kind]}" for kind in sorted(formation)) or "none",
        "drift": [line(each) for each in (*told["drift"], *told["unwell"])],
    }


def deploy(
    rollout: Rollout, told: Mapping[str, Any] | None, logs: Mapping[str, Any], hosts: int
) -> dict[str, Any]:
    """A row of the history."""
    before, after = around(rollout, (told or {}).get("stretches", []))
    since, until = seconds_of(logs["since"]) or 0.0, seconds_of(logs["until"]) or 0.0
    records = rollout.records
    on = f"{len(records)} of {amount(hosts, 'host')}" if hosts > 1 else ", ".join(records)
    seconds, slowest = rollout.seconds, rollout.slowest
    return {
        "at": clock(rollout.at),
        "in_range": rollout.moved and since <= rollout.at < until,
        "event": rollout.event,
        "release": rollout.release,
        "before": [each for each in rollout.before if each != rollout.release],
        "outcome": rollout.outcome,
        "grade": {"good": "good", "bad": "bad"}.get(rollout.outcome, "note"),
        "on": on,
        "reasons": [
            {"host": host, "text": line(record["reason"])}
            for host, record in records.items()
            if record.get("reason")
        ],
        "took": duration(seconds),
        "slowest": duration(slowest) if len(records) > 1 else "",
        "by": next((str(record["by"]) for record in records.values() if record.get("by")), NOTHING),
        "formation": ", ".join(
            f"{kind} {number}"
            for kind, number in sorted(next(iter(records.values())).get("formation", {}).items())
        ),
        "times": compared(before, after),
        "before_requests": count(before.requests),
        "after_requests": count(after.requests),
        "requests": bool(before.requests or after.requests),
    }


def process_rows(host: str, told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, process in told["processes"].items():
        well = process["serves"] and process["release"] == told["current"]
        restarts, replacements = process.get("restarts"), process.get("replacements")
        yield {
            "host": host,
            "name": name,
            "state": process["state"] or "does not run",
            "grade": "good" if well and process["healthy"] is not False else "bad",
            "release": process["release"] or NOTHING,
            "since": clock(seconds_of(process["since"])),
            "memory": size(process.get("memory")),
            "restarts": NOTHING if restarts is None else str(restarts),
            "replacements": replacements or 0,
            "answer": line(process["answer"]) or NOTHING,
        }


def packages(hosts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each release that serves was made of; a release is the same on every host."""
    found: dict[str, dict[str, Any]] = {}
    for host, told in hosts.items():
        if told["current"] and told.get("packages"):
            one = found.setdefault(
                told["current"], {"release": told["current"], "hosts": [], "rows": []}
            )
            one["hosts"].append(host)
            one["rows"] = sorted(told["packages"].items())
    return list(found.values())
