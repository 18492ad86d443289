# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/troubleshooting.md quotes messages that the code has."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
# what stands for a value in a message
VALUE = "\0"
QUOTED = re.compile(r"`([^`]+)`")


def of_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def of_yaml(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from of_yaml(each)
    elif isinstance(value, str):
        yield re.sub(r"\{\{.*?\}\}|\{%.*?%\}", VALUE, value, flags=re.DOTALL)
        # texts inside of templates
        yield re.sub(r"' ~[^']*~\s*'|'\s*~ '", VALUE, " ".join(value.split()))


@functools.cache
def messages() -> frozenset[str]:
    found: set[str] = set()
    for place in ("plugins", "roles", "playbooks"):
        for path in (ROOT / place).rglob("*.py"):
            found.update(of_python(path.read_text(encoding="utf-8")))
        for path in (ROOT / place).rglob("*.yml"):
            if path.parent.name in ("tasks", "playbooks", "vars"):
                found.update(of_yaml(yaml.safe_load(path.read_text(encoding="utf-8"))))
    return frozenset(" ".join(text.split()) for text in found)


def is_message(quote: str) -> bool:
    """Whether one message has all of the quote, whose … stand for values or for more words."""
    pattern = ".*".join(re.escape(part.strip()) for part in quote.split("…"))
    return any(re.search(pattern, text) for text in messages())


def headings() -> list[str]:
    return [line for line in PAGE.splitlines() if line.startswith("### ")]


@pytest.mark.parametrize("heading", headings())
def test_every_message_of_the_page_is_one_of_the_code(heading: str) -> None:
    quotes = QUOTED.findall(heading)
    assert quotes
    assert [quote for quote in quotes if not is_message(quote)] == []


def test_the_answers_of_health_checks_are_those_of_the_pivot() -> None:
    answers = [quote for quote in re.findall(r"(?m)^- `([^`]+)`", PAGE) if "HTTP" not in quote]
    assert len(answers) == 2
    assert [answer for answer in answers if not is_message(answer)] == []


def test_the_page_has_messages_of_every_stage() -> None:
    assert len(re.findall(r"(?m)^## ", PAGE)) >= 6
    assert len(headings()) >= 25


@pytest.mark.parametrize(
    "quote",
    ["the index is tired", "There is no wheel of … on …; it has …", "did you mean … perhaps?"],
)
def test_a_message_that_nobody_writes_is_noticed(quote: str) -> None:
    assert not is_message(quote)
