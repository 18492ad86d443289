# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to the backing service that DATABASE_URL names (factor IV)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError

from .settings import Settings

CONNECT_TIMEOUT_SECONDS = 2
STATEMENT_TIMEOUT_MS = 5_000


def connect(settings: Settings, *, pool_size: int = 1, migration: bool = False) -> Engine:
    """Make an engine. It connects at the first query, so a process boots without a database.

    A migration may rightly take longer than a request, but not wait longer for a lock.
    """
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": f"guestbook {settings.release_id}",
        # A server that vanished without a word must not hold a thread for minutes.
        "tcp_user_timeout": STATEMENT_TIMEOUT_MS,
        # Instead of PGOPTIONS, so the lock timeout that the platform sets there has to be repeated.
        "options": "-c timezone=UTC",
    }
    if migration:
        arguments["options"] += f" -c lock_timeout={settings.lock_timeout}s"
    else:
        arguments["options"] += f" -c statement_timeout={STATEMENT_TIMEOUT_MS}"
    return create_engine(
        settings.database_url,
        connect_args=arguments,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        pool_pre_ping=True,
    )


def reason(error: DBAPIError) -> str:
    """What the driver said, on one line and without the statement."""
    return " ".join(str(error.orig).split())
