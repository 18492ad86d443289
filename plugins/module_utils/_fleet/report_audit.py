# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve factors of an app, as the page about its fleet shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import line

GRADES = {"ok": "good", "finding": "bad"}

Factors = Sequence[Mapping[str, Any]]  # of an app, as the document of the audit has them


def factor_rows(factors: Factors) -> list[dict[str, Any]]:
    return [
        {
            "number": each["number"],
            "factor": each["factor"],
            "verdict": each["verdict"],
            "grade": GRADES.get(each["verdict"], "note"),
            "evidence": line(each["evidence"]),
            "remedy": line(each["remedy"]),
        }
        for each in factors
    ]
