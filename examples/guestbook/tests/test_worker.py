# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: takes what is free, finishes what it took, leaves when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from guestbook import worker
from guestbook.models import PENDING, REJECTED, Entry


def add(sessions: sessionmaker[Session], *messages: str) -> None:
    with sessions.begin() as session:
        session.add_all([Entry(author="Ann", message=message) for message in messages])


def states(sessions: sessionmaker[Session]) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(Entry.state).order_by(Entry.id)))


def test_skips_what_another_worker_holds(sessions: sessionmaker[Session]) -> None:
    add(sessions, "first", "second")

    with sessions.begin() as other:
        other.scalar(select(Entry).order_by(Entry.id).limit(1).with_for_update())
        assert worker.publish_one(sessions)
        assert not worker.publish_one(sessions)
        assert states(sessions) == ["pending", "published"]
    assert worker.publish_one(sessions)


def test_entry_that_cannot_be_rendered_does_not_stop_the_others(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(message: str) -> str:
        raise ValueError(message)

    add(sessions, "poison")
    monkeypatch.setattr(worker, "render", fail)

    assert worker.publish_one(sessions)
    assert states(sessions) == [REJECTED]


def test_term_ends_it_at_once_with_code_0(
    sessions: sessionmaker[Session], database_url: str
) -> None:
    add(sessions, *["text"] * 3)
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from guestbook.cli import main; raise SystemExit(main(['worker']))",
        ],
        env=os.environ | {"DATABASE_URL": database_url, "SECRET_KEY": "not a secret, a test"},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while PENDING in states(sessions) and time.monotonic() < deadline:
        time.sleep(0.05)
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == 0
    assert time.monotonic() - asked < 1
    assert states(sessions) == ["published"] * 3
