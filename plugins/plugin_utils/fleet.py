# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of the program twelvefactor: which hosts an app has, and how ssh reaches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.inventory.host import Host
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader, get_shell_plugin
from ansible.template import Templar
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    hosts_of,
    setting,
)


class Fleet:
    """``prerequisites``: loader, inventory and variable manager, as a program of Ansible makes them.

    ``become_password``: the one that was given for all hosts, by -K or a file.
    """

    def __init__(self, prerequisites: Sequence[Any], become_password: str = "") -> None:
        self.loader, self.inventory, self.manager = prerequisites
        self.become_password = become_password
        self.known: dict[str, Host] = {host.name: host for host in self.inventory.get_hosts()}
        if not self.known:
            raise AnsibleError("The inventory has no hosts; give it with -i or in ansible.cfg.")

    def hosts(self, app: str) -> list[str]:
        """The hosts of an app, in the order of the inventory. Raises AnsibleError for an unknown app."""
        groups = {
            name: [h.name for h in group.get_hosts()]
            for name, group in self.inventory.groups.items()
        }
        first = next(iter(groups.get("app") or self.known))
        variables = self.variables(first)
        apps = variables.get("apps") or {}
        if app not in apps:
            raise AnsibleError(
                f"The inventory has no app {app}; it has {', '.join(apps) or 'none'}."
            )
        templar = Templar(loader=self.loader, variables=variables)
        place = templar.template(setting(apps[app], "hosts", app))
        return [name for name in hosts_of(place, groups) if name in self.known]

    def variables(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.manager.get_vars(host=self.known[name])
        return found

    def command(
        self, name: str, remote: str, *, terminal: bool = False
    ) -> tuple[list[bytes], bytes]:
        """The call of ssh that runs a command as Ansible would, and what it reads first.

        With a terminal sudo asks for its password there, else it gets the one that Ansible has.
        """
        variables = self.variables(name)
        templar = Templar(loader=self.loader, variables=variables)
        kind = templar.template(variables.get("ansible_connection", constants.DEFAULT_TRANSPORT))
        remote, given = self.as_root(remote, variables, templar, terminal=terminal)
        if kind == "local":
            return [b"/bin/sh", b"-c", remote.encode()], given
        if kind not in ("ssh", "ansible.builtin.ssh", "smart"):
            raise AnsibleError(f"{name}: the connection is {kind}, and this program uses ssh only.")
        connection = connection_loader.get("ansible.builtin.ssh", PlayContext())
        options = chosen("connection", connection, variables, templar)
        connection.set_options(
            task_keys={"timeout": context.CLIARGS.get("timeout") or constants.DEFAULT_TIMEOUT},
            var_options={"inventory_hostname": name, **options},
        )
        if connection.get_option("password"):
            raise AnsibleError(f"{name}: ssh has to log in without a password here; use a key.")
        connection.host = connection.get_option("host") or name
        program = connection.get_option("ssh_executable")
        flags = ["-tt"] if terminal else ["-T"]
        command = connection._build_command(program, "ssh", *flags, connection.host, remote)
        return command, given

    def as_root(
        self, remote: str, variables: Mapping[str, Any], templar: Any, *, terminal: bool
    ) -> tuple[str, bytes]:
        wished = variables.get(
            "ansible_become", context.CLIARGS.get("become") or constants.DEFAULT_BECOME
        )
        if not templar.template(wished):
            return remote, b""
        method = templar.template(
            variables.get("ansible_become_method", context.CLIARGS.get("become_method") or "sudo")
        )
        become = become_loader.get(str(method))
        if become is None:
            raise AnsibleError(f"There is no become plugin {method}.")
        options = chosen("become", become, variables, templar)
        # with a terminal sudo is to ask for itself
        direct = (
            {"become_flags": "-H", "become_pass": None} if terminal and method == "sudo" else None
        )
        keys = {"become_user": "root"}
        if self.become_password:
            keys["become_pass"] = self.become_password
        become.set_options(task_keys=keys, var_options=options, direct=direct)
        shell = get_shell_plugin(executable=constants.DEFAULT_EXECUTABLE)
        text: str = become.build_become_command(remote, shell)
        # what only Ansible wants to read
        text = text.replace(f"{shell.ECHO} {become.success} {shell.COMMAND_SEP} ", "")
        password = None if terminal else become.get_option("become_pass")
        return text, f"{password}\n".encode() if password else b""


def chosen(kind: str, plugin: Any, variables: Mapping[str, Any], templar: Any) -> dict[str, Any]:
    """The variables that are options of a plugin, with their values."""
    names = constants.config.get_plugin_vars(kind, plugin._load_name)
    return {name: templar.template(variables[name]) for name in names if name in variables}
