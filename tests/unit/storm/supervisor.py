# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd and circusd, as far as a deploy needs them: a program of its own, so that it can be killed.

``unit RUN CONFIGURATION COMMAND…`` keeps a circusd running while the file RUN/unit says so. ``circusd …`` keeps
the processes of CONFIGURATION running: COMMAND with the name of each. All of them go with it, as they do in a
unit. Its socket takes one command a connection: list, reloadconfig, or reload NAME.
"""

import ctypes
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import time

PAUSE = 0.02
stopping = False


def stop(_number, _frame):
    global stopping
    stopping = True


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(command):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)  # noqa: PLW1509


def unit(run, *arguments):
    process = None
    while not stopping:
        time.sleep(PAUSE)
        wanted = (run / "unit").exists()
        if process is not None and process.poll() is not None:
            process = None
        if wanted and process is None:
            process = start([sys.executable, "-I", "-S", __file__, "circusd", run, *arguments])
            (run / "circusd").write_text(f"{process.pid}\n")
        if process is not None and not wanted:
            process.terminate()
            process.wait()
    if process is not None:
        process.terminate()
        process.wait()


class Circusd:
    def __init__(self, run, configuration, *command):
        self.configuration = pathlib.Path(configuration)
        self.command = command
        self.running = {}
        self.leaving = []
        path = run / "control.sock"
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)

    def read(self):
        names = re.findall(r"^\[watcher:([^\]]+)\]", self.configuration.read_text(), re.MULTILINE)
        for name in set(self.running) - set(names):
            process = self.running.pop(name)
            process.terminate()
            self.leaving.append(process)
        self.running |= {name: self.launch(name) for name in names if name not in self.running}
        return "ok"

    def launch(self, name):
        return start([*self.command, name])

    def obey(self, words):
        if words[0] == "list":
            return ",".join(sorted(self.running))
        if words[0] == "reloadconfig":
            return self.read()
        self.running[words[1]].send_signal(signal.SIGHUP)
        return "ok"

    def run(self):
        self.read()
        while not stopping:
            ready, _writable, _errors = select.select([self.listener], [], [], PAUSE)
            if ready:
                with self.listener.accept()[0] as connection:
                    connection.settimeout(1)
                    try:
                        words = connection.recv(4096).decode().split()
                        connection.sendall(self.obey(words).encode())
                    except (OSError, LookupError):
                        pass
            for name, process in self.running.items():
                if process.poll() is not None:
                    self.running[name] = self.launch(name)
            self.leaving = [process for process in self.leaving if process.poll() is None]
        everybody = [*self.running.values(), *self.leaving]
        for process in everybody:
            process.terminate()
        for process in everybody:
            process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    what, run, *arguments = sys.argv[1:]
    if what == "unit":
        unit(pathlib.Path(run), *arguments)
    else:
        Circusd(pathlib.Path(run), *arguments).run()
