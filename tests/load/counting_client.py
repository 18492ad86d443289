# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting client: many connections, every answer checked, every failure counted.

Keep-alive connections, connections for one request each, and connections that loop on a slow
request ask the server in turn for its version (GET) and for the hash of a random body (POST).
Others hold a connection for long, by a streamed answer or by a WebSocket that echoes; one that is
broken off after it began is told apart from the failed requests, with the time at which it was.

A GET whose kept-alive connection was closed before a byte of the answer came is sent once more,
on a new connection, as every HTTP client does (RFC 9110, section 9.2.2), and counted as `retried`.
A POST is never sent twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
import ssl
import sys
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .http_connection import Answer, Connection, ConnectionLost, Endpoint, MalformedAnswer
from .tally import Tally
from .websocket import Refused, WebSocket

# Without it a server that is down would be "asked" many thousand times a second.
PAUSE_AFTER_FAILURE_SECONDS = 0.05
POLL_SECONDS = 0.1
# A long run shows how far it is.
OUTPUT_SECONDS = 2.0
STREAM_TIMEOUT_SECONDS = 90.0
WEBSOCKET_PAUSE_SECONDS = 0.25


class WrongAnswer(Exception):
    """An answer came, but not the right one."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, over how many connections, and when to stop."""

    endpoint: Endpoint
    keep_alive: int = 16
    one_shot: int = 4
    slow: int = 2
    get_path: str = "/version"
    post_path: str = "/echo"
    slow_path: str = "/slow?seconds=2.5"
    streams: int = 0
    stream_path: str = "/stream"
    websockets: int = 0
    websocket_path: str = "/websocket"
    websocket_seconds: float = 20.0
    held_pause: float = 0.0
    identify: str = "version"
    body_bytes: int = 2048
    pause: float = 0.0
    timeout: float = 30.0
    duration: float | None = None
    requests: int | None = None
    stop_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `digest` is what a POST's answer must repeat."""

    method: str
    path: str
    body: bytes = b""
    slow: bool = False

    def encode(self, host: str, *, close: bool) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", "Accept: */*"]
        if self.method == "POST":
            lines += [
                "Content-Type: application/octet-stream",
                f"Content-Length: {len(self.body)}",
            ]
        if close:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def check(request: Request, answer: Answer, identify: str = "version") -> str:
    """Return the version that answered; raise WrongAnswer unless everything about it is right.

    `identify` is the key of the answer's JSON that holds the version.
    """
    if answer.status != 200:
        raise WrongAnswer(f"status {answer.status}", _start(answer.body))
    content, version = _identified(answer.body, identify)
    if request.method == "POST" and content.get("sha256") != sha256(request.body).hexdigest():
        raise WrongAnswer("wrong hash", f"{len(request.body)} bytes sent, {_start(answer.body)}")
    return version


def _identified(body: bytes, identify: str) -> tuple[dict[str, Any], str]:
    try:
        content = json.loads(body)
    except ValueError:
        raise WrongAnswer("not JSON", _start(body)) from None
    version = content.get(identify) if isinstance(content, dict) else None
    if not isinstance(version, str) or not version:
        raise WrongAnswer(f"no {identify}", _start(body))
    return content, version


def _start(body: bytes) -> str:
    """The beginning of a body, on one line."""
    return " ".join(body[:200].decode("utf-8", "replace").split())


async def run(plan: Plan, stop: asyncio.Event, tally: Tally | None = None) -> Tally:
    """Send until one of the plan's bounds is reached or `stop` is set.

    What is under way then is waited for, and counted. Who gives a `tally` can read in it how far
    the run is.
    """
    shared = _Run(plan, stop, Tally() if tally is None else tally)
    lanes: list[_Lane | _HeldLane] = [
        *(_Lane(shared, close=False) for lane in range(plan.keep_alive)),
        *(_Lane(shared, close=True) for lane in range(plan.one_shot)),
        *(_Lane(shared, close=False, slow=True) for lane in range(plan.slow)),
        *(_StreamLane(shared) for lane in range(plan.streams)),
        *(_WebSocketLane(shared) for lane in range(plan.websockets)),
    ]
    watch = asyncio.create_task(shared.watch_bounds())
    try:
        await asyncio.gather(*(lane.run() for lane in lanes))
    finally:
        watch.cancel()
    return shared.tally


class _Run:
    """What the lanes share."""

    def __init__(self, plan: Plan, stop: asyncio.Event, tally: Tally) -> None:
        self.plan = plan
        self.tally = tally
        self._stop = stop
        self._left = plan.requests

    def may_send(self) -> bool:
        """Take one request out of the budget, if there is still something to do."""
        if self._stop.is_set() or self._left == 0:
            return False
        if self._left is not None:
            self._left -= 1
        return True

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the run lasts."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    async def watch_bounds(self) -> None:
        plan = self.plan
        while not self._stop.is_set():
            if plan.duration is not None and self.tally.now() >= plan.duration:
                self._stop.set()
            if plan.stop_file is not None and plan.stop_file.exists():
                self._stop.set()
            await asyncio.sleep(POLL_SECONDS)

    @property
    def ends(self) -> bool:
        return self._stop.is_set()


class _Lane:
    """Sends one request after the other; `close` asks for a connection for each."""

    def __init__(self, shared: _Run, *, close: bool, slow: bool = False) -> None:
        self._run = shared
        self._close = close
        self._slow = slow
        self._connection: Connection | None = None

    async def run(self) -> None:
        plan, number = self._run.plan, 0
        while self._run.may_send():
            succeeded = await self._count(self._request(number))
            number += 1
            pause = plan.pause if succeeded else max(plan.pause, PAUSE_AFTER_FAILURE_SECONDS)
            if pause:
                await self._run.pause(pause)
        if self._connection is not None:
            self._connection.close()

    def _request(self, number: int) -> Request:
        plan = self._run.plan
        if self._slow:
            return Request("GET", plan.slow_path, slow=True)
        if number % 2 == 0:
            return Request("GET", plan.get_path)
        body = random.randbytes(random.randint(1, plan.body_bytes))
        return Request("POST", plan.post_path, body)

    async def _count(self, request: Request) -> bool:
        """Send a request, count what became of it, and tell whether that was success."""
        tally = self._run.tally
        sent = tally.now()
        try:
            async with asyncio.timeout(self._run.plan.timeout):
                answer = await self._exchange(request)
            version = check(request, answer, self._run.plan.identify)
        except WrongAnswer as error:
            # The exchange itself was complete, so the connection is as good as before.
            tally.add_failure(str(request), error.reason, str(error), sent)
            return False
        except (TimeoutError, ConnectionLost, MalformedAnswer, OSError) as error:
            tally.add_failure(str(request), _reason(error), str(error), sent)
            self._drop()
            return False
        tally.add_success(version, sent, slow=request.slow)
        return True

    async def _exchange(self, request: Request) -> Answer:
        data = request.encode(self._run.plan.endpoint.name, close=self._close)
        connection = await self._usable_connection()
        try:
            answer = await connection.exchange(data)
        except ConnectionLost as lost:
            kept_alive = connection.exchanges > 0
            if lost.answer_began or not kept_alive or request.method != "GET":
                raise
            self._run.tally.retried += 1
            connection = await self._usable_connection()
            answer = await connection.exchange(data)
        if self._close or not answer.keep_alive:
            connection.close()
        return answer

    async def _usable_connection(self) -> Connection:
        if self._connection is None or not self._connection.usable:
            self._connection = None
            self._connection = await Connection.open(self._run.plan.endpoint)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None


class _HeldLane:
    """Holds one connection after the other for long, with `held_pause` between them."""

    kind = ""

    def __init__(self, shared: _Run) -> None:
        self._run = shared
        self._version = ""

    async def run(self) -> None:
        plan, tally = self._run.plan, self._run.tally
        while self._run.may_send():
            sent, self._version, pause = tally.now(), "", plan.held_pause
            try:
                await self._hold()
            except WrongAnswer as error:
                tally.add_failure(self.kind, error.reason, str(error), sent)
                pause = max(pause, PAUSE_AFTER_FAILURE_SECONDS)
            except (TimeoutError, ConnectionLost, MalformedAnswer, OSError) as error:
                if self._version:
                    tally.add_broken(self.kind, self._version, str(error) or _reason(error), sent)
                else:
                    tally.add_failure(self.kind, _reason(error), str(error), sent)
                pause = max(pause, PAUSE_AFTER_FAILURE_SECONDS)
            else:
                tally.add_held(self.kind, self._version)
            if pause:
                await self._run.pause(pause)

    async def _hold(self) -> None:
        """Do it all once; set `_version` as soon as somebody has answered."""
        raise NotImplementedError


class _StreamLane(_HeldLane):
    kind = "stream"

    async def _hold(self) -> None:
        plan = self._run.plan
        request = Request("GET", plan.stream_path)
        connection = await Connection.open(plan.endpoint)
        try:
            async with asyncio.timeout(STREAM_TIMEOUT_SECONDS):
                answer = await connection.exchange(request.encode(plan.endpoint.name, close=True))
        except ConnectionLost as lost:
            self._version = stream_version(lost.received)
            raise
        finally:
            connection.abort()
        if answer.status != 200:
            raise WrongAnswer(f"status {answer.status}", _start(answer.body))
        self._version = stream_version(answer.body)
        if not answer.body.endswith(b"\nend\n"):
            # Where the end of the connection is the end of the answer, HTTP calls this complete.
            raise ConnectionLost("ended without its last line", answer.body)


class _WebSocketLane(_HeldLane):
    kind = "websocket"

    async def _hold(self) -> None:
        plan = self._run.plan
        try:
            async with asyncio.timeout(plan.timeout):
                session = await WebSocket.open(plan.endpoint, plan.websocket_path)
        except Refused as refusal:
            raise WrongAnswer("no websocket", str(refusal)) from None
        try:
            async with asyncio.timeout(plan.timeout):
                hello = await session.receive()
            self._version = _identified(hello.encode(), plan.identify)[1]
            ends = self._run.tally.now() + plan.websocket_seconds
            while self._run.tally.now() < ends and not self._run.ends:
                text = random.randbytes(20).hex()
                async with asyncio.timeout(plan.timeout):
                    await session.send(text)
                    echo = await session.receive()
                if echo != text:
                    raise WrongAnswer("wrong echo", f"{text} came back as {echo[:60]}")
                await self._run.pause(WEBSOCKET_PAUSE_SECONDS)
            await session.close()
        finally:
            session.abort()


def stream_version(received: bytes) -> str:
    """Whose stream it was, from what came of it: the lines say "7/60 VERSION"."""
    found = re.search(rb"^\d+/\d+ (.+?)\r?\n", received, re.MULTILINE)
    if found:
        return found[1].decode("utf-8", "replace")
    return "unknown" if received else ""


def _reason(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "timeout"
        case ConnectionLost():
            return "closed during the answer" if error.answer_began else "closed before the answer"
        case MalformedAnswer():
            return "malformed answer"
        case ssl.SSLError():
            return "tls"
        case _:
            return "connect"


def parse_arguments(argv: list[str] | None) -> tuple[Plan, Path | None]:
    """Read the command line; exits with 2 and one sentence when it makes no sense."""
    defaults = {field.name: field.default for field in fields(Plan) if field.name != "endpoint"}
    parser = argparse.ArgumentParser(
        prog="count",
        description=(__doc__ or "").partition("\n")[0],
        epilog="Exit code: 0 all answers were right, 1 some were not or none came, 2 usage.",
    )
    parser.set_defaults(**defaults)
    add = parser.add_argument
    add("url", metavar="https://NAME[:PORT]", help="NAME is used for SNI, certificate and Host")
    add("--address", metavar="IP", help="connect there, whatever the name resolves to")
    add("--ca-file", metavar="PEM", help="trust this instead of the system's authorities")
    add("--keep-alive", type=int, metavar="N", help="kept connections (%(default)s)")
    add("--one-shot", type=int, metavar="N", help="lanes of one connection a request (%(default)s)")
    add("--slow", type=int, metavar="N", help="lanes that loop on the slow path (%(default)s)")
    add("--get-path", metavar="PATH", help="%(default)s")
    add("--post-path", metavar="PATH", help="%(default)s")
    add("--slow-path", metavar="PATH", help="%(default)s")
    add("--streams", type=int, metavar="N", help="lanes that loop on a stream (%(default)s)")
    add("--stream-path", metavar="PATH", help="%(default)s; its last line is: end")
    add("--websockets", type=int, metavar="N", help="lanes that loop on a WebSocket (%(default)s)")
    add("--websocket-path", metavar="PATH", help="%(default)s; it greets with JSON, then echoes")
    add("--websocket-seconds", type=float, metavar="S", help="length of a session (%(default)s)")
    add("--held-pause", type=float, metavar="S", help="between two of a lane (%(default)s)")
    add("--identify", metavar="KEY", help="of the answers' JSON, to count by (%(default)s)")
    add("--body-bytes", type=int, metavar="N", help="largest body of a POST (%(default)s)")
    add("--pause", type=float, metavar="S", help="wait of a lane after an answer (%(default)s)")
    add("--timeout", type=float, metavar="S", help="deadline of a request (%(default)s)")
    add("--output", type=Path, metavar="JSON", help="write the result there instead of to stdout")
    bounds = parser.add_argument_group("when to stop (at least one; TERM and INT always stop)")
    bounds.add_argument("--duration", type=float, metavar="S")
    bounds.add_argument("--requests", type=int, metavar="N")
    bounds.add_argument("--stop-file", type=Path, metavar="PATH", help="when this file exists")
    bounds.add_argument("--until-signal", action="store_true")
    chosen = parser.parse_args(argv)

    url = urlsplit(chosen.url)
    if url.scheme != "https" or not url.hostname or url.path not in ("", "/"):
        parser.error(f"{chosen.url!r} is not of the form https://NAME[:PORT]")
    bounded = any(value is not None for value in (chosen.duration, chosen.requests))
    if not (bounded or chosen.stop_file or chosen.until_signal):
        parser.error("say when to stop: --duration, --requests, --stop-file or --until-signal")
    lanes = [
        *(chosen.keep_alive, chosen.one_shot, chosen.slow),
        *(chosen.streams, chosen.websockets),
    ]
    if min(lanes) < 0 or not sum(lanes):
        parser.error("there must be at least one lane, and no negative number of them")
    if chosen.body_bytes < 1 or chosen.timeout <= 0:
        parser.error("--body-bytes and --timeout must be positive")
    try:
        tls = ssl.create_default_context(cafile=chosen.ca_file)
    except OSError as error:
        parser.error(f"cannot read certificates from {chosen.ca_file}: {error}")
    endpoint = Endpoint(chosen.address or url.hostname, url.port or 443, url.hostname, tls)
    values = {name: value for name, value in vars(chosen).items() if name in defaults}
    return Plan(**values | {"endpoint": endpoint}), chosen.output


async def _run_until_signal(plan: Plan, output: Path | None) -> Tally:
    stop, tally = asyncio.Event(), Tally()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if output is None:
        return await run(plan, stop, tally)
    watch = asyncio.create_task(_keep_writing(tally, output))
    try:
        return await run(plan, stop, tally)
    finally:
        watch.cancel()


async def _keep_writing(tally: Tally, output: Path) -> None:
    while True:
        await asyncio.sleep(OUTPUT_SECONDS)
        _write(tally.report() | {"finished": False}, output)


def _write(report: dict[str, Any], output: Path) -> None:
    """A reader finds all of it or what was there before."""
    partial = output.with_name(output.name + ".partial")
    partial.write_text(json.dumps(report, indent=2) + "\n")
    partial.replace(output)


def main(argv: list[str] | None = None) -> int:
    plan, output = parse_arguments(argv)
    report = asyncio.run(_run_until_signal(plan, output)).report() | {"finished": True}
    if output is None:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        _write(report, output)
    print(
        f"count: {report['requests']} requests, {report['failed']} failed, "
        f"{report['retried']} retried, versions {', '.join(report['versions']) or 'none'}",
        file=sys.stderr,
    )
    return 1 if report["failed"] or not report["requests"] else 0


if __name__ == "__main__":
    sys.exit(main())
