# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module build: with the real uv, offline, and with programs that stand in for it."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import zipfile
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import (
    read_build,
    read_commit,
)
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
    needs = open("needs").read() if os.path.exists("needs") else ""
    head = f"Metadata-Version: 2.1\\nName: shop\\nVersion: {version}\\n"
    members = {
        "shop.py": "",
        f"{info}/METADATA": head + needs,
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
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, sys.argv[-1])\n"
        "if sys.argv[1] == 'pip': sys.exit()\n"
        "import backend\n"
        "assert sys.argv[1:4] == ['build', '--wheel', '--out-dir'], sys.argv\n"
        "import os; os.mkdir(sys.argv[4]); os.chdir(sys.argv[-1])\n"
        "backend.build_wheel(sys.argv[4])\n"
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def params(source: pathlib.Path, standing_in: str, tmp_path: pathlib.Path) -> dict[str, Any]:
    return {
        "source": str(source),
        "output": str(tmp_path / "out" / "here"),
        "uv": standing_in,
        "require_commit": False,
    }


@pytest.fixture(autouse=True)
def no_commit_above(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def git(source: pathlib.Path, *words: str, when: str = "2026-03-04T05:06:08Z") -> str:
    dated = {"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    done = subprocess.run(
        command, cwd=source, env=os.environ | dated, check=True, capture_output=True, timeout=120
    )
    return done.stdout.decode().strip()


def commit(source: pathlib.Path, when: str = "2026-03-04T05:06:08Z") -> str:
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "x", when=when)
    return git(source, "rev-parse", "HEAD")


def members(path: str) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def real(index: Any, **more: Any) -> dict[str, Any]:
    """Parameters for the real uv, which asks nobody but the index of the test."""
    environment = {"UV_NO_CACHE": "1", "SHOP_VERSION": "1.4.0"}
    return {"uv": UV, "environment": environment, "index_url": index.url, **more}


@pytest.fixture
def flask(index: Any, make_wheel: Any) -> str:
    """An index with a wheel of flask; the lock of that."""
    wheel = make_wheel("flask", "3.1")
    index.add(wheel)
    return f"flask==3.1 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def test_build_with_uv(
    call: Any, params: dict[str, Any], source: pathlib.Path, index: Any, flask: str
) -> None:
    (source / "requirements.txt").write_text(flask)
    commit(source)
    params |= real(index, version="1.4.0", require_commit=True)
    done = call(build.main, **params)
    assert done.code == 0, done.result
    path = pathlib.Path(done.result["path"])
    assert read_build(path, path.name) == (flask, PROCFILE)
    assert (done.result["name"], done.result["version"]) == ("shop", "1.4.0")
    assert done.result["packages"] == {"flask": "3.1"}


def needing(source: pathlib.Path, *lines: str) -> None:
    """Make the source one that has no lock and needs something."""
    (source / "requirements.txt").unlink()
    (source / "needs").write_text("".join(f"Requires-Dist: {line}\n" for line in lines))


def digest_of(wheel: pathlib.Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_a_source_without_a_lock_is_locked(
    call: Any, params: dict[str, Any], source: pathlib.Path, index: Any, make_wheel: Any
) -> None:
    """For the fleet's Pythons, and not anew when the version has been published already."""
    needing(source, "flask>=3", 'tomli; python_version < "3.12"', 'gevent; extra == "fast"')
    flask, tomli = make_wheel("flask", "3.1"), make_wheel("tomli", "2.0")
    index.add(flask)
    index.add(tomli)
    params |= real(index)
    first = call(build.main, **params)
    assert first.code == 0, first.result
    path = pathlib.Path(first.result["path"])
    assert read_build(path, path.name)[0] == (
        f"flask==3.1 \\\n    --hash=sha256:{digest_of(flask)}\n"
        f"tomli==2.0 ; python_full_version < '3.12' \\\n    --hash=sha256:{digest_of(tomli)}\n"
    )
    index.add(make_wheel("flask", "3.2"))
    assert call(build.main, **params).result["packages"]["flask"] == "3.2"
    index.add(path)
    path.unlink()
    again = call(build.main, **params)
    assert again.result["packages"]["flask"] == "3.2"


@pytest.mark.parametrize(
    ("published", "taken"),
    [(False, "3.2"), (True, "3.1")],
    ids=["not-yet-published", "published-with-an-older-one"],
)
def test_what_is_published_stays_locked_as_it_is(
    published: bool,
    taken: str,
    call: Any,
    params: dict[str, Any],
    source: pathlib.Path,
    index: Any,
    make_wheel: Any,
) -> None:
    needing(source, "flask>=3")
    index.add(make_wheel("flask", "3.1"))
    params |= real(index)
    first = call(build.main, **params).result
    if published:
        index.add(pathlib.Path(first["path"]))
    index.add(make_wheel("flask", "3.2"))
    second = call(build.main, **params).result
    assert second["packages"] == {"flask": taken}
    assert (second["sha256"] == first["sha256"]) is published


def times(index: Any, project: str, **days: float) -> None:
    """Say of the wheels of a project how many days ago they were uploaded."""
    pages = index.answers[f"/simple/{project}/"][0].body.decode()
    files = []
    for name, ago in days.items():
        version = name[1:].replace("_", ".")
        link = next(line for line in pages.splitlines() if f"-{version}-" in line)
        digest = link.partition("sha256=")[2][:64]
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago * 86_400))
        file = {"filename": f"{project}-{version}-py3-none-any.whl", "upload-time": when}
        files.append(file | {"hashes": {"sha256": digest}})
    body = json.dumps({"files": files}).encode()
    index.answers[f"/times/{project}/"] = [index.Answer(body)]


@pytest.fixture
def quarantined(
    params: dict[str, Any], source: pathlib.Path, index: Any, make_wheel: Any
) -> dict[str, Any]:
    """A source that needs flask, of which there is an old and a new version, and our own lib."""
    needing(source, "flask>=3", "lib")
    for name, version in (("flask", "3.1"), ("flask", "3.2"), ("lib", "1.0")):
        index.add(make_wheel(name, version))
    times(index, "flask", v3_1=30, v3_2=2)
    url = index.url.replace("/simple/", "/times/")
    return params | real(index, quarantine=7, upload_times_url=url)


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, "3.1"),
        ({"quarantine": 1}, "3.2"),
        ({"quarantine": 0}, "3.2"),
        ({"quarantine_exempt": ["Flask"]}, "3.2"),
    ],
)
def test_quarantine(
    changes: dict[str, Any], taken: str, call: Any, quarantined: dict[str, Any]
) -> None:
    done = call(build.main, **(quarantined | changes))
    assert done.code == 0, done.result
    assert done.result["packages"] == {"flask": taken, "lib": "1.0"}


def test_nothing_is_old_enough(call: Any, quarantined: dict[str, Any], index: Any) -> None:
    times(index, "flask", v3_1=6, v3_2=2)
    said = call(build.main, **quarantined).result["msg"]
    assert "Could not lock the dependencies of shop 1.4.0: uv said:" in said
    assert said.endswith("Too young for the quarantine are flask 3.2, flask 3.1.")


def test_a_lock_in_the_source_that_is_too_young(
    call: Any, quarantined: dict[str, Any], source: pathlib.Path, index: Any
) -> None:
    page = index.answers["/simple/flask/"][0].body.decode()
    digest = page.splitlines()[1].partition("sha256=")[2][:64]
    own = index.answers["/simple/lib/"][0].body.decode().partition("sha256=")[2][:64]
    (source / "requirements.txt").write_text(
        f"flask==3.2 --hash=sha256:{digest}\nlib==1.0 --hash=sha256:{own}\n"
    )
    said = call(build.main, **quarantined).result["msg"]
    assert said == (
        "requirements.txt locks what was uploaded less than 7 days ago: flask 3.2. Wait, lock older "
        "versions, or list them in `quarantine_exempt`."
    )


def test_quarantine_without_upload_times(
    call: Any, quarantined: dict[str, Any], index: Any
) -> None:
    for project in ("flask", "lib"):
        index.answers[f"/times/{project}/"] = [index.Answer(b'{"files": []}')]
    said = call(build.main, **quarantined).result["msg"]
    assert "/times/ does not say when files were uploaded, as devpi does not; give" in said


def test_other_files_under_a_public_name(
    call: Any, quarantined: dict[str, Any], index: Any
) -> None:
    index.answers["/times/lib/"] = [index.Answer(b'{"files": []}')]
    said = call(build.main, **quarantined).result["msg"]
    assert "/times/ knows lib, but not the files that are locked of it" in said
    allowed = quarantined | {"quarantine_exempt": ["lib"]}
    assert call(build.main, **allowed).code == 0


def test_a_lock_that_a_host_could_not_install(
    call: Any, params: dict[str, Any], source: pathlib.Path, index: Any, make_wheel: Any
) -> None:
    wheel = make_wheel("flask", "3.1", tag="cp311-cp311-manylinux_2_17_x86_64")
    index.add(wheel)
    lock = f"flask==3.1 --hash=sha256:{digest_of(wheel)}\n"
    (source / "requirements.txt").write_text(lock)
    said = call(build.main, **(params | real(index))).result["msg"]
    assert said.startswith(
        "The lock of shop 1.4.0, requirements.txt, cannot be installed with Python 3.13 on "
        "x86_64-manylinux_2_36: uv said:"
    )
    assert call(build.main, **(params | real(index, pythons=["3.11"]))).code == 0


def test_build_requirements_are_all_that_is_used(
    call: Any, params: dict[str, Any], source: pathlib.Path, index: Any, flask: str
) -> None:
    (source / "requirements.txt").write_text(flask)
    text = (source / "pyproject.toml").read_text()
    (source / "pyproject.toml").write_text(text.replace("requires = []", 'requires = ["flask"]'))
    (source / "build-requirements.txt").write_text(flask)
    assert call(build.main, **(params | real(index))).code == 0
    digest = flask.partition("sha256:")[2].strip()
    (source / "build-requirements.txt").write_text(flask.replace(digest, "b" * 64))
    said = call(build.main, **(params | real(index))).result["msg"]
    assert "uv ended with" in said
    assert "Hash mismatch for `flask==3.1`" in said
    (source / "build-requirements.txt").write_text("")
    said = call(build.main, **(params | real(index))).result["msg"]
    # uv breaks its lines where it likes
    assert "no trusted hash was provided for: `flask`" in " ".join(said.split())


def test_other_indexes_do_not_count(
    call: Any,
    params: dict[str, Any],
    source: pathlib.Path,
    index: Any,
    make_wheel: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    needing(source, "flask")
    index.add(make_wheel("flask", "3.1"))
    tempting = make_wheel("flask", "9.9")
    monkeypatch.setenv("UV_FIND_LINKS", str(tempting.parent))
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_INDEX", "http://127.0.0.1:9/simple/")
    (source / "uv.toml").write_text(f'find-links = ["{tempting.parent}"]\n')
    done = call(build.main, **(params | real(index)))
    assert done.code == 0, done.result
    assert done.result["packages"] == {"flask": "3.1"}


def test_a_command_makes_what_git_ignores(
    call: Any, params: dict[str, Any], source: pathlib.Path
) -> None:
    (source / ".gitignore").write_text("assets\nlocal\n")
    (source / "local").write_text("only here")
    commit(source)
    text = (source / "backend.py").read_text()
    (source / "backend.py").write_text(
        text.replace('"shop.py": ""', '"shop.py": " ".join(sorted(os.listdir()))')
    )
    git(source, "commit", "--quiet", "--all", "--message", "x")
    params |= {
        "command": 'mkdir assets && echo "$THEME" > assets/$THEME.css',
        "environment": {"THEME": "dark"},
        "require_commit": True,
    }
    done = call(build.main, **params)
    assert done.code == 0, done.result
    found = members(done.result["path"])["shop.py"].split()
    assert "assets" in found
    assert "local" not in found
    assert not (source / "assets").exists()


def test_code_of_the_build_does_not_see_the_controllers_environment(
    call: Any, params: dict[str, Any], source: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "/vault")
    text = (source / "backend.py").read_text()
    seen = '" ".join(os.environ)'
    (source / "backend.py").write_text(text.replace('"shop.py": ""', f'"shop.py": {seen}'))
    params |= {
        "command": 'test "$THEME" = dark; test -z "$SSH_AUTH_SOCK"; test -z "$(ls -A "$HOME")"',
        "environment": {"THEME": "dark"},
        "require_commit": False,
    }
    done = call(build.main, **params)
    assert done.code == 0, done.result
    names = set(members(done.result["path"])["shop.py"].split())
    assert {"PATH", "HOME", "THEME", "SOURCE_DATE_EPOCH"} <= names
    assert not {"SSH_AUTH_SOCK", "ANSIBLE_VAULT_PASSWORD_FILE"} & names


def test_a_command_that_fails(call: Any, params: dict[str, Any], source: pathlib.Path) -> None:
    said = call(build.main, **params, command="echo no modules; false; echo on").result["msg"]
    assert said == (
        f"Could not prepare the build of {source}: 'echo no modules; false; echo on' ended with 1:"
        "\nno modules\n"
    )


def test_secrets_are_refused(call: Any, params: dict[str, Any], source: pathlib.Path) -> None:
    text = (source / "backend.py").read_text()
    (source / "backend.py").write_text(text.replace('"shop.py": ""', '"shop/.env": "A=1"'))
    said = call(build.main, **params).result["msg"]
    assert said.startswith("shop-1.0-py3-none-any.whl must not be published: shop/.env holds the")
    assert not list(pathlib.Path(params["output"]).glob("*"))
    assert call(build.main, **params, allowed_files=["shop/.env"]).code == 0


def test_a_lock_that_is_older_than_the_dependencies(
    call: Any, params: dict[str, Any], source: pathlib.Path
) -> None:
    lock = (source / "requirements.txt").read_text()
    needing(source, "flask>=4")
    (source / "requirements.txt").write_text(lock)
    said = call(build.main, **params).result["msg"]
    assert said.startswith("requirements.txt has flask 3.1, but shop 1.0 needs flask>=4: the lock")


@pytest.fixture
def tools(tmp_path: pathlib.Path, standing_in: str) -> pathlib.Path:
    """Programs that stand in for the tools; the real ones run in the scenario publish."""
    bin_path = tmp_path / "tools"
    bin_path.mkdir()
    (bin_path / "uv").symlink_to(standing_in)
    (bin_path / "twine").write_text(
        '#!/bin/sh\ntest ! -e "$REFUSED" || { echo "no $*"; exit 1; }\n'
    )
    (bin_path / "cyclonedx-py").write_text(
        '#!/bin/sh\ntest ! -e "$BROKEN" || { echo oops; exit 2; }\n'
        'echo "{\\"components\\": [], \\"serial\\": \\"$SOURCE_DATE_EPOCH\\"}" > "$4"\n'
    )
    for path in bin_path.iterdir():
        path.chmod(0o755)
    return bin_path


def test_tools(call: Any, params: dict[str, Any], tools: pathlib.Path) -> None:
    del params["uv"]
    done = call(build.main, **params, tools=str(tools))
    assert done.code == 0, done.result
    bill = json.loads(members(done.result["path"])["shop-1.0.dist-info/sboms/app.cdx.json"])
    assert bill["metadata"]["component"]["name"] == "shop"
    assert bill["serial"] == "315532800"


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("REFUSED", "shop-1.0-py3-none-any.whl must not be published: twine check ended with 1:"),
        ("BROKEN", "Could not make the bill of materials of shop 1.0: cyclonedx-py ended with 2:"),
    ],
)
def test_tools_that_fail(
    variable: str, words: str, call: Any, params: dict[str, Any], tools: pathlib.Path
) -> None:
    done = call(build.main, **params, tools=str(tools), environment={variable: "/"})
    assert done.result["msg"].startswith(words)


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


def test_the_same_commit_gives_the_same_bytes(
    call: Any, params: dict[str, Any], source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Wherever it is checked out, with whatever times and modes."""
    head = commit(source)
    params["require_commit"] = True
    first = call(build.main, **params).result
    assert first["commit"] == head
    path = pathlib.Path(first["path"])
    assert read_commit(path, path.name) == head
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 3, 4, 5, 6, 8)}
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "clone", "--quiet", str(source), str(elsewhere))
    for file in elsewhere.glob("*.py"):
        os.utime(file, (0, 0))
    output = str(tmp_path / "other")
    second = call(build.main, **(params | {"source": str(elsewhere), "output": output})).result
    assert second["sha256"] == first["sha256"]


def test_another_commit_is_another_build(
    call: Any, params: dict[str, Any], source: pathlib.Path
) -> None:
    commit(source)
    first = call(build.main, **params).result
    (source / "README").write_text("more\n")
    commit(source, "2026-03-05T05:06:08Z")
    assert call(build.main, **params).result["sha256"] != first["sha256"]


def test_changes_that_are_not_committed(
    call: Any, params: dict[str, Any], source: pathlib.Path
) -> None:
    head = commit(source)
    (source / "README").write_text("more\n")
    said = call(build.main, **(params | {"require_commit": True})).result["msg"]
    assert said.startswith(f"{source} has changes that are not committed: README; commit them, or")
    assert call(build.main, **params).result["commit"] == f"{head}-dirty"


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
            {"requirements.txt": None}, {}, "has no lock file and needs nothing", id="no-lock"
        ),
        pytest.param(
            {}, {"requirements": "x.txt"}, "x.txt is missing; it is the lock file", id="gone-lock"
        ),
        pytest.param({"Procfile": None}, {}, "it is the Procfile of the app", id="no-procfile"),
        pytest.param(
            {}, {"source": "/no/such"}, "the directory /no/such does not exist", id="none"
        ),
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
        pytest.param({"requirements.txt": b"\xff"}, {}, "is not UTF-8 text", id="binary-lock"),
        pytest.param({"Procfile": "release: x\n"}, {}, "No process type to run", id="only-release"),
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


def test_check_mode_does_nothing(call: Any, params: dict[str, Any]) -> None:
    done = call(build.main, check=True, **params)
    assert "does not support check mode" in done.result["msg"]
    assert not done.result.get("changed")
    assert not pathlib.Path(params["output"]).exists()
