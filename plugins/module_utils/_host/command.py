# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one program to its end, with a deadline, maybe as another user."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

BASE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Identity:
    """Whom a program runs as; whoever is not root already cannot become anybody else."""

    uid: int
    gid: int


def run(
    command: Sequence[str],
    what: str,
    timeout: float,
    identity: Identity | None = None,
    environment: Mapping[str, str] | None = None,
    directory: pathlib.Path | None = None,
    remedy: str = "",
    umask: int = 0o027,
) -> tuple[int, str]:
    """Exit code and output (stdout and stderr together) of a program.

    ``what`` completes "Could not …". Raises DeployError when the program cannot be run, which
    ``remedy`` may explain, or has not ended after ``timeout`` seconds. Then the programs that it
    started in turn are ended too. Nor does it outlive a caller that is killed: whoever comes next
    would find it still writing.
    """
    switch = identity if os.geteuid() == 0 else None
    # looked up here: little is allowed between fork and exec
    prctl = ctypes.CDLL(None).prctl

    def die_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            command,
            env=BASE | dict(environment or {}),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            umask=umask,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # it makes one system call
            user=switch.uid if switch else None,
            group=switch.gid if switch else None,
            extra_groups=[] if switch else None,
        )
    except FileNotFoundError as error:
        hint = f"; {remedy}" if remedy else ""
        raise DeployError(
            f"Could not {what}: {error.filename} is missing on this host{hint}."
        ) from None
    except OSError as error:
        raise DeployError(f"Could not {what}: {command[0]}: {error.strerror}.") from None
    with process:
        try:
            output, _none = process.communicate(timeout=timeout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise DeployError(
                    f"Could not {what}: {command[0]} had not ended after {timeout:g} s."
                ) from None
            raise
    return process.returncode, output
