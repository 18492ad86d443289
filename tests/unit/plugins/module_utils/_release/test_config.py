# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config of a release, and how its processes are run."""

from __future__ import annotations

import pathlib
import shlex
import subprocess
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    config as release_config,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import Config


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), ("", ""), (5, "5"), (1.5, "1.5"), ("1", "1"), ("true", "true")],
    ids=repr,
)
def test_env_values(value: Any, text: str) -> None:
    assert release_config.env_values({"B": value, "A": "a"}) == {"A": "a", "B": text}


@pytest.mark.parametrize(
    ("env", "words"),
    [
        pytest.param({"A": True}, "env A is True; write the string", id="boolean"),
        pytest.param({"A": None}, "env A is None; write the string", id="none"),
        pytest.param({"A": ["SECRET"]}, "env A is a list; one value", id="list"),
        pytest.param({"A": {"SECRET": 1}}, "env A is a dict; one value", id="dict"),
        pytest.param({"A": "SECRET\0"}, "env A holds a NUL", id="nul"),
        pytest.param({"A-B": "SECRET"}, "environment variable: 'A-B'", id="dash"),
        pytest.param({"1A": "SECRET"}, "environment variable: '1A'", id="digit-first"),
        pytest.param({"": "SECRET"}, "environment variable: ''", id="empty-name"),
        pytest.param(
            {"A\n": "SECRET"}, "name of an environment variable", id="newline-in-the-name"
        ),
        pytest.param({"Ä": "SECRET"}, "environment variable: 'Ä'", id="umlaut"),
    ],
)
def test_env_is_refused(env: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError) as caught:
        release_config.env_values(env)
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param(
            {"a/b": "SECRET"}, "config file: 'a/b'. Use at most 200 letters", id="directory"
        ),
        pytest.param({"..": "SECRET"}, "config file: '..'", id="parent"),
        pytest.param({".env": "SECRET"}, "config file: '.env'", id="hidden"),
        pytest.param({"": "SECRET"}, "config file: ''", id="empty"),
        pytest.param({"a\n": "SECRET"}, "config file: 'a\\n'", id="newline"),
        pytest.param(
            {"a.json": {"SECRET": 1}}, "a.json is of type dict; write its text", id="dict"
        ),
        pytest.param({"a.ini": None}, "a.ini is of type NoneType; write its text", id="none"),
        pytest.param({"a.ini": 5}, "a.ini is of type int; write its text", id="number"),
        pytest.param({"a" * 201: "SECRET"}, "at most 200 letters", id="long-name"),
        pytest.param({"a.ini": "SECRET" + "ä" * 131_070}, "a.ini has more than 262144", id="large"),
    ],
)
def test_config_files_are_refused(files: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError) as caught:
        release_config.file_texts(files)
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_the_largest_config_file() -> None:
    files = {"a" * 200: "ä" * 131_072}
    assert release_config.file_texts(files) == files


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
    path.write_bytes(release_config.format_env(env).encode())
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
    assert release_config.format_env({"B": "2", "A": "x y"}) == "A='x y'\nB=2\n"


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
    specs = release_config.run_specs(processes, config)
    defaults = release_config.PROCESS_OPTIONS | {
        "log_format": "json",
        "log_destination": "journal",
    }
    listening = {"socket": True, "health": config.health, "liveness": release_config.LIVENESS}
    assert specs == {
        "web": {"command": "w", **listening, **defaults},
        "worker": {
            "command": "k", "socket": False, **defaults, "overlap": False, "stop_timeout": 240
        },
        "admin": {"command": "a", **listening, **defaults},
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
        pytest.param({"web": {"health_path": "up"}}, "is 'up'; write a path", id="no-slash"),
        pytest.param({"web": {"health_path": "/a b"}}, "is '/a b'; write a path", id="space"),
        pytest.param({"web": {"health_path": 1}}, "is 1; write a path", id="path-number"),
        pytest.param(
            {"web": {"socket": False, "health_path": "/up"}}, "does not listen", id="nobody-to-ask"
        ),
    ],
)
def test_process_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError, match=words):
        release_config.run_specs({"web": "x"}, Config(options=options))


@pytest.mark.parametrize(
    ("said", "path"),
    [({}, "/up"), ({"health_path": "/api/up"}, "/api/up"), ({"health_path": ""}, "")],
)
def test_a_type_may_have_a_health_path_of_its_own(said: dict[str, Any], path: str) -> None:
    health = {"path": "/up", "host": "h", "count": 2}
    config = Config(health=health, options={"api": {"socket": True, **said}})
    specs = release_config.run_specs({"web": "w", "api": "a"}, config)
    assert specs["web"]["health"] == health
    assert specs["api"]["health"] == {**health, "path": path}
    # the pivot refuses what it does not know
    assert "health_path" not in specs["api"]


SOCKET = {"socket": True}
PORT = {"socket": True, "port": True}
NEITHER = {"socket": False}


@pytest.mark.parametrize(
    ("kind", "command", "given", "listening"),
    [
        ("web", "gunicorn shop.wsgi", {}, SOCKET),
        ("web", "fastapi run --host 127.0.0.1 --port $PORT", {}, PORT),
        ("web", "streamlit run --server.port=${PORT} shop.py", {}, PORT),
        ("web", "python -m shop --port ${PORT:-8000}", {}, PORT),
        ("web", "python shop.py $PORTAL", {}, SOCKET),
        ("web", "python chat.py", {"port": True}, PORT),
        ("web", "python chat.py", {"port": True, "socket": True}, PORT),
        ("web", "python -m shop $PORT", {"port": False}, SOCKET),
        ("web", "python -m shop $PORT", {"socket": False}, NEITHER),
        ("flower", "celery flower --port=$PORT", {}, NEITHER),
        ("flower", "celery flower --port=$PORT", {"port": True}, PORT),
        ("flower", "celery flower --port=$PORT", {"socket": True}, PORT),
        ("flower", "celery flower --port=$PORT", {"socket": True, "port": False}, SOCKET),
        ("worker", "celery worker", {"port": False}, NEITHER),
    ],
)
def test_where_a_process_listens(
    kind: str, command: str, given: dict[str, Any], listening: dict[str, bool]
) -> None:
    specs = release_config.run_specs({kind: command}, Config(options={kind: given}))
    assert {key: specs[kind][key] for key in ("socket", "port") if key in specs[kind]} == listening


@pytest.mark.parametrize(
    ("command", "address"),
    [
        ("waitress-serve --listen=0.0.0.0:$PORT shop:app", "0.0.0.0"),
        ("python -m http.server --bind :: $PORT", "::"),
        ("hypercorn --bind [::]:$PORT shop:app", r"\[::\]"),
    ],
)
def test_a_server_that_other_hosts_would_reach_is_refused(command: str, address: str) -> None:
    with pytest.raises(DeployError, match=f"web listens on {address}, where other hosts"):
        release_config.run_specs({"web": command}, Config())
    assert release_config.run_specs({"worker": command}, Config())
    for fine in ("127.0.0.1", "[::1]", "10.0.0.0", "localhost"):
        other = command.replace("0.0.0.0", fine).replace("[::]", fine).replace("::", fine, 1)
        assert release_config.run_specs({"web": other}, Config())["web"]["port"]


def test_a_port_is_reached_by_a_socket() -> None:
    with pytest.raises(DeployError, match="port: true and socket: false"):
        release_config.run_specs(
            {"web": "x"}, Config(options={"web": {"port": True, "socket": False}})
        )


def test_health_needs_an_answer() -> None:
    with pytest.raises(DeployError, match=r"health\.count is 0"):
        release_config.run_specs({"web": "x"}, Config(health={"count": 0}))


@pytest.mark.parametrize(
    ("given", "liveness"),
    [
        pytest.param({}, {"interval": 2.0, "failures": 2, "timeout": 5.0}, id="nothing"),
        pytest.param(
            {"interval": 0, "failures": None},
            {"interval": 0, "failures": 2, "timeout": 5.0},
            id="off",
        ),
        pytest.param(
            {"interval": 9.5, "failures": 3, "timeout": 0.1},
            {"interval": 9.5, "failures": 3, "timeout": 0.1},
            id="all",
        ),
    ],
)
def test_liveness(given: dict[str, Any], liveness: dict[str, Any]) -> None:
    assert release_config.complete_liveness(given) == liveness


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"interval": -1.0}, "liveness.interval is -1.0; write a number from 0 to 86400"),
        ({"interval": float("nan")}, "liveness.interval is nan"),
        ({"failures": 0}, "liveness.failures is 0; write a number from 1"),
        ({"timeout": 0.0}, "liveness.timeout is 0.0; write a number from 0.1"),
        ({"timeout": 1e9}, "liveness.timeout is 1000000000.0"),
    ],
)
def test_liveness_that_calls_every_process_hung(given: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError, match=words):
        release_config.complete_liveness(given)
