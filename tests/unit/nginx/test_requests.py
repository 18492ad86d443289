# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site makes of a request before an upstream gets it. Real requests: molecule/nginx."""

from __future__ import annotations

import re
import pytest
from unit.nginx.configuration import Maps, template


@pytest.fixture(scope="module")
def maps() -> Maps:
    return Maps(template("nginx", "etc/nginx/nginx.conf"))


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
