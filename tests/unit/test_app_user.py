# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell of the role app_user, on directories below a directory of the test."""

from __future__ import annotations

import os
import pathlib
import re
import struct
import subprocess

import pytest
import yaml

ROLE = pathlib.Path(__file__).resolve().parents[2] / "roles/app_user"
VARIABLES = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))


def run(root: pathlib.Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script of the role; nobody asks systemd, and ``/run/shop`` is as good as mounted."""
    script = re.sub(r"/(?=(?:srv|var|run|etc|usr)/)", f"{root}/", VARIABLES[name])
    programs = root / "programs"
    programs.mkdir(exist_ok=True)
    for program in ("mountpoint", "systemctl", "systemd-tmpfiles"):
        (programs / program).write_text("#!/bin/sh\n")
        (programs / program).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
    )


def give_acl(path: pathlib.Path) -> None:
    """As setfacl does, for one group more (acl(5); the layout is the kernel's)."""
    none = 0xFFFFFFFF
    entries = [(1, 7, none), (4, 5, none), (8, 5, 33), (0x10, 5, none), (0x20, 0, none)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", value)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """A host with all that the role makes for the app shop, whose uploads are in media."""
    for directory in ("srv/shop", "var/lib/shop/media", "var/log/shop", "run/shop", "etc"):
        (tmp_path / directory).mkdir(parents=True)
    give_acl(tmp_path / "var/lib/shop")
    give_acl(tmp_path / "var/lib/shop/media")
    return tmp_path


def spoil(root: pathlib.Path, what: str) -> None:
    media = root / "var/lib/shop/media"
    if what in ("the ACL of the app's directory", "the ACL"):
        os.removexattr(media if what == "the ACL" else media.parent, "system.posix_acl_access")
        return
    media.rmdir()
    if what == "a file":
        media.touch()
    elif what == "a link":
        (root / "elsewhere").mkdir()
        give_acl(root / "elsewhere")
        media.symlink_to(root / "elsewhere")
    elif what == "a dangling link":
        media.symlink_to(root / "nowhere")


SPOILT = [
    "nothing",
    "a file",
    "a link",
    "a dangling link",
    "the ACL",
    "the ACL of the app's directory",
]


def test_a_host_that_has_all_is_complete(root: pathlib.Path) -> None:
    for media in ([], ["media"]):
        found = run(root, "__app_user_look", "shop", *media)
        assert (found.returncode, found.stderr) == (0, "")
        assert "incomplete" not in found.stdout.splitlines()
    created = run(root, "__app_user_create", "shop", "run-shop.mount", "media")
    assert (created.returncode, created.stderr) == (0, "")


@pytest.mark.parametrize("what", SPOILT)
def test_directories_for_uploads_are_looked_at(root: pathlib.Path, what: str) -> None:
    spoil(root, what)
    assert "incomplete" in run(root, "__app_user_look", "shop", "media").stdout.splitlines()
    assert "incomplete" not in run(root, "__app_user_look", "shop").stdout.splitlines()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "nothing",
            "There is nothing at PATH, where a directory for uploads of the app 'shop' should be",
        ),
        ("a file", "There is a regular empty file at PATH, .* Move it away"),
        ("a link", "There is a symbolic link at PATH, .* Move it away"),
        ("a dangling link", "There is a symbolic link at PATH, .* Move it away"),
        ("the ACL", "PATH has no ACL, .* Use a file system that supports POSIX ACLs"),
    ],
)
def test_what_could_not_be_created_is_said(root: pathlib.Path, what: str, said: str) -> None:
    """systemd-tmpfiles ends with 0 where something else is in the way."""
    spoil(root, what)
    created = run(root, "__app_user_create", "shop", "run-shop.mount", "media")
    assert created.returncode == 1
    assert re.match(said.replace("PATH", str(root / "var/lib/shop/media")), created.stderr)
