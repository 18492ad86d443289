# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the setting listen, for nginx and for a release."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.listen import (
    health_paths,
    listeners,
    process_options,
    proxy_site,
    site,
)

API = {"paths": ["/api/"], "health_path": "/api/up"}
CHAT = {"paths": ["/ws/"], "health_path": "", "read_timeout": "1h"}
FRONT = {"paths": ["/"]}
RPC = {"paths": ["/shop.Cart/"], "grpc": True}
HOSTS = {"servers": ["10.0.0.1:443"], "behind_nginx": True}


@pytest.mark.parametrize(
    ("listen", "paths"),
    [
        ({}, {"web": ["/"]}),
        ({"web": None}, {"web": ["/"]}),
        ({"web": {"read_timeout": "5m"}}, {"web": ["/"]}),
        ({"api": API, "ws": CHAT}, {"web": ["/"], "api": ["/api/"], "ws": ["/ws/"]}),
        ({"api": {}}, {"web": ["/"], "api": []}),
        ({"api": API, "front": FRONT}, {"front": ["/"], "api": ["/api/"]}),
        ({"web": {"paths": ["/x/"]}, "front": FRONT}, {"front": ["/"], "web": ["/x/"]}),
        # a page of files has /
        ({"web": {"paths": ["/x/"]}}, {"web": ["/x/"]}),
    ],
)
def test_who_listens_for_what(listen: dict[str, Any], paths: dict[str, list[str]]) -> None:
    found = {kind: said["paths"] for kind, said in listeners(listen).items()}
    assert found == paths
    assert next(iter(found)) == next(iter(paths))


def test_health_paths() -> None:
    asked = health_paths({"api": API, "ws": CHAT, "admin": {"paths": ["/admin/"]}}, "/up")
    assert asked == {"web": "/up", "api": "/api/up", "ws": "", "admin": "/up"}


@pytest.mark.parametrize(
    ("options", "listen", "told"),
    [
        ({}, {}, {}),
        # else the release would be another one
        ({}, {"web": {"read_timeout": "5m"}}, {}),
        ({}, {"web": {"health_path": "/up"}}, {"web": {"health_path": "/up"}}),
        ({}, {"api": None}, {"api": {"socket": True}}),
        (
            {"api": {"overlap": False}, "beat": {"overlap": False}},
            {"api": API},
            {
                "api": {"socket": True, "health_path": "/api/up", "overlap": False},
                "beat": {"overlap": False},
            },
        ),
        ({"api": None}, {"api": CHAT}, {"api": {"socket": True, "health_path": ""}}),
    ],
)
def test_process_options(
    options: dict[str, Any], listen: dict[str, Any], told: dict[str, Any]
) -> None:
    assert process_options(options, listen) == told


def test_a_site_has_an_upstream_and_locations_for_each_type() -> None:
    listen = {"api": API, "ws": CHAT, "web": {"read_timeout": "5m", "paths": ["/", "/api/docs/"]}}
    assert site(listen, {"web": 2, "api": "1", "ws": 1}, "shop", "60s") == {
        "upstream": {
            "servers": ["unix:/run/shop/web-1.sock", "unix:/run/shop/web-2.sock"],
            "read_timeout": "5m",
            "scheme": "http",
        },
        "upstreams": [
            {
                "name": "api",
                "servers": ["unix:/run/shop/api-1.sock"],
                "read_timeout": "60s",
                "scheme": "http",
            },
            {
                "name": "ws",
                "servers": ["unix:/run/shop/ws-1.sock"],
                "read_timeout": "1h",
                "scheme": "http",
            },
        ],
        "locations": [
            {"path": "/api/", "upstream": "api"},
            {"path": "/ws/", "upstream": "ws"},
            {"path": "/api/docs/"},
        ],
    }


WEB, APP, SOCKET = (f"unix:/run/shop/{kind}-1.sock" for kind in ("web", "app", "api"))


@pytest.mark.parametrize("formation", [{"web": 1}, {"web": 1, "api": 0}])
def test_a_type_that_does_not_run_has_no_path(formation: dict[str, int]) -> None:
    made = site({"api": API}, formation, "shop", "60s")
    assert made["locations"] == []
    # of a location that names it, and nginx refuses one without a server
    assert made["upstreams"] == [{**made["upstream"], "name": "api"}]
    assert made["upstream"]["servers"] == [WEB]


MOVED = {"app": FRONT}
SPLIT = {"app": FRONT, "web": {"paths": ["/old/"]}, "api": API}


@pytest.mark.parametrize(
    ("listen", "runs", "wanted", "servers", "locations"),
    [
        (MOVED, {"app": 1}, {"app": 1}, [APP], []),
        # a release from before it
        (MOVED, {"web": 1}, {"app": 1}, [WEB], []),
        (SPLIT, {"web": 1}, {"app": 1, "web": 1, "api": 1}, [WEB], ["/old/"]),
        (SPLIT, {"api": 1}, {"app": 1, "web": 1, "api": 1}, [SOCKET], ["/api/"]),
        ({"api": API}, {"api": 1}, {"web": 1, "api": 1}, [SOCKET], ["/api/"]),
        # no calls, and nothing that files have
        ({"rpc": RPC}, {"rpc": 1}, {"web": 1, "rpc": 1}, [WEB], ["/shop.Cart/"]),
        ({"api": API}, {"api": 1}, {"api": 1}, [], ["/api/"]),
        # nobody: 502
        ({}, {}, {"web": 2}, [WEB], []),
        ({}, {}, {"web": 0}, [], []),
        ({}, {}, {"worker": 1}, [], []),
    ],
)
def test_somebody_has_what_nobody_else_has(
    listen: dict[str, Any],
    runs: dict[str, int],
    wanted: dict[str, int],
    servers: list[str],
    locations: list[str],
) -> None:
    made = site(listen, runs, "shop", "60s", wanted)
    assert made["upstream"]["servers"] == servers
    assert [each["path"] for each in made["locations"]] == locations
    assert all(each["servers"] for each in made["upstreams"])


def test_no_location_leads_nowhere() -> None:
    made = site({"web": {"paths": ["/", "/x/"]}}, {}, "shop", "60s")
    assert (made["upstream"]["servers"], made["locations"]) == ([], [])


@pytest.mark.parametrize(
    ("listen", "own", "timeout", "locations"),
    [
        ({}, [], "60s", []),
        ({"web": {"read_timeout": "5m"}}, [], "5m", []),
        # the app's own nginx has the paths
        ({"api": API}, [{"path": "/x/"}], "60s", [{"path": "/x/"}]),
        (
            {"api": API, "ws": CHAT},
            [{"path": "/x/"}],
            "60s",
            [
                {"path": "/api/", "read_timeout": "60s"},
                {"path": "/ws/", "read_timeout": "1h"},
                {"path": "/x/"},
            ],
        ),
        ({"ws": CHAT}, [{"path": "^~ /ws/"}], "60s", [{"path": "^~ /ws/"}]),
    ],
)
def test_a_load_balancer_needs_paths_where_timeouts_differ(
    listen: dict[str, Any],
    own: list[dict[str, Any]],
    timeout: str,
    locations: list[dict[str, Any]],
) -> None:
    assert proxy_site(listen, HOSTS, own, "60s") == {
        "upstream": {**HOSTS, "read_timeout": timeout, "scheme": "https"},
        "upstreams": [],
        "locations": locations,
    }


def test_grpc_is_asked_for_no_path_and_has_its_protocol_all_the_way() -> None:
    listen = {"rpc": RPC}
    assert health_paths(listen, "/up") == {"web": "/up", "rpc": ""}
    assert process_options({}, listen) == {"rpc": {"socket": True, "health_path": ""}}
    made = site(listen, {"web": 1, "rpc": 1}, "shop", "60s")
    assert [made["upstream"]["scheme"], made["upstreams"][0]["scheme"]] == ["http", "grpc"]
    locations = [{"path": "/shop.Cart/", "upstream": "rpc", "read_timeout": "60s"}]
    assert proxy_site(listen, HOSTS, [], "60s") == {
        "upstream": {**HOSTS, "read_timeout": "60s", "scheme": "https"},
        "upstreams": [{**HOSTS, "read_timeout": "60s", "scheme": "grpcs", "name": "rpc"}],
        "locations": locations,
    }


@pytest.mark.parametrize(
    ("own", "upstream"),
    [
        ({"client_max_body_size": "1g"}, {"upstream": "rpc"}),
        ({"upstream": "elsewhere"}, {}),
        ({"redirect": "/"}, {}),
    ],
)
def test_a_location_of_the_load_balancer_for_the_path_of_a_grpc_server(
    own: dict[str, Any], upstream: dict[str, str]
) -> None:
    for path in ("/shop.Cart/", "^~ /shop.Cart/"):
        made = proxy_site({"rpc": RPC, "api": API}, HOSTS, [{"path": path, **own}], "60s")
        assert made["locations"] == [{"path": path, **own, **upstream}]


def test_what_load_balancers_are_told_of_the_hosts_is_for_each_type() -> None:
    hosts = {**HOSTS, "connect_timeout": "9s", "read_timeout": "5m"}
    made = proxy_site({"rpc": RPC, "ws": CHAT}, hosts, [], "60s")
    [rpc] = made["upstreams"]
    assert (rpc["connect_timeout"], rpc["read_timeout"]) == ("9s", "5m")
    assert [each["read_timeout"] for each in made["locations"]] == ["5m", "1h"]
    assert made["upstream"]["read_timeout"] == "5m"


def test_grpc_may_have_all_that_nothing_else_has() -> None:
    listen = {"rpc": {"paths": ["/"], "grpc": "yes"}, "api": API}
    made = site(listen, {"rpc": 1, "api": 1}, "shop", "60s")
    assert [made["upstream"]["scheme"], made["upstreams"][0]["scheme"]] == ["grpc", "http"]
    made = proxy_site(listen, HOSTS, [], "60s")
    assert made["upstream"]["scheme"] == "grpcs"
    assert [(each["name"], each["scheme"]) for each in made["upstreams"]] == [("api", "https")]
    assert made["locations"] == [{"path": "/api/", "read_timeout": "60s", "upstream": "api"}]
