# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the pivot that this host has now; watchers of every version of the collection name this file.

The program is the directory that the link ``pivot`` beside this file names. The link is resolved once, so
that a start during an upgrade does not mix two versions. All modules are imported here and none later:
the directory may be removed while the program runs.
"""

from __future__ import annotations

import importlib
import os
import sys

sys.dont_write_bytecode = True  # not even where root runs it
place, name = os.path.split(os.path.realpath(os.path.join(os.path.dirname(__file__), "pivot")))
sys.path.append(place)
program = importlib.import_module(f"{name}.__main__")

if __name__ == "__main__":
    sys.exit(program.main())
