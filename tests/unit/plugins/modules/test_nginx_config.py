# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the parameters of nginx_config to a request."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import LockFile
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import NginxError
from ansible_collections.twelvefactor.deploy.plugins.modules import nginx_config


def parameters(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in nginx_config.ARGUMENTS.items()}
    return {**defaults, "name": "s", **given}


def test_files_secrets_and_copies_with_their_modes(tmp_path: Path) -> None:
    source = tmp_path / "made.key"
    source.write_text("made")
    source.chmod(0o640)
    request = nginx_config.read_request(
        parameters(
            files={"a": "text"},
            secret_files={"k": "secret"},
            worker_files={"w": "hash"},
            copies={"c": str(source)},
            absent=["d"],
            replace=["a"],
        ),
        check=False,
    )
    found = {path: (file.content, file.mode) for path, file in request.wanted.items()}
    assert found == {
        "a": (b"text", 0o644),
        "k": (b"secret", 0o600),
        "w": (b"hash", 0o640),
        "c": (b"made", 0o640),
    }
    assert request.wanted["w"].owner == (os.geteuid(), grp.getgrnam("www-data").gr_gid)
    assert (request.absent, request.replace) == ({"d"}, {"a"})


def test_a_copy_of_what_is_not_there_yet(tmp_path: Path) -> None:
    given = parameters(copies={"c": str(tmp_path / "none")})
    assert nginx_config.read_request(given, check=True).wanted["c"].content is None
    with pytest.raises(NginxError, match=r"c is to be a copy of .*/none, which does not exist"):
        nginx_config.read_request(given, check=False)


def test_certificates_are_signed_where_they_are_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nginx_config, "STATE", tmp_path / "state")
    certificate = {"name": "shop", "alternative_names": ["DNS:shop.test"], "trust": True}
    given = parameters(
        self_signed={"authority": "CA of app1", "days": 90, "certificates": [certificate]}
    )
    predicted = nginx_config.read_request(given, check=True).wanted
    assert {file.content for file in predicted.values()} == {None}
    assert not (tmp_path / "state").exists()
    wanted = nginx_config.read_request(given, check=False).wanted
    assert wanted.keys() == predicted.keys()
    assert {content[:11] for file in wanted.values() if (content := file.content)} == {
        b"-----BEGIN "
    }
    assert nginx_config.read_request(given, check=False).wanted == wanted
    for more, words in (
        (
            {"files": {"certificates/shop.pem": "x"}},
            r"certificates/shop\.pem: given more than once",
        ),
        ({"state": "absent"}, "takes no files"),
    ):
        with pytest.raises(NginxError, match=words):
            nginx_config.read_request({**given, **more}, check=False)
    given["self_signed"]["days"] = 0
    with pytest.raises(NginxError, match="'days' of 'self_signed' must be at least 1"):
        nginx_config.read_request(given, check=False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"files": {"a": 1}}, "content of a in 'files' is not a text"),
        ({"files": {"a": "x"}, "secret_files": {"a": "y"}}, "a: given more than once"),
        ({"files": {"a": "x"}, "state": "absent"}, "takes no files"),
        ({"absent": ["a"], "state": "absent"}, "takes no files"),
    ],
)
def test_contradictions_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(NginxError, match=words):
        nginx_config.read_request(parameters(**given), check=False)


def test_secrets_are_not_logged() -> None:
    for option in ("secret_files", "worker_files"):
        assert nginx_config.ARGUMENTS[option]["no_log"] is True


def test_a_host_without_the_group_of_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx_config, "WORKERS", "no-such-group")
    with pytest.raises(NginxError, match="The group no-such-group of nginx's workers"):
        nginx_config.read_request(parameters(worker_files={"w": "hash"}), check=False)


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
