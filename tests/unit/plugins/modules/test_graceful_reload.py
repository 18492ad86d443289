# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module graceful_reload, with a supervisor that lives in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Refused,
    Wish,
    take,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.fence import (
    taking_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import (
    nginx_probe,
    switch,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import Status
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch_plan import (
    SwitchRequest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    watched,
    watchers,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import (
    PROCESS_OPTIONS,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record
from ansible_collections.twelvefactor.deploy.plugins.modules import graceful_reload

A, B, C = "1.0-aaaaaaaa", "2.0-bbbbbbbb", "3.0-cccccccc"
SPEC = {"command": "x", "socket": False, **PROCESS_OPTIONS}


@dataclass
class Units:
    """The timers of schedules; what is written is kept by name."""

    files: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    held_now: bool = False

    def found(self) -> dict[str, str]:
        return dict(self.files)

    def set(self, wanted: Mapping[str, str]) -> None:
        assert self.held_now
        if self.broken and wanted:
            raise DeployError("Could not set the schedules: it is broken.")
        self.files = dict(wanted)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self.held_now = True
        yield
        self.held_now = False


@dataclass
class Memory:
    """circusd and its pivots: ``runs`` says which release each process is on."""

    home: AppHome
    active: bool = False
    text: str = ""  # the configuration on the disk
    loaded: list[str] = field(default_factory=list)  # what circusd has read of it
    runs: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # releases that do not start
    stubborn: set[str] = field(default_factory=set)  # processes that do not end
    broken: set[str] = field(default_factory=set)  # commands that fail
    did: list[str] = field(default_factory=list)
    timers: Units = field(default_factory=lambda: Units())

    def _do(self, what: str) -> None:
        self.did.append(what)
        if what.split()[0] in self.broken:
            raise DeployError(f"Could not {what}: it is broken.")

    def _begin(self, names: Sequence[str]) -> None:
        release = self.home.current()
        for name in names:
            if release and release not in self.refused:
                self.runs[name] = release

    def is_active(self) -> bool:
        return self.active

    def start(self) -> None:
        self._do("start")
        self.active, self.loaded = True, watched(self.text)
        self._begin(self.loaded)

    def evict(self) -> list[str]:
        self._do("evict")
        self.active = False
        self.runs.clear()
        return ["/var/spool/cron/crontabs/shop"]

    def stop(self) -> None:
        self._do("stop")
        self.active = False
        self.runs.clear()

    def hup(self, statuses: Iterable[Status]) -> None:
        names = [status.instance for status in statuses]
        self._do(f"hup {' '.join(names)}".strip())
        # the pivots ask each other, and one that circusd starts again and again says no
        if not [name for name in self.loaded if name not in self.runs and name not in names]:
            self._begin(names)

    def reload(self, instances: Iterable[str]) -> None:
        for name in instances:
            self._do(f"reload {name}")
            self._begin([name])

    def stop_bridge(self) -> None:
        pass

    def watching(self) -> list[str]:
        return list(self.loaded)

    def drop(self, instances: Sequence[str]) -> None:
        assert not set(instances) & set(watched(self.text))
        with contextlib.suppress(DeployError):
            self.take_configuration()

    def take_configuration(self) -> None:
        self._do("reloadconfig")
        before, self.loaded = self.loaded, watched(self.text)
        for name in set(before) - set(self.loaded) - self.stubborn:
            self.runs.pop(name, None)
        self._begin([name for name in self.loaded if name not in before])

    def configuration(self) -> str:
        return self.text

    def configure(self, text: str) -> None:
        self.text = text

    def status(self, instance: str) -> Status | None:
        release = self.runs.get(instance)
        if release is None:
            return None
        return Status(instance, 10, "serving", release, 11, 0, 1, {"seconds": {"gate": 0.1}})

    def serving_release(self, instances: Sequence[str]) -> str | None:
        releases = {self.runs.get(name) for name in instances}
        return releases.pop() if len(releases) == 1 else None

    def not_serving(self, instances: Sequence[str], release: str) -> list[str]:
        return [name for name in instances if self.runs.get(name) != release]

    def follow(self, before: Mapping[str, Status | None], target: str, seconds: float) -> Failure:
        late = [name for name in before if self.runs.get(name) != target]
        return Failure(f"{', '.join(late)} exit 3", ("KeyError: x",)) if late else Failure()

    def wait_until_gone(self, instances: Sequence[str], seconds: float) -> list[str]:
        return [name for name in instances if name in self.runs]


@pytest.fixture
def host(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> Memory:
    """A host with three releases, none of which has ever served."""
    host = Memory(home)
    monkeypatch.setattr(Supervisor, "of", classmethod(lambda _cls, _app, predicted=False: host))
    if os.geteuid() != 0:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    put(home, A)
    put(home, B)
    put(home, C, "web", "worker", "beat")
    return host


def put(home: AppHome, release: str, *kinds: str) -> None:
    kinds = kinds or ("web", "worker")
    (home.releases / release).mkdir()
    manifest = {
        "installed_at": release,
        "commands": {"release": "m", **dict.fromkeys(kinds, "x")},
        "processes": {kind: SPEC | {"socket": kind in ("web", "api")} for kind in kinds},
    }
    (home.releases / release / "release.json").write_text(json.dumps(manifest))
    (home.releases / release / "env").write_text("")


@pytest.fixture
def deploy(call: Any, host: Memory) -> Any:
    """Switch, and check what must hold after every attempt, whatever came of it."""

    def run(release: str, formation: dict[str, int] | None = None, **params: Any) -> Any:
        host.did.clear()
        entries = len(host.home.records())
        given = {"app": "shop", "release": release, "by": "joe", **params}
        done = call(
            graceful_reload.main, **given, **({"formation": formation} if formation else {})
        )
        record = host.home.records()[entries:]
        if done.code == 0 and not done.result["changed"]:
            assert record == []
        elif record:
            assert len(record) == 1
            assert record[0].outcome == ("bad" if done.code else "good")
            assert record[0].by == "joe"
        return done

    return run


def state(host: Memory) -> tuple[str | None, dict[str, str], list[str]]:
    return host.home.current(), dict(host.runs), watched(host.text)


# --- deploys ----------------------------------------------------------------------------------


def test_first_deploy(deploy: Any, host: Memory) -> None:
    done = deploy(A, {"web": 1, "worker": 2})
    assert done.result["changed"] is True
    assert done.result["previous"] is None
    assert host.did == ["start"]
    names = ["web-1", "worker-1", "worker-2"]
    assert state(host) == (A, dict.fromkeys(names, A), names)
    assert done.result["processes"]["web-1"] == {
        "release": A, "generation": 1, "pid": 11, "seconds": {"gate": 0.1}, "stragglers": 0,
    }  # fmt: skip
    assert host.home.records()[0].formation == {"web": 1, "worker": 2}
    documented = set(yaml.safe_load(graceful_reload.RETURN)) - {"reason"}
    assert documented <= set(done.result)


def test_the_record_tells_what_it_was_told(deploy: Any, host: Memory) -> None:
    deploy(A, commit="0123abc")
    record = host.home.records()[0]
    assert (record.by, record.commit, record.before) == ("joe", "0123abc", None)


def test_the_record_tells_the_commit_that_the_release_knows(deploy: Any, host: Memory) -> None:
    path = host.home.releases / A / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"commit": "4567def"}))
    deploy(A)
    deploy(B)
    assert [record.commit for record in host.home.records()] == ["4567def", None]


def test_the_record_tells_why_a_release_was_put_back(deploy: Any, host: Memory) -> None:
    deploy(A)
    deploy(B)
    deploy(A, event="rollback", reason="a1: 9 of 10 failed\nTraceback")
    assert deploy(A, event="rollback", reason="again").result["changed"] is False
    host.refused.add(C)
    assert deploy(C, event="rollback", reason="it does not start").code == 1
    reasons = [record.reason for record in host.home.records()]
    assert reasons == [None, None, "a1: 9 of 10 failed", "web-1 exit 3"]


def test_without_a_formation_one_web_runs(deploy: Any, host: Memory) -> None:
    assert deploy(A).result["formation"] == {"web": 1}


def test_first_deploy_that_fails(deploy: Any, host: Memory) -> None:
    host.refused = {A}
    done = deploy(A)
    assert done.code == 1
    assert "Release 1.0-aaaaaaaa of shop does not serve: web-1 exit 3" in done.result["msg"]
    assert "KeyError: x" in done.result["msg"]
    assert done.result["msg"].endswith("Nothing served before, so nothing does now.")
    assert done.result["reason"] == "web-1 exit 3"
    assert host.did == ["start", "stop"]
    assert state(host) == (None, {}, [])


def test_first_deploy_that_fails_on_a_host_that_fails_too(deploy: Any, host: Memory) -> None:
    host.refused, host.broken = {A}, {"stop"}
    done = deploy(A)
    assert "does not serve: web-1 exit 3" in done.result["msg"]
    assert "stopping it did not work either: Could not stop" in done.result["msg"]
    assert host.home.records()[0].outcome == "bad"


def test_deploy(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1, "worker": 1})
    done = deploy(B)
    assert host.did == ["hup web-1 worker-1"]
    assert state(host) == (B, {"web-1": B, "worker-1": B}, ["web-1", "worker-1"])
    assert done.result["previous"] == A
    assert done.result["formation"] == {"web": 1, "worker": 1}  # that of what served
    assert done.result["diff"]["before"].startswith(f"current: {A}\n")
    assert done.result["diff"]["after"].startswith(f"current: {B}\n")


def test_deploy_again_changes_nothing(deploy: Any, host: Memory) -> None:
    deploy(A)
    done = deploy(A)
    assert done.result["changed"] is False
    assert done.result["seconds"] == 0
    assert done.result["processes"].keys() == {"web-1"}
    assert host.did == []


def test_check_mode(deploy: Any, host: Memory) -> None:
    deploy(A)
    before = state(host)
    done = deploy(B, check=True)
    assert done.result["changed"] is True
    assert done.result["release"] == B
    assert done.result["previous"] == A
    assert (state(host), host.did) == (before, [])
    assert len(host.home.records()) == 1
    assert deploy(A, check=True).result["changed"] is False


def test_check_mode_says_which_processes_would_move(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 2, "worker": 1})
    host.runs["web-2"] = B
    del host.runs["worker-1"]
    done = deploy(B, {"web": 2, "beat": 1}, check=True)
    assert "'beat'" in done.result["msg"]
    done = deploy(C, {"web": 2, "beat": 1}, check=True)
    before, after = (done.result["diff"][side].splitlines() for side in ("before", "after"))
    assert before[:4] == [
        f"current: {A}", f"process web-1: {A}", f"process web-2: {B}", "process worker-1: not running",
    ]  # fmt: skip
    assert after[:4] == [
        f"current: {C}", f"process beat-1: {C}", f"process web-1: {C}", f"process web-2: {C}",
    ]  # fmt: skip


def test_check_mode_with_a_release_that_is_only_going_to_be_installed(
    deploy: Any, host: Memory
) -> None:
    deploy(A)
    before = state(host)
    done = deploy("4.0-dddddddd", {"web": 1, "new": 2}, check=True)
    assert done.result["changed"] is True
    assert done.result["previous"] == A
    assert "process new-2: 4.0-dddddddd" in done.result["diff"]["after"]
    assert state(host) == before
    assert "not installed" in deploy("4.0-dddddddd", {"web": 1}).result["msg"]
    assert "not installed" in deploy("latest", {"web": 1}, check=True).result["msg"]


def test_refused(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1, "worker": 1})
    before = state(host)
    host.refused = {B}
    done = deploy(B)
    assert done.code == 1
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert state(host) == before
    assert host.did == ["hup web-1 worker-1"]  # those that refused still run the old one
    assert host.home.rollback_target(A) is None


def test_one_of_two_is_refused(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1, "worker": 1})
    before = state(host)

    def begin(names: Sequence[str]) -> None:
        release = host.home.current() or ""
        host.runs |= {name: release for name in names if release == A or name == "worker-1"}

    host._begin = begin  # type: ignore[method-assign]
    done = deploy(B)
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert host.did == ["hup web-1 worker-1", "hup worker-1"]
    assert state(host) == before


def test_way_back_that_fails(deploy: Any, host: Memory) -> None:
    deploy(A)

    def half_done(statuses: Iterable[Status]) -> None:
        host.runs["web-1"] = B
        raise DeployError(f"Could not tell {next(iter(statuses)).instance}: it is broken.")

    host.hup = half_done  # type: ignore[method-assign]
    done = deploy(B)
    assert "does not serve: Could not tell web-1" in done.result["msg"]
    assert f"Release {A} did not come back either: Could not tell web-1" in done.result["msg"]
    assert host.home.records()[-1].outcome == "bad"


def test_secrets_of_either_release_are_not_shown(deploy: Any, host: Memory) -> None:
    (host.home.releases / A / "env").write_text("SECRET_KEY='correct horse'\n")
    (host.home.releases / B / "env").write_text("DATABASE_URL='postgres://shop:hunter2@db/shop'\n")
    (host.home.releases / B / "config").mkdir()
    (host.home.releases / B / "config/app.ini").write_text("[app]\nkey = battery staple\n")
    deploy(A)

    def follow(*_args: Any) -> Failure:
        lines = (
            "no 'correct horse'",
            "cannot connect to postgres://shop:hunter2@db/shop",
            "line 2: key = battery staple",
            "  File config/app.ini: 'battery staple' is not a key",
        )
        return Failure("web-1 says redis://:hunter2@db", lines)

    host.follow = follow  # type: ignore[method-assign]
    done = deploy(B)
    assert "web-1 says redis://:***@db; it wrote:" in done.result["msg"]
    assert "    cannot connect to <DATABASE_URL>\n" in done.result["msg"]
    assert "no '<SECRET_KEY>'" in done.result["msg"]
    assert "line 2: <config/app.ini>\n" in done.result["msg"]
    assert "File config/app.ini: '<config/app.ini>' is not a key\n" in done.result["msg"]
    assert "hunter2" not in done.printed
    assert done.result["reason"] == host.home.records()[-1].reason == "web-1 says redis://:***@db"


def test_output_is_not_shown_where_nobody_knows_the_secrets(deploy: Any, host: Memory) -> None:
    deploy(A)
    (host.home.releases / B / "env").unlink()
    host.refused = {B}
    message = deploy(B).result["msg"]
    assert f"does not serve: web-1 exit 3\nRelease {A} serves as before." in message


# --- nginx ------------------------------------------------------------------------------------

D = "4.0-dddddddd"


def test_types_that_listen_and_are_no_more_end_when_nginx_knows(deploy: Any, host: Memory) -> None:
    put(host.home, D, "web", "api", "worker")
    deploy(D, {"web": 2, "api": 2, "worker": 1})
    done = deploy(A, {"web": 1}, leave_listening=True)
    assert done.result["left"] == ["api-1", "api-2"]
    assert done.result["processes"].keys() == {"web-1"}
    left = {"api-1": D, "api-2": D}
    assert state(host) == (A, {"web-1": A, **left}, ["api-1", "api-2", "web-1"])
    assert host.home.records()[-1].formation == {"web": 1}
    done = deploy(A, {"web": 1}, event="scale")
    assert (done.result["changed"], done.result["left"]) == (True, [])
    assert state(host) == (A, {"web-1": A}, ["web-1"])
    assert host.did == ["reloadconfig"]
    assert deploy(A, {"web": 1}).result["changed"] is False


def test_types_that_listen_and_are_no_more_serve_on_after_a_refusal(
    deploy: Any, host: Memory
) -> None:
    put(host.home, D, "web", "api")
    deploy(D, {"web": 1, "api": 1})
    before = state(host)
    host.refused = {A}
    assert deploy(A, {"web": 1}, leave_listening=True).code == 1
    assert state(host) == before
    # cut off before nginx knew
    host.refused = set()
    deploy(A, {"web": 1}, leave_listening=True)
    assert deploy(A, {"web": 1}, leave_listening=True).result["left"] == ["api-1"]
    # and back again
    assert deploy(D, {"web": 1, "api": 1}, event="rollback").result["left"] == []
    assert state(host) == before


def test_what_an_interrupted_run_has_left_is_not_in_the_way_back(deploy: Any, host: Memory) -> None:
    put(host.home, D, "web", "api")
    deploy(D, {"web": 1, "api": 1})
    deploy(A, {"web": 1}, leave_listening=True)
    host.refused = {B}
    done = deploy(B, {"web": 1}, leave_listening=True)
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert state(host) == (A, {"web-1": A}, ["web-1"])
    host.refused = set()
    deploy(D, {"web": 1, "api": 1})
    deploy(A, {"web": 1}, leave_listening=True)
    host.stubborn = {"api-1"}
    done = deploy(A, {"web": 1}, event="scale")
    assert "api-1 did not end within" in done.result["msg"]
    assert state(host)[2] == ["web-1"]
    assert host.home.records()[-1].outcome == "bad"


def test_nothing_listens_on_after_an_eviction(deploy: Any, host: Memory) -> None:
    put(host.home, D, "web", "api")
    deploy(A, {"web": 1})
    deploy(D, {"web": 1, "api": 1})
    done = deploy(A, {"web": 1}, event="rollback", clean=True, leave_listening=True)
    assert done.result["left"] == []
    assert state(host) == (A, {"web-1": A}, ["web-1"])


URL = "https://shop.test/healthz"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, host: Memory) -> list[str]:
    """Which release served whenever nginx was asked; it passes on what A answers, and B's not."""
    asked: list[str] = []

    def ask(url: str, _seconds: float) -> str:
        asked.append(host.runs["web-1"])
        return f"GET {url} at 127.0.0.1: 502 Bad Gateway" if asked[-1] == B else ""

    monkeypatch.setattr(nginx_probe, "ask", ask)
    monkeypatch.setattr(nginx_probe, "PROBE_PATIENCE", 0.0)
    return asked


def test_nginx_is_asked_when_every_process_serves(
    deploy: Any, host: Memory, asked: list[str]
) -> None:
    assert deploy(A, probe_url=URL).result["changed"] is True
    assert asked == [A]
    deploy(A, probe_url=URL)
    assert asked == [A], "nothing changed"


def test_nginx_does_not_pass_it_on(deploy: Any, host: Memory, asked: list[str]) -> None:
    deploy(A, probe_url=URL)
    before = state(host)
    done = deploy(B, probe_url=URL)
    assert f"nginx on this host does not pass requests to it: GET {URL} at" in done.result["msg"]
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert asked == [A, B, A]
    assert state(host) == before


def test_what_comes_back_is_asked_where_it_answers(
    deploy: Any, host: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release with another health path that fails must not take the one before for broken."""
    path = host.home.releases / A / "release.json"
    manifest = json.loads(path.read_text())
    manifest["processes"]["web"]["health"] = {"path": "/up?full=1", "host": "x"}
    path.write_text(json.dumps(manifest))
    urls = []

    def ask(url: str, _seconds: float) -> str:
        urls.append(url)
        return "404 Not Found" if url == URL else ""

    monkeypatch.setattr(nginx_probe, "ask", ask)
    monkeypatch.setattr(nginx_probe, "PROBE_PATIENCE", 0.0)
    deploy(A)
    done = deploy(B, probe_url=URL)
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert urls == [URL, "https://shop.test/up?full=1"]


def test_nothing_is_asked_for_a_formation_of_nobody(
    deploy: Any, host: Memory, asked: list[str]
) -> None:
    deploy(A)
    deploy(A, {"web": 0, "worker": 1}, probe_url=URL)
    assert asked == []


@pytest.mark.parametrize(("front", "asks"), [("web", [A, B]), ("app", [A])])
def test_nginx_is_not_asked_while_it_passes_requests_to_another_type(
    deploy: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch, front: str, asks: list[str]
) -> None:
    """It is told of a type that has taken over / only after the switch."""
    deploy(A, probe_url=URL)
    site = {"shop": frozenset({f"{front}-1"})}
    monkeypatch.setattr(switch, "read_site", lambda _app: site)
    assert deploy(B, probe_url=URL).code == (1 if front == "web" else 0)
    assert asked[:2] == asks


def test_it_says_what_listens(deploy: Any, host: Memory) -> None:
    done = deploy(A, {"web": 2, "worker": 1})
    assert done.result["listening"] == {"web": 2}
    assert done.result["previous_listening"] == {}
    done = deploy(A, {"web": 0, "worker": 2})
    assert (done.result["listening"], done.result["previous_listening"]) == ({}, {"web": 2})
    # in the next release another type has it
    path = host.home.releases / B / "release.json"
    manifest = json.loads(path.read_text())
    manifest["processes"] = {"web": {**SPEC, "socket": False}, "worker": {**SPEC, "socket": True}}
    path.write_text(json.dumps(manifest))
    deploy(A, {"web": 1, "worker": 1})
    done = deploy(B, {"web": 1, "worker": 1})
    assert done.result["listening"] == {"worker": 1}
    assert done.result["previous_listening"] == {"web": 1}


def test_probe_url_that_is_none(deploy: Any, host: Memory) -> None:
    done = deploy(A, probe_url="shop.test/healthz")
    assert "probe_url: 'shop.test/healthz' is not of the form" in done.result["msg"]
    assert host.did == []


# --- formations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "did"),
    [
        pytest.param({"web": 1}, {"web": 1, "worker": 2}, ["reloadconfig"], id="added"),
        pytest.param(
            {"web": 1, "worker": 2}, {"web": 1, "worker": 1}, ["reloadconfig"], id="fewer"
        ),
        pytest.param({"web": 1, "worker": 1}, {"web": 1}, ["reloadconfig"], id="type-removed"),
        pytest.param({"web": 1}, {"worker": 1}, ["reloadconfig"] * 2, id="exchanged"),
        pytest.param({"web": 1}, {"web": 0}, ["reloadconfig"], id="none"),
        pytest.param({"web": 0}, {"web": 1}, ["reloadconfig"], id="from-none"),
        pytest.param({"web": 1}, {"web": 1, "worker": 0}, [], id="the-same-in-other-words"),
    ],
)
def test_formation_changes(
    before: dict[str, int], after: dict[str, int], did: list[str], deploy: Any, host: Memory
) -> None:
    deploy(A, before)
    done = deploy(A, after)
    assert done.result["changed"] is bool(did)
    ran = {kind: count for kind, count in before.items() if count}
    assert done.result["previous_formation"] == ran
    assert host.did == did
    names = watched(watchers("shop", after))
    assert state(host) == (A, dict.fromkeys(names, A), names)


def test_watchers_written_by_an_older_version_are_left_alone(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1})
    host.text = old = host.text.replace("graceful_timeout = 300", "graceful_timeout = 200")
    assert deploy(A, {"web": 1}).result["changed"] is False
    deploy(B, {"web": 1})
    assert (host.did, host.text) == (["hup web-1"], old)
    host.active = False
    host.runs.clear()
    deploy(B, {"web": 1})
    assert host.text == watchers("shop", {"web": 1})


def test_formation_and_release_change_together(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1, "worker": 1})
    deploy(C, {"web": 1, "beat": 1})
    # what is new first: if that cannot start, nobody has ever talked to the release; what goes
    # last: a circusd that stops a process takes no other command
    assert host.did == ["reloadconfig", "hup web-1", "reloadconfig"]
    assert state(host) == (C, {"web-1": C, "beat-1": C}, ["beat-1", "web-1"])


def test_formation_that_does_not_start(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1})
    before = state(host)
    host.refused = {A}
    done = deploy(A, {"web": 1, "worker": 1})
    assert "worker-1 exit 3" in done.result["msg"]
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert host.did == ["reloadconfig", "reloadconfig"]
    assert state(host) == before
    # and nobody holds it against the release
    host.refused = set()
    deploy(B)
    assert host.home.rollback_target(B) == A


@pytest.fixture
def stray(deploy: Any, host: Memory) -> Any:
    """A serves with one web process. C adds a beat, and that cannot start, whatever the release."""
    deploy(A, {"web": 1})
    begin = host._begin
    host._begin = lambda names: begin([n for n in names if n != "beat-1"])  # type: ignore[method-assign]
    return deploy


def test_new_process_type_that_does_not_start(stray: Any, host: Memory) -> None:
    done = stray(C, {"web": 1, "beat": 1})
    assert "beat-1 exit 3" in done.result["msg"]
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert host.did == ["reloadconfig", "reloadconfig"], "nothing else has ever run the release"
    assert state(host) == (A, {"web-1": A}, ["web-1"])
    assert host.loaded == ["web-1"]
    assert stray("previous").code == 1
    assert stray(B).result["previous"] == A
    assert stray("previous").result["release"] == A


def test_new_process_that_fails_later_has_no_say_in_the_way_back(
    deploy: Any, host: Memory, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(A, {"web": 1})

    def ask(url: str, _seconds: float) -> str:
        host.runs.pop("beat-1", None)
        asked.append(host.runs["web-1"])
        return "502" if asked[-1] == C else ""

    monkeypatch.setattr(nginx_probe, "ask", ask)
    done = deploy(C, {"web": 1, "beat": 1}, probe_url=URL)
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert asked == [C, A]
    assert host.did == ["reloadconfig", "hup web-1", "reloadconfig", "hup web-1"]
    assert state(host) == (A, {"web-1": A}, ["web-1"])


def test_way_back_of_a_circusd_that_does_not_listen_any_more(
    deploy: Any, host: Memory, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(A, {"web": 1})

    def ask(url: str, _seconds: float) -> str:
        host.broken.add("reloadconfig")
        return "502"

    monkeypatch.setattr(nginx_probe, "ask", ask)
    done = deploy(C, {"web": 1, "beat": 1}, probe_url=URL)
    assert host.did[-1] == "hup web-1", "the others are told to go back all the same"
    assert host.runs["web-1"] == A
    assert f"Release {A} did not come back either: beat-1 did not end" in done.result["msg"]


@pytest.fixture
def left(deploy: Any, host: Memory) -> Any:
    """What an older version has left: the refused C serves, circusd runs a beat, the file has none."""
    deploy(A, {"web": 1})
    host.home.remember(Record("now", "deploy", C, "bad", before=A, formation={"web": 1, "beat": 1}))
    host.runs["web-1"] = C
    host.loaded = ["beat-1", "web-1"]
    return deploy


def test_refused_release_that_serves_all_the_same_is_nothing_to_go_back_to(
    left: Any, host: Memory
) -> None:
    host.refused = {B}
    done = left(B, {"web": 1})
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert state(host) == (A, {"web-1": A}, ["web-1"])


def test_deploy_after_a_stray_was_left(left: Any, host: Memory) -> None:
    done = left(B, {"web": 1})
    assert done.result["previous"] == A
    assert host.did == ["reloadconfig", "hup web-1"]
    assert host.loaded == ["web-1"]
    assert left("previous").result["release"] == A


def test_stray_alone_is_a_reason_to_do_something(left: Any, host: Memory) -> None:
    host.runs["web-1"] = A
    assert left(A, {"web": 1}).result["changed"] is True
    assert host.did == ["reloadconfig"]
    assert left(A, {"web": 1}).result["changed"] is False


def test_what_is_to_go_and_does_not_start_any_more_has_no_say(deploy: Any, host: Memory) -> None:
    """Its type may be one of the next release, too, and it would be started with that."""
    deploy(C, {"web": 1, "worker": 1, "beat": 1})
    del host.runs["beat-1"]
    done = deploy(A, {"web": 1})
    assert done.code == 0, done.result["msg"]
    assert host.did == ["reloadconfig", "hup web-1", "reloadconfig"], "the worker goes last"
    assert state(host) == (A, {"web-1": A}, ["web-1"])


def test_what_was_to_go_comes_back_with_what_served(deploy: Any, host: Memory) -> None:
    deploy(C, {"web": 1, "beat": 1})
    del host.runs["beat-1"]
    host.refused = {A}
    done = deploy(A, {"web": 1})
    assert done.result["msg"].endswith(f"Release {C} serves as before.")
    assert state(host) == (C, {"web-1": C, "beat-1": C}, ["beat-1", "web-1"])


def test_any_error_on_the_way_is_a_failure_that_goes_back(deploy: Any, host: Memory) -> None:
    deploy(A)
    begin = host._begin

    def stumble(names: Sequence[str]) -> None:
        begin(names)
        if host.home.current() == B:
            raise RecursionError("too deep")

    host._begin = stumble  # type: ignore[method-assign]
    done = deploy(B)
    assert "does not serve: RecursionError('too deep')" in done.result["msg"]
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert state(host)[:2] == (A, {"web-1": A})
    assert host.home.records()[-1].outcome == "bad"


def test_process_that_hides_what_it_says_goes_back_all_the_same(deploy: Any, host: Memory) -> None:
    deploy(A)
    hidden: set[str] = set()
    status, follow = host.status, host.follow
    host.status = lambda name: None if name in hidden else status(name)  # type: ignore[method-assign]

    def following(*args: Any) -> Failure:
        failure = follow(*args)
        hidden.add("web-1")
        return failure if host.home.current() == A else Failure("web-1 has not said anything yet")

    host.follow = following  # type: ignore[method-assign]
    done = deploy(B)
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert host.did == ["hup web-1", "hup", "reload web-1"]
    assert host.runs == {"web-1": A}


def test_process_that_hides_what_it_says_is_told_to_move_by_circusd(
    deploy: Any, host: Memory
) -> None:
    deploy(A)
    status = host.status
    host.status = lambda name: status(name) if host.runs[name] == B else None  # type: ignore[method-assign]
    assert "msg" not in deploy(B).result
    assert host.did == ["hup", "reload web-1"]
    assert host.runs == {"web-1": B}


def test_clean_ends_everything_before_the_release_starts(deploy: Any, host: Memory) -> None:
    deploy(A)
    deploy(B)
    host.did.clear()
    done = deploy(A, event="rollback", clean=True)
    assert (done.result["changed"], host.did) == (True, ["evict", "start"])
    assert done.result["removed"] == ["/var/spool/cron/crontabs/shop"]
    assert host.runs == {"web-1": A}


def test_clean_goes_to_nothing_that_the_app_can_have_changed(deploy: Any, host: Memory) -> None:
    deploy(A)
    deploy(B)
    host.did.clear()
    (host.home.releases / A / "venv").mkdir()
    host.home = dataclasses.replace(host.home, uid=os.geteuid())
    done = deploy(A, event="rollback", clean=True)
    assert f"Release {A} belongs to the user shop" in done.result["msg"]
    assert "Nothing was changed." in done.result["msg"]
    assert host.did == []
    assert deploy(A, event="rollback").code == 0


def test_clean_is_never_nothing_to_do(deploy: Any, host: Memory) -> None:
    deploy(A)
    host.did.clear()
    foreseen = deploy(A, clean=True, check=True)
    assert (foreseen.result["changed"], host.did) == (True, [])
    assert "ended first" in foreseen.result["diff"]["after"]
    deploy(A, clean=True)
    assert host.did == ["evict", "start"]


@pytest.mark.parametrize("broken", ["evict", "start"])
def test_what_was_ended_does_not_come_back(deploy: Any, host: Memory, broken: str) -> None:
    deploy(A)
    deploy(B)
    host.broken = {broken}
    host.did.clear()
    done = deploy(A, event="rollback", clean=True)
    assert f"Could not {broken}: it is broken." in done.result["msg"]
    assert done.result["msg"].endswith("is to serve again, so nothing does now.")
    assert host.did[-1] == "stop"
    assert (host.home.current(), host.runs) == (None, {})


def test_any_error_while_the_first_release_is_stopped(deploy: Any, host: Memory) -> None:
    host.refused = {A}

    def stop() -> None:
        raise OverflowError("endless")

    host.stop = stop  # type: ignore[method-assign]
    done = deploy(A)
    assert "does not serve: web-1 exit 3" in done.result["msg"]
    assert "stopping it did not work either: OverflowError('endless')" in done.result["msg"]


def test_refused_before_the_formation_changed(deploy: Any, host: Memory) -> None:
    """circusd has not read the new formation yet: what it would lose still runs and is left so."""
    deploy(A, {"web": 1, "worker": 2})
    before = state(host)
    host.refused = {B}
    followed: list[str] = []
    follow = host.follow

    def following(before: Mapping[str, Status | None], *rest: Any) -> Failure:
        followed.extend(before)
        return follow(before, *rest)

    host.follow = following  # type: ignore[method-assign]
    done = deploy(B, {"web": 1})
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert state(host) == before
    assert followed == ["web-1"]


def test_process_that_does_not_end(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1, "worker": 1})
    host.stubborn = {"worker-1"}
    done = deploy(A, {"web": 1}, timeout=7)
    assert "worker-1 did not end within 7 s" in done.result["msg"]


@pytest.mark.parametrize(
    ("release", "formation", "words"),
    [
        pytest.param("9.9-99999999", None, "is not installed on this host; installed are", id="no"),
        pytest.param("", None, "Release  of shop is not installed", id="empty"),
        pytest.param("..", None, "Release .. of shop is not installed", id="path"),
        pytest.param("previous", None, "There is nothing to roll shop back to", id="previous"),
        pytest.param(B, {"beat": 1}, f"'beat', but release {B} has web, worker", id="type"),
        pytest.param(B, {"release": 1}, "process type 'release'", id="release-process"),
        pytest.param(B, {"web": -1}, "asks for -1 processes", id="count"),
    ],
)
def test_impossible(release: str, formation: Any, words: str, deploy: Any, host: Memory) -> None:
    deploy(A)
    before = state(host)
    done = deploy(release, formation)
    assert done.code == 1
    assert words in done.result["msg"]
    assert done.result["msg"].endswith("Nothing was changed.")
    assert (state(host), host.did) == (before, [])
    assert len(host.home.records()) == 1


# --- rollbacks --------------------------------------------------------------------------------


def test_rollback_goes_back_step_by_step(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 2})
    deploy(B, {"web": 1, "worker": 1})
    deploy(C, {"web": 1, "worker": 1, "beat": 1})
    first = deploy("previous")
    assert (first.result["release"], first.result["previous"]) == (B, C)
    assert state(host) == (B, {"web-1": B, "worker-1": B}, ["web-1", "worker-1"])
    second = deploy("previous")
    assert second.result["release"] == A
    assert second.result["formation"] == {"web": 2}  # formation and code come back together
    third = deploy("previous")
    assert third.code == 1
    assert f"{A} serves, the record has {A}, and installed are {A}, {B}, {C}" in third.result["msg"]
    assert [record.event for record in host.home.records()] == ["deploy"] * 3 + ["rollback"] * 2


def test_rollback_to_an_id(deploy: Any, host: Memory) -> None:
    deploy(A)
    deploy(B)
    deploy(C)
    deploy(A, event="rollback")
    assert deploy("previous").code == 1  # nothing lies before A
    deploy(B)
    assert deploy("previous").result["release"] == A


def test_rollback_skips_what_failed(deploy: Any, host: Memory) -> None:
    deploy(A)
    host.refused = {B}
    deploy(B)
    deploy(C)
    assert deploy("previous").result["release"] == A


@pytest.mark.parametrize(
    ("event", "words"), [("rollback", "it is nothing to go back to"), ("scale", "nothing to scale")]
)
def test_only_a_deploy_proves_what_was_refused(
    event: str, words: str, deploy: Any, host: Memory
) -> None:
    deploy(A)
    host.refused = {B}
    deploy(B)
    host.refused = set()
    done = deploy(B, event=event)
    assert words in done.result["msg"]
    assert done.result["msg"].endswith("Nothing was changed.")
    assert (host.did, host.home.current()) == ([], A)
    assert deploy(B).code == 0
    assert deploy(A, event=event).code == 0


def test_rollback_that_fails(deploy: Any, host: Memory) -> None:
    deploy(A)
    deploy(B)
    before = state(host)
    host.refused = {A}
    done = deploy("previous")
    assert done.result["msg"].endswith(f"Release {B} serves as before.")
    assert state(host) == before
    assert deploy("previous").code == 1


# --- repairs ----------------------------------------------------------------------------------


def test_release_is_current_but_the_unit_is_down(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1, "worker": 1})
    host.active = False
    host.runs.clear()
    done = deploy(A)
    assert done.result["changed"] is True
    assert host.did == ["start"]
    assert host.runs == {"web-1": A, "worker-1": A}
    assert deploy(A).result["changed"] is False


def test_one_process_runs_something_else(deploy: Any, host: Memory) -> None:
    deploy(A, {"web": 1, "worker": 1})
    host.runs["worker-1"] = B
    assert deploy(A).result["changed"] is True
    assert host.did == ["hup worker-1"]


@pytest.fixture
def cut_off(deploy: Any, host: Memory) -> Any:
    """A run that was killed after it had pointed ``current`` at B and told nobody."""
    deploy(A, {"web": 1})
    host.home.point_to(B)
    host.text = watchers("shop", {"web": 1, "worker": 1})
    return deploy


def test_half_finished_move_is_finished(cut_off: Any, host: Memory) -> None:
    host.loaded = ["web-1"]
    done = cut_off(B, {"web": 1})
    assert done.result["changed"] is True
    assert done.result["previous"] == A
    assert host.runs == {"web-1": B}
    assert cut_off("previous").result["release"] == A


def test_half_finished_move_that_is_refused_goes_back_to_what_served(
    cut_off: Any, host: Memory
) -> None:
    host.refused = {B}
    done = cut_off(B, {"web": 1})
    assert done.code == 1
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert state(host) == (A, {"web-1": A}, ["web-1"])
    assert host.home.records()[-1].before == A


def test_move_that_was_finished_by_the_pivots_gets_its_entry(cut_off: Any, host: Memory) -> None:
    """The run was killed, what it had begun went on."""
    host.runs["web-1"] = B
    host.text = watchers("shop", {"web": 1})
    done = cut_off(B, {"web": 1})
    assert (done.result["changed"], done.result["previous"]) == (True, A)
    assert host.did == []
    assert cut_off(B, {"web": 1}).result["changed"] is False
    assert cut_off("previous").result["release"] == A


def test_rollback_of_a_half_finished_move(cut_off: Any, host: Memory) -> None:
    done = cut_off("previous")
    assert done.result["release"] == A
    assert state(host)[:2] == (A, {"web-1": A})


def test_refused_again_after_the_only_release_went_down(deploy: Any, host: Memory) -> None:
    deploy(A)
    host.active = False
    host.runs.clear()
    host.refused = {A}
    done = deploy(A)
    assert f"Release {A} did not come back either: web-1 exit 3" in done.result["msg"]
    assert host.home.current() == A


def test_what_runs_counts_where_current_and_record_say_otherwise(deploy: Any, host: Memory) -> None:
    """The host went down in a deploy of B, and its pivots fell back to A, which served last."""
    deploy(A)
    host.home.point_to(B)
    host.refused = {C}
    done = deploy(C, {"web": 1})
    assert done.result["msg"].endswith(f"Release {A} serves as before.")
    assert state(host)[:2] == (A, {"web-1": A})


def test_record_counts_where_nothing_runs(deploy: Any, host: Memory) -> None:
    deploy(A)
    host.home.point_to(B)
    host.active = False
    host.runs.clear()
    done = deploy(C, {"web": 1})
    assert (done.result["previous"], done.result["release"]) == (A, C)


# --- the rest ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(None, 30.0 + 60 + 5 + 60 + 30), (5.0, 5.0)], ids=["derived", "given"]
)
def test_timeout(timeout: float | None, seconds: float, host: Memory) -> None:
    supervisor: Any = host
    assert switch.plan_switch(supervisor, SwitchRequest(A, timeout=timeout)).timeout == seconds


def break_code(host: Memory) -> None:
    path = host.home.releases / B / "venv/lib/python3.13/site-packages/evil.pth"
    path.parent.mkdir(parents=True)
    path.write_text("import evil")


def replace_python(host: Memory) -> None:
    """As an upgrade of Debian does."""
    python = host.home.releases / B / "venv/bin/python"
    python.parent.mkdir(parents=True)
    real = host.home.root / "python3.99"
    real.touch()
    python.symlink_to(real)
    path = host.home.releases / B / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"python": "3.13.5"}))


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (break_code, f"Files of release {B} are not those of its packages"),
        (
            replace_python,
            f"Release {B} was made with Python 3.13, but its interpreter is Python 3.99",
        ),
    ],
)
def test_a_release_that_is_not_what_was_installed_is_not_used(
    damage: Any, words: str, check: bool, call: Any, deploy: Any, host: Memory
) -> None:
    deploy(A)
    damage(host)
    before, done = state(host), call(graceful_reload.main, check=check, app="shop", release=B)
    assert words in done.result["msg"]
    assert "Nothing was changed." in done.result["msg"]
    assert state(host) == before


def test_what_serves_is_not_read_again(deploy: Any, host: Memory) -> None:
    deploy(B)
    break_code(host)
    assert deploy(B).result["changed"] is False


def test_not_root(call: Any, host: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = call(graceful_reload.main, app="shop", release=A)
    assert "run it with become: true" in done.result["msg"]
    assert host.did == []


def test_somebody_else_is_at_work(deploy: Any, host: Memory) -> None:
    with host.home.locked():
        done = deploy(A)
    assert "Another run is working on the releases of shop" in done.result["msg"]


def test_record_that_cannot_be_written(
    deploy: Any, host: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remember(_home: AppHome, _record: Record) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AppHome, "remember", remember)
    done = deploy(A)
    assert done.code == 1
    assert done.result["msg"] == (
        f"Release {A} of shop serves. No rollback will know of this, the record cannot be written: "
        "[Errno 28] No space left on device."
    )
    host.refused = {B}
    done = deploy(B)
    assert "does not serve: web-1 exit 3" in done.result["msg"]
    assert done.result["msg"].endswith("[Errno 28] No space left on device.")


@pytest.fixture
def file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> LockFile:
    """The deploy lock of the app: that of another run, which took it by force."""
    file = LockFile("shop", tmp_path / "locks")
    monkeypatch.setattr(fence, "LockFile", lambda _app: file)
    file.directory.mkdir()
    for run in ("r1", "r2"):
        wish = Wish("shop", "ann@build2", run, steal=True)
        file.write(take(file.read(), wish, now(), file.generation()).lock)
    return file


def test_who_has_lost_the_lock_changes_nothing(deploy: Any, host: Memory, file: LockFile) -> None:
    deploy(A)
    before = state(host)
    for params in ({"release": B}, {"release": A, "event": "rollback", "clean": True}):
        done = deploy(**params, lock_generation=1)
        assert "does not hold the lock of shop on this host any more" in done.result["msg"]
        assert done.result["msg"].endswith("Nothing was changed.")
        assert (state(host), host.did) == (before, [])
    assert deploy(B, lock_generation=1, check=True).code == 0
    assert deploy(B, lock_generation=2).code == 0


def test_a_lock_that_cannot_be_read_changes_nothing(deploy: Any, file: LockFile) -> None:
    file.path.write_text("{")
    done = deploy(A, lock_generation=2)
    assert done.result["msg"].endswith("-e steal=true`. Nothing was changed.")


def test_the_lock_is_not_lost_in_the_middle(
    deploy: Any, host: Memory, file: LockFile, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a release that is refused was put back, too."""
    deploy(A)
    refusals = []

    def ask(_url: str, _seconds: float) -> str:
        with (
            pytest.raises(Refused),
            taking_from(file.read(), Wish("shop", "a@b", "r3", steal=True)),
        ):
            raise AssertionError
        refusals.append(host.home.current())
        return "502" if host.home.current() == B else ""

    monkeypatch.setattr(nginx_probe, "ask", ask)
    assert deploy(B, probe_url=URL, lock_generation=2).code == 1
    assert refusals == [B, A]
    with taking_from(file.read(), Wish("shop", "a@b", "r3", steal=True)):
        pass


# --- schedules --------------------------------------------------------------------------------

ONE = {"at": "03:00", "command": "x", "hosts": "one"}
EVERYWHERE = {"at": "04:00", "command": "x", "hosts": "all"}


def schedule(home: AppHome, release: str, **schedules: dict[str, Any]) -> None:
    path = home.releases / release / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schedules": schedules}))


def names(host: Memory) -> list[str]:
    return [name for name in host.timers.files if name.endswith(".timer")]


def test_timers_follow_the_release_also_back(deploy: Any, host: Memory) -> None:
    schedule(host.home, A, a=ONE)
    schedule(host.home, B, b=ONE)
    deploy(A)
    assert names(host) == ["schedule-shop@a.timer"]
    done = deploy(B)
    assert names(host) == ["schedule-shop@b.timer"]
    diff = done.result["diff"]
    assert "schedule a: 03:00\n" in diff["before"]
    assert "schedule b: 03:00\n" in diff["after"]
    deploy("previous")
    assert names(host) == ["schedule-shop@a.timer"]
    deploy(C)
    assert host.timers.files == {}


def test_a_refused_release_never_has_timers(deploy: Any, host: Memory) -> None:
    schedule(host.home, A, a=ONE)
    schedule(host.home, B, b=ONE)
    deploy(A)
    host.refused = {B}
    assert deploy(B).code == 1
    assert names(host) == ["schedule-shop@a.timer"]


def test_a_release_whose_timers_cannot_be_set_is_refused(deploy: Any, host: Memory) -> None:
    schedule(host.home, B, b=ONE)
    deploy(A)
    host.timers.broken = True
    done = deploy(B)
    assert "does not serve: Could not set the schedules" in done.result["msg"]
    assert host.home.current() == A
    assert host.timers.files == {}


def test_where_nothing_serves_nothing_is_scheduled(deploy: Any, host: Memory) -> None:
    schedule(host.home, A, a=ONE)
    schedule(host.home, B, b=ONE)
    deploy(A)
    deploy(B)
    host.refused = {A}
    assert deploy(A, event="rollback", clean=True).code == 1
    assert host.timers.files == {}


def test_timers_move_from_host_to_host(deploy: Any, host: Memory) -> None:
    schedule(host.home, A, a=ONE, b=EVERYWHERE)
    deploy(A, schedule_host=False)
    assert names(host) == ["schedule-shop@b.timer"]
    # the same release, once it is this host's turn
    done = deploy(A, schedule_host=True)
    assert done.result["changed"] is True
    assert names(host) == ["schedule-shop@a.timer", "schedule-shop@b.timer"]
    assert deploy(A, schedule_host=True).result["changed"] is False
    deploy(A, schedule_host=False)
    assert names(host) == ["schedule-shop@b.timer"]


def test_check_mode_does_not_guess_the_schedules_of_what_is_not_installed(
    call: Any, deploy: Any, host: Memory
) -> None:
    schedule(host.home, A, a=ONE)
    deploy(A)
    done = call(graceful_reload.main, check=True, app="shop", release="9.0-99999999")
    assert "schedule a: 03:00\n" in done.result["diff"]["after"]
