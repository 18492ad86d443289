# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which orders of a certificate are tried again."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "nginx"
NAME = "__nginx_acme_passing"
PASSING = yaml.safe_load((ROLE / "vars" / "main.yml").read_text("utf-8"))[NAME]


@pytest.mark.parametrize(
    ("message", "again"),
    [
        ("Another instance of Certbot is already running.", True),
        (
            "An unexpected error occurred:\nUnable to validate JWS :: JWS has an invalid anti-replay nonce",
            True,
        ),
        (
            "An unexpected error occurred:\nrequests.exceptions.ConnectionError: Connection refused",
            True,
        ),
        ("An unexpected error occurred:\nsocket.timeout: The read operation timed out", True),
        # each attempt counts for the limit
        (
            "An unexpected error occurred:\nError creating new order :: too many certificates (5)",
            False,
        ),
        ("Some challenges have failed.", False),
        (
            "An unexpected error occurred:\nThe server will not issue certificates for the identifier",
            False,
        ),
    ],
)
def test_only_what_passes_is_tried_again(message: str, again: bool) -> None:
    assert bool(re.search(PASSING.strip(), message)) is again


def test_the_pattern_stands_once() -> None:
    """A task that had one of its own tried a rate-limited order thirteen times."""
    texts = [path.read_text("utf-8") for path in ROLE.rglob("*.yml")]
    assert sum(len(re.findall(rf"(?m)^\s*{NAME}:", text)) for text in texts) == 1
