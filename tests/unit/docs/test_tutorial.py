# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial's app, as it stands there, is one that `init` has nothing to add to."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess

import pages
import pytest
import yaml

BLOCKS = pages.blocks("docs/tutorial.md")
FILES = {
    block.file: block.body for block in BLOCKS if block.language in ("toml", "python", "procfile")
}
COMMANDS = [
    line for block in BLOCKS if block.language == "console" for line in pages.shown(block.body)
]
# what its `uv pip compile` would make over the network
LOCK = "".join(
    f"{name}=={version} --hash=sha256:{'0' * 64}\n"
    for name, version in (("flask", "3.1.0"), ("gunicorn", "23.0.0"))
)


def run(words: list[str], place: pathlib.Path) -> str:
    done = subprocess.run(
        words,
        check=False,
        cwd=place,
        env={**os.environ, "ANSIBLE_CONFIG": "", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The inventory that the tutorial's `init` has written, with values for the secrets."""
    shop = tmp_path_factory.mktemp("tutorial") / "shop"
    for name, text in {**FILES, "requirements.txt": LOCK}.items():
        (shop / name).parent.mkdir(parents=True, exist_ok=True)
        (shop / name).write_text(text, encoding="utf-8")
    (shop / ".git").mkdir()
    project = shop.parent / "infrastructure"
    project.mkdir()
    (init,) = [shlex.split(line) for line in COMMANDS if ".init " in line]
    (project / "output").write_text(run(init, project), encoding="utf-8")
    secrets = yaml.safe_load((project / "vault.example.yml").read_text(encoding="utf-8"))
    vault = project / "group_vars/all/vault.yml"
    vault.write_text(yaml.safe_dump(dict.fromkeys(secrets, "x")), encoding="utf-8")
    return project


def test_the_tutorial_has_the_files_of_an_app() -> None:
    assert sorted(FILES) == ["Procfile", "pyproject.toml", "src/shop/__init__.py"]


def test_init_has_nothing_to_add_to_the_app_of_the_tutorial(project: pathlib.Path) -> None:
    output = (project / "output").read_text(encoding="utf-8")
    assert "Do in ../shop" not in output
    assert "Complete these lines" not in output
    apps = yaml.safe_load((project / "group_vars/all/apps.yml").read_text(encoding="utf-8"))["apps"]
    assert apps["shop"] == {
        "version": "1.0.0",
        "source": "../shop",
        "domains": ["shop.example.org"],
        "health_path": "/healthz",
        "formation": {"web": 1},
        "env": {"SECRET_KEY": "{{ vault_shop_secret_key }}"},
    }


def test_the_fleet_of_the_tutorial_is_a_valid_inventory(project: pathlib.Path) -> None:
    (fleet,) = [
        block.body for block in BLOCKS if block.file == "hosts.yml" and "all:" in block.body
    ]
    (rollout,) = [block.body for block in BLOCKS if "deploy_batch" in block.body]
    (project / "fleet.yml").write_text(fleet, encoding="utf-8")
    main = project / "group_vars/all/main.yml"
    main.write_text(main.read_text(encoding="utf-8") + rollout, encoding="utf-8")
    playbook = str(pages.ROOT / "playbooks/validate.yml")
    assert "failed=0" in run(["ansible-playbook", "-i", "fleet.yml", playbook], project)
