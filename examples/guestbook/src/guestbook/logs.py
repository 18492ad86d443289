# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are an event stream: one JSON object a line on stdout, never a file (factor XI)."""

from __future__ import annotations

import logging.config
from typing import Any

from flask import has_request_context, request

from .identity import VERSION
from .settings import Settings


class RequestId(logging.Filter):
    """Adds the id that the proxy gave the request, so that both logs can be joined."""

    def filter(self, record: logging.LogRecord) -> bool:
        if has_request_context():
            record.request_id = request.headers.get("X-Request-ID")
        return True


def configure(settings: Settings, process: str) -> None:
    """Send every logger of this process to stdout; `process` is the process type."""
    logging.config.dictConfig(_config(settings, process))


def _config(settings: Settings, process: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestId}},
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": ["levelname", "name", "message"],
                "rename_fields": {"levelname": "level", "name": "logger"},
                "static_fields": {
                    "process": process,
                    "version": VERSION,
                    "release": settings.release_id,
                },
                "timestamp": True,
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "json",
                "filters": ["request_id"],
            }
        },
        "root": {"level": settings.log_level, "handlers": ["stdout"]},
        # Alembic tells its plugins' names at INFO; the migrations themselves are enough.
        "loggers": {"alembic.runtime.plugins": {"level": "WARNING"}},
    }
