# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app of this scenario, that takes uploads, too: PUT /upload/DIRECTORY/NAME, and GET /paper/NAME for private ones."""

import os
import pathlib

import radicale

HOME = pathlib.Path(os.environ["HOME"])


def application(environ, start_response):
    kind, _slash, name = environ["PATH_INFO"].strip("/").partition("/")
    headers = [("Content-Length", "0")]
    if kind == "upload" and environ["REQUEST_METHOD"] == "PUT":
        path = HOME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(environ["wsgi.input"].read())
        start_response("201 Created", headers)
        return [b""]
    if kind == "paper":
        headers += [
            ("X-Accel-Redirect", f"/internal/papers/{name}"),
            ("Content-Type", "text/html"),
            # as frameworks do
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response("200 OK", headers)
        return [b""]
    return radicale.application(environ, start_response)
