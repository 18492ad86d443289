# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI application, configured by the environment."""

from __future__ import annotations

import os

from .settings import Settings
from .web import create_app

app = create_app(Settings.from_environment(os.environ))
