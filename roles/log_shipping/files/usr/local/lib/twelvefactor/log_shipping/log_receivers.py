# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where lines are sent to: Elasticsearch, and what speaks as it does, or Logstash."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import ssl
import urllib.parse
from collections.abc import Iterator
from typing import Any, NamedTuple

from log_lines import verdict

TIMEOUT = 60.0  # seconds without a byte from the receiver
LONGEST = 120.0  # seconds, for all of a request and its answer
JSON, NDJSON = "application/json", "application/x-ndjson"


class Unavailable(Exception):
    """The receiver does not take what it is sent; it may later."""


class Missing(Unavailable):
    """What the request is about is not there."""


class Refused(Exception):
    """The receiver will never take this request as it is: too large, or no JSON to it."""


class Line(NamedTuple):
    file: str  # for people
    key: str  # of the file, and how often it was cut off
    start: int
    end: int
    raw: bytes
    id: str
    day: str  # of its index
    document: bytes  # JSON


class Outcome(NamedTuple):
    verdict: str
    reason: str


DONE = Outcome("done", "")


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when what is done here takes longer. The timeout of a socket is for one read only."""

    def late(*_signal: Any) -> None:
        raise TimeoutError(f"not done within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Receiver:
    """Every request has a connection of its own: there is about one a second at most, and none is
    met by the end of a connection that was kept."""

    named = False  # whether a document holds the id of its line

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.url = urllib.parse.urlsplit(config["url"])
        self.name = f"{self.url.scheme}://{self.url.netloc.rpartition('@')[2]}{self.url.path}"

    def prepare(self) -> None:
        """What has to be there before the first line is sent."""

    def send(self, lines: list[Line]) -> list[Outcome]:
        """What became of each of the lines, in turn."""
        raise NotImplementedError

    def tls(self) -> ssl.SSLContext:
        ca_file = self.config["ca_file"]
        try:
            return ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            message = f"cannot read the certificates of authorities in {ca_file}: {error}"
            raise Unavailable(message) from None

    def ask(self, method: str, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        host, port = self.url.hostname or "", self.url.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self.tls())
            if self.url.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        )
        headers = {"Content-Type": kind}
        try:
            if self.config["authorization_file"]:
                with open(self.config["authorization_file"]) as file:
                    headers["Authorization"] = file.read().strip()
            with within(LONGEST):
                connection.request(method, self.url.path.rstrip("/") + path, body or None, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
        # ValueError: of what a header or an address may hold; it is not for a line to answer for
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = str(error) or type(error).__name__
            raise Unavailable(f"{method} {self.name}{path.partition('?')[0]}: {said}") from None
        finally:
            connection.close()

    def demand(self, method: str, path: str, body: bytes = b"", kind: str = JSON) -> bytes:
        """The answer to a request that must succeed."""
        status, answer = self.ask(method, path, body, kind)
        if status in (200, 201):
            return answer
        said = " ".join(answer[:300].decode("utf-8", "replace").split())
        reason = f"{method} {self.name}{path.partition('?')[0]} answered {status}: {said}"
        # A 400 without a word of its own is one of something in between, which knows no lines.
        error = None
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            error = json.loads(answer)["error"]
        if status == 413 or (status == 400 and error and verdict(status, error) == "dead"):
            raise Refused(reason)
        if status in (401, 403):
            reason += " (is log_shipping_authorization right, and may it do this?)"
        raise (Missing if status == 404 else Unavailable)(reason)


class Elasticsearch(Receiver):
    def prepare(self) -> None:
        for path, body in self.config["prepare"].items():
            try:
                self.demand("PUT", path, json.dumps(body).encode())
            except Refused as error:
                raise Unavailable(str(error)) from None

    def send(self, lines: list[Line]) -> list[Outcome]:
        body = bytearray()
        for line in lines:
            action = {"create": {"_index": f"{self.config['index']}-{line.day}", "_id": line.id}}
            body += json.dumps(action).encode() + b"\n" + line.document + b"\n"
        path = "/_bulk?filter_path=items.*.status,items.*.error"
        answer = self.demand("POST", path, bytes(body), NDJSON)
        try:
            items = [item["create"] for item in json.loads(answer)["items"]]
            outcomes = [outcome(item["status"], item.get("error")) for item in items]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            outcomes = []
        if len(outcomes) != len(lines):
            said = f"{len(outcomes)} answers to {len(lines)} lines: {answer[:200]!r}"
            raise Unavailable(f"POST {self.name}/_bulk: {said}")
        return outcomes


def outcome(status: int, error: Any) -> Outcome:
    reason = error.get("reason", "") if isinstance(error, dict) else error
    cause = error.get("caused_by") if isinstance(error, dict) else None
    why = f": {cause.get('reason')}" if isinstance(cause, dict) else ""
    return Outcome(verdict(status, error), f"{status} {reason or ''}{why}")


class LogstashHttp(Receiver):
    """Its http input: an array of objects in a request, acknowledged by the status."""

    named = True

    def send(self, lines: list[Line]) -> list[Outcome]:
        self.demand("POST", "/", b"[" + b",".join(line.document for line in lines) + b"]")
        return [DONE] * len(lines)


class LogstashTcp(Receiver):
    """Its tcp input: an object a line. That it closes after us is the only word that it has."""

    named = True

    def send(self, lines: list[Line]) -> list[Outcome]:
        body = b"".join(line.document + b"\n" for line in lines)
        host, port = self.url.hostname or "", self.url.port or 0
        try:
            with within(LONGEST), socket.create_connection((host, port), TIMEOUT) as plain:
                if self.url.scheme == "tls":
                    with self.tls().wrap_socket(plain, server_hostname=host) as secure:
                        secure.sendall(body)
                        with contextlib.suppress(ssl.SSLEOFError):
                            secure.unwrap()
                else:
                    plain.sendall(body)
                    plain.shutdown(socket.SHUT_WR)
                    while plain.recv(4096):
                        pass
        except OSError as error:
            raise Unavailable(f"{self.name}: {error or type(error).__name__}") from None
        return [DONE] * len(lines)


RECEIVERS: dict[str, type[Receiver]] = {
    "elasticsearch": Elasticsearch,
    "logstash_http": LogstashHttp,
    "logstash_tcp": LogstashTcp,
}
