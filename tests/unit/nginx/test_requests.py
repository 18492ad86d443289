# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site makes of a request before an upstream gets it. Real requests: molecule/nginx."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
from unit.nginx.configuration import Maps, site, template

TWO = ["10.0.0.1:443", "10.0.0.2:443"]


@pytest.fixture(scope="module")
def maps() -> Maps:
    return Maps(template("nginx", "etc/nginx/nginx.conf"))


@pytest.mark.parametrize(
    "path",
    [
        "/admin/../public",
        "/admin/./x",
        "/admin/..",
        "/admin/.",
        "/admin/..?next=/",
        "/admin/..%2fpublic",
        "/admin/..%2Fpublic",
        "/admin/%2e%2e/public",
        "/admin/%2E./public",
        "/admin/.%2e%2fpublic",
        "/admin%2f..%2fpublic",
        "/admin/x/%2e%2e/%2e%2e/p",
        "/admin/%2e",
        "/admin/..\\public",
        "/admin/..%5cpublic",
        "/admin%5c..%5cpublic",
        "/public\\x",
        "/public#/../admin",
        "/public%00",
        "//admin/..//x",
    ],
)
def test_a_path_that_two_programs_read_differently_is_ambiguous(maps: Maps, path: str) -> None:
    assert maps.value("path_spelling", {"request_uri": path}) == "ambiguous"


@pytest.mark.parametrize(
    ("path", "spelling"),
    [
        ("/", "plain"),
        ("/a%20b/c+d/%2Be", "plain"),
        ("/%C3%A9t%C3%A9/%E2%82%AC", "plain"),
        ("/file.txt", "plain"),
        ("/file..txt/x..", "plain"),
        ("/?next=/a/../b#x", "plain"),
        ("/page%23part%3F", "plain"),
        ("/100%25", "plain"),
        ("/%252e%252e/x", "plain"),
        # of these only the index wants nothing
        ("/.well-known/acme-challenge/x", "loose"),
        ("/.../x", "loose"),
        ("/projects/group%2Fproject", "loose"),
        ("/open/https%3A%2F%2Fexample.org%2Fa", "loose"),
        ("/web/https://example.org/", "loose"),
        ("/static//app.css", "loose"),
        ("/wiki/%5Cfrac", "loose"),
        ("/v1%2e2/x", "loose"),
    ],
)
def test_a_path_that_means_one_thing_is_passed_on(maps: Maps, path: str, spelling: str) -> None:
    assert maps.value("path_spelling", {"request_uri": path}) == spelling


@pytest.mark.parametrize(
    ("keys", "refused"),
    [({}, True), ({"ambiguous_paths": "refuse"}, True), ({"ambiguous_paths": "pass"}, False)],
)
def test_a_site_refuses_ambiguous_paths_unless_it_says_otherwise(
    keys: dict[str, str], refused: bool
) -> None:
    text = site(upstream={"servers": TWO}, **keys)
    assert bool(re.search(r"if \(\$path_spelling = ambiguous\) \{\s+return 400;", text)) == refused


@pytest.mark.parametrize(
    ("proxy", "here", "uri", "refused"),
    [
        ("0", "0", "/", "1"),
        ("0", "0", "/x/.error/error.html", "1"),
        # nginx itself asks for it; a client gets 404
        ("0", "0", "/.error/error.html", ""),
        ("1", "0", "/", ""),
        ("0", "1", "/", ""),
    ],
)
def test_a_site_for_proxies_is_for_nobody_else(
    maps: Maps, proxy: str, here: str, uri: str, refused: str
) -> None:
    peer = {"from_trusted_proxy": proxy, "from_this_host": here, "uri": uri}
    assert maps.value("is_no_proxy", peer) == refused


def test_only_a_site_that_says_so_is_for_proxies() -> None:
    refuses = re.compile(r"if \(\$is_no_proxy\) \{\s+return 403;")
    assert refuses.search(site(upstream={"servers": TWO}, clients="proxies"))
    assert not refuses.search(site(upstream={"servers": TWO}))


@pytest.mark.parametrize(
    ("asked", "upgrade", "connection"),
    [
        ("", "", ""),
        ("websocket", "websocket", "upgrade"),
        ("WebSocket", "websocket", "upgrade"),
        ("h2c", "", ""),
        ("h2c, websocket", "", ""),
        ("websocket, h2c", "", ""),
        ("websocket/13", "", ""),
        ("TLS/1.0", "", ""),
    ],
)
def test_only_websocket_is_upgraded(maps: Maps, asked: str, upgrade: str, connection: str) -> None:
    request = {"http_upgrade": asked}
    headers = template("nginx", "etc/nginx/includes/proxy_request.conf")
    sent = dict(re.findall(r"proxy_set_header (\S+) (\S+);", headers))
    assert maps.expanded(sent["Upgrade"], request) == upgrade
    assert maps.expanded(sent["Connection"], request) == connection
    assert sent["HTTP2-Settings"] == '""'


def test_no_template_passes_an_upgrade_on_as_it_came() -> None:
    from unit.nginx.configuration import ROLES

    texts = {path: path.read_text() for path in ROLES.glob("*/templates/etc/nginx/**/*.j2")}
    assert len(texts) > 10
    assert [
        path
        for path, text in texts.items()
        if re.search(r"proxy_set_header \S+ \$http_upgrade", text)
    ] == []


@pytest.mark.parametrize(
    ("request_", "port"),
    [
        ({"scheme": "https", "server_port": "443"}, "443"),
        ({"scheme": "http", "server_port": "80"}, "80"),
        # a client is not believed
        ({"scheme": "https", "server_port": "443", "http_x_forwarded_port": "8443"}, "443"),
        ({"scheme": "http", "server_port": "80", "http_x_forwarded_proto": "https"}, "80"),
        # a trusted proxy is
        ({"from_trusted_proxy": "1", "scheme": "https", "server_port": "443", "http_x_forwarded_port": "8443"}, "8443"),
        ({"from_trusted_proxy": "1", "scheme": "https", "server_port": "443", "http_x_forwarded_port": "8443, 1"}, "443"),
        ({"from_trusted_proxy": "1", "scheme": "http", "server_port": "80", "http_x_forwarded_proto": "https"}, "443"),
    ],
)  # fmt: skip
def test_the_port_is_that_of_the_client(maps: Maps, request_: dict[str, str], port: str) -> None:
    assert maps.value("forwarded_port", {"from_trusted_proxy": "0", **request_}) == port


@pytest.mark.parametrize(
    ("upstream", "statuses", "tries"),
    [
        ({"servers": ["10.0.0.1:443"]}, False, 3),
        ({"servers": ["unix:/run/a/1.sock", "unix:/run/a/2.sock"]}, False, 3),
        ({"servers": TWO}, True, 2),
        ({"servers": [*TWO, "10.0.0.3:443"]}, True, 3),
        ({"servers": [*TWO, "10.0.0.3:443", "10.0.0.4:443"]}, True, 3),
        ({"servers": [TWO[0], {"address": TWO[1], "down": True}]}, False, 3),
        ({"servers": TWO, "method": "ip_hash"}, True, 2),
        ({"servers": [TWO[0], {"address": TWO[1], "backup": True}]}, True, 2),
        ({"servers": [*TWO, {"address": "10.0.0.3:443", "backup": True}]}, True, 3),
    ],
)
def test_another_host_is_asked_as_often_as_there_is_one_that_always_answers(
    upstream: dict[str, Any], statuses: bool, tries: int
) -> None:
    text = site(upstream=upstream)
    if not statuses:
        assert "proxy_next_upstream" not in text
        text = template("nginx", "etc/nginx/includes/proxy.conf")
    [conditions] = re.findall(r"proxy_next_upstream ([^;]+);", text)
    assert conditions == "error timeout" + " http_502 http_503 http_504" * statuses
    assert f"proxy_next_upstream_tries {tries};" in text
    assert f"proxy_next_upstream_timeout {'70000ms' if statuses else '10s'};" in text
    if statuses:
        # Otherwise the answer of the last one would be lost: "no live upstreams".
        pool = text.partition("upstream shop {")[2].partition("}")[0]
        assert len(re.findall(r"server [^;]*max_fails=0[^;]*;", pool)) >= tries


def own_pool(text: str, name: str) -> str:
    return text.partition(f"upstream {name} {{")[2].partition("\n}")[0]


def next_pool(text: str) -> str:
    """The variable that has the pool of all other hosts."""
    [name] = re.findall(r"map \$upstream_addr \$(\w+) ", text)
    return str(name)


BEHIND = {"servers": TWO, "behind_nginx": True}


@pytest.mark.parametrize(
    ("upstream", "location", "tells"),
    [
        (BEHIND, {}, "@next.shop.1"),
        # nginx has not kept the body, or cannot repeat the snippet
        (BEHIND, {"request_buffering": False}, "-"),
        (BEHIND, {"snippet": "location /api/admin/ { deny all; }"}, "-"),
        ({**BEHIND, "servers": TWO[:1]}, {}, None),
        ({**BEHIND, "servers": [TWO[0], {"address": TWO[1], "down": True}]}, {}, None),
        ({"servers": TWO}, {}, None),
    ],
)
def test_a_host_is_told_that_there_is_another_one(
    upstream: dict[str, Any], location: dict[str, Any], tells: str | None
) -> None:
    text = site(upstream=upstream, locations=[{"path": "/api/", **location}])
    told = text.partition("location /api/ {")[2].partition("\n    }")[0]
    assert re.findall(r"X-Next-Host (\S+);", told) == [tells] * (tells is not None)
    assert ("location @next.shop.1 {" in text) == (tells == "@next.shop.1")
    if tells is not None:
        # an app's own 503 is final
        assert "proxy_next_upstream error timeout;" in told


def test_the_second_host_is_asked_as_the_first_one_and_told_of_no_other() -> None:
    limits = {"limit_req": {"rate": "1r/s"}, "auth_basic": "Staff"}
    location = {"path": "/api/", "read_timeout": "5m", "buffering": False}
    text = site(upstream=BEHIND, locations=[location | limits])
    again = text.partition("location @next.shop.1 {")[2].partition("\n    }")[0]
    assert "proxy_read_timeout 5m;" in again
    assert "proxy_buffering off;" in again
    assert "auth_basic off;" in again
    assert "limit_req" not in again
    assert "X-Next-Host" not in again
    assert f"proxy_pass http://${next_pool(text)};" in again


@pytest.mark.parametrize(
    ("asked", "others"),
    [
        ("10.0.0.1:443", ["10.0.0.2:443", "10.0.0.3:443"]),
        ("10.0.0.2:443", ["10.0.0.1:443", "10.0.0.3:443"]),
        # the first one could not be reached
        ("10.0.0.1:443, 10.0.0.3:443", ["10.0.0.1:443", "10.0.0.2:443"]),
        ("10.0.0.1:443 : 10.0.0.2:443", ["10.0.0.1:443", "10.0.0.3:443"]),
        ("110.0.0.1:443", ["10.0.0.1:443", "10.0.0.2:443", "10.0.0.3:443"]),
    ],
)
def test_the_second_host_is_another_one(asked: str, others: list[str]) -> None:
    servers = [TWO[0], {"address": TWO[1], "weight": 2}, "10.0.0.3:443"]
    text = site(upstream={"servers": servers, "behind_nginx": True})
    pool = own_pool(text, Maps(text).value(next_pool(text), {"upstream_addr": asked}))
    assert re.findall(r"server (\S+) (?!.*backup)", pool) == others


def test_sites_and_upstreams_with_similar_names_have_variables_of_their_own() -> None:
    """Of two maps of one variable, nginx takes the last without a word."""
    headers = {"Api-Age": "1", "Age": "2"}
    texts = [
        site(name="shop", upstream=BEHIND, upstreams=[{"name": "api", **BEHIND}], headers=headers),
        site(name="shop-api", upstream=BEHIND, headers=headers),
        site(name="header", upstream=BEHIND, headers=headers),
    ]
    variables = [name for text in texts for name in re.findall(r"(?m)^map \S+ \$(\w+) \{", text)]
    assert len(variables) == len(set(variables)) == 10
    assert not set(variables) & set(Maps(template("nginx", "etc/nginx/nginx.conf")).maps)


@pytest.mark.parametrize(
    "name",
    [
        # nginx reads $3d_name as capture 3 and the text d_name
        "3d",
        # its variables_hash_bucket_size of 64 leaves 46 bytes for a name
        "the-long-name-of-an-application-for-spare-parts",
    ],
)
def test_any_name_of_a_site_makes_variables_that_nginx_takes(name: str) -> None:
    headers = {"Content-Security-Policy-Report-Only": "default-src 'self'"}
    text = site(name=name, upstream=BEHIND, headers=headers)
    variables = re.findall(r"(?m)^map \S+ \$(\S+) \{", text)
    assert len(variables) == 2
    for variable in variables:
        assert re.fullmatch("[a-z][a-z0-9_]{,45}", variable)
        # in the map, and where it is read
        assert len(re.findall(rf"\${variable}[ ;]", text)) == 2
    assert f"add_header Content-Security-Policy-Report-Only ${variables[1]} always;" in text


def test_pools_of_a_site_never_have_the_name_of_another_sites() -> None:
    pools: list[str] = []
    for name in ("shop", "shop-fresh", "shop-next-1", "shop-next-2"):
        text = site(name=name, upstream={**BEHIND, "keepalive": 8})
        pools += re.findall(r"(?m)^upstream (\S+) \{", text)
    assert {"shop", "shop_fresh", "shop_next_1", "shop_next_2"} < set(pools)
    assert len(set(pools)) == len(pools)


@pytest.mark.parametrize(
    ("spare", "others"),
    [
        # nginx refuses a pool that has only backups
        ([TWO[1]], [TWO[1]]),
        ([TWO[1], "10.0.0.3:443"], [TWO[1], "10.0.0.3:443"]),
    ],
)
def test_without_the_only_host_that_is_no_backup_backups_are_none(
    spare: list[str], others: list[str]
) -> None:
    def usual(name: str) -> list[str]:
        return re.findall(r"(?m)^ +server (\S+) (?!.*backup)", own_pool(text, name))

    servers = [TWO[0], *({"address": address, "backup": True} for address in spare)]
    text = site(upstream={"servers": servers, "behind_nginx": True})
    assert usual("shop_next_1") == others
    assert [usual("shop"), usual("shop_next_2")] == [TWO[:1]] * 2


@pytest.mark.parametrize(
    ("next_host", "status", "method", "connected", "page"),
    [
        ("", "502", "GET", "-", "/.error/error.html"),
        ("", "502", "POST", "-", "/.error/error.html"),
        # the app was never connected to
        ("@next.shop.1", "502", "POST", "-", "@unreached"),
        ("@next.shop.1", "502", "PATCH", "-, -", "@unreached"),
        ("@next.shop.1", "502", "LOCK", "", "@unreached"),
        # it may have got the request
        ("@next.shop.1", "502", "POST", "0.000", "@broken_off"),
        ("@next.shop.1", "504", "POST", "-, 0.001", "@broken_off"),
        ("@next.shop.1", "504", "GET", "0.000", "@broken_off"),
        ("@next.shop.1", "502", "GET", "-", "@broken_off"),
        ("-", "502", "POST", "-", "@broken_off"),
        ("-", "502", "GET", "-", "@broken_off"),
        # maintenance
        ("@next.shop.1", "503", "GET", "", "@unreached"),
        ("@next.shop.1", "503", "POST", "", "@unreached"),
        # the proxy repeats what may be repeated, and has no location for the others
        ("-", "503", "GET", "", "@broken_off"),
        ("-", "503", "HEAD", "", "@broken_off"),
        ("-", "503", "PUT", "", "@broken_off"),
        ("-", "503", "PROPFIND", "", "@broken_off"),
        ("-", "503", "POST", "", "/.error/error.html"),
        ("-", "503", "PATCH", "", "/.error/error.html"),
        ("-", "503", "LOCK", "", "/.error/error.html"),
        ("", "503", "POST", "", "/.error/error.html"),
        ("", "503", "GET", "", "/.error/error.html"),
        # no location of that kind
        ("@admin", "502", "POST", "-", "@broken_off"),
        ("@next.shop.1, @next.shop.2", "503", "POST", "", "/.error/error.html"),
    ],
)
def test_a_host_says_that_it_has_no_answer_of_the_app(
    maps: Maps, next_host: str, status: str, method: str, connected: str, page: str
) -> None:
    request = {
        "http_x_next_host": next_host,
        "status": status,
        "request_method": method,
        "upstream_connect_time": connected,
    }
    assert maps.value("unserved_page", request) == page


def test_no_app_gets_the_word_between_proxies() -> None:
    assert 'X-Next-Host "";' in template("nginx", "etc/nginx/includes/forwarded.conf")


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::"),
        ("2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::"),
        ("2001:db8:0:1::1", "2001:db8:0:1::"),
        # of IPv4, as a socket of IPv6 has it
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:0:1:2", "::"),
        # bytes that are line ends in a pattern
        ("a0a:a0a:a0a:a0a:a0a:a0a:a0a:a0a", "a0a:a0a:a0a:a0a::"),
    ],
)
def test_limits_count_an_ipv6_network_as_one_client(
    maps: Maps, address: str, counted_as: str
) -> None:
    def packed(text: str) -> bytes:
        return ipaddress.ip_address(text).packed

    key = maps.value("client_network", {"binary_remote_addr": packed(address).decode("latin-1")})
    whole = packed(counted_as)
    assert key.encode("latin-1") == (whole if len(whole) == 4 else whole[:8])


def test_every_limit_counts_networks() -> None:
    text = template("nginx", "etc/nginx/nginx.conf") + template(
        "devpi", "etc/nginx/conf.d/devpi.conf"
    )
    text += site(upstream={"servers": TWO}, limit_req={"rate": "5r/s"}, limit_conn=4, locations=[])
    keys = re.findall(r"limit_(?:req|conn)_zone (\S+) ", text)
    assert keys == ["$client_network"] * 3


@pytest.mark.parametrize(
    ("field", "source", "kept"),
    [
        ("http.request.referrer", "http_referer", 1024),
        ("url.original", "request_uri", 2048),
        ("user.name", "remote_user", 256),
        ("user_agent.original", "http_user_agent", 1024),
    ],
)
def test_the_log_has_the_start_of_what_a_client_chooses(
    maps: Maps, field: str, source: str, kept: int
) -> None:
    [variable] = re.findall(
        rf'"{re.escape(field)}":"\$(\w+)"', template("nginx", "etc/nginx/nginx.conf")
    )
    assert maps.value(variable, {source: "a" * kept}) == "a" * kept
    assert maps.value(variable, {source: "\n" + "a" * kept}) == "\n" + "a" * (kept - 1) + "..."
    assert maps.value(variable, {source: ""}) == ""


@pytest.mark.parametrize(
    ("field", "source"), [("logged_uri", "request_uri"), ("logged_referrer", "http_referer")]
)
@pytest.mark.parametrize(
    ("url", "logged"),
    [
        ("/reset?token=s3cret", "/reset"),
        ("/reset?next=/?token=s3cret", "/reset"),
        ("/?", "/"),
        ("/plain", "/plain"),
        ("", ""),
        ("/\n?token=s3cret", "/\n"),
    ],
)
def test_the_log_has_no_query_where_that_is_not_wanted(
    maps: Maps, field: str, source: str, url: str, logged: str
) -> None:
    silent = Maps(template("nginx", "etc/nginx/nginx.conf", nginx_log_queries=False))
    assert silent.value(field, {source: url}) == logged
    assert maps.value(field, {source: url}) == url


def test_a_long_url_is_cut_before_its_query() -> None:
    silent = Maps(template("nginx", "etc/nginx/nginx.conf", nginx_log_queries=False))
    for kept, rest in (("/" * 2048, "?a=b"), ("/" * 2048 + "...", "/?a=b")):
        url = "/" * 2048 + rest
        assert silent.value("logged_uri", {"request_uri": url}) == kept
