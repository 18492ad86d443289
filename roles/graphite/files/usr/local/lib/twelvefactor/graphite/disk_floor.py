# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""disk_floor.py DIRECTORY MEGABYTES BLACKLIST: have carbon drop all metrics while the disk is nearly full.

DIRECTORY is on the disk that carbon writes to. carbon drops the metrics whose name matches a pattern in
BLACKLIST, and reads that file again every 10 seconds. Not only new metrics use space: the files are sparse, and
those of known metrics grow, too.
"""

from __future__ import annotations

import os
import pathlib
import sys

EVERYTHING = ".\n"  # a regular expression for each line


def is_too_full(free: int, floor: int, was: bool) -> bool:
    """Whether metrics are to be dropped; ``was``: they are now. A quarter more ends it, lest it alternates."""
    return free < (floor + floor // 4 if was else floor)


def main(directory: str, megabytes: str, blacklist: str) -> None:
    path, floor = pathlib.Path(blacklist), int(megabytes) << 20
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize  # without what only root may use
    was = path.exists()
    if is_too_full(free, floor, was):
        if not was:
            part = path.with_suffix(".part")
            part.write_text(EVERYTHING)
            part.replace(path)
            print(
                f"{directory} has {free >> 20} MB left, less than {megabytes}: carbon drops all metrics"
            )
    elif was:
        path.unlink()
        print(f"{directory} has {free >> 20} MB left: carbon takes metrics again")


if __name__ == "__main__":
    main(*sys.argv[1:])
