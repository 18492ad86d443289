# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install a release's packages: as the app's user, from wheels, with hashes, from one index."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app_home import (
    SYSTEM_CA,
    AppHome,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._index import (
    File,
    Index,
    wheel_version,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._markers import INTROSPECTION
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    canonical_name,
    parse_lock,
)

TIMEOUT = 900  # seconds for one command of the installer
WHEELS = "wheels"  # below a release that is being installed without an index


@dataclass(frozen=True)
class Installer:
    """How packages get into a virtual environment on this host.

    ``uv`` is the path of the program; None means pip, which every Python brings along. Without an
    ``index_url`` both take the index that they are made for; with ``offline`` they take what lies
    beside the lock and ask nobody.

    What uv unpacks is kept in a cache of the app and linked from there into each of its releases.
    Every app has its own: uv does not look at the hashes of what is in its cache, so an app that
    could write into a common one could put code into its neighbours.
    """

    home: AppHome
    index_url: str | None
    python: str
    uv: str | None
    ca_path: str | None = None
    offline: bool = False

    def _environment(self) -> dict[str, str]:
        # By the environment, not by arguments: an index URL may hold a password, and everybody on
        # the host can read a process's arguments.
        cache = f"{self.home.root}/cache"
        trust = self.ca_path or SYSTEM_CA
        index = {"UV_DEFAULT_INDEX": self.index_url, "PIP_INDEX_URL": self.index_url}
        return {
            "HOME": cache,
            "SSL_CERT_FILE": trust,
            "UV_CACHE_DIR": f"{cache}/uv",
            "UV_LINK_MODE": "hardlink",
            "UV_NO_CONFIG": "1",
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_CACHE_DIR": f"{cache}/pip",
            "PIP_CERT": trust,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
        } | {name: url for name, url in index.items() if url}

    def _run(self, command: Sequence[str], what: str) -> str:
        code, output = run(
            command,
            what,
            TIMEOUT,
            identity=self.home.identity,
            environment=self._environment(),
            directory=self.home.root if self.home.exists else pathlib.Path("/"),
        )
        if code:
            raise DeployError(explain(output, what, code, self._ask_index))
        return output

    def _ask_index(self, name: str, version: str) -> str:
        """What the index has of a package that pip says nothing about; empty if it does not say."""
        if not self.index_url or self.offline:
            return ""
        try:
            return what_there_is(Index(self.index_url, self.ca_path).files(name), name, version)
        except DeployError:
            return ""

    def environment(self) -> dict[str, str]:
        """What markers say about the interpreter that the release asked for."""
        output = self._run([self.python, "-I", "-c", INTROSPECTION], f"run {self.python}")
        try:
            described: dict[str, str] = json.loads(output)
        except ValueError:
            raise DeployError(
                f"{self.python} is no Python interpreter; asked what it is, it said:\n{output[:500]}"
            ) from None
        return described

    def install(self, venv: pathlib.Path, lock: pathlib.Path) -> dict[str, str]:
        """Make ``venv`` hold what ``lock`` names, compiled to bytecode, and nothing else.

        Returns what of it was yanked by those who published it, and why.
        """
        self.make(venv, lock)
        return self.fill(venv, lock)

    def make(self, venv: pathlib.Path, lock: pathlib.Path) -> None:
        if self.uv:
            command = [self.uv, "venv", "--quiet", "--python", self.python, str(venv)]
        else:
            command = [self.python, "-m", "venv", str(venv)]
        self._run(command, f"install {lock.parent.name}")

    def fill(self, venv: pathlib.Path, lock: pathlib.Path) -> dict[str, str]:
        what = f"install {lock.parent.name}"
        python = str(venv / "bin" / "python")
        only = ["--require-hashes", "--only-binary", ":all:"]
        if self.offline:
            only += ["--no-index", "--find-links", str(lock.parent / WHEELS)]
        if self.uv:
            sync = [self.uv, "pip", "sync", "--python", python, "--compile-bytecode", *only]
            return yanked(self._run([*sync, str(lock)], what))
        pip = [python, "-m", "pip"]
        install = [*pip, "install", "--quiet", "--no-deps", *only, "--requirement", str(lock)]
        said = self._run(install, what)
        # what `venv` put there, pip itself among it, is not part of the release
        named = {pin.name for pin in parse_lock(lock.read_text(), str(lock))}
        surplus = [name for name in installed_packages(venv) if name not in named]
        if surplus:
            self._run([*pip, "uninstall", "--quiet", "--yes", *surplus], what)
        return yanked(said)


def find_uv(path: str | None) -> str | None:
    """The uv to use; None when there is none and pip has to do."""
    if path and os.access(path, os.X_OK):
        return path
    return shutil.which("uv", path="/usr/local/bin:/usr/bin:/bin")


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


def what_there_is(files: Sequence[File], name: str, version: str) -> str:
    """Why nothing of what an index has of a package can be installed here."""
    own = canonical_name(name)
    if (own, version) in {wheel_version(file.name) for file in files}:
        return f"{{}} {_OTHER}"
    sources = [re.sub(r"[-_.]+", "-", file.name).lower() for file in files]
    start = re.sub(r"[-_.]+", "-", f"{own}-{version}-").lower()
    if any(source.startswith(start) and not source.endswith("whl") for source in sources):
        return f"{{}} {_SOURCE}"
    return _ABSENT


# What uv and pip print, and what it means. The first match counts, so what is certain comes first.
# Both end with "not found" after everything that kept them from looking. {} is the package.
_REASONS = {
    r"[Hh]ash mismatch|DO NOT MATCH THE HASHES": (
        "a file of {} does not have the hash that the lock file names. "
        "It was changed after it was locked: find out by whom before you lock anew"
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
            return f"Could not {what}: {reason.format(package)}. The installer said:\n{words}"
    return f"Could not {what}: the installer ended with {code}. It said:\n{words}"
