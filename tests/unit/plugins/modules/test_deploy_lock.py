# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module deploy_lock, on a directory of the test, and with many processes at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import pathlib
import signal
import time
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence, store
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Lock,
    Refused,
    Wish,
    release,
    take,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.modules import deploy_lock


@pytest.fixture
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    directory = tmp_path / "twelvefactor" / "locks"
    monkeypatch.setattr(deploy_lock, "LockFile", lambda app: LockFile(app, directory))
    if os.geteuid() != 0:
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    return directory


@pytest.fixture
def ask(call: Any, directory: pathlib.Path) -> Any:
    def run(run: str, **params: Any) -> Any:
        who = {"owner": "joe@build1", "run": run, "app": "shop"}
        return call(deploy_lock.main, **(who | params))

    return run


@pytest.mark.usefixtures("strict_umask")
def test_the_directory_above_is_not_only_for_locks(ask: Any, directory: pathlib.Path) -> None:
    ask("r1")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert directory.parent.stat().st_mode & 0o777 == 0o755


def test_taken_renewed_and_released(ask: Any, directory: pathlib.Path) -> None:
    first = ask("r1", reason="deploy 1.5.0", ttl=60)
    assert first.result["changed"] is True
    assert first.result["held"] is True
    assert (first.result["owner"], first.result["run"]) == ("joe@build1", "r1")
    assert first.result["reason"] == "deploy 1.5.0"
    assert (first.result["ttl"], first.result["seconds_left"]) == (60, 60)
    assert first.result["stolen_from"] is None
    assert first.result["diff"] == {
        "before": "held by nobody\n",
        "after": "held by joe@build1 (run r1): deploy 1.5.0\n",
    }
    path = directory / "shop.json"
    assert path.stat().st_mode & 0o7777 == 0o600
    assert directory.stat().st_mode & 0o7777 == 0o700
    heard = Lock.of(path.read_text()).heard
    again = ask("r1", renew=True)
    assert again.result["changed"] is False
    assert again.result["since"] == first.result["since"]
    assert Lock.of(path.read_text()).heard > heard
    done = ask("r1", state="absent")
    assert (done.result["changed"], done.result["held"]) == (True, False)
    assert [path.name for path in directory.iterdir()] == ["shop.generation"]
    assert ask("r1", state="absent").result["changed"] is False


def test_somebody_elses_is_refused(ask: Any, directory: pathlib.Path) -> None:
    ask("r1", reason="deploy 1.5.0")
    there = (directory / "shop.json").read_bytes()
    for params in ({}, {"state": "absent"}, {"renew": True}, {"dead": "r0"}):
        refused = ask("r2", owner="ann@build2", **params)
        assert refused.code == 1
        assert refused.result["holder"]["run"] == "r1"
        assert "joe@build1 (run r1)" in refused.result["msg"]
        assert refused.result["msg"].endswith(" Nothing was changed.")
        assert (directory / "shop.json").read_bytes() == there


def test_apps_have_locks_of_their_own(ask: Any) -> None:
    assert ask("r1").result["changed"] is True
    assert ask("r2", app="blog").result["changed"] is True


def test_stolen(ask: Any) -> None:
    ask("r1", reason="deploy 1.5.0")
    taken = ask("r2", steal=True)
    assert taken.result["changed"] is True
    assert taken.result["stolen_from"]["run"] == "r1"
    assert taken.result["stolen_from"]["why"] == "stolen"
    lost = ask("r1", renew=True)
    assert lost.code == 1
    assert "took it by force" in lost.result["msg"]
    assert ask("r1", state="absent").code == 1
    assert ask("r3", state="absent", steal=True).result["changed"] is True


def test_not_stolen_in_the_middle_of_a_change(
    ask: Any, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "LockFile", lambda app: LockFile(app, directory))
    assert ask("r1").result["generation"] == 1
    with fence.changing("shop", 1):
        for state in ("present", "absent"):
            refused = ask("r2", steal=True, state=state)
            assert "changes shop on this host right now" in refused.result["msg"]
            assert refused.result["holder"]["run"] == "r1"
        assert ask("r1", renew=True).result["generation"] == 1
    assert ask("r2", steal=True).result["generation"] == 2
    with pytest.raises(Refused), fence.changing("shop", 1):
        raise AssertionError


def test_check_mode_writes_nothing(call: Any, ask: Any, directory: pathlib.Path) -> None:
    def check(run: str, **params: Any) -> Any:
        who = {"owner": "joe@build1", "run": run, "app": "shop"}
        return call(deploy_lock.main, check=True, **(who | params))

    wanted = check("r1", reason="deploy 1.5.0")
    assert wanted.result["changed"] is True
    assert wanted.result["diff"]["after"] == "held by joe@build1 (run r1): deploy 1.5.0\n"
    assert check("r1", renew=True).result["changed"] is False
    assert check("r1", state="absent").result["changed"] is False
    assert not directory.exists()
    ask("r1")
    there = (directory / "shop.json").read_bytes()
    assert check("r1", state="absent").result["changed"] is True
    assert check("r2").code == 1
    assert check("r2", steal=True).result["stolen_from"]["run"] == "r1"
    assert (directory / "shop.json").read_bytes() == there


def test_a_lock_that_cannot_be_read(ask: Any, directory: pathlib.Path) -> None:
    directory.mkdir(parents=True)
    (directory / "shop.json").write_text("{")
    for params in ({}, {"state": "absent"}, {"renew": True}):
        refused = ask("r1", **params)
        assert refused.code == 1
        assert "shop.json cannot be read: " in refused.result["msg"]
        assert refused.result["msg"].endswith("-e steal=true`. Nothing was changed.")
    assert ask("r1", steal=True).result["stolen_from"]["owner"] == "nobody knows"
    (directory / "shop.json").write_bytes(b"\xff")
    assert ask("r2", state="absent", steal=True).result["changed"] is True


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"app": "../etc"}, "Invalid app name '../etc'"),
        ({"app": "shop/x"}, "Invalid app name"),
        ({"ttl": 0}, "ttl is 0; it is a number of seconds from 1 on"),
        ({"run": ""}, "run is missing: the action plugin deploy_lock"),
    ],
)
def test_arguments_that_are_wrong(ask: Any, params: dict[str, Any], says: str) -> None:
    assert says in ask(**({"run": "r1"} | params)).result["msg"]


def test_not_root(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_text(*_: object) -> str:
        raise PermissionError(13, "Permission denied", "/var/lib/twelvefactor/locks/shop.json")

    monkeypatch.setattr(pathlib.Path, "read_text", read_text)
    assert "become: true" in ask("r1").result["msg"]


def test_a_disk_that_is_full(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_atomically", write)
    assert "Could not work on the lock of shop: [Errno 28]" in ask("r1").result["msg"]


def test_a_disk_that_fails_after_the_lock_was_removed(
    ask: Any, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    ask("r1")
    monkeypatch.setattr(os, "fsync", fsync)
    assert ask("r1", state="absent").result["msg"].endswith("[Errno 5] Input/output error.")
    assert not (directory / "shop.json").exists()


# --- many at once -------------------------------------------------------------------------------

FORK = multiprocessing.get_context("fork")


def try_it(directory: pathlib.Path, number: int, start: Any, answers: Any, **wanted: Any) -> None:
    file = LockFile("shop", directory)
    wish = Wish("shop", f"u{number}@c{number}", f"r{number}", reason=f"deploy {number}", **wanted)
    start.wait()
    with file.alone():
        try:
            decision = take(file.read(), wish, now(), file.generation())
        except Refused as refusal:
            answers.put((number, str(refusal)))
        else:
            file.write(decision.lock)
            answers.put((number, None))


def all_at_once(directory: pathlib.Path, count: int, **wanted: Any) -> dict[int, str | None]:
    start, answers = FORK.Barrier(count), FORK.Queue()
    processes = [
        FORK.Process(target=try_it, args=(directory, number, start, answers), kwargs=wanted)
        for number in range(count)
    ]
    for process in processes:
        process.start()
    said = dict(answers.get(timeout=120) for _process in processes)
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    return said


@pytest.mark.parametrize("attempt", range(5))
def test_of_ten_at_once_one_wins(tmp_path: pathlib.Path, attempt: int) -> None:
    said = all_at_once(tmp_path, 10)
    (winner,) = [number for number, refusal in said.items() if refusal is None]
    lock = LockFile("shop", tmp_path).read()
    assert lock
    assert lock.run == f"r{winner}"
    told = f"locked on this host by u{winner}@c{winner} (run r{winner}) since {lock.since}"
    assert [told in (refusal or "") for number, refusal in said.items() if number != winner] == [
        True
    ] * 9


def test_of_ten_that_find_a_dead_run_one_wins(tmp_path: pathlib.Path) -> None:
    """They all know that it is dead; the first one's lock is not the dead one's any more."""
    file = LockFile("shop", tmp_path)
    with file.alone():
        file.write(take(None, Wish("shop", "x@y", "gone"), now(), 0).lock)
    said = all_at_once(tmp_path, 10, dead="gone")
    assert list(said.values()).count(None) == 1


def test_of_ten_that_find_an_expired_one_one_wins(tmp_path: pathlib.Path) -> None:
    file = LockFile("shop", tmp_path)
    with file.alone():
        file.write(take(None, Wish("shop", "x@y", "gone", ttl=1), now(), 0).lock)
    time.sleep(1.1)
    said = all_at_once(tmp_path, 10)
    assert list(said.values()).count(None) == 1


def keep(directory: pathlib.Path, inside: Any) -> None:
    with LockFile("shop", directory).alone():
        inside.set()
        time.sleep(600)


def test_killed_in_the_middle(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed while it looks at the lock is in nobody's way; who hangs, is named."""
    inside = FORK.Event()
    process = FORK.Process(target=keep, args=(tmp_path, inside))
    process.start()
    assert process.pid
    assert inside.wait(120)
    monkeypatch.setattr(store, "PATIENCE", 0.1)
    with pytest.raises(Exception, match="fuser"), LockFile("shop", tmp_path).alone():
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join(120)
    with LockFile("shop", tmp_path).alone():
        assert LockFile("shop", tmp_path).read() is None


WINS = 50


def churn(directory: pathlib.Path, number: int, results: Any) -> None:
    """Take and release again and again, until it was ours so often."""
    file, wish, won = LockFile("shop", directory), Wish("shop", "u@c", f"r{number}"), 0
    witness = directory / "witness"
    while won < WINS:
        try:
            with file.alone():
                file.write(take(file.read(), wish, now(), file.generation()).lock)
        except Refused:
            continue
        # nobody else may be here: a file that is made twice would say so
        os.close(os.open(witness, os.O_CREAT | os.O_EXCL))
        won += 1
        os.unlink(witness)
        with file.alone():
            file.write(release(file.read(), wish, now()).lock)
    results.put(won)


def test_never_two_at_a_time(tmp_path: pathlib.Path) -> None:
    results = FORK.Queue()
    processes = [FORK.Process(target=churn, args=(tmp_path, n, results)) for n in range(4)]
    for process in processes:
        process.start()
    won = [results.get(timeout=120) for _process in processes]
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert won == [WINS] * 4


def test_the_file_says_what_a_person_can_read(ask: Any, directory: pathlib.Path) -> None:
    ask("r1", reason="deploy 1.5.0", process={"pid": 7})
    entry = json.loads((directory / "shop.json").read_text())
    assert entry["process"] == {"pid": 7}
    assert entry["since"].endswith("Z")
