# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write numbered lines as fast as it goes and notice when the file was moved away.

At the end (TERM) the number of lines is left in writer.count beside the log.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TextIO


class Writer:
    def __init__(self, log: Path) -> None:
        self.log = log
        self.going = True
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_: object) -> None:
        self.going = False

    def moved(self, stream: TextIO) -> bool:
        try:
            return self.log.stat().st_ino != os.fstat(stream.fileno()).st_ino
        except FileNotFoundError:
            return True

    def write(self) -> int:
        count = 0
        stream = self.log.open("a")
        while self.going:
            if self.moved(stream):
                stream.close()
                stream = self.log.open("a")
            stream.write(f"{count}\n")
            stream.flush()
            count += 1
        stream.close()
        return count


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.with_name("writer.count").write_text(str(Writer(path).write()))
