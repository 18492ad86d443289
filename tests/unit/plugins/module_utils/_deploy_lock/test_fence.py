# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has lost the lock changes nothing, and nobody loses it in the middle of a change."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Refused,
    Wish,
    release,
    take,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.fence import (
    changing,
    taking_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    Unreadable,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

Take = Callable[..., int]


@pytest.fixture
def file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> LockFile:
    monkeypatch.setattr(fence, "LockFile", lambda app: LockFile(app, tmp_path))
    monkeypatch.setattr(fence, "PATIENCE", 0.0)
    if os.geteuid() != 0:
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    return LockFile("shop", tmp_path)


@pytest.fixture
def taken(file: LockFile) -> Take:
    """Take the lock as a run; its generation."""

    def take_it(run: str, **how: bool) -> int:
        wish = Wish("shop", "joe@build1", run, **how)  # type: ignore[arg-type]
        decision = take(file.read(), wish, now(), file.generation())
        file.write(decision.lock)
        assert decision.lock
        return decision.lock.generation

    return take_it


def test_who_holds_it_changes_the_app(taken: Take) -> None:
    generation = taken("r1")
    with changing("shop", generation):
        pass
    assert taken("r1") == generation
    with changing("shop", generation):
        pass


def test_who_has_none_is_not_asked(taken: Take) -> None:
    taken("r1")
    with changing("shop", None):
        pass


@pytest.mark.parametrize("back", [False, True], ids=["taken", "taken-and-released"])
def test_who_has_lost_it_changes_nothing(taken: Take, file: LockFile, back: bool) -> None:
    generation = taken("r1")
    taken("r2", steal=True)
    if back:
        file.write(release(file.read(), Wish("shop", "a@b", "r2"), now()).lock)
    words = "released by hand" if back else r"joe@build1 \(run r2\) took it by force"
    with (
        pytest.raises(Refused, match=f"of generation {generation} does not hold .* {words}"),
        changing("shop", generation),
    ):
        raise AssertionError
    if back:  # the same run may come again; what it had begun before is over all the same
        assert taken("r1") == generation + 2
        with pytest.raises(Refused), changing("shop", generation):
            raise AssertionError


def test_it_is_not_taken_in_the_middle_of_a_change(taken: Take, file: LockFile) -> None:
    generation = taken("r1")
    mine, other = Wish("shop", "joe@build1", "r1"), Wish("shop", "ann@build2", "r2", steal=True)
    with changing("shop", generation):
        words = (
            r"joe@build1 \(run r1\) changes shop on this host right now.*fuser -v .*/shop-releases"
        )
        with pytest.raises(Refused, match=words), taking_from(file.read(), other):
            raise AssertionError
        with taking_from(file.read(), mine), taking_from(None, other):
            pass
    with (
        taking_from(file.read(), other),
        pytest.raises(DeployError, match="Another run is working on the releases of shop"),
        changing("shop", generation),
    ):
        raise AssertionError


def test_no_number_comes_twice(taken: Take, file: LockFile) -> None:
    given = []
    for run in ("r1", "r2", "r3", "r4"):
        given.append(taken(run, steal=True))
        file.path.unlink()  # by hand
    assert given == [1, 2, 3, 4]
    assert file.counter.stat().st_mode & 0o777 == 0o600


def test_a_counter_that_cannot_be_read(taken: Take, file: LockFile) -> None:
    file.counter.write_text("x")
    with pytest.raises(Unreadable, match="does not hold a number; write one into it"):
        taken("r1")


def test_a_change_is_a_sign_of_life(taken: Take, file: LockFile) -> None:
    generation = taken("r1")

    def heard() -> float:
        lock = file.read()
        assert lock
        return lock.heard

    def forget() -> None:
        lock = file.read()
        assert lock
        file.write(dataclasses.replace(lock, heard=0.0))

    forget()
    with contextlib.suppress(ZeroDivisionError), changing("shop", generation):
        begun = heard()
        forget()
        raise ZeroDivisionError
    assert heard() >= begun > 0


def test_what_was_released_by_hand_does_not_come_back(taken: Take, file: LockFile) -> None:
    with changing("shop", taken("r1")):
        file.write(None)
    assert file.read() is None


def test_a_full_disk_keeps_nobody_from_the_way_back(
    taken: Take, file: LockFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = taken("r1")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LockFile, "write", full)
    with changing("shop", generation):
        pass
