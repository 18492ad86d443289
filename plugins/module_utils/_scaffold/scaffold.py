# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a repository on the disk to the files of its inventory. Reads only."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    format_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import PROCFILE
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold import files, store
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.explanation import (
    Outcome,
    explain,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.guess import (
    APPS,
    App,
    Wishes,
    guess_app,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.tree import read_tree


@dataclass(frozen=True)
class Request:
    repository: pathlib.Path
    into: pathlib.Path
    hosts: tuple[str, ...] = ()
    index: str = ""
    proxies: tuple[str, ...] = ()
    domain: str = ""
    procfile: bool = False
    collections_path: pathlib.Path | None = None

    @staticmethod
    def from_params(params: Mapping[str, Any]) -> Request:
        collections = params["collections_path"]
        return Request(
            pathlib.Path(os.path.abspath(params["repository"])),
            pathlib.Path(os.path.abspath(params["into"])),
            tuple(params["hosts"]),
            params["index"],
            tuple(params["proxies"]),
            params["domain"],
            params["procfile"],
            pathlib.Path(os.path.abspath(collections)) if collections else None,
        )

    def wishes(self) -> Wishes:
        """Raises DeployError for what cannot be meant."""
        if self.into.resolve() == self.repository.resolve():
            raise DeployError(
                f"The inventory would be written into the app's repository, {self.into}. Call it in a "
                "directory of its own, or name one: -e into=../infrastructure"
            )
        wishes = Wishes(
            os.path.relpath(self.repository, self.into),
            self.hosts,
            self.index,
            self.proxies,
            self.domain,
            self.procfile,
        )
        wishes.check()
        return wishes

    def collections(self) -> str:
        """Where this collection is below the inventory's directory; nothing if it is elsewhere."""
        path = self.collections_path
        return str(path.relative_to(self.into)) if path and path.is_relative_to(self.into) else ""


@dataclass(frozen=True)
class Scaffold:
    """``new``: texts of the files to write."""

    app: App
    outcome: Outcome
    new: Mapping[pathlib.Path, str]

    def to_result(self) -> dict[str, Any]:
        return {
            "changed": bool(self.new),
            "app": self.app.name,
            "guesses": [_shown(asdict(guess)) for guess in self.app.guesses],
            "written": list(self.outcome.written),
            "kept": list(self.outcome.kept),
            "edit": list(self.outcome.edit),
            "chores": [printable(each) for each in self.app.chores],
            "text": [printable(line) for line in explain(self.app, self.outcome)],
            "diff": [
                {"before": "", "after": text, "before_header": "nothing", "after_header": str(path)}
                for path, text in self.new.items()
            ],
        }


def _shown(guess: Mapping[str, str]) -> dict[str, str]:
    return {key: printable(value) for key, value in guess.items()}


def scaffold(request: Request) -> Scaffold:
    """Raises DeployError where there is nothing to read, or what is asked for cannot be meant."""
    wishes = request.wishes()
    app = guess_app(read_tree(request.repository), wishes)
    texts = files.make_files(app, wishes, request.collections())
    wanted = {request.into / name: text for name, text in texts.items()}
    if request.procfile and app.processes.commands and not app.processes.written:
        wanted[request.repository / PROCFILE] = format_procfile(app.processes.commands)
    plan = store.plan(wanted)
    new = {name: text for name, text in texts.items() if request.into / name in plan.new}
    outcome = Outcome(
        str(request.into),
        wishes.source,
        [os.path.relpath(path, request.into) for path in plan.new],
        [os.path.relpath(path, request.into) for path in plan.kept],
        files.to_edit(new),
        "" if plan.kept.get(request.into / APPS, True) else texts[APPS],
        (request.into / files.VAULT).exists(),
    )
    return Scaffold(app, outcome, plan.new)
