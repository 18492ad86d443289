# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments: what is in one, and what an installer says of its work there."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Callable, Sequence

from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    File,
    wheel_version,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)


def find_uv(path: str | None) -> str | None:
    """The uv to use; None when there is none and pip has to do."""
    if path and os.access(path, os.X_OK):
        return path
    return shutil.which("uv", path="/usr/local/bin:/usr/bin:/bin")


# Its workers listen on a socket in the temporary directory, whose path may be 107 bytes long and no more.
_COMPILE = """
import compileall, sys, tempfile
tempfile.tempdir = "/tmp"
compileall.compile_dir(sys.argv[1], quiet=2, workers=0)
"""


def compilations(venv: pathlib.Path, python: str) -> list[list[str]]:
    """Commands that compile a virtual environment to bytecode, without running code of its packages.

    ``python`` is the interpreter that the environment was made with. Its own one, by which uv and pip
    compile, runs code of packages: every file ``*.pth``, and with a pyvenv.cfg that a package brought,
    that package's instead of the standard library. What does not compile, such as a template of code,
    is left to whoever imports it.
    """
    places = sorted(venv.glob("lib/python3.*/site-packages"))
    return [[python, "-I", "-S", "-c", _COMPILE, str(place)] for place in places]


def installed_packages(venv: pathlib.Path) -> dict[str, str]:
    """Names and versions of what a virtual environment holds, from its metadata directories."""
    packages = {}
    for path in venv.glob("lib/python3.*/site-packages/*.dist-info"):
        name, _dash, version = path.name.removesuffix(".dist-info").partition("-")
        packages[canonical_name(name)] = version
    return dict(sorted(packages.items()))


# What uv says, and what pip says.
_YANKED = (
    re.compile(r'warning: `(?P<name>[^`=]+)==(?P<version>[^`]+)` is yanked'
               r'(?: \(reason: "(?P<reason>.*)"\))?'),
    re.compile(r"yanked version: '(?P<name>[^']+)' candidate \(version (?P<version>\S+) at [^\n]*"
               r"\nReason for being yanked: (?P<reason>.*)"),
)  # fmt: skip


def yanked(output: str) -> dict[str, str]:
    """What was installed although it had been yanked, ``name version``, and why."""
    found = {}
    for pattern in _YANKED:
        for match in pattern.finditer(output):
            reason = (match["reason"] or "").strip()
            name = f"{canonical_name(match['name'])} {match['version']}"
            found[name] = "" if reason == "<none given>" else reason
    return found


_OF_A_LOCK = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==(?P<version>[0-9](?:[\w.!+]*\w)?)"
)
_ABSENT = "the index does not have {}, which the lock file names"
_OTHER = "has no wheel for this host's platform or Python"
_PIP_SAYS_NOTHING = r"No matching distribution found"
# uv says the same of both
_UNFIT = (
    "has no wheel for this host's platform or Python, or only its source; nothing is built here"
)
_SOURCE = "has no wheel at all, only its source, and nothing is built here"
# docs/how-to/packages.md says the same, and what to mind.
_BUILD = (
    " Build a wheel once, where what it runs can do no harm, upload it to your index, and lock again: "
    "pip wheel --no-deps --no-binary {0} --wheel-dir wheels {0}=={1} && twine upload --repository company wheels/*"
)


def what_there_is(files: Sequence[File], name: str, version: str) -> str:
    """Why nothing of what an index has of a package can be installed here."""
    own = canonical_name(name)
    if (own, version) in {wheel_version(file.name) for file in files}:
        return f"{{}} {_OTHER}"
    sources = [canonical_name(file.name) for file in files]
    start = canonical_name(f"{own}-{version}-")
    if any(source.startswith(start) and not source.endswith("whl") for source in sources):
        return f"{{}} {_SOURCE}"
    return _ABSENT


# What uv and pip print, and what it means. The first match counts, so what is certain comes first.
# Both end with "not found" after everything that kept them from looking. {} is the package.
_REASONS = {
    r"[Hh]ash mismatch|DO NOT MATCH THE HASHES": (
        "a file of {} does not have the hash that the lock file names. "
        "It was changed after it was locked: find out by whom before you lock it again"
    ),
    r"No space left on device": "the disk is full",
    r"not a trusted or secure host": (
        "pip takes packages over https only; give an index_url with https, or install uv"
    ),
    r"ensurepip is not\s+available": (
        "this host has neither uv nor what Python makes virtual environments with; "
        "install uv, or the package python3-venv"
    ),
    r"valid authentication credentials|(403|401) (Forbidden|Unauthorized)|(403|401) Client Error": (
        "the index refuses who asks; check the user and the password in index_url"
    ),
    r"[Cc]onnection refused|dns error|timed out|tcp connect|error sending request|"
    r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|connection broken by|"
    r"HTTP status (server|client) error|Max retries exceeded|HTTP error \d+|"
    r"error decoding response body": "the index does not answer as it should",
    r"no usable wheels|building .* disabled|Wheels are required|no source distribution": (
        "{} " + _UNFIT
    ),
    r"no wheels? (with a matching|are usable|are available)": "{} " + _OTHER,
    r"not found in the (package registry|provided package locations)|there is no version of|"
    r"from versions: [^n]": _ABSENT,
    # all that pip says of a missing project, of one without a wheel for this host, and of a login
    _PIP_SAYS_NOTHING: (
        f"the index does not have {{}}, which the lock file names, or it {_OTHER}, or the index "
        "refuses the user and the password in index_url"
    ),
}


def explain(
    output: str, what: str, code: int, ask: Callable[[str, str], str] = lambda *_: ""
) -> str:
    """One sentence on what went wrong, then the installer's own words.

    ``ask`` may know more of a package than pip says.
    """
    words = "\n".join(line for line in output.strip().splitlines()[-12:])
    named = _OF_A_LOCK.search(output)
    package = f"{named['name']} {named['version']}" if named else "a package that the lock names"
    for pattern, reason in _REASONS.items():
        if re.search(pattern, output):
            if named and pattern == _PIP_SAYS_NOTHING:
                reason = ask(named["name"], named["version"]) or reason
            remedy = ""
            if named and reason.endswith((_UNFIT, _OTHER, _SOURCE)):
                remedy = _BUILD.format(named["name"], named["version"])
            return (
                f"Could not {what}: {reason.format(package)}.{remedy} The installer said:\n{words}"
            )
    return f"Could not {what}: the installer ended with {code}. It said:\n{words}"
