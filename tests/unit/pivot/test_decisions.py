# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pivot's pure parts: what it makes of a release's files and of the kernel's tables."""

from __future__ import annotations

import ast
import datetime
import json
import os
import pathlib
import signal
import subprocess
from types import ModuleType
from typing import Any

import pytest
from unit.pivot.harness import PATIENCE, PIVOT, sources

TABLE = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/shop/web-1.1.sock
0000000000000000: 00000003 00000000 00000000 0001 03 12 /run/shop/web-1.1.sock
0000000000000000: 00000003 00000000 00000000 0001 02     0 /run/shop/web-1.1.sock
0000000000000000: 00000003 00000000 00000000 0001 02     0 /run/shop/web-1.1.sock
0000000000000000: 00000003 00000000 00000000 0001 03 14
0000000000000000: 00000002 00000000 00010000 0001 01 15 /run/shop/web-1.11.sock
0000000000000000: 00000003 00000000 00000000 0001 03 16 /run/shop/web-1.12.sock
0000000000000000: 00000002 00000000 00010000 0001 01 17 /run/my shop/web-1.1.sock
0000000000000000: 00000003 00000000 00000000 0001 03 18 /run/my shop/web-1.1.sock
0000000000000000: 00000002 00000000 00000000 0002 01 19 @\xff\x00abstract
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/run/shop/web-1.1.sock", ({"11"}, {"12"}, 2)),
        ("/run/shop/web-1.11.sock", ({"15"}, set(), 0)),
        ("/run/shop/web-1.12.sock", (set(), {"16"}, 0)),
        ("/run/my shop/web-1.1.sock", ({"17"}, {"18"}, 0)),
        ("/run/shop/web-1.2.sock", (set(), set(), 0)),
        ("/run/shop/web-1", (set(), set(), 0)),
    ],
)
def test_connections(module: ModuleType, path: str, found: tuple[set[str], set[str], int]) -> None:
    assert module.kernel.connections(TABLE, path) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# nothing\n\n", {}),
        ("A=1\nB='two words'\n", {"A": "1", "B": "two words"}),
        ("A=\n", {"A": ""}),
        ("A=x=y\n", {"A": "x=y"}),
        ("A='line one\nline two'\n", {"A": "line one\nline two"}),
        ("A='it'\"'\"'s'\n", {"A": "it's"}),
        ("A='#1'\n", {"A": "#1"}),
        ("A='grüße €'\n", {"A": "grüße €"}),
        ("A=1\nA=2\n", {"A": "2"}),
    ],
)
def test_read_env(module: ModuleType, text: str, expected: dict[str, str]) -> None:
    assert module.release.read_env(text) == expected


@pytest.mark.parametrize(
    "broken",
    [
        b"\xff",
        b'{"release": "\xff", "outcome": "good"}',
        bytes(4096),
        b'{"release": "r9", "outc',
        b'outcome": "good"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
        b"x" * (3 << 20),
        b'{"release": [], "outcome": "good"}',
        b'{"release": "r9", "outcome": {}}',
        b'"text"',
        b"null",
        '{"release": "r9", "outcome": "good"}'.encode("utf-16"),
    ],
    ids=lambda broken: repr(broken[:20]),
)
def test_read_record_passes_over_what_is_broken(
    module: ModuleType, tmp_path: pathlib.Path, broken: bytes
) -> None:
    path = tmp_path / "releases.jsonl"
    good, pending = (
        json.dumps({"release": name, "outcome": outcome}).encode() + b"\n"
        for name, outcome in (("r1", "good"), ("r2", "pending"))
    )
    path.write_bytes(good + broken + b"\n" + pending + broken)
    assert module.release.read_record(path) == ("r1", "r2", frozenset())
    assert module.release.read_record(tmp_path / "nothing") == (None, None, frozenset())


@pytest.mark.parametrize("text", ["hush", "A=1\nhush\n", "=hush\n", "A='hush\n"])
def test_read_env_never_shows_a_value(module: ModuleType, text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the next line says which
        module.release.read_env(text)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("gunicorn shop.wsgi", "exec gunicorn shop.wsgi"),
        ("A=1 B=2 gunicorn shop", "exec env A=1 B=2 gunicorn shop"),
        ("exec gunicorn shop", "exec gunicorn shop"),
        ("gunicorn --bind unix:$SOCKET", "exec gunicorn --bind unix:$SOCKET"),
        ('gunicorn --workers "$(nproc)"', 'exec gunicorn --workers "$(nproc)"'),
        ("gunicorn shop:app 2>&1", "exec gunicorn shop:app 2>&1"),
        ("gunicorn shop:app < /dev/null", "exec gunicorn shop:app < /dev/null"),
        ("gunicorn 'shop:app()'", "exec gunicorn 'shop:app()'"),
        ("gunicorn 'a;b'", "exec gunicorn 'a;b'"),
        ("migrate && exec gunicorn shop", "migrate && exec gunicorn shop"),
        ("cat x | worker", "cat x | worker"),
        ("(worker)", "(worker)"),
        ("one; two", "one; two"),
        ("one\ntwo", "one\ntwo"),
        ("worker &", "worker &"),
        ("worker &> log", "worker &> log"),
        ("python -m worker --name=a", "exec python -m worker --name=a"),
    ],
)
def test_shell_command(module: ModuleType, command: str, expected: str) -> None:
    assert module.release.shell_command(command) == expected


@pytest.mark.parametrize("command", ["", " ", "A=1", "A=1 B='two words'", "# comment", "A=1 -0"])
def test_a_command_without_a_program_never_prints_the_environment(
    module: ModuleType, command: str
) -> None:
    with pytest.raises(ValueError, match="is not a command"):
        module.release.shell_command(command)


@pytest.mark.parametrize("command", ["'unbalanced", 'say "hi'])
def test_shell_command_unbalanced(module: ModuleType, command: str) -> None:
    with pytest.raises(ValueError, match="quotation"):
        module.release.shell_command(command)


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("printf %s x", "x"),
        ("A=1 sh -c 'printf %s $A'", "1"),
        ('printf %s "$(echo a; echo b)"', "a\nb"),
        ("printf %s x 2>&1", "x"),
        ("true && printf %s x", "x"),
    ],
)
def test_shell_command_is_what_sh_understands(
    module: ModuleType, command: str, output: str
) -> None:
    words = ["sh", "-c", module.release.shell_command(command)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == output


def environment(
    module: ModuleType, release: pathlib.Path, env: str, where: str | int | None
) -> Any:
    release.mkdir()
    (release / "env").write_text(env, "utf-8")
    return module.release.environment("shop", "web-1", release, where, "/run/shop/web-1.3.d")


def test_environment_of_a_worker(module: ModuleType, tmp_path: pathlib.Path) -> None:
    release = tmp_path / "1.0-abc"
    assert environment(module, release, "COLOR=red", None) == {
        "COLOR": "red",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "FORWARDED_ALLOW_IPS": "*",
        "PATH": f"{release}/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": f"{release}/venv",
        "HOME": "/var/lib/shop",
        "USER": "shop",
        "RELEASE_ID": "1.0-abc",
        "SENTRY_RELEASE": "shop@1.0-abc",
        "PROCESS_TYPE": "web",
        "PROCESS_INSTANCE": "web-1",
        "SPT_NOENV": "1",
        "XDG_RUNTIME_DIR": "/run/shop/web-1.3.d",
    }


def test_environment_says_the_socket_under_every_name(
    module: ModuleType, tmp_path: pathlib.Path
) -> None:
    path = "/run/shop/web-1.3.sock"
    env = environment(module, tmp_path / "r1", "", path)
    names = ("SOCKET", "UVICORN_UDS", "GRANIAN_UDS", "UWSGI_HTTP_SOCKET")
    assert {env[name] for name in names} == {path}
    assert env["GUNICORN_CMD_ARGS"] == f"--bind unix:{path}"


def test_environment_says_the_port_under_every_name(
    module: ModuleType, tmp_path: pathlib.Path
) -> None:
    env = environment(module, tmp_path / "r1", "PORT=80", 23456)
    ports = ("PORT", "UVICORN_PORT", "GRADIO_SERVER_PORT", "STREAMLIT_SERVER_PORT")
    assert {env[name] for name in ports} == {"23456"}
    hosts = ("UVICORN_HOST", "GRADIO_SERVER_NAME", "STREAMLIT_SERVER_ADDRESS")
    assert {env[name] for name in hosts} == {"127.0.0.1"}
    assert not {"SOCKET", "UVICORN_UDS", "GUNICORN_CMD_ARGS"} & set(env)


@pytest.mark.parametrize(
    ("own", "name", "expected"),
    [
        ("LANG=de_DE.UTF-8", "LANG", "de_DE.UTF-8"),
        ("FORWARDED_ALLOW_IPS=10.0.0.1", "FORWARDED_ALLOW_IPS", "10.0.0.1"),
        ("GUNICORN_CMD_ARGS='--threads 4'", "GUNICORN_CMD_ARGS", "--threads 4 --bind unix:/s"),
        ("SOCKET=/mine", "SOCKET", "/s"),
        ("RELEASE_ID=mine", "RELEASE_ID", "r1"),
        ("XDG_RUNTIME_DIR=/mine", "XDG_RUNTIME_DIR", "/run/shop/web-1.3.d"),
    ],
)
def test_environment_what_a_release_may_set(
    module: ModuleType, tmp_path: pathlib.Path, own: str, name: str, expected: str
) -> None:
    assert environment(module, tmp_path / "r1", own, "/s")[name] == expected


@pytest.mark.parametrize(
    ("status", "code"),
    [(None, None), (0, 0), (3 << 8, 3), (255 << 8, 255), (9, 137), (15, 143), (11 | 0x80, 139)],
)
def test_exit_code(module: ModuleType, status: int | None, code: int | None) -> None:
    spec = module.release.checked({"command": "x"}, module.contract.SPEC)
    generation = module.generation.Generation(
        1, pathlib.Path("/srv/shop/releases/r1"), spec, "/run/x/web-1"
    )
    generation.status = status
    assert generation.exit_code == code


def test_a_release_may_leave_out_what_has_a_default(module: ModuleType) -> None:
    spec = module.release.checked(
        {"command": "x", "health": None, "surplus": 1}, module.contract.SPEC
    )
    assert spec == module.contract.SPEC | {"command": "x"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ([], "not an object"),
        ("gunicorn", "not an object"),
        ({"command": 1}, "command"),
        ({"socket": "yes"}, "socket"),
        ({"port": 8000}, "port"),
        ({"overlap": 0}, "overlap"),
        ({"ready_after": "1"}, "ready_after"),
        ({"ready_timeout": -1}, "ready_timeout"),
        ({"drain_timeout": float("nan")}, "drain_timeout"),
        ({"stop_timeout": float("inf")}, "stop_timeout"),
        ({"health": "/healthz"}, "not an object"),
        ({"health": {"path": 1}}, "path"),
        ({"health": {"count": 0}}, "count"),
        ({"health": {"count": True}}, "count"),
    ],
)
def test_a_release_that_says_nonsense(module: ModuleType, wrong: object, named: str) -> None:
    with pytest.raises((ValueError, TypeError), match=named):
        module.release.checked(wrong, module.contract.SPEC)


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\ntw", b"o"], ["one", "two"]),
        ([b"\n\n"], ["", ""]),
        ([b"no newline"], ["no newline"]),
        ([b"gr\xc3\xbc\xc3\x9fe \xff\n"], ["grüße \ufffd"]),
        ([b"x" * 9000], ["x" * 1000]),
        ([b"%d\n" % number for number in range(160)], [str(n) for n in range(60, 160)]),
        ([b"".join(b"%d\n" % n for n in range(160)) + b"rest"], [str(n) for n in range(61, 160)]),
    ],
)
def test_last_lines(module: ModuleType, chunks: list[bytes], lines: list[str]) -> None:
    spec = module.release.checked({"command": "x"}, module.contract.SPEC)
    generation = module.generation.Generation(
        1, pathlib.Path("/srv/shop/releases/r1"), spec, "/run/x/web-1"
    )
    generation.output, writer = os.pipe()
    os.set_blocking(generation.output, False)
    for chunk in chunks:
        os.write(writer, chunk)
        generation.read()
    os.close(writer)
    assert generation.read() is None
    assert generation.output == -1
    assert generation.last_lines()[: len(lines)] == lines


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"hello", {"message": "hello"}),
        (b'say "h\xc3\xa9"\t\xff', {"message": 'say "h\u00e9"\t\\xff'}),
        (b'{"message": "paid", "log.level": "info"}', {"message": "paid", "log.level": "info"}),
        (b'{"@timestamp": "then", "a": {"b": 1}}', {"@timestamp": "then", "a": {"b": 1}}),
        (b'{"process.pid": 1, "service.version": "lie"}', {}),
        (b'{"a": NaN, "b": "\\ud800"}', {"a": "NaN", "b": "\ud800"}),
        (b'{"a": 1e999}', {"message": '{"a": 1e999}'}),
        (b'{"cut', {"message": '{"cut'}),
        (b'["no", "object"]', {"message": '["no", "object"]'}),
        (b'{"a":' * 100_000, {"message": '{"a":' * 100_000}),
    ],
    ids=[
        "plain",
        "bytes",
        "object",
        "own-time",
        "origin",
        "no-json",
        "infinite",
        "cut",
        "list",
        "deep",
    ],
)
def test_event(module: ModuleType, line: bytes, fields: dict[str, object]) -> None:
    origin = {"service.version": "r1", "process.pid": 7}
    text = module.output.event(line, "now", origin)
    assert text.endswith(b"}\n")
    assert text.count(b"\n") == 1
    assert json.loads(text) == {"@timestamp": "now"} | fields | origin


def test_timestamp(module: ModuleType) -> None:
    before = datetime.datetime.now(datetime.UTC)
    told = datetime.datetime.fromisoformat(module.output.timestamp())
    millisecond = datetime.timedelta(milliseconds=1)
    assert before - millisecond < told <= datetime.datetime.now(datetime.UTC)


def test_a_sweep_looks_twice(
    module: ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon forks and ends while /proc is read: gone when it is its turn, its child not listed."""
    with subprocess.Popen(["sleep", "600"]) as daemon:
        looks = iter([{}, {daemon.pid: f"{tmp_path}/web-1.1.d"}, {}, {}])
        monkeypatch.setattr(module.instance, "marks", lambda _prefix: next(looks))
        monkeypatch.setattr(module.instance, "children_of", lambda _pid: [])
        instance = module.instance.Instance(tmp_path / "shop", "web-1", tmp_path)
        instance.loop.until = lambda condition, *_rest: any(condition() for _each in range(10))
        instance.sweep()
        assert daemon.wait(PATIENCE) == -signal.SIGKILL


def test_no_deadline_hangs_on_the_wall_clock() -> None:
    """What uses time.time() are the timestamps in the status file and in the output."""
    users = [
        (name, function.name)
        for name, source in sources().items()
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) == ("time", "time")
    ]
    assert users == [("instance.py", "tell"), ("output.py", "timestamp")]
    assert not [name for name, source in sources().items() if "datetime" in source]


def test_it_needs_nothing_but_the_standard_library() -> None:
    python = ["python3", "-I", "-S", str(PIVOT), "--help"]
    done = subprocess.run(python, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert "HUP moves it" in done.stdout


@pytest.mark.parametrize("instance", ["web", "web-", "-1", "../x-1", "web-1.2", "web-one", ""])
def test_instance_must_be_type_and_number(instance: str, tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        ["python3", "-I", str(PIVOT), str(tmp_path), instance, "--run-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []
