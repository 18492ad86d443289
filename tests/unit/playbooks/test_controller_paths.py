# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of the controller are resolved by one filter, wherever a playbook or a role reads them."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = [
    path
    for place in ("playbooks", "roles")
    for path in sorted((ROOT / place).rglob("*.yml"))
    if not {"defaults", "meta"} & set(path.parts)
]
FILTER = "twelvefactor.deploy.controller_path"
# relative to the inventory
OF_THE_INVENTORY = [
    "__app_wheelhouse",
    "__rollout_ca_path",
    "deploy_graphite_ca",
    "index_ca_file",
    "publish_advisories",
    "publish_ca_path",
    "publish_output",
    "publish_source",
    "publish_tools_directory",
    "rollout_graphite_ca",
]
# relative to the current directory
OF_THE_COMMAND_LINE = ["archive", "backup_to", "into", "repo", "report_output"]


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def readings(variable: str, expression: str) -> list[str]:
    """What an expression makes of a variable where it reads its value, and does not only ask for it."""
    bare = re.sub(r"'[^']*'", "''", " ".join(expression.split()))
    read = re.compile(
        rf"(?<![\w.])(?<!if ){re.escape(variable)}\b(?! is| \| basename)( \| default\(''\))?(.{{0,60}})"
    )
    return [found[2].strip() for found in read.finditer(bare)]


@pytest.mark.parametrize("variable", OF_THE_INVENTORY + OF_THE_COMMAND_LINE)
def test_a_path_of_the_controller_is_resolved(variable: str) -> None:
    filters = [
        reading
        for path in FILES
        for text in texts(yaml.safe_load(path.read_text(encoding="utf-8")))
        for expression in re.findall(r"\{\{(.*?)\}\}", text, re.DOTALL)
        for reading in readings(variable, expression)
    ]
    relative_to = (
        r"\((inventory_dir|__publish_base|__rollout_base|__app_base)"
        if variable in OF_THE_INVENTORY
        else r"( |$)"
    )
    assert filters, "nobody reads it any more: take it off the list"
    assert [f for f in filters if not re.match(rf"\| {re.escape(FILTER)}{relative_to}", f)] == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (" index_ca_file ", [""]),
        ("index_ca_file | default('/a') | x(1)", ["| x(1)"]),
        ("__index_ca_file if index_ca_file is defined else 'index_ca_file'", []),
        ("x if index_ca_file else index_ca_file | y", ["| y"]),
    ],
)
def test_what_counts_as_reading(expression: str, expected: list[str]) -> None:
    assert readings("index_ca_file", expression) == expected
