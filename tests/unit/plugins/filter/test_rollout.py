# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout over a fleet: in which order the hosts get a release, whether it goes on, how it ended."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.filter.rollout import (
    batches,
    new_hosts_last,
    newer_version,
    preflight_problems,
    release_to_join_problems,
    rollout_decision,
    rollout_endings,
    rollout_scaled_sites,
    rollout_todo,
    schedule_host,
)


@pytest.mark.parametrize(
    ("hosts", "size", "canaries", "expected"),
    [
        ("", "100%", 1, []),
        ("a", "100%", 1, ["a"]),
        ("abcd", "100%", 1, ["a", "bcd"]),
        ("abcd", "100%", 0, ["abcd"]),
        ("abcde", 2, 1, ["a", "bc", "de"]),
        ("abcde", "2", 1, ["a", "bc", "de"]),
        ("abcdefghij", "30%", 1, ["a", "bcd", "efg", "hij"]),
        ("abc", "10%", 1, ["a", "b", "c"]),
        ("abc", 7, 5, ["abc"]),
        ("abcdef", 3, 2, ["ab", "cde", "f"]),
    ],
)
def test_batches(hosts: str, size: Any, canaries: int, expected: list[str]) -> None:
    assert batches(list(hosts), size, canaries) == [list(batch) for batch in expected]


@pytest.mark.parametrize(
    ("hosts", "play", "reached", "chosen"),
    [
        pytest.param("abc", "abc", "abc", "a", id="the-first"),
        pytest.param("bc", "bc", "bc", "b", id="the-first-has-left-the-inventory"),
        pytest.param("abc", "abc", "bc", "b", id="the-first-is-skipped"),
        pytest.param("abc", "cab", "cab", "a", id="whatever-the-order-of-the-play-is"),
        pytest.param("abc", "bc", "bc", "a", id="a-limit-moves-nothing"),
        pytest.param("abc", "bc", "c", "a", id="nor-what-is-lost-within-one"),
        pytest.param("abc", "a", "a", "a", id="only-the-first"),
        pytest.param("zabc", "abcxz", "abcxz", "z", id="other-apps-hosts"),
        pytest.param("ab", "ab", "", "", id="none-is-left"),
        pytest.param("", "", "", "", id="none"),
    ],
)
def test_which_host_runs_schedules(hosts: str, play: str, reached: str, chosen: str) -> None:
    assert schedule_host(list(hosts), list(play), list(reached)) == chosen


@pytest.mark.parametrize("size", [0, "0%", "101%", "-1", "", "half", None, 1.5])
def test_no_size(size: Any) -> None:
    with pytest.raises(
        AnsibleFilterError, match="must be a number of at least 1 or a percentage up to 100%, not "
    ):
        batches(["a"], size)


@pytest.mark.parametrize("canaries", [-1, "1", None])
def test_no_number_of_canaries(canaries: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="number of canaries must be at least 0, not "):
        batches(["a"], 1, canaries)


@pytest.mark.parametrize(
    ("release", "version", "expected"),
    [
        ("releases/1.5.0-3f2a9c01", "1.4.0", "1.5.0"),
        ("/srv/shop/releases/1.10-3f2a9c01", "1.9", "1.10"),
        ("1.5.0-3f2a9c01", "1.5.0rc1", "1.5.0"),
        ("1!0.1-3f2a9c01", "7.0", "1!0.1"),
        ("1.0+b.2-3f2a9c01", "1.0", "1.0+b.2"),
        # the same, or forward
        ("1.5.0-3f2a9c01", "1.5.0", ""),
        ("1.5.0-3f2a9c01", "1.5", ""),
        ("1.4.0-3f2a9c01", "1.5.0", ""),
        ("1.9-3f2a9c01", "1.10", ""),
        ("1.5.0rc1-3f2a9c01", "1.5.0", ""),
        # nothing serves, or nothing that can be compared
        ("", "1.4.0", ""),
        ("main-3f2a9c01", "1.4.0", ""),
        ("1.5.0-3f2a9c01", "main", ""),
    ],
)
def test_newer_version(release: str, version: str, expected: str) -> None:
    assert newer_version(release, version) == expected


@pytest.mark.parametrize(
    ("serving", "order"),
    [
        ({"a": "1.0-a", "b": "1.0-a", "c": "1.0-a"}, "abc"),
        ({"a": None, "b": "1.0-a", "c": "1.0-a"}, "bca"),
        # the first deploy of all, and a rollback, before which nobody was asked
        ({"a": None, "b": None, "c": None}, "abc"),
        ({}, "abc"),
    ],
)
def test_hosts_that_have_joined_come_last(serving: dict[str, str | None], order: str) -> None:
    hostvars = {
        name: {"app_pending": {"current": serving[name]}} if name in serving else {}
        for name in "abc"
    }
    assert new_hosts_last("abc", hostvars) == list(order)


@pytest.mark.parametrize(
    ("release", "joined", "words"),
    [
        ("1.5.0-3f2a9c01", "1.5.0-3f2a9c01", []),
        # whichever the inventory makes
        ("1.5.0-3f2a9c01", "", []),
        # in check mode, where the index cannot be asked yet
        (None, "1.5.0-3f2a9c01", []),
        ("1.5.0-90b1c2d3", "1.5.0-3f2a9c01", ["the inventory makes 1.5.0-90b1c2d3, and the other"]),
    ],
)
def test_another_release_than_the_others_serve(
    release: str | None, joined: str, words: list[str]
) -> None:
    problems = release_to_join_problems(release, joined)
    assert [problem[: len(word)] for problem, word in zip(problems, words, strict=True)] == words


def test_after_an_upgrade_of_debian_another_version_is_the_way_out() -> None:
    """A deploy of the same one leaves each host with the id that it has."""
    [problem] = release_to_join_problems("1.0-aaaaaaaa", "1.0-bbbbbbbb")
    assert "publish and deploy a new version first" in problem


HELD = {"held": True, "owner": "joe@build1"}
SKIPPED = {"skipped": True, "changed": False}
REFUSED = {"failed": False, "msg": "shop is locked on this host by ann@build2", "holder": {}}
TO_2 = {"release": "2.0-b", "previous": "1.0-a", "changed": True}
FIRST_EVER = {"release": "2.0-b", "previous": None, "changed": True}
SERVED_2 = {"release": "2.0-b", "previous": "2.0-b", "changed": False}
BAD_RELEASE = {"__rollout_verdict": {"refusal": "Judge: bad"}}
BROKEN = {"failed": True, "changed": True, "msg": "Release 2.0-b does not serve"}


def host(problem: str = "", switch: Any = None, lock: Any = HELD, **more: Any) -> dict[str, Any]:
    """Variables of a host in the middle of a rollout."""
    return {
        "__rollout": {"app": "shop", "began": 1.0, **({"problem": problem} if problem else {})},
        "__rollout_first_lock": SKIPPED,
        "__rollout_lock": lock,
        "app_release": {"release": "2.0-b"},
        "app_switch": switch or {},
        **more,
    }


def decide(reached: str = "abc", unreachable: str = "stop", **hosts: Any) -> dict[str, Any]:
    """The decision for hosts a, b and c, of which all is well with those that are not given."""
    hostvars = {name: host(switch=TO_2) for name in "abc"} | hosts
    return rollout_decision(list("abc"), hostvars, list(reached), unreachable)


@pytest.mark.parametrize(
    ("known", "problems"),
    [
        pytest.param({}, [], id="all-is-well"),
        pytest.param({"b": host("Install: no space")}, ["b: Install: no space"], id="a-step"),
        pytest.param({"c": host("2"), "a": host("1")}, ["a: 1", "c: 2"], id="in-the-hosts-order"),
        pytest.param(
            {"b": host(lock=REFUSED)},
            ["b: Acquire the deploy lock: shop is locked on this host by ann@build2"],
            id="a-lock",
        ),
        pytest.param(
            {"a": host(lock=SKIPPED, __rollout_first_lock=REFUSED)},
            ["a: Acquire the deploy lock: shop is locked on this host by ann@build2"],
            id="the-first-lock",
        ),
        pytest.param({"a": host(lock=SKIPPED)}, [], id="a-lock-that-nobody-asked-for"),
        pytest.param({"a": {}}, [], id="a-host-that-has-not-begun"),
        pytest.param({"reached": "ab"}, ["c: cannot be reached any more"], id="lost"),
        pytest.param({"reached": "ab", "unreachable": "go_on"}, [], id="lost-and-allowed"),
        pytest.param(
            {"reached": "ab", "unreachable": "go_on", "c": host("x")}, [], id="lost-later"
        ),
        pytest.param(
            {name: host(switch=TO_2, **BAD_RELEASE) for name in "abc"}
            | {"b": host("x", **BAD_RELEASE)},
            ["Judge: bad", "b: x"],
            id="a-refusal-that-all-know",
        ),
        pytest.param(
            {"reached": "c", "unreachable": "go_on", "c": host(**BAD_RELEASE)},
            ["Judge: bad"],
            id="a-refusal-and-the-first-are-lost",
        ),
    ],
)
def test_whether_a_rollout_goes_on(known: dict[str, Any], problems: list[str]) -> None:
    decided = decide(**known)
    assert decided["problems"] == problems
    assert decided["go_on"] is (problems == [])


def back_to(target: str, problem: str = "") -> dict[str, Any]:
    own = {"app": "shop", "target": target, "problem": problem}
    return {"__rollout": own, "__rollout_lock": HELD, "app_release": {}, "app_switch": {}}


def test_all_hosts_go_back_to_the_same_release() -> None:
    same = {name: back_to("1.0-a") for name in "abc"}
    assert decide(**same)["problems"] == []
    assert decide(**same)["release"] == "1.0-a"
    other = {**same, "b": back_to("0.9-z")}
    assert decide(**other)["problems"] == [
        "a: would go back to 1.0-a; say which release: -e release=ID",
        "b: would go back to 0.9-z; say which release: -e release=ID",
        "c: would go back to 1.0-a; say which release: -e release=ID",
    ]
    # what a host says itself is the better answer
    assert decide(**{**other, "c": back_to("", "nothing there")})["problems"] == [
        "c: nothing there"
    ]


FOUND_BAD = {"refusal": "Judge the release: bad", "put_back": ["a"]}


@pytest.mark.parametrize(
    ("known", "put_back"),
    [
        pytest.param({}, {"a": "1.0-a", "b": "1.0-a", "c": "1.0-a"}, id="all"),
        pytest.param(
            {"b": host("hook", TO_2), "c": host()}, {"a": "1.0-a", "b": "1.0-a"}, id="switched-ones"
        ),
        pytest.param(
            {"b": host("x", BROKEN), "c": host()}, {"a": "1.0-a"}, id="one-that-went-back"
        ),
        pytest.param(
            {"a": host(switch=SERVED_2), "b": host(), "c": host()}, {}, id="one-that-had-it"
        ),
        pytest.param(
            {"a": host(switch=FIRST_EVER), "b": host(), "c": host()}, {}, id="its-first-release"
        ),
        pytest.param({"a": host(switch=SKIPPED), "b": host(), "c": host()}, {}, id="not-asked"),
        pytest.param(
            {"a": host(switch=TO_2, lock=REFUSED), "b": host(), "c": host()}, {}, id="without-lock"
        ),
        pytest.param({"reached": "a"}, {"a": "1.0-a"}, id="not-what-is-lost"),
        pytest.param(
            {"a": host(switch=SERVED_2, __rollout_verdict=FOUND_BAD), "b": host(), "c": host()},
            {"a": "previous"}, id="one-that-had-it-and-is-bad",
        ),
        pytest.param(
            {
                "a": host(switch=SERVED_2, lock=REFUSED, __rollout_verdict=FOUND_BAD),
                "b": host(), "c": host(),
            },
            {}, id="that-without-lock",
        ),
    ],
)  # fmt: skip
def test_who_is_put_back(known: dict[str, Any], put_back: dict[str, str]) -> None:
    assert decide(**known)["put_back"] == put_back


ELSE = ", while other hosts serve "


@pytest.mark.parametrize(
    ("targets", "others", "back", "ending"),
    [
        pytest.param(["1.0-a"], ["1.0-a"] * 2, "1.0-a", "", id="what-the-others-serve"),
        pytest.param(["1.4-c", "1.0-a"], ["1.0-a"] * 2, "1.0-a", "", id="two-back"),
        pytest.param([], ["1.0-a"] * 2, "1.5-d", f"{ELSE}1.0-a", id="removed"),
        pytest.param(["1.0-a"], ["1.0-a", "0.9-z"], "1.5-d", f"{ELSE}0.9-z, 1.0-a", id="two-kinds"),
        # which of both is the one that was interrupted, nobody knows
        pytest.param(["1.0-a"], ["1.0-a", None], "1.5-d", f"{ELSE}1.0-a", id="half"),
        pytest.param(["1.0-a"], [None, None], "1.5-d", "", id="nothing"),
    ],
)
@pytest.mark.parametrize("repeated", [False, True])
def test_a_host_that_another_deploy_was_interrupted_at(
    targets: list[str], others: list[str | None], back: str, ending: str, *, repeated: bool
) -> None:
    """It served 1.5-d, which nobody has judged, and perhaps the bad release since a deploy of that one."""
    switch = SERVED_2 if repeated else TO_2 | {"previous": "1.5-d"}
    release = {"release": "2.0-b", "current": "2.0-b" if repeated else "1.5-d"}
    hosts = {
        "a": host(
            switch=switch, app_release=release | {"rollback_targets": targets},
            __rollout_verdict=FOUND_BAD,
        ),
    } | {
        name: host(app_release={"release": "2.0-b", "current": current})
        for name, current in zip("bc", others, strict=True)
    }  # fmt: skip
    decided = decide(**hosts)
    by_record = repeated and back == "1.5-d"
    assert decided["put_back"] == {"a": "previous" if by_record else back}
    hosts["a"] |= {"__rollout_kept": HELD, "app_switch": {"release": back}}
    assert rollout_endings(decided, hosts, ["a", "b", "c"])[0] == f"a serves {back} again{ending}"


def test_a_host_that_missed_a_deploy_does_not_take_the_others_further_back() -> None:
    had = {"release": "2.0-b", "current": "1.0-a", "rollback_targets": ["0.9-z"]}
    moved = host(switch=TO_2, app_release=had)
    late = host(app_release={"release": "2.0-b", "current": "0.9-z"})
    assert decide(a=moved, b=moved, c=late)["put_back"] == {"a": "1.0-a", "b": "1.0-a"}
    assert decide(a=moved, b=host(), c=late)["put_back"] == {"a": "1.0-a"}


def test_who_holds_the_lock() -> None:
    first = host(lock=SKIPPED, __rollout_first_lock=HELD)
    assert decide(a=first, b=host(lock=REFUSED))["held"] == ["a", "c"]


def test_what_is_announced() -> None:
    decided = decide()
    assert (decided["release"], decided["previous"]) == ("2.0-b", "1.0-a")
    assert decided["changed"] is True
    assert decide(**dict.fromkeys("abc", host(switch=SERVED_2)))["changed"] is False
    # a host that has joined the fleet is the only one that moves
    joined = decide(a=host(switch=SERVED_2), c=host(switch=SERVED_2))
    assert (joined["changed"], joined["previous"]) == (True, "1.0-a")
    # the first host was refused before anything was installed there
    nothing = host("no space", app_release={})
    assert decide(a=nothing)["release"] == "2.0-b"
    assert decide(**dict.fromkeys("abc", nothing))["previous"] is None
    assert decide(**dict.fromkeys("abc", nothing))["release"] == ""
    # in check mode on a host that does not reach the index yet
    unknown = host(app_release={"release": None})
    assert decide(**dict.fromkeys("abc", unknown))["release"] == ""


def test_lost_hosts_are_named() -> None:
    assert decide(reached="b", unreachable="go_on")["lost"] == ["a", "c"]
    assert decide(reached="", unreachable="go_on")["previous"] is None


@pytest.mark.parametrize(
    ("after", "reached", "endings"),
    [
        pytest.param(
            {}, "abc", ["a serves 1.0-a again", "b serves 1.0-a again"], id="put-back-as-it-should"
        ),
        pytest.param(
            {"a": {"__rollout": {"app": "shop", "not_put_back": "Move every process: no"}}},
            "abc",
            ["a was not put back: Move every process: no", "b serves 1.0-a again"],
            id="not-put-back",
        ),
        pytest.param(
            {"b": {"__rollout_kept": REFUSED}},
            "abc",
            [
                "a serves 1.0-a again",
                (
                    "b was left as it is, and no hook was run there: this run does not hold its lock any "
                    "more, and whoever took it may have deployed since. See what serves with "
                    "`ansible-playbook twelvefactor.deploy.status -e app=shop`, then deploy again"
                ),
            ],
            id="the-lock-was-taken",
        ),
        pytest.param(
            {},
            "bc",
            ["a cannot be reached any more; see later what serves there", "b serves 1.0-a again"],
            id="lost-meanwhile",
        ),
    ],
)
def test_what_became_of_the_hosts(after: dict[str, Any], reached: str, endings: list[str]) -> None:
    before = {
        "a": host(switch=TO_2),
        "b": host("a hook failed", switch=TO_2),
        "c": host(lock=REFUSED, __rollout_kept=SKIPPED),
    }
    decided = rollout_decision(list("abc"), before, list("abc"), "stop")
    kept = {"__rollout_kept": HELD}
    hostvars = {name: {**kept, **known, **after.get(name, {})} for name, known in before.items()}
    assert rollout_endings(decided, hostvars, list(reached)) == endings


def test_a_host_that_goes_back_to_what_its_record_says() -> None:
    before = {"a": host(switch=SERVED_2, __rollout_verdict=FOUND_BAD)}
    decided = rollout_decision(["a"], before, ["a"], "stop")
    after = {"a": before["a"] | {"__rollout_kept": HELD, "app_switch": {"release": "1.0-a"}}}
    assert rollout_endings(decided, after, ["a"]) == ["a serves 1.0-a again"]


def test_a_host_that_was_locked_and_had_nothing_to_put_back_is_not_mentioned() -> None:
    known = {"a": host("no space", __rollout_kept=HELD)}
    decided = rollout_decision(["a"], known, ["a"], "stop")
    assert rollout_endings(decided, known, ["a"]) == []


# --- before a deploy -----------------------------------------------------------------------------

READY = {
    "pending": [],
    "clock_off": 0.0,
    "free": 600 * 1024**2,
    "nginx": "active",
    "current": "2.0-b",
}


@pytest.mark.parametrize(
    ("answer", "needs_nginx", "problems"),
    [
        pytest.param(READY, True, [], id="ready"),
        pytest.param(READY | {"pending": ["2.0-b is to be switched to"]}, True, [], id="to-do"),
        pytest.param(READY | {"clock_off": 30.4}, True, [], id="a-clock-at-the-limit"),
        pytest.param(
            READY | {"clock_off": -31.0},
            True,
            [
                (
                    "the clock is -31 s off that of the controller, deploy_clock_skew allows 30; does a "
                    "time service run?"
                )
            ],
            id="a-clock",
        ),
        pytest.param(
            READY | {"free": 511 * 1024**2},
            True,
            ["511 MiB are free below /srv, deploy_free_mb asks for 512"],
            id="space",
        ),
        pytest.param(
            READY | {"nginx": "failed"},
            True,
            ["nginx is failed; systemctl status nginx says why"],
            id="nginx",
        ),
        pytest.param(
            READY | {"unprepared": ["schedules need /x", "media needs /y"]},
            True,
            [
                (
                    "schedules need /x, media needs /y; set the host up for it with "
                    "`ansible-playbook twelvefactor.deploy.platform --limit app1`"
                )
            ],
            id="not-set-up-again",
        ),
        pytest.param(READY | {"nginx": "failed"}, False, [], id="an-nginx-that-nobody-needs"),
        pytest.param({"failed": True, "msg": "no root"}, True, ["no root"], id="no-answer"),
        pytest.param({}, True, ["it did not say what there is to do"], id="nothing-at-all"),
    ],
)
def test_who_must_not_be_deployed_to(
    answer: dict[str, Any], needs_nginx: bool, problems: list[str]
) -> None:
    assert preflight_problems(answer, 30, 512, needs_nginx, "app1") == problems


def test_a_host_that_may_be_set_up_by_then_is_no_problem() -> None:
    assert preflight_problems(READY | {"unprepared": ["x"]}, 30, 512, True) == []


@pytest.mark.parametrize(
    ("found", "reached", "todo"),
    [
        pytest.param({}, "abc", [], id="all-agree"),
        pytest.param({"b": ["2.0-b is to be installed"]}, "abc", ["b: 2.0-b is to be installed"]),
        pytest.param({"a": ["x", "y"], "c": ["z"]}, "abc", ["a: x", "a: y", "c: z"]),
        pytest.param({"b": None}, "abc", ["b: was not asked"], id="not-asked"),
        pytest.param({}, "ac", ["b: cannot be reached"], id="lost"),
        pytest.param({"b": []}, "", [f"{name}: cannot be reached" for name in "abc"]),
    ],
)
def test_a_deploy_does_nothing_only_where_every_host_has_said_so(
    found: dict[str, Any], reached: str, todo: list[str]
) -> None:
    said = {"a": [], "b": [], "c": []} | found
    hostvars = {
        name: {} if pending is None else {"__rollout_found": pending}
        for name, pending in said.items()
    }
    assert rollout_todo(list("abc"), hostvars, list(reached)) == todo


@pytest.mark.parametrize(
    ("now", "wanted", "before", "after"),
    [
        ({"web": 1}, {"web": 3}, [1, 0], [3, 0]),
        ({"web": 3, "api": 1}, {"web": 1, "api": 2}, [1, 1], [1, 2]),
        ({"web": 2, "api": 2}, {"web": 2, "api": 0}, [2, 0], [2, 0]),
        ({"web": 1}, {"web": 1, "api": "2"}, [1, 0], [1, 2]),
        ({"worker": 1}, {"worker": 9}, [0, 0], [0, 0]),
    ],
)
def test_nginx_knows_no_socket_that_is_not_there(
    now: dict[str, int], wanted: dict[str, Any], before: list[int], after: list[int]
) -> None:
    made = rollout_scaled_sites(now, wanted, ["web", "api"])
    assert list(made["now"].values()) == [now.get("web", 0), now.get("api", 0)]
    assert (list(made["before"].values()), list(made["after"].values())) == (before, after)
