# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event makes of a rollout, and how that looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.lines import (
    Service,
    news,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.model import (
    BACK,
    FAILED,
    LOST,
    Outcome,
    Run,
    closed,
    differs,
    finished,
    judged,
    skipped,
    started,
    stepped,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.render import (
    cells,
    cut,
    duration,
    names,
    paint,
    report,
    screen,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.results import (
    outcome_of,
    phase_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.terminal import (
    harmless,
    rows_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.verdict import read_verdict

NEW, OLD = "1.5.0-3f2a9c01", "1.4.0-90b1c2d3"
REFUSED = (
    f"Release {NEW} of shop does not serve: web-1 ended. It wrote last:\n    ImportError: x\n"
    f"Release {OLD} serves as before."
)


def rollout(*events: Callable[[Run], Run]) -> Run:
    run = Run(0.0, "deploy 1.5.0", "shop")
    for event in events:
        run = event(run)
    return run


def start(host: str, phase: str, at: float) -> Callable[[Run], Run]:
    return lambda run: started(run, host, phase, at)


def end(host: str, phase: str, at: float, **more: Any) -> Callable[[Run], Run]:
    return lambda run: finished(run, host, Outcome(phase, **more), at)


def states(run: Run) -> dict[str, tuple[str, str]]:
    return {name: (host.phase, host.state) for name, host in run.hosts.items()}


# --- the model


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start("a", "", 1)], {"a": ("", "waiting")}),
        ([start("a", "lock", 1)], {"a": ("lock", "running")}),
        ([start("a", "lock", 1), end("a", "lock", 2)], {"a": ("lock", "done")}),
        # a task that its condition skips has never begun
        (
            [
                start("a", "install", 1),
                end("a", "install", 2),
                start("a", "migrate", 3),
                lambda run: skipped(run, "a"),
            ],
            {"a": ("install", "done")},
        ),
        ([lambda run: skipped(run, "a")], {}),
        # what belongs to no phase ends none
        ([start("a", "install", 1), end("a", "", 2)], {"a": ("install", "running")}),
        ([start("a", "switch", 1), end("a", "switch", 2)], {"a": ("proven", "done")}),
        (
            [start("a", "switch", 1), end("a", "switch", 2, state=FAILED, problem="no")],
            {"a": ("switch", "failed")},
        ),
        ([end("a", "", 2, state=FAILED, problem="no")], {"a": ("checks", "failed")}),
        # a host that cannot say what a deploy would do there is not a failure of the deploy
        (
            [
                start("a", "checks", 1),
                end("a", "checks", 2, state=FAILED, problem="no", rescued=True),
                start("a", "lock", 3),
            ],
            {"a": ("lock", "running")},
        ),
        # one that is locked is
        (
            [start("a", "lock", 1), end("a", "", 2, state=FAILED, problem="no", rescued=True)],
            {"a": ("lock", "failed")},
        ),
        # once a host has failed, another one that serves the release can only go back
        (
            [
                start("a", "switch", 1),
                end("a", "switch", 2),
                start("b", "switch", 3),
                end("b", "switch", 4, state=LOST, problem="no"),
                start("a", "switch", 5),
            ],
            {"a": (BACK, "running"), "b": ("switch", "lost")},
        ),
        (
            [
                start("a", "switch", 1),
                end("a", "switch", 2, state=FAILED, problem="no"),
                start("a", "hook", 3),
            ],
            {"a": ("switch", "failed")},
        ),
    ],
)
def test_how_far_hosts_are(
    events: list[Callable[[Run], Run]], expected: dict[str, tuple[str, str]]
) -> None:
    assert states(rollout(*events)) == expected


def test_seconds_of_a_phase_add_up_and_waiting_is_none() -> None:
    run = rollout(
        start("a", "hook", 1), end("a", "hook", 2), start("a", "hook", 5), end("a", "hook", 7)
    )
    assert run.hosts["a"].seconds == {"hook": 3}


def test_a_host_stays_proven_when_it_is_watched() -> None:
    before = rollout(
        start("a", "switch", 1), end("a", "switch", 5, serves=NEW), start("a", "bake", 5)
    )
    after = end("a", "bake", 10)(before)
    assert states(before) == {"a": ("bake", "running")}
    assert states(after) == {"a": ("proven", "done")}
    assert after.host("a").seconds == {"switch": 4, "bake": 5}
    assert news(before, after, "a", 10) == []
    bad = end("a", "", 10, state=FAILED, problem="5xx")(after)
    assert news(after, bad, "a", 10)[0][1].strip() == "10.0 s  a: bake failed"
    # a host that has proven nothing yet has only waited
    assert states(rollout(start("b", "bake", 1), end("b", "bake", 2))) == {"b": ("bake", "done")}


def test_the_step_of_a_switch_is_seen_while_it_runs() -> None:
    run = rollout(start("a", "switch", 1), lambda run: stepped(run, "a", "gate", 2.0))
    assert [text for _style, text in screen(run, 5.0, 79, 23)][1:] == [
        "  a  ● gate           3.0 s"
    ]
    # seen before: an earlier switch
    assert stepped(run, "a", "gate", 0.5).hosts["a"].stepped == 1
    over = end("a", "switch", 6)(run)
    assert stepped(over, "a", "drain", 7.0) == over
    assert (over.hosts["a"].step, over.hosts["a"].seconds) == ("", {"switch": 5})


def test_the_first_problem_is_the_cause() -> None:
    run = rollout(
        start("a", "install", 1),
        end("a", "install", 2, state=FAILED, problem="first"),
        end("a", "", 3, state=FAILED, problem="second"),
    )
    assert (run.hosts["a"].problem, run.hosts["a"].failed_in) == ("first", "install")
    assert judged(judged(run, "one"), "two").verdict == "one"


def test_what_serves_follows_the_results() -> None:
    run = rollout(
        end("a", "install", 1, release=NEW, serves=OLD),
        end("a", "switch", 2, release=NEW, serves=NEW, previous=OLD, changed=True),
    )
    assert (run.release, run.changed) == (NEW, True)
    assert (run.hosts["a"].serves, run.hosts["a"].previous) == (NEW, OLD)


def test_equal_diffs_are_one() -> None:
    run = differs(differs(differs(rollout(), "a", "+x"), "b", "+x"), "a", "+x")
    assert run.diffs == {"+x": ("a", "b")}


# --- results


@pytest.mark.parametrize(
    ("action", "arguments", "within", "phase"),
    [
        ("twelvefactor.deploy.deploy_lock", {"app": "{{ a }}"}, "", "lock"),
        ("twelvefactor.deploy.deploy_lock", {"renew": True}, "", ""),
        ("twelvefactor.deploy.deploy_lock", {"state": "absent"}, "", ""),
        ("twelvefactor.deploy.deploy_info", {}, "inspect", "checks"),
        ("twelvefactor.deploy.release", {}, "install", "install"),
        ("ansible.builtin.command", {}, "migrate", "migrate"),
        ("ansible.builtin.command", {}, "command", "hook"),
        ("ansible.builtin.command", {}, "", ""),
        ("twelvefactor.deploy.graceful_reload", {}, "switch", "switch"),
        ("other.collection.release", {}, "", ""),
        ("ansible.builtin.pause", {}, "", "bake"),
        ("ansible.builtin.set_fact", {}, "", ""),
    ],
)
def test_the_phase_of_a_task(
    action: str, arguments: dict[str, Any], within: str, phase: str
) -> None:
    assert phase_of(action, arguments, within) == phase


RELOAD = "twelvefactor.deploy.graceful_reload"


@pytest.mark.parametrize(
    ("action", "phase", "result", "failed", "expected"),
    [
        (
            "twelvefactor.deploy.deploy_lock",
            "lock",
            {"held": True, "reason": "deploy 1.5.0"},
            False,
            Outcome("lock", title="deploy 1.5.0"),
        ),
        # refused, which the role takes for a result like others
        (
            "twelvefactor.deploy.deploy_lock",
            "lock",
            {"msg": "held by ann", "holder": {}, "failed_when_result": False},
            False,
            Outcome("lock", FAILED, problem="held by ann"),
        ),
        ("twelvefactor.deploy.deploy_lock", "", {"held": True}, False, Outcome()),
        (
            "twelvefactor.deploy.deploy_lock",
            "",
            {"held": False, "released": None},
            False,
            Outcome(unlocks=True),
        ),
        (
            "twelvefactor.deploy.release",
            "install",
            {"release": NEW, "current": OLD},
            False,
            Outcome("install", release=NEW, serves=OLD),
        ),
        (
            "twelvefactor.deploy.release",
            "install",
            {"msg": "\x1b[2Jno https://u:secret@index"},
            True,
            Outcome("install", FAILED, problem="\\x1b[2Jno https://u:***@index"),
        ),
        (
            RELOAD,
            "switch",
            {"msg": REFUSED, "reason": "web-1 ended", "previous": OLD},
            True,
            Outcome("switch", FAILED, serves=OLD, previous=OLD, problem=REFUSED),
        ),
        (
            RELOAD,
            "switch",
            {"msg": "Release x\nNothing served before, so nothing does now.", "reason": "x"},
            True,
            Outcome(
                "switch",
                FAILED,
                serves="nothing",
                problem="Release x\nNothing served before, so nothing does now.",
            ),
        ),
        (
            RELOAD,
            "switch",
            {"msg": "Release x\nIt did not come back either", "reason": "x", "previous": OLD},
            True,
            Outcome(
                "switch",
                FAILED,
                serves="unknown",
                previous=OLD,
                problem="Release x\nIt did not come back either",
            ),
        ),
        (
            RELOAD,
            "switch",
            {
                "changed": True,
                "release": NEW,
                "previous": OLD,
                "processes": {
                    "web-1": {"seconds": {"gate": 0.5, "drain": 2.0}},
                    "worker-1": {"seconds": {"gate": 1.5}},
                },
                "formation": {"web": 1},
                "previous_formation": {},
            },
            False,
            Outcome(
                "switch",
                release=NEW,
                serves=NEW,
                previous=OLD,
                changed=True,
                steps={"gate": 1.5, "drain": 2.0},
                formations=({}, {"web": 1}),
            ),
        ),
        (
            "ansible.builtin.command",
            "migrate",
            {"cmd": ["app-exec", "x", "migrate"], "stdout": "a\n\n", "stderr": "\x9bb"},
            False,
            Outcome("migrate", command="migrate", output=("a", "\\x9bb")),
        ),
    ],
)
def test_what_a_result_says(
    action: str, phase: str, result: dict[str, Any], failed: bool, expected: Outcome
) -> None:
    assert outcome_of(action, phase, result, failed=failed) == expected


def test_a_verdict_by_hosts() -> None:
    text = (
        "The deploy of shop was stopped:\napp1: Install: no space\napp10: Switch: web-1 ended\n    Error\n"
        "app10 serves 1 again\n"
    )
    found = read_verdict(text, ["app1", "app10"])
    assert found.problems == {
        "app1": "Install: no space",
        "app10": "Switch: web-1 ended\n    Error",
    }
    assert found.endings == ("app10 serves 1 again",)
    assert read_verdict("The deploy was stopped:\nwhatever", ["a"]).rest == "whatever"


# --- lines


def many(count: int) -> Run:
    run = rollout()
    for number in range(1, count + 1):
        name = f"app{number}"
        run = end(name, "lock", 1)(start(name, "lock", 0)(run))
        run = start(name, "install", 1)(run)
        if number % 2:
            run = end(name, "install", 3, release=NEW)(run)
    return end("app4", "install", 4, state=FAILED, problem="no")(run) if count > 3 else run


@pytest.mark.parametrize("width", [1, 20, 79, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 23, 70])
@pytest.mark.parametrize("count", [0, 1, 3, 22, 23, 64])
def test_a_screen_is_never_too_large(width: int, height: int, count: int) -> None:
    lines = screen(many(count), 5.0, width, height)
    assert len(lines) <= height
    assert all(cells(text) <= width for _style, text in lines)
    assert not any("\n" in text or "\x1b" in text for _style, text in lines)


def test_a_line_a_host() -> None:
    lines = [text for _style, text in screen(many(2), 5.0, 79, 23)]
    assert lines == [
        f"shop: deploy 1.5.0 ({NEW})  5.0 s",
        "  app1  ✓ install        3.0 s  lock 1.0  install 2.0",
        "  app2  ● install        4.0 s  lock 1.0",
    ]


def test_hosts_that_are_equally_far_share_a_line_where_there_are_too_many() -> None:
    lines = [text for _style, text in screen(many(64), 5.0, 79, 23)]
    assert [line.split() for line in lines[1:]] == [
        ["app4", "✗", "install", "4.0", "s", "lock", "1.0", "install", "3.0"],
        [
            "app1",
            "…",
            "app63",
            "(32",
            "hosts)",
            "✓",
            "install",
            "3.0",
            "s",
            "lock",
            "1.0",
            "install",
            "2.0",
        ],
        ["app2", "…", "app64", "(31", "hosts)", "●", "install", "4.0", "s", "lock", "1.0"],
    ]
    assert len(screen(many(64), 5.0, 79, 70)) == 65


def texts(run: Run) -> list[str]:
    return [text for _style, text in report(run)]


def test_the_report_of_a_success() -> None:
    run = rollout(
        start("a", "switch", 1),
        end(
            "a",
            "switch",
            3,
            release=NEW,
            serves=NEW,
            previous=OLD,
            changed=True,
            steps={"gate": 1.5},
            formations=({"web": 1}, {"web": 2}),
        ),
    )
    assert texts(closed(run, 4.0)) == [
        f"✓ shop {NEW} serves on 1 host, 4.0 s",
        f"  before: {OLD} on a",
        "  processes: web 2; before: web 1",
        "  slowest, in seconds: gate 1.5",
    ]
    unchanged = closed(replace(run, changed=False, formations=None), 4.0)
    assert (
        texts(unchanged)[0] == f"✓ shop {NEW} serves on 1 host already, nothing was switched, 4.0 s"
    )
    foreseen = closed(replace(run, check=True), 4.0)
    assert texts(foreseen)[0] == f"✓ shop {NEW} would be switched to on 1 host, 4.0 s"


def test_the_report_of_a_failure() -> None:
    run = rollout(
        end("a", "install", 1, release=NEW, serves=OLD),
        start("a", "switch", 2),
        end("a", "switch", 3, state=FAILED, serves=OLD, problem=REFUSED),
        lambda run: judged(run, f"The deploy of shop was stopped:\na: Switch: {REFUSED}\n"),
    )
    assert texts(closed(run, 4.0)) == [
        f"✗ shop: deploy 1.5.0 ({NEW}) failed after 4.0 s",
        f"  a, switch: Release {NEW} of shop does not serve: web-1 ended. It wrote last:",
        "    | ImportError: x",
        f"    | Release {OLD} serves as before.",
        f"  serves now: {OLD} on a",
        (
            "  what to do: mend the release and deploy it as a new version; ansible-playbook "
            "twelvefactor.deploy.logs -e app=shop -e since=10m shows what else it logged"
        ),
    ]


@pytest.mark.parametrize(
    ("phase", "state", "words"),
    [
        ("lock", FAILED, "unlock -e app=shop"),
        ("install", FAILED, "no host was switched"),
        ("install", LOST, "status -e app=shop shows what serves"),
        ("switch", FAILED, "deploy it as a new version"),
    ],
)
def test_what_to_do(phase: str, state: str, words: str) -> None:
    run = rollout(start("a", phase, 1), end("a", phase, 2, state=state, problem="no"))
    assert words in texts(closed(run, 3.0))[-1]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字", 3, "漢…"), ("a\nb", 3, "a b"), ("abc", 0, "")],
)
def test_cut(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


def test_small_texts() -> None:
    assert (duration(9.96), duration(125)) == ("10.0 s", "2:05 min")
    assert names(["a", "b"]) == "a, b"
    assert names(["a", "b", "c", "d"]) == "a … d (4 hosts)"
    assert paint(("bad", "x"), colour=True) == "\x1b[31mx\x1b[0m"
    assert paint(("bad", "x"), colour=False) == "x"


def test_news_without_a_terminal() -> None:
    def told(before: Run, after: Run) -> list[str]:
        return [text.strip() for _style, text in news(before, after, "a", 5.0)]

    one = rollout(start("a", "install", 1))
    two = end("a", "install", 4)(one)
    three = start("a", "switch", 4)(two)
    four = end("a", "switch", 5, serves=NEW, steps={"gate": 1.0})(three)
    bad = end("a", "switch", 5, state=FAILED, problem="no")(three)
    assert told(rollout(), one) == ["5.0 s  install …"]
    assert told(one, two) == ["5.0 s  a: install 3.0 s"]
    assert told(three, four) == [f"5.0 s  a: serves {NEW}, gate 1.0 s"]
    assert told(three, bad) == ["5.0 s  a: switch failed"]
    # the second host begins nothing new
    assert news(three, start("b", "switch", 4)(three), "b", 5.0) == []


@pytest.mark.parametrize(
    ("environment", "name"),
    [({"GITHUB_ACTIONS": "true"}, "github"), ({"GITLAB_CI": "true"}, "gitlab"), ({}, "")],
)
def test_which_service(environment: dict[str, str], name: str) -> None:
    assert Service.of(environment) == Service(name)


def test_what_github_reads() -> None:
    github = Service("github")
    assert github.begin("a%b", 1.0) == "::group::a%25b\n"
    assert github.error("a: b, c", "d\ne") == "::error title=a%3A b%2C c::d%0Ae\n"
    assert github.line("  ::set-env name=x::y") == "  : :set-env name=x::y"
    assert github.line("x ##[add-path]y") == "x ## [add-path]y"
    assert github.line("a::b") == "a::b"
    assert Service().error("a", "b") == ""


def test_what_gitlab_reads() -> None:
    assert Service("gitlab").begin("a", 7.9) == (
        "\x1b[0Ksection_start:7:twelvefactor_rollout\r\x1b[0Ka\n"
    )
    assert Service("gitlab").end(8.0) == "\x1b[0Ksection_end:8:twelvefactor_rollout\r\x1b[0K\n"


def test_a_terminal_obeys_colours_only() -> None:
    text = "\x1b[0;31ma\x1b[0m\x1b[2J\x1b]0;t\x07\x9b1A\u202eb\r\n"
    assert harmless(text) == ("\x1b[0;31ma\x1b[0m\\x1b[2J\\x1b]0;t\\x07\\x9b1A\\u202eb\\r\n")


def test_rows_of_lines_in_a_terminal_that_became_narrower() -> None:
    assert rows_of(["", "a" * 80, "a" * 81], 80) == 4
