# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the API of one server, which carry credentials and never follow a redirect."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import (
    handlers,
    read_body,
    why_not,
)


@dataclass(frozen=True)
class Response:
    """What a server sent, whatever the status."""

    status: int
    reason: str
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Returns a redirect as the response that it is: no other server is to get the credentials."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


class Api:
    """One server, by the URL that its paths follow or the path of its Unix socket."""

    def __init__(self, url: str, ca_path: str | None = None, *, unix: str | None = None) -> None:
        """``ca_path``: CA certificates to trust instead of the system's. Raises DeployError."""
        self.root = "http://localhost" if unix else url
        self._shown = url
        parts = urllib.parse.urlsplit(self.root)
        context = tls_context(ca_path) if parts.scheme == "https" else None
        special: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if is_loopback(parts.hostname or ""):
            special.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*special, *handlers(context, unix=unix))

    def exchange(
        self, what: str, request: urllib.request.Request, timeout: float, largest: int
    ) -> Response:
        """The response, also one that refuses. ``timeout`` in seconds, ``largest`` body in bytes.

        ``what`` completes "Cannot …". Raises DeployError when there is no response.
        """
        with self._says_why(what, timeout), self._open(request, timeout) as response:
            return Response(response.status, response.reason, read_body(response, largest))

    def exchange_begin(
        self, what: str, request: urllib.request.Request, timeout: float, size: int
    ) -> Response:
        """The same with what has come of the body at first, of ``size`` bytes at most.

        It is empty where nothing has come when the time is over.
        """
        with self._says_why(what, timeout), self._open(request, timeout) as response:
            body = b""
            with contextlib.suppress(OSError, http.client.HTTPException):
                body = response.read1(size)
            return Response(response.status, response.reason, body)

    def _open(self, request: urllib.request.Request, timeout: float) -> Any:
        try:
            return self._opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            return error

    @contextlib.contextmanager
    def _says_why(self, what: str, timeout: float) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            raise DeployError(f"Cannot {what}: {why_not(self._shown, error, timeout)}") from error


def tls_context(ca_path: str | None) -> ssl.SSLContext:
    """Verifies servers by the CA certificates of a PEM file, or else the system's. Raises DeployError."""
    try:
        return ssl.create_default_context(cafile=ca_path)
    except OSError as error:
        raise DeployError(f"The CA certificates {ca_path} cannot be read: {error}.") from None


def is_loopback(host: str) -> bool:
    """Whether a host name or an IP address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
