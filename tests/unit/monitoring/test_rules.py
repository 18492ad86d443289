# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert rules use what is exported, and each has its tests, which promtool runs in the scenario monitoring."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from monitoring import shipped
from monitoring.promql import unknown

RULES = shipped.rules()
NAMES = [rule["alert"] for rule in RULES]


def samples(name: str) -> list[list[dict[str, Any]]]:
    """What the tests of an alert expect, each time that they ask."""
    return [
        asked["exp_samples"]
        for test in shipped.rule_tests()
        for asked in test["promql_expr_test"]
        if f'alertname="{name}"' in asked["expr"]
    ]


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
class TestAlert:
    """What each alert has."""

    def test_metrics_and_labels_that_are_exported(
        self, rule: dict[str, Any], exported: dict[str, set[str]]
    ) -> None:
        assert unknown(rule["expr"], exported) == []

    def test_a_test_in_which_it_fires_and_one_in_which_it_does_not(
        self, rule: dict[str, Any]
    ) -> None:
        assert {bool(expected) for expected in samples(rule["alert"])} == {False, True}

    def test_a_severity(self, rule: dict[str, Any]) -> None:
        assert rule["labels"]["severity"] in {"warning", "critical"}

    def test_annotations_whose_labels_it_has(self, rule: dict[str, Any]) -> None:
        """The labels that promtool found on it when it fired."""
        assert set(rule["annotations"]) == {"summary", "description"}
        for text in rule["annotations"].values():
            named = set(re.findall(r"\$labels\.(\w+)", text))
            for expected in itertools.chain.from_iterable(samples(rule["alert"])):
                assert named <= set(re.findall(r'(\w+)="', expected["labels"]))

    def test_remedies_that_exist(self, rule: dict[str, Any]) -> None:
        """Playbooks that it says to run."""
        text = rule["annotations"]["description"]
        for playbook in re.findall(r"twelvefactor\.deploy\.(\w+)", text):
            assert (shipped.ROOT / f"playbooks/{playbook}.yml").exists()


def test_no_name_stands_twice() -> None:
    assert len(set(NAMES)) == len(NAMES)
