# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks and hosts of an Ansible inventory, for people who type `fab`.

ansible.cfg or ANSIBLE_INVENTORY names the inventory, and nothing of it is repeated here.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import invoke
from fabric import Connection, task
from invoke.exceptions import AuthFailure, Exit
from paramiko import RejectPolicy, SSHException

# --- playbooks ------------------------------------------------------------------------------------


@task
def publish(c, app):
    """Build an app and upload it to the index."""
    call(playbook("publish", app=app))


@task
def deploy(c, app="", version=""):
    """Deploy all apps, or one, in the inventory's version or another."""
    call(playbook("deploy", app=app, version=version))


@task
def rollback(c, app, steps="", release=""):
    """Go back to the last good release, several back, or to a given one."""
    call(playbook("rollback", app=app, steps=steps, release=release))


@task
def status(c, app=""):
    """Show what every host serves."""
    call(playbook("status", app=app))


def playbook(name: str, **variables: str) -> list[str]:
    given = {key: value for key, value in variables.items() if value}
    words = ["ansible-playbook", f"twelvefactor.deploy.{name}"]
    return [*words, "--extra-vars", json.dumps(given)] if given else words


# --- the program twelvefactor ---------------------------------------------------------------------


@task
def logs(c, app, follow=False, process="", level=""):
    """Show the last lines of an app's logs, of all hosts; --follow goes on until Ctrl-C."""
    words = ["twelvefactor", "logs", *(["--follow"] if follow else [])]
    words += [f"--process={process}"] if process else []
    words += [f"--level={level}"] if level else []
    call([*words, app])


@task
def shell(c, app, on="", command=""):
    """Open a shell, or run a command, with an app's config in its sandbox."""
    words = ["twelvefactor", "shell", app, *([on] if on else [])]
    call([*words, "--", "sh", "-c", command] if command else words)


# --- commands of your own -------------------------------------------------------------------------


@task
def run(c, command, app, sudo=False):
    """Run a command on the hosts of an app, as the inventory's user or as root."""
    failed = []
    for host in hosts_of(inventory(), app):
        print(f"== {host.name}", flush=True)
        try:
            with host.connect(c.config) as connection:
                start = connection.sudo if sudo else connection.run
                ended = start(command, warn=True, in_stream=False).exited
        except AuthFailure:
            ended = "sudo needs a password: fab --prompt-for-sudo-password run ..."
        except (OSError, SSHException) as error:
            ended = f"no connection: {error}"
        if ended:
            failed.append(f"{host.name} ({ended})")
    if failed:
        raise Exit(f"The command failed on {', '.join(failed)}.", code=1)


@task
def local(c, command):
    """Run a command on this machine."""
    ended = invoke.run(command, warn=True, in_stream=False).exited
    if ended:
        raise Exit(f"The command failed with exit code {ended}.", code=ended)


# --- the inventory --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Host:
    """A host of the inventory, and how Ansible connects to it."""

    name: str
    address: str
    user: str | None = None
    port: int | None = None
    key: str | None = None
    known_hosts: str | None = None
    sudo_password: str | None = None

    def connect(self, config: Any) -> Connection:
        config = config.clone()
        if self.sudo_password and not config.sudo.password:
            config.sudo.password = self.sudo_password
        connect = {"key_filename": self.key} if self.key else {}
        made = Connection(
            self.address, self.user, self.port, config, connect_timeout=30, connect_kwargs=connect
        )
        # as ssh does it; Fabric would believe any host
        made.client.set_missing_host_key_policy(RejectPolicy())
        made.client.load_system_host_keys(self.known_hosts)
        return made


def inventory() -> dict[str, Any]:
    done = call(["ansible-inventory", "--list"], stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done)
    return found


def hosts_of(inventory: Mapping[str, Any], app: str) -> list[Host]:
    """The hosts of an app, from what `ansible-inventory --list` prints."""
    variables = inventory["_meta"]["hostvars"]
    # as in the playbooks, any host of the group knows all apps
    apps = next(
        (
            variables[name]["apps"]
            for name in members(inventory, "app")
            if "apps" in variables.get(name, {})
        ),
        {},
    )
    if not isinstance(apps, dict):
        raise Exit("apps is a template, which only Ansible can read.")
    if app not in apps:
        raise Exit(f"The inventory has no app {app}; it has {', '.join(apps) or 'none'}.")
    place = apps[app].get("hosts", "app")
    names = dict.fromkeys(members(inventory, place)) or ([place] if place in variables else [])
    if not names:
        raise Exit(f"The inventory has no hosts for {app}: there is no group or host {place}.")
    return [host_of(name, variables.get(name, {})) for name in names]


def members(inventory: Mapping[str, Any], group: str) -> Iterator[str]:
    found = inventory.get(group, {})
    yield from found.get("hosts", [])
    for child in found.get("children", []):
        yield from members(inventory, child)


def host_of(name: str, variables: Mapping[str, Any]) -> Host:
    def value(*names: str) -> str | None:
        given = next((variables[each] for each in names if each in variables), None)
        if isinstance(given, Mapping) or "{{" in str(given):
            if names[0] == "ansible_become_password":  # from a vault: Fabric can ask for it
                return None
            raise Exit(
                f"{names[0]} of {name} is a template or a vault, which only Ansible can read."
            )
        return None if given is None else str(given)

    options = " ".join(value(f"ansible_ssh_{each}_args") or "" for each in ("common", "extra"))
    known_hosts = re.search(r"UserKnownHostsFile[= ]\s*(\S+)", options)
    port = value("ansible_port", "ansible_ssh_port")
    return Host(
        name=name,
        address=value("ansible_host", "ansible_ssh_host") or name,
        user=value("ansible_user", "ansible_ssh_user"),
        port=int(port) if port else None,
        key=value("ansible_ssh_private_key_file", "ansible_private_key_file"),
        known_hosts=known_hosts[1] if known_hosts else None,
        sudo_password=value("ansible_become_password", "ansible_become_pass"),
    )


def call(words: list[str], stdout: int | None = None) -> str:
    """A program that says by itself what went wrong; its exit code becomes fab's."""
    try:
        done = subprocess.run(words, check=False, stdout=stdout, text=True)
    except FileNotFoundError:
        raise Exit(f"There is no {words[0]} on PATH.", code=1) from None
    if done.returncode:
        raise Exit(f"{words[0]} failed with exit code {done.returncode}.", code=done.returncode)
    return done.stdout or ""
