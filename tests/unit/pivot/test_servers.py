# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves of real app servers under load, each from a plain line of a Procfile.

The servers are in a virtual environment of their own, ``build/servers``, which ``make unit`` makes
from servers.txt.
"""

from __future__ import annotations

import collections
import socket
import threading

import pytest
from unit.pivot.harness import HERE, PATIENCE, REPOSITORY, Site, ask

SERVERS = REPOSITORY / "build" / "servers"

# Everything before the app's name that is not needed for the socket is about concurrency: a
# server that takes one request at a time cannot hold two slow ones and answer others.
LINES = {
    "gunicorn sync": "gunicorn --workers 12 apps:wsgi",
    "gunicorn gthread": "gunicorn --threads 16 apps:wsgi",
    "gunicorn asgi": "gunicorn --worker-class asgi apps:asgi",
    "uvicorn": "uvicorn apps:asgi",
    "uvicorn workers": "uvicorn --workers 2 apps:asgi",
    "hypercorn": "hypercorn --bind unix:$SOCKET apps:asgi",
    "granian asgi": "granian --interface asgi apps:asgi",
    "granian wsgi": "granian --interface wsgi --blocking-threads 16 apps:wsgi",
    "waitress": "waitress-serve --unix-socket=$SOCKET --threads 16 apps:wsgi",
    "waitress at a port": "waitress-serve --listen=127.0.0.1:$PORT --threads 16 apps:wsgi",
    "uWSGI": (
        "uwsgi --master --threads 16 --die-on-term --need-app"
        " --add-header 'Connection: close' --module apps:wsgi"
    ),
}


def release(site: Site, name: str, line: str, env: dict[str, object] | None = None) -> str:
    site.release(name, line, env=env, port="$PORT" in line)
    directory = site.root / "releases" / name
    (directory / "venv").symlink_to(SERVERS)
    (directory / "apps.py").symlink_to(HERE / "apps.py")
    return name


@pytest.mark.parametrize("server", ["gunicorn gthread", "uvicorn", "waitress"])
def test_term_breaks_no_request_off(site: Site, server: str) -> None:
    """Who connects is answered, or refused before anything was sent: a proxy repeats a POST then."""
    pivot = site.start(release(site, "r0", LINES[server]))
    outcomes: collections.Counter[str] = collections.Counter()
    begun, ended = threading.Event(), threading.Event()

    def post() -> None:
        while not ended.is_set():
            try:
                client = socket.socket(socket.AF_UNIX)
                client.connect(str(site.run_dir / "web-1.sock"))
            except OSError:
                outcomes["refused"] += 1
                continue
            with client:
                try:
                    client.sendall(
                        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=1"
                    )
                    answered = client.recv(12).startswith(b"HTTP/1.1 200")
                except OSError:
                    answered = False
            outcomes["answered" if answered else "broken off"] += 1
            if outcomes["answered"] > 100:
                begun.set()

    clients = [threading.Thread(target=post) for _number in range(8)]
    for client in clients:
        client.start()
    begun.wait(PATIENCE)
    assert pivot.term() == 0
    ended.set()
    for client in clients:
        client.join()
    print(server, outcomes)
    assert outcomes["broken off"] == 0
    assert outcomes["answered"] > 0


@pytest.mark.parametrize("server", ["gunicorn gthread", "uvicorn", "waitress"])
def test_term_waits_for_requests_under_way(site: Site, server: str) -> None:
    """Waitress does not catch TERM, which would end it in the middle of them."""
    pivot = site.start(release(site, "r0", LINES[server]))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(pivot.link))
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert pivot.term() == 0
        assert client.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("server", LINES)
def test_moves_under_load(site: Site, server: str) -> None:
    pivot = site.start(release(site, "r0", LINES[server]))
    with site.load(close=4, keep=4, slow=2) as result:
        for number in (1, 2):
            move = pivot.move(release(site, f"r{number}", LINES[server]))["move"]
            assert (move["outcome"], move["stragglers"]) == ("done", 0), pivot.log()[-4000:]
            result.more()
    assert (result["failed"], result["errors"]) == (0, {}), pivot.log()[-4000:]
    assert set(result["bodies"]) == {"r0", "r1", "r2"}
    assert result["slow"] >= 2
    assert pivot.term() == 0
    assert site.files() == set()
    print(server, {kind: result[kind] for kind in ("close", "keep", "slow", "failed")})


@pytest.mark.parametrize("server", LINES)
def test_a_broken_release_is_refused(site: Site, server: str) -> None:
    pivot = site.start(release(site, "r0", LINES[server]))
    broken = release(site, "r1", LINES[server])
    apps = site.root / "releases" / "r1" / "apps.py"
    apps.unlink()
    apps.write_text("import nothere\n")
    site.release(broken, LINES[server], ready_timeout=pivot.ready_timeout())
    move = pivot.move(broken)["move"]
    assert move["outcome"] == "refused"
    assert any("nothere" in line for line in move["output"]), move
    assert ask(pivot.link).split()[0] == "r0"
    assert pivot.link.is_socket()


def test_the_pivot_is_killed_under_a_server_with_workers(site: Site) -> None:
    """The next pivot serves at once, and what the first left behind is gone then."""
    pivot = site.start(release(site, "r0", LINES["uvicorn workers"]))
    pivot.process.kill()
    pivot.wait()
    again = site.start()
    assert again.ask() == "r0"
    site.reap()
    assert site.adopted() == set()
    assert site.files() == {"web-1.sock", "web-1.2.sock", "web-1.2.d"}
