# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release_info: an app that is there, in parts or not at all; real sockets."""

from __future__ import annotations

import dataclasses
import fcntl
import http.server
import json
import os
import pathlib
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Wish,
    take,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import (
    health_probe,
    inspection,
    sandbox,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    watchers,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record
from ansible_collections.twelvefactor.deploy.plugins.modules import release_info

A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
HEALTH = {"path": "/healthz", "host": "shop.test", "count": 2}
SPECS = {"web": {"socket": True, "health": HEALTH}, "worker": {"socket": False}}


@dataclasses.dataclass(frozen=True)
class Host(Supervisor):
    """The supervisor's files in a directory of the test; systemd is asked nothing."""

    place: pathlib.Path = pathlib.Path("/nowhere")

    @property
    def configuration_path(self) -> pathlib.Path:
        return self.place / "formation.ini"

    @property
    def run_directory(self) -> pathlib.Path:
        return self.place / "run"

    def is_active(self) -> bool:
        return (self.place / "active").exists()


@pytest.fixture
def host(home: AppHome, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(home, tmp_path)
    host.run_directory.mkdir()
    monkeypatch.setattr(inspection, "Supervisor", lambda _home: host)
    monkeypatch.setattr(AppHome, "of", classmethod(lambda _cls, _app: home))
    monkeypatch.setattr(inspection, "LockFile", lambda app: LockFile(app, tmp_path / "locks"))
    monkeypatch.setattr(inspection, "restarts", lambda _supervisor: 0)
    monkeypatch.setattr(inspection, "FLOCKS", tmp_path)
    monkeypatch.setattr(
        inspection.Bridge, "is_active", lambda _self: (tmp_path / "bridge").exists()
    )
    # the app's name is $0 here; on hosts, the scenario circus meets the program itself
    monkeypatch.setattr(sandbox, "APP_EXEC", ("sh", "-c", 'exec "$@"'))
    return host


@pytest.fixture
def look(call: Any, host: Host) -> Any:
    """Look, and see that nothing has changed by that."""

    def run(**params: Any) -> dict[str, Any]:
        paths = sorted(host.place.rglob("*"))
        done = call(release_info.main, **({"app": "shop"} | params))
        assert sorted(host.place.rglob("*")) == paths
        assert done.code == 0, done.printed
        assert done.result["changed"] is False
        result: dict[str, Any] = done.result
        return result

    return run


def put(home: AppHome, release: str, **more: Any) -> None:
    (home.releases / release).mkdir()
    manifest = {
        "version": release.partition("-")[0],
        "installed_at": f"2026-01-02T03:04:0{release[0]}Z",
        "python": "3.13.5",
        "processes": SPECS,
    } | more
    (home.releases / release / "release.json").write_text(json.dumps(manifest))


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    environment = {"RELEASE_ID": B}
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env=environment
    )
    while b"RELEASE_ID" not in pathlib.Path(f"/proc/{process.pid}/environ").read_bytes():
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def say(host: Host, instance: str, child: int, release: str = B, state: str = "serving") -> None:
    document = {
        "instance": instance,
        "pid": os.getpid(),
        "state": state,
        "release": release,
        "child": child,
        "hups": 0,
        "generation": 3,
        "move": {},
    }
    (host.run_directory / f"{instance}.json").write_text(json.dumps(document))


class Web:
    """A web process's socket that answers ``status``."""

    def __init__(self, path: pathlib.Path, status: int) -> None:
        self.asked: list[tuple[str, str | None, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = self.headers
                outer.asked.append((self.path, headers["Host"], headers["X-Forwarded-Proto"]))
                self.send_response(status)
                self.end_headers()

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *_: object) -> None:
                pass

        self.server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def serve(host: Host, child: int) -> None:
    """Both releases are installed, and B serves with one process of each type."""
    put(host.home, A)
    put(host.home, B)
    host.home.point_to(B)
    host.configuration_path.write_text(watchers("shop", {"web": 1, "worker": 1}))
    (host.place / "active").touch()
    say(host, "web-1", child)
    say(host, "worker-1", child)
    host.home.remember(Record("2026-01-02T03:04:05Z", "deploy", A, "good", by="joe"))
    host.home.remember(Record("2026-01-02T03:05:05Z", "deploy", B, "good", before=A, by="ann"))


# --- an app that is there ------------------------------------------------------------------------


def test_a_release_of_another_python_is_no_rollback_target(
    look: Any, host: Host, process: subprocess.Popen[bytes]
) -> None:
    serve(host, process.pid)
    python = host.home.releases / A / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/nowhere/python3.11")
    told = look()
    assert told["rollback_targets"] == []
    assert A in [release["id"] for release in told["releases"]]


def test_all_is_well(look: Any, host: Host, process: subprocess.Popen[bytes]) -> None:
    serve(host, process.pid)
    web = Web(host.run_directory / "web-1.sock", 200)
    told = look()
    web.close()
    assert (told["drift"], told["unwell"]) == ([], [])
    assert (told["state"], told["current"], told["serving"]) == ("serving", B, B)
    assert told["since"] == "2026-01-02T03:05:05Z"
    assert told["rollback_targets"] == [A]
    assert told["formation"] == {"web": 1, "worker": 1}
    assert told["active"] is True
    assert told["lock"] is None
    assert [release["id"] for release in told["releases"]] == [A, B]
    assert told["releases"][1] == {
        "id": B,
        "version": "2.0",
        "installed_at": "2026-01-02T03:04:02Z",
        "python": "3.13.5",
        "bad": False,
    }
    seen = told["processes"]["web-1"]
    assert (seen["pid"], seen["pivot"], seen["generation"]) == (process.pid, os.getpid(), 3)
    assert (seen["serves"], seen["healthy"], seen["answer"]) == (True, True, "GET /healthz: 200 OK")
    began = time.mktime(time.strptime(seen["since"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(time.time() - began) < 600
    assert told["processes"]["worker-1"]["healthy"] is None
    assert web.asked == [("/healthz", "shop.test", "https")]


def test_sick(look: Any, host: Host, process: subprocess.Popen[bytes]) -> None:
    serve(host, process.pid)
    web = Web(host.run_directory / "web-1.sock", 500)
    told = look()
    web.close()
    assert told["state"] == "degraded"
    assert told["unwell"] == ["web-1: GET /healthz: 500 Internal Server Error"]
    assert told["drift"] == []
    assert told["serving"] == B


def test_nobody_listens(look: Any, host: Host, process: subprocess.Popen[bytes]) -> None:
    serve(host, process.pid)
    told = look()
    assert told["unwell"] == ["web-1: GET /healthz: [Errno 2] No such file or directory"]


def test_accepts_and_says_nothing(
    look: Any, host: Host, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_probe, "PROBE_TIMEOUT", 2.0)
    serve(host, process.pid)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(host.run_directory / "web-1.sock"))
        listener.listen()
        assert look()["unwell"] == ["web-1: GET /healthz: timed out"]


def test_answers_that_never_end(
    look: Any, host: Host, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every read is quick enough, and yet it must end."""
    monkeypatch.setattr(health_probe, "PROBE_TIMEOUT", 2.0)
    serve(host, process.pid)

    def drip(listener: socket.socket) -> None:
        connection, _address = listener.accept()
        with connection:
            try:
                for _letter in range(200):
                    connection.sendall(b"H")
                    time.sleep(0.05)
            except OSError:
                return

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(host.run_directory / "web-1.sock"))
        listener.listen()
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        assert look()["unwell"] == ["web-1: GET /healthz: nothing within 4 s"]


def test_without_asking(look: Any, host: Host, process: subprocess.Popen[bytes]) -> None:
    serve(host, process.pid)
    told = look(probe=False)
    assert told["state"] == "serving"
    assert told["processes"]["web-1"]["healthy"] is None


def test_only_a_connection_is_asked_for(
    look: Any, host: Host, process: subprocess.Popen[bytes]
) -> None:
    serve(host, process.pid)
    put(host.home, "3.0-cccccccc", processes={"web": {"socket": True, "health": {"path": ""}}})
    host.home.point_to("3.0-cccccccc")
    web = Web(host.run_directory / "web-1.sock", 500)
    told = look()
    web.close()
    assert told["processes"]["web-1"]["answer"] == "connecting: accepted a connection"


def test_details(look: Any, host: Host, process: subprocess.Popen[bytes]) -> None:
    serve(host, process.pid)
    told = look(probe=False)
    assert (told["packages"], told["disk"]) == (None, None)
    assert {each["memory"] for each in told["processes"].values()} == {None}
    packages = {"flask": "3.1.2", "shop": "3.0"}
    put(host.home, "3.0-cccccccc", packages=packages)
    host.home.point_to("3.0-cccccccc")
    told = look(probe=False, details=True)
    assert told["packages"] == packages
    assert told["disk"]["path"] == str(host.home.root)
    # the pivot of this test is the test, and the process is its child
    assert min(each["memory"] for each in told["processes"].values()) > 1 << 20


def test_restarts(look: Any, host: Host, process: subprocess.Popen[bytes]) -> None:
    serve(host, process.pid)
    path = host.run_directory / "worker-1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"restarts": 3, "replacements": 4}))
    told = look(probe=False)["processes"]
    assert (told["worker-1"]["restarts"], told["web-1"]["restarts"]) == (3, None)
    assert (told["worker-1"]["replacements"], told["web-1"]["replacements"]) == (4, None)


def test_drift(look: Any, host: Host, process: subprocess.Popen[bytes]) -> None:
    serve(host, process.pid)
    host.home.point_to(A)
    say(host, "worker-2", process.pid)
    (host.run_directory / "worker-1.json").unlink()
    (host.place / "active").unlink()
    told = look(probe=False)
    assert told["state"] == "degraded"
    assert told["drift"] == [
        "circus@shop.service does not run",
        f"web-1 runs {B} instead of {A}",
        "worker-1 does not run",
        "worker-2 runs, but the formation does not have it",
    ]
    assert told["serving"] is None
    assert told["since"] is None
    assert told["processes"]["worker-1"]["state"] is None


@pytest.mark.parametrize(
    "forged", ["[" * 100_000, '{"pid": 1e999}', "{}", '{"move": {"hups": "x"}}']
)
def test_a_status_that_no_pivot_wrote_is_none(look: Any, host: Host, forged: str) -> None:
    (host.run_directory / "web-1.json").write_text(forged)
    told = look(probe=False)
    assert told["processes"] == {}


def test_forged_processes_do_not_fill_the_answer(
    look: Any, host: Host, process: subprocess.Popen[bytes]
) -> None:
    """The file system of an app's run directory has room for 16,384 files."""
    serve(host, process.pid)
    text = (host.run_directory / "web-1.json").read_text()
    for number in range(10, 1000):
        forged = text.replace('"web-1"', f'"a-{number}"')
        (host.run_directory / f"a-{number}.json").write_text(forged)
    told = look(probe=False)
    assert told["drift"][0] == "a-10 runs, but the formation does not have it"
    assert len(told["drift"]) == len(told["processes"]) - 2 == 20
    assert told["processes"]["web-1"]["state"] == "serving"


def test_what_a_pivot_says_is_held_against_the_kernel(look: Any, host: Host) -> None:
    serve(host, os.getpid())
    told = look(probe=False)
    assert told["drift"] == [
        f"{name} says that it runs {B}, but its process does not" for name in ("web-1", "worker-1")
    ]


@pytest.mark.parametrize(("wanted", "count"), [(0, 0), (1, 1), (2, 2), (10, 2), (-1, 0)])
def test_records(look: Any, host: Host, wanted: int, count: int) -> None:
    serve(host, os.getpid())
    records = look(records=wanted, probe=False)["records"]
    assert len(records) == count
    if count:
        assert records[-1]["by"] == "ann"


def test_a_lock(look: Any, host: Host) -> None:
    file = LockFile("shop", host.place / "locks")
    with file.alone():
        wish = Wish("shop", "joe@build1", "r1", reason="deploy 2.0", ttl=60, process={"pid": 1})
        file.write(take(None, wish, now(), 6).lock)
    lock = look()["lock"]
    assert (lock["owner"], lock["run"], lock["reason"]) == ("joe@build1", "r1", "deploy 2.0")
    assert lock["expired"] is False
    assert 58 <= lock["seconds_left"] <= 60
    assert "process" not in lock
    file.path.write_text("{")
    assert "cannot be read" in look()["lock"]["reason"]


# --- half of it ----------------------------------------------------------------------------------


def test_no_app(look: Any, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def of(_cls: object, _app: str) -> AppHome:
        raise DeployError("This host has no user 'shop'")

    expected = set(look())
    monkeypatch.setattr(AppHome, "of", classmethod(of))
    told = look()
    assert told["state"] == "absent"
    assert set(told) == expected


def test_no_release(look: Any) -> None:
    told = look()
    assert (told["state"], told["current"], told["releases"]) == ("empty", None, [])


def test_installed_only(look: Any, host: Host) -> None:
    put(host.home, A)
    (host.home.releases / B).mkdir()
    told = look()
    assert (told["state"], told["unfinished"]) == ("empty", [B])
    assert [release["id"] for release in told["releases"]] == [A]


def test_current_is_gone(look: Any, host: Host) -> None:
    host.home.point_to(A)
    told = look()
    assert told["state"] == "degraded"
    assert f"{A}, which is current, is not installed, or not to the end" in told["drift"]


def test_a_release_that_cannot_be_read(look: Any, host: Host) -> None:
    put(host.home, A)
    put(host.home, B)
    (host.home.releases / B / "release.json").write_text("{")
    told = look()
    assert told["unfinished"] == [B]
    assert [release["id"] for release in told["releases"]] == [A]


def test_no_run_directory(look: Any, host: Host, process: subprocess.Popen[bytes]) -> None:
    """As after a boot, before anything has started."""
    serve(host, process.pid)
    for path in host.run_directory.iterdir():
        path.unlink()
    host.run_directory.rmdir()
    told = look()
    assert told["state"] == "down"
    assert told["drift"] == ["web-1 does not run", "worker-1 does not run"]


def test_files_that_nobody_knows(look: Any, host: Host) -> None:
    for name in ("web-1.json.new", "x.json", "notes", "web-9.json"):
        (host.run_directory / name).write_text("{")
    assert look()["processes"] == {}


def test_not_root(call: Any, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def records(_home: AppHome) -> list[Record]:
        raise PermissionError(13, "Permission denied", "/srv/shop/releases.jsonl")

    monkeypatch.setattr(AppHome, "records", records)
    done = call(release_info.main, app="shop")
    assert done.code == 1
    assert done.result["msg"].endswith("Releases belong to root; use become: true.")


def test_a_bridge_that_nobody_is_going_to_end(look: Any, host: Host) -> None:
    put(host.home, B)
    assert look()["bridge"] is None
    (host.place / "bridge").touch()
    (host.place / "shop-releases").touch()
    assert look()["bridge"] == "app-exec-shop-bridge.service"
    with (host.place / "shop-releases").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert look()["bridge"] is None


def test_nobody_looks_for_a_bridge_unasked(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deploy does not need it, and each look is a process on the host."""
    put(host.home, B)
    monkeypatch.delattr(inspection.Bridge, "is_active")
    request = inspection.InspectionRequest(0, probe=False, details=False, bridge=False)
    assert inspection.read(host.home, request).bridge is None
