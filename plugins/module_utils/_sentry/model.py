# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server is, what it is asked for, and what it says. Pure."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError

Document = Any  # JSON


class SentryError(ReadableError):
    """What was tried, what came of it, and what to do: one sentence or two for the user."""


@dataclass(frozen=True)
class Dsn:
    """Where an app sends its errors. The key allows to send and is repeated nowhere."""

    url: str  # of the server
    project: str  # its number
    key: str = field(repr=False)


def read_dsn(text: str) -> Dsn:
    """scheme://key@host[:port][/path]/project. Raises SentryError, without the key."""
    parts = urllib.parse.urlsplit(text)
    path, _slash, project = parts.path.rpartition("/")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not parts.username
        or not project.isdecimal()
    ):
        raise SentryError(
            "Invalid DSN. It has the form https://KEY@HOST/NUMBER; the settings of the project "
            "show it."
        )
    host = parts.netloc.rpartition("@")[2]
    return Dsn(f"{parts.scheme}://{host}{path}", project, parts.username)


def check_url(url: str) -> str:
    """The address of a server's interface, without a slash at its end."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SentryError(
            f"Invalid URL {url!r}: it must begin with http:// or https:// and name a host."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise SentryError(
            f"The url for {parts.hostname} must be scheme, host and path alone; a token is given as "
            "token."
        )
    return url.rstrip("/")


@dataclass(frozen=True)
class Request:
    """One thing to ask for; what it is for stands in messages: Cannot `what`: ..."""

    what: str
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Answer:
    """`document` is None where the answer is no JSON."""

    status: int
    said: str
    document: Document = None


@dataclass(frozen=True)
class Deploy:
    """A release that began to serve somewhere. Times in seconds since the epoch."""

    release: str
    environment: str
    started: float
    finished: float
    url: str = ""


@dataclass(frozen=True)
class Event:
    """An event as the server has it."""

    event_id: str
    release: str | None
    environment: str | None


def iso(seconds: float) -> str:
    """As both servers read and show times, whole seconds of UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
