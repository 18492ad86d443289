# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upload a file to an index of a devpi server, withdraw a version from it, reserve a name on it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.apply import (
    apply_reservation,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    Client,
    Upload,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    index_path,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    NOTHING,
    Change,
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.packages import (
    check_project_name,
    check_uploadable,
    decide_package_removal,
    decide_reservation,
    find_stored,
    project_path,
    stored_files,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    Distribution,
    read_distribution,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)


@dataclass(frozen=True)
class Projects:
    """The projects of one index.

    Each method returns the change that it made, or with ``check`` would make, and facts about its
    subject. It raises DevpiError, and ``upload`` DistributionError for a file that cannot be one.
    """

    client: Client
    index: str
    check: bool
    warn: Callable[[str], None]

    def upload(self, path: pathlib.Path) -> tuple[Change, dict[str, Any]]:
        package = read_distribution(path)
        facts = {
            "name": package.name,
            "version": package.version,
            "filename": package.filename,
            "sha256": package.sha256,
        }
        if not self._can_be_uploaded_to():
            return Change("create", after=facts), facts
        stored = self._url_of(package)
        if stored is not None:
            return NOTHING, facts | {"url": stored}
        if not self.check:
            self._send(package)
            stored = self._url_of(package)
            if stored is None:
                raise DevpiError(
                    f"{self.client.server.url} took {package.filename}, but {self.index} does not have it."
                )
        return Change("create", after=facts), facts | ({"url": stored} if stored else {})

    def withdraw(self, name: str, version: str) -> tuple[Change, dict[str, Any]]:
        facts = {"name": name, "version": version}
        config = self._config()
        if config is None:
            return NOTHING, facts
        change = decide_package_removal(config, self._found(name), self.index, name, version)
        if change.action == "remove" and not self.check:
            path = f"/{self.index}/{canonical_name(name)}/{version}"
            self.client.send(f"remove {name} {version} from {self.index}", "DELETE", path)
        return change, facts

    def reserve(self, name: str) -> tuple[Change, dict[str, Any]]:
        facts = {"name": check_project_name(name)}
        if not self._can_be_uploaded_to():
            return decide_reservation(None, name), facts
        change = decide_reservation(self._found(name), name)
        if change.action == "create" and not self.check:
            apply_reservation(self.client, self.index, name)
        return change, facts

    def _config(self) -> Config | None:
        config: Config | None = self.client.get(
            f"look at the index {self.index}", index_path(self.index)
        )
        return config

    def _can_be_uploaded_to(self) -> bool:
        """False where ``check`` runs before the index is made; DevpiError where it never could."""
        config = self._config()
        if config is None and self.check:
            self.warn(f"The index {self.index} does not exist yet.")
            return False
        check_uploadable(self.index, config)
        return True

    def _found(self, name: str) -> Config | None:
        """What the index itself has of a project, without its bases: versions and their files."""
        project: Config | None = self.client.get(
            f"look for {name} on {self.index}", project_path(self.index, name)
        )
        return project

    def _url_of(self, package: Distribution) -> str | None:
        files = stored_files(self._found(package.name))
        stored = find_stored(files, package.filename, package.sha256, self.index)
        return None if stored is None else stored.url

    def _send(self, package: Distribution) -> None:
        with package.path.open("rb") as content:
            self.client.upload(
                f"upload {package.filename} to {self.index}",
                f"/{self.index}/",
                Upload(package.filename, package.size, content, package.fields),
            )
