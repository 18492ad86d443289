# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the controller's environment code of a build may see."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.isolation import isolated

HOME = pathlib.Path("/build/home")


@pytest.mark.parametrize(
    "name",
    [
        "SSH_AUTH_SOCK",
        "ANSIBLE_VAULT_PASSWORD_FILE",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "UV_PUBLISH_TOKEN",
        "PIP_CLIENT_CERT",
        "PYTHONPATH",
        "LD_PRELOAD",
        "XDG_RUNTIME_DIR",
        "NETRC",
    ],
)
def test_what_a_build_does_not_see(name: str) -> None:
    assert isolated({name: "x"}, HOME, own_sources=False) == {"HOME": "/build/home"}


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LC_ALL",
        "TZ",
        "https_proxy",
        "SSL_CERT_FILE",
        "SOURCE_DATE_EPOCH",
        "UV_NO_CACHE",
        "PIP_CERT",
    ],
)
def test_what_a_build_sees(name: str) -> None:
    assert isolated({name: "x"}, HOME, own_sources=True) == {"HOME": "/build/home", name: "x"}


@pytest.mark.parametrize("name", ["UV_INDEX", "PIP_INDEX_URL", "UV_INDEX_COMPANY_PASSWORD"])
def test_sources_of_the_controller_count_where_no_index_is_given(name: str) -> None:
    assert name in isolated({name: "x"}, HOME, own_sources=False)
    assert name not in isolated({name: "x"}, HOME, own_sources=True)


def test_what_uv_has_of_the_user(tmp_path: pathlib.Path) -> None:
    found = isolated({"HOME": str(tmp_path)}, HOME, own_sources=False)
    assert found == {"HOME": "/build/home", "UV_CACHE_DIR": f"{tmp_path}/.cache/uv"}
    config = tmp_path / ".config" / "uv" / "uv.toml"
    config.parent.mkdir(parents=True)
    config.touch()
    user = {"HOME": str(tmp_path)}
    assert isolated(user, HOME, own_sources=False)["UV_CONFIG_FILE"] == str(config)
    assert "UV_CONFIG_FILE" not in isolated(user, HOME, own_sources=True)
    user["UV_CACHE_DIR"] = "/var/cache/uv"
    assert isolated(user, HOME, own_sources=True)["UV_CACHE_DIR"] == "/var/cache/uv"
