# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin of Munin: how many units of systemd have failed, and which. A backup or a renewal fails in silence.

failed_units.py [config|autoconf]
"""

import os
import subprocess
import sys

LISTED = 10  # units that an alert names


def failed():
    """Names of the units; None when systemd does not say."""
    command = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--full"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return sorted(line.split()[0] for line in done.stdout.splitlines() if line.strip())


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "autoconf":
        print("no (systemd does not answer)" if failed() is None else "yes")
    elif command == "config":
        print("graph_title Failed units\ngraph_vlabel units\ngraph_category system")
        print("graph_args --base 1000 -l 0\nfailed.label failed")
        for limit in ("warning", "critical"):
            if os.environ.get(limit):
                print(f"failed.{limit} {os.environ[limit]}")
    else:
        units = failed()
        print(f"failed.value {'U' if units is None else len(units)}")
        if units:
            more = f" and {len(units) - LISTED} more" if len(units) > LISTED else ""
            print(f"failed.extinfo {' '.join(units[:LISTED])}{more}")


if __name__ == "__main__":
    main()
