# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that knows TCP only is served and moved as any other one is."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
from types import ModuleType

import pytest
from unit.pivot.harness import SERVER, Site, ask, wait_for

# As the kernel writes them on a little-endian machine (proc(5)).
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {address}:5BA0 {remote}:0000 {state} 00000000:00000000 00:00000000 00000000  {uid}        0 4711 1 0\n"
V6 = "00000000000000000000000000000000"


def table(*rows: tuple[str, str, int]) -> str:
    return HEAD + "".join(
        ROW.format(address=address, remote="0" * len(address), state=state, uid=uid)
        for address, state, uid in rows
    )


ME = os.getuid()
LOOPBACK = "0100007F"
OTHER = ME + 1


@pytest.mark.parametrize(
    ("v4", "v6", "problem"),
    [
        ([(LOOPBACK, "0A", ME)], [], ""),
        ([], [("0000000000000000FFFF00000100007F", "0A", ME)], ""),
        ([], [], "does not listen on 127.0.0.1, port 23456"),
        ([(LOOPBACK, "01", ME)], [], "does not listen"),
        ([], [("00000000000000000000000001000000", "0A", ME)], "does not listen on 127.0.0.1"),
        ([(LOOPBACK, "0A", OTHER)], [], "another user listens on port 23456"),
        ([(LOOPBACK, "0A", ME), ("00000000", "0A", OTHER)], [], "another user"),
        ([("00000000", "0A", ME)], [], "listens on 0.0.0.0, which other hosts reach"),
        ([], [(V6, "0A", ME)], "listens on ::, which other hosts reach"),
        ([(LOOPBACK, "0A", ME), ("0501A8C0", "0A", ME)], [], "listens on 192.168.1.5"),
    ],
    ids=str,
)
def test_who_listens(
    module: ModuleType,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    v4: list[tuple[str, str, int]],
    v6: list[tuple[str, str, int]],
    problem: str,
) -> None:
    (tmp_path / "tcp").write_text(table(*v4))
    (tmp_path / "tcp6").write_text(table(*v6))
    monkeypatch.setattr(module.port, "TABLES", (tmp_path / "tcp", tmp_path / "tcp6"))
    said = module.port.problem(23456)
    assert problem in said
    assert bool(said) == bool(problem)
    assert module.port.problem(23457).startswith("it does not listen")


def test_a_port_is_free_and_not_the_kernels(module: ModuleType) -> None:
    port = module.port.choose()
    assert port in range(20000, 32768)
    with socket.create_server(("127.0.0.1", port)):
        assert module.port.problem(port) == ""


def test_no_port_is_free(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(module.port, "PORTS", range(number, number + 1))
        monkeypatch.setattr(module.port, "ATTEMPTS", 1)
        with pytest.raises(OSError, match=f"1 ports from {number} to {number} are in use"):
            module.port.choose()


def release(site: Site, name: str, **env: object) -> str:
    return site.release(name, port=True, env=env)


def test_moves_under_load_lose_nothing(site: Site) -> None:
    """Between both kinds of servers, too."""
    pivot = site.start(release(site, "r0"))
    with site.load(close=4, keep=4, slow=2) as result:
        for name in (release(site, "r1"), site.release("r2"), release(site, "r3")):
            move = pivot.move(name)["move"]
            assert (move["outcome"], move["stragglers"]) == ("done", 0)
            result.more()
    assert (result["failed"], result["errors"]) == (0, {})
    assert set(result["bodies"]) == {"r0", "r1", "r2", "r3"}
    assert site.files() == {"web-1.sock", "web-1.4.sock", "web-1.4.d"}
    assert pivot.term() == 0
    assert site.files() == set()


@pytest.mark.parametrize("path", ["", "/healthz"], ids=["connects", "asks"])
def test_nobody_takes_the_proxy_for_the_server(site: Site, path: str) -> None:
    """It accepts connections before the server does."""
    pivot = site.start(release(site, "r0"))
    broken = site.release(
        "r1",
        port=True,
        env={"IMPORT": "hang"},
        health={"path": path, "host": "x", "count": 1},
        ready_timeout=0.5,
    )
    move = pivot.move(broken)["move"]
    assert move["outcome"] == "refused"
    assert "own socket: it does not listen on 127.0.0.1, port" in move["reason"]
    assert pivot.ask() == "r0"


def test_a_server_that_other_hosts_reach_is_refused(site: Site) -> None:
    pivot = site.start(release(site, "r0"))
    exposed = site.release("r1", port=True, env={"HOST": "0.0.0.0"}, ready_timeout=1)
    move = pivot.move(exposed)["move"]
    assert move["outcome"] == "refused"
    assert "listens on 0.0.0.0, which other hosts reach" in move["reason"]


def test_the_server_ends_by_itself(site: Site) -> None:
    """The pivot ends with it, and nothing listens any more."""
    site.point(site.release("r0", port=True, env={"DIE_WHEN": site.flag("die")}))
    pivot = site.start()
    site.flag("die").touch()
    assert pivot.wait() == 7
    assert site.files() == set()
    site.reap()
    assert site.adopted() == set()


def test_the_proxy_ends_by_itself(site: Site) -> None:
    """Nobody answers any more, so that another process takes its place."""
    pivot = site.start(
        site.release(
            "r0",
            port=True,
            drain_timeout=0.5,
            liveness={"interval": 0.2, "failures": 2, "timeout": 5},
        )
    )
    child = pivot.status()["child"]
    children = pathlib.Path(f"/proc/{child}/task/{child}/children").read_text().split()
    proxies = [
        int(pid)
        for pid in children
        if "socket-proxyd" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    ]
    assert len(proxies) == 1
    os.kill(proxies[0], signal.SIGKILL)
    pivot.until("another process", lambda status: status["replacements"] == 1)
    assert ask(pivot.link).split()[0] == "r0"


def test_what_is_sent_to_a_closed_connection_does_not_end_the_proxy(site: Site) -> None:
    """Who writes to one gets SIGPIPE. The server closes before it has read all that these clients send."""
    pivot = site.start(release(site, "r0"))
    for _each in range(300):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(pivot.link))
            with contextlib.suppress(OSError):
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                for _chunk in range(50):
                    client.sendall(bytes(1 << 16))
    assert pivot.ask() == "r0"
    assert pivot.status()["replacements"] == 0


def test_the_pivot_is_killed(site: Site) -> None:
    """The next one leaves nothing of the proxy."""
    pivot = site.start(release(site, "r0"))
    pivot.process.kill()
    pivot.wait()
    again = site.start()
    assert again.ask() == "r0"

    def gone() -> bool:
        site.reap()
        return not site.adopted()

    wait_for(gone, "the end of the first proxy")
    assert site.files() == {"web-1.sock", "web-1.2.sock", "web-1.2.d"}


def test_a_command_may_name_the_port(site: Site) -> None:
    pivot = site.start(
        site.release("r0", f"exec env HOST=127.0.0.1 PORT=$PORT {SERVER}", port=True)
    )
    assert pivot.ask() == "r0"
