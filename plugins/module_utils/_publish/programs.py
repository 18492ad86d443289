# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that a build runs, and what each of them sees of the controller."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import trust_remedy
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish import isolation
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.request import (
    BuildRequest,
)

TIMEOUT = 900  # seconds for the build backend, which may be downloaded first
OUTPUT = 3000  # characters of a program's output that a sentence quotes


@dataclass(frozen=True)
class Programs:
    """``work`` is the temporary directory of the build, ``epoch`` the time of all that is in the wheel."""

    request: BuildRequest
    work: pathlib.Path
    epoch: str

    def environment(self) -> dict[str, str]:
        """What programs see that run no code of the app nor of its packages."""
        other = isolation.SOURCES if self.request.index_url else ()
        inherited = {key: value for key, value in os.environ.items() if key not in other}
        return {"SOURCE_DATE_EPOCH": self.epoch, **inherited, **self.request.environment}

    def isolated(self) -> dict[str, str]:
        """What build commands and build backends see."""
        home = self.work / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        inherited = isolation.isolated(os.environ, home, bool(self.request.index_url))
        return {"SOURCE_DATE_EPOCH": self.epoch, **inherited, **self.request.environment}

    def uv_environment(self, base: Mapping[str, str]) -> dict[str, str]:
        chosen = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
        if self.request.index_url:
            # nor does a configuration file name another one
            chosen |= {"UV_DEFAULT_INDEX": self.request.index_url, "UV_NO_CONFIG": "1"}
        if self.request.ca_path:
            chosen["SSL_CERT_FILE"] = self.request.ca_path
        return {"UV_PYTHON": sys.executable, **base, **chosen}

    def path(self, name: str) -> str:
        return str(self.request.tools / name) if self.request.tools else name

    def uv(self, words: Sequence[str], what: str, isolated: bool = False) -> tuple[int, str]:
        code, said = run(
            [self.request.uv or self.path("uv"), *words],
            what,
            TIMEOUT,
            environment=self.uv_environment(self.isolated() if isolated else self.environment()),
            directory=self.work,
            remedy="it comes from PyPI: pip install uv",
        )
        return code, said.rstrip() + trust_remedy(said) if code else said

    def twine(self, words: Sequence[str], what: str) -> tuple[int, str]:
        environment = {**self.environment(), "NO_COLOR": "1", "TERM": "dumb"}
        return run([self.path("twine"), *words], what, TIMEOUT, environment=environment)

    def cyclonedx(self, words: Sequence[str], what: str) -> tuple[int, str]:
        environment = {**self.environment(), "SOURCE_DATE_EPOCH": self.epoch}
        return run([self.path("cyclonedx-py"), *words], what, TIMEOUT, environment=environment)

    def shell(self, command: str, what: str, directory: pathlib.Path) -> tuple[int, str]:
        return run(
            ["/bin/sh", "-e", "-c", command],
            what,
            self.request.command_timeout,
            environment=self.isolated(),
            directory=directory,
        )
