# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete the indices that are too old, once: ``python3 log_retention.py CONFIG``."""

from __future__ import annotations

import datetime
import json
import sys

from log_lines import expired
from log_receivers import Missing, Receiver, Refused, Unavailable


def main(path: str) -> int:
    with open(path) as file:
        config = json.load(file)
    receiver, prefix, days = Receiver(config), config["index"], config["days"]
    today = datetime.datetime.now(datetime.UTC).date()
    try:
        answer = receiver.demand("GET", f"/_cat/indices/{prefix}-*?format=json&h=index")
        for name in expired([entry["index"] for entry in json.loads(answer)], prefix, today, days):
            try:
                receiver.demand("DELETE", f"/{name}")
                print(f"deleted {name}, which is more than {days} days old")
            except Missing:
                pass  # another host was faster
    except (Unavailable, Refused, ValueError, TypeError, KeyError) as error:
        print(f"<3>cannot delete what is more than {days} days old: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
