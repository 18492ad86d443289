# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each part takes: measured the last time on this machine, or else roughly."""

from __future__ import annotations

import json
import os
import pathlib

ROUGH = pathlib.Path(__file__).parent / "seconds.json"


def rough() -> dict[str, float]:
    """Seconds of each part as committed: rough ones, for the order of a first run and its pace."""
    return {part: float(seconds) for part, seconds in json.loads(ROUGH.read_text()).items()}


def load(path: pathlib.Path) -> dict[str, float]:
    """Seconds of each part the last time that it passed here; empty for the first run."""
    try:
        return {part: float(seconds) for part, seconds in json.loads(path.read_text()).items()}
    except (OSError, ValueError):
        return {}


def save(path: pathlib.Path, taken: dict[str, float]) -> None:
    """Remember `taken` beside what is remembered of other parts."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(load(path) | taken, indent=1, sort_keys=True) + "\n")
    os.replace(fresh, path)
