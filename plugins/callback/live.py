# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: live
type: stdout
short_description: Show the progress of a rollout, one line per host
version_added: "0.1.0"
description:
  - Shows how far each host of a deploy, rollback or change of the formation is, with the seconds of each
    phase. On a terminal the lines are redrawn in place; hosts that are equally far share a line when there
    are more hosts than rows. Without a terminal it prints lines that follow each other.
  - Phases are C(lock), C(install), C(migrate), C(hook), C(switch) and C(proven), which every process of
    the host and its nginx have proven. The seconds of C(gate), C(switch) and C(drain) within a switch
    are shown when the switch is over, and while it runs on a terminal, for up to 16 hosts at a time.
  - For that it runs C(ssh) once more per host, with the settings and the shared connection of Ansible,
    which reads the status of the app's processes as root. Where that does not work, as with a password
    for C(ssh) or C(become) that is asked for, only C(switch) is shown.
  - Prints what a command of the app such as its process type C(release) wrote when it has ended,
    with passwords in URLs masked. At the end, it prints what changed. A failure is printed once,
    as the last thing, with the hosts, the reason, the last lines that the app wrote, what serves now, and
    what to do.
  - In GitHub Actions the progress is a group and a failure an annotation, in GitLab CI the progress
    is a section.
  - Everything that is not part of a rollout, and all output with C(-v), looks as it does with
    P(ansible.builtin.default#callback). Of the playbooks C(twelvefactor.deploy.deploy), C(rollback)
    and C(scale) it leaves out the other tasks unless they fail.
  - Nothing that a host or an app has written can act on the terminal.
  - A run that is interrupted says what it was in the middle of and what to do.
  - Colours are those of a terminal unless E(NO_COLOR) or E(ANSIBLE_NOCOLOR) is set.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set it as the callback for standard output, as in C(stdout_callback = twelvefactor.deploy.live) in
    the section C([defaults]) of C(ansible.cfg).
"""

import atexit
import os
import pathlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible import context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils import color
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.lines import Service
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.model import (
    LOST,
    SWITCH,
    Outcome,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.render import PLAIN
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.results import (
    module_of,
    outcome_of,
    phase_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.terminal import (
    Above,
    Region,
    harmless,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.view import View
from ansible_collections.twelvefactor.deploy.plugins.plugin_utils.steps import Steps

COLLECTION = "twelvefactor.deploy"
PLAYBOOKS = ("deploy", "rollback", "scale")  # of which a rollout is all that matters


class CallbackModule(Default):  # type: ignore[misc]  # ansible-core is not typed
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "twelvefactor.deploy.live"

    def __init__(self) -> None:
        super().__init__()
        self._tasks: dict[str, tuple[bool, str]] = {}
        self._alone = False  # whether the playbook is one of PLAYBOOKS
        self._others: dict[str, list[str]] = {}
        self._view: View | None = None
        self._steps: Steps | None = None

    # --- the playbook

    def v2_playbook_on_start(self, playbook: Any) -> None:
        if self._display.verbosity == 0:
            self._view = self._take_terminal()
        path = pathlib.Path(playbook._file_name).resolve()
        ours = pathlib.Path(__file__).resolve().parents[2] / "playbooks"
        self._alone = bool(self._view) and path.parent == ours and path.stem in PLAYBOOKS
        if not self._alone:
            super().v2_playbook_on_start(playbook)
        elif self._view:
            self._view.begin(title_of(path.stem))

    def _take_terminal(self) -> View:
        terminal = sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
        colour = bool(color.ANSIBLE_COLOR) and not os.environ.get("NO_COLOR")
        service = Service.of(os.environ)
        region = (
            Region(sys.stdout.fileno(), colour=colour) if terminal and not service.name else None
        )
        out, err = (
            Above(sys.stdout, region),
            Above(sys.stderr, region if sys.stderr.isatty() else None),
        )
        raw = sys.stdout
        sys.stdout, sys.stderr = out, err
        view = View(
            out if region else raw,  # type: ignore[arg-type]  # a section of GitLab is a control sequence
            region,
            service,
            colour=colour,
            log=lambda text: self._display.display(text, log_only=True),
        )
        atexit.register(view.interrupted)
        view.check = bool(context.CLIARGS.get("check"))
        return view

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if not self._alone:
            self._leave()
            super().v2_playbook_on_play_start(play)
        self._play = play
        if self._view and self._view.region:
            self._watch(play)

    def _watch(self, play: Any) -> None:
        """Have the view ask for the steps of switches, where it can draw them."""
        if self._steps:
            self._steps.stop()
        try:
            self._steps = Steps(play)
        except Exception:  # noqa: BLE001 - without them it shows less
            self._steps = None
        if self._view:
            self._view.steps = self._steps.read if self._steps else dict

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self._steps:
            self._steps.stop()
        self._leave()
        if not self._alone:
            super().v2_playbook_on_stats(stats)
        if self._view:
            self._view.end(list(self._others.items()))

    def _leave(self) -> None:
        if self._view and not self._alone:
            self._view.finish()

    # --- tasks

    def _part(self, task: Any) -> tuple[bool, str]:
        """Whether a task is part of a rollout, and the task file of the role app that includes it."""
        if task._uuid not in self._tasks:
            self._tasks[task._uuid] = part_of(task)
        return self._tasks[task._uuid]

    def _hidden(self, task: Any) -> bool:
        return bool(self._view) and (self._alone or self._part(task)[0])

    def _phase(self, task: Any) -> str:
        return phase_of(task.resolved_action or task.action, task.args or {}, self._part(task)[1])

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        if self._hidden(task):
            return
        self._leave()
        super()._task_start(task, prefix=prefix)

    def _print_task_banner(self, task: Any) -> None:
        if not self._hidden(task):
            super()._print_task_banner(task)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if not self._hidden(task):
            super().v2_runner_on_start(host, task)
        elif self._view and self._part(task)[0]:
            phase, app = self._phase(task), app_of(task)
            self._view.started(host.get_name(), phase, app)
            if phase == SWITCH and self._steps and not task.check_mode:
                with self._view.quiet():
                    self._steps.begin(host.get_name(), app)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if not (self._view and (self._alone or self._view.run)):
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_notify(self, handler: Any, host: Any) -> None:
        if not self._alone:
            super().v2_playbook_on_notify(handler, host)

    # --- results

    def v2_runner_on_ok(self, result: Any) -> None:
        if not self._hidden(result.task):
            super().v2_runner_on_ok(result)
            return
        self._handle_warnings_and_exception(result)
        if module_of(result.task.action) == "debug":
            self._debug(result)
        else:
            self._outcome(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not self._hidden(result.task):
            super().v2_runner_on_failed(result, ignore_errors)
        elif not ignore_errors:
            self._outcome(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if not self._hidden(result.task):
            super().v2_runner_on_unreachable(result)
            return
        message = str(result.result.get("msg") or "unreachable")
        name = result.host.get_name()
        self._ended(name)
        if self._view and self._part(result.task)[0]:
            self._view.finished(name, Outcome(state=LOST, problem=message))
        elif not result.task.ignore_unreachable:
            self._remember(name, f"cannot be reached: {message}")

    def v2_runner_on_skipped(self, result: Any) -> None:
        if not self._hidden(result.task):
            super().v2_runner_on_skipped(result)
        elif self._view and self._part(result.task)[0]:
            self._ended(result.host.get_name())
            self._view.skipped(result.host.get_name())

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if not self._hidden(result.task):
            super().v2_runner_item_on_ok(result)
        elif module_of(result.task.action) == "debug":
            self._debug(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        if not self._hidden(result.task):
            super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        if not self._hidden(result.task):
            super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result: Any) -> None:
        if not self._hidden(result.task):
            super().v2_runner_retry(result)

    def v2_on_file_diff(self, result: Any) -> None:
        if not self._hidden(result.task):
            super().v2_on_file_diff(result)
            return
        found = result.result.get("diff")
        if self._view and found and result.result.get("changed"):
            text = self._get_diff(found)
            if text:
                self._view.differs(result.host.get_name(), harmless(text))

    def _outcome(self, result: Any, *, failed: bool) -> None:
        """Takes what a hidden task came to into the view."""
        task, told, name = result.task, result.result, result.host.get_name()
        self._ended(name)
        action = task.resolved_action or task.action
        if not self._view:
            return
        if not self._part(task)[0]:
            if failed:
                self._remember(name, message_of(told))
        elif failed and module_of(action) == "fail":
            self._view.judged(message_of(told))
        else:
            outcome = outcome_of(action, self._phase(task), told, failed=failed)
            self._view.finished(name, replace(outcome, rescued=failed and is_rescued(task)))

    def _ended(self, host: str) -> None:
        if self._steps and self._view:
            with self._view.quiet():
                self._steps.end(host)

    def _remember(self, host: str, text: str) -> None:
        self._others.setdefault(text, []).append(host)

    def _debug(self, result: Any) -> None:
        message = result.result.get("msg")
        if self._view and message is not None and "results" not in result.result:
            lines = message if isinstance(message, list) else str(message).splitlines()
            self._view.say([(PLAIN, str(line)) for line in lines])


def is_rescued(task: Any) -> bool:
    """Whether the role goes on when a task fails."""
    node = task
    while node is not None and not getattr(node, "rescue", None):
        node = getattr(node, "_parent", None)
    return node is not None


def message_of(result: Mapping[str, Any]) -> str:
    """Why a task failed; of a loop, why its items did."""
    items = [item for item in result.get("results", []) if item.get("failed")]
    return "\n".join(dict.fromkeys(str(each.get("msg") or "failed") for each in items or [result]))


def app_of(task: Any) -> str:
    """The app of a rollout, where a variable of the task says so without being an expression."""
    app = str(task.get_vars().get("rollout_app", ""))
    return extra_vars().get("app", "") if "{{" in app or not app else app


def extra_vars() -> dict[str, str]:
    """Those of the form KEY=VALUE on the command line."""
    given: dict[str, str] = {}
    for text in context.CLIARGS.get("extra_vars") or ():
        words = str(text).split()
        given |= dict(word.split("=", 1) for word in words if "=" in word and word[0] not in "{[@")
    return given


def title_of(playbook: str) -> str:
    """``deploy of shop 1.5.0``, as far as the command line says so."""
    given = extra_vars()
    rest = " ".join(given[key] for key in ("app", "version", "release") if key in given)
    return f"{playbook} of {rest}" if rest else playbook


def part_of(task: Any) -> tuple[bool, str]:
    """Whether a task comes from the role rollout, by way of others or not; the task file of the role app."""
    inside, file, node = False, "", task
    while node is not None:
        role = getattr(node, "_role", None)
        name = f"{role._role_collection}.{role._role_name}" if role else ""
        included = getattr(node, "_from_files", None)
        if included and str(getattr(node, "_role_name", "")).endswith("app"):
            # the outermost: a command is included by the file that says what it is for
            file = pathlib.PurePath(included.get("tasks", "main")).stem
        inside = inside or name == f"{COLLECTION}.rollout"
        node = getattr(node, "_parent", None)
    return inside, file
