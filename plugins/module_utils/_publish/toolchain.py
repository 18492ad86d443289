# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that publishing needs, in a virtualenv of their own, from a lock."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import trust_remedy
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
    parse_lock,
)

TIMEOUT = 900.0  # seconds for one command
LOCK_TIMEOUT = 1800.0  # seconds for another run that makes the same tools
UNUSED = 90 * 86_400.0  # seconds after which tools are removed
PREFIX = "publish-tools"


def name_of(lock: str, python: str, version: tuple[int, int]) -> str:
    """Name of the directory: another lock or another Python are other tools."""
    digest = hashlib.sha256(f"{python}\n{lock}".encode()).hexdigest()[:12]
    return f"{PREFIX}-{version[0]}.{version[1]}-{digest}"


@contextlib.contextmanager
def exclusive(path: pathlib.Path) -> Iterator[None]:
    """Nobody else makes or removes tools in this directory meanwhile."""
    with path.open("w") as file:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DeployError(
                        f"Another run has been making tools for {LOCK_TIMEOUT:g} s; `fuser {path}` "
                        "says which."
                    ) from None
                time.sleep(0.2)
        yield


def find_uv(given: str | None) -> str | None:
    beside = pathlib.Path(sys.executable).parent
    return given or shutil.which("uv", path=os.pathsep.join([str(beside), os.environ["PATH"]]))


def commands(lock: str, venv: pathlib.Path, uv: str | None) -> list[list[str]]:
    """What makes the virtualenv and fills it."""
    python = str(venv / "bin" / "python")
    wheels = ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
    if uv:
        return [
            [uv, "venv", "--python", sys.executable, str(venv)],
            [uv, "pip", "install", "--python", python, *wheels, "--requirements", lock],
        ]
    return [
        [sys.executable, "-m", "venv", str(venv)],
        [python, "-m", "pip", "install", "--no-input", *wheels, "--requirement", lock],
    ]


def environment(params: dict[str, Any], uv: str | None) -> dict[str, str]:
    chosen = {"UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    inherited = dict(os.environ)
    if params["index_url"]:
        for tool in ("PIP", "UV"):
            for source in ("EXTRA_INDEX_URL", "FIND_LINKS", "INDEX"):
                inherited.pop(f"{tool}_{source}", None)
        chosen |= {"UV_DEFAULT_INDEX": params["index_url"], "UV_NO_CONFIG": "1"}
        chosen |= {"PIP_INDEX_URL": params["index_url"], "PIP_CONFIG_FILE": os.devnull}
    if params["ca_path"]:
        chosen |= {"SSL_CERT_FILE": params["ca_path"], "PIP_CERT": params["ca_path"]}
    return inherited | chosen


def make(params: dict[str, Any], venv: pathlib.Path, pins: Sequence[Pin]) -> None:
    uv = find_uv(params["uv"])
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lock:
        lock.write(format_pins(pins))
        lock.flush()
        for command in commands(lock.name, venv, uv):
            what = f"make the tools for publishing in {venv}"
            code, said = run(command, what, TIMEOUT, environment=environment(params, uv))
            if code:
                raise DeployError(
                    f"Could not {what}: {command[0]} ended with {code}:\n{said.strip()[-3000:]}"
                    f"{trust_remedy(said)}"
                )


def remove_unused(directory: pathlib.Path, now: float) -> None:
    for complete in directory.glob(f"{PREFIX}-*/.complete"):
        if now - complete.stat().st_mtime > UNUSED:
            shutil.rmtree(complete.parent)


def ensure(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """The module's result: where the tools are, and whether they were made now.

    With ``check`` nothing is written. Raises DeployError and OSError.
    """
    path = pathlib.Path(params["requirements"])
    lock = path.read_text("utf-8")
    pins = parse_lock(lock, str(path))
    directory = pathlib.Path(params["directory"])
    venv = directory / name_of(lock, sys.base_prefix, sys.version_info[:2])
    complete, result = venv / ".complete", {"path": str(venv / "bin")}
    if check:
        return {"changed": not complete.exists(), **result}
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive(directory / f".{PREFIX}.lock"):
        there = complete.exists()
        if not there:
            shutil.rmtree(venv, ignore_errors=True)  # what a run that was cut off has left
            make(params, venv, pins)
        complete.touch()
        remove_unused(directory, time.time())
    return {"changed": not there, **result}
