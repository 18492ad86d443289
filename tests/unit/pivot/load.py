# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load through a unix socket, as a proxy makes it: each connect goes to what the path names then.

    load.py SOCKET [--close N] [--keep N] [--slow N] [--once 1]

Says "ready" when all clients have connected. Answers a number on its stdin with "done" once each
kind of client has had so many more answers, or one has failed. Runs until its stdin is closed (or
every client has asked once), lets every request end, and prints what happened as JSON. ``close`` clients make a
connection for each request, ``keep`` clients use one for 0.3 s and never retry, ``slow`` clients
ask for an answer that takes its time. An answer that is not a complete 200 has failed.
"""

import argparse
import collections
import json
import socket
import sys
import threading
import time

KEEP = 0.3  # seconds that a keep-alive connection is used
# Seconds between two requests of a client: what counts is that some are under way at any moment, not how
# many a server can answer, which would take the time from the server that starts.
PAUSE = 0.01


class Failed(Exception):
    pass


def ask(connection, path, close):
    """Send a POST and read the whole answer; its body, and whether the connection may be kept."""
    ending = b"Connection: close\r\n" if close else b""
    connection.sendall(
        b"POST %s HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n%s\r\nhi" % (path, ending)
    )
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise Failed(f"closed after {len(data)} bytes of the head")
        data += more
    head, _blank, body = data.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1] != b"200":
        raise Failed(head.split(b"\r\n")[0].decode())
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    keep = fields.get(b"connection", b"").strip() != b"close"
    if fields.get(b"transfer-encoding", b"").strip() == b"chunked":
        while not body.endswith(b"0\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                raise Failed("closed in the middle of a chunked body")
            body += more
        return body, keep
    length = fields.get(b"content-length")
    while length is None or len(body) < int(length):
        more = connection.recv(65536)
        if not more:
            if length is None:
                break
            raise Failed(f"closed after {len(body)} bytes of the body")
        body += more
    return body, keep


class Load:
    def __init__(self, path, once):
        self.path = path
        self.once = once
        self.over = threading.Event()
        self.connected = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.bodies = collections.Counter()
        self.errors = collections.Counter()

    def client(self, kind):
        connection, since, fresh = None, 0.0, False
        while not self.over.is_set():
            if connection is None:
                connection, since = socket.socket(socket.AF_UNIX), time.monotonic()
                connection.settimeout(120)
                fresh = True
            try:
                if fresh:
                    connection.connect(self.path)
                    self.connected.release()
                body, keep = ask(connection, b"/slow" if kind == "slow" else b"/", kind != "keep")
                with self.lock:
                    self.counts[kind] += 1
                    self.bodies[body.decode("latin-1").split(" ")[0]] += 1
            except (OSError, Failed) as error:
                with self.lock:
                    self.counts["failed"] += 1
                    self.errors[f"{kind}: {error!r}"] += 1
                keep = False
            fresh = False
            if kind != "keep" or not keep or time.monotonic() - since > KEEP:
                connection.close()
                connection = None
            if self.once:
                break
            time.sleep(PAUSE)
        if connection is not None:
            connection.close()

    def more(self, kinds, count):
        with self.lock:
            wanted = {kind: self.counts[kind] + count for kind in kinds}
        while not self.counts["failed"] and any(self.counts[k] < wanted[k] for k in kinds):
            time.sleep(0.01)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    for kind in ("close", "keep", "slow", "once"):
        parser.add_argument(f"--{kind}", type=int, default=0)
    arguments = vars(parser.parse_args())
    load = Load(arguments.pop("path"), arguments.pop("once"))
    threads = [
        threading.Thread(target=load.client, args=(kind,))
        for kind, count in arguments.items()
        for _each in range(count)
    ]
    for thread in threads:
        thread.start()
    for _each in threads:
        load.connected.acquire()
    print("ready", flush=True)
    for line in sys.stdin:
        load.more([kind for kind in ("close", "keep", "slow") if arguments[kind]], int(line))
        print("done", flush=True)
    load.over.set()
    for thread in threads:
        thread.join()
    result = {"failed": 0, "close": 0, "keep": 0, "slow": 0} | load.counts
    print(json.dumps(result | {"bodies": load.bodies, "errors": load.errors}))


main()
