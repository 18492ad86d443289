# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, Index, MetaData, String, Text, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

AUTHOR_MAX_LENGTH = 80
MESSAGE_MAX_LENGTH = 2000

PENDING = "pending"
PUBLISHED = "published"
REJECTED = "rejected"


class Base(DeclarativeBase):
    """Constraint names follow one pattern, so that a migration can drop what another made."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "pk": "%(table_name)s_pkey",
        }
    )


class Entry(Base):
    """What somebody wrote. It is shown once the worker has made `html` of `message`."""

    __tablename__ = "entries"
    __table_args__ = (
        CheckConstraint(f"state IN ('{PENDING}', '{PUBLISHED}', '{REJECTED}')", name="state"),
        # The worker's question, asked every second: its index stays as small as the queue.
        Index("entries_pending_idx", "id", postgresql_where=text(f"state = '{PENDING}'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[str] = mapped_column(String(AUTHOR_MAX_LENGTH))
    message: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default=PENDING, server_default=PENDING)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
