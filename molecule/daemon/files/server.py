# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon that answers each connection by the word of its configuration."""

import json
import pathlib
import signal
import socket
import sys
import time

config = {}


def load(*_signal):
    config.update(json.loads(pathlib.Path(sys.argv[1]).read_text()))


signal.signal(signal.SIGHUP, load)
load()
end = time.monotonic() + config.get("die_after", 1e9)
with socket.create_server(("127.0.0.1", config["port"])) as server:
    server.settimeout(0.2)
    while time.monotonic() < end:
        try:
            connection, _address = server.accept()
        except TimeoutError:
            continue
        with connection:
            connection.sendall(config["answer"].encode())
sys.exit(7)
