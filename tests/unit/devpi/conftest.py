# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real devpi server on a Unix socket, of the versions that the role locks."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import io
import json
import os
import pathlib
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import handlers

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
LOCK = REPOSITORY / "roles" / "devpi" / "files" / "requirements.txt"
PLUGINS = REPOSITORY / "roles" / "devpi" / "files" / "plugin"
PASSWORD = "root's own\\pass word"  # nothing that a shell would leave alone
START_TIMEOUT = 300  # seconds


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a module answered."""

    failed: bool
    changed: bool
    result: dict[str, Any]
    output: str  # all of it, as Ansible reads it

    @property
    def message(self) -> str:
        return str(self.result["msg"])


@dataclasses.dataclass(frozen=True)
class Devpi:
    """The server, and the ways to run a module on it and to ask it."""

    url: str
    root = "http://localhost"  # what its URLs begin with

    def open(self, request: str | urllib.request.Request) -> Any:
        opener = urllib.request.build_opener(*handlers(unix=self.url.removeprefix("unix:")))
        return opener.open(request, timeout=60)

    def run(self, module: str, *, check: bool = False, **params: Any) -> Outcome:
        main: Callable[[], None] = importlib.import_module(
            f"ansible_collections.twelvefactor.deploy.plugins.modules.{module}"
        ).main
        arguments = {
            "url": self.url,
            "login_password": PASSWORD,
            **params,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            "_ansible_inject_invocation": True,
        }
        output = io.StringIO()
        with (
            patch_module_args(arguments),
            contextlib.redirect_stdout(output),
            pytest.raises(SystemExit),
        ):
            main()
        result = json.loads(output.getvalue())
        return Outcome(
            failed=bool(result.get("failed")),
            changed=bool(result.get("changed")),
            result=result,
            output=output.getvalue(),
        )

    def both(self, module: str, **params: Any) -> Outcome:
        """Check mode, then for real, then again: prediction, deed and idempotence agree."""
        done, again = self._thrice("action", module, **params)
        assert again.result["action"] == "none"
        return done

    def contents(self, **params: Any) -> Outcome:
        """As ``both``, of the module that has many objects."""
        done, again = self._thrice("changes", "devpi_contents", **params)
        assert again.result["changes"] == again.result["diff"] == []
        return done

    def _thrice(self, said: str, module: str, **params: Any) -> tuple[Outcome, Outcome]:
        predicted = self.run(module, check=True, **params)
        done = self.run(module, **params)
        again = self.run(module, **params)
        assert not predicted.failed, predicted.message
        assert not done.failed, done.message
        assert not again.failed, again.message
        assert predicted.changed == done.changed
        assert predicted.result[said] == done.result[said]
        assert predicted.result["diff"] == done.result["diff"]
        assert not again.changed
        return done, again


@pytest.fixture(scope="session")
def virtualenv() -> pathlib.Path:
    """devpi's virtualenv, kept for the next run as long as the lock is the same."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    home = REPOSITORY / "build" / "devpi" / digest
    if not (home / "complete").exists():
        subprocess.run(["uv", "venv", "--quiet", "--clear", home], check=True, timeout=300)
        subprocess.run(
            ["uv", "pip", "sync", "--quiet", "--require-hashes", "--python", home, LOCK],
            check=True,
            timeout=900,
        )
        (home / "complete").touch()
    return home


@pytest.fixture(scope="session")
def devpi(virtualenv: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devpi]:
    home = tmp_path_factory.mktemp("devpi")
    home.chmod(0o700)
    secret = home / "secret"
    secret.write_text(secrets.token_urlsafe(32))
    secret.chmod(0o600)
    path = home / "devpi.sock"
    config = home / "devpi-server.yml"
    config.write_text(
        "devpi-server:\n"
        f"  serverdir: {home / 'data'}\n"
        f"  secretfile: {secret}\n"
        "  argon2-memory-cost: 1024\n"
        f"  unix-socket: {path}\n"
        "  unix-socket-perms: 660\n"
        "  restrict-modify: root\n"
        # Nothing in these tests may leave the machine.
        "  offline-mode: true\n"
    )
    environment = {key: os.environ[key] for key in os.environ if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "DEVPISERVER_ROOT_PASSWD": PASSWORD,
        # compiled once, and not beside the plugins
        "PYTHONPYCACHEPREFIX": str(virtualenv / "compiled"),
        "PYTHONPATH": str(PLUGINS),
        "PYTHONWARNINGS": "ignore",
    }
    log = home / "log"
    with log.open("w") as output:
        subprocess.run(
            [virtualenv / "bin" / "devpi-init", "--configfile", config],
            env=environment,
            stdout=output,
            stderr=output,
            check=True,
            timeout=START_TIMEOUT,
        )
        server = subprocess.Popen(
            [virtualenv / "bin" / "devpi-server", "--configfile", config],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        devpi = Devpi(f"unix:{path}")
        wait_for(devpi, server, log)
        yield devpi
    finally:
        server.terminate()
        server.wait(timeout=120)


def wait_for(devpi: Devpi, server: subprocess.Popen[bytes], log: pathlib.Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), devpi.open(f"{devpi.root}/+api"):
            return
        time.sleep(0.1)
    pytest.fail(f"devpi does not answer:\n{log.read_text()}")
