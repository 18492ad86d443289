# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about a fleet, for playbooks/report.yml."""

from __future__ import annotations

import base64
import hashlib
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report import page

TEMPLATES = pathlib.Path(__file__).parents[2] / "playbooks" / "templates"


def report_page(
    found: Mapping[str, Any], title: str = "Fleet report", now: float | None = None
) -> str:
    """The documents of status, logs, proxies and audit as one page of HTML that needs nothing else.

    Whatever comes from hosts is escaped, and a browser is told to run no script and to load nothing.
    """
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "report.css").read_text()
    told = page(found, title, time.time() if now is None else now)
    # the one style sheet that the page's policy lets in
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = environment.get_template("report.html.j2")
    return template.render(page=told, style=style, style_hash=digest)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"report_page": report_page}
