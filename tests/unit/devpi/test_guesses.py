# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong passwords are limited, on a real devpi, and nothing else is."""

from __future__ import annotations

import base64
import concurrent.futures
import importlib.util
import itertools
import json
import sys
import types
import urllib.error
import urllib.request
from typing import Any

import pytest
from unit.devpi.conftest import PASSWORD, PLUGINS, Devpi

pytestmark = pytest.mark.xdist_group("devpi")  # with --dist loadgroup one server is enough

USER, SECRET = "installer", "right"


Headers = dict[str, str]


def basic(user: str, password: str) -> Headers:
    return {"Authorization": f"Basic {encoded(user, password)}"}


def encoded(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(devpi: Devpi, login: Headers, address: str, path: str = "/company/guarded/+simple/") -> int:
    """What nginx gets when it asks whether a client may have a page."""
    headers = {**login, "X-Original-URI": path}
    if address:
        headers["X-Real-IP"] = address
    try:
        with devpi.open(
            urllib.request.Request(f"{devpi.root}/+authcheck", headers=headers)
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def post(
    devpi: Devpi, path: str, body: dict[str, Any], login: Headers | None = None
) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Accept": "application/json", **(login or {})}
    request = urllib.request.Request(
        f"{devpi.root}{path}", json.dumps(body).encode(), headers, method="POST"
    )
    with devpi.open(request) as answer:
        return dict(json.loads(answer.read())["result"])


@pytest.fixture
def guarded(devpi: Devpi) -> Devpi:
    assert not devpi.run("devpi_user", name="company", password=PASSWORD).failed
    assert not devpi.run("devpi_user", name=USER, password=SECRET).failed
    made = devpi.run("devpi_index", name="company/guarded", bases=[], acl_read=[USER, "root"])
    assert not made.failed, made.message
    return devpi


def macaroon(identifier: bytes) -> str:
    """One that nobody has signed, in its second format."""
    packed = b"\x02\x02" + bytes([len(identifier)]) + identifier + b"\x00\x00\x06\x20" + b"x" * 32
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


FORGED = macaroon(b"root-abcdefgh")
# What devpi takes for a password, although some of them look like something else.
GUESSES = (
    basic(USER, "wrong"),
    basic("root", "wrong"),
    basic("nobody", "wrong"),
    basic(USER, f'["{USER}",[],true].aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb'),
    basic(USER, macaroon(b"nothing")),
    # a header that the plugin for tokens prefers, and what devpi then checks
    *(
        {"Authorization": f"{scheme} x", "X-Devpi-Auth": encoded("root", forged)}
        for scheme, forged in itertools.product(("Bearer", "bearer"), (FORGED, "wrong"))
    ),
)


def test_wrong_passwords_are_refused_without_a_look_and_nothing_else(guarded: Devpi) -> None:
    address, right = "2001:db8::1", basic(USER, SECRET)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:  # more than are forgotten meanwhile
        codes = list(pool.map(lambda login: ask(guarded, login, address), GUESSES * 8))
    assert codes.count(401) >= 20
    assert set(codes) <= {401, 403}
    codes = [ask(guarded, login, "2001:db8::2") for login in (right, *GUESSES)]
    assert codes == [403] * (1 + len(GUESSES))
    session = post(guarded, "/+login", {"user": USER, "password": SECRET})["password"]
    token = post(guarded, f"/{USER}/+token-create", {}, basic("root", PASSWORD))["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    passed = (basic(USER, session), basic(USER, token), basic("", token), basic(token, ""), bearer)
    for login in (*passed, bearer | {"X-Devpi-Auth": encoded("root", "wrong")}):
        assert ask(guarded, login, address) == 200
    # of another network, and of what asks past the web server
    assert ask(guarded, right, "2001:db8:0:1::1") == 200
    assert ask(guarded, right, "") == 200


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The plugin where there is no devpi."""
    for name, known in {
        "itsdangerous": {"BadData": ValueError},
        "pluggy": {"HookimplMarker": lambda _name: lambda function: function},
        "pyramid.httpexceptions": {"HTTPForbidden": PermissionError},
        "pyramid.interfaces": {"ISecurityPolicy": object},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(known)
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("guesses_of_a_test", PLUGINS / "devpi_guesses.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_what_failed_is_forgotten_with_time(plugin: types.ModuleType) -> None:
    now = 1000.0
    guesses = plugin.Guesses(lambda: now)
    for _ in range(plugin.BURST):
        assert not guesses.too_many("a")
        guesses.failed("a")
    assert guesses.too_many("a")
    assert not guesses.too_many("b")
    now += 1 / plugin.PER_SECOND
    assert not guesses.too_many("a")
    guesses.failed("a")
    assert guesses.too_many("a")
    now += 3600
    guesses.failed("a")
    assert guesses.count("a") == 1


def test_no_number_of_clients_takes_the_memory(
    plugin: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "CLIENTS", 3)
    guesses = plugin.Guesses(lambda: 0.0)
    for client in "abcad":
        guesses.failed(client)
    assert list(guesses.seen) == ["c", "a", "d"]


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:202", "192.0.2.2"),
        ("::1", "::/64"),
        ("unix:", "unix:"),
    ],
)
def test_client(plugin: types.ModuleType, address: str, client: str) -> None:
    assert plugin.client_of(address) == client
