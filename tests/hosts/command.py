# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program with a deadline, and say in one sentence what it answered when it fails."""

from __future__ import annotations

import subprocess

from .errors import HostsError


def run(*argv: str, deadline: float = 120) -> str:
    """The standard output of `argv`; HostsError when it fails or takes over `deadline` seconds."""
    code, out, err = attempt(*argv, deadline=deadline)
    if code:
        words = " | ".join(err.strip().splitlines()[-5:]) or f"exit code {code}"
        raise HostsError(f"`{' '.join(argv[:3])} ...` failed: {words}")
    return out


def attempt(*argv: str, deadline: float = 120) -> tuple[int, str, str]:
    """Exit code, output and errors of `argv`, for the callers to whom failing is an answer."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=deadline, check=False)
    except FileNotFoundError:
        raise HostsError(f"{argv[0]} is not installed: run `make host-tools`") from None
    except subprocess.TimeoutExpired:
        raise HostsError(f"`{' '.join(argv[:3])} ...` took over {deadline:.0f} s") from None
    return done.returncode, done.stdout, done.stderr
