# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/variables.md lists what the playbooks read, as the validation declares it."""

from __future__ import annotations

import pages
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import Setting
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    PLAYBOOKS,
    REQUIRED,
)

TEXT = pages.read("docs/variables.md")


def rows(title: str) -> list[str]:
    table = TEXT.partition(f"{title}\n")[2].partition("\n\n")[0]
    return table.splitlines()[1:]


def shown(default: object) -> str:
    if default in (None, "", []) or default == {}:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def row(name: str, known: Setting) -> str:
    default = shown(known.default)
    return f"| `{name}` | {default} | {' '.join(known.meaning)} |"


def test_all_variables_of_the_playbooks_are_listed_and_no_others() -> None:
    expected = [row(name, known) for name, known in PLAYBOOKS.items()]
    assert rows("| variable | default | meaning |") == expected


def test_what_groups_need_is_listed() -> None:
    expected = [
        f"| `{group}` | {', '.join(f'`{name}`' for name in names)} |"
        for group, names in REQUIRED.items()
    ]
    assert rows("| group | required |") == expected
