# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How private code says to a module, and that to the user, why something cannot be done."""

from __future__ import annotations

import re
from typing import Any

# What a terminal obeys, and what makes text look like another one: control characters but for newline and
# tab, separators of lines, marks of the direction of writing, invisible tags, halves of characters.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


URL_PASSWORD = re.compile(r"(://[^\s:/@'\"]*:)[^\s/'\"]+(?=@)")


def without_passwords(text: str) -> str:
    """Text in which URLs have lost their passwords."""
    return URL_PASSWORD.sub(r"\1***", text)


def without_passwords_within(value: Any) -> Any:
    """A value as JSON has them, in whose texts URLs have lost their passwords."""
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, list):
        return [without_passwords_within(each) for each in value]
    if isinstance(value, dict):
        return {key: without_passwords_within(each) for key, each in value.items()}
    return value


def printable(text: str) -> str:
    """Text of an app, a program or a host, as it may go into a message: what a terminal would obey shows."""
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class ReadableError(Exception):
    """An error whose message may be shown, wherever its parts came from.

    It holds nothing that a terminal would obey, and no URL's password.
    """

    def __str__(self) -> str:
        return printable(without_passwords(super().__str__()))


class DeployError(ReadableError):
    """What a person can mend; the message says what was tried, what came back and what to do."""


def unchanged(error: object) -> str:
    """The message of an error that came before the first write, which says that, too.

    For whoever knows when the writing begins: the ``main`` of a module.
    """
    text = str(error).rstrip()
    # a program's output, which may come last, has lines of its own
    between = "\n" if "\n" in text else " "
    return f"{text}{between}Nothing was changed."
