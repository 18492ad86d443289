# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a build."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class BuildRequest:
    """The options of the module build, by their names; see there."""

    source: pathlib.Path
    output: pathlib.Path
    version: str | None
    require_commit: bool
    command: str | None
    command_timeout: int
    environment: Mapping[str, str] = field(repr=False)  # may hold secrets
    build_requirements: str
    requirements: str | None
    procfile: str
    pythons: Sequence[str]
    platforms: Sequence[str]
    index_url: str | None = field(repr=False)  # may hold a password
    ca_path: str | None
    quarantine: int
    quarantine_exempt: Sequence[str]
    upload_times_url: str | None
    allowed_files: Sequence[str]
    tools: pathlib.Path | None
    uv: str | None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> BuildRequest:
        given = {each.name: params[each.name] for each in fields(cls)} | {
            "source": pathlib.Path(params["source"]).resolve(),
            "output": pathlib.Path(params["output"]),
            "environment": {key: str(value) for key, value in params["environment"].items()},
            "tools": pathlib.Path(params["tools"]) if params["tools"] else None,
        }
        return cls(**given)
