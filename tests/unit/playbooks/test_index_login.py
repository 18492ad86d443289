# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With which login hosts, and who publishes, read an index that is not open to everybody."""

from __future__ import annotations

import base64
import netrc
import pathlib
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = pathlib.Path(__file__).resolve().parents[3]
INDEX = "https://index.example.org"
TOKEN = {"content": base64.b64encode(b"pypi-AgEIx_-\n").decode()}
OWN = {"user": "ops", "password": 'a "word" \\ here'}


def load(path: str) -> Any:
    return DataLoader().load_from_file(str(ROOT / path), trusted_as_template=True)


def value(known: dict[str, Any], name: str) -> Any:
    return Templar(DataLoader(), variables=known).template(known[name])


@pytest.mark.parametrize(
    ("login", "tools", "index", "tools_from"),
    [
        ({}, f"{INDEX}/root/pypi/+simple/", INDEX, f"{INDEX}/root/pypi/+simple/"),
        # an index without such a user, which everybody may read
        ({"json": {"message": "no"}}, "", INDEX, ""),
        (
            {"json": {"result": {"password": "a/b"}}},
            f"{INDEX}/root/pypi/+simple/",
            "https://hosts:a%2Fb@index.example.org",
            "https://hosts:a%2Fb@index.example.org/root/pypi/+simple/",
        ),
        # of another index the login is none
        (
            {"json": {"result": {"password": "a/b"}}},
            f"{INDEX}.evil.example/simple/",
            "https://hosts:a%2Fb@index.example.org",
            f"{INDEX}.evil.example/simple/",
        ),
    ],
    ids=["no reader", "unknown reader", "reader", "tools from elsewhere"],
)
def test_publishing(login: dict[str, Any], tools: str, index: str, tools_from: str) -> None:
    known = load("roles/publish/vars/main.yml") | {
        "publish_index_url": INDEX,
        "publish_tools_index_url": tools,
        "publish_reader_user": "hosts",
        "__publish_login": login,
    }
    assert value(known, "__publish_readable_url") == index
    assert value(known, "__publish_tools_index_url") == tools_from


@pytest.mark.parametrize(
    ("groups", "inventory", "token", "login"),
    [
        ({"index": ["i"]}, {"devpi_secret": "s"}, TOKEN, ("hosts", "pypi-AgEIx_-")),
        # `platform` alone: what the host has, stays
        ({"index": ["i"]}, {"devpi_secret": "s"}, None, None),
        # without the plugin for tokens
        ({"index": ["i"]}, {"index_reader": OWN}, {"msg": "not found"}, ("ops", OWN["password"])),
        # the index makes the user that the inventory names
        ({"index": ["i"]}, {"index_reader": OWN}, TOKEN, ("ops", "pypi-AgEIx_-")),
        # an index that others run
        ({}, {"index_reader": OWN}, None, ("ops", OWN["password"])),
        ({}, {}, None, None),
    ],
)
def test_hosts(
    tmp_path: pathlib.Path,
    groups: dict[str, list[str]],
    inventory: dict[str, Any],
    token: dict[str, Any] | None,
    login: tuple[str, str] | None,
) -> None:
    """What `platform` writes is what a netrc file means."""
    plays = load("playbooks/platform.yml")
    [play] = [play for play in plays if play["name"] == "Set up the app hosts"]
    [task] = [task for task in play["tasks"] if task["name"] == "Write the login of the index"]
    index = {} if token is None else {"index_token": token}
    known = load("playbooks/vars/index.yml") | inventory | task["vars"]
    known |= {"groups": groups, "hostvars": {"i": index}, "index_url": f"{INDEX}:8443"}
    assert bool(value(known, "__index_login")) == (login is not None)
    if login:
        content = Templar(DataLoader(), variables=known).template(
            task["ansible.builtin.copy"]["content"]
        )
        (tmp_path / "netrc").write_text(content)
        found = netrc.netrc(tmp_path / "netrc").hosts["index.example.org"]
        assert (found[0], found[2]) == login
