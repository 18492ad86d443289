# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stretch of time a question about logs is about. Pure."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError

# What iso() can write, as seconds since the epoch. At the ends of the calendar a zone leads out of it.
FIRST = datetime.min.replace(tzinfo=UTC).timestamp()
LAST = datetime.max.replace(microsecond=0, tzinfo=UTC).timestamp()
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}  # seconds
AGO = re.compile(r"([0-9]{1,9})([smhdw])")
FORMS = "write 90m (s, m, h, d or w ago), 2026-01-02, 2026-01-02T03:04:05Z (UTC where no zone is given), or now"


class RangeError(ReadableError):
    """A range that is none; the message is one sentence for whoever asked."""


@dataclass(frozen=True)
class Range:
    """From ``since`` on, up to and without ``until``; seconds since the epoch."""

    since: float
    until: float

    def __contains__(self, at: object) -> bool:
        return isinstance(at, float) and self.since <= at < self.until

    def told(self) -> dict[str, str]:
        return {"since": iso(self.since), "until": iso(self.until)}


def read_time(text: str, zone: tzinfo | None = None) -> float:
    """Seconds since the epoch of a time in ISO 8601; one without a zone is in ``zone``, None: the host's.

    Raises ValueError for what is no time that iso() can write.
    """
    at = datetime.fromisoformat(text)
    try:
        seconds = (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()
    except OverflowError as error:
        raise ValueError(str(error)) from None
    if not FIRST <= seconds <= LAST:
        raise ValueError(f"{text} is out of the calendar")
    return seconds


def iso(at: float) -> str:
    """``2026-01-02T03:04:05Z``, with milliseconds where there are any."""
    whole = round(at, 3)
    exact = "milliseconds" if whole % 1 else "seconds"
    return datetime.fromtimestamp(whole, UTC).isoformat(timespec=exact).replace("+00:00", "Z")


def moment(name: str, text: str, now: float) -> float:
    """When ``text`` is. Raises RangeError, which calls it ``name``."""
    text = text.strip()
    if text == "now":
        return now
    if match := AGO.fullmatch(text):
        # no further back than the epoch
        return max(0.0, now - int(match[1]) * UNITS[match[2]])
    # not "20260102": a bare number is more likely a mistake than a date
    if re.match(r"[0-9]{4}-", text):
        with contextlib.suppress(ValueError):
            return read_time(text, UTC)
    raise RangeError(f"Invalid time {name}={text!r}: {FORMS}.")


def parse_range(since: str, until: str, now: float) -> Range:
    """Raises RangeError when the words are no times, or there is nothing between them."""
    first, last = moment("since", since, now), moment("until", until, now)
    if first >= last:
        raise RangeError(
            f"Nothing lies between since={since.strip()!r} ({iso(first)}) "
            f"and until={until.strip()!r} ({iso(last)}): since has to be the earlier one."
        )
    if first > now:
        raise RangeError(
            f"since={since.strip()!r} ({iso(first)}) lies in the future; it is {iso(now)}."
        )
    return Range(first, last)
