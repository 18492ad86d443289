# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx keeps devpi's permits for, held against what a real devpi permits."""

from __future__ import annotations

import collections
import itertools
import re
import urllib.error
import urllib.request

import pytest
from unit.devpi.conftest import PASSWORD, Devpi
from unit.nginx.configuration import Maps, template

pytestmark = pytest.mark.xdist_group("devpi")  # with --dist loadgroup one server is enough

PARTS = (
    "", "/", "/+api", "/+api/", "/+simple", "/+simple/", "/+simple/x", "/+simple/x/", "/+simple/+api",
    "/+simple/%2Bapi", "/+simple/x/refresh", "/+simple/x/+api", "/+simple/?x", "/+f/ab1/23/x-1.whl",
    "/+f/+api", "/+f/x/+api", "/+f/x%2F%2Bapi", "/+e/x-1.whl", "/+e/+api", "/x", "/x/1.0", "/x/+api",
    "/%2Bsimple/x/", "/+simple%2Fx", "/+status", "/+login", "/+simple/x;/+api", "/+simple/x+y/",
)  # fmt: skip
INDEXES = ("/company/open", "/company/closed", "/company/none", "/c%6fmpany/closed")
OUTSIDE = ("/", "/+api", "/+login", "/company", "/company/", "/company/+api", "/+status")
PATHS = (*OUTSIDE, *("".join(pair) for pair in itertools.product(INDEXES, PARTS)))


@pytest.fixture(scope="module")
def maps() -> Maps:
    return Maps(template("devpi", "etc/nginx/conf.d/devpi.conf"))


def test_pages_are_asked_for_in_the_name_of_the_client_of_the_site() -> None:
    # devpi counts wrong passwords by address: by nginx's own, a process of the host could use up those of all
    _, server = template("devpi", "etc/nginx/conf.d/devpi.conf").split("    listen 127.0.0.1:")
    head = server.partition("location")[0]
    assert "set_real_ip_from 127.0.0.1;" in head
    assert "real_ip_header X-Real-IP;" in head


@pytest.fixture
def closed(devpi: Devpi) -> Devpi:
    assert not devpi.run("devpi_user", name="company", password=PASSWORD).failed
    for name, acl_read in (("open", [":ANONYMOUS:"]), ("closed", ["company"])):
        made = devpi.run("devpi_index", name=f"company/{name}", bases=[], acl_read=acl_read)
        assert not made.failed, made.message
    return devpi


def key(maps: Maps, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> str:
    request = {"request_uri": path, "request_method": method}
    for name, value in (headers or {}).items():
        request[f"http_{name.lower().replace('-', '_')}"] = value
    return maps.value("index_permit", request)


def permitted(devpi: Devpi, path: str, headers: dict[str, str]) -> int:
    request = urllib.request.Request(
        f"{devpi.root}/+authcheck", headers={"X-Original-URI": path, **headers}
    )
    try:
        with devpi.open(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_one_permit_is_kept_only_for_what_devpi_answers_alike(closed: Devpi, maps: Maps) -> None:
    answers: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for path in PATHS:
        answers[key(maps, path)][path] = permitted(closed, path, {})
    assert {k: paths for k, paths in answers.items() if len(set(paths.values())) > 1} == {}
    # The table has both: what is open to everybody below a closed index, and what is not.
    flat = {path: status for paths in answers.values() for path, status in paths.items()}
    assert flat["/company/closed/+api"] == flat["/company/open/+simple/x/"] == 200
    assert flat["/company/closed/+simple/x/"] == 401
    assert flat["/company/closed/+f/ab1/23/x-1.whl"] == 403


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/company/closed/+simple/a/", "/company/closed/+simple/b/"),
        ("/company/closed/+simple/", "/company/closed/+simple/b"),
        ("/company/closed/+f/ab1/23/a-1.whl", "/company/closed/+f/cd4/56/b-2.tar.gz"),
    ],
)
def test_an_install_asks_once_for_all_pages_and_once_for_all_files(
    maps: Maps, one: str, other: str
) -> None:
    assert key(maps, one) == key(maps, other) == key(maps, other, "HEAD")


@pytest.mark.parametrize("path", ["/company/closed/+simple/a/", "/company/closed/+api", "/+login"])
def test_a_permit_is_for_one_login_and_one_method(maps: Maps, path: str) -> None:
    asked = [
        ("POST", {}),
        ("PUT", {}),
        ("GET", {}),
        ("GET", {"Authorization": "Basic cmVhZGVyOng="}),
        ("GET", {"X-Devpi-Auth": "cmVhZGVyOng="}),
        ("POST", {"Authorization": "Basic cmVhZGVyOng="}),
    ]
    keys = [key(maps, path, method, headers) for method, headers in asked]
    assert len(set(keys)) == len(keys)


def test_no_login_makes_itself_the_key_of_nobody(maps: Maps) -> None:
    """HTTP/2 keeps the spaces around a value."""
    nobody = key(maps, "/company/closed/+simple/a/")
    for value in (nobody, f" {nobody}", f" {nobody} ", " ", f"  {nobody}"):
        for name in ("Authorization", "X-Devpi-Auth"):
            assert key(maps, "/company/open", headers={name: value}) != nobody


def test_devpi_is_told_of_no_other_place_to_be_at() -> None:
    headers = template("devpi", "etc/nginx/includes/devpi.conf")
    assert re.search(r'^proxy_set_header X-Outside-URL "";$', headers, re.MULTILINE)
