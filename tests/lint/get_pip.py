# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-test runs to get pip into its virtualenvs, in place of a script from the network.

Python carries a pip of its own; that one installs the version which ansible-test asks for.
"""

from __future__ import annotations

import subprocess
import sys

# Options of the script this stands in for, which pip does not know.
FOREIGN = ("--no-setuptools", "--no-wheel")

subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run(
    [sys.executable, "-m", "pip", "install", *(a for a in sys.argv[1:] if a not in FOREIGN)],
    check=True,
)
