# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release, from its parameters to what lies on the disk."""

from __future__ import annotations

import json
import pathlib
import shutil
import stat
import subprocess
import sys
from typing import Any

import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import LockFile
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    installation,
    installer,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record
from ansible_collections.twelvefactor.deploy.plugins.modules import release

CANARY = "canary-in-a-coal-mine"  # in what conftest.py gives the module, too
OTHER = "1.0-0123abcd"
PYTHON = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture
def home(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> AppHome:
    """An app with one release that serves."""
    monkeypatch.setattr(AppHome, "of", classmethod(lambda _cls, _app, foreseen=False: home))
    (home.root / "cache").mkdir()
    put(home, OTHER, "2026-01-01T00:00:00Z", env=f"OLD={CANARY}\nSAME=1\n")
    home.point_to(OTHER)
    return home


def put(home: AppHome, name: str, at: str, env: str = "") -> None:
    path = home.releases / name
    path.mkdir()
    (path / "env").write_text(env)
    manifest = {
        "installed_at": at, "packages": {"shop": "0.9", "flask": "3.0"}, "commands": {"web": "old"},
        "python": "3.9.0", "processes": {},
    }  # fmt: skip
    (path / "release.json").write_text(json.dumps(manifest))


def snapshot(home: AppHome) -> list[str]:
    return sorted(str(path.relative_to(home.root)) for path in home.root.rglob("*"))


def clean(outcome: Any) -> None:
    """Nothing that was printed holds a secret, and nothing is garbled either."""
    assert CANARY not in outcome.printed
    assert "VALUE_SPECIFIED_IN_NO_LOG" not in outcome.printed
    assert "********" not in outcome.printed


LINES = [
    f"python: 3.9.0 -> {PYTHON}",
    "package flask: 3.0 -> 3.1",
    "package shop: 0.9 -> 1.0",
    "env APP: added",
    "env EMPTY: added",
    "env OLD: removed",
    "env PORT: added",
    "env SECRET_KEY: added",
    "process release: added -> migrate",
    "process web: old -> gunicorn shop",
    "process worker: added -> work",
]


# --- present ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("strict_umask")
def test_the_app_reads_its_release_whatever_the_umask_of_root_is(
    call: Any, home: AppHome, params: dict[str, Any]
) -> None:
    path = home.releases / call(release.main, **params).result["release"]
    modes = {
        str(child.relative_to(path)): f"{stat.S_IMODE(child.stat().st_mode):o}"
        for child in (path, *path.iterdir(), path / "bin" / "run")
        if child.name != "release.json"
    }
    assert modes == {
        ".": "750", "bin": "750", "bin/run": "750", "venv": "750", "env": "640", "Procfile": "640",
        "requirements.txt": "640", "in-use": "600",
    }  # fmt: skip
    # of group and others those that the umask of the installer leaves
    venv = [child for child in (path / "venv").rglob("*") if not child.is_symlink()]
    assert [child for child in venv if not child.stat().st_mode & stat.S_IRGRP] == []


def test_what_is_installed_last_is_the_last_whatever_the_clock_does(
    call: Any, home: AppHome, params: dict[str, Any]
) -> None:
    put(home, "0.1-00000000", "2199-01-01T00:00:00Z")
    done = call(release.main, **params)
    assert home.installed() == [OTHER, "0.1-00000000", done.result["release"]]


def test_install(call: Any, home: AppHome, params: dict[str, Any], published: Any) -> None:
    before = snapshot(home)
    foreseen = call(release.main, check=True, **params)
    assert snapshot(home) == before
    clean(foreseen)
    done = call(release.main, **params)
    clean(done)

    # check mode said the same
    documented = set(yaml.safe_load(release.RETURN)) | {"changed", "diff"}
    assert documented <= set(foreseen.result)
    for key in documented:
        assert foreseen.result[key] == done.result[key]
    assert done.code == 0
    assert done.result["changed"] is True
    assert done.result["current"] == OTHER == home.current()
    assert done.result["packages"] == {"flask": "3.1", "shop": "1.0"}
    assert done.result["processes"]["web"] == "gunicorn shop"
    assert done.result["diff"]["after"].splitlines() == LINES

    # what lies there
    name = done.result["release"]
    path = home.releases / name
    assert done.result["path"] == str(path)
    assert sorted(child.name for child in path.iterdir()) == [
        "Procfile", "bin", "env", "in-use", "release.json", "requirements.txt", "venv",
    ]  # fmt: skip
    assert not [child for child in path.rglob("*") if child.stat().st_mode & stat.S_IRWXO
                and "venv" not in child.parts]  # fmt: skip
    manifest = home.manifest(name) or {}
    assert manifest["id"] == name
    assert manifest["processes"].keys() == {"web", "worker"}
    assert manifest["processes"]["web"]["health"] == {"path": "/", "host": "localhost", "count": 2}
    said = subprocess.run(
        [
            path / "bin/run",
            "python",
            "-c",
            "import os, shop; print(shop.version, os.environ['PORT'])",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert said.stdout == "1.0 80\n"

    # again: nothing to do, and nothing downloaded
    published.asked.clear()
    again = call(release.main, **params)
    assert again.result["changed"] is False
    assert again.result["diff"]["after"] == ""
    assert again.result["release"] == name
    assert again.result.keys() == done.result.keys()
    assert [path for path, _login in published.asked] == ["/simple/shop/"]


def test_one_value_makes_another_release(call: Any, home: AppHome, params: dict[str, Any]) -> None:
    first = call(release.main, check=True, **params)
    params["env"]["SECRET_KEY"] = f"{CANARY}-2"
    second = call(release.main, check=True, **params)
    clean(second)
    assert first.result["release"] != second.result["release"]


def test_lock_and_processes_beside_the_build(
    call: Any, home: AppHome, params: dict[str, Any], published: Any
) -> None:
    """Somebody else's package carries neither."""
    page = published.answers["/simple/flask/"][0].body.decode()
    digest = page.partition("sha256=")[2][:64]
    params |= {
        "package": "Flask",
        "version": "3.1",
        "requirements": f"flask==3.1 --hash=sha256:{digest}\n",
        "processes": {"web": "python -m flask"},
        "process_options": {"web": {"stop_timeout": 5}},
        "health": {"path": "/up"},
    }
    done = call(release.main, **params)
    assert done.result["packages"] == {"flask": "3.1"}
    web = (home.manifest(done.result["release"]) or {})["processes"]["web"]
    assert web["stop_timeout"] == 5
    assert web["health"] == {"path": "/up", "host": "localhost", "count": 2}
    assert call(release.main, **params).result["changed"] is False


def digest_of(published: Any, project: str) -> str:
    page: str = published.answers[f"/simple/{project}/"][0].body.decode()
    return page.partition("sha256=")[2][:64]


def pylock_of(published: Any, *projects: str) -> str:
    """As uv writes it, with a package for other hosts and the app's own directory."""
    wheels = "".join(
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'
        f'index = "https://elsewhere.test/simple"\nwheels = [{{url = "https://elsewhere.test/x.whl", '
        f'hashes = {{sha256 = "{digest_of(published, name)}"}}}}]\n'
        for name, version in (project.split() for project in projects)
    )
    return (
        f'lock-version = "1.0"\ncreated-by = "test"\nrequires-python = ">=3.11"\n{wheels}'
        '[[packages]]\nname = "onlythere"\nversion = "1"\nmarker = "sys_platform == \'win32\'"\n'
        f'wheels = [{{url = "https://x/x.whl", hashes = {{sha256 = "{"0" * 64}"}}}}]\n'
    )


def test_pylock_beside_the_build(
    call: Any, home: AppHome, params: dict[str, Any], published: Any
) -> None:
    params |= {
        "requirements": pylock_of(published, "flask 3.1", "shop 1.0"),
        "processes": {"web": "x"},
    }
    foreseen = call(release.main, check=True, **params)
    done = call(release.main, **params)
    assert foreseen.result["packages"] == done.result["packages"] == {"flask": "3.1", "shop": "1.0"}
    assert foreseen.result["release"] == done.result["release"]
    assert call(release.main, **params).result["changed"] is False
    lock = (home.releases / done.result["release"] / "requirements.txt").read_text()
    assert "elsewhere" not in lock
    assert "onlythere" not in lock


def test_pylock_in_the_wheel(
    call: Any, home: AppHome, params: dict[str, Any], published: Any, make_wheel: Any
) -> None:
    carries = {
        "pylock.toml": pylock_of(published, "flask 3.1")
        + '[[packages]]\nname = "shop"\ndirectory = {path = ".", editable = true}\n',
        "Procfile": "web: x\n",
        "origin.json": '{"commit": "0123abc"}',
    }
    published.add(make_wheel("shop", "2.0", carries=carries))
    done = call(release.main, **(params | {"version": "2.0"}))
    assert done.result["packages"] == {"flask": "3.1", "shop": "2.0"}
    assert home.manifest(done.result["release"])["commit"] == "0123abc"
    assert call(release.main, **(params | {"version": "2.0"})).result["changed"] is False


@pytest.fixture
def wheelhouse(published: Any, tmp_path: pathlib.Path) -> pathlib.Path:
    """Everything that the index has, as a tarball; the index is gone."""
    directory = tmp_path / "house"
    directory.mkdir()
    for path, answers in published.answers.items():
        if path.startswith("/files/"):
            (directory / path.rpartition("/")[2]).write_bytes(answers[0].body)
    tarball = shutil.make_archive(str(tmp_path / "house"), "gztar", directory)
    published.stop()
    return pathlib.Path(tarball)


def test_wheelhouse(
    call: Any, home: AppHome, params: dict[str, Any], wheelhouse: pathlib.Path, published: Any
) -> None:
    by_index = params.pop("index_url")
    params["wheelhouse"] = str(wheelhouse)
    published.asked.clear()
    foreseen = call(release.main, check=True, **params)
    done = call(release.main, **params)
    assert foreseen.result["packages"] == done.result["packages"] == {"flask": "3.1", "shop": "1.0"}
    assert foreseen.result["diff"] == done.result["diff"]
    assert published.asked == []
    path = home.releases / done.result["release"]
    assert not (path / "wheels").exists()
    assert call(release.main, **params).result["changed"] is False
    # where it came from makes no difference
    params |= {"wheelhouse": None, "index_url": by_index, "env": params["env"]}
    del params["wheelhouse"]
    again = call(release.main, **params)
    assert again.result["release"] == done.result["release"]
    assert again.result["changed"] is False


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (
            "flask-3.1-py3-none-any.whl",
            "house has no wheel of flask 3.1, which the lock file names",
        ),
        ("shop-1.0-py3-none-any.whl", "no wheel of shop 1.0 at"),
        ("", "does not exist on this host"),
    ],
    ids=["dependency", "app", "all"],
)
def test_wheelhouse_that_lacks_something(
    check: bool,
    gone: str,
    words: str,
    call: Any,
    home: AppHome,
    params: dict[str, Any],
    wheelhouse: pathlib.Path,
) -> None:
    directory = wheelhouse.with_name("house")
    if gone:
        (directory / gone).unlink()
    else:
        shutil.rmtree(directory)
    before = snapshot(home)
    del params["index_url"]
    done = call(release.main, check=check, **params, wheelhouse=str(directory))
    assert done.code == 1
    assert words in done.result["msg"]
    assert snapshot(home) == before


def test_another_wheel_of_the_version_is_refused(
    call: Any, home: AppHome, params: dict[str, Any], published: Any
) -> None:
    known = digest_of(published, "shop")
    replaced = call(release.main, check=True, **params, wheel_sha256="0" * 64)
    assert f"with the sha256 {known}, but wheel_sha256 is {'0' * 64}" in replaced.result["msg"]
    assert replaced.result["msg"].endswith("Nothing was changed.")
    done = call(release.main, **params, wheel_sha256=known)
    assert done.result["changed"] is True
    # what is installed stands for an index that does not answer, but only if it is the one that is meant
    params["index_url"] = "https://127.0.0.1:1/simple/"
    assert call(release.main, **params, wheel_sha256=known).code == 0
    assert "does not give" in call(release.main, **params, wheel_sha256="0" * 64).result["msg"]


def test_yanked(
    call: Any, home: AppHome, params: dict[str, Any], published: Any, make_wheel: Any
) -> None:
    """A dependency is installed with a warning, the app itself is refused."""
    published.add(make_wheel("late", "1"), yanked="too late")
    carries = {
        "requirements.txt": f"late==1 --hash=sha256:{digest_of(published, 'late')}\n",
        "Procfile": "web: x\n",
    }
    published.add(make_wheel("shop", "2.0", carries=carries))
    done = call(release.main, **(params | {"version": "2.0"}))
    assert done.result["changed"] is True
    assert "late 1 was yanked from the index: too late. It is installed, because" in done.printed
    before = home.installed()
    lock = f"late==1 --hash=sha256:{digest_of(published, 'late')}\n"
    beside = {"package": "late", "version": "1", "requirements": lock, "processes": {"web": "x"}}
    done = call(release.main, **(params | beside))
    assert done.result["msg"] == "late 1 was yanked from the index: too late."
    assert home.installed() == before
    assert home.unfinished() == []


def test_whatever_makes_another_release_is_in_the_diff(
    call: Any, home: AppHome, params: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    first = call(release.main, **params)
    home.point_to(first.result["release"])
    another_python = tmp_path / "python"
    another_python.symlink_to(sys.executable)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"env": params["env"] | {"PORT": 81}}, "env PORT: changed"),
        ({"env": params["env"] | {"MORE": 1}}, "env MORE: added"),
        ({"processes": {"web": "other"}}, "process web: gunicorn shop -> other"),
        ({"health": {"path": "/up"}}, "process web, health path: / -> /up"),
        ({"health": {"host": "x"}}, "process web, health host: localhost -> x"),
        ({"process_options": {"web": {"stop_timeout": 9}}}, "process web, stop_timeout: 30.0 -> 9"),
        ({"liveness": {"interval": 0}}, "process web, liveness interval: 2.0 -> 0.0"),
        (
            {"process_options": {"worker": {"socket": True}}},
            "process worker, socket: False -> True",
        ),
        ({"python": str(another_python)}, f"interpreter: {sys.executable} -> {another_python}"),
    ]
    for change, line in changes:
        done = call(release.main, check=True, **(params | change))
        assert done.result["release"] != first.result["release"]
        assert line in done.result["diff"]["after"].splitlines()


# --- check mode on a host that has nothing yet ------------------------------------------------


@pytest.fixture
def virgin(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, home: AppHome) -> AppHome:
    """A host on which the role app_user has only said what it would do."""
    root = tmp_path / "virgin" / "shop"
    nobody = AppHome("shop", root, 65534, 65534, 65534)
    monkeypatch.setattr(AppHome, "of", classmethod(lambda _cls, _app, foreseen=False: nobody))
    return nobody


def test_check_mode_on_a_virgin_host(
    virgin: AppHome, call: Any, params: dict[str, Any], published: Any
) -> None:
    foreseen = call(release.main, check=True, **(params | {"python": "/usr/bin/python3"}))
    clean(foreseen)
    assert foreseen.result["changed"] is True
    assert foreseen.result["current"] is None
    assert foreseen.result["packages"] == {"flask": "3.1", "shop": "1.0"}
    lines = foreseen.result["diff"]["after"].splitlines()
    assert lines[0].startswith("python: none -> 3.")
    assert {
        "package shop: added -> 1.0",
        "env PORT: added",
        "process web: added -> gunicorn shop",
    } <= (set(lines))
    assert not virgin.root.parent.exists()


def test_check_mode_before_the_index_is_there(
    virgin: AppHome, call: Any, params: dict[str, Any], published: Any, no_pauses: list[float]
) -> None:
    published.stop()
    foreseen = call(release.main, check=True, **params)
    clean(foreseen)
    documented = set(yaml.safe_load(release.RETURN)) | {"changed", "diff"}
    assert documented <= set(foreseen.result)
    assert foreseen.result["changed"] is True
    assert foreseen.result["release"] is None
    assert "env PORT: added" in foreseen.result["diff"]["after"]
    assert "1.0 is going to be its first release" in foreseen.printed


def test_an_index_that_refuses_is_an_error_on_a_virgin_host_too(
    virgin: AppHome, call: Any, params: dict[str, Any], published: Any
) -> None:
    published.login = "joe:other"
    assert "HTTP 401 Unauthorized" in call(release.main, check=True, **params).result["msg"]


def test_an_index_that_is_gone_is_an_error_where_something_is_installed(
    call: Any, home: AppHome, params: dict[str, Any], published: Any, no_pauses: list[float]
) -> None:
    published.stop()
    for check in (True, False):
        done = call(release.main, check=check, **params)
        assert done.code == 1
        assert "does not give the files of shop" in done.result["msg"]


def test_hash_mismatch_leaves_nothing(call: Any, home: AppHome, params: dict[str, Any]) -> None:
    before = snapshot(home)
    params |= {"requirements": f"shop==1.0 --hash=sha256:{'0' * 64}", "processes": {"web": "x"}}
    done = call(release.main, **params)
    clean(done)
    assert done.code == 1
    assert "does not have the hash that the lock file names" in done.result["msg"]
    shutil.rmtree(home.root / "cache")
    assert [name for name in snapshot(home) if "cache" not in name] == [
        name for name in before if "cache" not in name
    ]


def test_what_an_interrupted_run_left_is_removed(
    call: Any, home: AppHome, params: dict[str, Any]
) -> None:
    (home.releases / "0.1-00000000" / "venv").mkdir(parents=True)
    foreseen = call(release.main, check=True, **params)
    assert home.unfinished() == ["0.1-00000000"]
    done = call(release.main, **params)
    assert home.unfinished() == []
    for outcome in (foreseen, done):
        assert outcome.result["diff"]["after"].endswith("release 0.1-00000000: removed\n")


def test_own_unfinished_directory_is_made_again(
    call: Any, home: AppHome, params: dict[str, Any]
) -> None:
    name = call(release.main, check=True, **params).result["release"]
    (home.releases / name / "venv").mkdir(parents=True)
    assert call(release.main, **params).result["changed"] is True
    assert home.manifest(name)


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
def test_release_that_serves_is_never_cleaned_up(
    check: bool, call: Any, home: AppHome, params: dict[str, Any]
) -> None:
    name = call(release.main, check=True, **params).result["release"]
    (home.releases / name / "venv").mkdir(parents=True)
    home.point_to(name)
    done = call(release.main, check=check, **params)
    assert done.code == 1
    assert f"{name} serves, but its release.json is missing" in done.result["msg"]
    assert home.unfinished() == [name]


# Of each version one that finds its library from behind any link, as one does not that was moved to another place.
PYTHONS = {
    path.name: path
    for path in (
        *pathlib.Path.home().glob(".pyenv/versions/3.1[1-9]*/bin/python3.1[1-9]"),
        *pathlib.Path("/usr/bin").glob("python3.1[1-9]"),
    )
}


@pytest.mark.skipif(len(PYTHONS) < 2, reason="needs two Pythons")
def test_another_python_on_the_host_makes_another_release(
    call: Any, home: AppHome, params: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    """As after an upgrade of Debian: the same path, another interpreter."""
    params["python"] = str(tmp_path / "python3")
    one, other, *_more = PYTHONS.values()
    (tmp_path / "python3").symlink_to(one)
    first = call(release.main, **params).result["release"]
    assert home.python_problem(first) == ""
    (tmp_path / "python3").unlink()
    (tmp_path / "python3").symlink_to(other)
    foreseen = call(release.main, check=True, **params)
    second = call(release.main, **params)
    clean(second)
    assert second.result["changed"] is True
    assert foreseen.result["release"] == second.result["release"] != first
    assert second.result["release"] in home.usable()
    again = call(release.main, **params)
    assert (again.result["changed"], again.result["release"]) == (False, second.result["release"])
    call(release.main, app="shop", state="absent", release=first)
    again = call(release.main, **params)
    assert (again.result["changed"], again.result["release"]) == (False, second.result["release"])


def test_a_release_that_is_not_as_recorded_is_not_kept(
    call: Any, home: AppHome, params: dict[str, Any]
) -> None:
    """The cache that it is linked from was changed."""
    first = call(release.main, **params).result["release"]
    code = next((home.releases / first).glob("venv/lib/python3.*/site-packages/flask.py"))
    with code.open("a") as file:  # has the same inode as the cache's
        file.write("evil = 1\n")
    params["env"]["PORT"] = 81
    done = call(release.main, **params)
    assert "site-packages/flask.py (changed)" in done.result["msg"]
    assert home.installed() == [OTHER, first]
    assert home.unfinished() == []


def test_the_cache_forgets_what_no_release_has(
    call: Any, home: AppHome, params: dict[str, Any], published: Any, make_wheel: Any
) -> None:
    first = call(release.main, **params).result["release"]
    cached = {path.name for path in home.cache.rglob("flask.py")}
    assert cached == {"flask.py"}
    published.add(make_wheel("flask", "3.2"))
    page = published.answers["/simple/flask/"][0].body.decode()
    digest = page.split("flask-3.2")[1].partition("sha256=")[2][:64]
    carries = {
        "requirements.txt": f"flask==3.2 --hash=sha256:{digest}\n", "Procfile": "web: x\n",
    }  # fmt: skip
    published.add(make_wheel("shop", "2.0", carries=carries))
    later = params | {"version": "2.0", "keep": 1}
    home.remove(OTHER)
    home.point_to(None)
    done = call(release.main, **later)
    assert done.result["pruned"] == [first]
    assert "could not clean" not in done.printed.lower()
    assert list(home.cache.rglob("flask.py")) == []
    assert call(release.main, **later).result["changed"] is False


def test_a_cache_that_cannot_be_cleaned_is_a_warning(
    call: Any, home: AppHome, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installer, "CLEANING", 0.0001)  # seconds
    put(home, "0.1-00000000", "2025-01-01T00:00:00Z")
    path = home.releases / "0.1-00000000" / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"packages": {"old": "1"}}))
    done = call(release.main, keep=1, **params)
    assert done.code == 0
    assert done.result["pruned"] == ["0.1-00000000"]
    assert "Could not clean the cache" in done.printed


def test_prune(call: Any, home: AppHome, params: dict[str, Any]) -> None:
    names = [f"0.{number}-00000000" for number in range(1, 5)]
    for number, name in enumerate(names):
        put(home, name, f"2025-01-0{number + 1}T00:00:00Z")
    for name in [names[1], names[0], OTHER]:
        home.remember(Record(at="x", event="deploy", release=name, outcome="good"))
    foreseen = call(release.main, check=True, keep=3, **params)
    done = call(release.main, keep=3, **params)
    assert done.result["pruned"] == foreseen.result["pruned"] == names[1:]
    assert set(home.installed()) == {names[0], OTHER, done.result["release"]}
    assert done.result["rollback_targets"] == foreseen.result["rollback_targets"] == names[:1]


def test_disk_full(
    call: Any, home: AppHome, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = home.installed()
    make = pathlib.Path.mkdir

    def mkdir(path: pathlib.Path, *arguments: Any, **options: Any) -> None:
        if path.parent == home.releases:
            raise OSError(28, "No space left on device")
        make(path, *arguments, **options)

    monkeypatch.setattr(pathlib.Path, "mkdir", mkdir)
    done = call(release.main, **params)
    assert done.code == 1
    assert "Could not install 1.0-" in done.result["msg"]
    assert "No space left on device" in done.result["msg"]
    assert home.installed() == before
    assert home.unfinished() == []


# --- refusals: one sentence, nothing written, no secret shown ---------------------------------


def test_index_that_is_down_does_not_matter_to_what_is_installed(
    call: Any, home: AppHome, params: dict[str, Any], published: Any, no_pauses: list[float]
) -> None:
    found = call(release.main, check=True, **params).result["release"]
    put(home, found, "2026-02-01T00:00:00Z", env="A=1\n")
    path = home.releases / found / "release.json"
    digest = published.answers["/simple/shop/"][0].body.decode().partition("sha256=")[2][:64]
    own = {"wheel_sha256": digest, "python": PYTHON}
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    published.stop()
    params["formation"] = {}
    done = call(release.main, **params)
    clean(done)
    assert done.code == 0
    assert done.result["changed"] is False
    assert f"Went on because {found} is installed already" in done.printed
    params["env"]["PORT"] = 81
    assert "does not give the files of shop" in call(release.main, **params).result["msg"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"version": "9.9"}, "There is no wheel of shop 9.9 at", id="no-such-version"),
        pytest.param({"package": "x"}, "There is no wheel of x 1.0 at", id="no-such-package"),
        pytest.param(
            {"formation": {"beat": 1}}, "'beat', but shop 1.0 has web, worker", id="formation"
        ),
        pytest.param({"formation": {"web": "x"}}, "asks for 'x' processes", id="count"),
        pytest.param({"processes": {"Web": "x"}}, "type 'Web'", id="process-type"),
        pytest.param({"processes": {"web": None}}, "it must be one line", id="no-command"),
        pytest.param({"processes": {}}, "No process type to run", id="no-processes"),
        pytest.param({"process_options": {"x": {}}}, "process_options names x", id="options-of"),
        pytest.param({"process_options": {"web": 1}}, "expected a dictionary", id="options"),
        pytest.param(
            {"process_options": {"web": {"stop_timeout": 999}}}, "at most 240", id="stop-timeout"
        ),
        pytest.param({"health": {"count": 0}}, "health.count is 0", id="health"),
        pytest.param({"env": {"A": None}}, "env A is None", id="env-none"),
        pytest.param({"env": {"A": [CANARY]}}, "env A is a list", id="env-list"),
        pytest.param({"env": {"A-B": CANARY}}, "environment variable: 'A-B'", id="env-key"),
        pytest.param({"python": "/usr/bin/python3.99"}, "is missing on this host", id="python"),
        pytest.param({"index_url": ""}, "index_url is empty", id="no-index"),
        pytest.param(
            {"index_url": f"https://joe:{CANARY}/@x/y"}, "is not a valid URL", id="index-url"
        ),
        pytest.param(
            {"index_url": f"joe:{CANARY}@x/y"}, "is not a valid URL", id="index-without-scheme"
        ),
        pytest.param({"ca_path": "/no/such/file"}, "certificates /no/such/file cannot", id="ca"),
        pytest.param(
            {"requirements": f"shop==1.0 --hash=sha256:{'0' * 64}"},
            "With `requirements`, `processes` must say",
            id="lock-without-processes",
        ),
        pytest.param(
            {"requirements": "shop==1.0", "processes": {"web": "x"}},
            "no sha256 for shop==1.0",
            id="lock-without-hashes",
        ),
        pytest.param(
            {"requirements": f"x==1.0 --hash=sha256:{'0' * 64}", "processes": {"web": "x"}},
            "holds no shop; it must pin shop==1.0",
            id="lock-of-something-else",
        ),
    ],
)
@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
def test_refused(
    check: bool,
    changes: dict[str, Any],
    words: str,
    call: Any,
    home: AppHome,
    params: dict[str, Any],
) -> None:
    before = snapshot(home)
    done = call(release.main, check=check, **(params | changes))
    clean(done)
    assert done.code == 1
    assert done.result["failed"] is True
    assert words in done.result["msg"]
    assert done.result["msg"].endswith("Nothing was changed.")
    assert snapshot(home) == before


def test_wheel_without_a_lock(
    call: Any, home: AppHome, params: dict[str, Any], published: Any, make_wheel: Any
) -> None:
    published.add(make_wheel("shop", "2.0"))
    done = call(release.main, **(params | {"version": "2.0"}))
    assert "does not carry its requirements and processes" in done.result["msg"]


def test_index_that_changes_its_mind(
    call: Any, home: AppHome, params: dict[str, Any], published: Any
) -> None:
    page = published.answers["/simple/shop/"]
    body = page[0].body
    digest = body.partition(b"sha256=")[2][:64]
    page.append(published.Answer(body.replace(digest, b"0" * 64)))
    done = call(release.main, **params)
    assert "shop-1.0-py3-none-any.whl changed on" in done.result["msg"]


def test_app_without_a_user(call: Any, params: dict[str, Any]) -> None:
    done = call(release.main, **(params | {"app": "no-such-app"}))
    clean(done)
    assert "run the role app_user" in done.result["msg"]


def test_somebody_else_is_at_work(call: Any, home: AppHome, params: dict[str, Any]) -> None:
    with home.locked():
        done = call(release.main, **params)
    assert "Another run is working on the releases of shop" in done.result["msg"]


def test_who_has_lost_the_lock_installs_nothing(
    call: Any,
    home: AppHome,
    params: dict[str, Any],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fence, "LockFile", lambda app: LockFile(app, tmp_path))
    (installed,) = (path.name for path in home.releases.iterdir())
    absent = {"state": "absent", "release": installed}
    for given in (params, {"app": "shop", **absent}):
        done = call(release.main, **given, lock_generation=1)
        assert "does not hold the lock of shop on this host any more" in done.result["msg"]
        assert done.result["msg"].endswith("Nothing was changed.")
    assert [path.name for path in home.releases.iterdir()] == [installed]


def test_messages_of_the_system_are_printable(
    call: Any, home: AppHome, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_home: AppHome, _generation: int | None) -> None:
        raise OSError(5, "Input/output error", "/srv/shop/\x1b[2J")

    monkeypatch.setattr(AppHome, "locked", locked)
    message = call(release.main, **params).result["msg"]
    assert message.startswith("Could not work on the releases of shop: ")
    assert "\x1b" not in message


def test_not_root(
    call: Any, home: AppHome, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_home: AppHome, _generation: int | None) -> None:
        raise PermissionError(13, "Permission denied", str(home.root))

    monkeypatch.setattr(AppHome, "locked", locked)
    done = call(release.main, **params)
    assert done.result["msg"].endswith("Releases belong to root; use become: true.")


# --- argument errors --------------------------------------------------------------------------

ENV = {"A": CANARY, "ONE": "1"}
LOGIN = f"https://joe:{CANARY}@x/"
ENOUGH = {"app": "shop", "version": "1.0", "index_url": LOGIN, "env": ENV}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"env": ENV}, "missing required arguments: app", id="no-app"),
        pytest.param({"app": "shop", "env": ENV}, "missing: version", id="no-version"),
        pytest.param(
            {"app": "shop", "version": "2", "env": ENV},
            "any of the following are missing: index_url, wheelhouse, requirements",
            id="no-index",
        ),
        pytest.param(
            {"app": "shop", "state": "absent", "env": ENV}, "missing: release", id="absent"
        ),
        pytest.param(ENOUGH | {"environment": ENV}, "Unsupported parameters", id="unknown"),
        pytest.param(
            {"app": "shop", "version": "1.0", "index_url": LOGIN, "environment": ENV},
            "Unsupported parameters",
            id="misspelt-env",
        ),
        pytest.param(ENOUGH | {"index": LOGIN}, "Unsupported parameters", id="misspelt-index"),
        pytest.param(ENOUGH | {"keep": "many"}, "argument 'keep' is of type str", id="keep"),
        pytest.param(ENOUGH | {"health": {"paths": "/"}}, "health.paths", id="health"),
        pytest.param(ENOUGH | {"env": f"no pairs {CANARY}"}, "argument 'env'", id="env"),
        pytest.param(ENOUGH | {"env": [CANARY]}, "argument 'env'", id="env-is-a-list"),
        pytest.param(ENOUGH | {"env": f"A={CANARY}", "x": 1}, "Unsupported", id="env-as-pairs"),
        pytest.param(ENOUGH | {"env": json.dumps(ENV), "x": 1}, "Unsupported", id="env-as-json"),
        pytest.param({"app": "shop", "index_url": LOGIN}, "missing: version", id="index-url"),
        pytest.param(ENOUGH | {"state": "latest"}, "value of state must be one of", id="state"),
    ],
)
def test_argument_errors_show_no_secret(arguments: dict[str, Any], words: str, call: Any) -> None:
    done = call(release.main, **arguments)
    clean(done)
    assert done.code == 1
    assert words in done.result["msg"]


@pytest.mark.parametrize("form", [json.dumps, lambda env: " ".join(f"{k}={v}" for k, v in env.items())],
                         ids=["json", "pairs"])  # fmt: skip
def test_env_as_text(form: Any, call: Any, home: AppHome, params: dict[str, Any]) -> None:
    as_dictionary = call(release.main, check=True, **(params | {"env": ENV}))
    done = call(release.main, check=True, **(params | {"env": form(ENV)}))
    clean(done)
    assert done.result["release"] == as_dictionary.result["release"]


# --- absent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
def test_absent(check: bool, call: Any, home: AppHome) -> None:
    put(home, "0.9-0123abcd", "2025-01-01T00:00:00Z")
    gone = {"app": "shop", "state": "absent", "release": "0.9-0123abcd"}
    done = call(release.main, check=check, **gone)
    assert done.result["changed"] is True
    assert done.result["diff"] == {"before": "0.9-0123abcd\n", "after": ""}
    assert ("0.9-0123abcd" in home.installed()) is check
    again = call(release.main, check=check, **gone)
    assert again.result["changed"] is check


def test_absent_unfinished(call: Any, home: AppHome) -> None:
    (home.releases / "0.9-0123abcd" / "venv").mkdir(parents=True)
    done = call(release.main, app="shop", state="absent", release="0.9-0123abcd")
    assert done.result["changed"] is True
    assert home.unfinished() == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (OTHER, "is the release that serves shop"),
        ("", "Invalid release id ''"),
        (".", "Invalid release id"),
        ("..", "Invalid release id"),
        ("../releases/" + OTHER, "Invalid release id"),
        ("1.0", "Invalid release id"),
    ],
    ids=["serves", "empty", "dot", "dots", "path", "version"],
)
def test_absent_refuses(name: str, words: str, call: Any, home: AppHome) -> None:
    before = snapshot(home)
    done = call(release.main, app="shop", state="absent", release=name)
    assert done.code == 1
    assert words in done.result["msg"]
    assert snapshot(home) == before


def test_schedules_are_a_part_of_the_release(
    call: Any, home: AppHome, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "require_calendars", lambda _schedules: None)
    job = {"at": "03:00", "command": "python -m shop.report"}
    without = call(release.main, **params).result["release"]
    done = call(release.main, **params, schedules={"nightly": job})
    assert done.result["release"] != without
    assert (
        "schedule nightly: added, at 03:00: python -m shop.report\n" in done.result["diff"]["after"]
    )
    manifest = home.manifest(done.result["release"]) or {}
    assert manifest["schedules"]["nightly"] == {
        **job, "timeout": 3600, "hosts": "one", "overlap": "forbid",
    }  # fmt: skip


def test_config_files_are_a_part_of_the_release(
    call: Any, home: AppHome, params: dict[str, Any]
) -> None:
    without = call(release.main, **params).result["release"]
    done = call(release.main, **params, config_files={"app.ini": "key = battery staple\r\n"})
    made = done.result["release"]
    assert made != without
    path = home.releases / made / "config" / "app.ini"
    assert path.read_bytes() == b"key = battery staple\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
    assert "config file app.ini: added\n" in done.result["diff"]["after"]
    assert "battery staple" not in json.dumps(done.result)
    assert home.config_files(without) == {}
    again = call(release.main, **params, config_files={"app.ini": "key = battery staple\r\n"})
    assert not again.result["changed"]


def test_a_time_that_the_host_does_not_know_installs_nothing(
    call: Any, home: AppHome, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_schedules: object) -> None:
        raise DeployError("at of schedule nightly is '25:00', which is not a calendar expression.")

    monkeypatch.setattr(installation, "require_calendars", refuse)
    before = snapshot(home)
    done = call(release.main, **params, schedules={"nightly": {"at": "25:00", "command": "x"}})
    assert "at of schedule nightly is '25:00'" in done.result["msg"]
    assert snapshot(home) == before
