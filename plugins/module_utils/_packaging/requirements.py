# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements files in which everything is pinned and hashed, read and written. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    NAME,
    VERSION,
    canonical_name,
)

SHA256 = r"[0-9a-f]{64}"
# ``name[extras]==version``, followed by a marker, by hashes or by nothing.
PIN = re.compile(
    rf"({NAME})[ \t]*(?:\[[ \t]*{NAME}(?:[ \t]*,[ \t]*{NAME})*[ \t]*\])?[ \t]*==[ \t]*({VERSION})"
    r"(?=[ \t;]|\Z)(.*)"
)
# A marker's words and quoted strings. pip expands ``${NAME}`` in them, and both installers end them
# at a space and dashes, so no string holds either.
_IN_QUOTES = r"(?:(?! -)[ !%&(-:<-\[\]-~])*"  # of ASCII what is none of "#$';\
MARKER = rf"""(?:[A-Za-z0-9_.()<>=!~ \t]|'{_IN_QUOTES}'|"{_IN_QUOTES}")+"""
_AFTER_PIN = re.compile(
    rf"(?:[ \t]*;(?P<marker>{MARKER}))?(?P<hashes>(?: +--hash=[a-z0-9_]+:[0-9a-f]+)*)[ \t]*"
)
# Some programs take these for the end of a line or of a word, and others do not.
_CODING = re.compile(r"#.*coding[:=]\s*(?!utf-?8\b)", re.IGNORECASE)  # what pip decodes it by
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ufeff]")
# User and password of a URL, whatever is in them. In that of a repository an @ may also stand behind the host, before a
# branch; there, what a colon begins that is no port is a password.
_CREDENTIALS = re.compile(r"//\S*@")
_CREDENTIALS_OF_REPOSITORY = re.compile(r"//(?:[^/\s]*:(?!\d+(?:/|$))\S*|[^/\s]*)@")
_REPOSITORY = re.compile(r"\b(?:git|hg|svn|bzr)\+")


@dataclass(frozen=True)
class Pin:
    """One locked requirement: ``name==version`` with at least one sha256."""

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str = ""  # for which interpreters it is meant; empty: for all


def _logical_lines(text: str, source: str) -> Iterator[tuple[int, str]]:
    """The lines of a requirements file without comments, each with the number that it begins at.

    As pip and uv read them: a comment goes to the end of its line, whatever that end is, and a
    line that is nothing else ends the requirement before it.
    """
    joined, start = "", 0
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if _CONTROL.search(line) or (number <= 2 and _CODING.match(line)):
            raise DeployError(
                f"{source} has a control character or names an encoding in line {number}; "
                "save it as plain UTF-8."
            )
        code = re.sub(r"(?:^|[ \t])[ \t]*#.*", "", line)
        if code.strip() and code != line and line.endswith("\\"):
            raise DeployError(
                f"{source} has a comment in line {number} that ends with a backslash, after which "
                "pip and uv read on at different places; remove it."
            )
        start = start or number
        if code.endswith("\\"):
            joined += code[:-1]
            continue
        if joined + code:
            yield start, (joined + code).strip(" \t")
        joined, start = "", 0
    if start:
        raise DeployError(f"{source} ends with a backslash in line {len(lines)}; it is not whole.")


def _option_remedy(option: str) -> str:
    if option in ("-e", "--editable"):
        return (
            "the project itself must not be in its lock file: make it with `uv export --no-emit-project` "
            "or `uv pip compile --generate-hashes`."
        )
    return "a lock file names packages and hashes only, where they come from is index_url's to say."


def _pin_remedy(line: str) -> str:
    if "://" in line:
        return (
            "nobody could tell later what was installed. Build a wheel of it, upload that to the "
            "index, and lock its version instead."
        )
    return "make it with `uv pip compile --generate-hashes`."


def parse_lock(text: str, source: str = "the lock file") -> list[Pin]:
    """Read a requirements file in which every requirement is pinned and hashed.

    Raises DeployError for anything else: an option line (an index has no place in a lock file),
    an unpinned requirement, a URL, a requirement without a sha256, or whatever installers do not
    all read alike. What an error shows of the text holds no credentials.

    What is installed is format_pins of the result and never ``text``, so that nothing gets to an
    installer which has not been read here.
    """
    pins = []
    for number, line in _logical_lines(text, source):
        if not line:
            continue
        if line.startswith("-"):
            option = re.split(r"[\s=]", line)[0]
            raise DeployError(
                f"{source} holds the option {option!r} in line {number}; {_option_remedy(option)}"
            )
        login = _CREDENTIALS_OF_REPOSITORY if _REPOSITORY.search(line) else _CREDENTIALS
        shown = login.sub("//", line)[:80]
        match = PIN.match(line)
        if not match:
            raise DeployError(
                f"{source} has the line {shown!r}, which is not pinned as name==version, in line "
                f"{number}; {_pin_remedy(line)}"
            )
        name, version, rest = match.groups()
        after = _AFTER_PIN.fullmatch(rest)
        if not after:
            raise DeployError(
                f"{source} has {shown!r} in line {number}; only a marker and --hash=sha256:… may "
                "follow name==version."
            )
        hashes = tuple(re.findall(rf"--hash=sha256:({SHA256})\b", after["hashes"]))
        if not hashes:
            raise DeployError(
                f"{source} has no sha256 for {name}=={version} in line {number}; "
                "make it with `uv pip compile --generate-hashes`."
            )
        pins.append(Pin(canonical_name(name), version, hashes, (after["marker"] or "").strip()))
    if not pins:
        raise DeployError(f"{source} is empty: there is nothing to install.")
    return pins


def format_pins(pins: Sequence[Pin], markers: bool = True) -> str:
    """A requirements file."""
    lines = []
    for pin in pins:
        marker = f" ; {pin.marker}" if markers and pin.marker else ""
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in pin.hashes)
        lines.append(f"{pin.name}=={pin.version}{marker}{hashes}\n")
    return "".join(lines)
