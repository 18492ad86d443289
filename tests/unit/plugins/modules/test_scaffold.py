# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module scaffold, on repositories on the disk."""

from __future__ import annotations

import pathlib
import stat
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold import store
from ansible_collections.twelvefactor.deploy.plugins.modules import scaffold
from unit import repositories

WRITTEN = [
    "ansible.cfg",
    ".gitignore",
    "hosts.yml",
    "group_vars/all/main.yml",
    "group_vars/all/apps.yml",
    "vault.example.yml",
]


def put(place: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return place


def texts(place: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(place)): path.read_text("utf-8")
        for path in place.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def params(tmp_path: pathlib.Path) -> dict[str, Any]:
    shop = put(tmp_path / "shop", repositories.django())
    return {"repository": str(shop), "into": str(tmp_path / "infra")}


def test_what_is_written(params: dict[str, Any], call: Any, tmp_path: pathlib.Path) -> None:
    result = call(scaffold.main, **params).result
    assert (result["changed"], result["app"]) == (True, "shop")
    assert (result["written"], result["kept"]) == (WRITTEN, [])
    assert sorted(texts(tmp_path / "infra")) == sorted(WRITTEN)
    assert "    source: ../shop\n" in texts(tmp_path / "infra")["group_vars/all/apps.yml"]
    assert len(result["edit"]) == 6
    assert any("Make" in line or "Procfile" in line for line in result["chores"])
    assert {"what", "value", "reason", "place"} == result["guesses"][0].keys()


def test_a_second_run_changes_nothing(
    params: dict[str, Any], call: Any, tmp_path: pathlib.Path
) -> None:
    call(scaffold.main, **params)
    before = texts(tmp_path)
    result = call(scaffold.main, **params).result
    assert (result["changed"], result["written"], result["kept"]) == (False, [], WRITTEN)
    assert "diff" not in result or result["diff"] == []
    assert not any("may lack" in line for line in result["text"])
    assert texts(tmp_path) == before


def test_check_mode_shows_it_and_writes_nothing(
    params: dict[str, Any], call: Any, tmp_path: pathlib.Path
) -> None:
    before = texts(tmp_path)
    predicted = call(scaffold.main, check=True, **params).result
    assert texts(tmp_path) == before
    assert not (tmp_path / "infra").exists()
    done = call(scaffold.main, **params).result
    assert predicted == done
    written = texts(tmp_path / "infra")
    assert {each["after_header"]: each["after"] for each in done["diff"]} == {
        str(tmp_path / "infra" / name): text for name, text in written.items()
    }


def test_a_file_that_exists_is_kept(
    params: dict[str, Any], call: Any, tmp_path: pathlib.Path
) -> None:
    """And what it would have held of the app is shown, as for a second app."""
    mine = {"group_vars/all/apps.yml": "apps: {other: {}}\n", "hosts.yml": "all:\n"}
    put(tmp_path / "infra", mine)
    (tmp_path / "infra/ansible.cfg").symlink_to("nowhere")
    result = call(scaffold.main, **params).result
    assert result["kept"] == ["ansible.cfg", "hosts.yml", "group_vars/all/apps.yml"]
    assert {name: texts(tmp_path / "infra")[name] for name in mine} == mine
    assert (tmp_path / "infra/ansible.cfg").is_symlink()
    assert '      version: "1.10"' in result["text"]
    assert result["edit"] == []


def test_a_procfile_only_when_asked(
    params: dict[str, Any], call: Any, tmp_path: pathlib.Path
) -> None:
    procfile = tmp_path / "shop/Procfile"
    call(scaffold.main, **params)
    assert not procfile.exists()
    result = call(scaffold.main, **params, procfile=True).result
    assert result["written"] == ["../shop/Procfile"]
    about = [chore for chore in result["chores"] if "Procfile" in chore]
    assert about == ["Read the Procfile: its commands are guesses, with the reasons above"]
    assert procfile.read_text() == (
        "web: gunicorn shop.wsgi\nrelease: django-admin migrate --noinput\n"
    )
    assert not any("Procfile" in chore for chore in call(scaffold.main, **params).result["chores"])


def test_a_procfile_is_never_replaced(
    params: dict[str, Any], call: Any, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "shop/Procfile").write_text("web: mine\n")
    call(scaffold.main, **params, procfile=True)
    assert (tmp_path / "shop/Procfile").read_text() == "web: mine\n"


@pytest.mark.parametrize(
    ("below", "line"),
    [("infra/collections", "collections_path = collections\n"), ("elsewhere", "")],
)
def test_where_the_collection_is(
    params: dict[str, Any], call: Any, tmp_path: pathlib.Path, below: str, line: str
) -> None:
    call(scaffold.main, **params, collections_path=str(tmp_path / below))
    assert texts(tmp_path / "infra")["ansible.cfg"].startswith(
        f"[defaults]\ninventory = hosts.yml\n{line}callback"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repository": "{tmp}/empty"}, "no pyproject.toml"),
        ({"repository": "{tmp}/missing"}, "There is no directory"),
        ({"into": "{tmp}/shop"}, "-e into=../infrastructure"),
        ({"hosts": ["192.0.2.1"]}, "is an address"),
        ({"into": "{tmp}/shop/manage.py"}, "is not a directory"),
    ],
)
def test_what_is_refused(
    params: dict[str, Any],
    call: Any,
    tmp_path: pathlib.Path,
    changes: dict[str, Any],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    before = texts(tmp_path)
    given = {
        key: value.format(tmp=tmp_path) if isinstance(value, str) else value
        for key, value in changes.items()
    }
    done = call(scaffold.main, **{**params, **given})
    assert said in done.result["msg"]
    assert texts(tmp_path) == before


def test_a_terminal_obeys_nothing_of_a_repository(
    params: dict[str, Any], call: Any, tmp_path: pathlib.Path
) -> None:
    put(tmp_path / "hostile", repositories.HOSTILE)
    done = call(scaffold.main, **{**params, "repository": str(tmp_path / "hostile")})
    assert not any("\x1b" in line for line in done.result["text"])


def test_every_mode_is_set(
    params: dict[str, Any], call: Any, tmp_path: pathlib.Path, strict_umask: None
) -> None:
    call(scaffold.main, **params)
    found = {stat.S_IMODE((tmp_path / "infra" / name).stat().st_mode) for name in WRITTEN}
    assert found == {0o644}


def test_a_file_that_appears_meanwhile_is_left(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hosts.yml"
    plan = store.plan({path: "ours"})
    path.write_text("theirs")
    with pytest.raises(DeployError, match="left as it is"):
        store.write(plan.new)
    assert path.read_text() == "theirs"
