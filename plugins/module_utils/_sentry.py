# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that takes errors of apps, Sentry or bugsink: releases, and events there and back.

Both take events as https://develop.sentry.dev/sdk/data-model/envelopes/ says. For what is asked and
told besides, each has a dialect of its own: https://docs.sentry.io/api/ and bugsink's
/api/canonical/0/schema/. The dialects hold paths, bodies and answers; `Receiver` alone does input
and output.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import (
    read_body,
    why_not,
)

LARGEST_ANSWER = 16 << 20  # bytes; the largest event is 1 MiB
PAGES = 40  # of 250 releases each
ISSUES = 10  # the most recent ones, among which a new event is looked for

# What every module takes, documented in doc_fragments/sentry.py.
CONNECTION: dict[str, dict[str, Any]] = {
    "dsn": {"type": "str", "required": True, "no_log": True},
    "api": {"type": "str", "choices": ["bugsink", "sentry"], "default": "bugsink"},
    "url": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "organization": {"type": "str"},
    "project": {"type": "str"},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 10},
}

Document = Any  # JSON


class SentryError(Exception):
    """What was tried, what came of it, and what to do: one sentence or two for the user."""


# --- where it is ---------------------------------------------------------------------------------


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
            "That is no DSN. One has the form https://KEY@HOST/NUMBER; the settings of the project "
            "show it."
        )
    host = parts.netloc.rpartition("@")[2]
    return Dsn(f"{parts.scheme}://{host}{path}", project, parts.username)


def check_url(url: str) -> str:
    """The address of a server's interface, without a slash at its end."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SentryError(f"{url!r} is no http or https address of a server.")
    if parts.username is not None or parts.query or parts.fragment:
        raise SentryError(
            f"The url for {parts.hostname} must be scheme, host and path alone; a token is given as "
            "token."
        )
    return url.rstrip("/")


# --- dialects ------------------------------------------------------------------------------------


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


def check_release(name: str) -> str:
    """Sentry's rules for names of releases, which bugsink sanitizes by instead of refusing."""
    if not 0 < len(name) <= 200 or name.strip() in ("", ".", "..") or set(name) & set("\n\t/\\"):
        raise SentryError(
            f"{name!r} is no name of a release: 1 to 200 characters, no slash, backslash, tab or line "
            "break. The app's events have it in SENTRY_RELEASE."
        )
    return name


@dataclass(frozen=True)
class Event:
    """An event as the server has it."""

    event_id: str
    release: str | None
    environment: str | None


class Dialect(Protocol):
    """How one kind of server is told of releases and asked for events."""

    def create(self, deploy: Deploy) -> Request: ...

    def is_created(self, answer: Answer) -> bool | None:
        """False: it was known before. None: it was refused."""

    def has_release(self, receiver: Receiver, release: str) -> bool: ...

    def deployment(self, deploy: Deploy) -> tuple[Request, Request] | None:
        """What lists the deploys of its release and what tells of it; None without such a word."""

    def find(self, receiver: Receiver, event_id: str) -> Event | None: ...


def iso(seconds: float) -> str:
    """As both servers read and show times, whole seconds of UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
        return _post(f"tell of {deploy.release}", "/api/canonical/0/releases/", body)

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
        return _post(f"tell of {deploy.release}", self._releases(), body)

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
            _post(f"tell of the deploy of {deploy.release}", path, body),
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


# --- events --------------------------------------------------------------------------------------


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


# --- input and output ----------------------------------------------------------------------------


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


class Receiver:
    """One server. Every method raises SentryError, which repeats none of `secrets`."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        secrets: tuple[str, ...] = (),
        ca_path: str | None = None,
        timeout: float = 10,
    ) -> None:
        self.url = url
        self._token = token
        self._secrets = secrets + ((token,) if token else ())
        self._timeout = timeout
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if url.startswith("https:"):
            try:
                context = ssl.create_default_context(cafile=ca_path)
            except OSError as error:
                raise SentryError(
                    f"No certificate authorities can be read from {ca_path}: {error}."
                ) from error
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, what: str, path: str) -> Document:
        return self.accepted(what, self.ask(Request(what, "GET", path))).document

    def ask(self, request: Request) -> Answer:
        """What the server answers, refusals too."""
        wanted = urllib.request.Request(
            self.url + request.path,
            data=request.body,
            method=request.method,
            headers={"Accept": "application/json", "User-Agent": "twelvefactor.deploy"}
            | dict(request.headers),
        )
        if self._token:
            wanted.add_header("Authorization", f"Bearer {self._token}")
        deadline = time.monotonic() + self._timeout
        try:
            try:
                response = self._opener.open(wanted, timeout=self._timeout)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                return self._read(response, deadline)
        except (OSError, http.client.HTTPException) as error:
            raise SentryError(
                f"Cannot {request.what}: {why_not(self.url, error, self._timeout)}"
            ) from error

    def accepted(self, what: str, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        hint = {
            400: "Check the project.",
            401: "Check the token.",
            403: "Check the DSN, or what the token may do.",
            404: "Check the url and the project.",
            429: "It has had enough for now: try again later.",
        }.get(answer.status, "")
        if 300 <= answer.status < 400:
            hint = "The url must be the one that it redirects to."
        said = f", {answer.said.rstrip('.')}" if answer.said else ""
        raise SentryError(
            f"Cannot {what}: {self.url} answered {answer.status}{said}. {hint}".rstrip()
        )

    def _read(self, response: Any, deadline: float) -> Answer:
        body = read_body(response, deadline, LARGEST_ANSWER)
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        return Answer(response.status, self._said(response, document, body), document)

    def _said(self, response: Any, document: Document, body: bytes) -> str:
        """The beginning of what it said. bugsink repeats the DSN that it does not know."""
        said = (
            json.dumps(document) if document is not None else body[:4096].decode("utf-8", "replace")
        )
        if isinstance(document, dict):
            # bugsink's word and Sentry's, then that of a web server in front.
            words = [document.get("detail"), document.get("title")]
            said = next((word for word in words if isinstance(word, str)), said)
        if said.lstrip().startswith("<"):  # a page of a web server in front
            said = response.reason
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return " ".join(said.split())[:300]


@dataclass(frozen=True)
class Connection:
    """What the modules are given, understood."""

    dsn: Dsn
    dialect: Dialect
    receiver: Receiver  # for what needs the token
    ingest: Receiver  # where the DSN says


def connection_from(params: Mapping[str, Any]) -> Connection:
    """Raises SentryError when the parameters make no sense."""
    dsn = read_dsn(params["dsn"])
    if params["timeout"] < 1:
        raise SentryError("The timeout must be at least one second.")
    common = {
        "secrets": (dsn.key,),
        "ca_path": params["ca_path"],
        "timeout": params["timeout"],
    }
    return Connection(
        dsn,
        dialect_from(params, dsn),
        Receiver(check_url(params["url"] or dsn.url), params["token"], **common),
        Receiver(dsn.url, **common),
    )


# --- what is done --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What the server did not know before."""

    created: bool
    deployed: bool


def tell(connection: Connection, deploy: Deploy, *, only_foresee: bool) -> Told:
    """Tell of a release, and of its deploy where the server has a word for that."""
    dialect, receiver = connection.dialect, connection.receiver
    if only_foresee:
        created = not dialect.has_release(receiver, deploy.release)
    else:
        request = dialect.create(deploy)
        answer = receiver.ask(request)
        made = dialect.is_created(answer)
        if made is None:
            receiver.accepted(request.what, answer)
            raise SentryError(f"Cannot {request.what}: {receiver.url} answered {answer.status}.")
        created = made
    requests = dialect.deployment(deploy)
    if requests is None:
        return Told(created, deployed=False)
    listing, telling = requests
    if not (created and only_foresee):
        known = receiver.accepted(listing.what, receiver.ask(listing)).document
        if is_listed(deploy, known):
            return Told(created, deployed=False)
    if not only_foresee:
        receiver.accepted(telling.what, receiver.ask(telling))
    return Told(created, deployed=True)


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
