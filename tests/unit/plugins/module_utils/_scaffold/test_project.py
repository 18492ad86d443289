# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app's packaging says."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.project import (
    python_problem,
    read_lock,
    read_project,
)

HASHED = f"flask==3.1 --hash=sha256:{'a' * 64}\n"
PYLOCK = f"""
lock-version = "1.0"
[[packages]]
name = "flask"
version = "3.1"
wheels = [{{url = "https://x.test/flask.whl", hashes = {{sha256 = "{"a" * 64}"}}}}]
"""


@pytest.mark.parametrize(
    ("pyproject", "name", "version"),
    [
        ('[project]\nname = "shop"\nversion = "1.10"', "shop", "1.10"),
        ('[tool.poetry]\nname = "shop"\nversion = "2.0"', "shop", "2.0"),
        ('[project]\nname = "shop"\ndynamic = ["version"]', "shop", ""),
        (
            '[project]\nname = "shop"\n[tool.hatch.version]\npath = "src/shop/__init__.py"',
            "shop",
            "3.0",
        ),
        (
            '[project]\nname = "shop"\n[tool.setuptools.dynamic]\nversion = {attr = "shop.__version__"}',
            "shop",
            "3.0",
        ),
        ('[project]\nname = "{{ x }}"\nversion = "1 # {{ x }}"', "", ""),
        ("[project]\nname = 1\nversion = []", "", ""),
        ("project = 1\ntool = 2", "", ""),
        ("not TOML", "", ""),
        (f"x = {'9' * 5000}", "", ""),
        (f"x = {'[' * 5000}", "", ""),
    ],
)
def test_name_and_version(pyproject: str, name: str, version: str) -> None:
    found = read_project({"pyproject.toml": pyproject}, {"src/shop/__init__.py": "3.0"})
    assert (found.name, found.version) == (name, version)


@pytest.mark.parametrize(
    ("files", "packages"),
    [
        (
            {"pyproject.toml": '[project]\ndependencies = ["Flask>=3", "fastapi[standard] ; x"]'},
            {"flask", "fastapi", "fastapi[standard]"},
        ),
        (
            {"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\nDjango = "^5"'},
            {"python", "django"},
        ),
        ({"requirements.txt": "# no\n-r other.txt\ngunicorn==23\n"}, {"gunicorn"}),
        ({"uv.lock": '[[package]]\nname = "uvicorn"'}, {"uvicorn"}),
        ({"pylock.toml": PYLOCK}, {"flask"}),
        ({"poetry.lock": "not TOML"}, set()),
        ({"pyproject.toml": "[project]\ndependencies = 1"}, set()),
    ],
)
def test_packages(files: dict[str, str], packages: set[str]) -> None:
    assert read_project(files, {}).packages == packages


def test_scripts_that_are_words() -> None:
    text = '[project.scripts]\nshop-worker = "shop.worker:main"\n"{{ x }}" = "y"'
    assert read_project({"pyproject.toml": text}, {}).scripts == ("shop-worker",)


@pytest.mark.parametrize(
    ("files", "name", "advice"),
    [
        ({"requirements.txt": HASHED}, "requirements.txt", ""),
        ({"pylock.toml": PYLOCK}, "pylock.toml", ""),
        (
            {"pyproject.toml": ""},
            "",
            "uv pip compile --universal --generate-hashes --python-version 3.11 pyproject.toml -o requirements.txt",
        ),
        (
            {"requirements.in": "flask", "requirements.txt": "flask==3.1"},
            "",
            "uv pip compile --universal --generate-hashes --python-version 3.11 requirements.in -o requirements.txt",
        ),
        ({"uv.lock": ""}, "", "uv export --no-dev --no-emit-project -o requirements.txt"),
        (
            {"uv.lock": "", "requirements.txt": "-e .\n"},
            "",
            "uv export --no-dev --no-emit-project -o requirements.txt",
        ),
        ({"pdm.lock": ""}, "", "pdm export --prod -o requirements.txt"),
        ({"Pipfile.lock": "{}"}, "", "pipenv requirements --hash > requirements.txt"),
        (
            {"poetry.lock": ""},
            "",
            "poetry export -o requirements.txt  # of poetry-plugin-export",
        ),
        (
            {"requirements.txt": HASHED, "pylock.toml": PYLOCK},
            "",
            "git rm requirements.txt  # or the other one",
        ),
        ({"pylock.toml": "lock-version = 9"}, "", "uv export --format pylock.toml -o pylock.toml"),
    ],
)
def test_the_lock_or_how_to_make_one(files: dict[str, str], name: str, advice: str) -> None:
    lock = read_lock(files, "shop")
    assert (lock.name, lock.advice) == (name, advice)


@pytest.mark.parametrize("more", ["9" * 5000, "[" * 5000])
def test_a_lock_that_cannot_be_read(more: str) -> None:
    assert read_lock({"pylock.toml": f'lock-version = "1.0"\nx = {more}'}, "shop").name == ""


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        ({"Debian 12": True, "Debian 13": True}, ""),
        ({"Debian 12": False, "Debian 13": True}, "the hosts need Debian 13."),
        ({"Debian 12": False, "Debian 13": False}, "no Python of Debian 12 or Debian 13 is."),
    ],
)
def test_pythons_of_hosts(holds: dict[str, bool], said: str) -> None:
    assert python_problem(">=3.12", holds).endswith(said)
