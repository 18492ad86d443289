# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of: config, ids, comparison, pruning."""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
import subprocess
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils import _release
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    Build,
    Config,
    Contents,
)

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
    assert _release.complete_lock(build) == written(lock)


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
        _release.complete_lock(Build("shop", "1.0", requirements=requirements))


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
        _release.check_formation(formation, processes, "shop 1.0")
        return
    with pytest.raises(DeployError, match=words):
        _release.check_formation(formation, processes, "shop 1.0")


# --- config -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), ("", ""), (5, "5"), (1.5, "1.5"), ("1", "1"), ("true", "true")],
    ids=repr,
)
def test_env_values(value: Any, text: str) -> None:
    assert _release.env_values({"B": value, "A": "a"}) == {"A": "a", "B": text}


@pytest.mark.parametrize(
    ("env", "words"),
    [
        pytest.param({"A": True}, "env A is True; write the string", id="boolean"),
        pytest.param({"A": None}, "env A is None; write the string", id="none"),
        pytest.param({"A": ["SECRET"]}, "env A is a list; one value", id="list"),
        pytest.param({"A": {"SECRET": 1}}, "env A is a dict; one value", id="dict"),
        pytest.param({"A": "SECRET\0"}, "env A holds a NUL", id="nul"),
        pytest.param({"A-B": "SECRET"}, "'A-B' is no name", id="dash"),
        pytest.param({"1A": "SECRET"}, "'1A' is no name", id="digit-first"),
        pytest.param({"": "SECRET"}, "'' is no name", id="empty-name"),
        pytest.param({"A\n": "SECRET"}, "is no name", id="newline-in-the-name"),
        pytest.param({"Ä": "SECRET"}, "'Ä' is no name", id="umlaut"),
    ],
)
def test_env_is_refused(env: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError) as caught:
        _release.env_values(env)
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


VALUES = {
    "plain": "value",
    "empty": "",
    "space": " two  words ",
    "newline": "one\ntwo\n",
    "newlines-only": "\n\n",
    "carriage-return": "one\r\ntwo\r",
    "tab": "a\tb",
    "single-quote": "it's",
    "single-quotes": "''",
    "double-quote": 'say "yes"',
    "all-quotes": """'"'"'`""",
    "dollar": "$HOME ${HOME} $(id) $$",
    "backtick": "`id`",
    "backslash": "a\\b\\\\c\\",
    "backslash-n": "a\\nb",
    "backslash-newline": "a\\\nb",
    "unicode": "Grüße, 世界 🎉",
    "no-break-space": "a\u00a0b\u2028c",
    "hash": "a # b",
    "hash-first": "#a",
    "equals": "a=b=c",
    "equals-first": "=",
    "export": "export A=b",
    "semicolon": "a; id",
    "ampersand": "a & b && c | d > e < f",
    "glob": "* ? [a-z] ~",
    "brace": "{a,b}",
    "exclamation": "a!b!!",
    "percent": "%d %s %%",
    "url": "postgresql://joe:p%40ss@db:5432/shop?sslmode=verify-full&x=1#y",
    "json": '{"a": ["b", 1], "c": "d\'e"}',
    "pem": "-----BEGIN KEY-----\nMIIE/+=\n-----END KEY-----\n",
    "control": "\x01\x1b[31m\x7f",
    "long": "x" * 20_000,
}


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("env") / "env"
    env = {f"V{number}": value for number, value in enumerate(VALUES.values())}
    path.write_bytes(_release.format_env(env).encode())
    return path


@pytest.fixture(scope="module")
def as_sh_reads_it(env_file: pathlib.Path) -> dict[str, str]:
    done = subprocess.run(
        ["sh", "-c", 'set -eu; set -a; . "$1"; exec env -0', "sh", str(env_file)],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    return dict(entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry)


@pytest.fixture(scope="module")
def as_shlex_reads_it(env_file: pathlib.Path) -> dict[str, str]:
    words = shlex.split(env_file.read_bytes().decode(), comments=True)
    return dict(word.split("=", 1) for word in words)


@pytest.mark.parametrize("number", range(len(VALUES)), ids=list(VALUES))
def test_sh_and_shlex_read_the_value_that_was_written(
    number: int, as_sh_reads_it: dict[str, str], as_shlex_reads_it: dict[str, str]
) -> None:
    value = list(VALUES.values())[number]
    assert as_sh_reads_it[f"V{number}"] == value
    assert as_shlex_reads_it[f"V{number}"] == value


def test_env_file_is_in_the_order_of_its_keys() -> None:
    assert _release.format_env({"B": "2", "A": "x y"}) == "A='x y'\nB=2\n"


# --- how processes are run --------------------------------------------------------------------


def test_run_specs() -> None:
    config = Config(
        health={"path": "/up", "host": "h", "count": 2},
        log_format="json",
        log_destination="journal",
        options={
            "worker": {"overlap": False, "stop_timeout": 240, "ready_after": None},
            "admin": {"socket": True},
        },
    )
    processes = {"release": "m", "web": "w", "worker": "k", "admin": "a"}
    specs = _release.run_specs(processes, config)
    defaults = _release.PROCESS_OPTIONS | {
        "log_format": "json",
        "log_destination": "journal",
    }
    health = {"path": "/up", "host": "h", "count": 2}
    assert specs == {
        "web": {"command": "w", "socket": True, "health": health, **defaults},
        "worker": {
            "command": "k", "socket": False, **defaults, "overlap": False, "stop_timeout": 240
        },
        "admin": {"command": "a", "socket": True, "health": health, **defaults},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"beat": {}}, "names beat, but the process types are web", id="unknown-type"),
        pytest.param({"web": {"timeout": 5}}, "web has 'timeout'; known are", id="unknown-option"),
        pytest.param({"web": None}, "process_options of web is None", id="no-dictionary"),
        pytest.param({"web": [1]}, "expected a dictionary", id="list"),
        pytest.param({"web": {"stop_timeout": 241}}, "241; .*at most 240", id="stops-too-late"),
        pytest.param({"web": {"stop_timeout": "30"}}, "is '30'; write a number", id="text"),
        pytest.param({"web": {"ready_timeout": -1}}, "is -1; write a number", id="negative"),
        pytest.param({"web": {"drain_timeout": 1e9}}, "at most 86400", id="years"),
        pytest.param({"web": {"ready_after": float("nan")}}, "is nan; write", id="nan"),
        pytest.param({"web": {"ready_after": True}}, "is True; write a number", id="boolean"),
        pytest.param({"web": {"overlap": "no"}}, "is 'no'; write true or false", id="overlap"),
        pytest.param({"web": {"socket": 1}}, "is 1; write true or false", id="socket"),
    ],
)
def test_process_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError, match=words):
        _release.run_specs({"web": "x"}, Config(options=options))


def test_health_needs_an_answer() -> None:
    with pytest.raises(DeployError, match=r"health\.count is 0"):
        _release.run_specs({"web": "x"}, Config(health={"count": 0}))


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
    assert _release.release_id(build, config) == release
    assert _release.RELEASE_ID.match(release)


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
    assert _release.release_id(build, config) == _release.release_id(BUILD, CONFIG)


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
        pytest.param(LOCKED, dataclasses.replace(CONFIG, log_format="json"), id="log-format"),
        pytest.param(LOCKED, dataclasses.replace(CONFIG, log_destination="journal"), id="journal"),
    ],
)
def test_id_depends_on(build: Build, config: Config) -> None:
    assert _release.release_id(build, config) != _release.release_id(LOCKED, CONFIG)


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
    release = _release.release_id(Build("shop", version, wheel_sha256=A), CONFIG)
    assert release.startswith(start)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../1.0-12345678", "1.0", "1.0-1234567", "1.0-12345678\n", "a/1.0-12345678"],
    ids=repr,
)
def test_no_id(name: str) -> None:
    assert not _release.RELEASE_ID.match(name)


# --- comparing and pruning --------------------------------------------------------------------

WEB = {"command": "x", "stop_timeout": 30, "health": {"path": "/", "count": 2}}
OLD = Contents(
    {"a": "1", "b": "1"},
    {"K": "SECRET-1", "L": "SECRET-2"},
    {"web": "x"},
    "3.11.2",
    "/usr/bin/python3",
    {"web": WEB},
    A,
    A,
)


@pytest.mark.parametrize(
    ("before", "changes", "lines"),
    [
        pytest.param(OLD, {}, [], id="same"),
        pytest.param(
            OLD,
            {"packages": {"b": "2", "c": "1"}},
            ["package a: 1 -> removed", "package b: 1 -> 2", "package c: added -> 1"],
            id="packages",
        ),
        pytest.param(
            OLD,
            {"env": {"L": "SECRET-3", "M": "SECRET-4"}},
            ["env K: removed", "env L: changed", "env M: added"],
            id="env",
        ),
        pytest.param(
            OLD, {"env": {"K": "SECRET-1", "L": ""}}, ["env L: changed"], id="env-emptied"
        ),
        pytest.param(
            OLD,
            {"processes": {"web": "y", "beat": "z"}},
            ["process beat: added -> z", "process web: x -> y"],
            id="processes",
        ),
        pytest.param(
            OLD, {"processes": {"web": "x", "w": "y"}}, ["process w: added -> y"], id="type-added"
        ),
        pytest.param(
            OLD,
            {"specs": {"web": WEB | {"stop_timeout": 5, "health": {"path": "/up", "count": 2}}}},
            ["process web, health path: / -> /up", "process web, stop_timeout: 30 -> 5"],
            id="how-a-process-is-run",
        ),
        pytest.param(
            OLD, {"specs": {"web": WEB, "w": WEB}}, [], id="how-a-new-process-is-run-is-no-change"
        ),
        pytest.param(
            OLD,
            {"interpreter": "/opt/python"},
            ["interpreter: /usr/bin/python3 -> /opt/python"],
            id="interpreter",
        ),
        pytest.param(
            OLD, {"wheel": B}, ["wheel: aaaaaaaa -> bbbbbbbb, built again"], id="same-version"
        ),
        pytest.param(
            OLD, {"wheel": B, "packages": {"a": "2", "b": "1"}}, ["package a: 1 -> 2"], id="version"
        ),
        pytest.param(OLD, {"lock": B}, ["lock: the same packages, other hashes"], id="hashes"),
        pytest.param(OLD, {"python": "3.13.5"}, ["python: 3.11.2 -> 3.13.5"], id="python"),
        pytest.param(
            None,
            {},
            [
                "python: none -> 3.11.2",
                "package a: added -> 1",
                "package b: added -> 1",
                "env K: added",
                "env L: added",
                "process web: added -> x",
            ],
            id="first-release",
        ),
    ],
)
def test_compare(before: Contents | None, changes: dict[str, Any], lines: list[str]) -> None:
    compared = _release.compare(before, dataclasses.replace(OLD, **changes))
    assert compared == lines
    assert "SECRET" not in "".join(compared)


@pytest.mark.parametrize(
    ("installed", "keep", "current", "target", "new", "pruned"),
    [
        pytest.param("abcde", 5, "e", "d", "e", "", id="as-many-as-kept"),
        pytest.param("abcde", 5, "e", "d", "f", "a", id="a-new-one-makes-one-too-many"),
        pytest.param("abcdefg", 5, "g", "f", "g", "ab", id="oldest-first"),
        pytest.param("abcdefg", 5, "a", "b", "g", "cd", id="current-and-target-are-the-oldest"),
        pytest.param("abc", 1, "b", "a", "c", "", id="never-current-target-or-new"),
        pytest.param("abcd", 1, "b", "a", "c", "d", id="keep-one"),
        pytest.param("abcd", 0, "d", "c", "d", "ab", id="keep-none"),
        pytest.param("abcd", -3, "d", None, "d", "abc", id="keep-less-than-none"),
        pytest.param("", 5, None, None, "a", "", id="first"),
        pytest.param("ab", 1, None, None, "c", "ab", id="nothing-serves"),
    ],
)
def test_prune(
    installed: str, keep: int, current: str | None, target: str | None, new: str, pruned: str
) -> None:
    assert _release.to_prune(list(installed), keep, current, target, new) == list(pruned)
