# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of an app's config stay out of messages, output out of what others are told."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import (
    masked,
    reason_of,
)

ENV = {
    "DATABASE_URL": "postgres://shop:hunt%2Fer2@db/shop",
    "SECRET_KEY": "correct horse 'battery' staple",
    "LONGER": "abcdefghi",
    "SHORTER": "abcdef",
    "PEM": "-----BEGIN-----\nMIIEvQIBADAN\n",
    "COLOUR": "green",
    "PORT": 123456,
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "could not connect to postgres://shop:hunt%2Fer2@db/shop",
            "could not connect to <DATABASE_URL>",
        ),
        ("password hunt/er2 refused", "password <DATABASE_URL> refused"),
        ("KeyError: \"correct horse 'battery' staple\"", 'KeyError: "<SECRET_KEY>"'),
        (repr("it's \"" + ENV["SECRET_KEY"]), "'it\\'s \"<SECRET_KEY>'"),
        ("abcdefghi abcdef", "<LONGER> <SHORTER>"),
        ("read MIIEvQIBADAN", "read <PEM>"),
        ("port 123456 is green", "port <PORT> is green"),
        ("GET https://joe:s3@index/simple", "GET https://joe:***@index/simple"),
        ("https://index:8443/a@b and ssh://git@host", "https://index:8443/a@b and ssh://git@host"),
        ("amqp://a:p@ss@mq 'redis://:x@r'", "amqp://a:***@mq 'redis://:***@r'"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_masked(text: str, shown: str) -> None:
    assert masked(text, ENV) == shown


def test_without_a_config_urls_lose_their_passwords() -> None:
    assert masked("redis://:hunter2@cache", {}) == "redis://:***@cache"


TRACEBACK = ("Traceback (most recent call last):", "OperationalError: postgres://shop:hunter2@db")


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        ("", ""),
        ("The disk is full.", "The disk is full."),
        (
            (
                f"app1: Move: Release 2 of shop does not serve: {Failure('web-1 exit 3', TRACEBACK)}\n"
                "Release 1 serves as before.\n"
            ),
            "app1: Move: Release 2 of shop does not serve: web-1 exit 3. Release 1 serves as before.",
        ),
        (
            "Run: non-zero return code (python manage.py migrate; exit code 1) Traceback:\nhunter2",
            "Run: non-zero return code 1",
        ),
        (
            "Run: non-zero return code (set -e\nlogin hunter2; exit code -9) hunter2\n(x; exit code 3)",
            "Run: non-zero return code -9",
        ),
        ("Run: non-zero return code (hunter2", "Run: non-zero return code"),
        (
            "Could not install 2: the index does not answer. The installer said:\nhunter2",
            "Could not install 2: the index does not answer",
        ),
        (
            "Could not build it: uv ended with 2:\nhunter2\nhunter2",
            "Could not build it: uv ended with 2",
        ),
        ("one\nhunter2", "one"),
        ("x" * 600, "x" * 500),
    ],
)
def test_reason_of(problem: str, reason: str) -> None:
    assert reason_of(problem) == reason
    assert "hunter2" not in reason_of(problem)
