# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that differs between deploys, read once from the environment (factor III)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

SECRET_KEY_MIN_LENGTH = 16
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class ConfigError(Exception):
    """The environment does not hold what the app needs. The message is for the operator."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The app's configuration. Secrets stay out of `repr`, so out of logs and error reports."""

    database_url: URL = field(repr=False)
    secret_key: str = field(repr=False)
    sentry_dsn: str | None = field(default=None, repr=False)
    title: str = "Guestbook"
    release_id: str = "unreleased"
    log_level: str = "INFO"
    lock_timeout: int = 5
    trusted_proxies: int = 1
    web_concurrency: int = 2
    web_threads: int = 8

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check the environment; raise ConfigError naming the first wrong variable."""
        # An empty value counts as unset, so that `SENTRY_DSN=` turns reporting off.
        env = {name: value for name, value in environ.items() if value.strip()}
        return cls(
            database_url=_database_url(env),
            secret_key=_secret_key(env),
            sentry_dsn=env.get("SENTRY_DSN"),
            title=env.get("GUESTBOOK_TITLE", "Guestbook"),
            release_id=env.get("RELEASE_ID", "unreleased"),
            log_level=_log_level(env),
            lock_timeout=_integer(env, "RELEASE_LOCK_TIMEOUT", 5, lowest=0, highest=3600),
            trusted_proxies=_integer(env, "TRUSTED_PROXIES", 1, lowest=0, highest=10),
            web_concurrency=_integer(env, "WEB_CONCURRENCY", 2, lowest=1, highest=256),
            web_threads=_integer(env, "WEB_THREADS", 8, lowest=1, highest=256),
        )


def _database_url(env: Mapping[str, str]) -> URL:
    example = "postgresql://user:password@host/name"
    if "DATABASE_URL" not in env:
        raise ConfigError(f"DATABASE_URL is not set; give it a URL such as {example}")
    try:
        url = make_url(env["DATABASE_URL"])
    except (ArgumentError, ValueError):
        # The value is not repeated: it holds a password.
        raise ConfigError(f"DATABASE_URL is not a URL; it should look like {example}") from None
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise ConfigError(
            f"DATABASE_URL names {url.drivername!r}, but only PostgreSQL serves: {example}"
        )
    return url.set(drivername="postgresql+psycopg")


def _secret_key(env: Mapping[str, str]) -> str:
    if "SECRET_KEY" not in env:
        raise ConfigError(
            "SECRET_KEY is not set; it signs the session cookie, any long random text"
        )
    if len(env["SECRET_KEY"]) < SECRET_KEY_MIN_LENGTH:
        raise ConfigError(f"SECRET_KEY is shorter than {SECRET_KEY_MIN_LENGTH} characters")
    return env["SECRET_KEY"]


def _log_level(env: Mapping[str, str]) -> str:
    level = env.get("LOG_LEVEL", "INFO").upper()
    if level not in LOG_LEVELS:
        raise ConfigError(f"LOG_LEVEL is {level!r}; use one of {', '.join(LOG_LEVELS)}")
    return level


def _integer(env: Mapping[str, str], name: str, default: int, *, lowest: int, highest: int) -> int:
    text = env.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}; it must be a whole number") from None
    if not lowest <= value <= highest:
        raise ConfigError(f"{name} is {value}; it must be between {lowest} and {highest}")
    return value
