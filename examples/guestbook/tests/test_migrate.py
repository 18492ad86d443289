# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import OperationalError

from guestbook import database
from guestbook.migrate import migrate
from guestbook.models import Base
from guestbook.settings import Settings


def test_migrations_make_what_the_models_say(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_two_at_once_on_an_empty_database(engine: Engine, settings: Settings) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE entries, alembic_version"))
    engines = [database.connect(settings), database.connect(settings)]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, engines))

    assert inspect(engine).has_table("entries")
    for one in engines:
        one.dispose()


def test_it_waits_for_a_lock_no_longer_than_it_may(engine: Engine, settings: Settings) -> None:
    """And not until a forgotten transaction ends, while visitors wait behind it."""
    impatient = database.connect(replace(settings, lock_timeout=1), migration=True)
    with engine.begin() as forgotten, impatient.begin() as connection:
        forgotten.execute(text("SELECT count(*) FROM entries"))
        with pytest.raises(OperationalError) as refused:
            connection.execute(text("ALTER TABLE entries ADD COLUMN note text"))
    assert isinstance(refused.value.orig, LockNotAvailable)
    impatient.dispose()
