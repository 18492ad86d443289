# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""There is nothing to do only where every plan of a deploy says so."""

from __future__ import annotations

import dataclasses
import pathlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import LockFile
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import pending
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

PARAMS: dict[str, Any] = {
    "app": "shop",
    "formation": {"web": 2},
    "packages": [],
    "static_files": None,
    "wheelhouse": None,
    "schedule_host": True,
    "listening": [],
    "schedules": {},
    "process_options": {},
    "media": [],
}


@dataclass
class Host:
    """What the plans of a deploy find; as it stands, nothing to do."""

    release: str | None = "2.0-b"
    installs: bool = False
    needed: bool = False
    drift: list[str] = field(default_factory=list)
    unpublished: bool = False
    problem: Exception | None = None
    asked: Any = None
    looked: Any = None

    def plan_install(self, _home: AppHome, _request: Any) -> Any:
        if self.problem:
            raise self.problem
        return SimpleNamespace(
            release=self.release,
            version="2.0",
            warnings=("yanked",),
            processes={"web": "gunicorn shop"},
            result=lambda: {"changed": self.installs},
        )

    def plan_switch(self, _supervisor: Any, request: Any) -> Any:
        self.asked = request
        return SimpleNamespace(needed=self.needed)

    def read(self, _home: AppHome, request: Any) -> Any:
        self.looked = request
        return SimpleNamespace(drift=lambda: self.drift, listening=lambda: {"web": 1, "api": 1})


@pytest.fixture
def find(home: AppHome, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(host: Host, **params: Any) -> pending.Pending:
        monkeypatch.setattr(AppHome, "of", classmethod(lambda _cls, _app: home))
        monkeypatch.setattr(pending.InstallRequest, "from_params", lambda params: params)
        monkeypatch.setattr(pending, "plan_install", host.plan_install)
        monkeypatch.setattr(pending, "plan_switch", host.plan_switch)
        monkeypatch.setattr(pending.inspection, "read", host.read)
        monkeypatch.setattr(pending, "unpublished", lambda *_: host.unpublished)
        monkeypatch.setattr(pending, "LockFile", lambda app: LockFile(app, tmp_path))
        return pending.find_pending(pending.DeployRequest(PARAMS | params))

    return run


def test_nothing(find: Any) -> None:
    host = Host()
    assert find(host, static_files={"static": "static"}) == pending.Pending(
        (), "2.0-b", ("yanked",)
    )
    assert (host.asked.release, host.asked.formation) == ("2.0-b", {"web": 2})
    # what costs a process on the host, and is not needed for that
    looked = {"records": 0, "probe": False, "details": False, "bridge": False}
    assert dataclasses.asdict(host.looked) == looked


@pytest.mark.parametrize(
    ("host", "params", "todo"),
    [
        (
            Host(installs=True),
            {},
            "2.0-b is to be installed, or others are to be removed",
        ),
        (
            Host(release=None),
            {},
            "2.0 is to be installed, or others are to be removed",
        ),
        (Host(needed=True), {}, "2.0-b is to be switched to"),
        (Host(drift=["worker-1 does not run"]), {}, "worker-1 does not run"),
        (
            Host(unpublished=True),
            {"static_files": {"static": "static"}},
            "static files are to be published",
        ),
        (
            Host(),
            {"wheelhouse": "/var/cache/wheels"},
            "the wheels are to be copied: those of the controller may be others by now",
        ),
        (Host(problem=DeployError("It was yanked.")), {}, "It was yanked."),
        (Host(problem=PermissionError(13, "no")), {}, "[Errno 13] no"),
    ],
)
def test_something(find: Any, host: Host, params: dict[str, Any], todo: str) -> None:
    found = find(host, **params)
    assert found.todo == (todo,)
    # whoever does it says what it warns of
    assert found.warnings == ()


@pytest.mark.parametrize("chosen", [True, False])
def test_the_timers_of_a_host_are_those_that_a_deploy_would_set(find: Any, chosen: bool) -> None:
    host = Host()
    find(host, schedule_host=chosen)
    assert host.asked.schedule_host is chosen


@pytest.mark.parametrize(
    ("types", "todo"), [([], ()), (["web", "api"], ("nginx is to pass requests to api-1",))]
)
def test_nginx_was_left_behind(
    find: Any, monkeypatch: pytest.MonkeyPatch, types: list[str], todo: tuple[str, ...]
) -> None:
    monkeypatch.setattr(pending, "read_site", lambda _app: {"shop": frozenset({"web-1"})})
    assert find(Host(), listening=types).todo == todo


def test_what_an_app_without_static_files_has_published_does_not_count(find: Any) -> None:
    assert find(Host(unpublished=True)).todo == ()


@pytest.mark.parametrize("mine", [True, False])
def test_a_lock(find: Any, tmp_path: pathlib.Path, mine: bool) -> None:
    lock = (
        '{"owner": "ann@far", "run": "8x", "reason": "deploy", "ttl": 1, "since": "", "boot": "b", '
        '"heard": 1}'
    )
    (tmp_path / "shop.json").write_text(lock if mine else "no lock at all")
    (todo,) = find(Host()).todo
    assert todo == "shop is locked by ann@far" if mine else "cannot be read" in todo


def test_a_host_without_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pending.find_pending(pending.DeployRequest(PARAMS | {"app": "no-such-app"}))
    assert found.todo == (
        "This host has no user 'no-such-app'; run the role app_user for the app first.",
    )
    assert found.release is None


def test_what_is_required_of_a_host(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "current").symlink_to("releases/2.0-b")
    monkeypatch.setattr(pending, "BASE", str(tmp_path))
    monkeypatch.setattr(pending, "run", lambda *_, **__: (3, "inactive\n"))
    said = pending.read_host("shop")
    assert (said["nginx"], said["current"], said["free"] > 0) == ("inactive", "2.0-b", True)
    assert pending.read_host("other")["current"] is None


@pytest.mark.parametrize(
    ("names", "output", "missing"),
    [
        (["libpq5"], "libpq5 installed\n", []),
        (["libpq5", "libpq5"], "libpq5 installed\nlibpq5 installed\n", []),
        (
            ["libpq5", "gdal"],
            "libpq5 installed\ndpkg-query: no packages found matching gdal\n",
            ["gdal"],
        ),
        (["libpq5"], "libpq5 config-files\n", ["libpq5"]),
        (["libpq5"], "libpq5 not-installed\n", ["libpq5"]),
        (["awk"], "dpkg-query: no packages found matching awk\n", ["awk"]),
    ],
)
def test_packages(
    names: list[str], output: str, missing: list[str], find: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "run", lambda *_, **__: (1, output))
    assert pending.missing_packages(names) == missing
    found = find(Host(), packages=names)
    assert found.todo == tuple(
        [f"{', '.join(missing)} is to be installed by apt"] if missing else []
    )


def test_what_the_host_lacks_is_found_whatever_else_there_is(find: Any) -> None:
    for host in (Host(), Host(problem=DeployError("It was yanked."))):
        found = find(host, app="no-such-app", media=["media"])
        assert found.unprepared == (
            "media needs /var/lib/no-such-app/media, which is not set up for uploads",
        )


def test_what_cannot_be_planned_says_nothing_of_the_host(find: Any) -> None:
    refused = {"process_options": {"web": {"port": True, "socket": False}}}
    assert find(Host(problem=DeployError("no")), **refused).unprepared == ()
