# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README.zh.md follows README.md: section by section, each with a digest of what it translates.

After a change of the English page, translate it, then write the digest that the failing test shows.
"""

from __future__ import annotations

import hashlib
import itertools
import re

import pages
import pytest

ENGLISH, CHINESE = pages.read("README.md"), pages.read("README.zh.md")
DIGEST = re.compile(r"<!-- translates ([0-9a-f]{12}) -->\n")


def sections(text: str) -> list[str]:
    """From one heading to the next; a line of a block is none."""
    hidden = pages.FENCE.sub(lambda block: re.sub(r"(?m)^#", " ", block[0]), text)
    starts = [found.start() for found in re.finditer(r"(?m)^#+ ", hidden)] + [len(text)]
    return [text[start:end].strip() for start, end in itertools.pairwise(starts)]


def digest(section: str) -> str:
    return hashlib.sha256(section.encode()).hexdigest()[:12]


PAIRS = list(zip(sections(ENGLISH), sections(CHINESE), strict=False))


def test_the_pages_have_the_same_headings() -> None:
    levels = [
        [heading.partition(" ")[0] for heading in pages.headings(t)] for t in (ENGLISH, CHINESE)
    ]
    assert levels[0] == levels[1]
    assert len(PAIRS) == len(levels[0]) > 5


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[each[0][:30] for each in PAIRS])
def test_each_section_says_which_english_one_it_translates(english: str, chinese: str) -> None:
    assert DIGEST.findall(f"{chinese}\n") == [digest(english)]


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[each[0][:30] for each in PAIRS])
def test_code_and_links_are_the_same(english: str, chinese: str) -> None:
    def code(text: str) -> list[str]:
        return [block[0] for block in pages.FENCE.finditer(text)]

    assert code(chinese) == code(english)
    other = {"README.md", "README.zh.md"}
    assert sorted(set(pages.links(chinese)) - other) == sorted(set(pages.links(english)) - other)
    assert chinese.count("\n|") == english.count("\n|")


def test_a_change_of_the_english_page_is_noticed() -> None:
    assert digest(PAIRS[1][0]) != digest(PAIRS[1][0].replace("ansible", "Ansible", 1))


def test_no_space_stands_between_chinese_characters() -> None:
    """A line break in a paragraph becomes one."""
    text = pages.without_blocks(CHINESE)
    assert (
        re.findall(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef][ \n] *[\u4e00-\u9fff]", text) == []
    )
    assert re.findall(r"[\uff0c\u3002\u3001\uff1b\uff1a] ", text) == []
