# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send an event and read it back.

Both servers take them as https://develop.sentry.dev/sdk/data-model/envelopes/ says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.connection import (
    Connection,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import (
    Dsn,
    Event,
    Request,
    SentryError,
    iso,
)


@dataclass(frozen=True)
class Message:
    """An event that says something, and means no error."""

    event_id: str  # 32 hexadecimal digits
    text: str
    sent: float  # seconds since the epoch
    server_name: str
    release: str = ""
    environment: str = ""


def envelope(dsn: Dsn, message: Message) -> Request:
    """One event. All of them are one issue at the server, by their fingerprint."""
    event = {
        "event_id": message.event_id,
        "timestamp": message.sent,
        "platform": "other",
        "level": "info",
        "logger": "twelvefactor.deploy",
        "server_name": message.server_name,
        "logentry": {"formatted": message.text},
        "fingerprint": ["twelvefactor.deploy", "test event"],
    }
    said = {"release": message.release, "environment": message.environment}
    payload = json.dumps(event | {key: value for key, value in said.items() if value})
    lines = (
        json.dumps({"event_id": message.event_id, "sent_at": iso(message.sent)}),
        json.dumps({"type": "event", "length": len(payload.encode())}),
        payload,
    )
    return Request(
        "send an event",
        "POST",
        f"/api/{dsn.project}/envelope/",
        ("\n".join(lines) + "\n").encode(),
        {
            "Content-Type": "application/x-sentry-envelope",
            "X-Sentry-Auth": "Sentry sentry_version=7, "
            f"sentry_client=twelvefactor.deploy/0.1, sentry_key={dsn.key}",
        },
    )


def send(connection: Connection, message: Message) -> None:
    request = envelope(connection.dsn, message)
    connection.ingest.accepted(request.what, connection.ingest.ask(request))


def read_back(
    connection: Connection,
    message: Message,
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Event:
    """The event as the server has it, once it has. It takes an event before it digests it."""
    deadline = clock() + seconds
    while (event := connection.dialect.find(connection.receiver, message.event_id)) is None:
        if clock() > deadline:
            raise SentryError(
                f"{connection.receiver.url} took the event {message.event_id} and did not show it "
                f"within {seconds:.0f} s. Does what digests events run there?"
            )
        sleep(0.5)
    return event


def difference(message: Message, event: Event) -> str:
    """What the server has otherwise than it was sent; empty if nothing."""
    pairs = (
        ("release", message.release, event.release),
        ("environment", message.environment, event.environment),
    )
    return "; ".join(
        f"{name} {sent!r} arrived as {has!r}" for name, sent, has in pairs if sent and sent != has
    )
