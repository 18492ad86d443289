# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""init, as a newcomer runs it: without an inventory, in an empty directory."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
from unit.repositories import django

ROOT = pathlib.Path(__file__).resolve().parents[3]


def play(place: pathlib.Path, playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        ["ansible-playbook", f"twelvefactor.deploy.{playbook}", *arguments],
        check=False,
        cwd=place,
        env={
            **environment,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def infra(tmp_path: pathlib.Path) -> pathlib.Path:
    for name, text in django("src/").items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    place = tmp_path / "infra"
    place.mkdir()
    return place


def test_an_inventory_from_nothing(infra: pathlib.Path) -> None:
    """What it writes is an inventory that the other playbooks judge, and is not changed by a second run."""
    words = ["-e", "repo=../shop", "-e", "host=a1.test,a2.test", "-e", "index=i.test"]
    words += ["-e", "proxy=www.test", "-e", "domain=shop.test"]
    first = play(infra, "init", *words)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "changed=1" in first.stdout
    # as lines also before there is an ansible.cfg
    lines = first.stdout.splitlines()
    assert {f"Written in {infra}:", "  hosts.yml"} < set(lines)
    assert any(line.startswith("Complete these lines") for line in lines)
    assert lines.index(f"Then, in {infra}:") < lines.index("changed: [localhost]")
    assert '"msg"' not in first.stdout
    again = play(infra, "init", "-i", "hosts.yml", *words)
    assert "changed=0" in again.stdout, again.stdout + again.stderr
    assert f"Then, in {infra}:" in again.stdout.splitlines()
    secrets = "vault_shop_database_url: x\nvault_shop_secret_key: x\n"
    (infra / "group_vars/all/vault.yml").write_text(secrets)
    # settings and hosts are judged first; the app of this name does not exist
    judged = play(infra, "status", "-i", "hosts.yml", "-e", "app=wiki")
    assert "The inventory has no app wiki; it has shop." in judged.stdout, judged.stdout


def test_check_mode_writes_nothing(infra: pathlib.Path) -> None:
    done = play(infra, "init", "--check", "--diff", "-e", "repo=../shop", "-e", "into=there")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+    source: ../../shop" in done.stdout
    assert [*infra.iterdir()] == []


def test_a_call_without_a_repository_says_how(infra: pathlib.Path) -> None:
    done = play(infra, "init")
    assert done.returncode == 2
    assert "-e repo=PATH" in done.stdout
    assert [*infra.iterdir()] == []
