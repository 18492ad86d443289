# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx was told of an app's processes is read from what the role nginx makes of its settings."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.nginx_site import (
    astray,
    leads_to,
    read_site,
    upstreams,
)
from unit.nginx.configuration import evaluate, site

LISTEN = {"api": {"paths": ["/api/"]}}


def written(app: str = "shop", runs: Any = None, **settings: Any) -> str:
    known = {"app_name": app, "app_settings": {"version": "1", **settings}}
    known["app_site_formation"] = runs
    return site(**evaluate("app", "{{ __app_site }}", **known))


def named(**given: Any) -> dict[str, set[str]]:
    return {
        name: set(processes)
        for name, processes in upstreams(written(**given), "shop").items()
        if "fresh" not in name
    }


def test_the_processes_of_each_upstream() -> None:
    assert named(formation={"web": 2}) == {"shop": {"web-1", "web-2"}}
    formation = {"web": 1, "api": 2}
    both = {"shop": {"web-1"}, "shop.api": {"api-1", "api-2"}}
    assert named(listen=LISTEN, formation=formation) == both
    # web has what api had
    both["shop.api"] = {"web-1"}
    assert named(listen=LISTEN, formation=formation, runs={"web": 1}) == both
    # as a load balancer's
    assert named(nginx_site={"upstream": {"servers": ["10.0.0.1:443"]}}, runs={}) == {
        "shop": {"web-1"}
    }
    assert upstreams(written(), "sho") == {"shop": frozenset(), "shop_fresh": frozenset()}


@pytest.mark.parametrize("place", ["sites-enabled", "address-sites"])
def test_the_file(tmp_path: pathlib.Path, place: str) -> None:
    assert read_site("shop", tmp_path) is None
    (tmp_path / place).mkdir()
    (tmp_path / place / "shop.conf").write_text(written())
    found = read_site("shop", tmp_path)
    assert found
    assert found["shop"] == {"web-1"}


def test_who_has_what_nobody_else_has() -> None:
    found = upstreams(written(listen=LISTEN, formation={"web": 1, "api": 1}), "shop")
    assert leads_to(found, "shop", "web")
    assert not leads_to(found, "shop", "api")
    assert leads_to(None, "shop", "api")
    assert not leads_to({}, "shop", "web")


@pytest.mark.parametrize(
    ("told", "runs", "todo"),
    [
        ({"web": 1, "api": 1}, {"web": 1, "api": 1}, []),
        ({"web": 1}, {"web": 1, "api": 1}, ["nginx is to pass requests to api-1"]),
        ({"web": 1}, {"web": 2}, ["nginx is to pass requests to web-2"]),
        # over sockets that have closed it passes
        ({"web": 2}, {"web": 1}, []),
        ({"web": 1, "api": 1}, {"web": 1}, ["nginx is to pass requests of api to others"]),
        # nobody is left, and one of another release listens that the inventory does not name
        ({}, {"bought": 1}, []),
    ],
)
def test_whether_it_follows_what_runs(
    told: dict[str, int], runs: dict[str, int], todo: list[str]
) -> None:
    text = written(listen=LISTEN, formation={"web": 1, "api": 1}, runs=told)
    assert list(astray(upstreams(text, "shop"), "shop", runs, ["web", "api"])) == todo
    assert list(astray(None, "shop", runs, ["web", "api"])) == []


def test_a_page_of_files_follows_nobody() -> None:
    files = {"nginx_site": {"root": "/srv/pages"}, "listen": LISTEN, "formation": {"api": 1}}
    found = upstreams(written(runs={}, **files), "shop")
    assert found["shop.api"] == {"api-1"}, "nginx refuses one without a server"
    assert list(astray(found, "shop", {}, ["web", "api"])) == []
