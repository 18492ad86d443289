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
from collections.abc import Collection, Iterator
from typing import Any

TIME = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6})\d*)?(Z|[+-]\d\d:?\d\d)?"
)
# A string, which may lack its end, or a bracket; in time that grows with the text alone.
BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
CLAIMS = "app_claims"  # field for what an app says although it is not its to say
LONGEST_CLAIM = 256  # characters
DEEPEST = 64  # levels of an object; Elasticsearch takes 20, and Python ever other numbers
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


def deep(text: str) -> bool:
    """Whether more than DEEPEST arrays and objects of JSON lie in each other; it is not read as
    JSON for that, which would go as deep."""
    depth = 0
    for found in BRACKET.finditer(text):
        if found[0] in ("{", "["):
            depth += 1
            if depth > DEEPEST:
                return True
        elif found[0] in ("}", "]"):
            depth -= 1
    return False


def without(value: Any, name: str) -> Any:
    """An object without a field, which may be written ``a.b`` or as an object in ``a``, or in each
    of several: they are one field to Elasticsearch."""
    if isinstance(value, list):
        return [without(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        if key != name:
            kept[key] = without(item, name[len(key) + 1 :]) if name.startswith(f"{key}.") else item
    return kept


def said(value: Any, name: str) -> Iterator[Any]:
    """What an object says of a field, in whatever way that is written."""
    if isinstance(value, list):
        for item in value:
            yield from said(item, name)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == name:
                yield item
            elif name.startswith(f"{key}."):
                yield from said(item, name[len(key) + 1 :])


def document(
    raw: bytes,
    fields: dict[str, Any],
    at: float,
    fixed: dict[str, Any] | None = None,
    reserved: Collection[str] = (),
) -> tuple[bytes, str]:
    """What is stored of a line, as it is sent, and its time: the object that it is, or its text,
    with ``fields`` where it does not speak of them itself, ``fixed`` whatever it says, and ``at``
    for its time where it has none. What it says of ``reserved`` fields is text below CLAIMS."""
    text = raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    found: Any = None
    if text.startswith("{") and not deep(text):
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(text, parse_constant=str)
    # 1e999 is JSON, and too much for a number
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(found, dict):
            return _stored(found, fields, text, at, fixed or {}, reserved)
    return _stored({"message": text}, fields, text, at, fixed or {}, reserved)


def _stored(
    own: dict[str, Any],
    fields: dict[str, Any],
    text: str,
    at: float,
    fixed: dict[str, Any],
    reserved: Collection[str],
) -> tuple[bytes, str]:
    claims = {}
    for name in reserved:
        for claim in said(own, name):
            if claim != fixed.get(name):
                words = claim if isinstance(claim, str) else json.dumps(claim, allow_nan=False)
                claims[name.replace(".", "_")] = words[:LONGEST_CLAIM]
    for name in {*fixed, *reserved}:
        own = without(own, name)
    if reserved:
        own = {key: value for key, value in own.items() if key.partition(".")[0] != CLAIMS}
    if claims:
        own[CLAIMS] = claims
    if own.get("@timestamp") is None:
        moment = line_time(text) or datetime.datetime.fromtimestamp(at, datetime.UTC)
        own["@timestamp"] = moment.isoformat(timespec="milliseconds")
    whole = fields | own | fixed
    return json.dumps(whole, allow_nan=False).encode(), str(whole["@timestamp"])


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
