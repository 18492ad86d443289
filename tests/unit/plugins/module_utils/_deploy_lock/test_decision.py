# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets a lock, who does not, and what is said to them."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    TTL,
    Decision,
    Lock,
    Moment,
    Refused,
    Wish,
    iso,
    release,
    span,
    take,
)

WALL = 1_770_000_000.0  # 2026-02-02T02:40:00Z
NOW = Moment("boot-2", 10_000.0, WALL)
MINE, THEIRS = "111aaa", "222bbb"
PROCESS = {"boot": "b", "namespace": "n", "pid": 7, "start": 8, "file": [1, 2]}


def lock(run: str = THEIRS, age: float = 100.0, ttl: int = 600, boot: str = "boot-2") -> Lock:
    return Lock(
        owner="ann@build2",
        run=run,
        reason="deploy 1.4.0",
        ttl=ttl,
        since="2026-02-02T02:00:00Z",
        boot=boot,
        heard=NOW.clock - age,
        process=PROCESS,
        generation=5,
    )


def wish(**changes: object) -> Wish:
    return Wish(app="shop", owner="joe@build1", run=MINE, **changes)  # type: ignore[arg-type]


# --- taking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "wanted", "why"),
    [
        pytest.param(None, wish(), None, id="free"),
        pytest.param(lock(age=600), wish(), "expired", id="to-the-second"),
        pytest.param(lock(age=601), wish(), "expired", id="expired"),
        pytest.param(lock(age=601), wish(steal=True), "expired", id="nothing-left-to-steal"),
        pytest.param(lock(), wish(dead=THEIRS), "dead", id="its-run-has-died"),
        pytest.param(lock(), wish(steal=True), "stolen", id="stolen"),
        pytest.param(lock(age=-5000, boot="boot-1"), wish(), "expired", id="long-after-a-reboot"),
    ],
)
def test_taken(before: Lock | None, wanted: Wish, why: str | None) -> None:
    decision = take(before, dataclasses.replace(wanted, reason="deploy 1.5.0", process={}), NOW, 7)
    assert (decision.changed, decision.write) == (True, True)
    assert decision.lock == Lock(
        owner="joe@build1",
        run=MINE,
        reason="deploy 1.5.0",
        ttl=TTL,
        since="2026-02-02T02:40:00Z",
        boot="boot-2",
        heard=10_000.0,
        process={},
        stolen_from=None
        if before is None
        else {
            "owner": "ann@build2",
            "run": THEIRS,
            "reason": "deploy 1.4.0",
            "since": "2026-02-02T02:00:00Z",
            "why": why,
        },
        generation=8,
    )


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        pytest.param(lock(), wish(), id="held"),
        pytest.param(lock(age=599.9), wish(), id="for-a-moment-more"),
        pytest.param(lock(age=-3600), wish(), id="heard-in-the-future"),
        pytest.param(lock(), wish(dead="333ccc"), id="another-run-has-died"),
        pytest.param(lock(), wish(check_mode=True), id="in-check-mode-too"),
        pytest.param(
            # an hour before the boot, as far as the clock of that other boot can be compared
            lock(age=-1, ttl=20_000, boot="boot-1"),
            wish(),
            id="soon-after-a-reboot",
        ),
    ],
)
def test_refused(before: Lock, wanted: Wish) -> None:
    with pytest.raises(Refused) as refused:
        take(before, wanted, NOW, 7)
    assert refused.value.holder == before
    with pytest.raises(Refused):
        release(before, wanted, NOW)


def test_what_a_refusal_says() -> None:
    with pytest.raises(Refused) as refused:
        take(lock(), wish(), NOW, 7)
    assert str(refused.value) == (
        "shop is locked on this host by ann@build2 (run 222bbb) since 2026-02-02T02:00:00Z, for "
        "'deploy 1.4.0'. That run was heard of 1 min 40 s ago; after that the lock expires in "
        "8 min 20 s, at 2026-02-02T02:48:20Z. Wait until it has ended; if it never will, release "
        "the lock with `ansible-playbook twelvefactor.deploy.unlock -e app=shop -e steal=true`."
    )


# --- signs of life ------------------------------------------------------------------------------


@pytest.mark.parametrize("renew", [False, True])
@pytest.mark.parametrize("age", [0.0, 100.0, 599.0, 601.0, 90_000.0])
def test_taking_ones_own_again_is_a_sign_of_life(age: float, renew: bool) -> None:
    """Even when it had expired: nobody else has had it meanwhile."""
    before = lock(run=MINE, age=age)
    decision = take(before, wish(renew=renew), NOW, 7)
    assert decision == Decision(dataclasses.replace(before, heard=NOW.clock), write=True)
    assert decision.lock
    assert decision.lock.left(NOW) == 600


def test_a_sign_of_life_after_a_reboot() -> None:
    decision = take(lock(run=MINE, boot="boot-1"), wish(), NOW, 7)
    assert decision.lock
    assert (decision.lock.boot, decision.lock.left(NOW)) == ("boot-2", 600)


def test_a_sign_of_life_may_change_reason_and_ttl() -> None:
    decision = take(lock(run=MINE), wish(reason="migrate", ttl=7200), NOW, 7)
    assert decision.lock
    assert (decision.lock.reason, decision.lock.ttl) == ("migrate", 7200)
    assert decision.lock.since == "2026-02-02T02:00:00Z"
    assert not decision.changed


STOLEN = {"owner": "joe@build1", "run": MINE, "reason": "", "since": "", "why": "stolen"}


@pytest.mark.parametrize(
    ("now_there", "says"),
    [
        pytest.param(None, "It was released by hand, or it expired", id="released"),
        pytest.param(
            lock(), r"ann@build2 \(run 222bbb\) took it at 2026-.*'deploy 1.4.0'", id="taken"
        ),
        pytest.param(
            dataclasses.replace(lock(), stolen_from=STOLEN), "took it by force at", id="stolen"
        ),
        pytest.param(
            dataclasses.replace(lock(), stolen_from=STOLEN | {"why": "expired"}),
            "took it after it had expired at",
            id="expired",
        ),
        pytest.param(lock(age=601), "took it at", id="taken-and-expired"),
    ],
)
def test_who_was_held_up_must_not_go_on(now_there: Lock | None, says: str) -> None:
    with pytest.raises(Refused, match=says) as refused:
        take(now_there, wish(renew=True), NOW, 7)
    assert "does not hold the lock of shop on this host any more" in str(refused.value)
    with pytest.raises(Refused):
        take(now_there, wish(renew=True, steal=True), NOW, 7)


def test_in_check_mode_nothing_was_taken_that_could_be_renewed() -> None:
    decision = take(None, wish(renew=True, check_mode=True), NOW, 7)
    assert not decision.changed
    with pytest.raises(Refused):
        take(lock(), wish(renew=True, check_mode=True), NOW, 7)


# --- releasing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "wanted", "changed"),
    [
        pytest.param(None, wish(), False, id="none"),
        pytest.param(lock(run=MINE), wish(), True, id="own"),
        pytest.param(lock(run=MINE, age=601), wish(), True, id="own-and-expired"),
        pytest.param(lock(age=601), wish(), True, id="expired"),
        pytest.param(lock(), wish(dead=THEIRS), True, id="its-run-has-died"),
        pytest.param(lock(), wish(steal=True), True, id="by-force"),
    ],
)
def test_released(before: Lock | None, wanted: Wish, changed: bool) -> None:
    assert release(before, wanted, NOW) == Decision(None, changed, changed)


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-1e9, -3600.0, 3600.0, 1e9])
@pytest.mark.parametrize("age", [0.0, 599.0, 601.0])
def test_a_wall_clock_that_jumps_changes_nothing(jump: float, age: float) -> None:
    there = lock(age=age)
    jumped = dataclasses.replace(NOW, wall=NOW.wall + jump)
    assert there.left(jumped) == there.left(NOW) == 600 - age


@pytest.mark.parametrize(
    ("uptime", "left"),
    [pytest.param(5, 595, id="just-up"), pytest.param(599, 1, id="later"), (600, 0), (9000, -8400)],
)
def test_after_a_reboot_it_counts_from_the_boot(uptime: float, left: float) -> None:
    up = Moment("boot-2", uptime, WALL)
    assert lock(boot="boot-1").left(up) == left


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3599.6, "1 h"),
        (3661, "1 h 1 min"),
        (86400, "1 d"),
        (2 * 86400 + 3 * 3600 + 59, "2 d 3 h"),
    ],
)
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_iso() -> None:
    assert iso(WALL) == "2026-02-02T02:40:00Z"


# --- the file -----------------------------------------------------------------------------------


def test_what_is_written_is_read() -> None:
    for there in (lock(), dataclasses.replace(lock(), stolen_from=STOLEN, process=None)):
        assert Lock.of(there.line()) == there
    assert re.fullmatch(r"[^\n]+\n", lock().line())


def test_keys_of_the_future_are_passed_over() -> None:
    assert Lock.of(json.dumps(json.loads(lock().line()) | {"later": 1})) == lock()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        "{}",
        lock().line()[:40],
        json.dumps(json.loads(lock().line()) | {"ttl": "600"}),
        json.dumps(json.loads(lock().line()) | {"heard": None}),
        json.dumps(json.loads(lock().line()) | {"run": 5}),
        json.dumps(json.loads(lock().line()) | {"generation": "5"}),
    ],
)
def test_what_no_lock_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is not a valid lock|Expecting|Unterminated"):
        Lock.of(text)


def test_what_is_told() -> None:
    assert lock().told(NOW) == {
        "owner": "ann@build2",
        "run": THEIRS,
        "reason": "deploy 1.4.0",
        "since": "2026-02-02T02:00:00Z",
        "ttl": 600,
        "expires": "2026-02-02T02:48:20Z",
        "seconds_left": 500,
        "expired": False,
        "process": PROCESS,
        "stolen_from": None,
        "generation": 5,
    }
    assert lock(age=601).told(NOW)["expired"] is True


# --- generations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "last", "generation"),
    [
        pytest.param(None, 0, 1, id="the-first-one"),
        pytest.param(None, 9, 10, id="free"),
        pytest.param(lock(age=601), 9, 10, id="expired"),
        pytest.param(lock(age=601), 3, 6, id="the-counter-is-behind"),
        pytest.param(lock(run=MINE), 9, 5, id="own"),
    ],
)
def test_generation(before: Lock | None, last: int, generation: int) -> None:
    taken = take(before, wish(), NOW, last).lock
    assert taken
    assert taken.generation == generation


def test_a_lock_of_a_version_that_did_not_count() -> None:
    entry = json.loads(lock().line())
    del entry["generation"]
    assert Lock.of(json.dumps(entry)).generation == 0
