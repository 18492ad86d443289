# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of a rollout with the callback live, by real playbooks in a terminal and without."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from . import rollouts, terminal
from .rollouts import BAD, GOOD, NEW, OLD, REFUSED

DEPLOY = "twelvefactor.deploy.deploy"
HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b1A\u202e"


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return rollouts.overlay(tmp_path_factory.mktemp("overlay"))


@pytest.fixture
def piped(collections: pathlib.Path, tmp_path: pathlib.Path) -> Callable[..., Any]:
    """Run a playbook without a terminal."""

    def run(hosts: dict[str, Any], *arguments: str, playbook: str = DEPLOY, **settings: Any) -> Any:
        env = settings.pop("environment", {})
        rollouts.write(tmp_path / "hosts.json", rollouts.inventory(hosts, **GOOD | settings))
        return subprocess.run(
            rollouts.command(tmp_path, playbook, *arguments),
            check=False,
            env=rollouts.environment(collections, tmp_path, **env),
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def seen(collections: pathlib.Path, tmp_path: pathlib.Path) -> Callable[..., terminal.Seen]:
    """Run a playbook in a terminal."""

    def run(hosts: dict[str, Any], *arguments: str, **settings: Any) -> terminal.Seen:
        env = {"TERM": "xterm-256color"} | settings.pop("environment", {})
        rollouts.write(tmp_path / "hosts.json", rollouts.inventory(hosts, **GOOD | settings))
        return terminal.watch(
            rollouts.command(tmp_path, DEPLOY, "-e", "app=shop version=1.5.0", *arguments),
            rollouts.environment(collections, tmp_path, **env),
        )

    return run


def without_times(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    words = [
        [word for word in line.split() if not word[:1].isdigit() or "-" in word]
        for line in text.splitlines()
    ]
    return [" ".join(line) for line in words]


def test_a_deploy_in_a_terminal(seen: Callable[..., terminal.Seen]) -> None:
    found = seen({"app1": {}, "app2": {}}, pace=0.5)
    assert found.code == 0
    assert found.screen.strange == []
    # the first thing seen is the deploy, and each phase while it runs
    assert found.shots[0].startswith("deploy of shop 1.5.0")
    for phase in ("lock", "install", "migrate", "switch"):
        assert any(f"app1  ● {phase}" in shot for shot in found.shots), phase
    # in place: nothing of what was drawn before is left
    everything = found.screen.everything()
    assert everything.count("app1  ✓ proven") == 1
    assert "●" not in everything
    assert "TASK" not in everything
    assert "    | applied 0002_orders" in everything
    assert f"✓ shop {NEW} serves on 2 hosts, " in everything
    assert f"  before: {OLD} on app1, app2" in everything
    assert "\x1b[32m" in found.raw


def test_a_failure_is_the_last_thing_and_is_said_once(seen: Callable[..., terminal.Seen]) -> None:
    text = rollouts.verdict("app2") + f"app1 serves {OLD} again\n"
    found = seen({"app1": {}, "app2": BAD}, verdict=text, environment={"NO_COLOR": "1"})
    assert found.code == 2
    everything = found.screen.everything()
    assert everything.count("ModuleNotFoundError") == 1
    assert "app2  ✗ switch" in everything
    last = everything[everything.index("✗ shop: deploy 1.5.0") :]
    flat = " ".join(last.split())
    assert (
        f"app2, switch: Release {NEW} of shop does not serve: web-1 ended with exit code 3" in flat
    )
    assert "| ModuleNotFoundError: No module named 'flask'" in flat
    assert f"app1 serves {OLD} again" in flat
    assert f"serves now: {OLD} on app2" in flat
    assert "what to do: mend the release" in flat
    assert "\x1b[31m" not in found.raw


def test_an_interruption(collections: pathlib.Path, tmp_path: pathlib.Path) -> None:
    hosts = rollouts.inventory({"app1": {}}, **GOOD, pace=30)
    rollouts.write(tmp_path / "hosts.json", hosts)

    def interrupt(text: str, pid: int) -> None:
        if "● lock" in text and not sent:
            sent.append(pid)
            os.kill(pid, signal.SIGINT)

    sent: list[int] = []
    found = terminal.watch(
        rollouts.command(tmp_path, DEPLOY),
        rollouts.environment(collections, tmp_path, TERM="xterm"),
        on_text=interrupt,
    )
    assert found.code == 99
    text = " ".join(found.screen.everything().split())
    assert "✗ shop: deploy was interrupted after" in text
    assert "in the middle of lock: app1 what to do: see what serves with ansible-playbook" in text


def test_nothing_of_a_host_acts_on_the_terminal(seen: Callable[..., terminal.Seen]) -> None:
    hostile = {
        "migration": "printf 'x\\033[2J\\233y\\033]0;t\\007'",
        "switch": {"failed": True, "msg": REFUSED + HOSTILE, "reason": "x", "previous": OLD},
        "verdict": f"The deploy of shop was stopped:\napp1: {REFUSED}{HOSTILE}\n",
        "install": GOOD["install"] | {"release": f"{NEW}{HOSTILE}"},
    }
    found = seen({"app1": hostile})
    assert found.screen.strange == []
    assert "\\x1b[2J" in found.screen.everything()
    assert not any(letter in found.raw for letter in ("\x1b]", "\x9b", "\u202e", "\x07", "\x1b[2J"))


def test_lines_without_a_terminal(piped: Callable[..., Any]) -> None:
    done = piped({"app1": {}, "app2": BAD}, "-e", "app=shop", verdict=rollouts.verdict("app2"))
    assert done.returncode == 2
    assert "\x1b" not in done.stdout + done.stderr
    lines = without_times(done.stdout)
    assert lines[0] == "deploy of shop"
    for line in (
        "s lock …",
        "s install …",
        "s app1: migrate s",
        "s switch …",
        "s app2: switch failed",
    ):
        assert line in lines, done.stdout
    assert done.stdout.count("ModuleNotFoundError") == 1
    assert done.stdout.index("✗ shop") > done.stdout.index("app2: switch failed")


def test_in_github_actions(piped: Callable[..., Any]) -> None:
    done = piped(
        {"app1": BAD | {"migration": "echo ::stop-commands::x"}},
        environment={"GITHUB_ACTIONS": "true"},
        verdict=rollouts.verdict("app1"),
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "::group::deploy"
    assert lines.count("::endgroup::") == 1
    (error,) = [line for line in lines if line.startswith("::error ")]
    assert error.startswith(
        f"::error title=shop%3A deploy 1.5.0 ({NEW}) failed::  app1, switch: Release"
    )
    assert "%0A    | ModuleNotFoundError" in error
    assert [line for line in lines if line.lstrip().startswith("::")] == [
        lines[0],
        "::endgroup::",
        error,
    ]


def test_what_is_wrong_before_the_rollout(piped: Callable[..., Any]) -> None:
    done = piped({"app1": {}, "app2": {}}, wrong=True)
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "✗ app1, app2: wrong"
    assert done.stdout.count("wrong") == 1


def test_a_host_that_cannot_say_what_a_deploy_would_do(piped: Callable[..., Any]) -> None:
    done = piped({"app1": {}}, inspect={"failed": True, "msg": "no index"})
    assert done.returncode == 0
    assert "no index" not in done.stdout
    assert f"✓ shop {NEW} serves on 1 host, " in done.stdout


def test_a_lock_that_is_refused(piped: Callable[..., Any]) -> None:
    refused = {"lock": {"failed": True, "msg": "ann@build2 deploys shop", "holder": {}}}
    text = (
        "The deploy of shop was stopped:\napp1: Acquire the deploy lock: ann@build2 deploys shop\n"
    )
    done = piped({"app1": refused}, verdict=text)
    assert done.stdout.count("ann@build2 deploys shop") == 1
    assert "  app1, lock: ann@build2 deploys shop" in done.stdout
    assert "unlock -e app=shop" in done.stdout


def test_other_playbooks_look_as_they_do_without_it(
    piped: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    tasks = [
        {"name": "Say", "ansible.builtin.debug": {"msg": "hello"}},
        {"name": "Run", "ansible.builtin.command": "true", "changed_when": False},
        {"name": "No", "ansible.builtin.fail": {"msg": "no"}, "ignore_errors": True},
    ]
    play = {"name": "Mine", "hosts": "all", "gather_facts": False, "tasks": tasks}
    (tmp_path / "mine.yml").write_text(
        str([play]).replace("True", "true").replace("False", "false")
    )
    told = [
        piped({"app1": {}}, playbook=str(tmp_path / "mine.yml"), environment=environment)
        for environment in ({}, {"ANSIBLE_STDOUT_CALLBACK": "default"})
    ]
    assert "TASK [Say]" in told[0].stdout
    assert (told[0].stdout, told[0].stderr) == (told[1].stdout, told[1].stderr)


def test_a_rollout_within_a_larger_playbook(
    piped: Callable[..., Any], collections: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    before = [
        {
            "name": "Before",
            "hosts": "all",
            "gather_facts": False,
            "tasks": [{"name": "Say", "ansible.builtin.debug": {"msg": "hello"}}],
        }
    ]
    rollouts.write(tmp_path / "site.yml", [*before, rollouts.DEPLOY])
    done = piped(
        {"app1": BAD}, playbook=str(tmp_path / "site.yml"), verdict=rollouts.verdict("app1")
    )
    order = [
        "PLAY [Before]",
        "TASK [Say]",
        "PLAY [Deploy]",
        "  lock …",
        "app1: switch failed",
        "PLAY RECAP",
        "✗ shop: deploy",
    ]
    places = [done.stdout.index(text) for text in order]
    assert places == sorted(places), done.stdout
    assert done.stdout.count("ModuleNotFoundError") == 1


def test_all_output_with_v(piped: Callable[..., Any]) -> None:
    done = piped({"app1": {}}, "-v")
    assert "TASK [twelvefactor.deploy.rollout : Something" in done.stdout
    assert "PLAY RECAP" in done.stdout
