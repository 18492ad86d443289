# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static files under names that hold a hash of their content, so that browsers keep them forever.

The names are made at boot from the files themselves: no build step and no manifest that could
disagree with what is in the wheel.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from flask import Blueprint, Response, abort, request

DIGEST_LENGTH = 12
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, held in memory: there are few and they are small."""

    content: bytes
    digest: str
    media_type: str


def load() -> dict[str, Asset]:
    """Read every file of the package's `static` folder, by its plain name."""
    return {
        item.name: Asset(
            content := item.read_bytes(),
            sha256(content).hexdigest()[:DIGEST_LENGTH],
            mimetypes.guess_type(item.name)[0] or "application/octet-stream",
        )
        for item in files("guestbook").joinpath("static").iterdir()
        if item.is_file()
    }


def blueprint(assets: dict[str, Asset]) -> Blueprint:
    """Serve `/static/<stem>.<digest>.<suffix>` and give templates `asset_url(name)`."""
    pages = Blueprint("assets", __name__)

    @pages.app_template_global()
    def asset_url(name: str) -> str:
        stem, suffix = name.rsplit(".", 1)
        return f"/static/{stem}.{assets[name].digest}.{suffix}"

    @pages.get("/static/<stem>.<digest>.<suffix>")
    def asset(stem: str, digest: str, suffix: str) -> Response:
        found = assets.get(f"{stem}.{suffix}")
        if found is None:
            abort(404)
        response = Response(found.content, mimetype=found.media_type)
        response.set_etag(found.digest)
        # While a release rolls out, a page of one release may fetch its style from a host that
        # runs the other. It gets what there is, and keeps it only if it is what it asked for.
        response.headers["Cache-Control"] = FOREVER if digest == found.digest else "no-cache"
        response.make_conditional(request)
        return response

    return pages
