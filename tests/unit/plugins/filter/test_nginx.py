# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites of nginx with all that they do not say."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.filter.nginx import (
    nginx_complete_sites,
    nginx_hosts,
    nginx_milliseconds,
)

ROLE = pathlib.Path(__file__).parents[4] / "roles" / "nginx"
VARIABLES = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
UPSTREAM = VARIABLES["__nginx_upstream_defaults"]
DEFAULTS: dict[str, Any] = VARIABLES["__nginx_site_defaults"] | {"upstream": UPSTREAM}


def complete(**site: Any) -> dict[str, Any]:
    before = copy.deepcopy((site, DEFAULTS))
    [made] = nginx_complete_sites([site], DEFAULTS)
    assert (site, DEFAULTS) == before
    return made


def test_it_has_all_that_it_does_not_say() -> None:
    made = complete(name="shop", domains=["shop.test"], client_max_body_size="1m")
    assert made.keys() == DEFAULTS.keys() | {"name", "domains"}
    assert made["client_max_body_size"] == "1m"
    assert made["cache_size"] == DEFAULTS["cache_size"]
    assert made["upstream"] == UPSTREAM


def test_upstreams_are_complete_each() -> None:
    made = complete(
        name="shop",
        upstream={"servers": [{"address": "unix:/run/shop/web-1.sock"}], "keepalive": 4},
        upstreams=[{"name": "images", "servers": [], "scheme": "https"}],
    )
    assert made["upstream"] == {
        **UPSTREAM, "servers": [{"address": "unix:/run/shop/web-1.sock"}], "keepalive": 4
    }  # fmt: skip
    assert made["upstreams"] == [{**UPSTREAM, "name": "images", "scheme": "https"}]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, [{"path": "/", "snippet": "return 404;"}]),
        ({"root": "/var/www/shop"}, [{"path": "/", "root": "/var/www/shop"}]),
        (
            {"redirect": "https://shop.test", "redirect_code": 308, "snippet": "# own"},
            [{"path": "/", "redirect": "https://shop.test", "redirect_code": 308}],
        ),
        ({"upstream": {"servers": [{"address": "10.0.0.1:80"}]}}, [{"path": "/"}]),
        ({"snippet": "location / { return 204; }"}, []),
        ({"locations": [{"path": "/", "root": "/srv"}]}, [{"path": "/", "root": "/srv"}]),
        (
            {"locations": [{"path": "/api/"}]},
            [{"path": "/api/"}, {"path": "/", "snippet": "return 404;"}],
        ),
        (
            {"locations": [{"path": "/api/"}], "root": "/srv", "upstreams": [{"name": "api"}]},
            [{"path": "/api/"}, {"path": "/", "root": "/srv"}],
        ),
        ({"locations": [{"path": "/api/"}], "snippet": "# own"}, [{"path": "/api/"}]),
    ],
)
def test_what_answers_for_the_whole_site(said: dict[str, Any], expected: list[Any]) -> None:
    assert complete(name="shop", domains=["shop.test"], **said)["locations"] == expected


@pytest.mark.parametrize(
    ("servers", "hosts"),
    [
        ([], []),
        (["unix:/run/shop/web-1.sock"], []),
        (["10.0.0.2:443", "10.0.0.1:443"], ["10.0.0.2:443", "10.0.0.1:443"]),
        ([{"address": "10.0.0.1:443", "down": True}, "10.0.0.2:443"], ["10.0.0.2:443"]),
        ([{"address": "10.0.0.1:443", "down": False}], ["10.0.0.1:443"]),
        ([{"address": "10.0.0.1:443", "backup": True}], ["10.0.0.1:443"]),
    ],
)
def test_hosts_are_what_is_not_here_and_not_down(servers: list[Any], hosts: list[str]) -> None:
    assert nginx_hosts(servers) == hosts


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [
        (90, 90_000),
        ("90", 90_000),
        ("90s", 90_000),
        ("1m 30s", 90_000),
        ("1m30", 90_000),
        ("1h", 3_600_000),
        ("1500ms", 1500),
        ("1s500ms", 1500),
        ("0", 0),
        ("1d", 86_400_000),
        ("1M", 30 * 86_400_000),
    ],
)
def test_a_time_is_read_as_nginx_does(time: str | int, milliseconds: int) -> None:
    assert nginx_milliseconds(time) == milliseconds


@pytest.mark.parametrize("time", ["", "s", "1.5s", "-1s", "1 day", "$timeout", "1s;"])
def test_another_time_is_refused(time: str) -> None:
    with pytest.raises(AnsibleFilterError, match="Invalid time"):
        nginx_milliseconds(time)
