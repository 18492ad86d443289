# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin of devpi-server: who may read an index, as its setting ``acl_read``.

devpi has the permission ``pkg_read`` and asks a plugin who has it; without one, everybody has. It
looks at it where files are fetched. Pages that name them are covered by the web server in front,
which asks ``/+authcheck`` about every request.
"""

from __future__ import annotations

from typing import Any

from devpi_server.model import ACLList
from pluggy import HookimplMarker

hookimpl = HookimplMarker("devpiserver")

EVERYBODY = ":ANONYMOUS:"


@hookimpl
def devpiserver_indexconfig_defaults(index_type: str) -> dict[str, Any]:
    return {"acl_read": ACLList([EVERYBODY])}


@hookimpl
def devpiserver_stage_get_principals_for_pkg_read(ixconfig: Any) -> list[str]:
    return [*ixconfig.get("acl_read", [EVERYBODY]), *ixconfig.get("acl_upload", [])]


@hookimpl
def devpiserver_authcheck_unauthorized(request: Any) -> bool | None:
    """Whether the web server is to ask for a login first. None: no objection."""
    context = request.context
    stage = getattr(context, "_stage", None)
    if stage is None:
        return None
    return None if request.has_permission("pkg_read") else True
