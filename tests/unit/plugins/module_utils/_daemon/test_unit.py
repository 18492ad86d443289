# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of units."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon import unit
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import Status
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.unit import (
    Systemd,
    parse_show,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

SHOWN = """\
Result=success
NRestarts=2
ExecMainStatus=0
Id=a.service
CanReload=yes
NeedDaemonReload=no
ActiveState=active
SubState=running
UnitFileState=enabled
InvocationID=0a
ControlGroup=/system.slice/a.service
FragmentPath=/etc/systemd/system/a.service

Id=a.socket
ActiveState=inactive
SubState=dead
UnitFileState=
Triggers=a.service b.service
"""


def test_two_units() -> None:
    service, socket = parse_show(["a.service", "a.socket"], SHOWN).values()
    assert (service.active, service.enabled, service.can_reload) == (True, True, True)
    assert (service.restarts, service.invocation, service.result) == (2, "0a", "")
    assert (service.state, service.cgroup) == ("active (running)", "/system.slice/a.service")
    assert (socket.active, socket.enabled, socket.restarts) == (False, False, 0)
    assert socket.triggers == ("a.service", "b.service")


@pytest.mark.parametrize(
    ("state", "sub", "active", "steady"),
    [
        ("active", "waiting", True, True),
        ("activating", "start", True, False),
        ("activating", "auto-restart", True, False),
        ("reloading", "reload", True, True),
        ("deactivating", "stop-sigterm", False, False),
        ("failed", "failed", False, False),
    ],
)
def test_what_counts_as_running(state: str, sub: str, active: bool, steady: bool) -> None:
    (found,) = parse_show(["a.service"], f"ActiveState={state}\nSubState={sub}\n").values()
    assert (found.active, found.steady) == (active, steady)


def test_why_it_ended() -> None:
    shown = "ActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=3\n"
    (found,) = parse_show(["a.service"], shown).values()
    assert (found.state, found.result) == ("failed", "exit code 3")


def test_an_answer_about_other_units() -> None:
    with pytest.raises(DeployError, match="described 1 units instead of a, b"):
        parse_show(["a", "b"], "Id=a\n")


@pytest.mark.parametrize(
    ("states", "active"),
    [
        (["active (running)"], True),
        # it was killed, and systemd is about to start it again
        (["deactivating (final-sigterm)", "activating (auto-restart)"], True),
        (["deactivating (stop-sigterm)", "deactivating (stop-sigterm)", "inactive"], False),
    ],
)
def test_a_unit_that_stops_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, states: list[str], active: bool
) -> None:
    left = list(states)

    def status(_self: Systemd, names: list[str]) -> dict[str, Status]:
        state = left.pop(0)
        return {
            name: Status(name, active=state.startswith(("active", "activating")), state=state)
            for name in names
        }

    monkeypatch.setattr(unit, "PAUSE", 0.001)
    monkeypatch.setattr(Systemd, "status", status)
    seen = Systemd(60).settled_status(["shop.service"])
    assert seen["shop.service"].active is active
    assert left == []
