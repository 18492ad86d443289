# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find in what a part wrote why it failed: text from text, nothing else.

What ends a log is not what made it fail: Molecule takes its hosts away first, pytest lists durations.
"""

from __future__ import annotations

import collections.abc
import itertools
import re

SHOWN_LINES = 24
SHOWN_COLUMNS = 400

# of pytest's short summary and of its tracebacks
_PYTEST = re.compile(r"(FAILED|ERROR) \S+::|E  +\S")
_TASK = re.compile(r"(TASK|RUNNING HANDLER) \[")
_FATAL = re.compile(r"(fatal|failed): \[")


def find(lines: collections.abc.Sequence[str]) -> list[str]:
    """The lines that say why: the last task of Ansible's that failed, and what pytest says.

    At most `SHOWN_LINES` lines of `SHOWN_COLUMNS` characters; empty where nothing is known, as with a
    linter, whose last lines say it all.
    """
    found = _last_failed_task(lines) + [line for line in lines if _PYTEST.match(line)]
    return [line[:SHOWN_COLUMNS] for line in found[:SHOWN_LINES]]


def _last_failed_task(lines: collections.abc.Sequence[str]) -> list[str]:
    """The heading of the last task that failed, and each of its failures, without empty lines.

    Tasks that are meant to fail do so before it: the last one is what ended the run.
    """
    starts = [number for number, line in enumerate(lines) if _TASK.match(line)]
    for start, end in reversed(list(itertools.pairwise([*starts, len(lines)]))):
        shown: list[str] = []
        inside = False
        for line in lines[start + 1 : end]:
            inside = bool(_FATAL.match(line)) or (inside and line[:1] in ("", " "))
            if inside and line:
                shown.append(line)
        if shown:
            return [lines[start].rstrip("* "), *shown]
    return []
