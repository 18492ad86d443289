# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app servers that are proven, each by a plain line of a Procfile, and the releases of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# The lock of each version in tests/subject: a deploy from one to the other changes the code, the
# app server and what both depend on.
BUILDS = [
    {"version": "1.0.0", "lock": "earlier.txt"},
    {"version": "1.1.0", "lock": "requirements.txt"},
]
# Longer than a request of 2.5 s, and than the kept connections of nginx; a stream or a WebSocket
# may take longer, and is then a straggler.
SHORT_DRAIN_SECONDS = 6.0
# Longer than the stream of 30 s: nothing is cut off.
LONG_DRAIN_SECONDS = 45.0
# What a deploy from the release before changes is in RELEASES. Of five departures, one is from
# the patient release.
CYCLE = ("newer", "concurrent", "older", "newer", "patient")
FIRST = "older"


@dataclass(frozen=True, slots=True)
class AppServer:
    """One way to serve the app; `line` is for `str.format` with a number of threads or workers.

    That number is part of the line only because a server that takes one request at a time cannot
    hold two slow ones, two streams and answer others.
    """

    distribution: str
    line: str
    asgi: bool = False

    @property
    def concurrent(self) -> str:
        """The line that a deploy of nothing but the Procfile brings."""
        return self.line.format(number=14)

    @property
    def plain(self) -> str:
        return self.line.format(number=12)


SERVERS: Mapping[str, AppServer] = {
    # A sync worker that streams says nothing to its master meanwhile.
    "gunicorn-sync": AppServer("gunicorn", "gunicorn --workers {number} --timeout 60 subject.wsgi"),
    "gunicorn-gthread": AppServer("gunicorn", "gunicorn --threads {number} subject.wsgi"),
    "gunicorn-asgi": AppServer(
        "gunicorn",
        "gunicorn --worker-class asgi --worker-connections {number}00 subject.asgi",
        asgi=True,
    ),
    "uvicorn": AppServer(
        "uvicorn", "uvicorn --limit-concurrency {number}00 subject.asgi:application", asgi=True
    ),
    "hypercorn": AppServer(
        "hypercorn",
        "hypercorn --bind unix:$SOCKET --backlog {number}00 subject.asgi:application",
        asgi=True,
    ),
    "granian-asgi": AppServer(
        "granian",
        "granian --interface asgi --backlog {number}00 subject.asgi:application",
        asgi=True,
    ),
    "granian-wsgi": AppServer(
        "granian", "granian --interface wsgi --blocking-threads {number} subject.wsgi:application"
    ),
    "waitress": AppServer(
        "waitress",
        "waitress-serve --unix-socket=$SOCKET --threads {number} subject.wsgi:application",
    ),
    # TERM would mean "reload"; and its http-socket closes after each answer without saying so.
    "uwsgi": AppServer(
        "pyuwsgi",
        "uwsgi --master --threads {number} --die-on-term --need-app"
        " --add-header 'Connection: close' --module subject.wsgi",
    ),
}


def releases(name: str, server: AppServer) -> list[dict[str, Any]]:
    """The releases that an app is moved between, as arguments of the module `release`."""

    def release(kind: str, version: str, line: str, greeting: str, drain: float) -> dict[str, Any]:
        return {
            "app": name,
            "name": kind,
            "version": version,
            "processes": {"web": line},
            "env": {"SUBJECT_SERVER": server.distribution, "SUBJECT_GREETING": greeting},
            "process_options": {
                "web": {"ready_after": 0.5, "drain_timeout": drain, "stop_timeout": 4}
            },
        }

    plain, concurrent = server.plain, server.concurrent
    return [
        release("older", "1.0.0", plain, "hello", SHORT_DRAIN_SECONDS),
        release("newer", "1.1.0", plain, "hello", SHORT_DRAIN_SECONDS),
        release("concurrent", "1.1.0", concurrent, "hello", SHORT_DRAIN_SECONDS),
        release("patient", "1.1.0", plain, "good day", LONG_DRAIN_SECONDS),
    ]


def apps(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The inventory's `apps`: each with the release that its hosts begin with."""
    return {
        name: {
            "package": "subject",
            "domains": [f"{name}.test"],
            "health_path": "/healthz",
            "keep": 20,
            **{
                key: value
                for key, value in releases(name, SERVERS[name])[0].items()
                if key not in ("app", "name")
            },
        }
        for name in names
    }


def moves(count: int) -> list[str]:
    """Which release each of so many deploys brings; none is the one that served before."""
    return [CYCLE[number % len(CYCLE)] for number in range(count)]
