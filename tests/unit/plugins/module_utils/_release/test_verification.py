# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release whose files are not those of its packages is not used."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import pathlib
import stat
from collections.abc import Callable

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import verification
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.verification import (
    Digest,
    Recorded,
    UnreadError,
    explain,
    is_scaffolding,
    parse_record,
    verify,
)

RELEASE = "1.0-aaaaaaaa"
PACKAGES = "lib/python3.13/site-packages"
INFO = f"{PACKAGES}/shop-1.0.dist-info"


def line(path: str, text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(text.encode())}\n"


@pytest.fixture
def venv(home: AppHome) -> pathlib.Path:
    """One package with a module and a program, and what every virtual environment has."""
    venv = home.releases / RELEASE / "venv"
    files = {
        f"{PACKAGES}/shop.py": "code",
        f"{PACKAGES}/__pycache__/shop.cpython-313.pyc": "bytecode",
        f"{PACKAGES}/a, b.txt": "comma",
        "bin/shop": "program",
        "bin/activate": "",
        "pyvenv.cfg": "",
        f"{INFO}/RECORD": (
            line("shop.py", "code") + line("../../../bin/shop", "program")
            + line('"a, b.txt"', "comma") + "shop-1.0.dist-info/RECORD,,\n"
        ),
    }  # fmt: skip
    for path, text in files.items():
        (venv / path).parent.mkdir(parents=True, exist_ok=True)
        (venv / path).write_text(text)
    (venv / "bin/python").symlink_to("/usr/bin/python3")
    (venv / "lib64").symlink_to("lib")
    return venv


def test_as_it_was_installed(home: AppHome, venv: pathlib.Path) -> None:
    assert venv.is_dir()
    verify(home, RELEASE)


def replace_by_link(path: pathlib.Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def replace_by_pipe(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        pytest.param(f"{PACKAGES}/shop.py", lambda path: path.write_text("cod2"), "(changed)", id="same-size"),
        pytest.param(f"{PACKAGES}/shop.py", lambda path: path.write_text("code#"), "(changed)", id="longer"),
        pytest.param(f"{PACKAGES}/shop.py", lambda path: os.truncate(path, 1 << 40), "(changed)", id="sparse"),
        pytest.param(f"{PACKAGES}/shop.py", lambda path: path.unlink(), "(missing)", id="missing"),
        pytest.param(f"{PACKAGES}/shop.py", replace_by_link, "(changed)", id="link"),
        pytest.param(f"{PACKAGES}/shop.py", replace_by_pipe, "(changed)", id="pipe"),
        pytest.param("bin/shop", lambda path: path.write_text("x"), "(changed)", id="program"),
        pytest.param(f"{PACKAGES}/evil.pth", lambda path: path.write_text("x"), "(of no package)", id="pth"),
        pytest.param("bin/gunicorn", lambda path: path.write_text("x"), "(of no package)", id="new-program"),
        pytest.param(f"{PACKAGES}/flask", lambda path: path.symlink_to("/tmp"), "(of no package)", id="link-to-directory"),
        pytest.param(f"{INFO}/RECORD", lambda path: path.write_text("x,sha256=!,y"), "", id="no-record"),
        pytest.param(f"{INFO}/RECORD", lambda path: path.write_bytes(b"\xff"), "", id="no-text"),
    ],
)  # fmt: skip
def test_what_was_changed_is_found(
    path: str, change: Callable[[pathlib.Path], None], words: str, home: AppHome, venv: pathlib.Path
) -> None:
    change(venv / path)
    with pytest.raises(DeployError, match=f"Files of release {RELEASE} are not those") as caught:
        verify(home, RELEASE)
    assert f"{path} {words}" in str(caught.value)


@pytest.mark.parametrize("path", ["pyvenv.cfg", "bin/python", "bin/python3.13", "lib64"])
def test_a_package_does_not_bring_the_interpreter(
    path: str, home: AppHome, venv: pathlib.Path
) -> None:
    other = venv / PACKAGES / "other-1.0.dist-info"
    other.mkdir()
    (venv / path).unlink(missing_ok=True)
    (venv / path).write_text("own")
    record = line(f"../../../{path}", "own") + "other-1.0.dist-info/RECORD,,\n"
    (other / "RECORD").write_text(record)
    with pytest.raises(DeployError) as caught:
        verify(home, RELEASE)
    assert f"not those of its packages: {path} (a package brought it)." in str(caught.value)


def test_a_file_that_two_packages_bring_is_that_of_one_of_them(
    home: AppHome, venv: pathlib.Path
) -> None:
    other = venv / PACKAGES / "other-1.0.dist-info"
    other.mkdir()
    (other / "RECORD").write_text(line("shop.py", "other code") + "other-1.0.dist-info/RECORD,,\n")
    verify(home, RELEASE)


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A disk that fails where a path ends so."""

    def run(path: str) -> None:
        real = os.open

        def fail(name: str, *words: int, **more: int) -> int:
            if str(name).endswith(path):
                raise OSError(errno.EIO, os.strerror(errno.EIO), name)
            return real(name, *words, **more)

        monkeypatch.setattr(verification.os, "open", fail)

    return run


@pytest.mark.parametrize("path", [f"{PACKAGES}/shop.py", f"{INFO}/RECORD"])
def test_what_cannot_be_read_is_not_said_to_be_changed(
    path: str, home: AppHome, venv: pathlib.Path, unreadable: Callable[[str], None]
) -> None:
    assert venv.is_dir()
    unreadable(path)
    with pytest.raises(
        UnreadError, match=rf"Could not verify release {RELEASE}.*{path} \(.*Input/output"
    ):
        verify(home, RELEASE)


def test_what_is_known_to_be_changed_counts_more_than_what_is_not_known(
    home: AppHome, venv: pathlib.Path, unreadable: Callable[[str], None]
) -> None:
    (venv / "bin/shop").write_text("x")
    unreadable("shop.py")
    with pytest.raises(DeployError, match=r"packages: bin/shop \(changed\)\. ") as caught:
        verify(home, RELEASE)
    assert not isinstance(caught.value, UnreadError)


def test_reading_ends(home: AppHome, venv: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert venv.is_dir()
    monkeypatch.setattr(verification, "TIMEOUT", -1.0)
    with pytest.raises(DeployError, match=r"Could not verify .* not all files were read within"):
        verify(home, RELEASE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a.py,sha256=AAE,7\n", [("a.py", Digest("sha256", b"\0\1", 7))]),
        ('"a,""b.py",sha512=AAE,7\r\n', [('a,"b.py', Digest("sha512", b"\0\1", 7))]),
        ("a/RECORD,,\n", [("a/RECORD", None)]),
        ("a.pyc\n", [("a.pyc", None)]),
        ("a.py,md5=AAE,7\n", [("a.py", None)]),
    ],
)
def test_parse_record(text: str, found: list[tuple[str, Digest | None]]) -> None:
    assert list(parse_record(text)) == found


@pytest.mark.parametrize("text", ["a.py,sha256=A,7\n", "a.py,sha256=AAE,\n", "a.py,sha256=AAE,x\n"])
def test_parse_record_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(parse_record(text))


def test_a_path_that_leads_out_is_no_file_of_the_release() -> None:
    recorded = Recorded()
    recorded.add("../../../../env,sha256=AAE,7\n/etc/passwd,sha256=AAE,7\n", PACKAGES)
    assert recorded.named == {"../env", "/etc/passwd"}


FILE, LINK, PIPE = stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO


@pytest.mark.parametrize(
    ("path", "mode", "known"),
    [
        ("pyvenv.cfg", FILE, True),
        ("bin/activate.fish", FILE, True),
        ("bin/python3.13", LINK, True),
        ("bin/python3.13", FILE, False),
        ("lib64", LINK, True),
        (f"{PACKAGES}/__pycache__/x.cpython-313.pyc", FILE, True),
        (f"{PACKAGES}/a/b/__pycache__/x.cpython-313.pyc", FILE, True),
        (f"{PACKAGES}/__pycache__/x.cpython-313.pyc", LINK, False),
        (f"{PACKAGES}/x.pyc", FILE, False),
        (f"{PACKAGES}/__pycache__/x.so", FILE, False),
        (f"{PACKAGES}/x.pth", FILE, False),
        (f"{PACKAGES}/x.pth", PIPE, False),
        ("pyvenv.cfg", PIPE, False),
        ("bin/activate_this/x", FILE, False),
    ],
)
def test_scaffolding(path: str, mode: int, known: bool) -> None:
    assert is_scaffolding(path, mode) is known


def test_a_message_names_some_files() -> None:
    assert "a, b, c, d, e and 2 more. " in explain(RELEASE, list("abcdefg"))
    assert "a, b. " in explain(RELEASE, ["a", "b"])
