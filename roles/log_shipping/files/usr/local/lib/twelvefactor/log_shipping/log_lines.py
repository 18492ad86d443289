# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided of a line and of an answer, without a file or a socket."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

TIME = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6})\d*)?(Z|[+-]\d\d:?\d\d)?"
)
# Answers with 400 that say something of the index or the cluster, and nothing of the line.
NOT_OF_THE_LINE = {"index_closed_exception", "invalid_index_name_exception", "validation_exception"}


def split(data: bytes, limit: int, final: bool) -> Iterator[bytes]:
    """The complete lines of ``data``, one of more than ``limit`` bytes in pieces; with ``final``
    also a last one that has no end."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at, at + limit) + 1
        if not end and len(data) - at >= limit:
            end = at + limit
        if not end and not final:
            return
        yield data[at : end or len(data)]
        at = end or len(data)


def line_time(text: str) -> datetime.datetime | None:
    """The time with which ``text`` begins; where it names no zone, it is in the host's."""
    if found := TIME.match(text):
        year, month, day, clock, fraction, zone = found.groups()
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.datetime.fromisoformat(
                f"{year}-{month}-{day}T{clock}.{(fraction or '').ljust(6, '0')}{zone or ''}"
            ).astimezone()
    return None


def document(raw: bytes, fields: dict[str, Any], at: float) -> dict[str, Any]:
    """What is stored of a line: the object that it is, or its text, with ``fields`` where it does
    not speak of them itself, and ``at`` for its time where it has none."""
    text = raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    own: dict[str, Any] = {"message": text}
    if text.startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(text, parse_constant=str)
            json.dumps(found, allow_nan=False)  # 1e999 is JSON, and too much for a number
            own = found
    if own.get("@timestamp") is None:
        moment = line_time(text) or datetime.datetime.fromtimestamp(at, datetime.UTC)
        own["@timestamp"] = moment.isoformat(timespec="milliseconds")
    return fields | own


def index_day(timestamp: str, at: float, days: int) -> str:
    """The day whose index a line belongs to: its own, in UTC; the day of ``at`` where that is none
    of the last ``days``, for lines must not make indices without number."""
    now = datetime.datetime.fromtimestamp(at, datetime.UTC)
    moment = (line_time(timestamp) or now).astimezone(datetime.UTC)
    if not -1 <= (now.date() - moment.date()).days <= days:
        moment = now
    return moment.strftime("%Y.%m.%d")


def line_id(host: str, file: str, offset: int, raw: bytes) -> str:
    """The same for the same line, however often it is read, and for no other."""
    return hashlib.sha256(f"{host} {file} {offset} ".encode() + raw).hexdigest()[:40]


def verdict(status: int, error: Any) -> str:
    """What an answer means for a line: it is there (``done``), it may be taken later (``again``),
    or it never will be (``dead``)."""
    if status in (200, 201, 409):
        return "done"
    kind = error.get("type") if isinstance(error, dict) else None
    return "dead" if status in (400, 413) and kind not in NOT_OF_THE_LINE else "again"


def expired(names: list[str], prefix: str, today: datetime.date, days: int) -> list[str]:
    """Which of the indices are of a day more than ``days`` ago."""
    gone = []
    for name in sorted(names):
        if found := re.fullmatch(re.escape(prefix) + r"-(\d{4})\.(\d\d)\.(\d\d)", name):
            with contextlib.suppress(ValueError):
                year, month, day = map(int, found.groups())
                if (today - datetime.date(year, month, day)).days > days:
                    gone.append(name)
    return gone
