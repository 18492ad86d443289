# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of schedules; systemctl is played by a function."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import timers
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.timers import (
    Timers,
    shown,
    units,
)

ONE = {"at": "03:00", "command": "x", "hosts": "one", "timeout": 60, "overlap": "forbid"}
ALL = ONE | {"hosts": "all", "at": "*:0/15"}
SERVICE, A, B = "schedule-shop@.service", "schedule-shop@a.timer", "schedule-shop@b.timer"


@pytest.mark.parametrize(
    ("schedules", "chosen", "names"),
    [
        pytest.param({}, True, [], id="none"),
        pytest.param({"a": ONE}, True, [SERVICE, A], id="the-chosen-host"),
        pytest.param({"a": ONE}, False, [], id="another-host"),
        pytest.param({"a": ONE, "b": ALL}, False, [SERVICE, B], id="on-all"),
        pytest.param({"b": ALL, "a": ONE}, True, [SERVICE, A, B], id="both"),
    ],
)
def test_units_of_a_host(
    schedules: dict[str, dict[str, object]], chosen: bool, names: list[str]
) -> None:
    assert list(units("shop", schedules, chosen=chosen)) == names


def test_what_runs_is_no_part_of_a_unit() -> None:
    """A unit that changes while its job runs would be a danger to the job."""
    other = ONE | {"command": "y", "timeout": 1}
    assert units("shop", {"a": ONE}, chosen=True) == units("shop", {"a": other}, chosen=True)


def test_shown() -> None:
    assert shown(units("shop", {"a": ONE, "b": ALL}, chosen=True)) == (
        "schedule a: 03:00\nschedule b: *:0/15\n"
    )


class Systemctl:
    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.calls: list[str] = []
        self.broken = ""

    def __call__(self, command: list[str], *_: object, **__: object) -> tuple[int, str]:
        verb, *words = command[1:]
        names = [word for word in words if not word.startswith("-")]
        self.calls.append(" ".join([verb, *names]))
        if verb == self.broken:
            return 1, "Failed: it is broken"
        for name in names:
            assert (self.directory / name).exists()
            link = self.directory / "timers.target.wants" / name
            if verb == "enable":
                link.symlink_to(self.directory / name)
            elif verb == "disable":
                link.unlink(missing_ok=True)
        return 0, ""


@pytest.fixture
def here(tmp_path: pathlib.Path) -> Timers:
    (tmp_path / "units" / "timers.target.wants").mkdir(parents=True)
    (tmp_path / "stamps").mkdir()
    return Timers("shop", tmp_path / "units", tmp_path / "stamps")


@pytest.fixture
def systemctl(here: Timers, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    systemctl = Systemctl(here.directory)
    monkeypatch.setattr(timers, "run", systemctl)
    return systemctl


def test_set(here: Timers, systemctl: Systemctl) -> None:
    both = units("shop", {"a": ONE, "b": ALL}, chosen=True)
    assert here.found() == {}
    here.set(both)
    assert here.found() == both
    assert systemctl.calls == ["daemon-reload", f"start {A} {B}", f"enable {A} {B}"]

    systemctl.calls.clear()
    here.set(both)
    assert systemctl.calls == []


def test_only_what_has_changed_is_touched(here: Timers, systemctl: Systemctl) -> None:
    here.set(units("shop", {"a": ONE, "b": ALL}, chosen=True))
    for name in (A, B):
        (here.stamps / f"stamp-{name}").touch()
    systemctl.calls.clear()
    changed = units("shop", {"a": ONE | {"at": "01:00"}, "b": ALL}, chosen=True)
    here.set(changed)
    assert here.found() == changed
    assert systemctl.calls == [f"disable {A}", "daemon-reload", f"start {A}", f"enable {A}"]
    # an earlier time than the old one would count as missed, and run at once
    assert [path.name for path in here.stamps.iterdir()] == [f"stamp-{B}"]


def test_what_the_release_does_not_have_goes(here: Timers, systemctl: Systemctl) -> None:
    here.set(units("shop", {"a": ONE, "b": ALL}, chosen=True))
    other = here.directory / "schedule-shop-two@a.timer"
    other.touch()
    here.set(units("shop", {"b": ALL}, chosen=True))
    assert list(here.found()) == [SERVICE, B]
    systemctl.calls.clear()
    here.set({})
    assert systemctl.calls == [f"disable {B}", "daemon-reload"]
    assert list(here.directory.glob("schedule-*")) == [other]


@pytest.mark.parametrize("verb", ["daemon-reload", "start", "enable"])
def test_cut_off_it_is_done_again(verb: str, here: Timers, systemctl: Systemctl) -> None:
    wanted = units("shop", {"a": ONE}, chosen=True)
    systemctl.broken = verb
    with pytest.raises(DeployError, match=f"set the schedules of shop: systemctl {verb}"):
        here.set(wanted)
    assert here.found() != wanted
    systemctl.broken = ""
    here.set(wanted)
    assert here.found() == wanted


@pytest.mark.parametrize("name", ["schedules", "starting"])
def test_no_job_begins_during_a_switch(name: str, here: Timers, flocks: pathlib.Path) -> None:
    shared = ["flock", "--shared", "--nonblock", str(flocks / f"shop-{name}"), "true"]
    with here.held():
        assert subprocess.run(shared, check=False).returncode == 1
    assert subprocess.run(shared, check=False).returncode == 0


@pytest.mark.parametrize("name", ["schedules", "starting"])
def test_a_job_that_never_begins(
    name: str, here: Timers, monkeypatch: pytest.MonkeyPatch, flocks: pathlib.Path
) -> None:
    monkeypatch.setattr(timers, "PATIENCE", 0.05)
    with (
        flock.exclusive(f"shop-{name}", 1),
        pytest.raises(DeployError, match="Jobs of shop have kept its switch waiting"),
    ):
        here.held().__enter__()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="without systemd")
def test_systemd_takes_the_timer(tmp_path: pathlib.Path) -> None:
    for name, text in units("shop", {"a": ONE}, chosen=True).items():
        (tmp_path / name).write_text(text.replace("/usr/local/sbin/app-schedule", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / A)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
