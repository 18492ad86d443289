# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules, their tests and the dashboard, as files and as expressions."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "examples/monitoring/prometheus/twelvefactor.rules.yml"
RULE_TESTS = sorted(pathlib.Path(__file__).parent.glob("*.test.yml"))
DASHBOARD = ROOT / "examples/monitoring/grafana/twelvefactor.json"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def rule_tests() -> list[dict[str, Any]]:
    return [
        test
        for path in RULE_TESTS
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    ]


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return document


def queries() -> dict[str, str]:
    """The dashboard's queries, as Prometheus gets them when all apps and hosts are chosen."""
    board = dashboard()
    found = {note["name"]: note["expr"] for note in board["annotations"]["list"]}
    for panel in board["panels"]:
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    return {
        name: expression.replace("$app", ".*").replace("$instance", ".*")
        for name, expression in found.items()
    }
