# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of the role log_shipping, imported as they lie on a host."""

from __future__ import annotations

import pathlib
import sys

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "log_shipping"
sys.path.insert(0, str(ROLE / "files/usr/local/lib/twelvefactor/log_shipping"))
