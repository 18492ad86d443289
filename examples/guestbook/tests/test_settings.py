# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environment may hold, and the sentence for each thing that it may not."""

from __future__ import annotations

import pytest

from guestbook.settings import ConfigError, Settings

GOOD = {"DATABASE_URL": "postgres://u:hunter2@db/guestbook", "SECRET_KEY": "0123456789abcdef"}


def test_required_variables_suffice() -> None:
    settings = Settings.from_environment(GOOD)

    assert settings.database_url.drivername == "postgresql+psycopg"
    assert settings.sentry_dsn is None
    assert settings.release_id == "unreleased"


def test_secrets_stay_out_of_repr() -> None:
    text = repr(Settings.from_environment(GOOD | {"SENTRY_DSN": "https://key@errors.test/1"}))

    assert "hunter2" not in text
    assert GOOD["SECRET_KEY"] not in text
    assert "key@" not in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"DATABASE_URL": "hunter2"}, "DATABASE_URL is not a URL"),
        ({"DATABASE_URL": "postgresql://u:hunter2@db:port/x"}, "DATABASE_URL is not a URL"),
        ({"DATABASE_URL": "sqlite:///hunter2"}, "names 'sqlite', but only PostgreSQL serves"),
        ({"SECRET_KEY": " "}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "hunter2"}, "SECRET_KEY is shorter than 16 characters"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL is 'LOUD'; use one of DEBUG"),
        ({"WEB_THREADS": "many"}, "WEB_THREADS is 'many'; it must be a whole number"),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY is 0; it must be between 1 and 256"),
    ],
)
def test_wrong_variable_gets_one_sentence(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        Settings.from_environment(GOOD | change)

    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
