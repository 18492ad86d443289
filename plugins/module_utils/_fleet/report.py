# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page about a fleet says, from the documents of status and logs. Pure; no HTML in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_deploys import (
    Rollout,
    around,
    rollouts,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_plot import (
    CLASSES,
    Frame,
    Mark,
    classes,
    draw,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    NOTHING,
    clock,
    count,
    duration,
    milliseconds,
    seconds_of,
    share,
    size,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import line
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import Tally

# A state of an app on a host, in three: what is to be done about it.
GRADES = {"serving": "good", "moving": "note", "empty": "note", "absent": "note"}
ORDER = ("bad", "note", "good")
DAYS_LEFT = 14  # of a certificate, below which it is a trouble
MANY = 0.01  # part of the answers: 5xx above it stand out
DISK_FREE = 0.1  # part of a filesystem, below which it is a trouble
WIDE, NARROW = (1120.0, 300.0), (360.0, 260.0)
SHOWN_DEPLOYS, SHOWN_EVENTS, SHOWN_ROUTES = 25, 25, 15
TIMES = ("p50", "p95", "p99")
MEANING = {
    "2xx": "2xx, answered",
    "3xx": "3xx, sent elsewhere",
    "4xx": "4xx, the client's mistake",
    "5xx": "5xx, failed",
}


def page(
    status: Mapping[str, Any], logs: Mapping[str, Any], title: str, now: float
) -> dict[str, Any]:
    """All that the template shows, in its order; every text is still to be escaped."""
    names = list(dict.fromkeys([*status["apps"], *logs["apps"]]))
    apps = [
        app(name, number, status["apps"].get(name), logs["apps"].get(name), logs)
        for number, name in enumerate(names, 1)
    ]
    # what is in the inventory and on no host is a line, and not a section
    there = [each for each in apps if each["there"]]
    found = sorted(troubles(status, logs, there), key=lambda each: ORDER.index(each["grade"]))
    since, until = seconds_of(logs["since"]), seconds_of(logs["until"])
    return {
        "title": title,
        "made": clock(now),
        "since": clock(since),
        "until": clock(until),
        "span": duration((until or 0) - (since or 0)),
        "verdict": verdict(found),
        "tiles": tiles(status, logs, there),
        "troubles": found,
        "apps": there,
        "absent": [each["name"] for each in apps if not each["there"]],
        "certificates": certificates(status.get("certificates", {})),
        "disks": disks(status["apps"]),
        "nginx": events(logs["nginx"]),
        "latency_error": f"{100 * logs['latency_error']:.0f} %",
    }


def verdict(found: Sequence[Mapping[str, str]]) -> dict[str, str]:
    bad = sum(each["grade"] == "bad" for each in found)
    notes = len(found) - bad
    if bad:
        return {"grade": "bad", "text": f"{amount(bad, 'thing')} to look at"}
    if notes:
        return {"grade": "note", "text": f"Serving; {amount(notes, 'thing')} to know"}
    return {"grade": "good", "text": "All is as it should be"}


def tiles(
    status: Mapping[str, Any], logs: Mapping[str, Any], apps: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """The fleet in a few numbers."""
    hosts = {host for told in status["apps"].values() for host in told["hosts"]}
    lost = {*status["unreachable"], *status["failed"]} | set(logs["unreachable"])
    counted = list(logs["apps"].values())
    requests = sum(told["requests"] for told in counted)
    kinds = dict.fromkeys(CLASSES, 0)
    for told in counted:
        for name, number in classes(told["statuses"]).items():
            kinds[name] += number
    deploys = [each for told in apps for each in told["deploys"] if each["in_range"]]
    wrong = sum(each["outcome"] != "good" for each in deploys)
    logged = {"error": 0, "warning": 0}
    for each in [each for told in [*counted, {"events": logs["nginx"]}] for each in told["events"]]:
        logged[each["level"]] += each["count"]
    ending = certificates(status.get("certificates", {}))
    return [
        {
            "label": "Hosts",
            "value": f"{len(hosts | lost) - len(lost)} of {len(hosts | lost)}",
            "note": f"answer, with {amount(len(apps), 'app')}",
            "grade": "bad" if lost else "",
        },
        {"label": "Requests", "value": count(requests), "note": "in this time", "grade": ""},
        {
            "label": "Failed",
            "value": share(kinds["5xx"], requests),
            "note": f"{count(kinds['5xx'])} answers 5xx",
            "grade": "bad" if kinds["5xx"] > MANY * requests else "",
        },
        {
            "label": "Deploys",
            "value": str(len(deploys)),
            "note": f"in this time, {wrong} not good" if wrong else "in this time",
            "grade": "",
        },
        {
            "label": "Logged errors",
            "value": count(logged["error"]),
            "note": f"and {amount(logged['warning'], 'warning')}",
            "grade": "",
        },
        {
            "label": "Certificates",
            "value": amount(ending[0]["days"], "day") if ending else NOTHING,
            "note": "until the first ends" if ending else "none was found",
            "grade": ending[0]["grade"] if ending and ending[0]["grade"] == "bad" else "",
        },
    ]


def troubles(
    status: Mapping[str, Any], logs: Mapping[str, Any], apps: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, str]]:
    """What somebody should look at: where it is, and what it is."""

    def one(grade: str, where: str, text: object) -> dict[str, str]:
        return {"grade": grade, "where": where, "text": line(text)}

    for host, why in {**logs["unreachable"], **status["unreachable"]}.items():
        yield one("bad", host, f"unreachable: {why}")
    for host, reasons in status["failed"].items():
        for name, why in reasons.items():
            yield one("bad", f"{host} {name}".strip(), why)
    for host, why in logs["failed"].items():
        yield one("bad", host, f"logs not counted: {why}")
    for host, all_of in logs["incomplete"].items():
        for why in all_of:
            yield one("note", host, f"logs not counted to the end: {why}")
    for name, whole in status["apps"].items():
        for what in ("releases", "formations"):
            if len(whole[what]) > 1:
                which = "; ".join(f"{text} on {', '.join(on)}" for text, on in whole[what].items())
                yield one("bad", name, f"hosts have different {what}: {which}")
        for host, told in whole["hosts"].items():
            for trouble in (*told["drift"], *told["unwell"]):
                yield one("note" if told["state"] == "moving" else "bad", f"{host} {name}", trouble)
            if told["lock"]:
                owner = told["lock"]["owner"]
                over = " and has expired" if told["lock"]["expired"] else ""
                yield one("note", f"{host} {name}", f"the deploy lock is held by {owner}{over}")
    for each in apps:
        last = next((row for row in each["deploys"] if row["event"] != "scale"), None)
        if last and last["outcome"] != "good":
            word = "failed" if last["outcome"] == "bad" else "has not ended, or was cut off"
            yield one(
                "bad", each["name"], f"the last {last['event']}, of {last['release']}, {word}"
            )
        for row in each["processes"]:
            if row["restarts"] not in ("0", NOTHING):
                text = f"{row['name']} was restarted {row['restarts']} times since the host booted"
                yield one("note", f"{row['host']} {each['name']}", text)
    for row in certificates(status.get("certificates", {})):
        if row["grade"] == "bad":
            when = f"ends in {amount(row['days'], 'day')}" if row["days"] >= 0 else "has ended"
            yield one("bad", row["host"], f"certificate {row['name']} {when}")
    for row in disks(status["apps"]):
        if row["grade"] == "bad":
            yield one("bad", row["host"], f"{row['free']} are free of {row['size']} below /srv")


# --- one app --------------------------------------------------------------------------------------


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
        "packages": packages(hosts),
    }


def grade_of(states: Sequence[str]) -> dict[str, str]:
    """The worst state of the hosts, and its word."""
    worst = min(states, key=lambda state: ORDER.index(GRADES.get(state, "bad")), default="unknown")
    return {"grade": GRADES.get(worst, "bad"), "state": worst}


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


def status_rows(told: Mapping[str, Any] | None) -> list[dict[str, str]]:
    if not told or not told["requests"]:
        return []
    return [
        {
            "class": f"s{code[:1]}" if f"{code[:1]}xx" in CLASSES else "s2",
            "status": code,
            "count": count(number),
            "share": share(number, told["requests"]),
        }
        for code, number in told["statuses"].items()
    ]


def latency_text(latency: Mapping[str, float] | None) -> dict[str, str]:
    return {key: milliseconds(latency[key] if latency else None) for key in (*TIMES, "max")}


def load(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A row of numbers about requests."""
    kinds = classes(told["statuses"])
    return {
        "name": line(told[name]),
        "requests": count(told["requests"]),
        **{key: count(number) if number else NOTHING for key, number in kinds.items()},
        "failed": kinds["5xx"] > 0,
        "failed_share": share(kinds["5xx"], told["requests"]),
        **latency_text(told["latency"]),
    }


def timeline(told: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """The numbers behind the plot."""
    rows = []
    for start, statuses in (told or {}).get("timeline", {}).items():
        kinds = {key: count(number) for key, number in classes(statuses).items()}
        rows.append({"at": clock(seconds_of(start)), **kinds, "all": count(sum(statuses.values()))})
    return rows


def plots(
    name: str, found: Sequence[Rollout], told: Mapping[str, Any] | None, logs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The same plot for a large screen and for a phone; none where nothing was asked."""
    since, until = seconds_of(logs["since"]), seconds_of(logs["until"])
    if not told or not told["requests"] or since is None or until is None or "step" not in logs:
        return []
    buckets = {
        at: classes(statuses)
        for start, statuses in told["timeline"].items()
        if (at := seconds_of(start)) is not None
    }
    inside = [each for each in found if each.moved and since <= each.at < until]
    short = labels(each.release for each in inside)
    marks = [Mark(each.at, mark_text(each, short), each.outcome == "good") for each in inside]
    kinds = classes(told["statuses"])
    sums = ", ".join(f"{count(kinds[key])} {key}" for key in CLASSES)
    said = "; ".join(f"{clock(mark.at)} {mark.label}" for mark in sorted(marks, key=lambda m: m.at))
    description = (
        f"{count(told['requests'])} requests from {clock(since)} to {clock(until)} UTC: {sums}. "
        + (f"Deploys and rollbacks: {said}." if said else "No deploy in this time.")
    )
    return [
        {
            "size": kind,
            "title": f"Requests of {name} over time, by status",
            "description": description,
            **draw(Frame(since, until, logs["step"], *measures), buckets, marks),
        }
        for kind, measures in (("wide", WIDE), ("narrow", NARROW))
    ]


def labels(releases: Iterable[str]) -> dict[str, str]:
    """Versions where they tell releases apart, ids where they do not."""
    ids = list(dict.fromkeys(releases))
    versions = [each.rpartition("-")[0] or each for each in ids]
    return {
        each: version if versions.count(version) == 1 else each
        for each, version in zip(ids, versions, strict=True)
    }


def mark_text(rollout: Rollout, short: Mapping[str, str]) -> str:
    text = short[rollout.release]
    if rollout.outcome != "good":
        return f"✕ {text}"
    return f"↩ {text}" if rollout.event == "rollback" else text


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


def compared(before: Tally, after: Tally) -> list[dict[str, str]]:
    """Each percentile before and after, and which way it went where that is more than an error."""
    was, became = before.latency() or {}, after.latency() or {}
    rows = []
    for key in TIMES:
        old, new = was.get(key), became.get(key)
        way = ""
        # both may be wrong by the error of a percentile, and a millisecond is the clock's
        if old is not None and new is not None and abs(new - old) > max(1.0, 0.1 * old):
            way = "slower" if new > old else "faster"
        rows.append(
            {"name": key, "before": milliseconds(old), "after": milliseconds(new), "way": way}
        )
    return rows


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


def process_rows(host: str, told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, process in told["processes"].items():
        well = process["serves"] and process["release"] == told["current"]
        restarts = process.get("restarts")
        yield {
            "host": host,
            "name": name,
            "state": process["state"] or "does not run",
            "grade": "good" if well and process["healthy"] is not False else "bad",
            "release": process["release"] or NOTHING,
            "since": clock(seconds_of(process["since"])),
            "memory": size(process.get("memory")),
            "restarts": NOTHING if restarts is None else str(restarts),
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


# --- the fleet ------------------------------------------------------------------------------------


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


def amount(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
