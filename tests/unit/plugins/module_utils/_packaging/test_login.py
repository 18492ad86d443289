# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login of an index."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.login import (
    with_login,
    with_login_of_host,
)

PAGES = "index.example.org/company/prod/+simple/"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://{PAGES}", f"https://ci:s%2F%40%3A%20%25@{PAGES}"),
        ("https://[2001:db8::1]:8443/+simple/", "https://ci:s%2F%40%3A%20%25@[2001:db8::1]:8443/+simple/"),
        # the more specific one counts
        (f"https://own:word@{PAGES}", f"https://own:word@{PAGES}"),
        (f"https://token@{PAGES}", f"https://token@{PAGES}"),
        # who uses these says what is wrong with them
        ("/srv/wheels", "/srv/wheels"),
        ("https://[::1/", "https://[::1/"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_login_in_a_url(url: str, expected: str) -> None:
    assert with_login(url, "ci", "s/@: %") == expected


NETRC = "machine index.example.org login hosts password pypi-AgEI_x-9\n"


@pytest.mark.parametrize(
    ("text", "url", "expected"),
    [
        (NETRC, f"https://{PAGES}", f"https://hosts:pypi-AgEI_x-9@{PAGES}"),
        (NETRC, "https://INDEX.example.org:8443/s/", "https://hosts:pypi-AgEI_x-9@INDEX.example.org:8443/s/"),
        (NETRC, "https://other.example.org/s/", "https://other.example.org/s/"),
        (NETRC, f"https://own:word@{PAGES}", f"https://own:word@{PAGES}"),
        ("default login a password b\n", f"https://{PAGES}", f"https://{PAGES}"),
        ("default login a password b\n", "https://default/s/", "https://default/s/"),
        ("", f"https://{PAGES}", f"https://{PAGES}"),
        (NETRC, "https://[::1/", "https://[::1/"),
        (NETRC, None, None),
    ],
)  # fmt: skip
def test_the_login_that_a_host_has(
    tmp_path: pathlib.Path, text: str, url: str | None, expected: str | None
) -> None:
    path = tmp_path / "netrc"
    path.write_text(text)
    assert with_login_of_host(url, str(path)) == expected


def test_a_host_without_a_login_asks_without_one(tmp_path: pathlib.Path) -> None:
    assert with_login_of_host(f"https://{PAGES}", str(tmp_path / "no")) == f"https://{PAGES}"


@pytest.mark.parametrize(
    "content", [b"machine a login b passwd SECRET\n", b"machine \xff SECRET\n"]
)
def test_a_file_that_is_no_netrc_is_refused_unquoted(
    tmp_path: pathlib.Path, content: bytes
) -> None:
    path = tmp_path / "netrc"
    path.write_bytes(content)
    with pytest.raises(DeployError, match="is not a netrc file") as refused:
        with_login_of_host(f"https://{PAGES}", str(path))
    assert "SECRET" not in str(refused.value)
