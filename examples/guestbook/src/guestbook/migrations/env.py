# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's entry: on the connection that `guestbook migrate` holds, or on one of its own."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from guestbook import database
from guestbook.models import Base
from guestbook.settings import Settings


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


if context.config.attributes.get("connection") is not None:
    _run(context.config.attributes["connection"])
else:
    # `alembic revision` and its like, at a developer's desk.
    _settings = Settings.from_environment(os.environ)
    with database.connect(_settings, migration=True).begin() as _connection:
        _run(_connection)
