# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed and what is removed, decided from what is on a host."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.install import (
    Decision,
    Found,
    InstallPlan,
    decide,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.request import (
    InstallRequest,
)

A, B, C, D = "1.0-aaaaaaaa", "2.0-bbbbbbbb", "3.0-cccccccc", "4.0-dddddddd"


@pytest.mark.parametrize(
    ("found", "decision"),
    [
        pytest.param(Found(None, [], [], None), Decision(True, (), ()), id="first"),
        pytest.param(Found(A, [A], [], None), Decision(True, (), ()), id="next"),
        pytest.param(Found(A, [A, D], [], None), Decision(False, (), ()), id="installed"),
        pytest.param(Found(B, [A, B, C], [], A), Decision(True, (), (C,)), id="too-many"),
        pytest.param(Found(C, [A, B, C], [], B), Decision(True, (), (A,)), id="oldest-first"),
        pytest.param(Found(C, [A, B, C], [], B, [A]), Decision(True, (), ()), id="used-by-a-job"),
        pytest.param(Found(A, [A], [B], None), Decision(True, (B,), ()), id="cut-off"),
        pytest.param(Found(A, [A], [D], None), Decision(True, (D,), ()), id="cut-off-itself"),
        pytest.param(Found(B, [A], [B], A), Decision(True, (), ()), id="what-serves-is-broken"),
    ],
)
def test_decision(found: Found, decision: Decision) -> None:
    assert decide(D, found, keep=3) == decision


def test_what_serves_is_not_made_anew() -> None:
    with pytest.raises(DeployError, match=f"{A} serves, but its release.json is missing"):
        decide(A, Found(A, [B], [A], None), keep=3)


def plan(home: AppHome, decision: Decision) -> InstallPlan:
    return InstallPlan(
        home=home,
        release=D,
        version="4.0",
        current=A,
        decision=decision,
        processes={"web": "x"},
        packages={"flask": "3.1"},
        python="3.13.5",
        changes=("env A: added",),
    )


@pytest.mark.parametrize(
    ("decision", "changed"),
    [
        (Decision(False, (), ()), False),
        (Decision(True, (), ()), True),
        (Decision(False, (B,), ()), True),
        (Decision(False, (), (C,)), True),
    ],
)
def test_changed(decision: Decision, changed: bool, home: AppHome) -> None:
    assert plan(home, decision).result()["changed"] is changed


def test_diff_has_what_is_removed_last(home: AppHome) -> None:
    diff = plan(home, Decision(True, (B,), (C,))).result()["diff"]
    assert diff["after"] == f"env A: added\nrelease {B}: removed\nrelease {C}: removed\n"
    assert (diff["before_header"], diff["after_header"]) == (f"shop {A}", f"shop {D}")


def test_what_is_removed_is_what_was_decided(home: AppHome) -> None:
    for release in (A, B, C):
        (home.releases / release).mkdir()
    plan(home, Decision(False, (B,), (C,))).apply()
    assert [path.name for path in home.releases.iterdir()] == [A]


def test_plan_without_an_id_has_no_path(home: AppHome) -> None:
    unknown = dataclasses.replace(plan(home, Decision(True, (), ())), release=None, current=None)
    result = unknown.result()
    assert (result["release"], result["path"]) == (None, None)
    assert result["diff"]["after_header"] == "shop 4.0"


PARAMS: dict[str, Any] = {
    "app": "shop",
    "package": None,
    "version": "1.0",
    "wheel_sha256": None,
    "index_url": "https://index.test/simple/",
    "wheelhouse": None,
    "netrc": "/no/such/netrc",
    "ca_path": None,
    "requirements": None,
    "processes": None,
    "env": {},
    "formation": {},
    "health": {},
    "process_options": {},
    "liveness": {},
    "log_format": "text",
    "log_destination": "file",
    "schedules": {},
    "config_files": {},
    "python": "/usr/bin/python3",
    "uv": None,
    "keep": 5,
}
LOCK = f"shop==1.0 --hash=sha256:{'0' * 64}\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index_url": ""}, "index_url is empty"),
        ({"requirements": LOCK}, "`processes` must say what to run"),
        ({"requirements": "x", "processes": {"web": "x"}}, "the lock of shop 1.0"),
        ({"processes": {"release": "x"}}, "No process type to run"),
        ({"env": {"A": True}}, "env A is True"),
        ({"process_options": {"web": {"overlap": 1}}}, "overlap of web is 1"),
        ({"liveness": {"timeout": 0}}, "liveness.timeout is 0"),
    ],
)
def test_request_that_no_host_could_install(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError) as caught:
        InstallRequest.from_params(PARAMS | changes)
    assert words in str(caught.value)


def test_package_is_named_as_the_app_is() -> None:
    assert InstallRequest.from_params(PARAMS).build.package == "shop"
    assert InstallRequest.from_params(PARAMS | {"package": "store"}).build.package == "store"


def test_the_index_is_asked_with_the_login_that_the_host_has(tmp_path: pathlib.Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine index.example.org login hosts password t0ken\n")
    index = {"index_url": "https://index.example.org/company/prod/+simple/", "netrc": str(netrc)}
    request = InstallRequest.from_params(PARAMS | index)
    assert request.index_url == "https://hosts:t0ken@index.example.org/company/prod/+simple/"
    assert "t0ken" not in repr(request)
