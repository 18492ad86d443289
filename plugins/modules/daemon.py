#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories, files and units of one daemon as one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: daemon
short_description: Change a daemon's files and units as one transaction
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Puts the directories, files, links and systemd units of one daemon into place and makes the daemon use
    them, or leaves everything as it was.
  - Each changed file is first validated by its program's own checker, in a copy of all files of the
    daemon, and the units by C(systemd-analyze verify). If one is invalid, nothing is changed on the host.
  - Then the files are renamed into place, systemd reads its units again where one changed, units are
    enabled, and each is started, reloaded or restarted, whichever the changed files call for. A
    restart supersedes a reload. Where nothing changed and everything runs, nothing is done.
  - The module returns when the daemon is verified to work, see O(proof). If it does not work, the files,
    their owners and modes, the enablement of the units and what ran before are restored, and the
    module fails with the reason.
  - A daemon owns its files, links, directories and units. One that is no longer listed is
    removed, and none can belong to two daemons. An existing file at a listed path is taken over.
  - A run that is interrupted is undone by the next one, which then does its own work.
requirements:
  - systemd 252 or newer on the host.
  - The module has to run as root.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
    description:
      - Files are checked in check mode, too. Where a checker or a program is not installed yet, a
        warning says so. Users and groups need not exist.
      - Whether the daemon would work is not known in check mode, because it is not started.
  diff_mode:
    support: full
    description:
      - The content of files that are O(files[].secret) or not world-readable is not shown.
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  name:
    description:
      - Name of the daemon, of letters, digits, V(-), V(_) and V(.). The module records under this name what the
        daemon owns.
    type: str
    required: true
  directories:
    description:
      - Directories that the daemon needs, those above others first.
      - One that is no longer listed is removed when nothing is left in it.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: str
        required: true
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      mode:
        description: Permissions, octal and in quotes, whatever the umask is.
        type: str
        default: "0755"
  files:
    description:
      - Files of the daemon, except for those in O(units).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. The directory above it has to exist or to be in O(directories).
        type: str
        required: true
      content:
        description: The whole content.
        type: str
        default: ""
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      mode:
        description: Permissions, octal and in quotes, whatever the umask is.
        type: str
        default: "0644"
      secret:
        description:
          - Whether to hide the content in diffs and errors, and with it the output of the checker and the
            daemon.
        type: bool
        default: false
      check:
        description:
          - Command that validates the file, a program and its arguments. V(%s) stands for the file in
            the staged copy. It runs as root, and its exit code is 0 if the file is valid.
        type: list
        elements: str
        default: []
      on_change:
        description:
          - What to do with the daemon's units when the file has changed.
          - A unit that cannot be reloaded is restarted.
        type: str
        choices: [restart, reload, nothing]
        default: restart
      affects:
        description:
          - Units that O(files[].on_change) is meant for. Only of those, one that is V(unmanaged) and
            runs is restarted or reloaded, too.
          - Without it, all services that are to be V(started).
        type: list
        elements: str
        default: []
  links:
    description:
      - Symbolic links that the daemon reads, such as those by which a program enables its plugins.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Absolute path of the link. The directory above it has to exist or to be in O(directories).
          - A file or a directory at this path is not replaced.
        type: str
        required: true
      target:
        description: What the link leads to. It need not exist.
        type: str
        required: true
      on_change:
        description: As O(files[].on_change).
        type: str
        choices: [restart, reload, nothing]
        default: restart
      affects:
        description: As O(files[].affects).
        type: list
        elements: str
        default: []
  units:
    description:
      - Units of the daemon, in the order in which they are started.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name with its kind, as V(shop.service), V(shop.socket), V(shop.timer), V(shop.path) or
            V(run-shop.mount). It may be an instance such as V(shop@eu.service), or, if V(unmanaged), a template.
        type: str
        required: true
      content:
        description:
          - Content of the unit's file in C(/etc/systemd/system). Without it, the unit is that of a
            package or of a template.
        type: str
      dropins:
        description:
          - Files of the directory C(<name>.d), from a name that ends in C(.conf) to the content.
        type: dict
        default: {}
      state:
        description:
          - V(started) is for what runs all the time, timers, sockets and paths included. When the
            file of such a unit changes, it is restarted, so that a new schedule counts.
          - V(stopped) keeps it from running.
          - V(unmanaged) is for units that are started by a timer, a socket or others, and for templates. When
            the file of such a unit changes, the timer or the socket of the same name is restarted, of a
            template those of its instances.
        type: str
        choices: [started, stopped, unmanaged]
        default: started
      enabled:
        description:
          - Whether it is started at boot. Without it, one that is V(started) is, one that is
            V(stopped) is not, and of one that is V(unmanaged) nothing is changed.
        type: bool
  proof:
    description:
      - How to verify that the daemon works, when a unit was started, reloaded or restarted.
    type: dict
    suboptions:
      active_seconds:
        description:
          - Seconds that the units must be active without having been restarted by systemd.
        type: int
        default: 3
      listens:
        description:
          - Where processes of any of the units must listen, as V(tcp:8126), V(tcp:127.0.0.1:8126),
            V(udp:[::1]:8125) or V(unix:/run/shop.sock). What another process has does not count.
        type: list
        elements: str
        default: []
      command:
        description:
          - Command that must end with 0, a program and its arguments. It runs as root, and is tried
            until O(proof.timeout).
        type: list
        elements: str
        default: []
      timeout:
        description:
          - Seconds that the proof may take. Without it, O(timeout).
          - It is for a daemon whose start may take long, for example because it changes a database
            first, so that one that does not work is nevertheless put back soon.
        type: int
  timeout:
    description:
      - Seconds that each action of systemd, and then the proof, may take.
    type: int
    default: 120
  state:
    description:
      - V(present) makes the daemon consist of exactly what is listed.
      - V(absent) stops and disables its units and removes its files and, where they are then empty,
        its directories. What is listed is removed even if this module has not made it.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: twelvefactor.deploy.nginx_config
  - name: systemd-analyze
    description: What C(systemd-analyze verify) finds.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd-analyze.html
"""

EXAMPLES = r"""
- name: Run a service that reads a configuration file
  twelvefactor.deploy.daemon:
    name: statsd
    directories:
      - path: /etc/statsd
    files:
      - path: /etc/statsd/config.js
        content: "{{ lookup('ansible.builtin.template', 'config.js.j2') }}"
        check: [node, --check, "%s"]
    units:
      - name: statsd.service
        content: "{{ lookup('ansible.builtin.template', 'statsd.service.j2') }}"
    proof:
      listens: ["tcp:127.0.0.1:8126"]

- name: Keep a password that the daemon reads again by itself
  twelvefactor.deploy.daemon:
    name: shipper
    files:
      - path: /etc/shipper.password
        content: "{{ vault_shipper_password }}"
        owner: shipper
        mode: "0400"
        secret: true
        on_change: nothing
    units:
      - name: shipper.service
        content: "{{ lookup('ansible.builtin.template', 'shipper.service.j2') }}"

- name: Enable a plugin by its link
  twelvefactor.deploy.daemon:
    name: munin-node
    links:
      - path: /etc/munin/plugins/cpu
        target: /usr/share/munin/plugins/cpu
    units:
      - name: munin-node.service

- name: Run a job by a timer
  twelvefactor.deploy.daemon:
    name: cleanup
    units:
      - name: cleanup.service
        content: "{{ lookup('ansible.builtin.file', 'cleanup.service') }}"
        state: unmanaged
      - name: cleanup.timer
        content: "{{ lookup('ansible.builtin.file', 'cleanup.timer') }}"

- name: Remove it
  twelvefactor.deploy.daemon:
    name: cleanup
    state: absent
"""

RETURN = r"""
changes:
  description: Files, links and directories that were changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Absolute path.
      returned: success
      type: str
      sample: /etc/statsd/config.js
    action:
      description: V(created), V(updated) or V(removed).
      returned: success
      type: str
      sample: updated
  sample:
    - path: /etc/statsd/config.js
      action: updated
units:
  description: What was done with each unit, or would be in check mode. Templates are not among them.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the unit.
      returned: success
      type: str
      sample: statsd.service
    action:
      description: V(nothing), V(start), V(reload), V(restart) or V(stop).
      returned: success
      type: str
      sample: restart
    enablement:
      description: V(enable), V(reenable) or V(disable). Empty if it stays as it is.
      returned: success
      type: str
      sample: enable
  sample:
    - name: statsd.service
      action: restart
      enablement: ""
proven:
  description:
    - Whether a unit was started, reloaded or restarted, and was then seen to work. Always V(false)
      in check mode.
  returned: success
  type: bool
  sample: true
recovered:
  description: Whether an earlier run had been interrupted, and was undone before this one began.
  returned: success
  type: bool
  sample: false
"""

from pathlib import Path
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import diff
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.proof import Prover
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.request import (
    make_proof,
    make_request,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.store import Store
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.transaction import (
    Outcome,
    Transaction,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.unit import Systemd
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule

UNITS = "/etc/systemd/system"
STATE = Path("/var/lib/twelvefactor/daemons")

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "path": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}
EFFECTS: dict[str, dict[str, Any]] = {
    "on_change": {
        "type": "str",
        "choices": ["restart", "reload", "nothing"],
        "default": "restart",
    },
    "affects": {"type": "list", "elements": "str", "default": []},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "directories": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {**ATTRIBUTES, "mode": {"type": "str", "default": "0755"}},
    },
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        # some of them are secret
        "no_log": True,
        "options": {
            **ATTRIBUTES,
            "mode": {"type": "str", "default": "0644"},
            "content": {"type": "str", "default": ""},
            "secret": {"type": "bool", "default": False, "no_log": False},
            "check": {"type": "list", "elements": "str", "default": []},
            **EFFECTS,
        },
    },
    "links": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "target": {"type": "str", "required": True},
            **EFFECTS,
        },
    },
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "content": {"type": "str"},
            "dropins": {"type": "dict", "default": {}},
            "state": {
                "type": "str",
                "choices": ["started", "stopped", "unmanaged"],
                "default": "started",
            },
            "enabled": {"type": "bool"},
        },
    },
    "proof": {
        "type": "dict",
        "options": {
            "active_seconds": {"type": "int", "default": 3},
            "listens": {"type": "list", "elements": "str", "default": []},
            "command": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int"},
        },
    },
    "timeout": {"type": "int", "default": 120},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def to_result(outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        "changes": [{"path": c.path, "action": c.action} for c in outcome.plan.changes],
        "units": [
            {"name": step.unit, "action": step.action, "enablement": step.enablement}
            for step in outcome.plan.steps
        ],
        "proven": outcome.proven,
        "recovered": outcome.recovered,
    }


def main() -> None:
    module = SecretSafeModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.take_params()
    try:
        request = make_request(params, UNITS, check=module.check_mode)
        proof = make_proof(params["proof"], params["timeout"])
        systemd = Systemd(params["timeout"])
        prover = Prover(systemd, proof, quiet=request.has_secrets)
        transaction = Transaction(Store(STATE, request.name), systemd, prover, params["timeout"])
        outcome = transaction.apply(request, check=module.check_mode)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        place = error.filename or params["name"]
        module.fail_json(
            msg=f"Could not change the daemon {params['name']!r}: {place}: {error.strerror}."
        )
    for warning in outcome.warnings:
        module.warn(warning)
    result = to_result(outcome)
    if module._diff:  # the documented flag of AnsibleModule, in spite of its name
        result["diff"] = diff(outcome.plan.changes)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
