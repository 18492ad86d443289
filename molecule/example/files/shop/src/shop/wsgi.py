# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers with the version that serves, and with what was built for it."""

import importlib.metadata
import importlib.resources

VERSION = importlib.metadata.version("shop")
ASSETS = importlib.resources.files("shop").joinpath("assets.txt").read_text()


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"shop {VERSION}, {ASSETS}".encode()]
