# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads at the end."""

from __future__ import annotations

from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.explanation import (
    Outcome,
    explain,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.guess import (
    Wishes,
    guess_app,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.tree import Tree
from unit import repositories

OUTCOME = Outcome("/infra", "../shop", ["hosts.yml"], [".gitignore"], ["hosts.yml:9: the name"])


def test_all_that_there_is_to_know() -> None:
    app = guess_app(Tree("shop", repositories.FASTAPI), Wishes("../shop"))
    assert explain(app, OUTCOME) == [
        "my-api, FastAPI, read in ../shop",
        "",
        "Found or guessed; change it in group_vars/all/apps.yml:",
        "  app: my-api  (name of [project] in pyproject.toml)",
        "  version: 1.10  (version of [project] in pyproject.toml)",
        "  health_path: /health  (my_api/main.py:3)",
        "",
        "Found or guessed; change it in Procfile:",
        "  web: uvicorn my_api.main:app  (FastAPI app in my_api/main.py:2, app; uvicorn is a dependency)",
        "",
        "Found or guessed; change it in requirements.txt:",
        "  lock: requirements.txt  (every package in it is pinned and has hashes)",
        "",
        "Written in /infra:",
        "  hosts.yml",
        "",
        "Kept as they were, because they exist:",
        "  .gitignore",
        "",
        "Complete these lines, which only you can:",
        "  hosts.yml:9: the name",
        "",
        "Do in ../shop, and commit it:",
        "  - Add a file Procfile with the processes above, or let `-e procfile=true` write it",
        "",
        "Note:",
        (
            "  - Databases, brokers and mail servers that the app needs are not set up here; their URLs "
            "and passwords go into the vault."
        ),
        "",
        "Then, in /infra:",
        (
            "  test ! -e group_vars/all/vault.yml && grep -v '^#' vault.example.yml | perl -pe "
            "'s/RANDOM/qx(openssl rand -hex 32)/e' | ansible-vault encrypt --output group_vars/all/vault.yml"
        ),
        "  ansible-vault edit group_vars/all/vault.yml  # the values EDIT",
        "  ansible-playbook -i hosts.yml twelvefactor.deploy.index --ask-vault-pass",
        "  ansible-playbook -i hosts.yml twelvefactor.deploy.publish --ask-vault-pass -e app=my-api",
        "  ansible-playbook -i hosts.yml twelvefactor.deploy.site --ask-vault-pass",
    ]


def test_commands_can_be_copied_from_json() -> None:
    app = guess_app(Tree("shop", repositories.CELERY), Wishes("../shop"))
    lines = explain(app, OUTCOME)
    commands = lines[lines.index("Then, in /infra:") :]
    assert not any(character in line for line in commands for character in '"\\')


def test_settings_that_are_not_written() -> None:
    app = guess_app(Tree("shop", repositories.BOT), Wishes("../shop"))
    outcome = Outcome("/infra", "../shop", [], ["a"], [], "---\napps:\n  bot:\n")
    lines = explain(app, outcome)
    title = "Kept, too: group_vars/all/apps.yml. It may lack these settings of bot:"
    assert lines[lines.index(title) + 1 :][:2] == ["  apps:", "    bot:"]


def test_a_vault_that_exists_is_added_to() -> None:
    app = guess_app(Tree("shop", repositories.django()), Wishes("../shop"))
    lines = explain(app, Outcome("/infra", "../shop", [], [], [], has_vault=True))
    assert lines[lines.index("Then, in /infra:") + 1] == (
        "  ansible-vault edit group_vars/all/vault.yml"
        "  # it needs vault_shop_database_url, vault_shop_secret_key"
    )
