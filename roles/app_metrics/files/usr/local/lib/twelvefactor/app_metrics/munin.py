# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graphs for munin."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .metrics import Sample, number

DAY = 86400.0  # seconds


@dataclass(frozen=True)
class Graph:
    """A plugin of munin: which metric it shows, and how."""

    title: str
    unit: str
    metric: str
    extra: dict[str, str] = field(default_factory=dict)  # of each field
    label: str = "app"  # names the fields
    step: str = ""  # only samples with this one
    value: Callable[[float, float], float] = lambda value, _now: value


GRAPHS = {
    "app_health": Graph("Health of apps", "1: every process is up", "app_healthy"),
    "app_processes": Graph("Processes of apps", "processes that are up", "app_processes_up"),
    "app_memory": Graph(
        "Memory of apps",
        "bytes",
        "process_resident_memory_bytes",
        {"draw": "AREASTACK"},
        label="process",
    ),
    "app_restarts": Graph(
        "Restarts of apps' processes",
        "restarts per ${graph_period}",
        "process_restarts_total",
        {"type": "DERIVE", "min": "0"},
        label="process",
    ),
    "app_gate": Graph(
        "Time until a new release was proven",
        "seconds, of the last move",
        "process_move_seconds",
        label="process",
        step="gate",
    ),
    "app_deploy": Graph(
        "Age of releases",
        "days since the last deploy",
        "app_deploy_time_seconds",
        value=lambda value, now: (now - value) / DAY,
    ),
    "circus": Graph("Supervisors of apps", "1: circusd runs", "supervisor_up"),
    "circus_memory": Graph(
        "Memory of supervisors", "bytes", "supervisor_resident_memory_bytes", {"draw": "AREASTACK"}
    ),
    "certificates": Graph(
        "Certificates",
        "days left",
        "certificate_expiry_time_seconds",
        label="certificate",
        value=lambda value, now: (value - now) / DAY,
    ),
}


def fields(graph: Graph, samples: Iterable[Sample]) -> dict[str, Sample]:
    """The samples of a graph, by the names that munin takes."""
    found = {}
    for sample in samples:
        if sample.name == graph.metric and sample.labels.get("step", "") == graph.step:
            words = [sample.labels.get("app", ""), sample.labels[graph.label]]
            name = "_".join(dict.fromkeys(word for word in words if word))
            found[re.sub(r"\W|^(?=\d)", "_", name)] = sample
    return found


def munin(
    plugin: str, command: str, document: dict[str, Any] | None, now: float, limits: dict[str, str]
) -> list[str]:
    """What a plugin of munin answers; ``U`` is its word for what nobody knows."""
    graph = GRAPHS[plugin]
    if command == "autoconf":
        return ["yes" if document else "no (no numbers yet: the role app_metrics collects them)"]
    given = document or {"samples": [], "until": 0}
    found = fields(graph, [Sample(*sample) for sample in given["samples"]])
    if command == "config":
        lines = [
            f"graph_title {graph.title}",
            f"graph_vlabel {graph.unit}",
            "graph_category apps",
            "graph_args --base 1024 -l 0" if graph.unit == "bytes" else "graph_args -l 0",
        ]
        for name, sample in found.items():
            words = [sample.labels.get("app", ""), sample.labels[graph.label]]
            lines.append(f"{name}.label {' '.join(dict.fromkeys(word for word in words if word))}")
            lines += [f"{name}.{key} {text}" for key, text in {**graph.extra, **limits}.items()]
        return lines
    known = now <= given["until"]
    return [
        f"{name}.value {number(round(graph.value(sample.value, now), 3)) if known else 'U'}"
        for name, sample in found.items()
    ]
