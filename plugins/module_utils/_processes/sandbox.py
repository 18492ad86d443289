# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program as an app's user in the sandbox of the app's unit."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run

# The role circus installs it (roles/circus/files/app_exec.py). A process of the app's user outside of a
# sandbox would be a way out of the app's own.
APP_EXEC = ("/usr/local/sbin/app-exec",)


def unit_prefix(app: str) -> str:
    """How the names of the units begin that get the sandbox, as app_exec.py has it."""
    return "app-exec-" + app.replace("-", r"\x2d") + "-"


def bridge_unit(app: str) -> str:
    """What serves while the unit of the app is restarted."""
    return f"{unit_prefix(app)}bridge.service"


def run_in_sandbox(app: str, command: Sequence[str], what: str, timeout: float) -> tuple[int, str]:
    """Exit code and output of a program that runs as ``app``; ``what`` and ``timeout`` are those of ``run``.

    After ``timeout`` seconds the program may go on without anybody who listens, so it needs a limit of its
    own. Raises DeployError as ``run`` does, also when the output is longer than ANSWER.
    """
    remedy = "run the role circus for the app first"
    return run([*APP_EXEC, app, *command], what, timeout, remedy=remedy, whole=ANSWER)
