# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock file of the form pylock.toml (PEP 751), as requirements with hashes for one interpreter.

https://packaging.python.org/specifications/pylock-toml/. Both installers take requirements with
hashes, so there is one way to install whatever the lock's form. What a pylock.toml says about where
files come from is not followed: that is index_url's to say.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    Environment,
    holds,
    satisfies,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    NAME,
    VERSION,
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    MARKER,
    SHA256,
    Pin,
    format_pins,
)

# How a package comes which is not on an index.
_ELSEWHERE = {
    "vcs": "comes from version control",
    "directory": "comes from a directory",
    "archive": "comes from an archive",
}


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str
    requires_python: str
    problem: str  # why it cannot be installed; empty if it can


@dataclass(frozen=True)
class Pylock:
    source: str
    requires_python: str
    environments: tuple[str, ...]
    groups: frozenset[str]  # of dependencies, those that are meant by default
    packages: tuple[Package, ...]

    def requirements(self, environment: Environment) -> str:
        """What is meant for an interpreter, as a requirements file.

        Raises DeployError when the lock is not made for it, or not made of wheels.
        """
        python = str(environment["python_full_version"])
        everything = {**environment, "extras": frozenset[str](), "dependency_groups": self.groups}
        if not satisfies(python.rstrip("+"), self.requires_python):
            raise DeployError(
                f"{self.source} is made for Python {self.requires_python}; this host's is {python}."
            )
        if self.environments and not any(holds(m, everything) for m in self.environments):
            raise DeployError(
                f"{self.source} is made for other hosts: {' or '.join(self.environments)}."
            )
        pins = []
        for package in self.packages:
            if package.marker and not holds(package.marker, everything):
                continue
            if package.problem:
                raise DeployError(f"{self.source}: {package.problem}")
            if not satisfies(python.rstrip("+"), package.requires_python):
                raise DeployError(
                    f"{self.source}: {package.name} {package.version} is made for Python "
                    f"{package.requires_python}; this host's is {python}."
                )
            pins.append(Pin(package.name, package.version, package.hashes))
        return format_pins(pins)

    def check(self) -> None:
        """Raise DeployError for what can be installed on no host."""
        for package in self.packages:
            if package.problem and not package.marker:
                raise DeployError(f"{self.source}: {package.problem}")
        if not self.packages:
            raise DeployError(f"{self.source} is empty: there is nothing to install.")


def is_pylock(text: str) -> bool:
    """Whether a lock is a pylock.toml; no line of a requirements file looks like that."""
    return re.search(r"(?m)^lock-version\s*=", text) is not None


def parse_pylock(text: str, source: str, own: str) -> Pylock:
    """Read a pylock.toml.

    ``own``: the app itself. A lock that was exported from its source tree names that directory; the
    wheel that was built of it takes its place.
    """
    try:
        document = tomllib.loads(text)
    # a number of too many digits is a plain ValueError
    except (ValueError, RecursionError) as error:
        raise DeployError(
            f"{source} is not a valid pylock.toml: {error}. Lock the dependencies again."
        ) from None
    version = document.get("lock-version")
    if not isinstance(version, str) or version.partition(".")[0] != "1":
        raise DeployError(f"{source} is a pylock.toml of version {version}; known is 1.0.")
    try:
        packages = [
            _package(entry, source)
            for entry in document.get("packages", [])
            if not ("directory" in entry and canonical_name(entry["name"]) == canonical_name(own))
        ]
        return Pylock(
            source,
            document.get("requires-python", ""),
            tuple(document.get("environments", [])),
            frozenset(canonical_name(name) for name in document.get("default-groups", [])),
            tuple(packages),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DeployError(f"{source} is not a valid pylock.toml (PEP 751): {error!r}.") from None


def _package(entry: dict[str, Any], source: str) -> Package:
    name, version = canonical_name(entry["name"]), entry.get("version", "")
    wheels = entry.get("wheels", [])
    hashes = tuple(
        wheel["hashes"]["sha256"].lower() for wheel in wheels if "sha256" in wheel.get("hashes", {})
    )
    problem = ""
    if not wheels:
        ways = [way for key, way in _ELSEWHERE.items() if key in entry]
        problem = (
            f"{name} {version}".rstrip()
            + f" {ways[0] if ways else 'has no wheel, only its source'}. "
            "Installed are wheels from the index: build it as one and publish it there."
        )
    elif not hashes or len(hashes) < len(wheels):
        problem = f"{name} {version} has wheels without a sha256; lock it again."
    elif not version:
        problem = f"{name} has no version; lock it again."
    marker = entry.get("marker", "")
    # A string of TOML holds whatever it likes; these become lines of a requirements file.
    for form, texts in ((NAME, [name]), (VERSION, [version]), (SHA256, hashes), (MARKER, [marker])):
        odd = [text for text in texts if text and not re.fullmatch(form, text)]
        if odd:
            raise DeployError(f"{source} has {odd[0][:80]!a} of {name[:80]!a}; lock it again.")
    return Package(
        name,
        version,
        tuple(sorted(hashes)),
        marker,
        entry.get("requires-python", ""),
        problem,
    )
