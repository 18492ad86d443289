# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of all hosts' apps as one document and as one table. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.answers import (
    UNREADABLE,
    check,
)

# What Ansible adds to what a module returns.
OF_ANSIBLE = {"ansible_loop_var", "changed", "failed", "invocation", "item", "warnings"}
COLUMNS = ("HOST", "APP", "RELEASE", "SINCE", "PROCESSES", "HEALTH", "LAST", "LOCK")
MOMENT = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z")
DAYS = re.compile(r"-?[0-9]{1,6}")
MARK = " *"  # beside what is not the same on every host


def document(answers: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """One document of what the hosts said.

    ``answers`` holds per host its name, the result of a task that only reached it, be it by a command that
    failed there, and the result of release_info looped over the names of its apps.
    """
    apps: dict[str, dict[str, Any]] = {}
    unreachable: dict[str, str] = {}
    failed: dict[str, dict[str, str]] = {}
    for host, reached, looked in answers:
        results = looked.get("results") or []
        lost = next((result for result in (reached, *results) if result.get("unreachable")), None)
        if lost is not None:
            unreachable[str(host)] = line(lost.get("msg"))
            continue
        if reached.get("failed") and "stdout" not in reached:
            failed[str(host)] = {"": line(reached.get("msg"))}
            continue
        for result in results:
            app = str(result["item"])
            if result.get("failed"):
                failed.setdefault(str(host), {})[app] = line(result.get("msg"))
            elif not result.get("skipped"):
                told = {key: value for key, value in result.items() if key not in OF_ANSIBLE}
                try:
                    check(told)
                    row(str(host), app, told, {"releases": {}, "formations": {}})
                    last_notes(told)
                    lock_note(told["lock"] or {"reason": ""})
                except UNREADABLE as error:
                    reason = line(f"its answer cannot be read: {error}")
                    failed.setdefault(str(host), {})[app] = reason
                    continue
                apps.setdefault(app, {"hosts": {}})["hosts"][str(host)] = told
    for whole in apps.values():
        whole["releases"] = groups(whole["hosts"], release_text)
        whole["formations"] = groups(whole["hosts"], formation_text)
        whole["differs"] = len(whole["releases"]) > 1 or len(whole["formations"]) > 1
    return {"apps": apps, "unreachable": unreachable, "failed": failed}


def certificates(answers: Iterable[Sequence[Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """When the certificates of each host end.

    ``answers`` holds per host its name and the result of a command that printed a line for each
    certificate: its name, the moment and the days left. What is no such line is passed over, and so is what
    follows in an answer.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for host, result, *_others in answers:
        for printed in result.get("stdout_lines") or []:
            match str(printed).split():
                case [name, expires, days] if DAYS.fullmatch(days) and MOMENT.fullmatch(expires):
                    pass
                case _:
                    continue
            found.setdefault(str(host), {})[name] = {"expires": expires, "days": int(days)}
    return found


def certificate_table(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """The certificates for people, the one that ends first on top."""
    rows = sorted(
        (told["days"], host, name, told["expires"])
        for host, ending in found.items()
        for name, told in ending.items()
    )
    lines = [("HOST", "CERTIFICATE", "DAYS LEFT", "UNTIL")]
    lines += [
        (host, line(name), str(days), until.replace("T", " ")) for days, host, name, until in rows
    ]
    return ["", *aligned(lines)] if rows else []


def groups(
    hosts: Mapping[str, Mapping[str, Any]], text: Callable[[Mapping[str, Any]], str]
) -> dict[str, list[str]]:
    """Which hosts have the same to say."""
    found: dict[str, list[str]] = {}
    for host, told in hosts.items():
        found.setdefault(text(told), []).append(host)
    return found


def release_text(told: Mapping[str, Any]) -> str:
    return str(told["current"] or "none")


def formation_text(told: Mapping[str, Any]) -> str:
    """``web 1, worker 2``"""
    formation = told["formation"]
    return ", ".join(f"{kind} {formation[kind]}" for kind in sorted(formation)) or "none"


def processes_text(told: Mapping[str, Any]) -> str:
    """``web 1/1, worker 1/2``: how many run the current release, of how many that should."""
    running: dict[str, int] = {}
    for name, process in told["processes"].items():
        if process["serves"] and process["release"] == told["current"]:
            kind = name.rpartition("-")[0]
            running[kind] = running.get(kind, 0) + 1
    formation = told["formation"]
    return ", ".join(
        f"{kind} {running.get(kind, 0)}/{formation[kind]}" for kind in sorted(formation)
    )


def last_text(told: Mapping[str, Any]) -> str:
    if not told["records"]:
        return ""
    last = told["records"][-1]
    which = f" {last['release']}" if last["release"] != told["current"] else ""
    return f"{last['event']}{which} {last['outcome']}"


def lock_text(told: Mapping[str, Any]) -> str:
    lock = told["lock"]
    if lock is None:
        return ""
    return f"{lock['owner']}, expired" if lock["expired"] else str(lock["owner"])


def row(host: str, app: str, told: Mapping[str, Any], whole: Mapping[str, Any]) -> list[str]:
    return [
        host,
        app,
        release_text(told) + (MARK if len(whole["releases"]) > 1 else ""),
        (told["since"] or "").replace("T", " "),
        processes_text(told) + (MARK if len(whole["formations"]) > 1 else ""),
        told["state"],
        last_text(told),
        lock_text(told),
    ]


def table(fleet: Mapping[str, Any]) -> list[str]:
    """The document for people: one line per host and app, and what is wrong below."""
    rows, notes = [list(COLUMNS)], []
    for app, whole in fleet["apps"].items():
        for what, of in (("releases", whole["releases"]), ("formations", whole["formations"])):
            if len(of) > 1:
                each = "; ".join(f"{text} on {', '.join(hosts)}" for text, hosts in of.items())
                notes.append(f"*{app}: hosts have different {what}: {each}")
        for host, told in whole["hosts"].items():
            rows.append([line(cell) for cell in row(host, app, told, whole)])
            notes += [f"{host} {app}: {trouble}" for trouble in (*told["drift"], *told["unwell"])]
            notes += [f"{host} {app}: {count}" for count in replacement_notes(told)]
            notes += [f"{host} {app}: {trouble}" for trouble in bridge_notes(host, told)]
            notes += [f"{host} {app}: {trouble}" for trouble in last_notes(told)]
            notes += [f"{host} {app}: {job}" for job in schedule_notes(told)]
            if told["lock"]:
                notes.append(f"{host} {app}: {lock_note(told['lock'])}")
    for host, reason in fleet["unreachable"].items():
        rows.append([host, "", "", "", "", "unreachable"])
        notes.append(f"{host}: {reason}")
    for host, reasons in fleet["failed"].items():
        for app, reason in reasons.items():
            rows.append([host, app, "", "", "", "unknown"])
            notes.append(f"{host} {app}: {reason}".replace(" :", ":"))
    ending = certificate_table(fleet.get("certificates", {}))
    return [*aligned(rows), *([""] if notes else []), *map(line, notes), *ending]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, each column as wide as it has to be."""
    columns = itertools.zip_longest(*rows, fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip()
        for cells in rows
    ]


def replacement_notes(told: Mapping[str, Any]) -> list[str]:
    """Which processes have hung, so that another one took their place."""
    return [
        hung(name, count)
        for name, process in told["processes"].items()
        if (count := process.get("replacements"))
    ]


def hung(name: str, count: int) -> str:
    return f"{name} did not answer and was replaced ({count} since the host booted)"


def schedule_notes(told: Mapping[str, Any]) -> list[str]:
    """What came of the schedules that the host runs, a line each."""
    return [
        f"schedule {name} ({job['at']}): {outcome_text(job)}"
        for name, job in told.get("schedules", {}).items()
    ]


def outcome_text(job: Mapping[str, Any]) -> str:
    if job["outcome"] is None:
        return "has not run yet"
    began = f"{job['outcome']}, began {job['began']} with {job['release']}"
    ended = job["outcome"] not in ("running", "interrupted") and job["seconds"] is not None
    took = f", took {job['seconds']:.1f} s" if ended else ""
    if job["outcome"] in ("success", "running"):
        return began + took
    code = f", exit code {job['code']}" if job["code"] is not None else ""
    count = f"; {job['failures']} of {job['runs']} were no success, the last that was one ended "
    return f"{began}{took}{code}{count}{job['succeeded'] or 'never'}"


def bridge_notes(host: str, told: Mapping[str, Any]) -> list[str]:
    """What an interrupted restart of the supervisor has left, and how it ends."""
    if not told.get("bridge"):
        return []
    remedy = "deploy a release that works" if told["drift"] else (
        f"`ansible-playbook twelvefactor.deploy.platform --limit {host}` ends it"
    )  # fmt: skip
    return [
        f"{told['bridge']} still runs, left by an interrupted restart of the supervisor; {remedy}"
    ]


def last_notes(told: Mapping[str, Any]) -> list[str]:
    if not told["records"]:
        return []
    last = told["records"][-1]
    reasons = {
        "bad": last.get("reason"),
        # why a release that served was put back
        "good": last.get("reason"),
        "pending": "it has not ended yet, or it was cut off",
    }
    reason = reasons.get(last["outcome"])
    word = "to" if last["event"] == "rollback" else "of"
    return [f"{last['event']} {word} {last['release']} at {last['at']}: {reason}"] if reason else []


def lock_note(lock: Mapping[str, Any]) -> str:
    if "since" not in lock:
        return f"locked: {lock['reason']}"
    until = "expired at" if lock["expired"] else "expires without a sign of life at"
    reason = f", for {lock['reason']!r}" if lock["reason"] else ""
    return (
        f"locked by {lock['owner']} (run {lock['run']}) since {lock['since']}{reason}; "
        f"{until} {lock['expires']}"
    )


def line(text: object) -> str:
    """Text that comes from elsewhere, on one line and without what a terminal would obey."""
    words = " ".join(str(text or "").split()).removeprefix("Task failed: ")
    return "".join(letter if letter.isprintable() else "?" for letter in words)
