# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard asks for what is exported. Grafana itself runs nowhere in the tests."""

from __future__ import annotations

import itertools
import re

import pytest
from monitoring import shipped
from monitoring.promql import SCRAPED, unknown

DASHBOARD = shipped.dashboard()
QUERIES = shipped.queries()


@pytest.mark.parametrize("name", QUERIES)
def test_queries_use_metrics_and_labels_that_are_exported(
    name: str, exported: dict[str, set[str]]
) -> None:
    assert unknown(QUERIES[name], exported) == []


def test_ids_are_stable() -> None:
    """In the order of the file: a panel that is added comes last."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert ids == list(range(1, len(ids) + 1))


def test_the_dashboard_asks_the_prometheus_that_is_chosen() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    source, *variables = DASHBOARD["templating"]["list"]
    assert (source["name"], source["type"]) == ("datasource", "datasource")
    asking = [*variables, *DASHBOARD["annotations"]["list"], *DASHBOARD["panels"]]
    assert [part["datasource"] for part in asking] == [chosen] * len(asking)


def test_the_choices_of_the_dashboard_are_labels_that_are_exported(
    exported: dict[str, set[str]],
) -> None:
    _source, *variables = DASHBOARD["templating"]["list"]
    for variable in variables:
        metric, label = re.findall(r"\w+", variable["query"]["query"])[1:]
        assert variable["name"] == label
        assert label in exported[metric] | SCRAPED


def test_panels_do_not_overlap() -> None:
    taken = [
        (grid["x"] + column, grid["y"] + row)
        for grid in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for column, row in itertools.product(range(grid["w"]), range(grid["h"]))
    ]
    assert len(set(taken)) == len(taken)
    assert max(column for column, _row in taken) < 24
