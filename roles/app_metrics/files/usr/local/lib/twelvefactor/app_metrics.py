# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the program that the link ``app_metrics`` beside this file names. It is resolved once."""

from __future__ import annotations

import importlib
import os
import sys

sys.dont_write_bytecode = True  # munin runs it, too
place, name = os.path.split(
    os.path.realpath(os.path.join(os.path.dirname(__file__), "app_metrics"))
)
sys.path.append(place)
program = importlib.import_module(f"{name}.__main__")

if __name__ == "__main__":
    sys.exit(program.main())
