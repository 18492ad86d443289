# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A day of a made-up fleet, as the modules would tell of it: for tests of the page, and its picture."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.factors import FACTORS
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet import logs as fleet_logs
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet import (
    status as fleet_status,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.access import (
    Request,
    Served,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.events import (
    ERROR,
    WARNING,
    Event,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.summary import (
    AppSummary,
    Limits,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import Range, iso
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record

UNTIL = 1773766800.0  # 2026-03-17T17:00:00Z
DAY = Range(UNTIL - 86400, UNTIL)
STEP = 900
HOSTS = ("app1", "app2", "app3")
HOSTILE = "<script>document.title = 'run'</script>"

SHOP = ["4.1.0-5d20c7aa", "4.2.0-b81f03de", "4.2.1-07c4e95b", "4.3.0-c2aa19f4", "4.3.1-90e7d6b2"]
BLOG = ["1.9.2-1f5e77a0", "1.9.2-e40b2c31"]
ROUTES = (
    ("GET", "/", 30),
    ("GET", "/products/17", 45),
    ("GET", "/cart", 12),
    ("POST", "/orders", 8),
)
PACKAGES = {
    "alembic": "1.16.5", "blinker": "1.9.0", "click": "8.3.0", "flask": "3.1.2",
    "gunicorn": "23.0.0", "itsdangerous": "2.2.0", "jinja2": "3.1.6", "markupsafe": "3.0.3",
    "psycopg": "3.2.10", "sentry-sdk": "2.40.0", "sqlalchemy": "2.0.44", "werkzeug": "3.1.3",
}  # fmt: skip


def record(hour: float, event: str, release: str, before: str | None, **more: Any) -> Record:
    """``hour`` is one of the day, whose last is the 24th."""
    gate = 6.2 + len(release) % 3
    steps = {"gate": gate, "switch": 0.002, "drain": 1.4, "stop": 0.3, "total": gate + 1.8}
    given: dict[str, Any] = {
        "outcome": "good",
        "durations": steps,
        "seconds": gate + 2.1,
        "by": "ann@build1",
    } | more
    return Record(iso(DAY.since + hour * 3600), event, release, before=before, **given)


def history(host: str) -> dict[str, list[Record]]:
    """The record of each app on a host; the hosts follow each other by seconds."""
    late = HOSTS.index(host) * 14 / 3600
    a, b, c, d, e = SHOP
    shop = [
        record(-20 + late, "deploy", a, None),
        record(4.2 + late, "deploy", b, a, formation={"web": 2, "worker": 1}),
        record(5.1 + late, "rollback", a, b, by="joe@laptop"),
        record(9.6 + late, "deploy", c, a),
    ]
    if host == "app1":  # the canary stopped it
        why = (
            "web-1 did not get through: GET /healthz: 500 Internal Server Error; it wrote: "
            "sqlalchemy.exc.ProgrammingError: column orders.gift does not exist"
        )
        bad = {"outcome": "bad", "reason": why, "durations": {"gate": 31.0}, "seconds": 33.4}
        shop.append(record(16.4, "deploy", d, c, **bad))
    shop.append(record(18.1 + late, "deploy", e, c))
    blog = [record(-60, "deploy", BLOG[0], None), record(12.3 + late, "deploy", BLOG[1], BLOG[0])]
    blog += [record(19.5, "scale", BLOG[1], BLOG[1], formation={"web": 2}, by="joe@laptop")]
    return {"shop": shop} | ({"blog": blog} if host != "app3" else {})


def rate(at: float) -> float:
    """Requests in a step: few at night, many in the evening."""
    hour = at / 3600 % 24

    def peak(when: int, width: float) -> float:
        away = abs(hour - when)
        return math.exp(-(min(away, 24 - away) ** 2) / width)

    return 26 + 60 * peak(11, 14) + 75 * peak(20, 9)


def requests(app: str, served: Served, chance: random.Random) -> Sequence[Request]:
    found = []
    for start in range(int(DAY.since), int(DAY.until), STEP):
        for _number in range(round(rate(start) * chance.uniform(0.85, 1.15))):
            at = start + chance.random() * STEP
            release = served.at(at)[0] or ""
            slower = {SHOP[1]: 1.9, SHOP[4]: 0.72}.get(release, 1.0)
            taken = round(chance.lognormvariate(3.4, 0.75) * slower)
            broken = 0.16 if release == SHOP[1] else 0.0015
            weights = [0.93 - broken, 0.04, 0.03, broken]
            status = chance.choices([200, 302, 404, 500], weights)[0]
            method, path, _weight = chance.choices(ROUTES, [each[2] for each in ROUTES])[0]
            path = path if app == "shop" else "/posts/3"
            found.append(
                Request(at, at - taken / 1000, taken, method, path, status, 4000, "", True, release)
            )
    return found


def logs() -> dict[str, Any]:
    """What log_document makes of what log_summary would return on each host."""
    chance = random.Random(5)
    return fleet_logs.document([(host, answer(host, chance, with_events=True)) for host in HOSTS])


def proxies() -> list[tuple[str, dict[str, Any]]]:
    """What log_summary would return on the proxies."""
    chance = random.Random(6)
    return [(f"proxy{number}", answer(HOSTS[0], chance)) for number in (1, 2)]


def answer(host: str, chance: random.Random, with_events: bool = False) -> dict[str, Any]:
    apps = {}
    for app, records in history(host).items():
        summary = AppSummary(DAY, Limits(50, 20, 5), Served(records))
        for request in requests(app, summary.served, chance):
            summary.request(request)
        if with_events and app == "shop":
            log_events(summary, DAY.since)
        apps[app] = summary.packed()
    return {**DAY.told(), "step": STEP, "apps": apps, "nginx": [], "incomplete": []}


def log_events(summary: AppSummary, since: float) -> None:
    deadlock = Event(
        ERROR, "POST /orders failed", since + 4.5 * 3600, SHOP[1],
        "psycopg.errors.DeadlockDetected: deadlock detected", "shop/orders.py in reserve",
    )  # fmt: skip
    for _number in range(37):
        summary.event(deadlock, "web-1", False)
    hostile = Event(ERROR, f"Cannot read the name {HOSTILE}", since + 19 * 3600, SHOP[4])
    for _number in range(2):
        summary.event(hostile, "worker-1", False)
    slow = Event(WARNING, "The mail server took 4.1 s", since + 8 * 3600, SHOP[0])
    summary.event(slow, "worker-1", False)


def processes(app: str, host: str, current: str, since: str) -> dict[str, Any]:
    sizes = (
        {"web-1": 148, "web-2": 151, "worker-1": 83}
        if app == "shop"
        else {"web-1": 64, "web-2": 66}
    )
    found = {
        name: {
            "state": "serving", "release": current, "pid": 4711, "pivot": 4700, "generation": 7,
            "since": since, "serves": True, "restarts": 0,
            "memory": (megabytes + HOSTS.index(host) * 3) * 1024**2,
            "healthy": True if name.startswith("web") else None,
            "answer": "GET /healthz: 200 OK" if name.startswith("web") else None,
        }
        for name, megabytes in sizes.items()
    }  # fmt: skip
    if (app, host) == ("shop", "app3"):
        found["worker-1"] |= {"restarts": 3, "since": iso(UNTIL - 2400)}
    return found


def status() -> dict[str, Any]:
    """What fleet_document makes of what release_info would return on each host."""
    answers = []
    for host in HOSTS:
        results = []
        for app, records in history(host).items():
            last = [each for each in records if each.outcome == "good" and each.event != "scale"][
                -1
            ]
            told = {
                "item": app, "app": app, "state": "serving", "current": last.release,
                "since": last.at, "formation": {"web": 2} | ({"worker": 1} if app == "shop" else {}),
                "processes": processes(app, host, last.release, last.at),
                "records": [dict(vars(each)) for each in records],
                "drift": [], "unwell": [], "lock": None, "restarts": 0,
                "packages": PACKAGES | {app: last.release.partition("-")[0]},
                "disk": {
                    "path": f"/srv/{app}", "size": 40 * 1024**3,
                    "free": int((17.4 - 5.2 * HOSTS.index(host)) * 1024**3),
                    "releases": (410 if app == "shop" else 96) * 1024**2,
                },
            }  # fmt: skip
            results.append(told)
        results.append(
            {"item": "later", "state": "absent", "current": None, "formation": {}} | ABSENT
        )
        answers.append((host, {"ping": "pong"}, {"results": results}))
    found = fleet_status.document(answers)
    ending = [("app1", 61), ("app2", 61), ("app3", 61), ("proxy1", 9), ("index1", 74)]
    found["certificates"] = {
        host: {
            "shop" if days < 70 else "index": {"expires": iso(UNTIL + days * 86400), "days": days}
        }
        for host, days in ending
    }
    return found


ABSENT: dict[str, Any] = {
    "since": None, "processes": {}, "records": [], "drift": [], "unwell": [], "lock": None,
}  # fmt: skip


def audit() -> dict[str, Any]:
    """Of shop nothing is wrong, and one thing is not known; blog keeps its data in a file."""
    unknown = {"codebase": ("unknown", "4.3.1 does not name the commit it was built from")}
    finding = {"backing services": ("finding", "DATABASE_URL: a file on the host")}
    return {"apps": {"shop": factors(unknown), "blog": factors(finding)}}


def factors(others: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    found = []
    for number, name in enumerate(FACTORS, 1):
        verdict, evidence = others.get(name, ("ok", f"as the {len(HOSTS)} hosts show"))
        remedy = "Attach a database over the network." if verdict == "finding" else ""
        found.append(
            {"number": number, "factor": name, "verdict": verdict}
            | {"evidence": evidence, "remedy": remedy}
        )
    return found


def documents() -> dict[str, Any]:
    """What the filter report_page takes."""
    return {"status": status(), "logs": logs(), "proxies": proxies(), "audit": audit()}
