# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install a release's packages: not as the app, from wheels, with hashes, from one index."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.authorities import (
    SYSTEM,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    compilations,
    explain,
    what_there_is,
    yanked,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    Index,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    INTROSPECTION,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.cache import is_trusted
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

TIMEOUT = 900  # seconds for one command of the installer
CLEANING = 60.0  # seconds for it to drop what no release has any more
WHEELS = "wheels"  # below a release that is being installed without an index


@dataclass(frozen=True)
class Installer:
    """How packages get into a virtual environment on this host.

    ``uv`` is the path of the program; None means pip, which every Python brings along. Without an
    ``index_url`` both take the index that they are made for; with ``offline`` they take what lies
    beside the lock and ask nobody.

    What uv unpacks is kept in a cache of the app and linked from there into each of its releases.
    Both belong to a system user of their own, so the app can change neither. uv does not look at the
    hashes of what is in its cache; every app has its own, so that what one installs comes from its
    own index.

    That user installs for all apps, so it must not run what it installs.
    """

    home: AppHome
    index_url: str | None
    python: str
    uv: str | None
    ca_path: str = SYSTEM
    offline: bool = False

    def _environment(self) -> dict[str, str]:
        # By the environment, not by arguments: an index URL may hold a password, and everybody on
        # the host can read a process's arguments.
        cache = self.home.cache
        index = {"UV_DEFAULT_INDEX": self.index_url, "PIP_INDEX_URL": self.index_url}
        return {
            "HOME": str(cache),
            "SSL_CERT_FILE": self.ca_path,
            "UV_CACHE_DIR": f"{cache}/uv",
            "UV_LINK_MODE": "hardlink",
            "UV_NO_CONFIG": "1",
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_CACHE_DIR": f"{cache}/pip",
            "PIP_CERT": self.ca_path,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
        } | {name: url for name, url in index.items() if url}

    def _run(
        self,
        command: Sequence[str],
        what: str,
        whole: int | None = None,
        timeout: float | None = None,
    ) -> str:
        code, output = run(
            command,
            what,
            timeout or TIMEOUT,
            identity=self.home.installing,
            environment=self._environment(),
            directory=self.home.root if self.home.exists else pathlib.Path("/"),
            whole=whole,
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

    def forget(self, packages: Sequence[str]) -> str:
        """Drop packages from the cache, in all versions; returns a warning.

        Of those that a release still has, its own files stay; another release downloads them again.
        A cache that the app can have written is left alone: its links may lead into other apps.
        """
        if not packages or not is_trusted(self.home):
            return ""
        if self.uv:
            command = [self.uv, "cache", "clean", "--quiet", *packages]
        else:  # pip keeps what it downloads by URL, not by name
            command = ["rm", "-rf", "--", str(self.home.cache / "pip")]
        try:
            self._run(command, f"clean the cache {self.home.cache}", timeout=CLEANING)
        except DeployError as error:
            return str(error)
        return ""

    def environment(self) -> dict[str, str]:
        """What markers say about the interpreter that the release asked for."""
        output = self._run([self.python, "-I", "-c", INTROSPECTION], f"run {self.python}", ANSWER)
        try:
            described: dict[str, str] = json.loads(output)
        except ValueError:
            raise DeployError(
                f"{self.python} is not a Python interpreter; its output was:\n{output[:500]}"
            ) from None
        return described

    def install(self, venv: pathlib.Path, lock: pathlib.Path) -> dict[str, str]:
        """Make ``venv`` hold what ``lock`` names, compiled to bytecode, and nothing else.

        Returns what of it was yanked by those who published it, and why.
        """
        self.make(venv, lock)
        yanked_ones = self.fill(venv, lock)
        self.compile(venv, lock)
        (venv / ".lock").unlink(missing_ok=True)  # uv's own, which everybody could write to
        return yanked_ones

    def make(self, venv: pathlib.Path, lock: pathlib.Path) -> None:
        what = f"install {lock.parent.name}"
        if self.uv:
            self._run([self.uv, "venv", "--quiet", "--python", self.python, str(venv)], what)
        else:
            # pip is not part of a release, so it has a place of its own
            self._run([self.python, "-I", "-m", "venv", "--clear", str(self._pip_venv)], what)
            self._run([self.python, "-I", "-m", "venv", "--without-pip", str(venv)], what)

    @property
    def _pip_venv(self) -> pathlib.Path:
        return self.home.cache / "pip-venv"

    def compile(self, venv: pathlib.Path, lock: pathlib.Path) -> None:
        for command in compilations(venv, self.python):
            self._run(command, f"compile {lock.parent.name}")

    def fill(self, venv: pathlib.Path, lock: pathlib.Path) -> dict[str, str]:
        what = f"install {lock.parent.name}"
        python = str(venv / "bin" / "python")
        only = ["--require-hashes", "--only-binary", ":all:"]
        if self.offline:
            only += ["--no-index", "--find-links", str(lock.parent / WHEELS)]
        if self.uv:
            sync = [self.uv, "pip", "sync", "--python", python, *only]
            return yanked(self._run([*sync, str(lock)], what))
        # one process, so none starts when there are packages already
        pip = [str(self._pip_venv / "bin" / "python"), "-I", "-m", "pip", "--python", python]
        install = ["install", "--quiet", "--no-deps", "--no-compile", *only, "--requirement"]
        return yanked(self._run([*pip, *install, str(lock)], what))
