# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site of an app of which several process types listen."""

from __future__ import annotations

import re
from typing import Any

from unit.nginx.configuration import evaluate, site, template

LISTEN = {
    "api": {"paths": ["/api/"]},
    "ws": {"paths": ["/ws/"], "read_timeout": "1h"},
}
FORMATION = {"web": 1, "api": 2, "ws": 1}


def app_site(**settings: Any) -> str:
    known = {"app_name": "shop", "app_settings": {"version": "1", **settings}}
    return site(**evaluate("app", "{{ __app_site }}", **known))


def passes(text: str) -> dict[str, tuple[str, str]]:
    """The upstream and the read timeout of each location that passes requests on."""
    found = re.findall(r"(?ms)^    location (\S+) \{\n(.*?)^    \}", text)
    return {
        path: (
            *re.findall(r"proxy_pass http://([\w.-]+)", block),
            *re.findall(r"proxy_read_timeout (\w+)", block),
        )
        for path, block in found
        if "proxy_pass" in block
    }


def test_each_type_has_its_paths() -> None:
    text = app_site(listen=LISTEN, formation=FORMATION)
    assert passes(text) == {
        "/api/": ("shop.api", "60s"),
        "/ws/": ("shop.ws", "1h"),
        "/": ("shop", "60s"),
    }
    sockets = dict(re.findall(r"(?ms)^upstream (shop[.\w]*) \{\n(.*?)^\}", text))
    assert re.findall(r"/run/\S+", sockets["shop"]) == ["/run/shop/web-1.sock"]
    assert re.findall(r"/run/\S+", sockets["shop.api"]) == [
        "/run/shop/api-1.sock",
        "/run/shop/api-2.sock",
    ]


def test_a_site_may_say_more_of_a_type() -> None:
    more = {"locations": [{"path": "~ ^/v[0-9]/", "upstream": "api", "client_max_body_size": "1g"}]}
    text = app_site(listen={"api": {}}, formation=FORMATION, nginx_site=more)
    assert "location ~ ^/v[0-9]/ {\n        client_max_body_size 1g;" in text
    assert "proxy_pass http://shop.api" in text


def test_an_app_with_one_type_has_the_site_that_it_had() -> None:
    text = app_site()
    assert passes(text) == {"/": ("shop", "60s")}
    assert re.findall(r"(?m)^upstream (\S+)", text) == ["shop", "shop_fresh"]


RPC = {"rpc": {"paths": ["/shop.Cart/"], "grpc": True, "read_timeout": "1h"}}


def location(text: str, path: str) -> str:
    found = re.search(rf"(?ms)^    location {re.escape(path)} \{{\n(.*?)^    \}}", text)
    assert found, text
    return "\n".join(line.strip() for line in found[1].splitlines())


def test_a_grpc_server_is_spoken_to_in_its_protocol() -> None:
    text = app_site(listen=RPC, formation={"web": 1, "rpc": 1})
    assert location(text, "/shop.Cart/").splitlines() == [
        "include includes/grpc.conf;",
        "grpc_connect_timeout 2s;",
        "grpc_read_timeout 1h;",
        "grpc_send_timeout 1h;",
        "# A client may be silent in its stream as long as the server.",
        "client_body_timeout 1h;",
        "grpc_pass grpc://shop.rpc$upstream_pool;",
    ]
    assert passes(text) == {"/": ("shop", "60s")}


def test_a_load_balancer_passes_grpc_on_over_tls_to_several_hosts() -> None:
    hosts = {
        "servers": ["10.0.0.1:443", "10.0.0.2:443"],
        "behind_nginx": True,
        "trusted_certificate": "PEM",
    }
    upstream = {"name": "rpc", "scheme": "grpcs", **hosts}
    text = site(
        upstream={"scheme": "https", **hosts},
        upstreams=[upstream],
        locations=[{"path": "/shop.Cart/", "upstream": "rpc"}],
    )
    found = location(text, "/shop.Cart/")
    for line in (
        "grpc_ssl_name shop.example.org;",
        "grpc_ssl_trusted_certificate certificates/shop.rpc.upstream.pem;",
        "grpc_pass grpcs://shop.rpc$upstream_pool;",
    ):
        assert f"\n{line}\n" in f"\n{found}\n"
    assert "proxy_" not in found
    # what nginx has not kept it cannot send to another host
    assert "location @next.shop.1 " not in text
    assert "location @next.shop.2 " in text


def test_a_grpc_server_gets_the_headers_that_others_get() -> None:
    plain = template("nginx", "etc/nginx/includes/forwarded.conf")
    names = re.findall(r"(?m)^proxy_set_header (\S+ .*);$", plain)
    assert "X-Forwarded-For $remote_addr" in names
    assert (
        re.findall(
            r"(?m)^grpc_set_header (\S+ .*);$", template("nginx", "etc/nginx/includes/grpc.conf")
        )
        == names
    )
