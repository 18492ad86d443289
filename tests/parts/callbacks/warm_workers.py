# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads once what each of Ansible's worker processes would load anew. Prints nothing.

A worker lives for one task on one host. It inherits what its parent has loaded, and the parent
loads hardly a plugin by itself. Frozen, what is inherited is not copied by the worker's collector of
garbage. Both took a sixth of the controller's CPU time from the second run of a role.
"""

from __future__ import annotations

import gc
import os
import pathlib
from typing import Any

import ansible_mitogen.affinity  # type: ignore[import-untyped]
from ansible.plugins import loader
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: warm_workers
type: aggregate
short_description: loads the plugins that workers need before they are forked
description:
  - Saves the time that each worker process takes to import the same plugins.
"""

PLUGINS = {
    loader.action_loader: (
        "assert", "command", "copy", "debug", "include_vars", "normal", "set_fact", "template",
        "validate_argument_spec",
    ),
    loader.become_loader: ("sudo",),
    loader.connection_loader: ("local", "ssh"),
    loader.lookup_loader: ("env", "file", "vars"),
    loader.shell_loader: ("sh",),
}  # fmt: skip


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "warm_workers"

    def __init__(self) -> None:
        super().__init__()
        # Mitogen pins the processes of each run, and all that they start, be it a test host or another run,
        # to the last cores: of two, one idles.
        if os.environ.get("ANSIBLE_STRATEGY", "").startswith("mitogen"):
            ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        for plugins, names in PLUGINS.items():
            for name in names:
                plugins.get(f"ansible.builtin.{name}", class_only=True)
        for plugins in (loader.filter_loader, loader.test_loader):
            for plugin in plugins.all():
                assert plugin
        for path in (pathlib.Path(__file__).parents[3] / "plugins" / "filter").glob("*.yml"):
            loader.filter_loader.get(f"twelvefactor.deploy.{path.stem}")
        gc.collect()
        gc.freeze()
