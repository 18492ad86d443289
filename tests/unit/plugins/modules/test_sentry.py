# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules sentry_release and sentry_event: what they return, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import Event
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.releases import Told
from ansible_collections.twelvefactor.deploy.plugins.modules import sentry_event, sentry_release

KEY = "0123456789abcdef0123456789abcdef"
DSN = f"https://{KEY}@errors.test/7"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(module: Any, **params: Any) -> dict[str, Any]:
        given = {"dsn": DSN, "token": "t" * 40} | params
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        # by which ansible-core 2.22 names to itself what it must not show
        result.pop("_ansible_new_secrets", None)
        assert KEY not in str(result)
        return result

    return run


@pytest.mark.parametrize(
    ("told", "changed", "after"),
    [
        (Told(True, False), True, "release: shop@1\n"),
        (Told(False, True), True, "deploy: production, 2027-01-15T08:01:00Z\n"),
        (Told(False, False), False, ""),
    ],
)
def test_what_was_told(
    call: Any, monkeypatch: pytest.MonkeyPatch, told: Told, changed: bool, after: str
) -> None:
    monkeypatch.setattr(sentry_release, "tell", lambda *_args, **_named: told)
    result = call(sentry_release, release="shop@1", finished=1_800_000_060, _ansible_diff=True)
    assert result["changed"] is changed
    assert (result["created"], result["deployed"]) == (told.created, told.deployed)
    assert result["diff"]["after"] == after
    assert result["url"] == "https://errors.test"


def test_check_mode_only_foresees(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(_connection: Any, _deploy: Any, *, only_foresee: bool) -> Told:
        return Told(only_foresee, False)

    monkeypatch.setattr(sentry_release, "tell", tell)
    assert call(sentry_release, release="shop@1", _ansible_check_mode=True)["created"] is True
    assert call(sentry_release, release="shop@1")["created"] is False


@pytest.mark.parametrize(
    ("module", "params", "reason"),
    [
        (sentry_release, {"release": ""}, "Invalid release name ''"),
        (sentry_release, {"release": "a", "dsn": f"{KEY}@errors.test"}, "Invalid DSN."),
        (sentry_release, {"release": "a", "api": "sentry"}, "For Sentry, give organization"),
        (sentry_event, {"url": "https://me@errors.test"}, "The url for errors.test must be"),
    ],
)
def test_refused(call: Any, module: Any, params: dict[str, Any], reason: str) -> None:
    result = call(module, **params)
    assert result["failed"] is True
    assert result["msg"].startswith(reason)


def test_an_event_that_comes_back(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentry_event, "send", lambda *_args: None)
    monkeypatch.setattr(sentry_event, "read_back", lambda *_args: Event("e", "shop@1", None))
    result = call(sentry_event, release="shop@1")
    assert (result["changed"], result["read_back"]) == (True, True)
    assert len(result["event_id"]) == 32


def test_an_event_that_comes_back_as_another_one(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentry_event, "send", lambda *_args: None)
    monkeypatch.setattr(sentry_event, "read_back", lambda *_args: Event("e", "shop@2", None))
    result = call(sentry_event, release="shop@1")
    assert result["msg"] == (
        "https://errors.test has the event e, but release 'shop@1' arrived as 'shop@2'."
    )


def test_without_a_token_nothing_is_read(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentry_event, "send", lambda *_args: None)
    monkeypatch.setattr(sentry_event, "read_back", lambda *_args: pytest.fail("was read"))
    assert call(sentry_event, token=None)["read_back"] is False
