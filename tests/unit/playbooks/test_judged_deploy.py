# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy that is judged by what its hosts answer: how it goes on, and what becomes of the hosts."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

OLD, NEW = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
# each host has a path of its own, so that its answers can be told from the others'
SETTINGS = {"health_path": "/{{ inventory_hostname }}?full=1"}
TO_DO = {"deploy_info": {"pending": ["it is to be installed"], "current": OLD}}
BROKEN = {"requests": 40, "server_errors": 18, "routes": {"GET /buy": 18}}
SOUND = {"requests": 400, "server_errors": 0, "routes": {}}
QUIET = {"requests": 3, "server_errors": 0, "routes": {}}
CANARY_BROKEN = [[{"ignored_paths": ["/a1"]}, BROKEN], [{}, SOUND]]
SECOND_BROKEN = [[{"ignored_paths": ["/a2"]}, BROKEN], [{}, SOUND]]
WORKER_FIRST = {"formation": {"web": "{{ 0 if inventory_hostname == 'a1' else 1 }}"}}
NO_SUDO = [
    [{"ignored_paths": ["/a1"]}, {"failed": True, "msg": "a password is required"}],
    [{}, SOUND],
]
FIRST_LOST = [
    [{"ignored_paths": ["/a1"]}, {"unreachable": True, "msg": "timed out"}],
    *SECOND_BROKEN,
]
BROKEN_NOW = [[{"until": None}, BROKEN], [{}, SOUND]]


def calls(tmp_path: pathlib.Path, module: str) -> list[dict[str, Any]]:
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    return [given for name, given in map(json.loads, lines) if name == module]


def switches(tmp_path: pathlib.Path) -> list[tuple[str, str]]:
    """Of each switch its event and release."""
    found = calls(tmp_path, "graceful_reload")
    return [(given.get("event", "deploy"), given["release"]) for given in found]


@pytest.mark.parametrize(
    ("variables", "settings", "counts", "switched", "words"),
    [
        pytest.param(
            "deploy_bake=1",
            {},
            CANARY_BROKEN,
            1,
            "18 of 40 (45.0%) of the new release, 0 of 800 (0.0%) of the other hosts in the same time",
            id="bake",
        ),
        pytest.param(
            "deploy_watch=1",
            {},
            BROKEN_NOW,
            3,
            "54 of 120 (45.0%) of the new release, 0 of 1200 (0.0%) of the same hosts before the deploy",
            id="watch",
        ),
        pytest.param(
            "deploy_bake=1 deploy_canaries=2",
            WORKER_FIRST,
            SECOND_BROKEN,
            2,
            "18 of 40 (45.0%) of the new release, 0 of 400 (0.0%) of the other hosts in the same time",
            id="the-first-host-has-no-web-process",
        ),
    ],
)
def test_a_bad_release_is_put_back(
    rollout: Callable[..., Any],
    tmp_path: pathlib.Path,
    variables: str,
    settings: dict[str, Any],
    counts: Any,
    switched: int,
    words: str,
) -> None:
    answers = TO_DO | {"response_counts": counts}
    done = rollout("deploy", answers, SETTINGS | settings, "-e", variables)
    assert done.returncode == 2, done.stdout + done.stderr
    assert switches(tmp_path) == [("deploy", NEW)] * switched + [("rollback", OLD)] * switched
    reason = calls(tmp_path, "graceful_reload")[-1]["reason"]
    assert reason.startswith(
        f"Judge the release by its responses: Requests answered with 5xx: {words}; p = "
    )
    # paths are the customers': they are shown, and kept nowhere
    assert "GET /buy" not in reason
    assert "Most of them: GET /buy (" in done.stdout
    before = [given for given in calls(tmp_path, "response_counts") if given.get("until")]
    assert [given["release"] for given in before] == ([OLD] * 3 if "watch" in variables else [])
    assert reason in done.stdout
    assert f"a1 serves {OLD} again" in done.stdout


def test_a_gate_refuses_a_release_whose_responses_cannot_be_compared(
    rollout: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    gate = {"outcome": "bad", "reason": "nobody buys"}
    settings = SETTINGS | {"nginx": False}
    done = rollout(
        "deploy", TO_DO | {"release_gate": gate}, settings, "-e", "deploy_bake=1 deploy_gate=check"
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert switches(tmp_path) == [("deploy", NEW), ("rollback", OLD)]
    reason = calls(tmp_path, "graceful_reload")[-1]["reason"]
    assert reason == "Judge the release by its gate: The gate refuses it: nobody buys"
    (asked,) = calls(tmp_path, "release_gate")
    assert pathlib.Path(asked["chdir"]) == tmp_path
    assert asked["environment"] == {
        "DEPLOY_APP": "shop",
        "DEPLOY_VERSION": "2.0",
        "DEPLOY_RELEASE": NEW,
        "DEPLOY_HOSTS": "a1",
        "DEPLOY_PHASE": "bake",
    }


def test_the_first_host_is_lost(rollout: Callable[..., Any], tmp_path: pathlib.Path) -> None:
    done = rollout(
        "deploy",
        TO_DO | {"response_counts": FIRST_LOST},
        SETTINGS,
        "-e",
        "deploy_bake=1 deploy_canaries=2 deploy_unreachable=go_on",
    )
    assert done.returncode != 0
    assert "Requests answered with 5xx: 18 of 40 (45.0%) of the new release" in done.stdout
    assert switches(tmp_path) == [("deploy", NEW)] * 2 + [("rollback", OLD)]


def test_the_callback_live_shows_why_a_release_was_refused(
    rollout: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "twelvefactor.deploy.live")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    answers = TO_DO | {"response_counts": CANARY_BROKEN}
    done = rollout("deploy", answers, SETTINGS, "-e", "deploy_bake=1")
    words = "Judge the release by its responses: Requests answered with 5xx: 18 of 40 (45.0%25)"
    annotation = next(line for line in done.stdout.splitlines() if line.startswith("::error"))
    assert words in annotation, done.stdout
    assert "GET /buy (18)" in annotation
    shown = [line for line in done.stdout.splitlines() if words.replace("%25", "%") in line]
    assert len(shown) == 1
    assert f"a1 serves {OLD} again" in done.stdout


@pytest.mark.parametrize(
    ("variables", "counts", "code", "words"),
    [
        pytest.param(
            "deploy_bake=1 deploy_watch=1", QUIET, 0, "Too few requests to decide", id="go-on"
        ),
        pytest.param(
            "deploy_bake=1 deploy_undecided=stop",
            NO_SUDO,
            2,
            "The responses of the new release could not be counted: a1: a password is required",
            id="stop",
        ),
    ],
)
def test_nothing_is_decided(
    rollout: Callable[..., Any],
    tmp_path: pathlib.Path,
    variables: str,
    counts: Any,
    code: int,
    words: str,
) -> None:
    done = rollout("deploy", TO_DO | {"response_counts": counts}, SETTINGS, "-e", variables)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stdout
    assert len(switches(tmp_path)) == (3 if code == 0 else 2)
    reasons = [given.get("reason") for given in calls(tmp_path, "graceful_reload")]
    assert reasons[0] is None
    if code == 0:
        # on whose word the others followed
        words = "Went on by deploy_undecided: go_on. Too few requests to decide"
        assert [reason.startswith(words) for reason in reasons[1:]] == [True, True]


def test_a_deploy_that_was_interrupted_while_the_canary_served(
    rollout: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    """It serves the release already, and is judged all the same."""
    release = {"changed": False, "release": NEW, "path": f"/srv/shop/releases/{NEW}"}
    release["processes"] = {"web": "x"}
    first = {"env": {"HOST": "a1"}}
    answers = TO_DO | {
        "release": [[first, release | {"current": NEW}], [{}, release | {"current": OLD}]],
        "graceful_reload": [
            [{"event": "rollback"}, {"changed": True, "release": OLD, "previous": NEW}],
            [{}, {"changed": False, "release": NEW, "previous": NEW}],
        ],
        "response_counts": CANARY_BROKEN,
    }
    settings = SETTINGS | {"env": {"HOST": "{{ inventory_hostname }}"}}
    done = rollout("deploy", answers, settings, "-e", "deploy_bake=1")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Requests answered with 5xx: 18 of 40 (45.0%) of the new release" in done.stdout
    assert switches(tmp_path) == [("deploy", NEW), ("rollback", "previous")]
    assert f"a1 serves {OLD} again" in done.stdout


@pytest.mark.parametrize(
    ("playbook", "settings", "variables", "waits", "said"),
    [
        pytest.param("rollback", {}, "", [1], None, id="rollback"),
        pytest.param("deploy", {}, " deploy_judge=false", [1], None, id="it-is-not-meant"),
        pytest.param(
            "deploy",
            {"nginx": False},
            "",
            [1],
            "The release is not judged: nginx asks none of the hosts that serve it.",
            id="no-nginx",
        ),
        pytest.param(
            "deploy",
            # the worker goes first, and there is one wait for the whole fleet
            WORKER_FIRST,
            "",
            [1, 1],
            "The release is not judged: nginx asks none of the hosts that serve it.",
            id="worker-first",
        ),
    ],
)
def test_nothing_is_counted(
    rollout: Callable[..., Any],
    tmp_path: pathlib.Path,
    playbook: str,
    settings: dict[str, Any],
    variables: str,
    waits: list[int],
    said: str | None,
) -> None:
    answers = TO_DO if playbook == "deploy" else {}
    done = rollout(
        playbook, answers, SETTINGS | settings, "-e", f"deploy_bake=1 deploy_watch=1{variables}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counted = [given for given in calls(tmp_path, "response_counts") if not given.get("until")]
    # a watch of the web hosts
    assert len(counted) == (2 if len(waits) == 2 else 0)
    assert done.stdout.count("Pausing for 1 seconds") == len(waits)
    assert ("The release is not judged" in done.stdout) is (said is not None)
    assert (said or "") in done.stdout
    if "deploy_judge" in variables:
        reasons = {given.get("reason") for given in calls(tmp_path, "graceful_reload")}
        assert reasons == {"Not judged, by deploy_judge: false"}
