# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of and what it is called."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    model,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import Config
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import Build

A, B = "a" * 64, "b" * 64


def written(lock: str) -> str:
    """As it is handed on."""
    return lock.replace(" --hash", " \\\n    --hash")


def own(version: str = "1.0", digest: str = B) -> str:
    return f"shop=={version} --hash=sha256:{digest}\n"


@pytest.mark.parametrize(
    ("requirements", "wheel", "lock"),
    [
        pytest.param(f"a==1 --hash=sha256:{A}\n", B, f"a==1 --hash=sha256:{A}\n{own()}", id="adds"),
        pytest.param(f"a==1 --hash=sha256:{A}", B, f"a==1 --hash=sha256:{A}\n{own()}", id="no-eol"),
        pytest.param("# none\n", B, own(), id="comments-only"),
        pytest.param(
            f"# x \\\nA[x]==1;os_name=='posix'  --hash=sha512:00 --hash=sha256:{A} # y\n", B,
            f"a==1 ; os_name=='posix' --hash=sha256:{A}\n{own()}", id="only-what-was-read",
        ),
        pytest.param(None, B, own(), id="no-dependencies"),
        pytest.param(own(), None, own(), id="lock-beside-the-build"),
        pytest.param(own().upper().lower(), None, own(), id="own-line"),
    ],
)  # fmt: skip
def test_complete_lock(requirements: str | None, wheel: str | None, lock: str) -> None:
    build = Build("Shop", "1.0", wheel_sha256=wheel, requirements=requirements)
    assert model.complete_lock(build) == written(lock)


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        pytest.param(f"a==1 --hash=sha256:{A}", "holds no shop; it must pin shop==1.0", id="lacks"),
        pytest.param(own("2.0"), "holds shop 2.0; it must pin shop==1.0", id="other-version"),
        pytest.param(own() + own("2.0"), "holds shop 1.0, 2.0", id="two-versions"),
    ],
)
def test_lock_without_the_package_itself(requirements: str, words: str) -> None:
    with pytest.raises(DeployError, match=words):
        model.complete_lock(Build("shop", "1.0", requirements=requirements))


@pytest.mark.parametrize(
    ("formation", "words"),
    [
        pytest.param({"web": 1, "worker": 3}, "", id="known"),
        pytest.param({"web": 0}, "", id="none-of-a-type"),
        pytest.param({}, "", id="empty"),
        pytest.param({"beat": 1}, "'beat', but shop 1.0 has web, worker", id="unknown"),
        pytest.param({"release": 1}, "process type 'release'", id="release-is-never-supervised"),
        pytest.param({"web": -1}, "asks for -1 processes of 'web'", id="negative"),
        pytest.param({"web": "2"}, "asks for '2' processes", id="text"),
        pytest.param({"web": True}, "asks for True processes", id="boolean"),
        pytest.param({"web": 1.5}, "asks for 1.5 processes", id="fraction"),
        pytest.param({"web": None}, "asks for None processes", id="nothing"),
    ],
)
def test_formation(formation: dict[str, Any], words: str) -> None:
    processes = {"release": "x", "web": "y", "worker": "z"}
    if not words:
        model.check_formation(formation, processes, "shop 1.0")
        return
    with pytest.raises(DeployError, match=words):
        model.check_formation(formation, processes, "shop 1.0")


# --- the id -----------------------------------------------------------------------------------

BUILD = Build("shop", "1.4.0", wheel_sha256=A)
LOCKED = Build("shop", "1.4.0", requirements=own("1.4.0"), procfile={"web": "a", "worker": "b"})
CONFIG = Config(
    env={"A": "1", "B": "2"},
    health={"path": "/", "count": 2},
    options={"web": {"overlap": True}},
)


@pytest.mark.parametrize(
    ("build", "config", "release"),
    [
        pytest.param(BUILD, Config(), "1.4.0-a1dfadb0", id="wheel"),
        pytest.param(BUILD, CONFIG, "1.4.0-93a9b513", id="wheel-with-config"),
        pytest.param(LOCKED, CONFIG, "1.4.0-d1521f0d", id="lock-beside-the-build"),
    ],
)
def test_id_never_changes(build: Build, config: Config, release: str) -> None:
    """A new way to make ids would roll out every app again: these are the ids of version 0.1."""
    assert model.release_id(build, config) == release
    assert model.RELEASE_ID.match(release)


COMMON, BESIDE = model.release_ids(BUILD, CONFIG, "3.13")


def test_the_first_id_is_that_of_every_host() -> None:
    assert model.release_id(BUILD, CONFIG) == COMMON != BESIDE


@pytest.mark.parametrize(
    ("made_with", "name"),
    [
        pytest.param({}, COMMON, id="first"),
        pytest.param({COMMON: "3.13"}, COMMON, id="installed"),
        pytest.param({COMMON: "3.11"}, BESIDE, id="python-was-replaced"),
        pytest.param({COMMON: "3.11", BESIDE: "3.13"}, BESIDE, id="installed-again"),
        pytest.param({BESIDE: "3.13"}, BESIDE, id="the-old-one-was-pruned"),
    ],
)
def test_pick_id(made_with: dict[str, str], name: str) -> None:
    assert model.pick_id((COMMON, BESIDE), made_with, "3.13") == name


@pytest.mark.parametrize(
    ("made_with", "interpreter", "exists", "words"),
    [
        ("3.13.5", "/usr/bin/python3.13", True, ""),
        ("3.13.5", "/opt/python/bin/python", True, ""),
        ("", "/usr/bin/python3.13", True, ""),
        ("3.11.2", "/usr/bin/python3.13", True, "was made with Python 3.11, but its interpreter is Python 3.13"),
        ("3.1.2", "/usr/bin/python3.11", True, "was made with Python 3.1, but"),
        ("3.11.2", "/usr/bin/python3.11", False, "was made with /usr/bin/python3.11, which is gone"),
    ],
)  # fmt: skip
def test_python_problem(made_with: str, interpreter: str, exists: bool, words: str) -> None:
    problem = model.python_problem(COMMON, made_with, interpreter, exists=exists)
    assert words in problem
    assert bool(words) == bool(problem)


@pytest.mark.parametrize(
    ("build", "config"),
    [
        pytest.param(dataclasses.replace(BUILD, package="Shop"), CONFIG, id="name"),
        pytest.param(dataclasses.replace(BUILD, wheel_url="https://x/y.whl"), CONFIG, id="url"),
        pytest.param(
            dataclasses.replace(BUILD, requirements=own("1.4.0")), CONFIG, id="lock-of-the-wheel"
        ),
        pytest.param(
            BUILD, dataclasses.replace(CONFIG, env={"B": "2", "A": "1"}), id="order-of-the-env"
        ),
        pytest.param(
            BUILD,
            dataclasses.replace(CONFIG, health={"count": 2, "path": "/"}),
            id="order-of-the-health-check",
        ),
    ],
)
def test_id_does_not_depend_on(build: Build, config: Config) -> None:
    assert model.release_id(build, config) == model.release_id(BUILD, CONFIG)


@pytest.mark.parametrize(
    ("build", "config"),
    [
        pytest.param(dataclasses.replace(LOCKED, package="shop2"), CONFIG, id="package"),
        pytest.param(dataclasses.replace(LOCKED, version="1.4.1"), CONFIG, id="version"),
        pytest.param(dataclasses.replace(LOCKED, wheel_sha256=A), CONFIG, id="wheel"),
        pytest.param(
            dataclasses.replace(LOCKED, requirements=own("1.4.0", A)), CONFIG, id="requirements"
        ),
        pytest.param(
            dataclasses.replace(LOCKED, procfile={"web": "a", "worker": "c"}), CONFIG, id="command"
        ),
        pytest.param(dataclasses.replace(LOCKED, procfile={"web": "a"}), CONFIG, id="processes"),
        pytest.param(LOCKED, dataclasses.replace(CONFIG, env={"A": "1", "B": "3"}), id="env-value"),
        pytest.param(LOCKED, dataclasses.replace(CONFIG, env={"A": "1"}), id="env-key-removed"),
        pytest.param(
            LOCKED, dataclasses.replace(CONFIG, env={"A": "1", "B": "2", "C": ""}), id="env-key"
        ),
        pytest.param(
            LOCKED, dataclasses.replace(CONFIG, env={"A": "2", "B": "1"}), id="env-swapped"
        ),
        pytest.param(
            LOCKED, dataclasses.replace(CONFIG, python="/usr/bin/python3.13"), id="python"
        ),
        pytest.param(
            LOCKED, dataclasses.replace(CONFIG, health={"path": "/up", "count": 2}), id="health"
        ),
        pytest.param(
            LOCKED,
            dataclasses.replace(CONFIG, options={"web": {"overlap": False}}),
            id="process-options",
        ),
        pytest.param(LOCKED, dataclasses.replace(CONFIG, liveness={"interval": 0}), id="liveness"),
        pytest.param(LOCKED, dataclasses.replace(CONFIG, log_format="json"), id="log-format"),
        pytest.param(LOCKED, dataclasses.replace(CONFIG, log_destination="journal"), id="journal"),
        pytest.param(
            LOCKED, dataclasses.replace(CONFIG, schedules={"a": {"at": "03:00"}}), id="schedules"
        ),
        pytest.param(LOCKED, dataclasses.replace(CONFIG, files={"a.ini": "x"}), id="config-files"),
    ],
)
def test_id_depends_on(build: Build, config: Config) -> None:
    assert model.release_id(build, config) != model.release_id(LOCKED, CONFIG)


@pytest.mark.parametrize(
    ("version", "start"),
    [
        ("1.0", "1.0-"),
        ("1!2.0+local.1", "1_2.0_local.1-"),
        ("2.0-1", "2.0_1-"),
        ("1/../../etc", "1_.._.._etc-"),
    ],
    ids=["plain", "epoch-and-local", "dash", "path"],
)
def test_id_is_one_name_in_a_directory(version: str, start: str) -> None:
    release = model.release_id(Build("shop", version, wheel_sha256=A), CONFIG)
    assert release.startswith(start)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../1.0-12345678", "1.0", "1.0-1234567", "1.0-12345678\n", "a/1.0-12345678"],
    ids=repr,
)
def test_no_id(name: str) -> None:
    assert not model.RELEASE_ID.match(name)
