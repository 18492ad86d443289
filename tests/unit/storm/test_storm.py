# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations and faults at random: whatever comes together, one more deploy makes everything equal.

``STORM=200`` runs so many seeds instead of the short set, ``STORM=17-30`` those. A seed that failed is kept in SEEDS.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Iterator

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock
from unit.pivot.harness import Site, subreaper
from unit.storm.host import Host
from unit.storm.runs import FAULTS, plan, storm
from unit.storm.runs import OPERATIONS as EVERY

OPERATIONS = 6
SEEDS = [1, 36, 55]


def seeds() -> list[int]:
    chosen = os.environ.get("STORM", "")
    first, dash, last = chosen.partition("-")
    if dash:
        return list(range(int(first), int(last) + 1))
    return list(range(1, int(first) + 1)) if first else SEEDS


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[Site]:
    run_dir = pathlib.Path(tempfile.mkdtemp(prefix="storm-"))
    root = tmp_path / "srv" / "shop"
    (root / "releases").mkdir(parents=True)
    with subreaper(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(flock, "FLOCKS", tmp_path / "lib" / "flocks")
        patch.setattr(fence, "PATIENCE", 0.2)
        yield Site(root, run_dir, tmp_path)


def test_the_short_set_has_every_operation_and_every_victim() -> None:
    chosen = [pair for seed in SEEDS for pair in plan(seed, OPERATIONS)]
    assert {operation for operation, _fault in chosen} == set(EVERY)
    assert {fault.victim for _operation, fault in chosen} >= {victim for victim, _how in FAULTS}


@pytest.mark.parametrize("seed", seeds())
def test_storm(seed: int, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(site, seed)
    monkeypatch.setattr(fence, "LockFile", lambda _app: host.lock)
    try:
        storm(host, OPERATIONS)
    finally:
        host.close()
