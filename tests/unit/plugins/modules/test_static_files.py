# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import LockFile
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.modules import static_files


class Host:
    """The app `root`, because that is a user that every machine has."""

    def __init__(self, path: pathlib.Path) -> None:
        self.base = path / "srv"
        self.releases = self.base / "root/releases"
        self.releases.mkdir(parents=True)
        self.web = path / "www"
        self.public = self.web / "root"

    def install(self, release: str, files: dict[str, str]) -> None:
        packages = self.releases / release / "venv/lib/python3.11/site-packages/shop"
        packages.mkdir(parents=True)
        for name, content in files.items():
            path = packages / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        manifest = {"installed_at": len(list(self.releases.iterdir()))}
        (self.releases / release / "release.json").write_text(json.dumps(manifest))

    def serve(self, release: str) -> None:
        link = self.base / "root/current"
        link.unlink(missing_ok=True)
        link.symlink_to(f"releases/{release}")

    def run(
        self, directory: str = "shop/static", check: bool = False, generation: int | None = None
    ) -> dict[str, Any]:
        params = {"app": "root", "directories": {"static": directory}}
        params |= {"lock_generation": generation}
        return static_files.run(params, check, str(self.base), str(self.web))

    def published(self) -> dict[str, str]:
        top = self.public / "static"
        return {
            str(path.relative_to(top)): path.read_text()
            for path in top.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    host.install("1", {"static/a.11.css": "old", "static/logo.svg": "old", "secret.py": "no"})
    host.serve("1")
    return host


@pytest.fixture(autouse=True)
def own_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests need not be run by root."""

    home = static_files.AppHome

    def of(app: str, base: str, foreseen: bool) -> Any:
        root = pathlib.Path(base) / app
        return home(app, root, os.getuid(), os.getgid())

    monkeypatch.setattr(static_files.AppHome, "of", of)


def test_files_of_the_old_and_the_new_release_are_there_from_the_install_on(host: Host) -> None:
    assert host.run()["published"] == ["static/a.11.css", "static/logo.svg"]
    host.install("2", {"static/a.22.css": "new", "static/logo.svg": "new"})
    assert host.run()["published"] == ["static/a.22.css"]
    assert host.published() == {"a.11.css": "old", "a.22.css": "new", "logo.svg": "old"}
    host.serve("2")
    assert host.run()["published"] == ["static/logo.svg"]
    assert host.published() == {"a.11.css": "old", "a.22.css": "new", "logo.svg": "new"}
    host.serve("1")
    assert host.run()["published"] == ["static/logo.svg"]
    assert host.published()["logo.svg"] == "old"


def test_running_it_again_changes_nothing(host: Host) -> None:
    assert host.run()["changed"] is True
    again = host.run()
    assert (again["changed"], again["published"], again["removed"]) == (False, [], [])


def test_check_mode_says_what_would_be_and_does_nothing(host: Host) -> None:
    said = host.run(check=True)
    assert (said["changed"], said["published"]) == (True, ["static/a.11.css", "static/logo.svg"])
    assert not host.web.exists()
    assert host.run() == said


def test_what_no_release_has_any_more_is_removed_and_nothing_else(host: Host) -> None:
    host.install("2", {"static/icons/b.22.css": "new"})
    host.serve("2")
    host.run()
    (host.public / "by-hand").write_text("stays")
    host.install("3", {"static/c.33.css": "newest"})
    (host.releases / "2/release.json").unlink()
    assert host.run()["removed"] == ["static/icons/b.22.css"]
    assert sorted(path.name for path in (host.public / "static").iterdir()) == [
        "a.11.css",
        "c.33.css",
        "logo.svg",
    ]
    assert (host.public / "by-hand").read_text() == "stays"


def test_the_link_names_the_release_that_serves(host: Host) -> None:
    host.run()
    link = host.public / "release"
    assert (link.resolve(), host.run()["release"]) == (host.public / "releases/1", "1")
    host.install("2", {"static/a.22.css": "new"})
    host.run()
    assert link.resolve().name == "1"
    host.serve("2")
    assert host.run()["changed"] is True
    assert link.resolve() == host.public / "releases/2"


def test_a_release_without_the_directory_is_said(host: Host) -> None:
    with pytest.raises(DeployError, match="Release 1 has no directory 'shop/assets', neither"):
        host.run("shop/assets")
    assert not host.web.exists()


def test_links_in_a_release_are_left_out(host: Host, tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_text("secret")
    static = host.releases / "1/venv/lib/python3.11/site-packages/shop/static"
    (static / "link").symlink_to(tmp_path / "secret")
    assert host.run()["published"] == ["static/a.11.css", "static/logo.svg"]


def test_who_has_lost_the_lock_publishes_nothing(
    host: Host, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "LockFile", lambda app: LockFile(app, tmp_path))
    with pytest.raises(DeployError, match="does not hold the lock of root on this host any more"):
        host.run(generation=1)
    assert not host.public.exists()
    assert host.run(check=True, generation=1)["changed"] is True
