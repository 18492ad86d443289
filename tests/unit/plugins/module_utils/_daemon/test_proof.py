# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a daemon listens."""

from __future__ import annotations

import os
import pathlib
import socket
from collections.abc import Iterable

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon import proof
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import Status
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.proof import (
    Endpoint,
    Proof,
    Prover,
    Socket,
    holder_of,
    listeners,
    parse_endpoint,
    parse_sockets,
    serves,
    who_has,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("tcp:8126", Endpoint("tcp", "", 8126)),
        ("tcp:127.0.0.1:8126", Endpoint("tcp", "127.0.0.1", 8126)),
        ("udp:[::1]:8125", Endpoint("udp", "::1", 8125)),
        ("unix:/run/shop.sock", Endpoint("unix", "/run/shop.sock")),
    ],
)
def test_an_endpoint_as_people_write_it(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    "text", ["8126", "tcp:0", "tcp:65536", "tcp:host:80", "sctp:80", "unix:run", "tcp:", ""]
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(DeployError, match="Invalid endpoint"):
        parse_endpoint(text)


def test_tables_of_the_kernel() -> None:
    head = "  sl  local_address rem_address   st tx rx tr when retrnsmt uid timeout inode\n"
    rest = "00000000:00000000 00:00000000 00000000     7        0"
    table = (
        f"{head}   0: 0100007F:1FBE 00000000:0000 0A {rest} 77 1\n"
        f"   1: 0100007F:1FBE 0100007F:9C40 01 {rest} 78 1\n"
    )
    assert list(parse_sockets("tcp", table)) == [
        Socket(Endpoint("tcp", "127.0.0.1", 8126), "77", 7)
    ]
    six = f"{head} 0: 00000000000000000000000001000000:1FBD 0:0000 07 {rest} 79 1\n"
    assert list(parse_sockets("udp", six)) == [Socket(Endpoint("udp", "::1", 8125), "79", 7)]
    unix = (
        "Num RefCount Protocol Flags Type St Inode Path\n"
        "0: 2 0 00010000 0001 01 80 /run/a.sock\n"
        "0: 2 0 00000000 0001 03 81 /run/a.sock\n"
        "0: 2 0 00000000 0002 01 82\n"
    ).replace("0: 2 0", "0: 00000002 00000000")
    assert list(parse_sockets("unix", unix)) == [Socket(Endpoint("unix", "/run/a.sock"), "80", -1)]


@pytest.mark.parametrize(
    ("bound", "wanted", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "127.0.0.1", True),
        ("::", "::1", True),
        ("0.0.0.0", "::1", False),
        ("127.0.0.1", "10.0.0.1", False),
    ],
)
def test_whom_an_address_serves(bound: str, wanted: str, expected: bool) -> None:
    assert serves(Endpoint("tcp", bound, 80), Endpoint("tcp", wanted, 80)) is expected
    assert not serves(Endpoint("udp", bound, 80), Endpoint("tcp", wanted, 80))
    assert not serves(Endpoint("tcp", bound, 81), Endpoint("tcp", wanted, 80))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_real_socket_and_who_has_it(kind: int) -> None:
    protocol = "tcp" if kind == socket.SOCK_STREAM else "udp"
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            server.listen()
        endpoint = Endpoint(protocol, "127.0.0.1", server.getsockname()[1])
        sockets = listeners(endpoint)
        assert holder_of([str(os.getpid())]).has(sockets)
        assert not holder_of([]).has(sockets)
        assert who_has(sockets).endswith(f"(process {os.getpid()})")
    assert not listeners(endpoint)


def test_a_real_socket_of_unix(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        assert not listeners(Endpoint("unix", path))
        server.listen()
        assert holder_of([str(os.getpid())]).has(listeners(Endpoint("unix", path)))


def test_in_a_container_the_user_of_a_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: str) -> set[str]:
        raise PermissionError

    monkeypatch.setattr(proof, "sockets_of", refuse)
    mine = holder_of([str(os.getpid())])
    assert mine.has([Socket(Endpoint("tcp", "", 80), "1", os.geteuid())])
    assert not mine.has([Socket(Endpoint("tcp", "", 80), "1", os.geteuid() + 1)])
    assert who_has([Socket(Endpoint("tcp", "", 80), "1", 0)]) == "another process"


def test_processes_of_units(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid, group in (("1", "/init.scope"), ("2", "/s/a.service"), ("3", "/s/a.service/x")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cgroup").write_text(f"0::{group}\n")
    (tmp_path / "4").mkdir()
    monkeypatch.setattr(proof, "PROC", tmp_path)
    assert proof.processes(["/s/a.service"]) == {"2", "3"}
    # that of a unit which has no process
    assert proof.processes([""]) == set()


def test_what_a_unit_listens_on_that_was_left_alone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Systemd:
        def status(self, names: Iterable[str]) -> dict[str, Status]:
            return {name: Status(name, state="active", cgroup=f"/s/{name}") for name in names}

        def journal(self, _name: str) -> str:
            return ""

    def processes(groups: Iterable[str]) -> set[str]:
        return {str(os.getpid())} if "/s/b.service" in set(groups) else set()

    monkeypatch.setattr(proof, "processes", processes)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        endpoint = Endpoint("tcp", "127.0.0.1", server.getsockname()[1])
        prover = Prover(Systemd(), Proof(0, (endpoint,), (), timeout=0), quiet=False)
        prover.prove(["a.service"], {}, beside=["b.service"])
        with pytest.raises(DeployError, match="It does not listen on tcp:"):
            prover.prove(["a.service"], {})
