# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release and the record of deploys say, and what becomes of it for a process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shlex
from typing import Any, NamedTuple

from .contract import SPEC
from .refusal import Refused

LONGEST_ENTRY = 1 << 20  # bytes of one in the record of deploys

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
REDIRECTION = re.compile(r"[<>]+[&|]?")


def resolve(path: pathlib.Path, kind: str) -> tuple[pathlib.Path, dict[str, dict[str, Any]]]:
    """The release that ``path`` names now, and what it says of each process type.

    Raises Refused where it says nothing of ``kind``, or something that is wrong.
    """
    try:
        release = path.resolve(strict=True)
        processes = json.loads((release / "release.json").read_text("utf-8"))["processes"]
        if kind not in processes:
            raise Refused(f"release {release.name} has no process type {kind!r}")
        specs = {each: checked(process, SPEC) for each, process in processes.items()}
    except FileNotFoundError as error:
        raise Refused(f"{path} names no release: {error.filename} is missing") from None
    except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise Refused(f"cannot read the release that {path} names: {error}") from None
    return release, specs


def checked(data: Any, model: dict[str, Any]) -> dict[str, Any]:
    """``data`` with every key of ``model`` in the type it has there; or an error names a bad one.

    A pivot that stumbled over a release later than here would take the old release with it.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{data!r} is not an object")
    result = {}
    for key, default in model.items():
        value = default if data.get(key) is None else data[key]
        if isinstance(default, dict):
            value = checked(value, default)
        elif isinstance(default, float):
            if not (isinstance(value, int | float) and 0 <= value < 1e6):
                raise ValueError(f"{key} is {value!r}, not a number of seconds")
        elif (
            not isinstance(value, type(default))
            or isinstance(value, bool) is not isinstance(default, bool)
            or (isinstance(value, int) and not isinstance(value, bool) and value < 1)
        ):
            raise ValueError(f"{key} is {value!r}, where {default!r} would be right")
        result[key] = value
    return result


def read_env(text: str) -> dict[str, str]:
    """Parse a release's ``env``: lines of shell-quoted ``KEY=value``.

    The error never shows a value: it might be a secret.
    """
    result = {}
    for number, word in enumerate(shlex.split(text, comments=True), 1):
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise ValueError(f"env: entry {number} is not of the form KEY=value")
        result[key] = value
    return result


def shell_command(command: str) -> str:
    """Make the shell replace itself where it can, so that the process is our own child.

    Signals and PR_SET_PDEATHSIG then reach the process itself. ``env`` is there for commands that
    begin with ``KEY=value``. A command with shell operators other than redirections is left alone:
    it says ``exec`` itself. ValueError when no command is there: ``env`` alone would print secrets.
    """
    words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    operators = [word for word in words if word and set(word) <= set("();<>|&")]
    program = next((word for word in words if not ASSIGNMENT.match(word)), "-")
    if program.startswith("-"):
        raise ValueError(f"{command!r} is not a command")
    if not all(REDIRECTION.fullmatch(word) for word in operators) or "\n" in command.strip():
        return command
    if program is not words[0]:
        return f"exec env {command}"
    return command if program == "exec" else f"exec {command}"


def environment(
    app: str, instance: str, release: pathlib.Path, listens_at: str | int | None, private: str
) -> dict[str, str]:
    """The whole environment of a process: the release's config, then what the platform owns.

    The socket's path, or the port, goes in under every name that app servers read, so that a Procfile says no
    more than ``web: gunicorn shop.wsgi``. FORWARDED_ALLOW_IPS may be ``*`` because the directory
    lets nobody but the proxy reach the socket. SPT_NOENV keeps setproctitle from overwriting
    /proc/PID/environ, which is where RELEASE_ID proves what a process runs.
    """
    own = read_env((release / "env").read_text("utf-8"))
    env = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "FORWARDED_ALLOW_IPS": "*"} | own
    env |= {
        "PATH": f"{release}/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": f"{release}/venv",
        "HOME": f"/var/lib/{app}",
        "USER": app,
        "RELEASE_ID": release.name,
        "SENTRY_RELEASE": f"{app}@{release.name}",
        "PROCESS_TYPE": instance.rpartition("-")[0],
        "PROCESS_INSTANCE": instance,
        "SPT_NOENV": "1",
        "XDG_RUNTIME_DIR": private,
    }
    return env | where_to_listen(listens_at, own.get("GUNICORN_CMD_ARGS", ""))


def where_to_listen(where: str | int | None, gunicorn: str) -> dict[str, str]:
    """``where``: the path of a socket, or a port. ``gunicorn``: the app's own arguments for that server."""
    if isinstance(where, int):
        host, port = "127.0.0.1", str(where)
        return {
            "PORT": port,
            "UVICORN_HOST": host,
            "UVICORN_PORT": port,
            "GRADIO_SERVER_NAME": host,
            "GRADIO_SERVER_PORT": port,
            "STREAMLIT_SERVER_ADDRESS": host,
            "STREAMLIT_SERVER_PORT": port,
            "STREAMLIT_SERVER_HEADLESS": "true",
        }
    if where:
        return {
            "SOCKET": where,
            "GUNICORN_CMD_ARGS": f"{gunicorn} --bind unix:{where}".strip(),
            "UVICORN_UDS": where,
            "GRANIAN_UDS": where,
            "UWSGI_HTTP_SOCKET": where,
        }
    return {}


class Record(NamedTuple):
    """What the record of deploys says of the app's releases."""

    good: str | None  # the one that served last
    pending: str | None  # the one whose deploy never ended
    refused: frozenset[str]  # those whose last deploy failed


def read_record(path: pathlib.Path) -> Record:
    good, pending = None, None
    refused: set[str] = set()
    with contextlib.suppress(OSError), path.open("rb") as file:
        while line := file.readline(LONGEST_ENTRY):
            # what is no entry was cut short by a full disk, or is what a power cut has left
            with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
                entry = json.loads(line.decode("utf-8"))
                release, outcome = entry["release"], entry["outcome"]
                if not isinstance(release, str) or not isinstance(outcome, str):
                    continue
                good = release if outcome == "good" else good
                pending = release if outcome == "pending" else None
                if outcome == "good":
                    refused.discard(release)
                # that one which serves got no other formation says nothing against it
                elif (
                    outcome == "bad" and entry.get("before") != release and entry.get("tried", True)
                ):
                    refused.add(release)
    return Record(good, pending, frozenset(refused))


def is_locked(directory: pathlib.Path) -> bool:
    """Whether somebody holds a lock on the directory (flock(2))."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False
