# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program twelvefactor on real hosts: follow logs, open a shell."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).parents[3]
SCENARIO = pathlib.Path(__file__).parents[1]
INVENTORY = ROOT / "build" / "hosts" / "molecule-operate" / "inventory.yml"
NAMES = ["operate-d12", "operate-d13"]
CANARY = "canary-a1"
LEFT = "ps -eo args | grep -c '[b]ase64,zlib'"


def command(verb, *arguments):
    options = [f"--inventory={INVENTORY}", f"--extra-vars=@{SCENARIO / 'vars' / 'main.yml'}"]
    return [str(ROOT / "scripts" / "twelvefactor"), verb, *options, *arguments]


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    monkeypatch.setenv("MOLECULE_PROJECT_DIRECTORY", str(ROOT))


def run(verb, *arguments, code=0):
    done = subprocess.run(
        command(verb, *arguments),
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


class Following:
    """A `logs -f` that is read until lines have come."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            command("logs", "-f", "greeter", *arguments),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            # a shell's command in the background ignores it, and so do all that it starts
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
        )
        self.text = ""

    def until(self, pattern, seconds=120):
        """When it was seen that the output has it."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text, re.MULTILINE):
            assert time.monotonic() < end, self.text
            if select.select([self.process.stdout], [], [], 1)[0]:
                data = os.read(self.process.stdout.fileno(), 1 << 16)
                assert data, self.text
                self.text += data.decode()
        return time.monotonic()

    def interrupt(self):
        """Ctrl-C, which the terminal sends to all processes in its foreground."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


def ask(host, path):
    host.check_output(
        f"curl --silent --insecure --output /dev/null --resolve greeter.test:443:127.0.0.1 https://greeter.test{path}"
    )


def gone(host):
    """Nothing of a follower is left; what ends a connection takes a moment."""
    end = time.monotonic() + 30
    while host.run(LEFT).stdout.strip() != "0":
        assert time.monotonic() < end, host.check_output("ps -eo pid,args")
        time.sleep(0.2)


def test_logs_of_all_hosts_are_followed_and_nothing_is_left(hosts):
    following = Following("--lines=0")
    try:
        # connected, once each of them has shown a request
        for host in hosts.values():
            for _attempt in range(120):
                ask(host, "/begin")
                if host.run(LEFT).stdout.strip() != "0":
                    break
                time.sleep(0.5)
        for name, host in hosts.items():
            ask(host, f"/{name}")
            following.until(rf"^[0-9:.]+ {name} access +200 GET /{name} [0-9]+ ms")
        host = hosts["operate-d13"]
        host.check_output("echo 'ERROR a line of the app' >> /var/log/greeter/worker-1.log")
        began = time.monotonic()
        late = following.until(r"operate-d13 worker-1 ERROR a line of the app") - began
        print(f"a line was seen {late:.2f} s after the command that wrote it had ended")
    finally:
        code = following.interrupt()
    assert code == 130
    for host in hosts.values():
        gone(host)


def test_logs_are_filtered(hosts):
    host = hosts["operate-d12"]
    host.check_output("echo 'ERROR a second line' >> /var/log/greeter/worker-1.log")
    ask(host, "/filtered")
    errors = run("logs", "greeter", "--level=error", "--process=worker").splitlines()
    assert [line for line in errors if "operate-d12" in line]
    assert all(" worker-1 ERROR" in line for line in errors)
    asked = run("logs", "greeter", "--status=2xx", "--lines=50").splitlines()
    assert any("operate-d12 access   200 GET /filtered" in line for line in asked)
    assert all(" access   2" in line for line in asked)
    assert run("logs", "greeter", "--status=599") == ""


def test_a_connection_that_is_lost_leaves_nothing(hosts):
    following = Following("--lines=1")
    following.until(r"operate-d12 (?s:.*)operate-d13 |operate-d13 (?s:.*)operate-d12 ")
    os.killpg(following.process.pid, signal.SIGKILL)
    following.process.wait(60)
    for host in hosts.values():
        gone(host)


WHO = (
    "import json, os; print(json.dumps({'user': os.getuid(), 'token': len(os.environ['TOKEN']),"
    " 'no_new_privileges': 'NoNewPrivs:\\t1' in open('/proc/self/status').read(),"
    " 'writable': os.access('/etc', os.W_OK) or os.access('/srv', os.W_OK)}))"
)


def test_a_command_in_the_sandbox_with_the_config_of_the_release(hosts):
    for name in NAMES:
        told = json.loads(run("shell", "greeter", name, "--", "python", "-c", WHO))
        assert told == {
            "user": int(hosts[name].check_output("id -u greeter")),
            "token": len(CANARY),
            "no_new_privileges": True,
            "writable": False,
        }
    run("shell", "greeter", "--", "sh", "-c", "exit 7", code=7)


def test_a_shell_with_a_terminal():
    pid, handle = pty.fork()
    if not pid:
        words = command("shell", "greeter", "operate-d13")
        os.execv(words[0], words)
    text = ""

    def until(pattern):
        nonlocal text
        end = time.monotonic() + 120
        while not re.search(pattern, text):
            assert time.monotonic() < end, text
            if select.select([handle], [], [], 1)[0]:
                text += os.read(handle, 1 << 16).decode("utf-8", "replace")

    until(r"\$ ")
    os.write(handle, b"tty && echo user-$(id -un)-config-${#TOKEN}\n")
    until(rf"/dev/pts/[0-9]+\s+user-greeter-config-{len(CANARY)}\s")
    os.write(handle, b"exit 5\n")
    while True:
        try:
            if not os.read(handle, 1 << 16):
                break
        except OSError:  # as Linux says that nobody has the terminal open any more
            break
    _pid, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 5


def test_what_is_refused():
    done = subprocess.run(
        command("shell", "greeter", "elsewhere"),
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "greeter does not run on elsewhere; it runs on operate-d12, operate-d13" in done.stderr
    done = subprocess.run(
        command("logs", "shop"), check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert "The inventory has no app shop; it has greeter, later" in done.stderr
