# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install a release's packages: as the app's user, from wheels, with hashes, from one index."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app_home import (
    SYSTEM_CA,
    AppHome,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    ReleaseError,
    canonical_name,
    parse_lock,
)

TIMEOUT = 900  # seconds for one command of the installer


@dataclass(frozen=True)
class Installer:
    """How packages get into a virtual environment on this host.

    ``uv`` is the path of the program; None means pip, which every Python brings along. Without an
    ``index_url`` both take the index that they are made for.
    """

    home: AppHome
    index_url: str | None
    python: str
    uv: str | None
    ca_path: str | None = None

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
            directory=self.home.root,
        )
        if code:
            raise ReleaseError(explain(output, what, code))
        return output

    def python_version(self) -> str:
        """Version of the interpreter that the release asked for, e.g. 3.13.5."""
        script = "import platform; print(platform.python_version())"
        return self._run([self.python, "-I", "-c", script], f"run {self.python}").strip()

    def install(self, venv: pathlib.Path, lock: pathlib.Path) -> None:
        """Make ``venv`` hold what ``lock`` names, compiled to bytecode, and nothing else."""
        self.make(venv, lock)
        self.fill(venv, lock)

    def make(self, venv: pathlib.Path, lock: pathlib.Path) -> None:
        if self.uv:
            command = [self.uv, "venv", "--quiet", "--python", self.python, str(venv)]
        else:
            command = [self.python, "-m", "venv", str(venv)]
        self._run(command, f"install {lock.parent.name}")

    def fill(self, venv: pathlib.Path, lock: pathlib.Path) -> None:
        what = f"install {lock.parent.name}"
        python = str(venv / "bin" / "python")
        if self.uv:
            self._run(
                [self.uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes",
                 "--only-binary", ":all:", "--compile-bytecode", str(lock)],
                what,
            )  # fmt: skip
            return
        pip = [python, "-m", "pip"]
        self._run(
            [*pip, "install", "--quiet", "--require-hashes", "--no-deps",
             "--only-binary", ":all:", "--requirement", str(lock)],
            what,
        )  # fmt: skip
        # what `venv` put there, pip itself among it, is not part of the release
        named = {pin.name for pin in parse_lock(lock.read_text(), str(lock))}
        surplus = [name for name in installed_packages(venv) if name not in named]
        if surplus:
            self._run([*pip, "uninstall", "--quiet", "--yes", *surplus], what)


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


# What uv and pip print, and what it means. The first match counts, so what is certain comes first.
# Both end with "not found" after everything that kept them from looking.
_REASONS = {
    r"[Hh]ash mismatch|DO NOT MATCH THE HASHES": (
        "a file on the index does not have the hash that the lock file names. "
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
    r"no wheels? (with a matching|are usable|are available)|no usable wheels|no source distribution|"
    r"building .* disabled|Wheels are required": (
        "a package that the lock file names has no wheel for this host's platform or Python"
    ),
    r"not found in the (package registry|provided package locations)|there is no version of|"
    r"from versions: [^n]": "the index does not have what the lock file names",
    # all that pip says of a missing project, of one without a wheel for this host, and of a login
    r"No matching distribution found": (
        "the index does not have what the lock file names, has no wheel of it for this host's "
        "platform or Python, or refuses the user and password in index_url"
    ),
}


def explain(output: str, what: str, code: int) -> str:
    """One sentence on what went wrong, then the installer's own words."""
    words = "\n".join(line for line in output.strip().splitlines()[-12:])
    for pattern, reason in _REASONS.items():
        if re.search(pattern, output):
            return f"Could not {what}: {reason}. The installer said:\n{words}"
    return f"Could not {what}: the installer ended with {code}. It said:\n{words}"
