# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an inventory for one app, as texts. Pure.

Lines that only people can complete end in a comment that begins with EDIT. Texts of the repository
get here only through the patterns that the guesses were found by: Ansible evaluates what it loads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.environment import (
    EnvironmentValue,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.guess import (
    APPS,
    UNKNOWN_VERSION,
    App,
    Wishes,
    vault_name,
)

HOSTS, CONFIG, IGNORED = "hosts.yml", "ansible.cfg", ".gitignore"
MAIN = "group_vars/all/main.yml"
VAULT, VAULT_FORM = "group_vars/all/vault.yml", "vault.example.yml"
PLACEHOLDER = "server1.example.org"
# The secrets never lie on the disk unencrypted, each has a value of its own, and those of a vault that exists are kept.
# Without backslashes and double quotes, which Ansible shows as JSON has them.
FILL_VAULT = (
    f"test ! -e {VAULT} && grep -v '^#' {VAULT_FORM} | perl -pe 's/RANDOM/qx(openssl rand -hex 32)/e'"
    f" | ansible-vault encrypt --output {VAULT}"
)
EDIT_VAULT = f"ansible-vault edit {VAULT}"

_CONFIG = """\
[defaults]
inventory = hosts.yml
{collections}callback_result_format = yaml
# Instead of --ask-vault-pass in each command:
# vault_password_file = .vault-password
# The progress of a deploy, one line per host:
# stdout_callback = twelvefactor.deploy.live

[ssh_connection]
# half the time of a run
pipelining = true
# A host that is gone in the middle of a task is noticed after a minute, not when TCP gives up.
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=10 -o ServerAliveCountMax=6
"""
_IGNORED = """\
/.vault-password
/.venv/
/build/
/collections/
"""
_MAIN = """\
---
# For all hosts. The user to log in as, where it is not yours: ansible_user: …
ansible_become: true

# --- the package index, which is reached by the name of its host
index_url: "https://{{ groups.index[0] }}"
index_domains: ["{{ groups.index[0] }}"]
index_name: company/prod
# The index makes its own certificate; this is its CA, relative to the inventory. The playbook index
# writes the file, publish reads it.
index_ca_file: index-ca.pem
index_publisher: {user: company, password: "{{ vault_index_password }}"}
devpi_root_password: "{{ vault_devpi_root_password }}"
devpi_secret: "{{ vault_devpi_secret }}"
devpi_users: [{name: company, password: "{{ vault_index_password }}"}]
devpi_indexes: [{name: company/prod, bases: [root/pypi], acl_upload: [company]}]
"""
_INDEX_SECRETS = ("vault_index_password", "vault_devpi_root_password", "vault_devpi_secret")


def make_files(app: App, wishes: Wishes, collections: str) -> dict[str, str]:
    """Texts by their paths. ``collections``: where this collection is, below the directory; or nothing."""
    return {
        CONFIG: _CONFIG.format(
            collections=f"collections_path = {collections}\n" if collections else ""
        ),
        IGNORED: _IGNORED,
        HOSTS: _hosts(wishes),
        MAIN: _MAIN,
        APPS: _apps(app, wishes),
        VAULT_FORM: _vault_form(app),
    }


def to_edit(files: Mapping[str, str]) -> list[str]:
    """``hosts.yml:8: what to write`` for each line that only people can complete."""
    return [
        f"{path}:{number}: {line.partition('# EDIT: ')[2]}"
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if "# EDIT: " in line and path != VAULT_FORM
    ]


def quoted(text: str) -> str:
    """A text as YAML reads it back, whatever is in it."""
    plain = re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./-]*", text) and not re.fullmatch(
        r"(?i)y|n|yes|no|on|off|true|false|null|\.inf|\.nan|\.+", text
    )
    return text if plain else json.dumps(text)


def _hosts(wishes: Wishes) -> str:
    hosts = wishes.hosts or (PLACEHOLDER,)
    index = wishes.index or hosts[0]
    groups: list[tuple[str, str, Sequence[str]]] = [
        ("index", "the package index", (index,)),
        ("app", "runs the apps; more hosts share the load", hosts),
    ]
    if wishes.proxies:
        groups.append(("proxy", "TLS and load balancing for the world", wishes.proxies))
    lines = [
        "---",
        "# Hosts reach each other, and are reached over SSH, by these names. Where a name has no DNS record:",
        "#   app1.example.org: {ansible_host: 192.0.2.11}",
        "all:",
        "  children:",
    ]
    for group, meaning, names in groups:
        lines += [f"    # {meaning}", f"    {group}:", "      hosts:"]
        lines += [_host(name) for name in names]
    if not wishes.proxies:
        lines += [
            "    # With several app hosts: load balancers, which the domains of the apps lead to"
        ]
        lines += ["    # proxy:", "    #   hosts:", "    #     www.example.org:"]
    return "".join(f"{line}\n" for line in lines)


def _host(name: str) -> str:
    edit = "  # EDIT: the name of your host" if name == PLACEHOLDER else ""
    return f"        {name}:{edit}"


def _apps(app: App, wishes: Wishes) -> str:
    lines = ["---", "apps:", f"  {quoted(app.name)}:"]
    lines += _version(app)
    if app.distribution != app.name:
        lines += [f"    package: {quoted(app.distribution)}"]
    lines += [f"    source: {quoted(wishes.source)}"]
    if app.processes.has_site:
        lines += _site(app, wishes)
    lines += _formation(app)
    if app.environment:
        # without any value it would be null
        has_values = any(each.kind != "optional" for each in app.environment)
        lines += ["    env:" if has_values else "    # env:"]
        lines += [_variable(app, each, wishes) for each in app.environment]
    return "".join(f"{line}\n" for line in lines)


def _version(app: App) -> list[str]:
    if app.project.version:
        return [f"    # {app.project.version_reason}", f'    version: "{app.project.version}"']
    return [f'    version: "{UNKNOWN_VERSION}"  # EDIT: the version; {app.project.version_reason}']


def _site(app: App, wishes: Wishes) -> list[str]:
    edit = "" if wishes.domain else "  # EDIT: the names that users reach the app by"
    lines = [f"    domains: [{app.domain}]{edit}"]
    if app.health:
        path, place = quoted(app.health.route), f"{app.health.path}:{app.health.line}"
        if not app.health_is_whole:
            return [
                *lines,
                f"    health_path: {path}  # EDIT: with the prefix of its router; {place}",
            ]
        reason = f"a path that responds with 2xx when the app works; {place}"
        return [*lines, f"    # {reason}", f"    health_path: {path}"]
    return [*lines, "    health_path: /  # EDIT: a path that responds with 2xx when the app works"]


def _formation(app: App) -> list[str]:
    formation = app.processes.formation or {"web": 1}
    counts = ", ".join(f"{quoted(kind)}: {count}" for kind, count in formation.items())
    lines = [
        "    # how many processes of each type in the Procfile",
        f"    formation: {{{counts}}}",
    ]
    if app.processes.alone:
        lines += ["    process_options:"]
        for kind in app.processes.alone:
            lines += ["      # never two at a time, not even during a deploy"]
            lines += [f"      {quoted(kind)}: {{overlap: false}}"]
    return lines


def _variable(app: App, each: EnvironmentValue, wishes: Wishes) -> str:
    if each.kind == "optional":
        return f"      # {each.name}: …  # optional, {each.reason}"
    if each.kind == "unknown":
        return f'      {each.name}: ""  # EDIT: {each.reason} reads it'
    if each.kind == "secret":
        return f'      {each.name}: "{{{{ {vault_name(app.name, each.name)} }}}}"  # {each.reason}'
    is_open = not wishes.domain and app.domain in each.value
    reason = f"EDIT: the domain, read in {each.reason}" if is_open else each.reason
    return f"      {each.name}: {quoted(each.value)}  # {reason}"


def _vault_form(app: App) -> str:
    secrets = {**dict.fromkeys(_INDEX_SECRETS, "RANDOM"), **app.vault}
    lines = [
        "# The secrets that group_vars name. This file is a form without any: Ansible does not read it.",
        "# This command writes them to an encrypted file, with random values for RANDOM:",
        "#",
        f"#   {FILL_VAULT}",
    ]
    if "EDIT" in secrets.values():
        lines += ["#", "# and this one lets you replace EDIT by what only you know:", "#"]
        lines += [f"#   {EDIT_VAULT}"]
    lines += [f"{name}: {word}" for name, word in secrets.items()]
    return "".join(f"{line}\n" for line in lines)
