# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release, cut off: killed at every step, the disk full, the index gone.

Whatever it is, what serves and what a rollback goes back to stay as they are, and the next run
installs the release as if nothing had been.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.installer import (
    Installer,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record
from ansible_collections.twelvefactor.deploy.plugins.modules import release
from unit.plugins.killed import ended, start

SERVES, TARGET, SURPLUS, LEFT_OVER = "1.0-11111111", "0.9-22222222", "0.1-33333333", "0.5-44444444"


class Shop:
    """An app with a release that serves, one to go back to, a surplus one and a left-over."""

    def __init__(self, root: pathlib.Path) -> None:
        self.home = AppHome("shop", root, os.geteuid(), os.getegid(), os.geteuid())
        (root / "cache").mkdir(parents=True)
        self.home.releases.mkdir()
        for number, name in enumerate((SURPLUS, TARGET, SERVES)):
            path = self.home.releases / name
            path.mkdir()
            (path / "env").write_text("A=1\n")
            manifest = {"installed_at": f"2026-01-0{number + 1}", "packages": {}, "commands": {},
                        "python": "3.9.0", "processes": {}}  # fmt: skip
            (path / "release.json").write_text(json.dumps(manifest))
        for name in (TARGET, SERVES):
            self.home.remember(Record(at="x", event="deploy", release=name, outcome="good"))
        self.home.point_to(SERVES)
        self.leave_over()
        self.before = self.untouchable()

    def leave_over(self) -> None:
        (self.home.releases / LEFT_OVER / "venv").mkdir(parents=True, exist_ok=True)

    def untouchable(self) -> dict[str, str]:
        files = [self.home.record_path]
        for name in (TARGET, SERVES):
            files += (path for path in (self.home.releases / name).rglob("*") if path.is_file())
        found = {str(path): path.read_text() for path in files}
        return found | {"current": self.home.current() or "", "target": self.target() or ""}

    def target(self) -> str | None:
        return self.home.rollback_target(self.home.current())

    def check(self) -> None:
        """Nothing is lost, and every release that counts as complete is."""
        assert self.untouchable() == self.before
        for name in self.home.installed():
            if name not in (SERVES, TARGET, SURPLUS):
                self.check_complete(name)

    def check_complete(self, name: str) -> None:
        path = self.home.releases / name
        assert not (path / "wheels").exists()
        script = "import flask, shop; print(flask.version, shop.version)"
        done = subprocess.run([path / "bin" / "run", "python", "-c", script],
                              capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
        assert (done.stdout, done.stderr) == ("3.1 1.0\n", "")


@pytest.fixture
def shop(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop(tmp_path / "srv" / "shop")
    serve_from(shop, monkeypatch)
    return shop


def serve_from(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AppHome, "of", classmethod(lambda _cls, _app, foreseen=False: shop.home))
    patient = Installer._environment
    monkeypatch.setattr(
        Installer, "_environment", lambda self: patient(self) | {"UV_HTTP_RETRIES": "0"}
    )


def begin(params: dict[str, Any], step: int = 0) -> int:
    return start(release.main, params | {"keep": 3}, step)


def finish(shop: Shop, params: dict[str, Any]) -> None:
    """The next run, to which nothing is special."""
    assert ended(begin(params)) == 0
    (made,) = set(shop.home.installed()) - {SERVES, TARGET}
    assert shop.home.unfinished() == []
    shop.check_complete(made)
    shop.check()


def state(shop: Shop) -> frozenset[tuple[str, int, int]]:
    """Everything that the next run finds, but for what it may keep in its cache."""
    releases = shop.home.releases
    paths = [path for path in (shop.home.root, *releases.rglob("*")) if path.name != "cache"]
    return frozenset(
        (str(path.relative_to(shop.home.root)), about.st_mode, about.st_size)
        for path in paths
        for about in [path.lstat()]
    )


def test_killed_at_every_step(shop: Shop, params: dict[str, Any]) -> None:
    surplus = shop.home.releases / SURPLUS
    kept = shutil.copytree(surplus, shop.home.root / "kept")
    finished = set()
    for step in range(1, 500):
        code = ended(begin(params, step))
        shop.check()
        if code == 0:
            break
        assert code == -signal.SIGKILL, f"step {step}"
        if (left := state(shop)) not in finished:  # several steps leave the same
            finish(shop, params)
            finished.add(left)
        for name in shop.home.unfinished():
            shutil.rmtree(shop.home.releases / name)
        # as it was, for the next step
        for name in set(shop.home.installed()) - {SERVES, TARGET}:
            shop.home.remove(name)
        shop.leave_over()
        if not surplus.exists():
            shutil.copytree(kept, surplus)
    assert 20 < step < 500


def family(pid: int) -> list[int]:
    """A process's descendants."""
    found: list[int] = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *family(int(child))]
    return found


def is_running(pid: int) -> bool:
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def test_killed_with_half_of_the_packages_in(
    shop: Shop, params: dict[str, Any], published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()
    answer = published.answer

    def slow(path: str, login: str | None) -> Any:
        if path.startswith("/files/flask"):
            asked.set()
            go_on.wait(120)
        return answer(path, login)

    monkeypatch.setattr(published, "answer", slow)
    pid = begin(params)
    assert asked.wait(120)
    helpers = family(pid)
    assert helpers
    os.kill(pid, signal.SIGKILL)
    assert ended(pid) == -signal.SIGKILL
    deadline = time.monotonic() + 120
    while any(is_running(helper) for helper in helpers):
        assert time.monotonic() < deadline, "the installer outlives the module"
        time.sleep(0.01)
    shop.check()
    go_on.set()
    finish(shop, params)


@pytest.mark.parametrize("after", range(5))
def test_index_gone_half_way(
    after: int, shop: Shop, params: dict[str, Any], published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request counts: pages and files, of the app and of what it depends on."""
    answer, asked = published.answer, []

    def dying(path: str, login: str | None) -> Any:
        asked.append(path)
        if len(asked) > after:
            return published.Answer(status=500)
        return answer(path, login)

    with monkeypatch.context() as patch:
        patch.setattr(published, "answer", dying)
        assert ended(begin(params)) == 1
    assert len(asked) > after
    shop.check()
    assert shop.home.unfinished() in ([], [LEFT_OVER])
    finish(shop, params)


@pytest.fixture
def small_disk(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Shop, Callable[[str], None]]]:
    """The app on a file system of its own, and what changes how much goes into it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=2000", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")

    def resize(options: str) -> None:
        remount = ["mount", "-o", f"remount,{options}", disk]
        subprocess.run(remount, capture_output=True, check=True)

    try:
        shop = Shop(disk / "shop")
        serve_from(shop, monkeypatch)
        yield shop, resize
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.parametrize("what", ["nr_inodes", "size"])
def test_disk_full(
    what: str, small_disk: tuple[Shop, Callable[[str], None]], params: dict[str, Any], capfd: Any
) -> None:
    """With so little left that the first file does not go in, then with more and more."""
    shop, resize = small_disk
    disk = shop.home.root.parent
    done = os.statvfs(disk)
    used = done.f_files - done.f_ffree if what == "nr_inodes" else done.f_blocks - done.f_bfree
    inodes, blocks = (1, 2, 3, 5, 8, 12, 18, 25, 40), (1, 2, 3, 4, 6, 8, 10, 12, 15, 19)
    unit, steps = ("", inodes) if what == "nr_inodes" else ("k", blocks)
    failed = 0
    for more in steps:
        room = used + more if what == "nr_inodes" else (used + more) * done.f_frsize // 1024
        resize(f"{what}={room}{unit}")
        capfd.readouterr()
        if ended(begin(params)) == 0:
            break
        failed += 1
        message = json.loads(capfd.readouterr().out.splitlines()[-1])["msg"]
        assert "No space left on device" in message
        assert message.startswith("Could not install 1.0-")
        shop.check()
        assert shop.home.unfinished() == []
        shutil.rmtree(shop.home.root / "cache")
        (shop.home.root / "cache").mkdir()
        shop.leave_over()
    assert failed >= 5
    resize("size=8m,nr_inodes=2000")
    finish(shop, params)


def test_two_at_once(shop: Shop, params: dict[str, Any], published: Any) -> None:
    """One works, the other one is told so; nothing of either is lost."""
    pids = [begin(params) for _number in range(4)]
    codes = sorted(ended(pid) for pid in pids)
    assert codes[0] == 0
    assert set(codes) <= {0, 1}
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(shop.home.releases / LEFT_OVER)
    finish(shop, params)
