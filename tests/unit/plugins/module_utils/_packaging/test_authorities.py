# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an index is verified with."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging import authorities

OWN = "index.example.org.pem"


@pytest.mark.parametrize(
    ("url", "given", "expected"),
    [
        ("https://index.example.org/company/prod/+simple/", None, OWN),
        ("https://hosts:s%2F@INDEX.example.org:8443/s/", None, OWN),
        ("https://index.example.org/s/", "/etc/company.pem", "/etc/company.pem"),
        # the CA of one index is no authority for another, nor for whom it sends files to
        ("https://other.example.org/s/", None, authorities.SYSTEM),
        ("https://index.example.org.evil.test/s/", None, authorities.SYSTEM),
        ("https://../s/", None, authorities.SYSTEM),
        ("https://[::1/", None, authorities.SYSTEM),
        ("", None, authorities.SYSTEM),
        (None, None, authorities.SYSTEM),
        (None, "/etc/company.pem", "/etc/company.pem"),
    ],
)
def test_a_ca_counts_for_its_own_index(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    url: str | None,
    given: str | None,
    expected: str,
) -> None:
    monkeypatch.setattr(authorities, "OF_INDEXES", tmp_path)
    (tmp_path / OWN).touch()
    found = authorities.authorities_of(url, given)
    assert found == (str(tmp_path / OWN) if expected == OWN else expected)
