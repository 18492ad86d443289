# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what its template says."""

import importlib.resources


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [importlib.resources.files(__name__).joinpath("templates/hello.txt").read_bytes()]
