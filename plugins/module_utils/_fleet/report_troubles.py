# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody should look at, and how bad it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_hosts import (
    certificates,
    disks,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    NOTHING,
    amount,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import (
    bridge_notes,
    hung,
    line,
)

# A state of an app on a host, in three: what is to be done about it.
GRADES = {"serving": "good", "moving": "note", "empty": "note", "absent": "note"}
ORDER = ("bad", "note", "good")


def grade_of(states: Sequence[str]) -> dict[str, str]:
    """The worst state of the hosts, and its word."""
    worst = min(states, key=lambda state: ORDER.index(GRADES.get(state, "bad")), default="unknown")
    return {"grade": GRADES.get(worst, "bad"), "state": worst}


def verdict(found: Sequence[Mapping[str, str]]) -> dict[str, str]:
    bad = sum(each["grade"] == "bad" for each in found)
    notes = len(found) - bad
    if bad:
        return {"grade": "bad", "text": f"{amount(bad, 'thing')} to look at"}
    if notes:
        return {"grade": "note", "text": f"Serving; {amount(notes, 'thing')} to know"}
    return {"grade": "good", "text": "All is as it should be"}


def troubles(
    status: Mapping[str, Any], logs: Mapping[str, Any], apps: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, str]]:
    """What somebody should look at: where it is, and what it is."""
    yield from unanswered(status, logs)
    for name, whole in status["apps"].items():
        yield from differing(name, whole)
        for host, told in whole["hosts"].items():
            yield from amiss(host, name, told)
    for each in apps:
        yield from last_deploy(each)
        yield from restarted(each)
    yield from ending(status)
    yield from filling(status)


def trouble(grade: str, where: str, text: object) -> dict[str, str]:
    return {"grade": grade, "where": where, "text": line(text)}


def unanswered(status: Mapping[str, Any], logs: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Hosts and apps of which nothing is known, or not all."""
    lost = {**logs["unreachable"], **status["unreachable"]}
    for host, reasons in status["failed"].items():
        for name, why in reasons.items():
            yield trouble("bad", f"{host} {name}".strip(), why)
    yield from not_counted({**logs, "unreachable": lost})


def not_counted(logs: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Hosts whose logs could not be read, or not to their end."""
    for host, why in logs["unreachable"].items():
        yield trouble("bad", host, f"unreachable: {why}")
    for host, why in logs["failed"].items():
        yield trouble("bad", host, f"logs not counted: {why}")
    for host, all_of in logs["incomplete"].items():
        for why in all_of:
            yield trouble("note", host, f"logs not counted to the end: {why}")


def differing(name: str, whole: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What should be the same on every host of an app."""
    for what in ("releases", "formations"):
        if len(whole[what]) > 1:
            which = "; ".join(f"{text} on {', '.join(on)}" for text, on in whole[what].items())
            yield trouble("bad", name, f"hosts have different {what}: {which}")


def amiss(host: str, name: str, told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What is wrong with an app on one host."""
    for text in (*told["drift"], *told["unwell"]):
        yield trouble("note" if told["state"] == "moving" else "bad", f"{host} {name}", text)
    for text in bridge_notes(host, told):
        yield trouble("bad", f"{host} {name}", text)
    if told["lock"]:
        owner = told["lock"]["owner"]
        over = " and has expired" if told["lock"]["expired"] else ""
        yield trouble("note", f"{host} {name}", f"the deploy lock is held by {owner}{over}")


def last_deploy(app: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    last = next((row for row in app["deploys"] if row["event"] != "scale"), None)
    if last and last["outcome"] != "good":
        word = "failed" if last["outcome"] == "bad" else "has not ended, or was cut off"
        text = f"the last {last['event']}, of {last['release']}, {word}"
        yield trouble("bad", app["name"], text)


def restarted(app: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for row in app["processes"]:
        if row["restarts"] not in ("0", NOTHING):
            text = f"{row['name']} was restarted {row['restarts']} times since the host booted"
            yield trouble("note", f"{row['host']} {app['name']}", text)
        if row["replacements"]:
            text = hung(row["name"], row["replacements"])
            yield trouble("note", f"{row['host']} {app['name']}", text)


def findings(
    audit: Mapping[str, Any], apps: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, str]]:
    """Factors that an app does not keep: it serves all the same, so that they are to be known."""
    for name in [each["name"] for each in apps]:
        for factor in audit["apps"].get(name, []):
            if factor["verdict"] == "finding":
                yield trouble("note", name, f"{factor['factor']}: {factor['evidence']}")


def ending(status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for row in certificates(status.get("certificates", {})):
        if row["grade"] == "bad":
            when = f"ends in {amount(row['days'], 'day')}" if row["days"] >= 0 else "has ended"
            yield trouble("bad", row["host"], f"certificate {row['name']} {when}")


def filling(status: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for row in disks(status["apps"]):
        if row["grade"] == "bad":
            yield trouble("bad", row["host"], f"{row['free']} are free of {row['size']} below /srv")
