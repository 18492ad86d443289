# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unhandled exceptions go to a server that speaks the Sentry protocol, when one is named."""

from __future__ import annotations

import sentry_sdk

from .identity import VERSION
from .settings import Settings


def start(settings: Settings) -> None:
    """Start reporting. SENTRY_ENVIRONMENT and SENTRY_RELEASE are read by the SDK itself."""
    if settings.sentry_dsn is None:
        return
    # Flask and SQLAlchemy are recognised by the SDK; personal data stays here by its default.
    sentry_sdk.init(dsn=settings.sentry_dsn)
    sentry_sdk.set_tag("guestbook.version", VERSION)
    sentry_sdk.set_tag("guestbook.release", settings.release_id)
