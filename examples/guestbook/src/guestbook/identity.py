# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build this is and which process answers: what a deploy is verified by."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from importlib.metadata import version


@dataclass(frozen=True, slots=True)
class Identity:
    """Version of the distribution, id of the release, process and host."""

    version: str
    release: str
    pid: int
    host: str

    def as_dict(self) -> dict[str, str | int]:
        return asdict(self)


# Read once: the files behind the metadata belong to a release that may be pruned one day.
VERSION = version("guestbook")


def identify(release_id: str) -> Identity:
    """Describe the calling process. Not cached: a worker is forked after the app is imported."""
    return Identity(VERSION, release_id, os.getpid(), socket.gethostname())
