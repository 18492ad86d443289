# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plain
type: stdout
short_description: Print only the output of a playbook
version_added: "0.1.0"
description:
  - Prints the messages of M(ansible.builtin.debug) as they are to standard output, and failures and
    unreachable hosts to standard error. No headings, no list of tasks, no recap.
  - Control characters other than newline and tab are shown, e.g. as C(\x1b), so that what a host or an
    app has written cannot act on the terminal.
  - With it the output of C(twelvefactor.deploy.status) and C(twelvefactor.deploy.run) can be read by
    another program, or sent to somebody.
author: twelvefactor.deploy contributors (@twelvefactor)
requirements:
  - Set it as the callback for standard output, as in C(ANSIBLE_STDOUT_CALLBACK=twelvefactor.deploy.plain).
"""

import json
import sys
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import printable

DEBUG = ("ansible.builtin.debug", "ansible.legacy.debug", "debug")


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core is not typed
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "twelvefactor.deploy.plain"

    def v2_runner_on_ok(self, result: Any) -> None:
        if not result.task.loop:
            self._say(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._say(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors and "results" not in result.result:
            self._complain(result, "failed")

    def v2_runner_item_on_failed(self, result: Any) -> None:
        if not result.task.ignore_errors:
            self._complain(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if not result.task.ignore_unreachable:
            self._complain(result, "unreachable")

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._display.display("no hosts matched", stderr=True)

    def _say(self, result: Any) -> None:
        if result.task.action not in DEBUG:
            return
        message = result.result.get("msg")
        lines = message if isinstance(message, list) else [message]
        # not by way of Ansible's display, which wraps and colours
        for line in lines:
            text = line if isinstance(line, str) else json.dumps(line)
            sys.stdout.write(f"{printable(text)}\n")
        sys.stdout.flush()

    def _complain(self, result: Any, what: str) -> None:
        host, message = result.host.get_name(), result.result.get("msg") or "no reason given"
        self._display.display(printable(f"{host}: {what}: {message}"), stderr=True)
