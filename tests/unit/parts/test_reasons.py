# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from parts import reasons

MOLECULE = """\
TASK [Refuse what must be refused] *********************************************
fatal: [app12]: FAILED! =>
    msg: as it should be
ok: [app13]

TASK [Require that the release from before serves] *****************************
ok: [app12]
fatal: [app13]: FAILED! =>
    changed: false
    stdout: |-
        left in /run/subject: web-1.7.sock

        12 is a zombie
failed: [app14] (item=2) =>
    msg: no

PLAY [Remove the hosts] ********************************************************

TASK [Remove them] *************************************************************
changed: [localhost]

PLAY RECAP *********************************************************************
localhost                  : ok=1    changed=1    unreachable=0    failed=0
"""


def test_the_last_task_that_failed_is_shown_whole() -> None:
    assert reasons.find(MOLECULE.splitlines()) == [
        "TASK [Require that the release from before serves]",
        "fatal: [app13]: FAILED! =>",
        "    changed: false",
        "    stdout: |-",
        "        left in /run/subject: web-1.7.sock",
        "        12 is a zombie",
        "failed: [app14] (item=2) =>",
        "    msg: no",
    ]


@pytest.mark.parametrize(
    "line",
    ["FAILED tests/unit/test_rooms.py::test_one - AssertionError", "E   assert 1 == 2"],
)
def test_what_pytest_says_is_shown(line: str) -> None:
    assert reasons.find(["1 passed", line, "slowest durations"]) == [line]


def test_nothing_is_made_up() -> None:
    assert reasons.find(["src/x.py:1: error: no", "make: *** [lint] Error 1"]) == []


def test_it_stays_short() -> None:
    lines = reasons.find(["E   " + "x" * 1000] * 100)
    assert (len(lines), len(lines[0])) == (reasons.SHOWN_LINES, reasons.SHOWN_COLUMNS)
