# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of how to go back from a change under way: whole or not there, whenever a run or the host dies."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    sync_directory,
    write_synced,
)

RECORD = "undo.json"


class Undo:
    """A directory `undo` in one that only root can enter. Found at the start of a run, an earlier one was interrupted.

    What is in it is for its user to know: a record, and the files that are to come back.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self.path = directory / "undo"

    def exists(self) -> bool:
        return self.path.exists()

    def read(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.path / RECORD).read_text("utf-8"))
        return record

    @contextlib.contextmanager
    def written(self, record: Mapping[str, Any]) -> Iterator[pathlib.Path]:
        """Fill the directory that this gives, and the record: at the end it is all there at once.

        The files in it have to be on the disk by then. The record is read at the end: what it holds
        may be added to meanwhile.
        """
        unready = self._directory / "undo.unready"
        _remove(unready)
        unready.mkdir(mode=0o700)
        yield unready
        write_synced(unready / RECORD, json.dumps(record).encode())
        sync_directory(unready)
        unready.rename(self.path)
        sync_directory(self._directory)

    def forget(self) -> None:
        """What it would undo, or has undone, stays."""
        if self.exists():
            # Renamed first: half of a record must never be found by the next run.
            done = self._directory / "undo.done"
            _remove(done)
            self.path.rename(done)
            # A record that comes back with a power cut would undo what stays, at the next boot.
            sync_directory(self._directory)
            shutil.rmtree(done)


def _remove(directory: pathlib.Path) -> None:
    """What an interrupted run has left."""
    if directory.exists():
        shutil.rmtree(directory)
