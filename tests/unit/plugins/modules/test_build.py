# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module build: with the real uv, offline, and with programs that stand in for it."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._wheel import read_build
from ansible_collections.twelvefactor.deploy.plugins.modules import build

UV = shutil.which(
    "uv", path=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
)
LOCK = f"flask==3.1 --hash=sha256:{'a' * 64}\n"
PROCFILE = "web: gunicorn shop\n"

# A build backend of its own, so that nothing has to come from an index.
BACKEND = """
import os
import time
import zipfile


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = os.environ.get("SHOP_VERSION", "1.0")
    stamp = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    info = f"shop-{version}.dist-info"
    name = f"shop-{version}-py3-none-any.whl"
    members = {
        "shop.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: shop\\nVersion: {version}\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/RECORD": f"shop.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n",
    }
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member, stamp), text)
    return name
"""


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.txt").write_text(LOCK)
    (source / "Procfile").write_text(PROCFILE)
    (source / "backend.py").write_text(BACKEND)
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "shop"\ndynamic = ["version"]\n'
    )
    return source


@pytest.fixture
def standing_in(tmp_path: pathlib.Path) -> str:
    """A program that does what uv is asked for, with the backend above, and quicker."""
    path = tmp_path / "uv"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, sys.argv[-1])\nimport backend\n"
        "assert sys.argv[1:4] == ['build', '--wheel', '--out-dir'], sys.argv\n"
        "backend.build_wheel(sys.argv[4])\n"
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def params(source: pathlib.Path, standing_in: str, tmp_path: pathlib.Path) -> dict[str, Any]:
    return {"source": str(source), "output": str(tmp_path / "out" / "here"), "uv": standing_in}


@pytest.fixture(autouse=True)
def no_commit_above(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def git(source: pathlib.Path, *words: str) -> str:
    dated = {
        "GIT_COMMITTER_DATE": "2026-03-04T05:06:08Z",
        "GIT_AUTHOR_DATE": "2026-03-04T05:06:08Z",
    }
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    done = subprocess.run(
        command, cwd=source, env=os.environ | dated, check=True, capture_output=True, timeout=30
    )
    return done.stdout.decode().strip()


def test_build_with_uv(call: Any, params: dict[str, Any]) -> None:
    params |= {
        "uv": UV,
        "version": "1.4.0",
        "environment": {"SHOP_VERSION": "1.4.0", "UV_PYTHON": sys.executable},
    }
    done = call(build.main, **params)
    assert done.code == 0
    path = pathlib.Path(done.result["path"])
    assert read_build(path, path.name) == (LOCK, PROCFILE)
    assert (done.result["name"], done.result["version"]) == ("shop", "1.4.0")


def test_same_source_gives_the_same_bytes(call: Any, params: dict[str, Any]) -> None:
    done = call(build.main, **params)
    path = pathlib.Path(done.result["path"])
    first = path.read_bytes()
    assert done.result["changed"] is True
    assert done.result["sha256"] == hashlib.sha256(first).hexdigest()
    assert done.result["commit"] is None
    again = call(build.main, **params)
    assert again.result["changed"] is False
    assert path.read_bytes() == first
    assert [child.name for child in path.parent.iterdir()] == ["shop-1.0-py3-none-any.whl"]


def test_another_lock_makes_another_build(
    call: Any, params: dict[str, Any], source: pathlib.Path
) -> None:
    first = call(build.main, **params)
    (source / "requirements.txt").write_text(LOCK.replace("3.1", "3.2"))
    second = call(build.main, **params)
    assert second.result["changed"] is True
    assert second.result["sha256"] != first.result["sha256"]
    assert "3.2" in (read_build(pathlib.Path(second.result["path"]), "x")[0] or "")


PYLOCK = f"""lock-version = "1.0"
created-by = "test"
[[packages]]
name = "flask"
version = "3.1"
wheels = [{{name = "flask-3.1-py3-none-any.whl", hashes = {{sha256 = "{"a" * 64}"}}}}]
[[packages]]
name = "shop"
directory = {{path = ".", editable = true}}
"""


@pytest.mark.parametrize("given", [None, "pylock.toml", "pylock.prod.toml"])
def test_pylock(given: str | None, call: Any, params: dict[str, Any], source: pathlib.Path) -> None:
    (source / "requirements.txt").unlink()
    (source / (given or "pylock.toml")).write_text(PYLOCK)
    done = call(build.main, **params, **({"requirements": given} if given else {}))
    assert read_build(pathlib.Path(done.result["path"]), "x") == (PYLOCK, PROCFILE)


def test_neither_the_commit_nor_the_clock_changes_a_build(
    call: Any, params: dict[str, Any], source: pathlib.Path
) -> None:
    first = call(build.main, **params)
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "x")
    for path in source.iterdir():
        os.utime(path, (0, 0))
    second = call(build.main, **params)
    assert second.result["changed"] is False
    assert second.result["sha256"] == first.result["sha256"]
    assert second.result["commit"] == git(source, "rev-parse", "HEAD")


def test_time_that_is_given_counts(
    call: Any, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = call(build.main, **params)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert call(build.main, **params).result["sha256"] != first.result["sha256"]


@pytest.mark.parametrize(
    ("files", "changes", "words"),
    [
        pytest.param(
            {"requirements.txt": None}, {}, "it is the lock file of the app", id="no-lock"
        ),
        pytest.param({"Procfile": None}, {}, "it is the Procfile of the app", id="no-procfile"),
        pytest.param({}, {"source": "/no/such"}, "/no/such/requirements.txt is missing", id="none"),
        pytest.param({"requirements.txt": "flask\n"}, {}, "is not pinned", id="unpinned"),
        pytest.param({"requirements.txt": "a==1\n"}, {}, "no sha256 for a==1", id="no-hash"),
        pytest.param({"requirements.txt": ""}, {}, "is empty", id="empty-lock"),
        pytest.param({"pylock.toml": PYLOCK}, {}, "say by `requirements` which", id="two-locks"),
        pytest.param(
            {"pylock.toml": PYLOCK.replace("shop", "lib"), "requirements.txt": None},
            {},
            "lib comes from a directory",
            id="pylock-with-a-directory",
        ),
        pytest.param({"requirements.txt": b"\xff"}, {}, "is no UTF-8 text", id="binary-lock"),
        pytest.param({"Procfile": "release: x\n"}, {}, "no process type to run", id="only-release"),
        pytest.param(
            {}, {"version": "2.0"}, "builds shop 1.0, but 2.0 was asked for", id="other-version"
        ),
        pytest.param(
            {}, {"uv": "/no/such/uv"}, "is missing on this host; it comes from", id="no-uv"
        ),
        pytest.param({}, {"uv": "/bin/false"}, "uv ended with 1", id="uv-fails"),
        pytest.param({}, {"uv": "/bin/true"}, "made 0 wheels; expected one", id="no-wheel"),
        pytest.param({"backend.py": "raise SystemExit('boom')"}, {}, "boom", id="backend-fails"),
        pytest.param({}, {"output": "/dev/null/x"}, "Not a directory", id="no-output"),
    ],
)
def test_refused(
    files: dict[str, Any],
    changes: dict[str, Any],
    words: str,
    call: Any,
    params: dict[str, Any],
    source: pathlib.Path,
) -> None:
    for name, content in files.items():
        if content is None:
            (source / name).unlink()
        elif isinstance(content, bytes):
            (source / name).write_bytes(content)
        else:
            (source / name).write_text(content)
    done = call(build.main, **(params | changes))
    assert done.code == 1
    assert words in done.result["msg"]
    assert not list(pathlib.Path(params["output"]).glob("*.whl"))


def test_secrets_of_the_build_are_not_shown(call: Any, params: dict[str, Any]) -> None:
    secret = {"INDEX_PASSWORD": "canary-in-a-coal-mine"}
    for changes in ({}, {"version": "2.0"}, {"unknown": 1}, {"output": "/dev/null/x"}):
        done = call(build.main, **(params | {"environment": secret} | changes))
        assert secret["INDEX_PASSWORD"] not in done.printed


def test_check_mode_is_skipped(call: Any, params: dict[str, Any]) -> None:
    done = call(build.main, check=True, **params)
    assert done.result["skipped"] is True
    assert not pathlib.Path(params["output"]).exists()
