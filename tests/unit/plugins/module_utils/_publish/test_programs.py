# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of a build see of the controller, and where they are."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.programs import Programs
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.request import (
    BuildRequest,
)

PARAMS: dict[str, Any] = {
    "source": "/src",
    "output": "build",
    "version": None,
    "require_commit": True,
    "command": None,
    "command_timeout": 900,
    "environment": {},
    "build_requirements": "build-requirements.txt",
    "requirements": None,
    "procfile": "Procfile",
    "pythons": ["3.11", "3.13"],
    "platforms": ["x86_64-manylinux_2_36"],
    "index_url": None,
    "ca_path": None,
    "quarantine": 0,
    "quarantine_exempt": [],
    "upload_times_url": None,
    "allowed_files": [],
    "tools": None,
    "uv": None,
}

URL = "https://user:secret@index.test/simple/"


@pytest.fixture(autouse=True)
def controller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("UV_INDEX", "https://other.test/simple/")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def programs(tmp_path: pathlib.Path, **changes: Any) -> Programs:
    return Programs(BuildRequest.from_params(PARAMS | changes), tmp_path, "1700000000")


def test_code_of_a_build_sees_only_what_is_harmless(tmp_path: pathlib.Path) -> None:
    environment = programs(tmp_path).isolated()
    assert "SSH_AUTH_SOCK" not in environment
    assert environment["HOME"] == str(tmp_path / "home")
    assert environment["SOURCE_DATE_EPOCH"] == "1700000000"


@pytest.mark.parametrize(("index_url", "kept"), [(URL, False), (None, True)])
def test_one_index_is_the_only_one(
    index_url: str | None, kept: bool, tmp_path: pathlib.Path
) -> None:
    made = programs(tmp_path, index_url=index_url)
    assert ("UV_INDEX" in made.environment()) is kept
    assert ("UV_INDEX" in made.isolated()) is kept
    chosen = made.uv_environment({})
    assert chosen.get("UV_DEFAULT_INDEX") == index_url
    assert ("UV_NO_CONFIG" in chosen) is not kept


def test_what_is_given_counts(tmp_path: pathlib.Path) -> None:
    made = programs(tmp_path, environment={"SOURCE_DATE_EPOCH": 1, "SSH_AUTH_SOCK": "mine"})
    for environment in (made.environment(), made.isolated()):
        assert environment["SOURCE_DATE_EPOCH"] == "1"
        assert environment["SSH_AUTH_SOCK"] == "mine"


def test_programs_are_those_of_tools_where_there_are_any(tmp_path: pathlib.Path) -> None:
    assert programs(tmp_path).path("uv") == "uv"
    assert programs(tmp_path, tools="/opt/tools").path("twine") == "/opt/tools/twine"


def test_request_does_not_show_its_secrets() -> None:
    shown = repr(
        BuildRequest.from_params(PARAMS | {"environment": {"A": "s3cret"}, "index_url": URL})
    )
    assert "s3cret" not in shown
    assert "secret@" not in shown
