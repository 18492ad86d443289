# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which metrics and labels an expression of Prometheus uses. Whether it is a valid one promtool says."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""(?P<string>"[^"]*"|'[^']*') | (?P<range>\[[^\]]*\]) | (?P<word>[A-Za-z_][A-Za-z0-9_:]*)
    | (?P<number>[0-9][0-9.a-z]*) | (?P<match>=~|!~|!=|==|=) | (?P<sign>[-+*/%^<>(){},]) | \s+""",
    re.VERBOSE,
)
# followed by labels in parentheses
LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
# of a scrape itself
SCRAPED = {"job", "instance"}
OPERATORS = {"and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True)
class Uses:
    """Metrics with the labels that are matched of each, and the labels that results are grouped by."""

    metrics: dict[str, set[str]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)


def tokens(expression: str) -> list[str]:
    """With an empty one at the end. Raises ValueError for what is no token."""
    found, at = [], 0
    while at < len(expression):
        token = TOKEN.match(expression, at)
        if not token:
            raise ValueError(f"not understood: {expression[at:]}")
        if token.lastgroup:
            found.append(token[0])
        at = token.end()
    return [*found, ""]


def uses(expression: str) -> Uses:
    found, matched, grouped = Uses(), None, False
    for token, after in itertools.pairwise(tokens(expression)):
        word = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_:]*", token)
        if token in LISTS:
            grouped = True
        elif word and grouped:
            found.groups.add(token)
        elif word and matched is not None:
            matched.add(token)
        elif word and after != "(" and after not in LISTS and token not in OPERATORS:
            labels = found.metrics.setdefault(token, set())
            matched = labels if after == "{" else None
        elif token == ")":
            grouped = False
        elif token == "}":
            matched = None
    return found


def unknown(expression: str, exported: dict[str, set[str]]) -> list[str]:
    """The metrics and labels in an expression that nothing exports."""
    found = uses(expression)
    wrong = [metric for metric in found.metrics if metric not in exported]
    for metric, labels in found.metrics.items():
        known = exported.get(metric, set()) | SCRAPED
        wrong += [f"{metric}{{{label}}}" for label in sorted(labels - known)]
    all_labels = SCRAPED.union(*(exported.get(metric, set()) for metric in found.metrics))
    return wrong + sorted(found.groups - all_labels)
