# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a supervisor is restarted, what serves meanwhile, and what is done where that does not work."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import bridge as rooms
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import sandbox
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.bridge import (
    Bridge,
    command,
    configuration,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.hand_over import (
    BRIDGE,
    FINISH,
    NOTHING,
    RESTART,
    HandOver,
    Situation,
    decide,
    listening,
    newer,
    parse_time,
    restart_bridged,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    SPEC,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.sandbox import (
    bridge_unit,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
    wait_for,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
UNIT = "/etc/systemd/system/circus@shop.service"
WELL = Situation(
    active=True,
    bridged=False,
    outdated=(UNIT,),
    current=A,
    unproven=False,
    serving={"web-1": A, "web-2": A, "worker-1": A},
    listening=("web-1", "web-2"),
)


@pytest.mark.parametrize(
    ("change", "action", "names"),
    [
        pytest.param({}, BRIDGE, ("web-1", "web-2"), id="outdated"),
        pytest.param({"outdated": ()}, NOTHING, (), id="up to date"),
        pytest.param({"active": False}, NOTHING, (), id="it does not run"),
        pytest.param({"listening": ()}, RESTART, (), id="nothing listens"),
        pytest.param({"serving": {"worker-1": A}}, RESTART, (), id="no listener serves"),
        pytest.param({"serving": {"web-2": A}}, BRIDGE, ("web-2",), id="one listener serves"),
        pytest.param({"serving": {"web-1": A, "web-2": B}}, NOTHING, (), id="cut off in a move"),
        pytest.param({"current": B}, NOTHING, (), id="cut off before a move"),
        pytest.param({"unproven": True}, NOTHING, (), id="refused, or never proven"),
        pytest.param({"unproven": True, "serving": {}}, RESTART, (), id="nothing to lose"),
        pytest.param({"bridged": True}, BRIDGE, ("web-1", "web-2"), id="cut off in the bridge"),
        pytest.param({"bridged": True, "outdated": ()}, FINISH, (), id="cut off at the end"),
        pytest.param(
            {"bridged": True, "outdated": (), "serving": {"web-1": A}}, NOTHING, (), id="bridge needed"
        ),
    ],
)  # fmt: skip
def test_decide(change: dict[str, object], action: str, names: tuple[str, ...]) -> None:
    plan = decide("shop", dataclasses.replace(WELL, **change))
    assert (plan.action, plan.names) == (action, names)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"unproven": True}, "The supervisor of shop keeps its earlier settings: a deploy was"),
        ({"bridged": True, "outdated": (), "serving": {}}, "A bridge serves for web-1, web-2 of shop"),
    ],
)  # fmt: skip
def test_what_is_left_undone_is_said(change: dict[str, object], part: str) -> None:
    assert part in decide("shop", dataclasses.replace(WELL, **change)).warning


@pytest.mark.parametrize("change", [{}, {"outdated": ()}, {"active": False}, {"listening": ()}])
def test_nothing_is_said_where_nothing_is_left(change: dict[str, object]) -> None:
    assert decide("shop", dataclasses.replace(WELL, **change)).warning == ""


@pytest.mark.parametrize(
    ("spec", "stands_in"),
    [
        ({"socket": True}, True),
        ({"socket": False}, False),
        ({"socket": True, "overlap": False}, False),
    ],
)
def test_listening(spec: dict[str, object], stands_in: bool) -> None:
    names = ["beat-1", "web-1", "web-2"]
    found = listening({"web": SPEC | spec, "beat": SPEC}, names)
    assert found == (("web-1", "web-2") if stands_in else ())


def test_newer_looks_at_a_link_itself(tmp_path: pathlib.Path) -> None:
    old, new, link = (tmp_path / name for name in ("old", "new", "link"))
    for path in (old, new):
        path.touch()
    link.symlink_to(old)
    os.utime(old, (100, 100))
    os.utime(new, (100.5, 100.5))
    os.utime(link, (200, 200), follow_symlinks=False)
    paths = [str(path) for path in (old, new, link, tmp_path / "missing")]
    assert newer(paths, 100.25) == (str(new), str(link))


def test_parse_time() -> None:
    assert parse_time("Thu 1970-01-01 00:01:40.250000 UTC\n") == 100.25


def test_the_bridge_has_the_sandbox_of_the_apps_commands() -> None:
    """By its name, see roles/circus/files/app_exec.py."""
    assert bridge_unit("my-shop") == r"app-exec-my\x2dshop-bridge.service"
    words = command("shop", "x.service", pathlib.Path("/a.ini"), pathlib.Path("/run/shop/bridge"))
    assert words[-3:] == ["--", "/opt/circus/bin/circusd", "/a.ini"]
    assert {"--unit=x.service", "--property=User=shop", "--property=TimeoutStopSec=330"} < {*words}


def test_the_bridge_has_processes_and_sockets_of_its_own() -> None:
    text = configuration("shop", ["web-1", "web-2"])
    assert text.count(" --bridge\n") == 2
    assert "pivot.py /srv/shop web-2 --bridge\n" in text
    assert "endpoint = ipc:///tmp/bridge-control.sock\n" in text


@dataclass
class Unit:
    """A supervisor, or a bridge, that only says what was done to it."""

    home: AppHome
    did: list[str]
    name: str
    unit: str = "unit.service"
    problem: str = ""
    broken: str = ""

    def _do(self, what: str) -> None:
        self.did.append(f"{self.name} {what}")
        if what == self.broken:
            raise DeployError(f"Could not {what}.")

    def begin(self, names: Sequence[str]) -> None:
        self._do("begin")

    @contextlib.contextmanager
    def standing_in(self, names: Sequence[str]) -> Iterator[None]:
        self._do("stands in")
        yield

    def restart(self) -> None:
        self._do("restart")

    def end(self) -> None:
        self._do("end")

    def follow(self, before: Mapping[str, None], target: str, seconds: float) -> Failure:
        self._do("follow")
        assert (dict(before), target, seconds >= 30) == ({"web-1": None}, A, True)
        return Failure(self.problem)


ALL = [
    "bridge begin",
    "bridge follow",
    "bridge stands in",
    "supervisor restart",
    "supervisor follow",
    "bridge end",
]


@pytest.mark.parametrize(
    ("faults", "did", "part"),
    [
        pytest.param({}, ALL, "", id="well"),
        pytest.param(
            {"bridge": {"broken": "begin"}},
            ["bridge begin", "bridge end"],
            "Could not begin.\nNo request was interrupted, and the supervisor goes on",
            id="the bridge cannot be started",
        ),
        pytest.param(
            {"bridge": {"problem": "web-1 exit 3"}},
            ["bridge begin", "bridge follow", "bridge end"],
            "web-1 exit 3\nNo request was interrupted, and the supervisor goes on",
            id="its process does not start",
        ),
        pytest.param(
            {"supervisor": {"problem": "web-1 exit 3"}},
            ALL[:-1],
            "No request was interrupted: unit.service serves until a deploy succeeds",
            id="nothing comes back",
        ),
        pytest.param(
            {"supervisor": {"broken": "restart"}}, ALL[:4], "Could not restart.\nNo request was interrupted: unit.service", id="no restart"
        ),
    ],
)  # fmt: skip
def test_restart_bridged(
    faults: dict[str, dict[str, str]], did: list[str], part: str, home: AppHome
) -> None:
    """Nothing is restarted before the bridge is ready, and it does not end before its successor is."""
    done: list[str] = []
    supervisor = Unit(home, done, "supervisor", **faults.get("supervisor", {}))
    bridge = Unit(home, done, "bridge", **faults.get("bridge", {}))
    home.point_to(A)
    said = ""
    try:
        restart_bridged(supervisor, bridge, ["web-1"], [UNIT])  # type: ignore[arg-type]
    except DeployError as error:
        said = str(error)
    assert done == did
    assert part in said
    assert bool(part) is bool(said)


def test_a_bridge_that_ended_is_not_waited_for(
    home: AppHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms.Bridge, "is_active", lambda _self: False)
    with pytest.raises(DeployError, match=r"app-exec-shop-bridge\.service has ended"):
        Bridge(home).follow({"web-1": None}, A, 60)


def test_a_name_that_is_removed_is_the_bridges_at_once(
    home: AppHome, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that another process has is left alone."""
    monkeypatch.setattr(sandbox, "APP_EXEC", ("sh", "-c", 'shift; exec "$@"', "app-exec"))
    monkeypatch.setattr(Bridge, "run_directory", tmp_path / "bridge")
    (tmp_path / "bridge").mkdir()
    for path in ("bridge/web-1.sock", "bridge/web-2.sock", "web-1.sock", "web-2.sock"):
        (tmp_path / path).write_text(path)
    with Bridge(home).standing_in(["web-1", "web-2"]):
        (tmp_path / "web-1.sock").unlink()
        assert wait_for(lambda: (tmp_path / "web-1.sock").exists(), 30)
    assert (tmp_path / "web-1.sock").read_text() == "bridge/web-1.sock"
    assert (tmp_path / "web-2.sock").read_text() == "web-2.sock"


def test_nothing_is_restarted_where_nobody_could_stand_in(
    home: AppHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "APP_EXEC", ("false",))
    with pytest.raises(DeployError, match="in the sandbox of shop"), Bridge(home).standing_in([]):
        raise AssertionError


def test_the_plan_of_nothing_names_nobody() -> None:
    assert HandOver(NOTHING) == decide("shop", dataclasses.replace(WELL, outdated=()))
