# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs of all hosts say, as one document and as one text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.answers import UNREADABLE
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import line
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.events import Events
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import (
    OTHER,
    RELATIVE_ERROR,
    Groups,
    Tally,
    add_counts,
    largest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import (
    RangeError,
    iso,
    parse_range,
)

# Of one app, over all hosts.
ROUTES, RELEASES, MESSAGES, SLOWEST = 200, 50, 100, 10
# Of one app, in the text.
SHOWN_ROUTES, SHOWN_MESSAGES, WIDEST = 20, 15, 90
CLASSES = ("2xx", "3xx", "4xx", "5xx")
TIMES = ("p50", "p95", "p99", "max")
HEADINGS = ("REQUESTS", *CLASSES, "P50 ms", "P95 ms", "P99 ms", "MAX ms")


def absolute(since: str, until: str, now: float) -> dict[str, str]:
    """Begin and end of a range, the same for every host, and the reason why there are none."""
    try:
        return {**parse_range(since, until, now).told(), "error": ""}
    except RangeError as error:
        return {"since": "", "until": "", "error": str(error)}


class AppDocument:
    """One app, added up over hosts."""

    def __init__(self) -> None:
        self.total = Tally()
        self.routes, self.releases = Groups(ROUTES), Groups(RELEASES)
        self.stretches: list[dict[str, Any]] = []
        self.timeline: dict[str, dict[str, int]] = {}
        self.slowest: list[dict[str, Any]] = []
        self.events = Events(MESSAGES)
        self.known_by: dict[str, int] = {}
        self.hosts: dict[str, int] = {}
        self.unreadable: dict[str, int] = {}

    def add(self, host: str, packed: Mapping[str, Any]) -> None:
        requests = Tally.unpacked(packed["requests"])
        self.total.merge(requests)
        self.hosts[host] = requests.requests
        self.routes.merge(packed["routes"])
        self.releases.merge(packed["releases"])
        self.stretches += stretches(host, packed["stretches"])
        for start, statuses in packed["timeline"].items():
            add_counts(self.timeline.setdefault(start, {}), statuses)
        self.slowest += [{**request, "host": host} for request in packed["slowest"]]
        self.events.merge(on_host(host, packed["events"]))
        add_counts(self.known_by, packed["known_by"])
        if packed["unreadable"]:
            self.unreadable[host] = packed["unreadable"]

    def told(self) -> dict[str, Any]:
        return {
            **self.total.told(),
            "hosts": self.hosts,
            "routes": self.routes.told("route"),
            "releases": self.releases.told("release"),
            "releases_known_by": self.known_by,
            "stretches": self.stretches,
            "slowest": largest(self.slowest, SLOWEST, lambda request: request["milliseconds"]),
            "events": self.events.told(),
            "timeline": {
                iso(int(start)): dict(sorted(statuses.items()))
                for start, statuses in sorted(self.timeline.items(), key=lambda item: int(item[0]))
            },
            "unreadable": self.unreadable,
        }


def stretches(host: str, packed: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What each release answered from the deploy on that it began with, ready to be added up."""
    for name, tally in packed.items():
        if name != OTHER:
            since, _blank, release = name.partition(" ")
            yield {"host": host, "since": since, "release": release, **tally}


def on_host(host: str, events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "hosts": {host: event["count"]}} for event in events]


def document(answers: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """One document of what the hosts said.

    ``answers`` holds per host its name and the registered result of log_summary. An app that no
    host has a log of is in it, with nothing counted.
    """
    apps: dict[str, AppDocument] = {}
    nginx = Events(MESSAGES)
    told: dict[str, dict[str, Any]] = {"unreachable": {}, "failed": {}, "incomplete": {}}
    about: dict[str, Any] = {}
    for host, result in answers:
        if result.get("unreachable"):
            told["unreachable"][str(host)] = line(result.get("msg"))
        elif result.get("failed"):
            told["failed"][str(host)] = line(result.get("msg"))
        elif not result.get("skipped"):
            try:
                try_out(str(host), result)
            except UNREADABLE as error:
                told["failed"][str(host)] = line(f"its answer cannot be read: {error}")
                continue
            about = {key: result[key] for key in ("since", "until", "step")}
            for app, packed in result["apps"].items():
                apps.setdefault(app, AppDocument()).add(str(host), packed)
            nginx.merge(on_host(str(host), result["nginx"]))
            if result["incomplete"]:
                told["incomplete"][str(host)] = [line(trouble) for trouble in result["incomplete"]]
    return {
        **about,
        "latency_error": RELATIVE_ERROR,
        "apps": {app: apps[app].told() for app in sorted(apps)},
        "nginx": nginx.told(),
        **told,
    }


def try_out(host: str, result: Mapping[str, Any]) -> None:
    """Add one host's answer up alone. Raises one of UNREADABLE where it is none.

    Added to the others it would leave sums behind that are half of it.
    """
    for key, kind in (("since", str), ("until", str), ("step", int), ("incomplete", list)):
        if not isinstance(result[key], kind):
            raise TypeError(f"{key} is of another type")
    whole: dict[str, Any] = {
        "apps": {},
        "nginx": [],
        "unreachable": {},
        "failed": {},
        "incomplete": {},
    }
    for app, packed in result["apps"].items():
        alone = AppDocument()
        alone.add(host, packed)
        whole["apps"][str(app)] = alone.told()
    nginx = Events(MESSAGES)
    nginx.merge(on_host(host, result["nginx"]))
    whole["nginx"] = nginx.told()
    about = {key: result[key] for key in ("since", "until", "step")}
    table({**about, "latency_error": RELATIVE_ERROR, **whole})


def table(fleet: Mapping[str, Any]) -> list[str]:
    """The document for people."""
    text: list[str] = []
    for app, told in fleet["apps"].items():
        text += [*app_text(app, told, fleet), ""]
    if fleet["nginx"]:
        text += ["nginx, about none of these apps:", *event_lines(fleet["nginx"]), ""]
    notes = [f"{host}: unreachable: {why}" for host, why in fleet["unreachable"].items()]
    notes += [f"{host}: {why}" for host, why in fleet["failed"].items()]
    notes += [f"{host}: {why}" for host, all_of in fleet["incomplete"].items() for why in all_of]
    if notes:
        text += ["Not counted:", *map(line, notes), ""]
    return text[:-1] or ["No host of an app was asked."]


def app_text(app: str, told: Mapping[str, Any], fleet: Mapping[str, Any]) -> list[str]:
    hosts = len(told["hosts"])
    where = f"{hosts} host{'s' if hosts > 1 else ''}"
    text = [
        f"{app}, {fleet['since']} to {fleet['until']}, {where}: {amount(told['requests'], 'request')}"
    ]
    if told["requests"]:
        statuses = sorted(told["statuses"].items())
        rows = [["STATUS", "REQUESTS", "SHARE"]]
        rows += [[code, str(n), f"{100 * n / told['requests']:.2f} %"] for code, n in statuses]
        text += ["", *aligned(rows, left=1)]
        routes = told["routes"][:SHOWN_ROUTES]
        text += ["", *aligned([["ROUTE", *HEADINGS], *(row(each, "route") for each in routes)])]
        if len(told["routes"]) > SHOWN_ROUTES:
            text.append(f"and {len(told['routes']) - SHOWN_ROUTES} more, see -e output=json")
        releases = told["releases"]
        text += [
            "",
            *aligned([["RELEASE", *HEADINGS], *(row(each, "release") for each in releases)]),
        ]
        text += release_notes(told["releases_known_by"])
        text += ["", *slowest_lines(told["slowest"])]
    if told["events"]:
        text += ["", *event_lines(told["events"])]
    else:
        text += ["", "No errors, no warnings."]
    for host, number in told["unreadable"].items():
        text.append(
            f"{host}: {amount(number, 'line')} of the access log not in the format of the role nginx, "
            "not counted"
        )
    return text


def row(told: Mapping[str, Any], name: str) -> list[str]:
    statuses = told["statuses"]
    classes = [
        sum(number for code, number in statuses.items() if code[:1] == each[0]) for each in CLASSES
    ]
    latency = told["latency"]
    times = [f"{latency[key]:.0f}" for key in TIMES] if latency else [""] * len(TIMES)
    return [cell(told[name]), str(told["requests"]), *(str(n or "") for n in classes), *times]


def release_notes(known_by: Mapping[str, int]) -> list[str]:
    """How sure the column of releases is."""
    near, record, unknown = (known_by.get(key, 0) for key in ("near_switch", "record", "unknown"))
    notes = []
    if record or near:
        by_time = "Releases by the time of the switch"
        sure = (
            f"; {amount(near, 'request')} so close to one that it may have been the other"
            if near
            else ""
        )
        notes.append(f"{by_time}{sure}.")
    if unknown:
        notes.append(f"{amount(unknown, 'request')} from when no release was recorded on the host.")
    return notes


def slowest_lines(slowest: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [["SLOWEST ms", "STATUS", "AT", "HOST", "RELEASE", "REQUEST", "ID"]]
    rows += [
        [
            str(request["milliseconds"]),
            str(request["status"]),
            request["at"],
            request["host"],
            request["release"],
            cell(f"{request['method']} {request['path']}"),
            request["id"],
        ]
        for request in slowest
    ]
    return aligned([list(map(line, cells)) for cells in rows], left=7)


def event_lines(events: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [["COUNT", "LEVEL", "LAST", "PROCESSES", "RELEASES", "MESSAGE"]]
    for event in events[:SHOWN_MESSAGES]:
        said = ": ".join(filter(None, (event["message"], event["exception"])))
        where = f" ({event['where']})" if event["where"] else ""
        undated = f" ({event['undated']} undated)" if event["undated"] else ""
        rows.append(
            [
                f"{event['count']}{undated}",
                event["level"],
                event["last"] or "",
                short(event["processes"]),
                short(event["releases"]),
                line(said + where),
            ]
        )
    more = len(events) - SHOWN_MESSAGES
    text = aligned([list(map(line, cells)) for cells in rows], left=6)
    return [*text, *([f"and {more} more, see -e output=json"] if more > 0 else [])]


def short(counts: Mapping[str, int]) -> str:
    """The most frequent of them, and how many others there are."""
    first, *others = sorted(counts, key=lambda name: (-counts[name], name))
    return f"{first} +{len(others)}" if others else first


def cell(text: str) -> str:
    text = line(text)
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def amount(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Rows as lines; the first ``left`` columns are texts, the others numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if number < left else text.rjust(width)
            for number, (text, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in rows
    ]
