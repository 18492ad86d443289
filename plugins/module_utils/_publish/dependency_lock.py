# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lock of a build must hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    satisfies,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.pylock import (
    is_pylock,
    parse_pylock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
    parse_lock,
)

# ``name [extras] specifiers``, up to a marker
_DEPENDENCY = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*"
    r"(?:\((?P<bracketed>[^)]*)\)|(?P<specifiers>[^;@]*))(?P<url>@[^;]*)?(?:;(?P<marker>.*))?\Z"
)


def dependencies(fields: Sequence[tuple[str, str]]) -> list[str]:
    """What a distribution needs without any extra, from its metadata."""
    needed = [value for key, value in fields if key == "requires_dist"]
    return [line for line in needed if not re.search(r";.*\bextra\s*[=!]=", line)]


def pins_of(lock: str, source: str, own: str) -> list[Pin]:
    """The pins of a lock of either form."""
    if not is_pylock(lock):
        return parse_lock(lock, source)
    parsed = parse_pylock(lock, source, own)
    parsed.check()
    return [Pin(p.name, p.version, p.hashes, p.marker) for p in parsed.packages]


def for_target(lock: str, source: str, own: str, python: str, platform: str) -> str:
    """A lock of either form as a requirements file for CPython ``python`` on Linux.

    ``platform`` is a name that uv knows, e.g. x86_64-manylinux_2_36.
    """
    if not is_pylock(lock):
        return format_pins(parse_lock(lock, source))
    environment = {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": re.sub(r"-.*|_(?:unknown|manylinux).*", "", platform),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    return parse_pylock(lock, source, own).requirements(environment)


def check_complete(pins: Sequence[Pin], needed: Sequence[str], lock: str, app: str) -> None:
    """Raise DeployError for a lock that does not hold what the app's metadata asks for."""
    versions: dict[str, set[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, set()).add(pin.version)
    for line in needed:
        match = _DEPENDENCY.match(line.strip())
        if not match:
            continue
        name = canonical_name(match["name"])
        wanted = (match["bracketed"] or match["specifiers"] or "").strip()
        locked = versions.get(name, set())
        if not locked and match["marker"]:
            continue  # for other interpreters, maybe
        if not locked or not any(_fits(version, wanted) for version in locked):
            has = f"has {name} {', '.join(sorted(locked))}" if locked else f"has no {name}"
            raise DeployError(
                f"{lock} {has}, but {app} needs {line.strip()}: the lock is older than the "
                "dependencies. Lock again: uv pip compile --universal --generate-hashes."
            )


def _fits(version: str, specifiers: str) -> bool:
    try:
        return satisfies(version, specifiers)
    except DeployError:
        return True  # post releases and the like, which uv has judged
