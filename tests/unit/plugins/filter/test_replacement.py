# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can take the place of another one, and with which releases."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.filter.replacement import (
    releases_to_join,
    replacement_problems,
)

# c takes the place of a
GROUPS = {
    "all": ["a", "b", "c", "d", "p", "w"],
    "app": ["a", "b", "c", "w"],
    "workers": ["w"],
    "proxy": ["p"],
}
WEB: dict[str, Any] = {"domains": ["shop.test"]}
MAIL: dict[str, Any] = {"formation": {"worker": 1}}
ON_ALL = {"shop": WEB}


@pytest.mark.parametrize(
    ("apps", "groups", "hosts", "words"),
    [
        pytest.param(ON_ALL, {}, ("a", "c"), "", id="well"),
        pytest.param(ON_ALL, {}, ("", ""), "Say which host is replaced, and by which: ", id="none"),
        pytest.param(ON_ALL, {}, ("a", ""), "Say which host is replaced, and by which: ", id="one"),
        pytest.param(ON_ALL, {}, ("a", "a"), "a cannot take its own place.", id="the-same"),
        pytest.param(
            ON_ALL,
            {},
            ("x", "c"),
            "host=x: the group app has no host x, it has a, b, c, w.",
            id="an-unknown-host",
        ),
        pytest.param(
            ON_ALL,
            {},
            ("a", "x"),
            "with=x: the inventory has no host x: add it to the groups of a, app.",
            id="an-unknown-successor",
        ),
        pytest.param(
            ON_ALL,
            {},
            ("w", "d"),
            "with=d: d is not an app host: add it to the groups of w, app, workers.",
            id="no-app-host",
        ),
        pytest.param({}, {}, ("a", "c"), "a runs no app, so there is nothing", id="nothing"),
        pytest.param(
            {"shop": WEB, "mail": MAIL | {"hosts": "workers"}},
            {},
            ("w", "c"),
            "mail runs on w and not on c: add that to the group workers.",
            id="another-group",
        ),
        pytest.param(
            {"mail": MAIL | {"hosts": "w"}},
            {},
            ("w", "c"),
            "mail runs on w and not on c: apps.mail.hosts names w itself, so write a group",
            id="a-host-as-place",
        ),
        pytest.param(
            {"shop": WEB, "mail": MAIL | {"hosts": "workers"}},
            {},
            ("a", "w"),
            "w runs mail, too, and a does not: choose a host with nothing else to do.",
            id="other-apps",
        ),
        pytest.param(
            ON_ALL,
            {"proxy": []},
            ("a", "c"),
            "The group proxy is empty, so nothing would send requests of shop to c.",
            id="no-proxy",
        ),
        pytest.param({"mail": MAIL}, {"proxy": []}, ("a", "c"), "", id="no-proxy-is-needed"),
        pytest.param(ON_ALL, {"app": ["a", "c"]}, ("a", "c"), "", id="the-only-one"),
    ],
)
def test_who_can_take_its_place(apps: Any, groups: Any, hosts: tuple[str, str], words: str) -> None:
    problems = replacement_problems(apps, GROUPS | groups, GROUPS["all"], *hosts)
    assert [problem[: len(words)] for problem in problems] == ([words] if words else [])


@pytest.mark.parametrize(
    ("play", "dead", "problems"),
    [
        (["a", "b", "c", "w", "p"], False, []),
        (["a", "c"], False, ["b, w, p must be part of this run, see --limit."]),
        (["b", "c", "w", "p"], False, ["a must be part of this run, see --limit."]),
        (["b", "c", "w", "p"], True, []),
    ],
)
def test_which_hosts_take_part(play: list[str], dead: bool, problems: list[str]) -> None:
    assert replacement_problems(ON_ALL, GROUPS, play, "a", "c", dead) == problems


OLD, NEW, LOCAL, EPOCH = "1.0-aaaaaaaa", "2.0-bbbbbbbb", "1.0_g12ab34c-cccccccc", "1_2.0-dddddddd"
VERSIONS = {OLD: "1.0", NEW: "2.0", LOCAL: "1.0+g12ab34c", EPOCH: "1!2.0"}
DEPLOY_FIRST = "run deploy first; after an upgrade of Debian below the releases, publish and deploy a new version"
LOST = {"unreachable": True, "msg": "timed out"}


def read(answer: Any) -> dict[str, Any]:
    """Variables of a host that said which release is current, or did not."""
    if isinstance(answer, dict):
        return {"__replace_read": answer}
    return {"__replace_read": {"results": [said("shop", answer)]}}


def said(app: str, current: str | None, **more: Any) -> dict[str, Any]:
    """Of release_info."""
    releases = [{"id": current, "version": VERSIONS[current]}] if current else []
    return {"item": app, "current": current, "releases": releases, **more}


@pytest.mark.parametrize(
    ("answers", "dead", "release", "problems"),
    [
        pytest.param((OLD, OLD, None), False, OLD, [], id="fresh"),
        pytest.param((OLD, OLD, OLD), False, OLD, [], id="interrupted-when-it-served"),
        pytest.param((None, OLD, OLD), False, OLD, [], id="interrupted-when-the-other-had-ended"),
        pytest.param((None, None, OLD), False, OLD, [], id="it-is-the-only-one-by-now"),
        # what it has served before counts for nothing
        pytest.param((OLD, OLD, NEW), False, OLD, [], id="set-up-with-another"),
        pytest.param((OLD, None, None), False, OLD, [], id="a-third-one-is-new"),
        pytest.param((LOST, OLD, None), True, OLD, [], id="dead"),
        # which the id does not have as the package index has them
        pytest.param((LOCAL, LOCAL, None), False, LOCAL, [], id="a-local-version"),
        pytest.param((EPOCH, None, None), False, EPOCH, [], id="an-epoch"),
        pytest.param(
            ({"results": [{"item": "shop", "current": OLD, "releases": []}]}, None, None),
            False,
            None,
            [f"No host says which version of shop {OLD} is: {DEPLOY_FIRST}."],
            id="no-version",
        ),
        pytest.param(
            (OLD, NEW, None),
            False,
            None,
            [f"The hosts of shop serve different releases (a {OLD}, b {NEW}): {DEPLOY_FIRST}."],
            id="different",
        ),
        pytest.param(
            (LOST, OLD, None),
            False,
            OLD,
            ["a cannot be reached. If it is gone for good, say so: -e dead=true."],
            id="lost",
        ),
        pytest.param((OLD, LOST, None), False, OLD, ["b cannot be reached."], id="another-lost"),
        pytest.param(
            ({"results": [{"item": "shop", **LOST}]}, OLD, None),
            False,
            OLD,
            ["a cannot be reached. If it is gone for good, say so: -e dead=true."],
            id="lost-as-an-item",
        ),
        pytest.param(
            (OLD, {"failed": True, "msg": "no sudo"}, None),
            False,
            OLD,
            ["b could not say what it serves: no sudo."],
            id="no-answer",
        ),
        pytest.param(
            (OLD, {}, None),
            False,
            OLD,
            ["b could not say what it serves: it was not asked."],
            id="not-asked",
        ),
        pytest.param(
            (None, None, None),
            False,
            None,
            ["No host says which release of shop c is to serve: run site first."],
            id="never-deployed",
        ),
        pytest.param(
            (LOST, None, None),
            True,
            None,
            [
                "No host says which release of shop c is to serve: remove a from the inventory and run site."
            ],
            id="the-only-one-is-dead",
        ),
    ],
)
def test_which_release_it_is_to_serve(
    answers: tuple[Any, Any, Any], dead: bool, release: str | None, problems: list[str]
) -> None:
    hostvars = dict(zip("abc", map(read, answers), strict=True))
    groups = {"app": ["a", "b", "c"], "all": ["a", "b", "c"]}
    found = releases_to_join(ON_ALL, groups, hostvars, "a", "c", dead)
    assert found["problems"] == problems
    if release:
        [joined] = found["releases"].values()
        assert (joined["id"], joined["version"]) == (release, VERSIONS[release])


def test_each_app_has_its_own_hosts_and_release() -> None:
    apps = {"shop": WEB, "mail": MAIL | {"hosts": "posts"}, "wiki": WEB | {"hosts": "b"}}
    groups = {"app": ["a", "b", "c"], "posts": ["a", "c"], "all": ["a", "b", "c"]}
    both = [said("shop", OLD), said("mail", NEW)]
    new = [said("shop", None), said("mail", None)]
    hostvars = {
        "a": read({"results": both}),
        "b": read({"results": both[:1]}),
        "c": read({"results": new}),
    }
    found = releases_to_join(apps, groups, hostvars, "a", "c")
    assert found == {
        "releases": {
            "shop": {"id": OLD, "version": "1.0", "hosts": ["a", "b", "c"], "schedule_host": "b"},
            "mail": {"id": NEW, "version": "2.0", "hosts": ["a", "c"], "schedule_host": ""},
        },
        "problems": [],
    }


ALL, ONE = {"tidy": {}}, {"bills": {}}


@pytest.mark.parametrize(
    ("schedules", "dead", "order"),
    [
        pytest.param((ALL | ONE, ALL, {}), False, ["a", "b", "c"], id="it-runs-them"),
        pytest.param((ALL, ALL | ONE, {}), False, ["b", "a", "c"], id="another-does"),
        pytest.param((ALL, ALL, {}), False, ["a", "b", "c"], id="on-all-hosts"),
        # they were moved before it was cut off
        pytest.param(({}, ALL, ALL | ONE), False, ["c", "a", "b"], id="the-new-one-does"),
        pytest.param(({}, ALL | ONE, ALL), False, ["b", "a", "c"], id="a-third-one-got-them"),
        pytest.param(({}, ALL, ALL), False, ["b", "c", "a"], id="ended-and-not-begun"),
        pytest.param((ALL | ONE, ALL, {}), True, ["b", "c"], id="dead"),
        pytest.param((None, ALL, ALL | ONE), True, ["c", "b"], id="dead-and-moved"),
    ],
)
def test_who_runs_schedules_of_one_host_goes_on(
    schedules: tuple[Any, Any, Any], dead: bool, order: list[str]
) -> None:
    """The first host of a rollout runs them, also where it has no part in it."""
    hostvars = {
        name: read({"results": [said("shop", OLD if mine else None, schedules=mine or {})]})
        for name, mine in zip("abc", schedules, strict=True)
    }
    groups = {"app": ["a", "b", "c"], "all": ["a", "b", "c"]}
    found = releases_to_join(ON_ALL, groups, hostvars, "a", "c", dead)
    assert found["releases"]["shop"]["hosts"] == order


def differ(*each: str) -> str:
    return (
        f"The hosts of shop serve different releases ({', '.join(each)}):"
        " one was deployed meanwhile: run this again."
    )


@pytest.mark.parametrize(
    ("answers", "dead", "problems"),
    [
        pytest.param((OLD, OLD, OLD), False, [], id="well"),
        pytest.param(
            (NEW, NEW, OLD), False, [differ(f"a {NEW}", f"b {NEW}", f"c {OLD}")], id="new"
        ),
        pytest.param(
            (OLD, NEW, OLD), False, [differ(f"a {OLD}", f"b {NEW}", f"c {OLD}")], id="half"
        ),
        pytest.param((None, NEW, OLD), False, [differ(f"b {NEW}", f"c {OLD}")], id="a-had-ended"),
        pytest.param((LOST, NEW, OLD), True, [differ(f"b {NEW}", f"c {OLD}")], id="dead"),
        pytest.param((LOST, OLD, OLD), True, [], id="dead-and-well"),
        pytest.param((OLD, OLD, LOST), False, ["c cannot be reached."], id="lost-meanwhile"),
        # in check mode it has got nothing
        pytest.param((OLD, OLD, None), False, [], id="check-mode"),
    ],
)
def test_a_deploy_meanwhile_is_noticed(answers: Any, dead: bool, problems: list[str]) -> None:
    hostvars = dict(zip("abc", map(read, answers), strict=True))
    groups = {"app": ["a", "b", "c"], "all": ["a", "b", "c"]}
    assert releases_to_join(ON_ALL, groups, hostvars, "a", "c", dead, True)["problems"] == problems


@pytest.mark.parametrize(
    ("places", "answers", "dead", "chosen"),
    [
        ("abc", (OLD, OLD, OLD), False, "b"),
        ("cab", (OLD, OLD, OLD), False, "c"),
        ("abc", (LOST, OLD, OLD), True, "b"),
        # it has no release by which it could run them
        ("abc", (OLD, None, OLD), False, "c"),
        # in check mode the only one that is left has none yet
        ("ac", (OLD, OLD, None), False, ""),
    ],
)
def test_who_runs_schedules_afterwards(places: str, answers: Any, dead: bool, chosen: str) -> None:
    hostvars = dict(zip("abc", map(read, answers), strict=True))
    groups = {"app": list(places), "all": ["a", "b", "c"]}
    found = releases_to_join(ON_ALL, groups, hostvars, "a", "c", dead, True)
    assert found["releases"]["shop"]["schedule_host"] == chosen
