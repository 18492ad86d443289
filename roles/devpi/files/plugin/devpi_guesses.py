# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin of devpi-server: no client guesses at passwords faster than it may log in.

devpi checks the password of every request that has one, and each check costs a good part of a second. The web
server cannot tell a guess from an install, which is a hundred requests with one login. Here it can be told: only
what failed counts. Tokens, and what a login gives, are no passwords: they are checked as ever, and cost little.
"""

from __future__ import annotations

import collections
import contextlib
import ipaddress
import threading
import time
from collections.abc import Callable
from typing import Any

import itsdangerous
from pluggy import HookimplMarker
from pyramid.httpexceptions import HTTPForbidden
from pyramid.interfaces import ISecurityPolicy

hookimpl = HookimplMarker("devpiserver")

BURST = 20  # wrong passwords of a client at once
PER_SECOND = 0.1  # of them that are forgotten, so that as many can be tried
CLIENTS = 10_000  # that are remembered
ASKED = "twelvefactor.password"  # in a request's environment: the client whose password is checked


class Guesses:
    """How many wrong passwords each client has sent lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.seen: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def count(self, client: str) -> float:
        count, at = self.seen.get(client, (0.0, 0.0))
        return max(0.0, count - (self.clock() - at) * PER_SECOND)

    def too_many(self, client: str) -> bool:
        with self.lock:
            return self.count(client) >= BURST

    def failed(self, client: str) -> None:
        with self.lock:
            self.seen[client] = (self.count(client) + 1, self.clock())
            self.seen.move_to_end(client)
            if len(self.seen) > CLIENTS:
                self.seen.popitem(last=False)


GUESSES = Guesses()


def client_of(address: str) -> str:
    """The client that an address belongs to: whoever has an IPv6 address has all of its /64.

    One of IPv4 in IPv6's spelling (::ffff:192.0.2.1) is that of IPv4: all of those are in one /64.
    """
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address)
        if isinstance(found, ipaddress.IPv6Address):
            network = ipaddress.ip_network((found, 64), strict=False)
            return str(found.ipv4_mapped or network)
    return address


def is_password(request: Any, name: str, password: str) -> bool:
    """Whether devpi will check it as a password: neither what a login gave, also one that is over, nor a token.

    As devpi and its plugin for tokens decide themselves, so that nothing is checked without being counted.
    """
    with contextlib.suppress(itsdangerous.BadData):
        request.registry.getUtility(ISecurityPolicy).auth.serializer.loads(password)
        return False
    authorization = request.authorization
    # that plugin looks at nothing else then, and devpi checks the password all the same
    bearer = authorization is not None and authorization.authtype.lower() == "bearer"
    sent = authorization.params if bearer else password or name
    tokens = request.devpi_token_utility
    with contextlib.suppress(Exception):  # of many kinds, see that plugin
        _user, _token = tokens.token_user_id(tokens.deserialize(sent))
        return False
    return True


# Not `trylast`, as devpi's own is that checks the password: this is asked before it, whatever the order of plugins.
@hookimpl
def devpiserver_get_identity(request: Any, credentials: tuple[str, str] | None) -> None:
    # which the web server sets; who asks past it is root or devpi itself
    address = request.headers.get("X-Real-IP")
    if credentials is None or not address or not is_password(request, *credentials):
        return
    client = client_of(address)
    if GUESSES.too_many(client):
        raise HTTPForbidden("Too many wrong passwords; try again in a minute.")
    request.environ[ASKED] = client


@hookimpl
def devpiserver_identity_loaded(request: Any, identity: Any) -> None:
    client = request.environ.pop(ASKED, None)
    if client and identity is None:
        GUESSES.failed(client)
