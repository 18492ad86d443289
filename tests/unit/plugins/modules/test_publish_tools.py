# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module publish_tools, with the real uv and the real pip and an index on loopback."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish import toolchain
from ansible_collections.twelvefactor.deploy.plugins.modules import publish_tools


@pytest.fixture
def params(
    tmp_path: pathlib.Path, index: Any, make_wheel: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    wheel = make_wheel("twine", "7.0")
    index.add(wheel)
    lock = tmp_path / "tools.txt"
    lock.write_text(f"twine==7.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    directory = str(tmp_path / "cache" / "tools")
    return {"requirements": str(lock), "directory": directory, "index_url": index.url}


def version_of(path: str) -> str:
    script = "import twine; print(twine.version)"
    command = [f"{path}/python", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_made_once(
    installer: str, call: Any, params: dict[str, Any], index: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if installer == "pip":
        monkeypatch.setattr(toolchain, "find_uv", lambda _given: None)
    else:
        assert toolchain.find_uv(None)
    check = call(publish_tools.main, check=True, **params)
    assert check.result["changed"] is True
    assert not pathlib.Path(params["directory"]).exists()
    first = call(publish_tools.main, **params)
    assert first.code == 0, first.result
    assert first.result["changed"] is True
    assert first.result["path"] == check.result["path"]
    assert version_of(first.result["path"]) == "7.0\n"
    index.asked.clear()
    for check_mode in (False, True):
        again = call(publish_tools.main, check=check_mode, **params)
        assert (again.result["changed"], again.result["path"]) == (False, first.result["path"])
    assert index.asked == []


def test_what_was_cut_off_is_made_anew(call: Any, params: dict[str, Any]) -> None:
    first = pathlib.Path(call(publish_tools.main, **params).result["path"])
    (first.parent / ".complete").unlink()
    (first / "python").unlink()
    again = call(publish_tools.main, **params)
    assert again.result["changed"] is True
    assert version_of(again.result["path"]) == "7.0\n"


def test_another_lock_makes_others(
    call: Any, params: dict[str, Any], index: Any, make_wheel: Any
) -> None:
    first = call(publish_tools.main, **params).result["path"]
    wheel = make_wheel("twine", "8.0")
    index.add(wheel)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pathlib.Path(params["requirements"]).write_text(f"twine==8.0 --hash=sha256:{digest}\n")
    second = call(publish_tools.main, **params).result["path"]
    assert (version_of(first), version_of(second)) == ("7.0\n", "8.0\n")


def test_what_nobody_uses_goes(call: Any, params: dict[str, Any]) -> None:
    old = pathlib.Path(params["directory"], "publish-tools-3.9-0123456789ab")
    young = pathlib.Path(params["directory"], "publish-tools-3.10-0123456789ab")
    for path, days in ((old, 91), (young, 89)):
        path.mkdir(parents=True)
        (path / ".complete").touch()
        then = time.time() - days * 86_400
        os.utime(path / ".complete", (then, then))
    call(publish_tools.main, **params)
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.parametrize(
    ("changes", "lock", "words"),
    [
        (
            {},
            f"twine==7.0 --hash=sha256:{'0' * 64}\n",
            "Could not make the tools for publishing in",
        ),
        ({}, "twine==7.0\n", "has no sha256 for twine==7.0"),
        ({"requirements": "/no/such"}, None, "Could not make the tools for publishing: "),
        ({"directory": "/dev/null/x"}, None, "Not a directory"),
        ({"uv": "/bin/false"}, None, "/bin/false ended with 1"),
    ],
)
def test_cannot_be_made(
    changes: dict[str, Any], lock: str | None, words: str, call: Any, params: dict[str, Any]
) -> None:
    if lock:
        pathlib.Path(params["requirements"]).write_text(lock)
    done = call(publish_tools.main, **(params | changes))
    assert done.code == 1
    assert words in done.result["msg"]
    again = call(publish_tools.main, check=True, **params)
    assert again.result.get("changed", True) is True


def test_uv_beside_the_python_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert toolchain.find_uv("/opt/uv") == "/opt/uv"
    monkeypatch.setenv("PATH", "/nonexistent")
    beside = shutil.which("uv", path=str(pathlib.Path(sys.executable).parent))
    assert toolchain.find_uv(None) == beside


def test_credentials_of_the_index_are_not_shown(
    call: Any, params: dict[str, Any], index: Any
) -> None:
    params["index_url"] = index.url_of("ci:canary-in-a-coal-mine")
    assert "canary" not in call(publish_tools.main, **params).printed
    pathlib.Path(params["requirements"]).write_text(f"gone==1 --hash=sha256:{'0' * 64}\n")
    assert "canary" not in call(publish_tools.main, **params).printed


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_certificate_that_is_not_trusted_names_the_variables(
    installer: str,
    call: Any,
    tmp_path: pathlib.Path,
    server: Any,
    certificate: tuple[pathlib.Path, pathlib.Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_RETRIES", "0")
    if installer == "pip":
        monkeypatch.setattr(toolchain, "find_uv", lambda _given: None)
    server.start(certificate)
    lock = tmp_path / "tools.txt"
    lock.write_text(f"twine==7.0 --hash=sha256:{'0' * 64}\n")
    done = call(
        publish_tools.main,
        requirements=str(lock),
        directory=str(tmp_path / "cache"),
        # by name: the pip that comes with Python 3.13.0 cannot do TLS with an address
        index_url=server.url.replace("127.0.0.1", "localhost"),
    )
    assert done.code == 1
    assert "Give the CA that signed it: index_ca_file in the inventory" in done.result["msg"]
