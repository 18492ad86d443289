# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment is made, kept, linked and removed: tables of what is there and what follows."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment.plan import (
    UNKNOWN,
    Environment,
    Found,
    Interpreter,
    Place,
    Plan,
    Request,
    check_place,
    compare,
    decide,
    decide_absent,
    diff,
    make_request,
    packages_before,
)

HASHES = [f"sha256:{digit * 64}" for digit in "abc"]
LOCK = (
    f"# made by hand\nflask==3.1 --hash={HASHES[0]}\n"
    f"tornado==6.5 ; python_version >= '3.12' --hash={HASHES[1]}\n"
    f"colorama==1.0 ; sys_platform == 'win32' --hash={HASHES[2]}\n"
)
PYTHON = {
    "implementation_name": "cpython",
    "platform_machine": "x86_64",
    "platform_release": "6.1.0",
    "python_full_version": "3.13.5",
    "python_version": "3.13",
    "sys_platform": "linux",
}


def python(path: str = "/usr/bin/python3", **described: str) -> Interpreter:
    return Interpreter(path, PYTHON | described)


def request(**changed: Any) -> Request:
    arguments: dict[str, Any] = {
        "path": "/opt/tool",
        "lock": LOCK,
        "interpreter": python(),
        "files": {},
        "no_binary": [],
    }
    return make_request(**(arguments | changed))


PACKAGES = {"flask": "3.1", "tornado": "6.5"}
KEY = request().key
OLD = "3.13.5-000000000000"


# --- what is asked for -----------------------------------------------------------------------


def test_what_is_marked_for_others_is_left_out() -> None:
    assert request().packages == PACKAGES
    older = python(python_version="3.11", python_full_version="3.11.2")
    assert request(interpreter=older).packages == {"flask": "3.1"}


def test_without_an_interpreter_every_package_counts() -> None:
    wanted = request(interpreter=Interpreter("/usr/bin/python3.14", {}))
    assert sorted(wanted.packages) == ["colorama", "flask", "tornado"]
    assert wanted.key.startswith(f"{UNKNOWN}-")


def test_a_file_may_be_a_package() -> None:
    files = {"plug_in-1.2.dist-info/METADATA": "Name: plug-in\n", "plug_in.py": "x = 1\n"}
    assert request(files=files).packages == {**PACKAGES, "plug-in": "1.2"}


def test_the_key_begins_with_the_version_of_python() -> None:
    assert KEY.startswith("3.13.5-")
    assert len(KEY) == len("3.13.5-") + 12


@pytest.mark.parametrize(
    "same",
    [
        pytest.param({"lock": f"{LOCK}# another comment\n"}, id="comment"),
        pytest.param(
            {"lock": LOCK.replace("'win32'", "'cygwin'")}, id="a marker for other platforms"
        ),
        pytest.param({"lock": "".join(reversed(LOCK.splitlines(keepends=True)))}, id="order"),
        pytest.param({"interpreter": python(platform_release="6.12.0")}, id="kernel"),
        pytest.param({"path": "/opt/other"}, id="path"),
    ],
)
def test_the_key_stays_with(same: dict[str, Any]) -> None:
    assert request(**same).key == KEY


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"lock": LOCK.replace("3.1 ", "3.2 ")}, id="version"),
        pytest.param({"lock": LOCK.replace("a" * 64, "d" * 64)}, id="hash"),
        pytest.param({"interpreter": python(python_full_version="3.13.6")}, id="version of Python"),
        pytest.param({"interpreter": python(platform_machine="aarch64")}, id="machine"),
        pytest.param({"interpreter": python("/usr/bin/python3.13")}, id="interpreter"),
        pytest.param({"no_binary": ["flask"]}, id="built from source"),
        pytest.param({"files": {"x.py": "1"}}, id="file"),
    ],
)
def test_another_key_with_another(other: dict[str, Any]) -> None:
    assert request(**other).key != KEY


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"path": "opt/tool"}, "Invalid path 'opt/tool': give an absolute one"),
        ({"path": "/opt/../etc"}, "Invalid path"),
        ({"path": "/opt"}, "Invalid path '/opt'"),
        ({"lock": "flask==3.1\n"}, "lock has no sha256 for flask==3.1"),
        ({"lock": ""}, "lock is empty"),
        (
            {"lock": f"a==1 ; sys_platform == 'win32' --hash={HASHES[0]}\n"},
            "lock has no package for Python 3.13.5 of /usr/bin/python3",
        ),
        (
            {"lock": f"a==1 --hash={HASHES[0]}\nA==2 --hash={HASHES[1]}\n"},
            "lock has a more than once for Python 3.13.5",
        ),
        ({"no_binary": ["--index-url"]}, "Invalid package name '--index-url' in no_binary"),
        ({"files": {"../x.py": ""}}, "Invalid path '../x.py' in files"),
        ({"files": {"/x.py": ""}}, "Invalid path '/x.py' in files"),
        ({"files": {"x.py": 1}}, "The content of x.py in files is not a text"),
    ],
)
def test_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DeployError, match=message):
        request(**wrong)


def test_check_place() -> None:
    assert check_place("/opt/tool") == pathlib.Path("/opt/tool")


# --- what follows ----------------------------------------------------------------------------


def environment(name: str = KEY, **changed: Any) -> Environment:
    return dataclasses.replace(Environment(name, PACKAGES), **changed)


def linked(*environments: Environment, target: str = KEY, **changed: Any) -> Found:
    return dataclasses.replace(Found(Place.LINK, target, environments), **changed)


@pytest.mark.parametrize(
    ("found", "plan"),
    [
        pytest.param(
            Found(Place.NOTHING),
            Plan(KEY, install=True, link=True, reasons=("there is none yet",)),
            id="nothing there",
        ),
        pytest.param(linked(environment()), Plan(KEY), id="as asked for"),
        pytest.param(
            Found(Place.NOTHING, environments=(environment(),)),
            Plan(KEY, link=True, reasons=("the link to it is missing",)),
            id="killed before the link",
        ),
        pytest.param(
            linked(environment(OLD), environment(), target=OLD),
            Plan(
                KEY,
                link=True,
                remove=(OLD,),
                reasons=("the hashes, the files or the options are others",),
            ),
            id="killed before the new link",
        ),
        pytest.param(
            Found(Place.NOTHING, left_over=(".work-x", KEY)),
            Plan(
                KEY,
                sweep=(".work-x", KEY),
                install=True,
                link=True,
                reasons=("there is none yet",),
            ),
            id="killed while installing",
        ),
        pytest.param(
            linked(environment(OLD, packages={"flask": "3.0"}), target=OLD),
            Plan(
                KEY,
                install=True,
                link=True,
                remove=(OLD,),
                reasons=("other packages are locked",),
            ),
            id="lock changed",
        ),
        pytest.param(
            linked(environment("3.11.2-000000000000"), target="3.11.2-000000000000"),
            Plan(
                KEY,
                install=True,
                link=True,
                remove=("3.11.2-000000000000",),
                reasons=("Python is 3.13.5, it was 3.11.2",),
            ),
            id="Python changed",
        ),
        pytest.param(
            linked(environment(problem="flask is missing")),
            Plan(
                f"{KEY}.1",
                install=True,
                link=True,
                remove=(KEY,),
                reasons=("it is damaged: flask is missing",),
            ),
            id="damaged",
        ),
        pytest.param(
            linked(
                environment(problem="flask is missing", in_use=True),
                environment(f"{KEY}.1", problem="tornado is missing"),
                target=f"{KEY}.1",
            ),
            Plan(
                f"{KEY}.2",
                install=True,
                link=True,
                remove=(f"{KEY}.1",),
                reasons=("it is damaged: tornado is missing",),
            ),
            id="damaged again",
        ),
        pytest.param(
            linked(environment(f"{KEY}.1"), target=f"{KEY}.1"),
            Plan(f"{KEY}.1"),
            id="made again after damage",
        ),
        pytest.param(
            linked(environment(), environment(f"{KEY}.1"), target=f"{KEY}.1"),
            Plan(f"{KEY}.1", remove=(KEY,)),
            id="the linked one is preferred",
        ),
        pytest.param(
            linked(environment(), environment(OLD, in_use=True)),
            Plan(KEY),
            id="an old one that runs",
        ),
        pytest.param(
            linked(environment(), environment(OLD)),
            Plan(KEY, remove=(OLD,)),
            id="an old one that nobody runs any more",
        ),
        pytest.param(
            Found(Place.BROKEN_LINK, OLD, left_over=(OLD,)),
            Plan(
                KEY,
                sweep=(OLD,),
                install=True,
                link=True,
                reasons=(f"the environment {OLD} is missing or incomplete",),
            ),
            id="link to nothing",
        ),
        pytest.param(
            Found(Place.VIRTUALENV, packages={"pip": "23.0"}),
            Plan(
                KEY,
                install=True,
                link=True,
                reasons=("a virtual environment that was made otherwise is replaced",),
            ),
            id="a virtualenv made otherwise",
        ),
    ],
)
def test_decide(found: Found, plan: Plan) -> None:
    assert decide(request(), found) == plan


@pytest.mark.parametrize(
    ("plan", "changed", "idle"),
    [
        (Plan(KEY), False, True),
        (Plan(KEY, remove=(OLD,)), False, False),
        (Plan(KEY, sweep=(".work-x",)), False, False),
        (Plan(KEY, link=True), True, False),
        (Plan("", unlink=True), True, False),
    ],
)
def test_clearing_up_is_not_a_change(plan: Plan, changed: bool, idle: bool) -> None:
    assert (plan.changed, plan.idle) == (changed, idle)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Found(Place.OTHER_LINK, "/srv/tool"), "/opt/tool is a link to /srv/tool, which is not"),
        (Found(Place.OTHER), "/opt/tool exists and is not a virtual environment"),
    ],
)
def test_what_is_not_ours_is_left_alone(found: Found, message: str) -> None:
    with pytest.raises(DeployError, match=f"{message}.*Nothing was changed"):
        decide(request(), found)
    with pytest.raises(DeployError, match=f"{message}.*Nothing was changed"):
        decide_absent(pathlib.Path("/opt/tool"), found)


ABSENT = Plan("", unlink=True, reasons=("it is to be absent",))


@pytest.mark.parametrize(
    ("found", "plan"),
    [
        (Found(Place.NOTHING), Plan("")),
        (Found(Place.NOTHING, left_over=(".work-x",)), ABSENT),
        (Found(Place.BROKEN_LINK, OLD), ABSENT),
        (Found(Place.VIRTUALENV), ABSENT),
        (linked(environment(in_use=True)), ABSENT),
    ],
)
def test_decide_absent(found: Found, plan: Plan) -> None:
    assert decide_absent(pathlib.Path("/opt/tool"), found) == plan


# --- what is shown ---------------------------------------------------------------------------


def test_compare() -> None:
    assert compare({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}) == [
        {"name": "a", "before": "1", "after": ""},
        {"name": "b", "before": "1", "after": "2"},
        {"name": "d", "before": "", "after": "1"},
    ]


@pytest.mark.parametrize(
    ("found", "packages"),
    [
        (Found(Place.NOTHING), {}),
        (Found(Place.VIRTUALENV, packages={"pip": "23.0"}), {"pip": "23.0"}),
        (linked(environment()), PACKAGES),
    ],
)
def test_packages_before(found: Found, packages: dict[str, str]) -> None:
    assert packages_before(found) == packages


def test_the_diff_has_a_line_for_each_package() -> None:
    found = linked(environment(OLD, packages={"flask": "3.0"}), target=OLD)
    assert diff(pathlib.Path("/opt/tool"), found, Plan(KEY), PACKAGES) == {
        "before_header": f"/opt/tool -> {OLD}",
        "after_header": f"/opt/tool -> {KEY}",
        "before": "flask 3.0\n",
        "after": "flask 3.1\ntornado 6.5\n",
    }


@pytest.mark.parametrize(
    ("found", "header"),
    [
        (Found(Place.NOTHING), "/opt/tool (absent)"),
        (Found(Place.VIRTUALENV), "/opt/tool (a directory)"),
    ],
)
def test_the_diff_says_what_was_there(found: Found, header: str) -> None:
    shown = diff(pathlib.Path("/opt/tool"), found, Plan(""), {})
    assert (shown["before_header"], shown["after_header"]) == (header, "/opt/tool (absent)")


def test_this_interpreter_is_described_like_that() -> None:
    """The names above are those that an interpreter gives."""
    from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment import (
        installer,
    )

    described = installer.describe(sys.executable, predicted=False).described
    assert PYTHON.keys() <= described.keys()
