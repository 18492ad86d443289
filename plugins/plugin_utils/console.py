# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program twelvefactor: what needs a person at a terminal, and so is no playbook."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from typing import Any

from ansible import context
from ansible.cli import CLI
from ansible.cli.arguments import option_helpers
from ansible.errors import AnsibleError, AnsibleOptionsError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._console.entries import (
    LEVELS,
    STATUS,
    Merged,
    Reader,
    Wanted,
    shown,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._console.program import command
from ansible_collections.twelvefactor.deploy.plugins.module_utils._console.streams import Streams
from ansible_collections.twelvefactor.deploy.plugins.plugin_utils.fleet import Fleet

APP_EXEC = "/usr/local/sbin/app-exec"
LOGS, NGINX = "/var/log", "/var/log/nginx"
STATUS_COMMAND = ("ansible-playbook", "twelvefactor.deploy.status")
INTERRUPTED = 130  # as a shell has it for a program that SIGINT ended
# as ansible-playbook ends
FAILED, UNREACHABLE = 2, 4
NO_CONNECTION = 255  # of ssh; what it runs on the host has others


class Console(CLI):  # type: ignore[misc]  # ansible-core is not typed
    """Follow the logs of an app, open a shell in its sandbox, watch the status of the fleet."""

    name = "twelvefactor"
    args: list[str]

    def init_parser(self) -> None:
        super().init_parser(desc=self.__doc__)
        shared = type(self.parser)(add_help=False)  # knows the form of Ansible's options
        option_helpers.add_inventory_options(shared)
        option_helpers.add_vault_options(shared)
        option_helpers.add_connect_options(shared)
        option_helpers.add_runas_options(shared)
        option_helpers.add_runtask_options(shared)
        verbs = self.parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        logs = verbs.add_parser(
            "logs", parents=[shared], help="the lines of an app's logs, of all hosts"
        )
        logs.add_argument("app")
        logs.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
        logs.add_argument(
            "-n", "--lines", type=int, default=10, help="lines of each log from before (10)"
        )
        logs.add_argument(
            "--process",
            default="",
            help="web, web-1, the name of a schedule, or access for requests",
        )
        logs.add_argument(
            "--level", default="", choices=sorted(LEVELS), help="this level or a worse one"
        )
        logs.add_argument("--status", default="", type=status, help="requests with it: 404, 5xx")
        logs.add_argument("--release", default="", help="an id, or how it begins")
        shell = verbs.add_parser(
            "shell", parents=[shared], help="a shell or a command with an app's config"
        )
        shell.add_argument("app")
        shell.add_argument(
            "host", nargs="?", help="the first host of the app where it is not given"
        )
        shell.epilog = (
            "A command follows after --: twelvefactor shell shop -- python -m shop.report"
        )
        state = verbs.add_parser("status", parents=[shared], help="what every host serves")
        state.add_argument("--app", default="", help="only this app")
        state.add_argument(
            "--watch", nargs="?", type=float, const=5.0, help="again every so many seconds (5)"
        )

    def parse(self) -> None:
        # what follows is not ours
        given = self.args
        place = given.index("--") if "--" in given else len(given)
        self.args, self.rest = given[:place], given[place + 1 :]
        super().parse()

    def post_process_args(self, options: Any) -> Any:
        options = super().post_process_args(options)
        if self.rest and options.verb != "shell":
            raise AnsibleOptionsError(f"{options.verb} takes no command.")
        return options

    def run(self) -> int:
        self.parse()  # the loader of plugins is configured already: it has loaded this file
        arguments = context.CLIARGS
        if arguments["verb"] == "status":
            return watch(status_command(self.args), arguments["watch"])
        _ssh_password, become_password = self.ask_passwords()
        fleet = Fleet(self._play_prereqs(), str(become_password or ""))
        hosts = fleet.hosts(arguments["app"])
        if not hosts:
            raise AnsibleError(f"{arguments['app']} has no hosts in the inventory.")
        if arguments["verb"] == "shell":
            return shell(fleet, hosts, arguments["app"], arguments["host"], self.rest)
        return logs(fleet, hosts, arguments)


def status_command(args: list[str]) -> list[str]:
    """The playbook, with all options but those that only this program has."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--app")
    own.add_argument("--watch", nargs="?")
    verb = args.index("status")
    given, others = own.parse_known_args(args[verb + 1 :])
    app = ["-e", f"app={given.app}"] if given.app else []
    return [*STATUS_COMMAND, *args[1:verb], *others, *app]


def status(text: str) -> str:
    if text and not STATUS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text} is not a status: write 404 or 5xx")
    return text


def shell(fleet: Fleet, hosts: list[str], app: str, host: str | None, words: list[str]) -> int:
    """Becomes ssh: what a person types, signals and the exit code are those of the command."""
    if host is not None and host not in hosts:
        raise AnsibleError(f"{app} does not run on {host}; it runs on {', '.join(hosts)}.")
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    run = [APP_EXEC, app, f"/srv/{app}/current/bin/run", *(words or ["sh"])]
    made, given = fleet.command(host or hosts[0], shlex.join(run), terminal=terminal)
    if given:
        raise AnsibleError("sudo needs a password here: run this in a terminal, where it can ask.")
    sys.stdout.flush()
    os.execvp(made[0], made)


def logs(fleet: Fleet, hosts: list[str], arguments: Any) -> int:
    wanted = Wanted(*(arguments[key] for key in ("process", "level", "status", "release")))
    follow = "follow" if arguments["follow"] else "stop"
    remote = command(
        "_console.follower",
        [arguments["app"], str(max(0, arguments["lines"])), follow, LOGS, NGINX],
    )
    streams = Streams({host: fleet.command(host, remote) for host in hosts})
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    try:
        show(streams, hosts, wanted, colour=colour)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # as `| head` does it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        streams.stop()
    failed = {host: told for host, told in streams.ended.items() if told[0]}
    for host, (code, text) in failed.items():
        print(f"{host}: ssh ended with {code}: {text}", file=sys.stderr)
    return exit_code([code for code, _text in failed.values()])


def exit_code(failed: Collection[int]) -> int:
    """That of the program, by those of ssh for each host that failed."""
    if not failed:
        return 0
    return UNREACHABLE if NO_CONNECTION in failed else FAILED


def interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def show(streams: Streams, hosts: list[str], wanted: Wanted, *, colour: bool) -> None:
    readers, merged = {host: Reader(host) for host in hosts}, Merged()
    width, told = max(map(len, hosts)), set[str]()
    for found in streams.lines():
        if found is not None:
            entry = readers[found[0]].read(found[1], time.time())
            if entry and entry in wanted:
                merged.add(entry, time.monotonic())
            continue
        for entry in merged.due(time.monotonic()):
            print(shown(entry, width, colour=colour))
        sys.stdout.flush()
        for host in streams.ended.keys() - told:
            told.add(host)
            if streams.ended[host][0] and streams.streams:
                print(f"{host}: the connection ended; the other hosts go on", file=sys.stderr)
    for entry in merged.rest():
        print(shown(entry, width, colour=colour))


def watch(command: list[str], interval: float | None) -> int:
    """The playbook status, once or again and again in the same place."""
    environment = os.environ | {"ANSIBLE_STDOUT_CALLBACK": "twelvefactor.deploy.plain"}
    if interval is None:
        os.execvpe(command[0], command, environment)
    clear = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
    try:
        while True:
            done = subprocess.run(
                command,
                check=False,
                env=environment,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            print(f"{clear}{time.strftime('%H:%M:%S')}\n{done.stdout}{done.stderr}", flush=True)
            time.sleep(interval)
    except KeyboardInterrupt:
        return INTERRUPTED


def main(args: list[str] | None = None) -> None:
    Console.cli_executor(args)
