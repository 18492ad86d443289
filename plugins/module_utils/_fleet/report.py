# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page about a fleet says, from the documents of status, logs and audit. Pure; no HTML in here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.logs import document
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_app import app
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_audit import (
    factor_rows,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_events import events
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_hosts import (
    certificates,
    disks,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_numbers import tiles
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_requests import (
    proxy_loads,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_text import (
    clock,
    duration,
    seconds_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_troubles import (
    ORDER,
    findings,
    not_counted,
    troubles,
    verdict,
)


def page(found: Mapping[str, Any], title: str, now: float) -> dict[str, Any]:
    """All that the template shows, in its order; every text is still to be escaped."""
    status, logs, audit = found["status"], found["logs"], found.get("audit") or {"apps": {}}
    # each by itself: what one of them is slow with, the others are not
    proxies = {host: document([(host, answer)]) for host, answer in found.get("proxies") or []}
    names = list(dict.fromkeys([*status["apps"], *logs["apps"]]))
    apps = [
        app(name, number, status["apps"].get(name), logs["apps"].get(name), logs)
        | {
            "factors": factor_rows(audit["apps"].get(name, [])),
            "proxies": proxy_loads(name, proxies, logs["apps"].get(name)),
        }
        for number, name in enumerate(names, 1)
    ]
    # what is in the inventory and on no host is a line, and not a section
    there = [each for each in apps if each["there"]]
    amiss = [*troubles(status, logs, there), *findings(audit, there)]
    for answers in proxies.values():
        amiss += not_counted(answers)
    amiss.sort(key=lambda each: ORDER.index(each["grade"]))
    since, until = seconds_of(logs["since"]), seconds_of(logs["until"])
    return {
        "title": title,
        "made": clock(now),
        "since": clock(since),
        "until": clock(until),
        "span": duration((until or 0) - (since or 0)),
        "verdict": verdict(amiss),
        "tiles": tiles(status, logs, there),
        "troubles": amiss,
        "apps": there,
        "absent": [each["name"] for each in apps if not each["there"]],
        "certificates": certificates(status.get("certificates", {})),
        "disks": disks(status["apps"]),
        "nginx": events(logs["nginx"]),
        "latency_error": f"{100 * logs['latency_error']:.0f} %",
    }
