# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that the real uv reads of a lock is hidden from us, or the lock is refused."""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    format_pins,
    parse_lock,
)

UV = shutil.which(
    "uv", path=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
)
Read = Callable[[str], "list[str] | None"]


@pytest.fixture
def locked(make_wheel: Any) -> dict[str, str]:
    """Two requirements and their parts, by the names that the tables use."""
    found = {}
    for name in ("aa", "bb"):
        digest = hashlib.sha256(make_wheel(name, "1").read_bytes()).hexdigest()
        found |= {name: f"{name}==1 --hash=sha256:{digest}", name[0]: f"--hash=sha256:{digest}"}
    return found


@pytest.fixture
def uv(locked: dict[str, str], tmp_path: pathlib.Path) -> Read:
    """The names that uv would install of a lock; None where it refuses."""
    lock = tmp_path / "lock.txt"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "UV_NO_CONFIG": "1",
                   "UV_CACHE_DIR": str(tmp_path / "cache")}  # fmt: skip
    command = [UV, "pip", "install", "--dry-run", "--no-deps", "--offline", "--no-index",
               "--find-links", str(tmp_path / "wheels"), "--require-hashes", "--target",
               str(tmp_path / "nowhere"), "--python", sys.executable, "-r", str(lock)]  # fmt: skip

    def read(text: str) -> list[str] | None:
        lock.write_bytes(text.encode())
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        return None if done.returncode else sorted(re.findall(r"(?m)^ \+ (\w+)==", done.stderr))

    return read


def read(text: str) -> list[str]:
    return sorted({pin.name for pin in parse_lock(text)})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("{aa}\n# reviewed \\\n{bb}\n", "aa bb", id="comment"),
        pytest.param("{aa}\r\n  # reviewed \\\r\n{bb}\r\n", "aa bb", id="comment-crlf"),
        pytest.param("aa==1 {a} \\\n # via \\\n{bb}\n", "aa bb", id="comment-in-a-requirement"),
        pytest.param("aa==1 {a} \\\n\n{bb}\n", "aa bb", id="empty-line-in-a-requirement"),
        pytest.param("{aa}\n#{bb}\n", "aa", id="comment-without-a-space"),
        pytest.param("   {aa}\n\t{bb}\n", "aa bb", id="indented"),
        pytest.param("aa [ x , y ] == 1 {a}\n", "aa", id="extras"),
        pytest.param("aa==1;os_name!='a b' {a}\n", "aa", id="marker"),
    ],
)
def test_hidden_from_nobody(text: str, names: str, locked: dict[str, str], uv: Read) -> None:
    lock = text.format(**locked)
    assert read(lock) == uv(lock) == uv(format_pins(parse_lock(lock))) == names.split()


# What uv or pip (23.2 was asked) reads of these, in brackets.
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{aa} # reviewed \\\n{bb}\n", id="comment-behind [uv: both, pip: aa]"),
        pytest.param("{aa} \\\n{bb}\n", id="two-joined [uv: both, pip: aa]"),
        pytest.param("{aa} {bb}\n", id="two-on-a-line [uv: both, pip: aa]"),
        pytest.param("{aa}\r# x\r{bb}\n", id="cr [both]"),
        pytest.param("{aa}\n# x\x0b{bb}\n", id="vertical-tab [uv: aa, pip: both]"),
        pytest.param("{aa}\n# x\x0c{bb}\n", id="form-feed [uv: aa, pip: both]"),
        pytest.param("{aa}\n# x\x1c{bb}\n", id="separator [uv: aa, pip: both]"),
        pytest.param("{aa}\n# x\x85{bb}\n", id="next-line [uv: aa, pip: both]"),
        pytest.param("{aa}\n# x\u2028{bb}\n", id="line-separator [uv: aa, pip: both]"),
        pytest.param("{aa}\n# x\0\n{bb}\n", id="nul [both]"),
        pytest.param("\ufeff{aa}\n", id="byte-order-mark [both]"),
        pytest.param("# coding: utf-7\n{aa}\n# +AAo-{bb}\n", id="encoding [uv: aa, pip: both]"),
        pytest.param("aa==1\xa0{a}\n", id="wide-space [neither]"),
        pytest.param("{aa}\xa0# x\n", id="wide-space-before-a-comment [pip]"),
        pytest.param("aa==1\t{a}\n", id="tab [uv]"),
        pytest.param("aa==\u0661 {a}\n", id="digit-of-others"),
        pytest.param("aa==${{ONE}} {a}\n", id="environment [pip]"),
        pytest.param("aa==1 ; os_name != '${{ONE}}' {a}\n", id="environment-in-a-marker [both]"),
        pytest.param("aa==1 ; os_name != ' {b}' {a}\n", id="hash-in-a-marker [neither]"),
        pytest.param("aa==1 ; os_name != 'a -b' {a}\n", id="dash-in-a-marker [uv]"),
        pytest.param("aa==1 ; os_name != ' # x' {a}\n", id="comment-in-a-marker [neither]"),
        pytest.param("aa==1\\\n{a}\n", id="joined-without-a-space [uv]"),
        pytest.param("aa==1 \\\\\n {a}\n", id="two-backslashes [pip]"),
        pytest.param("{aa}\\ \n{bb}\n", id="backslash-and-space [neither]"),
        pytest.param("{aa} \\", id="backslash-at-the-end [pip]"),
        pytest.param("aa==1 \\\n# x\n {a}\n", id="hash-behind-a-comment [neither]"),
        pytest.param("aa==1 --hash {a}\n", id="hash-without-its-sign"),
        pytest.param("{aa}#{bb}\n", id="comment-in-a-word [neither]"),
        pytest.param("{aa} --index-url=http://127.0.0.1:9/\n", id="index-behind [both]"),
        pytest.param("{aa}\n --index-url http://127.0.0.1:9/\n", id="index-indented [both]"),
        pytest.param("{aa}\n\\\n-i http://127.0.0.1:9/\n", id="index-joined"),
        pytest.param("{aa} --config-settings=x=y\n", id="option-behind [pip]"),
        pytest.param("{aa} x\n", id="word-behind [pip]"),
        pytest.param("{aa} ; os_name == 'posix'\n", id="marker-behind [pip]"),
        pytest.param("aa-==1 {a}\n", id="name-that-ends-in-a-dash [neither]"),
        pytest.param("aa==v1 {a}\n", id="letter-before-a-version [both]"),
        pytest.param("aa (==1) {a}\n", id="brackets [both]"),
    ],
)
def test_read_differently(text: str, locked: dict[str, str]) -> None:
    with pytest.raises(DeployError, match=r" in line \d"):
        parse_lock(text.format(**locked), "the lock")


PIECES = [
    "{aa}", "{bb}", "{a}", "{b}", "aa==1", "bb==1", " ; os_name != 'x'", ";", " ", "  ", "\t", "\n",
    "\n", "\\\n", " \\\n    ", "\\", "#", " # x", "# x \\\n", "\r\n", "\r", "--pre", "'", "[x]",
]  # fmt: skip


def test_whatever_is_read_is_what_uv_reads(locked: dict[str, str], uv: Read) -> None:
    """Of pieces in any order, the same ones each time."""
    dice = random.Random(5)
    accepted = 0
    for _round in range(4000):
        text = "{aa}\n" + "".join(dice.choices(PIECES, k=dice.randint(1, 7)))
        lock = text.format(**locked)
        try:
            found = read(lock)
        except DeployError:
            continue
        if lock.split() == locked["aa"].split():
            continue
        accepted += 1
        assert uv(lock) in (found, None), lock
        assert parse_lock(format_pins(parse_lock(lock))) == parse_lock(lock)
        if accepted == 20:
            return
    pytest.fail("too few were accepted")
