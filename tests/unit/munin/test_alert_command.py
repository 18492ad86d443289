# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node chooses nothing of the command that its master has a shell read."""

from __future__ import annotations

import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

MASTER = pathlib.Path(__file__).resolve().parents[3] / "roles/munin/tasks/master.yml"


def accepted(command: str) -> bool:
    loader = DataLoader()
    [check, *_others] = loader.load_from_file(str(MASTER), trusted_as_template=True)
    known = {
        "munin_nodes": [{"name": "shop", "address": "10.0.0.1"}],
        "munin_domain": "munin.example.org",
        "munin_users": {"joe": "hash"},
        "munin_alert_command": command,
    }
    templar = Templar(loader, variables=known)
    return all(
        templar.evaluate_conditional(each) for each in check["ansible.builtin.assert"]["that"]
    )


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("", True),
        ("/usr/local/bin/mail-to ops", True),
        ('mail -s "Munin ${var:worst} ${var:host}" ops@example.org', True),
        ('mail -s "${var:label}" ops@example.org', False),
        ('mail -s "${var:host} ${var:graph_title}" ops@example.org', False),
        ('mail -s "${var:hostile}" ops@example.org', False),
        ('mail -s "${loop<,>:wfields ${var:label}}" ops@example.org', False),
        ('mail -s "${strtrunc:20 ${var:host}}" ops@example.org', False),
        ("mail ops@example.org\nmail more@example.org", False),
    ],
)
def test_only_what_a_node_cannot_choose(command: str, expected: bool) -> None:
    assert accepted(command) is expected
