# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that is killed in the middle of its work, at whatever step a test wants."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.testing import patch_module_args

# Audit events of what a module changes a host by.
STEPS = frozenset(
    {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.chown", "subprocess.Popen"}
)


def start(main: Callable[[], None], params: Mapping[str, Any], step: int = 0) -> int:
    """Run a module in a process of its own, which is killed before its ``step``-th step; its pid.

    With ``step`` 0 it runs to its end. See `ended` for how it ended.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        seen = 0

        def count(event: str, _arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event in STEPS:
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        if step:
            sys.addaudithook(count)
        arguments = {**params, "_ansible_check_mode": False, "_ansible_diff": True}
        with patch_module_args(arguments):
            main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Exit code of a process, waited for; the number of the signal that killed it is negative."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
