# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of Munin: answers of nginx by the class of their status, of all sites together.

Counts the lines that were added to the access logs of the role nginx since it last looked, and what
a rotation has put aside meanwhile. Debian's nginx_request counts requests without their statuses.
"""

import json
import os
import pathlib
import re
import sys

LOGS = pathlib.Path(os.environ.get("LOGS", "/var/log/nginx"))
STATUS = re.compile(rb'"http\.response\.status_code":([1-5])')
CLASSES = {"2": "2xx", "3": "3xx", "4": "4xx", "5": "5xx"}


def count(path, start, counts):
    """Add the lines from ``start`` on; returns the end of the last line that is complete."""
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                break
            start += len(line)
            if found := STATUS.search(line):
                status = found[1].decode()
                counts[status] = counts.get(status, 0) + 1
    return start


def look(logs, before):
    """Counts since ever, and how far each log was read, by inode."""
    counts, ends = dict(before.get("counts", {})), {}
    known = before.get("ends", {})
    # a rotated log counts only if its beginning was counted before the rotation
    for path in sorted([*logs.glob("*access.log"), *logs.glob("*access.log.1")]):
        inode = str(path.stat().st_ino)
        if inode in known or path.suffix == ".log":
            start = known.get(inode, 0)
            start = start if start <= path.stat().st_size else 0
            ends[inode] = count(path, start, counts)
    return {"counts": counts, "ends": ends}


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "autoconf":
        print("yes" if os.access(LOGS, os.R_OK) else f"no ({LOGS} cannot be read)")
    elif command == "config":
        print("graph_title Nginx answers by status")
        print("graph_vlabel answers per ${graph_period}")
        print("graph_category nginx")
        print("graph_args --base 1000 -l 0")
        for name in CLASSES.values():
            print(
                f"s{name}.label {name}\ns{name}.type DERIVE\ns{name}.min 0\ns{name}.draw AREASTACK"
            )
        for limit in ("warning", "critical"):
            if os.environ.get(limit):
                print(f"s5xx.{limit} {os.environ[limit]}")
    else:
        state = pathlib.Path(os.environ["MUNIN_STATEFILE"])
        try:
            before = json.loads(state.read_text())
        except (OSError, ValueError):
            before = {}
        now = look(LOGS, before)
        new = state.with_name(f"{state.name}.new")
        new.write_text(json.dumps(now))
        new.replace(state)
        for status, name in CLASSES.items():
            print(f"s{name}.value {now['counts'].get(status, 0)}")


if __name__ == "__main__":
    main()
