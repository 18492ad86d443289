# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `release` process: brings the schema to what this release needs."""

from __future__ import annotations

import logging

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

# Any number will do, as long as every release of this app uses the same one.
LOCK_KEY = 0x6775_6573_7462_6F6B

log = logging.getLogger(__name__)


def migrate(engine: Engine) -> None:
    """Upgrade to the newest revision. Two at once are safe: the second waits, then finds it done.

    It waits for locks as long as the engine's `lock_timeout` lets it, since every query of a table
    queues behind a schema change that waits. Whoever runs the process tries again.

    Lock, schema change and the new revision number share one transaction, so that an
    interrupted migration leaves the old schema and no lock behind.
    """
    config = Config()
    config.set_main_option("script_location", "guestbook:migrations")
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    log.info("schema is current")
