# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: `guestbook worker` and `guestbook migrate`."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import sessionmaker

from . import database, error_reports, logs, worker
from .migrate import migrate
from .settings import ConfigError, Settings

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run one process type; 0 when it did its work, 1 with one sentence when it could not."""
    parser = argparse.ArgumentParser(prog="guestbook", description="Processes of the guestbook.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("worker", help="publish pending entries until TERM")
    commands.add_parser("migrate", help="bring the database schema up to date")
    arguments = parser.parse_args(argv)
    try:
        settings = Settings.from_environment(os.environ)
    except ConfigError as error:
        print(f"guestbook: {error}", file=sys.stderr)
        return 1
    if arguments.command == "worker":
        return _worker(settings)
    return _migrate(settings)


def _worker(settings: Settings) -> int:
    worker.hold_stop_signals()
    logs.configure(settings, "worker")
    error_reports.start(settings)
    engine = database.connect(settings)
    log.info("worker started")
    worker.run(sessionmaker(engine), worker.stop_signal_came)
    engine.dispose()
    log.info("worker stopped")
    return 0


def _migrate(settings: Settings) -> int:
    logs.configure(settings, "release")
    error_reports.start(settings)
    try:
        migrate(database.connect(settings, migration=True))
    except DBAPIError as error:
        reason = database.reason(error)
        log.error("migration failed", extra={"reason": reason})
        # The server may say it in another language; the platform knows a lock timeout by its code.
        code = getattr(error.orig, "sqlstate", None)
        print(
            f"guestbook: the migration failed, the schema is as it was: {reason} (SQLSTATE {code})",
            file=sys.stderr,
        )
        return 1
    return 0
