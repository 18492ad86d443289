# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules are given to find a server by, understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.client import Receiver
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.dialects import (
    Dialect,
    dialect_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import (
    Dsn,
    SentryError,
    check_url,
    read_dsn,
)

# What every module takes, documented in doc_fragments/sentry.py.
CONNECTION: dict[str, dict[str, Any]] = {
    "dsn": {"type": "str", "required": True, "no_log": True},
    "api": {"type": "str", "choices": ["bugsink", "sentry"], "default": "bugsink"},
    "url": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "organization": {"type": "str"},
    "project": {"type": "str"},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 10},
}


@dataclass(frozen=True)
class Connection:
    """What the modules are given, understood."""

    dsn: Dsn
    dialect: Dialect
    receiver: Receiver  # for what needs the token
    ingest: Receiver  # where the DSN says


def connection_from(params: Mapping[str, Any]) -> Connection:
    """Raises SentryError when the parameters make no sense."""
    dsn = read_dsn(params["dsn"])
    if params["timeout"] < 1:
        raise SentryError("The timeout must be at least one second.")
    common = {
        "secrets": (dsn.key,),
        "ca_path": params["ca_path"],
        "timeout": params["timeout"],
    }
    return Connection(
        dsn,
        dialect_from(params, dsn),
        Receiver(check_url(params["url"] or dsn.url), params["token"], **common),
        Receiver(dsn.url, **common),
    )
