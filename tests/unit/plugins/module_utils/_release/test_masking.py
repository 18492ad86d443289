# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of an app's config stay out of messages, output out of what others are told."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import (
    mask_of,
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


FILE = """\
import os
from bugsink.settings.default import *

[server:main]
# Of the database
database:
  user: shop
    password: hunter22  # old
SECRET_KEY = os.environ["SECRET_KEY"]
DATABASES["default"]["PASSWORD"] = "correct horse \\"battery\\" staple"
tokens = {"abc123def": "somebody"}
cache = redis://:s3cret%2Fpw@cache/1
dsn: "host=db password=dsn-secret dbname=shop"
db.example.org:5432:shop:joe:pgpass-secret
requirepass correcthorse
machine index login joe password netrc2secret
- listed-secret
<password>xml-secret</password>
{"key": "-----BEGIN-----\\nMIIEjsonDAN\\n-----END-----"}
SERVICE='{"nested": "{\\"token\\": \\"nested-secret\\"}"}'
-----BEGIN PRIVATE KEY-----
MIIEpAIBAAKCAQEA
QUFBQUFBQUE=
-----END PRIVATE KEY-----
"""


@pytest.mark.parametrize(
    "secret",
    [
        "password: hunter22  # old",
        "hunter22",
        'correct horse "battery" staple',
        r"correct horse \"battery\" staple",
        "abc123def",
        "somebody",
        "redis://:s3cret%2Fpw@cache/1",
        "s3cret/pw",
        "dsn-secret",
        "pgpass-secret",
        "correcthorse",
        "netrc2secret",
        "listed-secret",
        "xml-secret",
        "MIIEjsonDAN",
        "nested-secret",
        "MIIEpAIBAAKCAQEA",
        "QUFBQUFBQUE=",
        "requirepass correcthorse",
        FILE.strip(),
    ],
)
@pytest.mark.parametrize("text", ["", "in {0!r}: no"])
def test_values_of_a_config_file(secret: str, text: str) -> None:
    written = text.format(secret) if text else f"{secret} refused"
    shown = masked(written, ENV, {"app.ini": FILE})
    quote = written[3]
    assert shown == (
        f"in {quote}<config/app.ini>{quote}: no" if text else "<config/app.ini> refused"
    )


@pytest.mark.parametrize(
    "text",
    [
        "import os failed",
        "from bugsink.settings.default import *",
        "no section [server:main]",
        "KeyError: 'SECRET_KEY'",
        "KeyError: 'default'",
        'SECRET_KEY = os.environ["SECRET_KEY"]',
        "Of the database: it has no password",
        "database: 5 is green",
    ],
)
def test_code_of_a_config_file_is_shown(text: str) -> None:
    assert masked(text, ENV, {"app.ini": FILE}) == text


def test_a_file_that_is_one_secret() -> None:
    assert masked("no correcthorse", {}, {"password": "correcthorse\n"}) == "no <config/password>"


def test_a_config_file_with_the_name_of_a_variable() -> None:
    """Neither takes the other's place."""
    shown = masked("hunter22 abcdef", {"KEY": "hunter22"}, {"KEY": "x = abcdef"})
    assert shown == "<KEY> <config/KEY>"


def test_the_longest_value_is_masked_where_two_begin_at_the_same_place() -> None:
    assert masked("abcdefgh", {"A": "abcdef", "B": "abcdefgh"}, {}) == "<B>"


@pytest.mark.parametrize(
    "content",
    [
        "".join(f"key_{number} = value {number * 7919} of 5000\n" for number in range(7000)),
        json.dumps({f"key_{number}": f"value-{number * 7919}" for number in range(8000)}),
        "a:b=" * 60_000,
        "abcdef" * 40_000,
        "'\\\"" * 80_000,
    ],
    ids=["lines", "one-line", "separators", "word", "quotes"],
)
def test_large_files_do_not_hold_a_deploy_up(content: str) -> None:
    """CPU time: 20 lines of output took 6 s for a file of 5,000 lines."""
    before = time.process_time()
    mask = mask_of({}, {"app.ini": content})
    made = time.process_time()
    for _line in range(200):
        mask("could not connect with 'key_1 = value 7919 of 5000', " * 10)
    assert time.process_time() - made < 1
    assert made - before < 10


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
