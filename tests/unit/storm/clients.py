# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One client: asks SOCKET again and again and writes the release that answered, or FAILED and why."""

import contextlib
import os
import socket
import sys
import time


def ask(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while more := connection.recv(65536):
            data += more
    head, _blank, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise OSError(f"answered {head[:40]!r}")
    return body.decode().split(" ")[0]


if __name__ == "__main__":
    while os.getppid() == int(sys.argv[2]):
        began = time.monotonic()
        try:
            line = ask(sys.argv[1])
        except OSError as error:
            line = f"FAILED {error}"
        with contextlib.suppress(BrokenPipeError):
            print(f"{began:.4f} {line}", flush=True)
        time.sleep(0.02)
