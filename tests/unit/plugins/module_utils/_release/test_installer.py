# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing with the real uv and the real pip, from an index on loopback."""

from __future__ import annotations

import importlib.util
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    installed_packages,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    installer as release_installer,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.installer import (
    Installer,
)
from unit.plugins import startup

pytestmark = pytest.mark.xdist_group("pip")  # with --dist loadgroup one environment is enough

UV = shutil.which(
    "uv", path=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
)
ZERO = "0" * 64
SECRET = "correct-horse"

HASH = "does not have the hash that the lock file names"
MISSING = ", which the lock file names. The"
PLATFORM = "has no wheel for this host's platform or Python. Build a wheel"
UNFIT = (
    "has no wheel for this host's platform or Python, or only its source; nothing is built here."
)
SOURCE = "has no wheel at all, only its source, and nothing is built here. Build a wheel"
SILENT = "the index does not answer as it should"
REFUSES = "the index refuses who asks"
UNSAID = "which the lock file names, or it has no wheel for this host's platform"


class Impatient(Installer):
    """Asks an index that does not answer once, and once again where else it would not say so."""

    def _environment(self) -> dict[str, str]:
        environment = super()._environment() | {"UV_HTTP_RETRIES": "0", "PIP_RETRIES": "1"}
        return environment | {"PIP_TIMEOUT": "60"}


def sdist(directory: pathlib.Path, name: str) -> pathlib.Path:
    path = directory / f"{name}-1.0.tar.gz"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(f"{name}-1.0/PKG-INFO")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return path


@pytest.fixture
def filled(index: Any, make_wheel: Any, tmp_path: pathlib.Path) -> Any:
    """An index with one project for each thing that can be wrong, behind a login."""
    index.login = f"joe:{SECRET}"
    index.add(make_wheel("shop"))
    index.add(make_wheel("elsewhere", tag="cp311-cp311-win_amd64"))
    index.add(make_wheel("ancient", tag="cp27-cp27m-manylinux1_x86_64"))
    index.add(sdist(tmp_path, "sourceonly"))
    index.add(make_wheel("changed"), digest=None)
    index.add(make_wheel("withdrawn"), yanked='breaks "orders"')
    index.add(make_wheel("regretted"), yanked="")
    gone = make_wheel("gone")
    index.add(gone)
    del index.answers[f"/files/{gone.name}"]
    index.answers["/simple/forbidden/"] = [index.Answer(status=403)]
    index.answers["/simple/broken/"] = [index.Answer(status=500)]
    return index


def installer(home: AppHome, url: str, uv: str | None) -> Impatient:
    (home.root / "cache").mkdir(exist_ok=True)
    return Impatient(home, url, sys.executable, uv)


def write_lock(home: AppHome, *requirements: str) -> pathlib.Path:
    path = home.releases / "1.0-aaaaaaaa"
    path.mkdir(exist_ok=True)
    lock = path / "requirements.txt"
    lock.write_text("".join(f"{line} --hash=sha256:{ZERO}\n" for line in requirements))
    return lock


def complaint(installer: Installer, venv: pathlib.Path, lock: pathlib.Path) -> str:
    with pytest.raises(DeployError) as caught:
        installer.fill(venv, lock)
    message = str(caught.value)
    assert message.startswith("Could not install 1.0-aaaaaaaa: ")
    assert SECRET not in message
    return message


# --- live: uv ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uv_venv(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("uv")
    home = AppHome("shop", root, os.geteuid(), os.getegid(), os.geteuid())
    Installer(home, "", sys.executable, UV).make(root / "venv", root / "x" / "requirements.txt")
    return root / "venv"


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        pytest.param("shop==1.0", HASH, id="hash-mismatch"),
        pytest.param("changed==1.0", HASH, id="hash-mismatch-that-the-page-does-not-show"),
        pytest.param("shop==9.9", MISSING, id="no-such-version"),
        pytest.param("nowhere==1.0", MISSING, id="no-such-project"),
        pytest.param("elsewhere==1.0", PLATFORM, id="other-platform"),
        pytest.param("ancient==1.0", PLATFORM, id="other-python"),
        pytest.param("sourceonly==1.0", UNFIT, id="source-only"),
        pytest.param("gone==1.0", SILENT, id="file-is-gone"),
        pytest.param("broken==1.0", SILENT, id="server-error"),
        pytest.param("forbidden==1.0", REFUSES, id="forbidden"),
    ],
)
def test_uv(
    requirement: str, reason: str, home: AppHome, filled: Any, uv_venv: pathlib.Path
) -> None:
    url = filled.url_of(f"joe:{SECRET}")
    message = complaint(installer(home, url, UV), uv_venv, write_lock(home, requirement))
    assert reason in message
    assert requirement.partition("=")[0] in message


def test_uv_with_a_wrong_login(home: AppHome, filled: Any, uv_venv: pathlib.Path) -> None:
    filled.login = "joe:other"
    url = filled.url_of(f"joe:{SECRET}")
    message = complaint(installer(home, url, UV), uv_venv, write_lock(home, "shop==1.0"))
    assert REFUSES in message


def test_uv_when_nobody_listens(home: AppHome, server: Any, uv_venv: pathlib.Path) -> None:
    url = server.url_of(f"joe:{SECRET}")
    server.stop()
    message = complaint(installer(home, url, UV), uv_venv, write_lock(home, "shop==1.0"))
    assert SILENT in message


def lock_of(home: AppHome, filled: Any, *names: str, release: str = "1.0-aaaaaaaa") -> pathlib.Path:
    """A lock with the right hashes."""
    lines = []
    for name in names:
        digest = filled.answers[f"/simple/{name}/"][0].body.decode().partition("sha256=")[2][:64]
        lines.append(f"{name}==1.0 --hash=sha256:{digest}\n")
    (home.releases / release).mkdir(exist_ok=True)
    lock = home.releases / release / "requirements.txt"
    lock.write_text("".join(lines))
    return lock


pip_only = pytest.mark.skipif(
    importlib.util.find_spec("ensurepip") is None, reason="this Python makes no pip"
)


WITHDRAWN = {"withdrawn 1.0": 'breaks "orders"', "regretted 1.0": ""}


def assert_complete(venv: pathlib.Path) -> None:
    """What the lock names, compiled, and nothing that `venv` brought along."""
    names = ("regretted", "shop", "withdrawn")
    assert installed_packages(venv) == dict.fromkeys(names, "1.0")
    assert list(venv.glob("lib/python3.*/site-packages/__pycache__/shop.*.pyc"))
    assert (venv / "bin" / "python").exists()


def test_install_with_uv(home: AppHome, filled: Any) -> None:
    lock = lock_of(home, filled, "shop", "withdrawn", "regretted")
    venv = lock.parent / "venv"
    said = installer(home, filled.url_of(f"joe:{SECRET}"), UV).install(venv, lock)
    assert said == WITHDRAWN
    assert_complete(venv)
    files = [path for path in venv.rglob("*") if not path.is_symlink()]
    assert [path for path in files if path.stat().st_mode & 0o022] == []


@pytest.mark.parametrize("way", startup.WAYS)
@pytest.mark.parametrize("uv", [UV, pytest.param(None, marks=pip_only)], ids=["uv", "pip"])
def test_no_code_of_a_package_runs(
    uv: str | None, way: Any, home: AppHome, filled: Any, make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    """Nor what every start of its interpreter runs: who installs does so for all apps."""
    ran = tmp_path / "ran"
    filled.add(make_wheel("early", "1.0", files=way(tmp_path / "library", ran)))
    lock = lock_of(home, filled, "early", "shop")
    home.cache.mkdir(exist_ok=True)
    there = installer(home, filled.url_of(f"joe:{SECRET}"), uv)
    there.install(lock.parent / "venv", lock)
    assert not ran.exists()
    assert list(lock.parent.glob("venv/lib/python3.*/site-packages/__pycache__/shop.*.pyc"))
    subprocess.run([lock.parent / "venv/bin/python", "-c", ""], check=False, timeout=60)
    assert ran.exists()


@pytest.mark.parametrize("uv", [UV, None], ids=["uv", "pip"])
def test_a_cache_that_the_app_can_write_is_not_cleaned(uv: str | None, home: AppHome) -> None:
    """A link in it may lead to what the installing user has elsewhere."""
    there = installer(home, "", uv)
    (home.cache / "pip").mkdir()
    home.cache.chmod(0o770)
    assert there.forget(["shop"]) == ""
    assert (home.cache / "pip").exists()
    home.cache.chmod(0o700)
    assert there.forget(["shop"]) == ""
    assert (home.cache / "pip").exists() is (uv is not None)


def test_releases_share_what_they_have_in_common(home: AppHome, filled: Any) -> None:
    """One file on the disk, and nothing is downloaded for the second release."""
    there = installer(home, filled.url_of(f"joe:{SECRET}"), UV)
    numbers = []
    for release in ("1.0-aaaaaaaa", "2.0-bbbbbbbb"):
        filled.asked.clear()
        lock = lock_of(home, filled, "shop", release=release)
        there.install(lock.parent / "venv", lock)
        (code,) = lock.parent.glob("venv/lib/python3.*/site-packages/shop.py")
        numbers.append(code.stat().st_ino)
        assert code.stat().st_nlink == 2 + len(numbers) - 1
    assert numbers[0] == numbers[1]
    assert not [path for path, _login in filled.asked if path.startswith("/files/")]
    (pyc,) = lock.parent.glob("venv/lib/python3.*/site-packages/__pycache__/shop.*.pyc")
    assert pyc.stat().st_nlink == 1


def test_every_app_has_a_cache_of_its_own(home: AppHome, tmp_path: pathlib.Path) -> None:
    """uv does not look at the hashes of what is in its cache, whoever may have put it there."""
    other = AppHome("other", tmp_path / "other", os.geteuid(), os.getegid(), os.geteuid())
    caches = []
    for one in (home, other):
        said = Installer(one, "", sys.executable, UV)._environment()
        caches += [said[name] for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "HOME")]
    assert len({cache.removesuffix("/uv").removesuffix("/pip") for cache in caches}) == 2
    assert all(cache.startswith((f"{home.root}/", f"{other.root}/")) for cache in caches)


def offline(home: AppHome, filled: Any, uv: str | None, *names: str) -> tuple[Impatient, Any]:
    """Wheels beside the lock, and an index that would be heard of if it were asked."""
    lock = lock_of(home, filled, "shop")
    wheels = lock.parent / release_installer.WHEELS
    wheels.mkdir()
    for name in names:
        path = f"/files/{name}-1.0-py3-none-any.whl"
        (wheels / path.rpartition("/")[2]).write_bytes(filled.answers[path][0].body)
    (home.root / "cache").mkdir(exist_ok=True)
    filled.asked.clear()
    return Impatient(home, None, sys.executable, uv, offline=True), lock


def test_uv_without_an_index(home: AppHome, filled: Any) -> None:
    there, lock = offline(home, filled, UV, "shop")
    there.install(lock.parent / "venv", lock)
    assert installed_packages(lock.parent / "venv") == {"shop": "1.0"}
    assert filled.asked == []


def test_uv_and_a_wheel_that_is_another_one(
    home: AppHome, filled: Any, uv_venv: pathlib.Path
) -> None:
    there, lock = offline(home, filled, UV, "changed")
    wheels = lock.parent / release_installer.WHEELS
    (wheels / "changed-1.0-py3-none-any.whl").rename(wheels / "shop-1.0-py3-none-any.whl")
    assert HASH in complaint(there, uv_venv, lock)


# --- live: pip --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pip_root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """One pip for all: making one takes longer than the rest."""
    root = tmp_path_factory.mktemp("pip")
    home = AppHome("shop", root, os.geteuid(), os.getegid(), os.geteuid())
    bare = Installer(home, "", sys.executable, None)
    bare.make(root / "venv", root / "x" / "requirements.txt")
    return root


@pytest.fixture
def pip_venv(pip_root: pathlib.Path, home: AppHome) -> pathlib.Path:
    home.cache.mkdir(exist_ok=True)
    (home.cache / "pip-venv").symlink_to(pip_root / "cache" / "pip-venv")
    return pip_root / "venv"


@pip_only
@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        pytest.param("shop==1.0", HASH, id="hash-mismatch"),
        pytest.param("shop==9.9", MISSING, id="no-such-version"),
        pytest.param("nowhere==1.0", MISSING, id="no-such-project"),
        pytest.param("elsewhere==1.0", PLATFORM, id="other-platform"),
        pytest.param("sourceonly==1.0", SOURCE, id="source-only"),
    ],
)
def test_pip(
    requirement: str, reason: str, home: AppHome, filled: Any, pip_venv: pathlib.Path
) -> None:
    url = filled.url_of(f"joe:{SECRET}")
    message = complaint(installer(home, url, None), pip_venv, write_lock(home, requirement))
    assert reason in message
    assert requirement.partition("=")[0] in message


@pip_only
def test_install_with_pip(home: AppHome, filled: Any, pip_venv: pathlib.Path) -> None:
    lock = lock_of(home, filled, "shop", "withdrawn", "regretted")
    venv = lock.parent / "venv"
    shutil.copytree(pip_venv, venv, symlinks=True)
    there = installer(home, filled.url_of(f"joe:{SECRET}"), None)
    assert there.fill(venv, lock) == WITHDRAWN
    there.compile(venv, lock)
    assert_complete(venv)


@pip_only
def test_pip_without_an_index(home: AppHome, filled: Any, pip_venv: pathlib.Path) -> None:
    there, lock = offline(home, filled, None, "shop")
    venv = lock.parent / "venv"
    shutil.copytree(pip_venv, venv, symlinks=True)
    there.fill(venv, lock)
    assert installed_packages(venv) == {"shop": "1.0"}
    assert filled.asked == []


@pip_only
def test_pip_with_a_wrong_login(home: AppHome, filled: Any, pip_venv: pathlib.Path) -> None:
    filled.login = "joe:other"
    url = filled.url_of(f"joe:{SECRET}")
    message = complaint(installer(home, url, None), pip_venv, write_lock(home, "shop==1.0"))
    assert UNSAID in message


@pip_only
def test_pip_when_nobody_listens(home: AppHome, server: Any, pip_venv: pathlib.Path) -> None:
    url = server.url_of(f"joe:{SECRET}")
    server.stop()
    message = complaint(installer(home, url, None), pip_venv, write_lock(home, "shop==1.0"))
    assert SILENT in message


# --- the rest ---------------------------------------------------------------------------------


def test_index_url_is_in_no_argument(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], *_: Any, environment: dict[str, str], **__: Any) -> tuple[int, str]:
        commands.append(command)
        assert SECRET in environment["UV_DEFAULT_INDEX"]
        assert SECRET in environment["PIP_INDEX_URL"]
        assert not {"UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"} & set(environment)
        return 0, ""

    monkeypatch.setattr(release_installer, "run", run)
    for uv in ("/opt/circus/bin/uv", None):
        lock = write_lock(home, "shop==1.0")
        Installer(home, f"https://joe:{SECRET}@index.test/", "/usr/bin/python3", uv).install(
            lock.parent / "venv", lock
        )
    assert SECRET not in str(commands)
    installs = [command for command in commands if "--require-hashes" in command]
    assert ["sync" in command for command in installs] == [True, False]
    assert all("--only-binary" in command for command in installs)


def test_environment(home: AppHome) -> None:
    bare = Installer(home, "", sys.executable, None)
    assert bare.environment()["python_full_version"] == ".".join(map(str, sys.version_info[:3]))


def test_interpreter_that_is_none(home: AppHome) -> None:
    bare = Installer(home, "", "/bin/true", None)
    with pytest.raises(DeployError, match="/bin/true is not a Python interpreter"):
        bare.environment()


def test_python_that_is_missing(home: AppHome) -> None:
    bare = Installer(home, "", "/usr/bin/python3.99", None)
    with pytest.raises(DeployError, match=r"Could not run /usr/bin/python3\.99: .* is missing"):
        bare.environment()
