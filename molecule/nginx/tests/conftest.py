# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's nginx, as a client on the controller sees it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    client: str

    @property
    def said(self) -> Any:
        return json.loads(self.body)


TRUSTED: dict[str, str] = {}


def trusted(address: str, host: Any) -> str:
    """The CA of a host, asked for once."""
    if address not in TRUSTED:
        TRUSTED[address] = host.file("/etc/nginx/certificates/shop.trust.pem").content_string
    return TRUSTED[address]


class Site:
    """A client that trusts only what it was told to."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.address = host.ansible.get_variables()["ansible_host"]
        self.name = host.ansible.get_variables()["inventory_hostname"]
        [self.peer] = {"nginx-d12", "nginx-d13"} - {self.name}
        self.front = f"front-{self.name}.test"
        self.trust = trusted(self.address, host)

    def tls(self, name: str | None, trust: str = "", alpn: str = "") -> ssl.SSLSocket:
        context = ssl.create_default_context(cadata=trust or self.trust)
        # What Python 3.13 does unasked.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        if alpn:
            context.set_alpn_protocols([alpn])
        raw = socket.create_connection((self.address, 443), timeout=120)
        try:
            return context.wrap_socket(raw, server_hostname=name or self.address)
        except BaseException:
            raw.close()
            raise

    def ask(
        self,
        name: str,
        path: str = "/",
        method: str = "GET",
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        trust: str = "",
    ) -> Reply:
        connection = http.client.HTTPSConnection(name, timeout=120)
        connection.sock = self.tls(name, trust)
        client = connection.sock.getsockname()[0]
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        reply = Reply(response.status, response.headers, response.read(), client)
        connection.close()
        return reply

    def ask_plain(self, name: str) -> Reply:
        connection = http.client.HTTPConnection(self.address, timeout=120)
        connection.request("GET", "/path?query", headers={"Host": name})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read(), "")

    def log(self, name: str) -> list[dict[str, Any]]:
        text = self.host.file(f"/var/log/nginx/{name}.access.log").content_string
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def site(host: Any) -> Site:
    return Site(host)
