# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the processes of a user that are not of its unit, or that an attempt has left: left.py USER."""

from __future__ import annotations

import pathlib
import pwd
import sys

app = sys.argv[1]
uid, left = pwd.getpwnam(app).pw_uid, []
for path in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        if path.stat().st_uid != uid:
            continue
        command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        if f"circus@{app}.service" not in (path / "cgroup").read_text() or "attempts.py" in command:
            left.append(f"{path.name} {command}")
    except (FileNotFoundError, ProcessLookupError):
        continue
print("\n".join(left))
sys.exit(bool(left))
