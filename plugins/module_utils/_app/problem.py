# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing in an inventory that cannot be meant, as one sentence for the user. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


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


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty if none is near."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return found[0] if found else ""
