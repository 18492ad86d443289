# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment markers: which packages of a lock are meant for which interpreter.

The grammar is that of the dependency specifiers,
https://packaging.python.org/specifications/dependency-specifiers/. The library ``packaging`` knows
it too, but need not be on a host; a test holds the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)

# A value is text, or a set of texts for the variables of a lock file.
Environment = Mapping[str, Any]

# What an interpreter prints about itself when it runs this.
INTROSPECTION = """
import json, os, platform, sys
v = sys.implementation.version
kind = "" if v.releaselevel == "final" else v.releaselevel[0] + str(v.serial)
print(json.dumps({
    "implementation_name": sys.implementation.name,
    "implementation_version": "%d.%d.%d%s" % (v.major, v.minor, v.micro, kind),
    "os_name": os.name,
    "platform_machine": platform.machine(),
    "platform_python_implementation": platform.python_implementation(),
    "platform_release": platform.release(),
    "platform_system": platform.system(),
    "platform_version": platform.version(),
    "python_full_version": platform.python_version(),
    "python_version": "%d.%d" % sys.version_info[:2],
    "sys_platform": sys.platform,
}))
"""

_TOKEN = re.compile(
    r"\s*(?:(?P<operator><=|>=|===|==|!=|~=|<|>)|(?P<bracket>[()])"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<word>[A-Za-z_][A-Za-z0-9_.]*))"
)
# Compared as versions, where both sides are some; everything else as text.
_VERSIONS = ("implementation_version", "platform_release", "python_full_version", "python_version")
_NAMES = ("extra", "extras", "dependency_groups")
_VERSION = re.compile(
    r"v?(?P<release>[0-9]+(?:\.[0-9]+)*)(?:[._-]?(?P<phase>a|b|rc)[._-]?(?P<number>[0-9]*))?"
    r"(?:\.dev[0-9]+)?(?:\+\S*)?\Z"
)
_SPECIFIER = re.compile(r"\s*(<=|>=|===|==|!=|~=|<|>)\s*(\S+?)\s*\Z")

Version = tuple[tuple[int, ...], tuple[int, str, int]]


def _version(text: str) -> Version | None:
    match = _VERSION.match(text.strip().lower())
    if not match:
        return None
    release = [int(part) for part in match["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    phase = (0, match["phase"], int(match["number"] or 0)) if match["phase"] else (1, "", 0)
    return tuple(release), phase


def _starts_with(version: str, prefix: str) -> bool:
    have, want = _version(version), [int(part) for part in prefix.split(".")]
    padded = list(have[0] if have else ()) + [0] * len(want)
    return padded[: len(want)] == want


def _compare(version: str, operator: str, wanted: str) -> bool | None:
    """What PEP 440 says; None when these are no versions."""
    prefix = re.fullmatch(r"([0-9]+(?:\.[0-9]+)*)\.\*", wanted.strip())
    left, right = _version(version), _version(prefix[1] if prefix else wanted)
    if left is None or right is None:
        return None
    if prefix:
        same = _starts_with(version, prefix[1])
        return {"==": same, "!=": not same}.get(operator)
    if operator == "~=":
        series, dot, _last = wanted.strip().rpartition(".")
        return left >= right and _starts_with(version, series) if dot else None
    if operator == "<" and left[0] == right[0]:
        # 3.14.0rc1 is before 3.14.0, but not what "<3.14.0" means
        return left[1] < right[1] and right[1][0] == 0
    return {
        "==": left == right,
        "===": version == wanted,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }.get(operator)


def satisfies(version: str, specifiers: str) -> bool:
    """Whether a version is within ``>=3.11,<4``. Raises DeployError for what is no such list."""
    for specifier in filter(None, (part.strip() for part in specifiers.split(","))):
        match = _SPECIFIER.match(specifier)
        answer = _compare(version, match[1], match[2]) if match else None
        if answer is None:
            raise DeployError(f"Invalid version specifiers {specifiers!r}.")
        if not answer:
            return False
    return True


class _Reader:
    """Reads one marker from left to right and knows at its end whether it holds."""

    def __init__(self, marker: str, environment: Environment) -> None:
        self.marker = marker
        self.environment = environment
        self.tokens: list[tuple[str, str]] = []
        position, end = 0, len(marker.rstrip())
        while position < end:
            match = _TOKEN.match(marker, position)
            if not match or match.lastgroup is None:
                raise self.error()
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def error(self) -> DeployError:
        return DeployError(f"Invalid marker {self.marker!r} of a package.")

    def accept(self, *words: str) -> bool:
        found = [text for _kind, text in self.tokens[: len(words)]] == list(words)
        if found:
            del self.tokens[: len(words)]
        return found

    def result(self) -> bool:
        answer = self.either()
        if self.tokens:
            raise self.error()
        return answer

    def either(self) -> bool:
        answer = self.both()
        while self.accept("or"):
            answer = self.both() or answer
        return answer

    def both(self) -> bool:
        answer = self.one()
        while self.accept("and"):
            answer = self.one() and answer
        return answer

    def one(self) -> bool:
        if self.accept("("):
            answer = self.either()
            if not self.accept(")"):
                raise self.error()
            return answer
        left, left_name = self.value()
        operator = self.operator()
        right, right_name = self.value()
        name = left_name or right_name
        if name is None or not isinstance(left, str):
            raise self.error()
        return self.holds(name, left, operator, right)

    def operator(self) -> str:
        if self.accept("not", "in"):
            return "not in"
        if self.accept("in"):
            return "in"
        if self.tokens and self.tokens[0][0] == "operator":
            return self.tokens.pop(0)[1]
        raise self.error()

    def value(self) -> tuple[str | AbstractSet[str], str | None]:
        """A value, and the name of the variable that it is the value of."""
        kind, text = self.tokens.pop(0) if self.tokens else ("", "")
        if kind == "text":
            return text[1:-1], None
        # dots are how the first version of the grammar wrote some of them
        name = text.replace(".", "_")
        name = {"python_implementation": "platform_python_implementation"}.get(name, name)
        if kind != "word" or name not in self.environment:
            raise self.error()
        return self.environment[name], name

    def holds(self, name: str, left: str, operator: str, right: str | AbstractSet[str]) -> bool:
        if name in _NAMES:
            left = canonical_name(left)
            right = canonical_name(right) if isinstance(right, str) else right
        if operator in ("in", "not in"):
            return (left in right) is (operator == "in")
        if not isinstance(right, str):
            raise self.error()
        answer = _compare(left, operator, right) if name in _VERSIONS else None
        if answer is None:
            if operator in ("==", "===", "<=", ">="):
                return left == right
            if operator not in ("!=", "<", ">"):
                raise self.error()
            return operator == "!=" and left != right
        return answer


def holds(marker: str, environment: Environment) -> bool:
    """Whether a marker is true where ``environment`` is. Raises DeployError for what is none."""
    return _Reader(marker, {"extra": "", **environment}).result()
