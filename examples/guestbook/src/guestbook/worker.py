# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `worker` process: renders pending entries and publishes them.

Any number may run, on any number of hosts: each takes a row that nobody else holds. A worker
that dies in the middle of a job loses nothing, since its transaction goes with it.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from . import database
from .models import PENDING, PUBLISHED, REJECTED, Entry
from .rendering import render

POLL_SECONDS = 1.0
RETRY_SECONDS = 5.0
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})

log = logging.getLogger(__name__)


def publish_one(sessions: sessionmaker[Session]) -> bool:
    """Publish the oldest entry that is pending and free; False when there is none."""
    query = (
        select(Entry)
        .where(Entry.state == PENDING)
        .order_by(Entry.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with sessions.begin() as session:
        entry = session.scalar(query)
        if entry is None:
            return False
        try:
            entry.html, entry.state = render(entry.message), PUBLISHED
        except Exception:
            # Whatever the renderer trips over, one entry must not stop those behind it.
            log.exception("entry rejected", extra={"entry": entry.id})
            entry.state = REJECTED
        else:
            log.info("entry published", extra={"entry": entry.id})
        return True


def run(sessions: sessionmaker[Session], should_stop: Callable[[float], bool]) -> None:
    """Work until `should_stop`, which waits for up to so many seconds and says whether to end.

    It is asked between jobs only, so the present job is always finished.
    """
    wait = 0.0
    while not should_stop(wait):
        try:
            wait = 0.0 if publish_one(sessions) else POLL_SECONDS
        except OperationalError as error:
            log.error(
                "database does not answer, will try again",
                extra={"reason": database.reason(error), "seconds": RETRY_SECONDS},
            )
            wait = RETRY_SECONDS


def hold_stop_signals() -> None:
    """Block TERM and INT, so that they wait for `stop_signal_came` instead of breaking a job.

    Call it before any thread starts: threads inherit the mask.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def stop_signal_came(seconds: float) -> bool:
    """Sleep for up to `seconds`; wake at once and return True when TERM or INT came."""
    return signal.sigtimedwait(STOP_SIGNALS, seconds) is not None
