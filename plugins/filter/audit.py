# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all hosts of a fleet say for an audit of their apps, for playbooks/audit.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.fleet import (
    document,
    findings,
    table,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"audit_document": document, "audit_findings": findings, "audit_table": table}
