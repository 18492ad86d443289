# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was guessed and written, and what is left to do, as lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold import files
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.guess import (
    APPS,
    App,
    Guess,
)

PLAYBOOK = "ansible-playbook -i hosts.yml twelvefactor.deploy"


@dataclass(frozen=True)
class Outcome:
    """``repository`` and the files are paths relative to ``into``, the inventory's directory."""

    into: str
    repository: str
    written: Sequence[str]
    kept: Sequence[str]
    edit: Sequence[str]
    # settings of the app, where the file that would hold them was kept and says something else
    unwritten: str = ""
    has_vault: bool = False


def explain(app: App, outcome: Outcome) -> list[str]:
    framework = app.processes.framework or "unknown framework"
    lines = [f"{app.name}, {framework}, read in {outcome.repository}"]
    for place in dict.fromkeys(each.place for each in app.guesses):
        there = [each for each in app.guesses if each.place == place]
        lines += _section(f"Found or guessed; change it in {place}:", _guesses(there))
    lines += _section(f"Written in {outcome.into}:", outcome.written)
    lines += _section("Kept as they were, because they exist:", outcome.kept)
    if outcome.unwritten:
        lines += _section(
            f"Kept, too: {APPS}. It may lack these settings of {app.name}:",
            outcome.unwritten.splitlines()[1:],
        )
    lines += _section("Complete these lines, which only you can:", outcome.edit)
    lines += _section(f"Do in {outcome.repository}, and commit it:", _items(app.chores))
    lines += _section("Note:", _items(app.notes))
    return [*lines, *_section(f"Then, in {outcome.into}:", _commands(app, outcome))]


def _section(title: str, lines: Iterable[str]) -> list[str]:
    indented = [f"  {line}" for line in lines]
    return ["", title, *indented] if indented else []


def _items(sentences: Iterable[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]


def _guesses(guesses: Sequence[Guess]) -> list[str]:
    return [f"{each.what}: {each.value}  ({each.reason})" for each in guesses]


def _commands(app: App, outcome: Outcome) -> list[str]:
    to_replace = [f"{files.EDIT_VAULT}  # the values EDIT"] if "EDIT" in app.vault.values() else []
    secrets = [files.FILL_VAULT, *to_replace]
    if outcome.has_vault:
        secrets = [f"{files.EDIT_VAULT}  # it needs {', '.join(app.vault)}"] if app.vault else []
    return [
        *secrets,
        f"{PLAYBOOK}.index --ask-vault-pass",
        f"{PLAYBOOK}.publish --ask-vault-pass -e app={app.name}",
        f"{PLAYBOOK}.site --ask-vault-pass",
    ]
