# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages that users read: their blocks, the commands in these, their headings and links."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[1]
# of the site, but for those that are about a checkout
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if path.name != "map.md"
]
FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`([\w./-]+)`")
ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    body: str
    before: str  # the page's text between the block before and this one

    @property
    def file(self) -> str:
        """The last name of a file before it; empty where there is none."""
        names = [name for name in FILE.findall(self.before) if "." in name or name == "Procfile"]
        return names[-1] if names else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    text, found, end = read(page), [], 0
    for block in FENCE.finditer(text):
        indent, language, body = block.groups()
        body = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        line = text.count("\n", 0, block.start()) + 1
        found.append(Block(page, line, language, body, text[end : block.start()]))
        end = block.end()
    return found


def shown(body: str) -> list[str]:
    """The commands of a block of a console, without their prompts and comments."""
    joined = re.sub(r" *\\\n +", " ", body)
    lines = [line[2:] for line in joined.splitlines() if line.startswith(("$ ", "# "))]
    return [line.partition("  # ")[0].strip() for line in lines]


def words(command: str) -> Iterator[list[str]]:
    """Each program of a command line with its arguments, without variables set for it."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    program: list[str] = []
    for word in lexer:
        if word in ("|", "&&", "||", ";", "(", ")"):
            yield from filter(None, [program])
            program = []
        elif program or not ASSIGNMENT.match(word):
            program.append(word)
    yield from filter(None, [program])


def without_blocks(text: str) -> str:
    return FENCE.sub("", text)


def headings(text: str) -> list[str]:
    return re.findall(r"(?m)^(#+ .*)$", without_blocks(text))


def anchors(text: str) -> set[str]:
    """What a forge, and the site, call the headings of a page in links."""
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line.lstrip("# ")) for line in headings(text)]
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in plain}


def links(text: str) -> list[str]:
    return re.findall(r"\]\(((?!https?:)[^)\s]+)\)", without_blocks(text))
