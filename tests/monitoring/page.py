# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host exports, as series for promtool."""

from __future__ import annotations

import json
import re

from . import shipped
from .promql import uses

SAMPLE = re.compile(r"^([A-Za-z_:][A-Za-z0-9_:]*)(?:{(.*)})? (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
MINUTES = 30


def labels(page: str) -> dict[str, set[str]]:
    """By metric."""
    found: dict[str, set[str]] = {}
    for metric, given, _value in SAMPLE.findall(page):
        found.setdefault(metric, set()).update(label for label, _text in LABEL.findall(given))
    return found


def promtool_test_of_queries(page: str) -> str:
    """A test for promtool: each query of the dashboard finds something on a host that exports ``page``."""
    queries = shipped.queries()
    used = {metric for expression in queries.values() for metric in uses(expression).metrics}
    series = [
        {
            "series": f"{metric}{{{given}{',' if given else ''}job='node',instance='web1'}}",
            "values": f"{value}+0x{MINUTES}",
        }
        for metric, given, value in SAMPLE.findall(page)
        if metric in used
    ]
    asked = [
        {
            # the name is for whoever reads which one failed
            "expr": f"count({expression}) > bool 0 # {name}",
            "eval_time": f"{MINUTES}m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for name, expression in queries.items()
    ]
    # JSON is YAML
    test = {"interval": "1m", "input_series": series, "promql_expr_test": asked}
    return json.dumps({"evaluation_interval": "1m", "tests": [test]}, indent=1)
