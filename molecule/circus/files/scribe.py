# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""While DIRECTORY/write exists, write numbered lines, each by itself, as fast as they are taken.

How many it were is then in DIRECTORY/written, and it waits for the next time.
"""

import os
import pathlib
import sys
import time

directory = pathlib.Path(sys.argv[1])
while True:
    count = 0
    while (directory / "write").exists():  # which is asked for every line: no faster than that
        os.write(1, b"line %d\n" % count)
        count += 1
    if count:
        (directory / "written.new").write_text(str(count))
        (directory / "written.new").rename(directory / "written")
    time.sleep(0.05)
