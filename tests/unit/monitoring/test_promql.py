# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from expressions of Prometheus."""

from __future__ import annotations

import pytest
from monitoring.promql import Uses, unknown, uses


@pytest.mark.parametrize(
    ("expression", "metrics", "groups"),
    [
        ("1 - a / b > bool 0.5e3", {"a": set(), "b": set()}, set()),
        ('rate(a{x="y z", w!~"v|u"}[5m] offset 1h)', {"a": {"x", "w"}}, set()),
        ("sum without (x, y) (a) unless on (job) b", {"a": set(), "b": set()}, {"x", "y", "job"}),
        ("max(a) by (x) + time()", {"a": set()}, {"x"}),
    ],
)
def test_metrics_and_labels_of_an_expression(
    expression: str, metrics: dict[str, set[str]], groups: set[str]
) -> None:
    assert uses(expression) == Uses(metrics, groups)


def test_what_is_no_expression() -> None:
    with pytest.raises(ValueError, match="not understood"):
        uses("a ? b")


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("twelvefactor_app_healthy == 0", []),
        ("twelvefactor_app_health == 0", ["twelvefactor_app_health"]),
        ('up{app="shop"}', ["up{app}"]),
        ("sum by (host) (rate(node_vmstat_oom_kill[5m]))", ["host"]),
    ],
)
def test_what_is_not_exported_is_found(
    expression: str, wrong: list[str], exported: dict[str, set[str]]
) -> None:
    assert unknown(expression, exported) == wrong
