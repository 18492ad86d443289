# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app for the pivot's tests: answers HTTP on a unix socket or a port, and misbehaves as it is told.

It runs under ``python -I -S``, so that it starts in a few milliseconds. With neither SOCKET nor PORT in its
environment it is a worker that only waits for TERM. What else the environment may say:

JOURNAL        append "<event> <release> <pid>" to this file: start, slow (request), term, end
PRINT          write this, as it is, at the start
LINES          write so many lines at the start
IMPORT         hang: never get ready; raise: end with a traceback
EXIT           end with this code at the start
DIE_WHEN       end with code 7 once this file exists
HEALTH         the status line that the health check gets, instead of 200 OK
HEALTH_WHEN    the health check gets 503 until this file exists
HEALTH_UNTIL   the health check gets 503 once this file exists
HEALTH_SILENT  the health check gets no answer
HEALTH_SILENT_WHILE  the same, while this file exists
SLOW_UNTIL     /slow is answered once this file exists, instead of after 2 s
TERM           ignore it
TERM_WHEN      heed TERM only once this file exists
LISTEN         listen here instead of at SOCKET
HOST           listen at PORT of this address instead of 127.0.0.1
CHILD          group: leave a child in the own group; session: a daemon with its own session; naked:
               the same without environment; stubborn: a child in the group that ignores TERM;
               daemonize: go on as a daemon and let the process itself end with 0
"""

import os
import select
import signal
import socket
import sys
import threading
import time

ENV = os.environ
WHERE = ENV.get("LISTEN", ENV.get("SOCKET"))
NAP = f"exec {sys.executable} -I -S -c 'import time; time.sleep(600)'"


def note(event):
    if "JOURNAL" in ENV:
        with open(ENV["JOURNAL"], "a") as journal:
            journal.write(f"{event} {ENV['RELEASE_ID']} {os.getpid()}\n")


def has(variable):
    return variable in ENV and os.path.exists(ENV[variable])


def leave_child(kind):
    pid = os.fork()
    if pid:
        if kind == "daemonize":
            os._exit(0)
        if kind in ("session", "naked"):
            os.waitpid(pid, 0)  # it forks once more, as daemons do
        return
    if kind == "daemonize":
        os.setsid()
        return
    if kind == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if kind in ("session", "naked"):
        os.setsid()
        if os.fork():
            os._exit(0)
    os.execve("/bin/sh", ["sh", "-c", NAP], {} if kind == "naked" else dict(ENV))


def listen():
    if "PORT" in ENV:
        host = ENV.get("HOST", "127.0.0.1")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(ENV["PORT"])), family=family, backlog=512)
    if not WHERE:
        return None
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(WHERE)
    listener.listen(512)
    return listener


class App:
    def __init__(self):
        self.stopping = False
        self.idle = set()
        self.lock = threading.Lock()
        self.threads = []

    def read_request(self, connection, rest):
        """One request's head and body; what came beyond it; None at the end of the connection."""
        with self.lock:
            if self.stopping:
                return None, b""
            self.idle.add(connection)
        data = rest
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None, b""
            data += more
        with self.lock:
            self.idle.discard(connection)
        head, _blank, rest = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(rest) < length:
            rest += connection.recv(65536)
        return head, rest[length:]

    def serve(self, connection):
        rest = b""
        with connection:
            while True:
                try:
                    head, rest = self.read_request(connection, rest)
                    if head is None:
                        return
                    keep = b"connection: close" not in head.lower()
                    path = head.split(b" ")[1]
                    status = "200 OK"
                    if path == b"/slow":
                        note("slow")
                        if "SLOW_UNTIL" in ENV:
                            while not has("SLOW_UNTIL"):
                                time.sleep(0.01)
                        else:
                            time.sleep(2)
                    elif path == b"/healthz":
                        if "HEALTH_SILENT" in ENV or has("HEALTH_SILENT_WHILE"):
                            continue
                        status = ENV.get("HEALTH", status)
                        if "HEALTH_WHEN" in ENV and not has("HEALTH_WHEN"):
                            status = "503 Not Yet"
                        if has("HEALTH_UNTIL"):
                            status = "503 No More"
                    body = f"{ENV['RELEASE_ID']} {os.getpid()}"
                    connection.sendall(
                        f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n"
                        f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n{body}".encode()
                    )
                except OSError:
                    return
                finally:
                    with self.lock:
                        self.idle.discard(connection)
                if not keep:
                    return

    def run(self):
        wakeup, writer = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        termed = []
        signal.signal(signal.SIGTERM, lambda *_args: termed.append(1))
        note("start")  # from here on it heeds TERM
        listener = listen()
        watching = [wakeup, listener] if listener else [wakeup]
        pause = 0.01 if "DIE_WHEN" in ENV or "TERM_WHEN" in ENV else None
        while True:
            ready = select.select(watching, [], [], pause)[0]
            if has("DIE_WHEN"):
                print("dying", flush=True)
                os._exit(7)
            if wakeup in ready:
                os.read(wakeup, 100)
            if listener in ready:
                thread = threading.Thread(target=self.serve, args=(listener.accept()[0],))
                thread.start()
                self.threads.append(thread)
            if termed and "TERM" not in ENV and ("TERM_WHEN" not in ENV or has("TERM_WHEN")):
                break
        note("term")
        if listener:
            listener.close()
        with self.lock:  # as gunicorn does: idle connections are closed, requests are finished
            self.stopping = True
            for connection in self.idle:
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        note("end")


sys.stdout.write(ENV.get("PRINT", ""))
for number in range(int(ENV.get("LINES", "0"))):
    sys.stdout.write(f"line {number} of the output\n")
sys.stdout.flush()
if ENV.get("IMPORT") == "hang":
    time.sleep(600)
elif ENV.get("IMPORT") == "raise":
    raise ImportError("No module named 'nothere'")
if "EXIT" in ENV:
    note("start")
    sys.exit(int(ENV["EXIT"]))
if "CHILD" in ENV:
    leave_child(ENV["CHILD"])
App().run()
