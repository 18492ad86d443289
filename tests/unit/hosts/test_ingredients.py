# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
from hosts import image, ingredients


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    files = {
        "play.yml": "roles: [twelvefactor.deploy.web]",
        "roles/web/tasks/main.yml": "twelvefactor.deploy.web_config:",
        "roles/web/templates/site.j2": "server",
        "roles/other/tasks/main.yml": "other",
        "plugins/modules/web_config.py": (
            "from ..module_utils._web import plan\n"
            "from ..module_utils._host.command import (\n    run,\n)\n"
        ),
        "plugins/modules/other.py": "",
        "plugins/module_utils/_web/plan.py": "from ..module_utils._host import (\n    files,\n)",
        "plugins/module_utils/_web/unused.py": "",
        "plugins/module_utils/_host/command.py": "from ..module_utils._errors import DeployError",
        "plugins/module_utils/_host/files.py": "",
        "plugins/module_utils/_errors.py": "",
        "plugins/module_utils/_unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def fingerprint(root: pathlib.Path) -> str:
    ingredients.fingerprint.cache_clear()
    return ingredients.fingerprint(root, root / "play.yml")


@pytest.mark.parametrize(
    "name",
    [
        "play.yml",
        "roles/web/templates/site.j2",
        "plugins/modules/web_config.py",
        "plugins/module_utils/_web/plan.py",
        "plugins/module_utils/_host/command.py",
        "plugins/module_utils/_host/files.py",
        "plugins/module_utils/_errors.py",
    ],
)
def test_what_goes_in_counts(root: pathlib.Path, name: str) -> None:
    before = fingerprint(root)
    (root / name).write_text((root / name).read_text() + "\n# changed")
    assert fingerprint(root) != before


@pytest.mark.parametrize(
    "name",
    [
        "roles/other/tasks/main.yml",
        "roles/web/__pycache__/kept.pyc",
        "plugins/modules/other.py",
        "plugins/module_utils/_web/unused.py",
        "plugins/module_utils/_unused.py",
    ],
)
def test_what_does_not_go_in_does_not_count(root: pathlib.Path, name: str) -> None:
    before = fingerprint(root)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("changed")
    assert fingerprint(root) == before


def test_the_prepared_hosts_are_made_of_the_roles_that_they_run() -> None:
    ingredients.fingerprint.cache_clear()
    names = {
        str(path.relative_to(ingredients.ROOT))
        for path in ingredients.files(ingredients.ROOT, ingredients.PLAYBOOK)
    }
    assert names >= {
        "roles/nginx/tasks/main.yml",
        "roles/circus/files/requirements.txt",
        "plugins/modules/nginx_config.py",
        "plugins/module_utils/_nginx/transaction.py",
    }
    assert not any(name.startswith("roles/devpi/") for name in names)


def test_a_prepared_image_is_named_by_what_it_is_made_of() -> None:
    assert image.reference("debian12-prepared").startswith(image.reference("debian12") + "-")
