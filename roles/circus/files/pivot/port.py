# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that knows TCP only: a port of its own, and systemd's proxy in front of it on the socket.

Everything else sees a process that listens on a socket. systemd-socket-proxyd(8) passes bytes on and belongs to the
generation: it is in its process group, and bears its mark.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import pathlib
import random
import signal
import socket
from typing import NoReturn

from .kernel import listeners

PROXY = "/usr/lib/systemd/systemd-socket-proxyd"
PROXY_CONNECTIONS = 4096  # at a time; each takes six descriptors of the proxy
# Below the kernel's range for outgoing connections (net.ipv4.ip_local_port_range), which would take one at any time.
PORTS = range(20000, 32768)
ATTEMPTS = 100
TABLES = (pathlib.Path("/proc/net/tcp"), pathlib.Path("/proc/net/tcp6"))
LOOPBACK = ipaddress.ip_address("127.0.0.1")


def choose() -> int:
    """A port on which nobody listens now; OSError when there seems to be none."""
    for port in random.sample(PORTS, ATTEMPTS):
        with socket.socket(socket.AF_INET) as sock:
            try:
                sock.bind((str(LOOPBACK), port))
            except OSError:
                continue
            return port
    raise OSError(
        errno.EADDRINUSE, f"{ATTEMPTS} ports from {PORTS.start} to {PORTS.stop - 1} are in use"
    )


def problem(port: int) -> str:
    """What is wrong with who listens there; empty when it is the app, and nobody but this host reaches it.

    Another user of the host may have taken the port since it was chosen, and would get the app's requests.
    """
    found = listeners([table.read_text("latin-1") for table in TABLES if table.exists()], port)
    for each in found:
        if each.uid != os.getuid():
            return f"another user listens on port {port}"
        if not each.address.is_loopback:
            return f"it listens on {each.address}, which other hosts reach: let it listen on {LOOPBACK}"
    if LOOPBACK not in [each.address for each in found]:
        return f"it does not listen on {LOOPBACK}, port {port} (PORT in its environment)"
    return ""


def listen(path: str) -> socket.socket:
    """The socket for the proxy."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(socket.SOMAXCONN)
    return sock


def become_proxy(sock: socket.socket, port: int, env: dict[str, str]) -> NoReturn:
    """In a process of its own: pass on what is connected to ``sock``. The protocol is sd_listen_fds(3)'s."""
    # as in the units that it is made for (IgnoreSIGPIPE): a client that goes away would end it otherwise
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    passed = 3
    os.dup2(sock.fileno(), passed)
    os.set_inheritable(passed, True)
    env = env | {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    arguments = [PROXY, f"--connections-max={PROXY_CONNECTIONS}", f"{LOOPBACK}:{port}"]
    os.execve(PROXY, arguments, env)
