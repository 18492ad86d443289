# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are old enough to be in a lock."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.quarantine import (
    Aged,
    Uploaded,
    hold_back,
    parse_upload_times,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_upload_times() -> None:
    page = {
        "files": [
            {
                "filename": "a-1.whl",
                "hashes": {"sha256": A.upper()},
                "upload-time": "2026-03-04T05:06:08.5Z",
            },
            {"filename": "a-2.whl", "hashes": {"sha256": B}},
            {"filename": "a-3.whl", "hashes": {}, "upload-time": "2026-03-04T05:06:08Z"},
        ]
    }
    assert parse_upload_times(page) == {A: Uploaded("a-1.whl", 1_772_600_768.5)}
    assert parse_upload_times({}) == {}


PIN = Pin("flask", "3.1", (A, B))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param(
            {A: Uploaded("f.whl", 10), B: Uploaded("f.tar.gz", 10)}, Aged((PIN,), (), ()), id="old"
        ),
        pytest.param(
            {A: Uploaded("f.whl", 11), B: Uploaded("f.tar.gz", 11)}, Aged((), (PIN,), ()), id="new"
        ),
        pytest.param(
            {A: Uploaded("f.whl", 9), B: Uploaded("f-win.whl", 11)},
            Aged((Pin("flask", "3.1", (A,)),), (), ()),
            id="a-new-file-of-an-old-version",
        ),
        pytest.param(
            {A: Uploaded("f.whl", 11), B: Uploaded("f.tar.gz", 9)},
            Aged((), (PIN,), ()),
            id="only-the-source-is-old",
        ),
        pytest.param(
            {A: Uploaded("f.whl", 9)},
            Aged((Pin("flask", "3.1", (A,)),), (), ()),
            id="one-file-unknown",
        ),
        pytest.param({C: Uploaded("f.whl", 9)}, Aged((), (), ("flask",)), id="other-files"),
        pytest.param({}, Aged((), (), ("flask",)), id="no-times"),
        pytest.param(None, Aged((PIN,), (), ()), id="our-own"),
    ],
)
def test_quarantine(times: dict[str, Uploaded] | None, expected: Aged) -> None:
    assert hold_back([PIN], {"flask": times}, 10) == expected


def test_exempt_from_quarantine() -> None:
    assert hold_back([PIN], {}, 10, ["Flask"]) == Aged((PIN,), (), ())
