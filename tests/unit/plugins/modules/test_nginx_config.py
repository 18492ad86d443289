# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module itself: what it logs, what it documents, and its lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import LockFile
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.modules import nginx_config


def parameters(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in nginx_config.ARGUMENTS.items()}
    return {**defaults, "name": "s", **given}


def test_secrets_are_not_logged() -> None:
    for option in ("secret_files", "worker_files"):
        assert nginx_config.ARGUMENTS[option]["no_log"] is True


def test_no_content_is_logged_on_the_host(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(
        basic.AnsibleModule, "_log_to_syslog", lambda _self, text: logged.append(text)
    )
    failed = call(
        nginx_config.main,
        name="s",
        files={"a": 'proxy_set_header Authorization "hunter2";'},
        copies={"c": "/nowhere"},
    )
    assert "c is to be a copy of /nowhere" in failed.result["msg"]
    assert "hunter2" not in " ".join(logged)


def test_documentation_and_arguments_agree() -> None:
    options = yaml.safe_load(nginx_config.DOCUMENTATION)["options"]
    assert options.keys() == nginx_config.ARGUMENTS.keys()
    for name, option in nginx_config.ARGUMENTS.items():
        for key in ("type", "required", "default", "choices", "elements"):
            assert options[name].get(key) == option.get(key), (name, key)


def test_who_has_lost_the_lock_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "LockFile", lambda app: LockFile(app, tmp_path))
    given = parameters(name="shop", lock_generation=1)
    with (
        pytest.raises(DeployError, match="does not hold the lock of shop on this host any more"),
        nginx_config.fenced(given, check=False),
    ):
        raise AssertionError
    with nginx_config.fenced(given, check=True), nginx_config.fenced(parameters(), check=False):
        pass
