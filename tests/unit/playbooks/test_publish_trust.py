# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which authorities publishing verifies the index with."""

from __future__ import annotations

import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "publish"


@pytest.mark.parametrize(
    ("given", "environment", "system", "expected"),
    [
        ("ca.pem", "/env.pem", ["/bin/sh"], "/inventory/ca.pem"),
        ("", "/env.pem", ["/bin/sh"], "/env.pem"),
        ("", "", ["/nonexistent", "/bin/sh", "/bin"], "/bin/sh"),
        ("", "", ["/nonexistent"], ""),
    ],
)
def test_the_first_that_is_said_counts(
    monkeypatch: pytest.MonkeyPatch, given: str, environment: str, system: list[str], expected: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", environment)
    loader = DataLoader()
    known = loader.load_from_file(str(ROLE / "defaults" / "main.yml"), trusted_as_template=True)
    known |= loader.load_from_file(str(ROLE / "vars" / "main.yml"), trusted_as_template=True)
    known |= {
        "publish_ca_path": given,
        "inventory_dir": "/inventory",
        "__publish_system_trust": system,
    }
    assert Templar(loader, variables=known).template(known["__publish_ca_path"]) == expected
