# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages hold nothing that a terminal obeys, whoever wrote their parts."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Refused,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    Unreadable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import DevpiError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
    unchanged,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.files import LogError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import (
    RangeError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import NginxError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    DistributionError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    Unreachable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import SentryError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc d", "a\tb\nc d"),
        ("é\u00a0\u4e2d \U0001f469\u200d\U0001f4bb", "é\u00a0\u4e2d \U0001f469\u200d\U0001f4bb"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x9b2J", "\\x1b[2J\\x9b2J"),
        ("failed\rsucceeded", "failed\\rsucceeded"),
        ("\0\x7f", "\\x00\\x7f"),
        ("\u202eabc\u2066\u2028", "\\u202eabc\\u2066\\u2028"),
        ("\ud800\U000e0041", "\\ud800\\U000e0041"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "error",
    [
        DeployError,
        DevpiError,
        DistributionError,
        LogError,
        NginxError,
        RangeError,
        SentryError,
        Unreachable,
        Unreadable,
    ],
)
def test_every_error_that_becomes_a_message(error: type[Exception]) -> None:
    assert str(error("uv said:\n\x1b[2Jdone")) == "uv said:\n\\x1b[2Jdone"


def test_a_refused_lock_too() -> None:
    assert issubclass(Refused, DeployError)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("It is full.", "It is full. Nothing was changed."),
        (DeployError("uv said:\n  no"), "uv said:\n  no\nNothing was changed."),
        ("uv said:\n  no\n", "uv said:\n  no\nNothing was changed."),
    ],
)
def test_unchanged(error: object, message: str) -> None:
    assert unchanged(error) == message
