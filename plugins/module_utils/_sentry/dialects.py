# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sentry and bugsink are told of releases and asked for events: paths, bodies and answers.

Each has a dialect of its own: https://docs.sentry.io/api/ and bugsink's /api/canonical/0/schema/.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.client import Receiver
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import (
    Answer,
    Deploy,
    Document,
    Dsn,
    Event,
    Request,
    SentryError,
    iso,
)

PAGES = 40  # of 250 releases each
ISSUES = 10  # the most recent ones, among which a new event is looked for


class Dialect(Protocol):
    """How one kind of server is told of releases and asked for events."""

    def create(self, deploy: Deploy) -> Request: ...

    def is_created(self, answer: Answer) -> bool | None:
        """False: it was known before. None: it was refused."""

    def has_release(self, receiver: Receiver, release: str) -> bool: ...

    def deployment(self, deploy: Deploy) -> tuple[Request, Request] | None:
        """What lists the deploys of its release and what tells of it; None without such a word."""

    def find(self, receiver: Receiver, event_id: str) -> Event | None: ...


def _post(what: str, path: str, document: Document) -> Request:
    kind = {"Content-Type": "application/json"}
    return Request(what, "POST", path, json.dumps(document).encode(), kind)


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


@dataclass(frozen=True)
class Bugsink:
    """Releases belong to a project and there is no word for deploys."""

    project: str

    def create(self, deploy: Deploy) -> Request:
        body = {
            "project": int(self.project),
            "version": deploy.release,
            "timestamp": iso(deploy.finished),
        }
        return _post(f"register {deploy.release}", "/api/canonical/0/releases/", body)

    def is_created(self, answer: Answer) -> bool | None:
        if answer.status == 201:
            return True
        # {"version": ["Release with this version already exists for the project."]}
        known = answer.status == 400 and "already exists" in answer.said
        return False if known else None

    def has_release(self, receiver: Receiver, release: str) -> bool:
        path = f"/api/canonical/0/releases/?project={self.project}"
        pages = _pages(receiver, "list the releases", path)
        return any(known["version"] == release for page in pages for known in page)

    def deployment(self, deploy: Deploy) -> None:
        return None

    def find(self, receiver: Receiver, event_id: str) -> Event | None:
        base = "/api/canonical/0"
        path = f"{base}/issues/?project={self.project}&sort=last_seen&order=desc"
        issues = receiver.get("list the issues", path)["results"][:ISSUES]
        for issue in issues:
            path = f"{base}/events/?issue={issue['id']}&order=desc"
            for event in receiver.get("list the events of an issue", path)["results"]:
                if event["event_id"].replace("-", "") == event_id:
                    data = receiver.get("read the event", f"{base}/events/{event['id']}/")["data"]
                    return Event(event_id, data.get("release"), data.get("environment"))
        return None


@dataclass(frozen=True)
class Sentry:
    """Releases belong to an organization, and are deployed to environments."""

    organization: str
    project: str

    def create(self, deploy: Deploy) -> Request:
        body = {
            "version": deploy.release,
            "projects": [self.project],
            "dateReleased": iso(deploy.finished),
        }
        return _post(f"register {deploy.release}", self._releases(), body)

    def is_created(self, answer: Answer) -> bool | None:
        return {201: True, 200: False, 208: False}.get(answer.status)

    def has_release(self, receiver: Receiver, release: str) -> bool:
        what = f"ask for {release}"
        answer = receiver.ask(Request(what, "GET", f"{self._releases()}{_quoted(release)}/"))
        if answer.status == 404:
            return False
        receiver.accepted(what, answer)
        return True

    def deployment(self, deploy: Deploy) -> tuple[Request, Request]:
        path = f"{self._releases()}{_quoted(deploy.release)}/deploys/"
        body = {
            "environment": deploy.environment,
            "projects": [self.project],
            "dateStarted": iso(deploy.started),
            "dateFinished": iso(deploy.finished),
        } | ({"url": deploy.url} if deploy.url else {})
        return (
            Request(f"list the deploys of {deploy.release}", "GET", path),
            _post(f"register the deploy of {deploy.release}", path, body),
        )

    def find(self, receiver: Receiver, event_id: str) -> Event | None:
        path = f"/api/0/projects/{_quoted(self.organization)}/{_quoted(self.project)}"
        answer = receiver.ask(Request("read the event", "GET", f"{path}/events/{event_id}/"))
        if answer.status == 404:
            return None
        document = receiver.accepted("read the event", answer).document
        tags = {tag["key"]: tag["value"] for tag in document.get("tags", [])}
        return Event(event_id, tags.get("release"), tags.get("environment"))

    def _releases(self) -> str:
        return f"/api/0/organizations/{_quoted(self.organization)}/releases/"


def dialect_from(params: Mapping[str, Any], dsn: Dsn) -> Dialect:
    if params["api"] == "bugsink":
        project = params["project"] or dsn.project
        if not project.isdecimal():
            raise SentryError(f"For bugsink, project is a number, which {project!r} is not.")
        return Bugsink(project)
    if not params["organization"] or not params["project"]:
        raise SentryError("For Sentry, give organization and project by their names in its URLs.")
    return Sentry(params["organization"], params["project"])


def is_listed(deploy: Deploy, listed: list[dict[str, Any]]) -> bool:
    """Whether Sentry knows this deploy. It shows dateFinished with a fraction of a second."""
    finished = iso(deploy.finished).rstrip("Z")
    return any(
        known.get("environment") == deploy.environment
        and str(known.get("dateFinished")).startswith(finished)
        for known in listed
    )


def _pages(receiver: Receiver, what: str, path: str) -> Iterator[list[dict[str, Any]]]:
    for _page in range(PAGES):
        document = receiver.get(what, path)
        yield document["results"]
        if not document["next"]:
            return
        # A link with scheme and host, which behind a proxy need not be those that we know.
        link = urllib.parse.urlsplit(document["next"])
        path = path.partition("?")[0] + "?" + link.query
