# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a formation, and Circus's configuration for them."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import watchers


@pytest.mark.parametrize(
    ("formation", "names"),
    [
        ({}, ""),
        ({"web": 0}, ""),
        ({"web": 1}, "web-1"),
        ({"worker": 2, "web": 1}, "web-1 worker-1 worker-2"),
        ({"a_1": 1, "b": 0}, "a_1-1"),
        ({"celery-worker": 2}, "celery-worker-1 celery-worker-2"),
    ],
    ids=["empty", "none", "one", "sorted", "digits", "dashes"],
)
def test_instances_and_watchers(formation: dict[str, int], names: str) -> None:
    assert watchers.instances(formation) == names.split()
    configuration = watchers.watchers("shop", formation)
    assert watchers.watched(configuration) == names.split()
    for name in names.split():
        assert f"/srv/shop {name}\n" in configuration
        assert f"stdout_stream.filename = /var/log/shop/{name}.log\n" in configuration


def test_watchers_do_not_depend_on_the_order() -> None:
    """A changed section would be stopped and started by circusd."""
    one = watchers.watchers("shop", {"web": 1, "worker": 1})
    assert one == watchers.watchers("shop", {"worker": 1, "web": 1})
    more = watchers.watchers("shop", {"worker": 2, "web": 1})
    assert one in more


def test_watchers_that_stay_keep_their_text() -> None:
    """circusd would stop and start them when a newer version of this writes them otherwise."""
    old = watchers.watchers("shop", {"web": 1, "worker": 1}).replace(
        "max_retry", "other = 1\nmax_retry"
    )
    assert watchers.watchers("shop", {"web": 1, "worker": 1}, old) == old
    more = watchers.watchers("shop", {"web": 2}, old)
    assert watchers.sections(more) == {
        "web-1": watchers.sections(old)["web-1"],
        "web-2": watchers.section("shop", "web-2"),
    }
    assert watchers.watchers("shop", {"web": 2}, more) == more


def test_united() -> None:
    old = watchers.watchers("shop", {"web": 1, "worker": 1}).replace(
        "max_retry", "other = 1\nmax_retry"
    )
    new = watchers.watchers("shop", {"beat": 1, "web": 1}, old)
    both = watchers.united(old, new)
    assert watchers.sections(both) == watchers.sections(old) | watchers.sections(new)
    assert watchers.watched(both) == ["beat-1", "web-1", "worker-1"]
    assert watchers.united("", new) == watchers.united(new, new) == new


def test_without() -> None:
    both = watchers.watchers("shop", {"beat": 1, "web": 1})
    assert watchers.without(both, ["beat-1", "gone-1"]) == watchers.watchers("shop", {"web": 1})
    assert watchers.without("as it was", ["beat-1"]) == "as it was"


def test_watched_takes_no_other_section() -> None:
    assert watchers.watched("") == []
    assert watchers.watched("[circus]\n# [watcher:no]\n[watcher:web-1]\n[env:web-1]\n") == ["web-1"]
