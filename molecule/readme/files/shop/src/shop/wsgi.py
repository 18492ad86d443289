# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers with the version that serves."""

import importlib.metadata
import os

VERSION = importlib.metadata.version("shop")


def application(environ, start_response):
    healthy = os.environ["ALLOWED_HOSTS"] in environ["HTTP_HOST"]
    if environ["PATH_INFO"] == "/healthz":
        healthy = healthy and len(os.environ["SECRET_KEY"]) == 64
    start_response("200 OK" if healthy else "400 Bad Request", [("Content-Type", "text/plain")])
    return [f"shop {VERSION}\n".encode()]
