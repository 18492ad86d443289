# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins of Munin: whether devpi answers, how soon, and how large it is.

devpi.py PLUGIN [config|autoconf]
"""

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import sys
import time
import urllib.error
import urllib.request

TIMEOUT = 10  # seconds, for all of an answer
GRAPHS = {
    "devpi_alive": ("devpi answers", "1: it does", "alive", "--base 1000 -l 0"),
    "devpi_time": ("Time that devpi takes to answer", "seconds", "seconds", "--base 1000 -l 0"),
    "devpi_size": ("Data of devpi", "bytes on disk", "size", "--base 1024 -l 0"),
}


class UnixConnection(http.client.HTTPConnection):
    """To the server of the socket at ``path``."""

    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@contextlib.contextmanager
def within(seconds):
    """Raise TimeoutError when what is done here takes longer. The timeout of a socket is for one read only."""

    def late(*_signal):
        raise TimeoutError(f"not done within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read(url):
    """Read what the server says of itself. ``url`` may be unix: and the path of a socket."""
    if not url.startswith("unix:"):
        with urllib.request.urlopen(f"{url.rstrip('/')}/+api", timeout=TIMEOUT) as answer:
            answer.read(1 << 20)
        return
    connection = UnixConnection(url.removeprefix("unix:"))
    try:
        connection.request("GET", "/+api")
        answer = connection.getresponse()
        answer.read(1 << 20)
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
    finally:
        connection.close()


def ask(url):
    """Seconds until devpi has said that it is alive; None when it does not."""
    began = time.monotonic()
    try:
        with within(TIMEOUT):
            read(url)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return time.monotonic() - began


def size(directory):
    """Bytes on disk; what has several names counts once."""
    seen, total = set(), 0
    for path, _names, files in os.walk(directory):
        for name in files:
            try:
                status = os.lstat(os.path.join(path, name))
            except OSError:  # gone meanwhile
                continue
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                total += status.st_blocks * 512
    return total


def value(name):
    if name == "devpi_size":
        directory = pathlib.Path(os.environ["DIRECTORY"])
        return size(directory) if directory.is_dir() else "U"
    seconds = ask(os.environ["URL"])
    if name == "devpi_alive":
        return int(seconds is not None)
    return "U" if seconds is None else round(seconds, 4)


def main():
    name = sys.argv[1]
    title, unit, field, arguments = GRAPHS[name]
    command = sys.argv[2] if len(sys.argv) > 2 else ""
    if command == "autoconf":
        url = os.environ["URL"]
        print("yes" if ask(url) is not None else f"no (no devpi answers at {url})")
    elif command == "config":
        print(f"graph_title {title}\ngraph_vlabel {unit}\ngraph_category devpi")
        print(f"graph_args {arguments}\n{field}.label {field}")
        for limit in ("warning", "critical"):
            if os.environ.get(limit):
                print(f"{field}.{limit} {os.environ[limit]}")
    else:
        print(f"{field}.value {value(name)}")


if __name__ == "__main__":
    main()
