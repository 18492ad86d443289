# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an account, a group or a directory is that has the name of an app."""

from __future__ import annotations

import os
import pathlib
import pwd
import subprocess

import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.user import (
    MARK,
    RESERVED,
    conflict,
    name_problem,
)

VARIABLES = yaml.safe_load(
    (pathlib.Path(__file__).parents[5] / "roles/app_user/vars/main.yml").read_text()
)
OURS = f"passwd shop:x:994:994:{MARK}:/var/lib/shop:/usr/sbin/nologin"
OLDER = "passwd shop:x:994:994::/var/lib/shop:/usr/sbin/nologin"
GROUP = "group shop:x:994:"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], ""),
        # made by this role, and by one before it that marked nothing but its file
        ([OURS, GROUP, "marked", "path /srv/shop"], ""),
        ([OLDER, GROUP, "marked", "path /srv/shop"], ""),
        # somebody has debugged as the app; the role puts the shell right
        ([OLDER.replace("nologin", "bash"), GROUP, "marked"], ""),
        # interrupted after its file, and after the group
        (["marked"], ""),
        ([GROUP, "marked", "path /srv/shop"], ""),
        # made by hand, as the message below says
        ([OURS, GROUP, "path /var/lib/shop"], ""),
        # Debian's redis has such an account, of its own
        ([OLDER, GROUP], "GECOS '', home /var/lib/shop, shell /usr/sbin/nologin. Give"),
        (
            ["passwd shop:x:1000:1000:S. Hop,,,:/home/shop:/bin/bash", "group shop:x:1000:"],
            "uid 1000, GECOS 'S. Hop,,,', home /home/shop, shell /bin/bash. Give",
        ),
        # the mark alone is a name that a person may have
        ([f"passwd shop:x:1000:1000:{MARK}:/home/shop:/bin/bash"], "was not made for an app"),
        # one of Debian's own, taken over by an earlier version
        (["passwd shop:x:34:34::/var/lib/shop:/usr/sbin/nologin", "marked"], "uid 34"),
        ([GROUP], "The group 'shop' exists and was not made for an app: gid 994, members none."),
        (["group shop:x:27:ann,bob"], "gid 27, members ann,bob. Give"),
        (
            ["incomplete", "path /var/lib/shop", "path /etc/logrotate.d/shop"],
            "there is /var/lib/shop, /etc/logrotate.d/shop, which somebody else may need.",
        ),
    ],
)
def test_whose_it_is(found: list[str], said: str) -> None:
    told = conflict("shop", found)
    assert bool(told) is bool(said)
    assert said in told


@pytest.mark.parametrize("name", ["root", "www-data", "backup", "news", "systemd", "tmp", "apt"])
def test_names_that_a_host_has_already_are_refused_without_a_look(name: str) -> None:
    said = conflict(name, [])
    assert f"Invalid app name '{name}'" in said
    assert f"say package: {name}." in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shop", ""),
        ("my_shop-2", ""),
        ("a" * 32, ""),
        ("a" * 33, "use at most 32 characters"),
        ("Shop", "use only lower-case letters"),
        ("shop.web", "use only lower-case letters"),
        ("2shop", "begin with a letter"),
        ("shop\n", "use only lower-case letters"),
        ("../etc", "use only lower-case letters"),
        ("", "use only lower-case letters"),
    ],
)
def test_names(name: str, said: str) -> None:
    assert said in name_problem(name)
    assert bool(said) is bool(name_problem(name))


def test_what_this_host_has_is_reserved_or_noticed() -> None:
    """Every account of a fresh Debian, and every file whose place an app's would take."""
    for entry in pwd.getpwall():
        if entry.pw_uid < 100:
            line = ":".join(map(str, entry))
            assert conflict(entry.pw_name, [f"passwd {line}"]), entry


def look(name: str) -> list[str]:
    return subprocess.run(
        ["/bin/sh", "-c", VARIABLES["__app_user_look"], "sh", name],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout.splitlines()


def test_the_look_of_the_role() -> None:
    found = look("root")
    assert [line for line in found if line.startswith("passwd ")] == [
        "passwd " + ":".join(map(str, pwd.getpwnam("root")))
    ]
    assert any(line.startswith("group root:") for line in found)
    assert look("no-such-app") == ["incomplete"] * 4


def test_the_role_marks_accounts_with_what_is_looked_for() -> None:
    assert VARIABLES["__app_user_mark"] == MARK
    assert "twelvefactor" in RESERVED
