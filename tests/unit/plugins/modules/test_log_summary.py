# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module log_summary: what it refuses, and that it returns what it counted."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.summary import Places
from ansible_collections.twelvefactor.deploy.plugins.modules import log_summary


@pytest.fixture
def call(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    places = Places(tmp_path, tmp_path / "nginx", tmp_path)
    monkeypatch.setattr(log_summary, "PLACES", places)
    monkeypatch.setattr(log_summary.os, "nice", lambda _more: 0)

    def run(**params: Any) -> dict[str, Any]:
        with patch_module_args(params), pytest.raises(SystemExit):
            log_summary.main()
        return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]

    return run


def test_counted(call: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "web-1.log").write_text("ERROR lost\n")
    told = call(apps=["shop", "blog"], since="1h")
    assert told["changed"] is False
    assert told["apps"]["shop"]["events"][0]["message"] == "lost"
    assert told["apps"]["blog"]["requests"]["requests"] == 0
    assert told["step"] == 60


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"since": "soon"}, "Invalid time since='soon': write 90m"),
        ({"since": "1h", "until": "2h"}, "Nothing lies between since='1h'"),
        ({"apps": ["../etc"]}, "Invalid app name '../etc': use only lower-case letters, digits"),
        ({"routes": 0}, "routes has to be at least 1, and is 0."),
        ({"timeout": 0.5}, "timeout has to be at least 1, and is 0.5."),
    ],
)
def test_refused(call: Any, params: dict[str, Any], reason: str) -> None:
    told = call(**({"apps": ["shop"]} | params))
    assert told["failed"] is True
    assert told["msg"].startswith(reason)
