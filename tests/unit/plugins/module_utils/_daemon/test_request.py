# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the parameters of the module to a request."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import (
    Directory,
    Link,
    Unit,
    WantedFile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.request import (
    make_proof,
    make_request,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

UNITS = "/etc/systemd/system"


def file(**given: Any) -> dict[str, Any]:
    return {
        "path": "/etc/d/c",
        "content": "x",
        "owner": "root",
        "group": "root",
        "mode": "0644",
        "secret": False,
        "check": [],
        "on_change": "restart",
        "affects": [],
        **given,
    }


def link(**given: Any) -> dict[str, Any]:
    return {"path": "/etc/d/l", "target": "../x", "on_change": "restart", "affects": [], **given}


def unit(name: str = "d.service", **given: Any) -> dict[str, Any]:
    return {
        "name": name,
        "content": None,
        "dropins": {},
        "state": "started",
        "enabled": None,
        **given,
    }


def parameters(**given: Any) -> dict[str, Any]:
    lists: dict[str, Any] = {name: [] for name in ("directories", "files", "links", "units")}
    return {"name": "d", "state": "present", **lists, **given}


def test_units_are_files_that_everybody_can_read() -> None:
    given = parameters(units=[unit(content="a", dropins={"b.conf": "c"})])
    request = make_request(given, UNITS, check=False)
    assert [(f.path, f.file.content, f.file.mode, f.unit) for f in request.files] == [
        (f"{UNITS}/d.service", b"a", 0o644, "d.service"),
        (f"{UNITS}/d.service.d/b.conf", b"c", 0o644, "d.service"),
    ]
    assert request.directories == {f"{UNITS}/d.service.d": Directory(0o755, 0, 0)}


@pytest.mark.parametrize(
    ("given", "enabled"),
    [
        ({"state": "started"}, True),
        ({"state": "stopped"}, False),
        ({"state": "unmanaged"}, None),
        ({"state": "started", "enabled": False}, False),
        ({"state": "unmanaged", "enabled": True}, True),
    ],
)
def test_what_is_started_is_enabled(given: dict[str, Any], enabled: bool | None) -> None:
    request = make_request(parameters(units=[unit(**given)]), UNITS, check=False)
    assert request.units == (Unit("d.service", given["state"], enabled),)


def test_a_link_has_a_target_and_effects() -> None:
    given = parameters(links=[link(on_change="reload")])
    (found,) = make_request(given, UNITS, check=False).files
    assert found == WantedFile("/etc/d/l", Link("../x"), on_change="reload")


def test_accounts_that_do_not_exist_yet() -> None:
    given = parameters(files=[file(owner="nobody-here", group="nobody-here")])
    (found,) = make_request(given, UNITS, check=True).files
    assert (found.file.uid, found.file.gid) == (None, None)
    with pytest.raises(DeployError, match="user 'nobody-here' does not exist on this host"):
        make_request(given, UNITS, check=False)


def test_a_mount_by_the_name_that_systemd_gives_its_path() -> None:
    name = r"run-circus\x2dshop.mount"
    given = parameters(units=[unit(name, content="[Mount]\n", state="unmanaged")])
    request = make_request(given, UNITS, check=False)
    assert [file.path for file in request.files] == [f"{UNITS}/{name}"]
    assert request.units[0].name == name


@pytest.mark.parametrize("name", ["d", "logrotate-Shop_2", "7.x"])
def test_names(name: str) -> None:
    assert make_request(parameters(name=name), UNITS, check=False).name == name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "D/x"}, "Invalid name of a daemon 'D/x'"),
        ({"files": [file(path="etc/c")]}, "Invalid path 'etc/c'"),
        ({"files": [file(path="/etc/../c")]}, "Invalid path"),
        ({"files": [file(path="/etc/c/")]}, "Invalid path"),
        ({"files": [file(path="//etc/c")]}, "Invalid path"),
        ({"files": [file(path="/etc/c\nd")]}, "control characters"),
        ({"files": [file(mode="420")]}, "Invalid mode '420' of /etc/d/c"),
        ({"files": [file(), file()]}, "same path is given more than once: /etc/d/c"),
        ({"files": [file(check=["true"])]}, "has no '%s'"),
        ({"files": [file(affects=["e.service"])]}, "affects e.service, which is not among"),
        ({"links": [link(path="etc/l")]}, "Invalid path 'etc/l'"),
        ({"links": [link(target="")]}, "Invalid target '' of the link /etc/d/l"),
        ({"links": [link(target="a\nb")]}, "Invalid target"),
        ({"links": [link(affects=["e.service"])]}, "affects e.service, which is not among"),
        ({"files": [file()], "links": [link(path="/etc/d/c")]}, "same path is given more than"),
        ({"units": [unit("d")]}, "Invalid name of a unit 'd'"),
        ({"units": [unit("../d.service")]}, "Invalid name of a unit"),
        ({"units": [unit("d@.service")]}, "d@.service is a template"),
        ({"units": [unit(), unit()]}, "same unit is given more than once"),
        ({"units": [unit(dropins={"a": "b"})]}, "has to end in '.conf'"),
        ({"units": [unit(dropins={"a.conf": 1})]}, "'a.conf' of d.service is not a text"),
    ],
)
def test_what_no_host_could_fulfil(given: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError, match=words):
        make_request(parameters(**given), UNITS, check=False)


def test_without_a_proof_units_stay_up_for_three_seconds() -> None:
    proof = make_proof(None, 60)
    assert (proof.seconds, proof.listens, proof.command, proof.timeout) == (3, (), (), 60)


def test_a_proof_has_a_limit_of_its_own() -> None:
    given = {"active_seconds": 3, "listens": [], "command": [], "timeout": 20}
    assert make_proof(given, 3600).timeout == 20
    assert make_proof(given | {"timeout": None}, 3600).timeout == 3600


@pytest.mark.parametrize(("seconds", "timeout", "own"), [(-1, 60, None), (3, 0, None), (3, 60, 0)])
def test_times_that_cannot_be(seconds: int, timeout: int, own: int | None) -> None:
    given = {"active_seconds": seconds, "listens": [], "command": [], "timeout": own}
    with pytest.raises(DeployError, match="must be at least"):
        make_proof(given, timeout)
