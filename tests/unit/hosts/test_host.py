# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hosts import host
from hosts.errors import HostsError


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("app1=debian12", host.Host("app1", "debian12", ())),
        ("app1=debian12:", host.Host("app1", "debian12", ())),
        ("app1=debian13:app,proxy", host.Host("app1", "debian13", ("app", "proxy"))),
    ],
)
def test_spec(spec: str, expected: host.Host) -> None:
    assert host.parse(spec) == expected


@pytest.mark.parametrize(
    "spec", ["", "app1", "app1=", "=debian12", "App 1=debian12", "a_b=debian12"]
)
def test_bad_spec_is_named_in_one_sentence(spec: str) -> None:
    with pytest.raises(HostsError, match="is no host: write name=image") as caught:
        host.parse(spec)
    assert repr(spec) in str(caught.value)
