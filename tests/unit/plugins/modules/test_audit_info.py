# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module audit_info: an app that is there or not; what it returns is what the filters judge."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.filter.audit import FilterModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit import facts
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.inspection import (
    NOTHING,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.modules import audit_info, release

CANARY = "canary-in-a-coal-mine"  # in what conftest.py gives the module release
RELEASE = "2.0-bbbbbbbb"
FILTERS = FilterModule().filters()


@pytest.fixture
def seen(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What release_info would say."""
    found = dict(NOTHING)
    monkeypatch.setattr(facts, "inspect", lambda _app, _request: found)
    monkeypatch.setattr(facts, "home_of", lambda _app: home)
    monkeypatch.setattr(facts, "unit_facts", lambda _unit: {"ProtectSystem": "strict"})
    return found


def judged(result: dict[str, Any]) -> dict[str, str]:
    answers = [("app1", ["shop"], {"ping": "pong"}, {"results": [{"item": "shop"} | result]})]
    document = FILTERS["audit_document"](answers, {"shop": {"formation": {"web": 1}}})
    assert len(FILTERS["audit_table"](document)) == 15
    return {each["factor"]: each["evidence"] for each in document["apps"]["shop"]}


def test_a_host_without_the_app(call: Any, seen: dict[str, Any]) -> None:
    done = call(audit_info.main, app="shop", _ansible_check_mode=True)
    assert (done.code, done.result["changed"]) == (0, False)
    assert set(judged(done.result).values()) == {"no release here"}


def test_a_release_of_which_not_much_is_left(
    call: Any, home: AppHome, seen: dict[str, Any]
) -> None:
    (home.releases / RELEASE).mkdir()
    (home.releases / RELEASE / "release.json").write_text(json.dumps({"id": RELEASE}))
    seen["current"] = RELEASE
    before = sorted(home.root.rglob("*"))
    done = call(audit_info.main, app="shop")
    assert done.code == 0, done.printed
    assert sorted(home.root.rglob("*")) == before
    evidence = judged(done.result)
    assert "cannot be read" not in " ".join(evidence.values()).replace("env cannot be read", "")
    assert "requirements.txt" in evidence["dependencies"]


def test_a_release_as_the_module_release_installs_it(
    call: Any,
    home: AppHome,
    params: dict[str, Any],
    seen: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AppHome, "of", classmethod(lambda _cls, _app, foreseen=False: home))
    (home.root / "cache").mkdir()
    seen["current"] = call(release.main, **params).result["release"]
    # the app is another user than who installs
    app = dataclasses.replace(home, uid=home.uid + 1, gid=home.gid + 1)
    monkeypatch.setattr(facts, "home_of", lambda _app: app)
    done = call(audit_info.main, app="shop")
    assert CANARY not in done.printed
    found = done.result["facts"]
    # a marker of the lock leaves one of its three packages out
    assert found["lock"] == {"packages": 3, "problem": "", "unread": ""}
    assert found["files"] == {"problem": "", "unread": "", "writable": [], "count": 0}
    assert found["config"]["names"] == sorted(params["env"])
    assert (found["config"]["public"], found["release"]["id"]) == (False, seen["current"])
    assert found["code"]["secrets"] == []
    assert found["code"]["files"] > 0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DeployError("release.json cannot be read"), "release.json cannot be read"),
        (PermissionError(13, "Permission denied"), "become: true"),
        (OSError(5, "Input/output error"), "Could not audit shop"),
    ],
)
def test_what_cannot_be_read(
    call: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(_app: str) -> None:
        raise error

    monkeypatch.setattr(audit_info, "collect", fail)
    done = call(audit_info.main, app="shop")
    assert done.result["failed"] is True
    assert message in done.result["msg"]
