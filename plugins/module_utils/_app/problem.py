# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing in an inventory that cannot be meant, as one sentence for the user. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

LONG_WORD = 9  # characters from which on a second slip is likelier than another word


@dataclass(frozen=True)
class Problem:
    """``path``: the variable's, ``apps.shop.keep``. ``what`` is wrong with it, as the rest of a
    sentence. ``right``: the form that is needed. ``near``: the known name that was probably meant."""

    path: str
    what: str
    right: str = ""
    near: str = ""

    def __str__(self) -> str:
        said = "; ".join(filter(None, [f"{self.path} {self.what}", self.right]))
        return f"{said}; did you mean {self.near!r}?" if self.near else f"{said}."


def misspelled(word: str, known: Iterable[str], slips: int | None = None) -> str:
    """The known word that ``word`` is but for ``slips``; empty if there is none.

    A slip is a character too many, too few, another one, or two that changed places. Without a number: one,
    or two in a long word.
    """
    slips = slips or (1 if len(word) < LONG_WORD else 2)
    near = sorted((distance(word, each), each) for each in known)
    return near[0][1] if near and near[0][0] <= slips else ""


def distance(one: str, other: str) -> int:
    """How many slips are between two words (optimal string alignment, a restricted Damerau-Levenshtein distance)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1]


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty if none is near."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return found[0] if found else ""
