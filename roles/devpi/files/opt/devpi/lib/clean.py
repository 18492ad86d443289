# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""clean.py FILES NEEDED LIMIT MIRROR...: keep mirrored files below LIMIT bytes in all.

Those that have not been read for the longest time go first; what refresh.py lists as needed stays,
whatever the limit. devpi fetches a file that has gone from upstream again when it is asked for.
Packages of the company are no mirror's, so they are never touched.
"""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    path: str  # below +files
    size: int  # bytes on disk
    used: float  # when it was last read or written


def superfluous(files: Iterable[File], needed: frozenset[str], limit: int) -> list[File]:
    """What has to go, the longest unused first, so that the rest is within the limit."""
    known = list(files)
    excess = sum(file.size for file in known) - limit
    gone = []
    for file in sorted(known, key=lambda file: (file.used, file.path)):
        if excess <= 0:
            break
        if file.path not in needed:
            gone.append(file)
            excess -= file.size
    return gone


def found(root: pathlib.Path, mirror: str) -> Iterator[File]:
    for folder, _folders, names in os.walk(root / mirror / "+f"):
        for name in names:
            path = pathlib.Path(folder, name)
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # renamed meanwhile, by a download that came to its end
            # Debian mounts with relatime: the time of reading is right to a day.
            used = max(status.st_atime, status.st_mtime)
            yield File(str(path.relative_to(root)), status.st_blocks * 512, used)


def main(files: str, needed: str, limit: str, *mirrors: str) -> None:
    root, listed = pathlib.Path(files), pathlib.Path(needed)
    spared = frozenset(listed.read_text().splitlines()) if listed.exists() else frozenset()
    everything = [file for mirror in mirrors for file in found(root, mirror)]
    gone = superfluous(everything, spared, int(limit))
    for file in gone:
        (root / file.path).unlink(missing_ok=True)
    size = sum(file.size for file in everything)
    freed = sum(file.size for file in gone)
    if gone:
        print(
            f"clean: {len(everything)} mirrored files of {size >> 20} MiB, limit {int(limit) >> 20} MiB: "
            f"{len(gone)} of {freed >> 20} MiB removed"
        )
    if size - freed > int(limit):
        sys.exit("clean: what is needed is larger than the limit: raise devpi_mirror_megabytes.")


if __name__ == "__main__":
    main(*sys.argv[1:])
