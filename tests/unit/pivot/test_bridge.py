# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second pivot of an instance serves while the first one is stopped and started."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from unit.pivot.harness import Pivot, Site, ask, wait_for


@pytest.fixture
def bridged(site: Site) -> Iterator[tuple[Pivot, Pivot]]:
    """A pivot that serves, and its bridge, which is ready."""
    main = site.start(site.release("r1"))
    bridge = site.launch(bridge=True)
    bridge.until_state("serving")
    yield main, bridge
    if bridge.process.poll() is None:
        assert bridge.term() == 0
    # the unit does so
    assert {path.suffix for path in (site.run_dir / "bridge").iterdir()} <= {".json", ".lock"}
    shutil.rmtree(site.run_dir / "bridge")


def inode(pivot: Pivot) -> int:
    return pivot.link.stat().st_ino


def own(pivot: Pivot) -> int:
    """The inode of the socket that its process listens on."""
    (path,) = pivot.file.parent.glob("web-1.*.sock")
    return path.stat().st_ino


def test_no_request_fails_while_the_pivot_is_started_again(
    site: Site, bridged: tuple[Pivot, Pivot]
) -> None:
    main, bridge = bridged
    with site.load(close=2, keep=2) as result:
        result.more()
        assert inode(main) == own(main)
        assert main.term() == 0
        assert inode(main) == own(bridge)
        result.more()
        again = site.start()
        assert inode(again) == own(again)
        assert bridge.term() == 0
        assert inode(again) == own(again)
        result.more()
    assert (result["failed"], result["errors"]) == (0, {})


def test_requests_under_way_end_where_they_began(site: Site, bridged: tuple[Pivot, Pivot]) -> None:
    """Before the process is told to end: not every server lets them."""
    main, bridge = bridged
    journal, end = site.flag("journal"), site.flag("end")
    site.release("r1", env={"JOURNAL": journal, "SLOW_UNTIL": end})
    main.move()
    with site.load(slow=1, once=1) as result:
        wait_for(lambda: journal.exists() and "slow" in journal.read_text(), "a slow request")
        main.process.terminate()
        main.until_state("stopping")
        wait_for(lambda: inode(main) == own(bridge), "the name for the bridge")
        assert "term" not in journal.read_text()
        assert ask(main.link).startswith("r1 ")
        end.touch()
        assert main.wait() == 0
    assert (result["slow"], result["failed"]) == (1, 0)


def test_the_bridge_has_the_name_where_the_process_dies_again(
    site: Site, bridged: tuple[Pivot, Pivot]
) -> None:
    main, bridge = bridged
    assert main.term() == 0
    site.release("r1", env={"DIE_WHEN": site.flag("die")})
    again = site.start()
    assert inode(again) == own(again)
    site.flag("die").touch()
    assert again.wait() == 7
    assert inode(again) == own(bridge)
    assert ask(again.link).startswith("r1 ")


def test_the_bridge_keeps_the_name_where_nothing_comes_back(
    site: Site, bridged: tuple[Pivot, Pivot]
) -> None:
    main, bridge = bridged
    assert main.term() == 0
    site.release("r1", "exit 3")
    again = site.launch()
    assert again.wait() == 1
    assert inode(again) == own(bridge)


def test_another_process_of_the_bridge_has_the_name_after_one(
    site: Site, bridged: tuple[Pivot, Pivot]
) -> None:
    """As when it hangs, or is told to move."""
    main, bridge = bridged
    assert main.term() == 0
    assert bridge.move(site.release("r2"))["release"] == "r2"
    assert inode(main) == own(bridge)
    assert ask(main.link).startswith("r2 ")


def test_the_process_of_a_bridge_dies(site: Site, bridged: tuple[Pivot, Pivot]) -> None:
    """Nothing leads to it any more, and the next one has the name."""
    main, bridge = bridged
    assert main.term() == 0
    site.release("r1", env={"DIE_WHEN": site.flag("die")})
    bridge.move()
    site.flag("die").touch()
    assert bridge.wait() == 7
    assert not main.link.exists()


def test_a_bridge_that_is_stopped_leaves_no_name_of_its_own(
    site: Site, bridged: tuple[Pivot, Pivot]
) -> None:
    main, bridge = bridged
    assert main.term() == 0
    assert bridge.term() == 0
    assert not main.link.exists()


def test_a_bridge_that_never_served_leaves_the_name_alone(bridged: tuple[Pivot, Pivot]) -> None:
    main, bridge = bridged
    assert bridge.term() == 0
    assert inode(main) == own(main)
    assert main.term() == 0
    assert not main.link.exists()
