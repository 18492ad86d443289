# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipper with real files, and with receivers that are real but for what they keep."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import log_files
import log_receivers
import log_shipper
import pytest
from log_receivers import Line, LogstashHttp, LogstashTcp, Outcome, Receiver, Refused, Unavailable
from unit.trickling import TRICKLES, trickling


def message(line: Line) -> str:
    return str(json.loads(line.document)["message"])


class Memory(Receiver):
    """Keeps lines by index and id, in the order in which they came."""

    def __init__(self) -> None:
        super().__init__({"url": "http://memory"})
        self.kept: dict[str, Line] = {}
        self.answer: Callable[[Line], str] = lambda line: "done"
        self.largest = 10**9
        self.attempts = 0

    def send(self, lines: list[Line]) -> list[Outcome]:
        self.attempts += 1
        if len(lines) > self.largest:
            raise Refused("too large")
        outcomes = [Outcome(self.answer(line), "the test says so") for line in lines]
        for line, outcome in zip(lines, outcomes, strict=True):
            if outcome.verdict == "done":
                self.kept.setdefault(f"{line.day} {line.id}", line)
        return outcomes

    @property
    def texts(self) -> list[str]:
        return [message(line) for line in self.kept.values()]


class Host:
    """A directory of logs, and shippers that come and go."""

    def __init__(self, home: pathlib.Path) -> None:
        self.logs, self.state = home / "logs", home / "state"
        self.logs.mkdir()
        self.state.mkdir()
        self.log = self.logs / "a.log"
        self.memory = Memory()
        self.shipper = self.start()

    def start(self, **settings: Any) -> log_shipper.Shipper:
        config = {
            "url": "http://unused", "output": "logstash_http", "ca_file": "",
            "authorization_file": "", "state": str(self.state), "index": "l", "days": 7,
            "files": [{"paths": [str(self.logs / "*.log")], "fields": {}}], "prepare": {},
            "batch_bytes": 1000, "line_bytes": 100, "retry_seconds": 1, "deleted_bytes": 100_000,
            "dead_bytes": 1000,
        }  # fmt: skip
        self.shipper = log_shipper.Shipper(config | settings)
        self.shipper.receiver = self.memory
        return self.shipper

    def kill(self) -> None:
        """As KILL does: what is not written down is forgotten."""
        for log in self.shipper.logs.values():
            os.close(log.fd)
        self.start()

    def write(self, *texts: str, path: pathlib.Path | None = None) -> None:
        with (path or self.log).open("a") as file:
            file.write("".join(f"{text}\n" for text in texts))

    def rotate(self) -> None:
        """logrotate, with compress and delaycompress."""
        first = self.logs / "a.log.1"
        if first.exists():
            (self.logs / "a.log.2.gz").write_bytes(gzip.compress(first.read_bytes()))
            first.unlink()
        self.log.rename(first)

    def ship(self) -> list[str]:
        """Look, and send all there is. What the receiver has then."""
        shipper = self.shipper
        shipper.look()
        if shipper.batch:
            shipper.deliver(shipper.interrupted())
        while batch := shipper.collect():
            shipper.deliver(batch)
        return self.memory.texts


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(log_shipper, "POLL", 0.01)
    made = Host(tmp_path)
    yield made
    for log in made.shipper.logs.values():
        os.close(log.fd)


def test_lines_are_shipped_once_and_in_order(host: Host) -> None:
    host.write("1", "2")
    assert host.ship() == ["1", "2"]
    host.write("3")
    assert host.ship() == ["1", "2", "3"]
    assert host.shipper.counts == {"shipped": 3, "dead": 0, "lost_bytes": 0}


def test_a_line_is_shipped_when_it_is_complete(host: Host) -> None:
    host.log.write_bytes(b"whole\nha")
    assert host.ship() == ["whole"]
    with host.log.open("ab") as file:
        file.write(b"lf\n")
    assert host.ship() == ["whole", "half"]


def test_a_renamed_log_is_read_to_its_end(host: Host) -> None:
    host.write("1")
    host.ship()
    with host.log.open("a") as slow:
        host.rotate()
        host.write("3")
        slow.write("2\n")  # a writer that has not opened the new file yet
    assert sorted(host.ship()) == ["1", "2", "3"]


def test_a_deleted_log_that_is_still_written_to_is_read_on(host: Host) -> None:
    host.write("1")
    with host.log.open("a") as writer:
        host.ship()
        host.log.unlink()
        host.ship()
        writer.write("2\n")
    assert host.ship() == ["1", "2"]
    long_ago = time.time() - 100
    for log in host.shipper.logs.values():
        os.utime(log.fd, (long_ago, long_ago))
    host.ship()
    assert host.shipper.logs == {}


def test_an_outage_of_three_rotations_loses_nothing(host: Host) -> None:
    host.ship()
    for number in range(4):
        host.write(str(number))
        host.shipper.look()  # as it does while it waits
        if number < 3:
            host.rotate()
    assert sorted(host.ship()) == ["0", "1", "2", "3"]
    assert host.shipper.counts["lost_bytes"] == 0


def test_a_restart_finds_a_renamed_log_by_its_inode(host: Host) -> None:
    host.write("1")
    host.ship()
    host.write("2")
    host.rotate()
    host.write("3")
    host.kill()
    assert host.ship() == ["1", "2", "3"]
    assert host.shipper.counts["shipped"] == 3


def test_what_rotation_deleted_while_it_was_off_is_said(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    host.write("1")
    host.ship()
    host.write("22")
    host.shipper.look()
    host.shipper.save({})
    host.log.unlink()
    host.kill()
    host.shipper.stop.set()
    host.shipper.run()
    assert host.shipper.counts["lost_bytes"] == 3
    assert f"<3>lost 3 bytes or more of {host.log}: it was deleted before" in capfd.readouterr().err


def test_what_deleted_logs_hold_of_the_disk_is_bounded(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        path = host.logs / f"{number}.log"
        fill(path, str(number) * 65_535)
        os.utime(path, (number, number))
        host.shipper.look()
        path.unlink()
    host.shipper.look()
    assert sum(log.size for log in host.shipper.logs.values()) == 65_536
    assert host.shipper.counts["lost_bytes"] == 131_072
    assert capfd.readouterr().err.count("<3>lost 65536 bytes") == 2
    assert {text[0] for text in host.ship()} == {"2"}


def fill(path: pathlib.Path, text: str) -> None:
    """A line that takes its blocks of the disk at once."""
    with path.open("w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())


def test_deleted_logs_of_an_app_cost_no_others(host: Host, tmp_path: pathlib.Path) -> None:
    """Neither by holes nor by what they hold, and however old those of others are."""
    (tmp_path / "nginx").mkdir()
    nginx, shop = tmp_path / "nginx" / "access.log", host.logs / "shop.log"
    sources = [{"paths": [str(d / "*.log")], "fields": {}} for d in (tmp_path / "nginx", host.logs)]
    host.start(files=sources)
    fill(nginx, "n" * 40_000)
    os.utime(nginx, (1, 1))
    with shop.open("w") as file:
        file.truncate(2 << 30)
    host.shipper.look()
    nginx.unlink()
    shop.unlink()
    host.shipper.look()
    assert host.shipper.counts["lost_bytes"] == 0
    for number in range(3):
        fill(shop, str(number) * 65_535)
        host.shipper.look()
        shop.unlink()
    host.shipper.look()
    left = [log.path for log in host.shipper.logs.values() if log.deleted]
    assert str(nginx) in left
    assert host.shipper.counts["lost_bytes"] > 2 * 65_536


def test_files_of_one_source_starve_no_other(host: Host, tmp_path: pathlib.Path) -> None:
    (tmp_path / "nginx").mkdir()
    sources = [{"paths": [str(d / "*.log")], "fields": {}} for d in (host.logs, tmp_path / "nginx")]
    host.start(files=sources)
    for number in range(30):
        host.write(*["a" * 90] * 20, path=host.logs / f"{number}.log")
    host.write(*["n" * 90] * 20, path=tmp_path / "nginx" / "access.log")
    host.shipper.look()
    batches = 0
    while sum(message(line)[0] == "n" for line in host.memory.kept.values()) < 20:
        host.shipper.deliver(host.shipper.collect())
        batches += 1
    assert batches <= 5


def test_a_line_that_makes_it_fail_is_dead_and_blocks_nobody(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(line: Line) -> str:
        if "poison" in message(line):
            raise RecursionError("too deep")
        return "done"

    host.memory.answer = answer
    host.write("1", "2", "poison", "3")
    assert host.ship() == ["1", "2", "3"]
    dead = json.loads((host.state / "dead.jsonl").read_text())
    assert (dead["line"], dead["reason"]) == ("poison\n", "RecursionError: too deep")
    # where it fails whatever is sent, it is not the lines
    host.write("poison 1", "poison 2")
    host.shipper.look()
    [*lines] = host.shipper.collect()
    with pytest.raises(Unavailable, match=r"cannot send to .*: RecursionError: too deep"):
        host.shipper.attempt(lines)


def test_birth_as_stat_writes_it(host: Host) -> None:
    """It is part of the ids of lines that were shipped when stat(1) was asked."""
    host.write("1")
    os.utime(host.log, ns=(0, 1_780_000_000_000_000_005))
    host.shipper.look()
    command = ["stat", "--format=%i %w\n%y", host.log]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
    [log] = host.shipper.logs.values()
    modified = log_files.as_stat_writes(1_780_000_000, 5)
    assert [log.inode, modified] == said.splitlines()


def test_a_restart_opens_first_what_was_open(host: Host) -> None:
    """The place up to which it is shipped would be forgotten, and the rest be said to be lost."""
    host.write("1")
    host.ship()
    host.write("2")
    host.shipper.look()
    host.shipper.save({})
    for number in range(3):
        path = host.logs / f"{number}.log"
        host.write("old", path=path)
        os.utime(path, (number, number))
    host.kill()
    host.shipper.files = 1
    host.shipper.stop.set()
    host.shipper.run()
    assert host.shipper.counts["lost_bytes"] == 0
    assert [log.path for log in host.shipper.logs.values()] == [str(host.log)]


def test_more_files_than_may_be_open(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    """Those that are shipped and idle make room; one that is written to again has its turn again."""
    host.shipper.files = 3
    long_ago = time.time() - 100
    for number in range(8):
        path = host.logs / f"{number}.log"
        host.write(str(number), path=path)
        os.utime(path, (long_ago + number, long_ago + number))
    for _round in range(3):
        host.ship()
        assert len(host.shipper.logs) <= 3
    assert host.memory.texts == [str(number) for number in range(8)]
    said = capfd.readouterr().err.splitlines()
    assert [line[:3] for line in said] == ["<4>", "<5>"]
    assert (
        "*.log: only 3 files can be open at a time, and there are more; the others wait" in said[0]
    )
    attempts = host.memory.attempts
    host.ship()
    assert host.memory.attempts == attempts
    host.write("again", path=host.logs / "0.log")
    assert host.ship()[8:] == ["again"]
    for path in host.logs.iterdir():
        path.unlink()
    host.ship()
    assert (host.shipper.parked, host.shipper.known) == ({}, {})


def test_the_next_file_with_the_same_inode_is_another(host: Host) -> None:
    """Even with the same lines, and without a word of the file between."""
    host.write("booted")
    host.ship()
    key = next(iter(host.shipper.logs.values())).inode
    host.log.unlink()
    host.kill()
    host.write("booted")
    assert host.ship() == ["booted"] * 2
    assert next(iter(host.shipper.logs.values())).inode != key


def test_a_truncated_log_is_read_from_its_beginning(host: Host) -> None:
    host.write("11", "22")
    host.ship()
    host.log.write_bytes(b"11\n")
    assert host.ship() == ["11", "22", "11"]
    host.kill()
    assert len(host.ship()) == 3


def test_lost_state_is_no_harm(host: Host) -> None:
    host.write('{"@timestamp": "2026-01-01T00:00:00Z", "message": "1"}')
    host.ship()
    (host.state / "state.json").unlink()
    host.kill()
    assert host.ship() == ["1"]


def test_killed_while_it_sends_it_sends_the_same_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also lines that say no time themselves, on the day after."""
    host.write("1", "2", "3")
    host.shipper.look()
    sent = host.shipper.collect()
    host.memory.send(sent)
    host.write("4")
    tomorrow = time.time() + 86400
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    host.kill()
    assert host.ship() == ["1", "2", "3", "4"]
    assert list(host.memory.kept.values())[:3] == sent


def test_killed_after_every_step_nothing_is_lost_or_twice(host: Host) -> None:
    sent = []
    for number in range(20):
        text = f"line {number}" * (number % 3 + 1)
        sent.append(text)
        host.write(text)
        host.shipper.look()
        if number % 2:
            batch = host.shipper.interrupted() if host.shipper.batch else host.shipper.collect()
            if number % 4 == 1:
                host.memory.send(batch)
            else:
                host.shipper.deliver(batch)
        if number % 5 == 4:
            host.rotate()
        host.kill()
        host.shipper.look()
    assert sorted(host.ship()) == sorted(sent)


def test_only_what_was_put_off_is_sent_again(host: Host) -> None:
    refusals = {"2": 3}

    def answer(line: Line) -> str:
        text = message(line)
        refusals[text] = refusals.get(text, 0) - 1
        return "again" if refusals[text] >= 0 else "done"

    host.memory.answer = answer
    host.write("1", "2", "3")
    assert host.ship() == ["1", "3", "2"]
    assert refusals == {"1": -1, "2": -1, "3": -1}


def test_a_dead_line_is_kept_aside_and_blocks_nobody(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    host.memory.answer = lambda line: "dead" if "poison" in message(line) else "done"
    host.write("1", "poison", "2")
    assert host.ship() == ["1", "2"]
    [dead] = [json.loads(text) for text in (host.state / "dead.jsonl").read_text().splitlines()]
    assert (dead["line"], dead["offset"], dead["reason"]) == ("poison\n", 2, "the test says so")
    assert host.shipper.counts == {"shipped": 2, "dead": 1, "lost_bytes": 0}
    assert "the line at 2, goes to" in capfd.readouterr().err
    host.write(*["poison" * 10] * 50)
    host.ship()
    assert host.shipper.counts["dead"] == 51
    assert sum(path.stat().st_size for path in host.state.glob("dead.jsonl*")) < 1500


def test_what_is_too_large_as_a_whole_is_sent_in_parts(host: Host) -> None:
    host.memory.largest = 3
    host.write(*map(str, range(10)))
    assert host.ship() == list(map(str, range(10)))
    host.memory.largest = 0
    host.write("10")
    assert len(host.ship()) == 10
    assert host.shipper.counts["dead"] == 1


def test_every_log_gets_its_turn(host: Host) -> None:
    for name in "abc":
        host.write(
            *[f"{name}{number:02}" * 10 for number in range(100)], path=host.logs / f"{name}.log"
        )
    host.shipper.look()
    batch = host.shipper.collect()
    assert {message(line)[0] for line in batch} == set("abc")
    assert sum(len(line.raw) for line in batch) <= 1000


def test_a_full_disk_stops_nothing(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host.shipper.state_file = "/dev/full/state.json"
    host.write("1")
    assert host.ship() == ["1"]
    assert "cannot write /dev/full/state.json" in capfd.readouterr().err


def test_a_trouble_is_said_once_and_so_is_its_end(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    for trouble in ("no route", "no route", "no route", "", ""):
        host.shipper.troubles.report("the receiver", trouble)
    first, last = capfd.readouterr().err.splitlines()
    assert first.startswith("<4>no route; trying again")
    assert last == "<5>the receiver: works again after 0 s"


def test_what_is_no_log_is_let_alone(host: Host, tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (host.logs / "link.log").symlink_to(tmp_path / "secret")
    os.mkfifo(host.logs / "pipe.log")
    (host.logs / "directory.log").mkdir()
    host.write("1", path=host.logs / "b.log.2.gz")
    host.write("2", path=host.logs / "b.log.old")
    host.write("3", path=host.logs / "b.log-20260102")
    host.write("4", path=host.logs / "b.log.1")
    assert sorted(host.ship()) == ["3", "4"]


# --- Logstash's inputs, as far as a plain server is one --------------------------------------------


def line(text: str) -> Line:
    document = json.dumps({"message": text, "event.id": f"id-{text}"}).encode()
    return Line("f", "1", 0, 1, b"", f"id-{text}", "2026.01.01", document)


def config(url: str) -> dict[str, Any]:
    return {"url": url, "ca_file": "", "authorization_file": ""}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """One for 127.0.0.1 that signs itself, with its key."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext"
    subprocess.run(
        [*command.split(), "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", f"{path}.new"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    path.write_text(path.read_text() + pathlib.Path(f"{path}.new").read_text())
    return path


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_json_lines_over_tcp(scheme: str, certificate: pathlib.Path) -> None:
    got: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            got.append(self.rfile.read())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        if scheme == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        port = server.server_address[1]
        settings = config(f"{scheme}://127.0.0.1:{port}") | {"ca_file": str(certificate)}
        sender = LogstashTcp(settings)
        assert sender.send([line("a"), line("b")]) == [("done", "")] * 2
        serving.join()
    documents = [json.loads(text) for text in got[0].splitlines()]
    assert documents == [{"message": text, "event.id": f"id-{text}"} for text in "ab"]


@pytest.mark.parametrize("status", [200, 429])
def test_an_array_over_http(status: int) -> None:
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        sender = LogstashHttp(config(f"http://127.0.0.1:{server.server_port}"))
        expected = pytest.raises(Unavailable, match="answered 429")
        with expected if status == 429 else contextlib.nullcontext():
            assert sender.send([line("a")]) == [("done", "")]
    assert got == [{"message": "a", "event.id": "id-a"}]


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match=f"POST http://127.0.0.1:{port}/: .*refused"):
        LogstashHttp(config(f"http://127.0.0.1:{port}")).send([line("a")])


def test_a_certificate_of_an_authority_that_is_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    wrong = config("https://127.0.0.1:1") | {"ca_file": str(tmp_path / "ca.pem")}
    with pytest.raises(Unavailable, match="cannot read the certificates of authorities in"):
        LogstashHttp(wrong).send([line("a")])


@pytest.mark.parametrize(
    ("receiver", "kind"),
    [*((LogstashHttp, kind) for kind in TRICKLES), (LogstashTcp, "body")],
    ids=[*TRICKLES, "tcp"],
)
def test_a_receiver_that_trickles(
    receiver: type[Receiver], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_receivers, "LONGEST", 0.5)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = {"url": url, "ca_file": "", "authorization_file": ""}
    line = Line("a", "a", 0, 1, b"{}", "1", "2026.11.29", b"{}")
    with (
        trickling(listening, *TRICKLES[kind]),
        pytest.raises(Unavailable, match=r"not done within"),
    ):
        receiver(config).send([line])
