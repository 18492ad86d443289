# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status file of a pivot: how it is written, and read by the others."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import stat
from typing import Any

from .contract import LARGEST_STATUS, MOVE, STATUS, STATUS_LATER
from .output import Output
from .removal import remove

# What is read of the other pivots' status files. The directory belongs to the app, which may have
# put anything there: nothing of that may stop a move, or a start.
TOLD_KEYS = ("instance", "pid", "state", "hups", "counter", "restarts", "replacements")
TOLD = {key: STATUS[key] for key in TOLD_KEYS} | {"move": STATUS_LATER["move"]}
TOLD_OF_MOVE = {key: MOVE[key] for key in ("hups", "to", "outcome", "proven", "ended")}


class StatusFile:
    """Where a pivot writes what has become of it."""

    def __init__(self, path: str, output: Output) -> None:
        self.path = path
        self._output = output
        self._complained = False

    def write(self, document: dict[str, Any]) -> None:
        """Replace it at once. That this fails (full disk) is no reason to stop serving."""
        fresh = f"{self.path}.new"
        try:
            # The app may have put a FIFO there, which would be opened for ever.
            remove(fresh)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
            with os.fdopen(handle, "w") as file:
                json.dump(document, file)
            try:
                os.replace(fresh, self.path)
            except IsADirectoryError:
                # Nor may that keep deploys from learning what this pivot does.
                remove(self.path)
                os.replace(fresh, self.path)
            self._complained = False
        except OSError as error:
            remove(fresh)
            if not self._complained:
                self._output.say(f"cannot write {self.path}: {error.strerror}")
            self._complained = True


def typed(document: Any, model: dict[str, tuple[type | None, ...]]) -> dict[str, Any]:
    """What ``document`` has of the keys of ``model``. Raises ValueError for another type."""
    if not isinstance(document, dict):
        raise ValueError("no object")  # noqa: TRY004 - one for all that no pivot wrote
    found = {key: document[key] for key in model if key in document}
    for key, value in found.items():
        endless = isinstance(value, int | float) and not 0 <= value < 1 << 53
        if (None if value is None else type(value)) not in model[key] or endless:
            raise ValueError(f"{key} is {type(value).__name__}")
    return found


def read_status(path: str | pathlib.Path) -> dict[str, Any]:
    """What a pivot wrote into its status file; nothing where no pivot wrote it."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                told = typed(json.loads(file.read(LARGEST_STATUS)), TOLD)
                return told | {"move": typed(told.get("move") or {}, TOLD_OF_MOVE)}
    return {}
