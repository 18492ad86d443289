# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module explains is printed where that is asked for, and not where the task is to be silent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.twelvefactor.deploy.plugins.action.scaffold import ActionModule


@pytest.mark.parametrize(
    ("explain", "no_log", "printed"),
    [
        (True, False, ["Written:", "  hosts.yml"]),
        ("yes", False, ["Written:", "  hosts.yml"]),
        (False, False, []),
        (None, False, []),
        (True, True, []),
    ],
)
def test_who_gets_lines(
    explain: Any, no_log: bool, printed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    action = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(
        args={} if explain is None else {"explain": explain}, no_log=no_log
    )
    action._display = SimpleNamespace(display=lines.append)
    result = {"text": ["Written:", "  hosts.yml"]}
    monkeypatch.setattr(action, "_execute_module", lambda **_: result)
    assert action.run() == result
    assert lines == printed
