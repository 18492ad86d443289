# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release shows of itself to an audit; no value of its config is among that."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit import (
    release_facts as room,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.facts import is_sandboxed
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    format_pins,
    parse_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import verification
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from unit.plugins.conftest import record_line

RELEASE = "2.0-bbbbbbbb"
LOCK = f"shop==2.0 --hash=sha256:{'a' * 64}\n"
CANARY = "canary-in-a-coal-mine"
PACKAGES = "venv/lib/python3.13/site-packages"


@pytest.fixture
def path(home: AppHome) -> pathlib.Path:
    """A release whose packages are as they were installed."""
    release = home.releases / RELEASE
    put(release, {"shop/__init__.py": "import os\n", "shop/data.txt": "x"})
    (release / "requirements.txt").write_text(LOCK)
    (release / "Procfile").write_text("release: migrate\nweb: gunicorn shop\n")
    (release / "env").write_text(
        f"DATABASE_URL='PostgreSQL://u:{CANARY}@db/shop'\nTOKEN={CANARY}\n"
    )
    (release / "env").chmod(0o640)
    manifest = {
        "id": RELEASE,
        "package": "shop",
        "version": "2.0",
        "commit": "abc",
        "lock_sha256": hashlib.sha256(format_pins(parse_lock(LOCK)).encode()).hexdigest(),
        "packages": {"shop": "2.0"},
        "commands": {"release": "migrate", "web": "gunicorn shop"},
        "processes": {"web": {"socket": True}},
    }
    (release / "release.json").write_text(json.dumps(manifest))
    return release


def put(release: pathlib.Path, files: dict[str, str]) -> None:
    """Install the package shop, with its RECORD."""
    packages = release / PACKAGES
    record = "shop-2.0.dist-info/RECORD,,\n"
    for name, text in files.items():
        file = packages / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        record += record_line(name, text.encode())
    (packages / "shop-2.0.dist-info").mkdir(exist_ok=True)
    (packages / "shop-2.0.dist-info" / "RECORD").write_text(record)


def look(home: AppHome) -> dict[str, Any]:
    """By an app that does not own its release."""
    found = room.release_facts(
        dataclasses.replace(home, uid=home.uid + 1, gid=home.gid + 1), RELEASE
    )
    assert CANARY not in json.dumps(found)
    return found


def test_a_release_with_nothing_wrong(home: AppHome, path: pathlib.Path) -> None:
    found = look(home)
    assert found["release"]["commit"] == "abc"
    assert found["release"]["command"] is True
    assert found["lock"] == {"packages": 1, "problem": "", "unread": ""}
    assert found["files"] == {"problem": "", "unread": "", "writable": [], "count": 0}
    assert found["config"] == {
        "problem": "",
        "names": ["DATABASE_URL", "TOKEN"],
        "services": {"DATABASE_URL": "postgresql"},
        "public": False,
    }
    assert found["code"] == {"files": 2, "partial": False, "secrets": []}


def test_a_config_that_everybody_can_read(home: AppHome, path: pathlib.Path) -> None:
    (path / "env").chmod(0o644)
    assert look(home)["config"]["public"] is True


def test_a_config_that_is_gone(home: AppHome, path: pathlib.Path) -> None:
    (path / "env").unlink()
    assert look(home)["config"]["problem"]


@pytest.mark.parametrize(
    ("lock", "problem"),
    [
        ("shop==2.0\n", "hash"),
        (LOCK.replace("aa", "ab"), "is not the lock that release.json names"),
        (LOCK.replace("shop", "flask"), "installed, but not in the lock: shop"),
    ],
    ids=["no-hash", "changed", "not-in-it"],
)
def test_a_lock_that_does_not_hold(
    home: AppHome, path: pathlib.Path, lock: str, problem: str
) -> None:
    (path / "requirements.txt").write_text(lock)
    assert problem in look(home)["lock"]["problem"]


def test_files_that_are_not_those_of_the_packages(home: AppHome, path: pathlib.Path) -> None:
    (path / PACKAGES / "shop" / "__init__.py").write_text("import evil\n")
    assert "shop/__init__.py (changed)" in look(home)["files"]["problem"]


@pytest.mark.parametrize(("name", "topic"), [("requirements.txt", "lock"), ("Procfile", "files")])
def test_what_cannot_be_read_is_no_problem_of_the_release(
    home: AppHome, path: pathlib.Path, name: str, topic: str
) -> None:
    (path / name).unlink()
    (path / name).mkdir()
    found = look(home)[topic]
    assert (found["problem"], name in found["unread"]) == ("", True)


def test_what_is_not_read_in_time_is_unknown(
    home: AppHome, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "TIMEOUT", -1.0)
    found = look(home)["files"]
    assert (found["problem"], "not all files were read" in found["unread"]) == ("", True)


def test_a_search_that_ends_within_a_file_is_partial(
    home: AppHome, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = room.read
    monkeypatch.setattr(room, "read", lambda path, size, _deadline: read(path, size, 0.0))
    assert look(home)["code"] == {"files": 0, "partial": True, "secrets": []}


def test_a_procfile_that_was_changed(home: AppHome, path: pathlib.Path) -> None:
    (path / "Procfile").write_text("web: other\n")
    assert "Procfile" in look(home)["files"]["problem"]


def test_files_that_the_app_can_write(home: AppHome, path: pathlib.Path) -> None:
    (path / "Procfile").chmod(0o666)
    files = look(home)["files"]
    assert (files["problem"], files["writable"], files["count"]) == ("", ["Procfile"], 1)
    own = room.release_facts(home, RELEASE)["files"]
    assert own["count"] > room.SHOWN == len(own["writable"])


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "can"),
    [
        (0o100644, 2, 2, False),
        (0o100640, 2, 1, False),  # of the user that installs, and the app's group
        (0o040750, 2, 1, False),
        (0o100664, 2, 1, True),
        (0o100664, 2, 2, False),
        (0o100646, 2, 2, True),
        (0o100444, 1, 2, True),
    ],
)
def test_who_can_write_a_file(mode: int, uid: int, gid: int, can: bool) -> None:
    status = os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))
    assert room.may_write(status, 1, 1) is can


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "shop/a.py",
            f"key = os.environ.get('SECRET_KEY', '{CANARY}')",
            "a default for SECRET_KEY",
        ),
        ("shop/a.py", f'key = os.getenv(\n  "API_KEY", "{CANARY}")', "has a default for API_KEY"),
        ("shop/a.py", "key = os.environ['SECRET_KEY']", ""),
        ("shop/a.py", "key = os.environ.get('SECRET_KEY', '')", ""),
        ("shop/a.py", "debug = os.environ.get('DEBUG', 'no')", ""),
        ("shop/a.txt", f"os.environ.get('SECRET_KEY', '{CANARY}')", ""),
        (
            "shop/a.py",
            f"u = 'postgresql://u:{CANARY}@db.company.net/x'",
            "holds a URL with a password",
        ),
        ("shop/.env", "A=1", "holds the config of one deploy"),
    ],
)
def test_secrets_in_the_code(
    home: AppHome, path: pathlib.Path, name: str, text: str, found: str
) -> None:
    put(path, {name: text})
    secrets = look(home)["code"]["secrets"]
    assert found in secrets[0] if found else not secrets, secrets


def test_a_package_that_is_not_found(home: AppHome, path: pathlib.Path) -> None:
    assert room.code_facts(home, RELEASE, "other")["files"] == 0


def test_a_file_that_is_too_large_is_not_taken_for_searched(
    home: AppHome, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LARGEST_FILE", 1)
    assert look(home)["code"] == {"files": 1, "partial": True, "secrets": []}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[Service]\nProtectSystem=strict\n", True), ("[Service]\n", False), (None, False)],
)
def test_whether_commands_have_a_sandbox(
    tmp_path: pathlib.Path, text: str | None, expected: bool
) -> None:
    if text is not None:
        (tmp_path / "app-exec-shop-.service.d").mkdir()
        (tmp_path / "app-exec-shop-.service.d" / "sandbox.conf").write_text(text)
    assert is_sandboxed("shop", tmp_path) is expected
