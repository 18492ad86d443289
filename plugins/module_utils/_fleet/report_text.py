# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and times as a page for people shows them. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime

NOTHING = "\u2013"
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def seconds_of(at: str | None) -> float | None:
    """When a time of a document is, in seconds since the epoch; None for what is no time."""
    try:
        moment = datetime.fromisoformat(at or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def clock(at: float | None) -> str:
    """``2026-01-02 03:04:05``, in UTC."""
    if at is None:
        return NOTHING
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def count(number: float) -> str:
    return f"{number:,.0f}"


def size(number: float | None) -> str:
    """Bytes, with as many digits as say something: ``70 MiB``, ``1.5 GiB``."""
    if number is None:
        return NOTHING
    power = 0
    while number >= 1023.5 and power < len(UNITS) - 1:
        number, power = number / 1024, power + 1
    digits = 1 if power and number < 9.95 else 0
    return f"{number:.{digits}f} {UNITS[power]}"


def milliseconds(number: float | None) -> str:
    if number is None:
        return NOTHING
    if number >= 9999.5:
        return f"{number / 1000:.1f} s"
    return f"{number:.{1 if number < 9.95 else 0}f} ms"


def duration(seconds: float | None) -> str:
    """``3.1 s``, ``2 min 5 s``, ``3 d 4 h``: the two largest units."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    rest, words = round(seconds), list[str]()
    for length, unit in SPANS:
        number, rest = divmod(rest, length)
        if number or words:
            words.append(f"{number} {unit}")
        if len(words) == 2:
            break
    return " ".join(word for word in words if not word.startswith("0 "))


def share(part: float, whole: float) -> str:
    """A percentage that is 0 or 100 only when there is nothing else."""
    if not whole:
        return NOTHING
    percent = 100 * part / whole
    if 0 < percent < 0.01:
        return "< 0.01 %"
    digits = 0 if percent in (0, 100) else 1 if 10 <= percent < 99.95 else 2
    return f"{min(percent, 99.99) if part < whole else percent:.{digits}f} %"


def ceiling(number: float) -> int:
    """The next number that an axis may well end with: 1, 2, 4, 5, 6, 8 or 10 times a power of ten."""
    if number <= 4:
        return 4
    power = 10 ** math.floor(math.log10(number))
    return int(next(each * power for each in (1, 2, 4, 5, 6, 8, 10) if each * power >= number))


def amount(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
