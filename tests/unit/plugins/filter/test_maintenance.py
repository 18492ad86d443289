# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is taken out of the fleet for a while."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.filter.maintenance import (
    hosts_beside,
    interruptions,
    maintenance_refusals,
    not_serving,
)

GROUPS = {"app": ["a", "b"], "proxy": ["p"], "workers": ["b"], "all": ["a", "b", "p"]}
WEB: dict[str, Any] = {"domains": ["shop.test"]}
LOADED = (
    "the load of the last five minutes, 2.00, would be 1.00 for each of the 2 cores of the other hosts,"
    " and maintenance_max_load is 0.8"
)
WORKER: dict[str, Any] = {"hosts": "workers"}


@pytest.mark.parametrize(
    ("apps", "groups", "hosts", "interrupt", "words"),
    [
        ({"shop": WEB}, GROUPS, ["a", "b"], False, []),
        ({}, GROUPS, ["a"], False, []),
        (
            {"shop": WEB},
            GROUPS,
            ["p"],
            False,
            ["host=p: the group app has no host p, it has a, b."],
        ),
        ({"shop": WEB}, {"app": ["a"]}, ["a"], False, ["shop runs on a alone"]),
        ({"shop": WEB}, {"app": ["a"]}, ["a"], True, []),
        ({"mail": WORKER, "shop": WEB}, GROUPS, ["a"], False, []),
        ({"mail": WORKER, "shop": WEB}, GROUPS, ["b"], False, ["mail runs on b alone"]),
        ({"shop": WEB}, {"app": ["a", "b"]}, ["a"], False, ["the group proxy is empty"]),
        # nobody has to send it anything
        ({"mail": {"formation": {"worker": 1}}}, {"app": ["a", "b"]}, ["a"], False, []),
    ],
)
def test_hosts_that_cannot_be_patched_without_an_interruption(
    apps: Any, groups: Any, hosts: list[str], interrupt: bool, words: list[str]
) -> None:
    problems = interruptions(apps, groups, hosts, interrupt)
    assert len(problems) == len(words)
    for problem, word in zip(problems, words, strict=True):
        assert word in problem


@pytest.mark.parametrize(
    ("apps", "name", "others"),
    [
        ({"shop": WEB}, "a", ["b"]),
        ({"shop": WEB, "mail": WORKER}, "b", ["a"]),
        ({"mail": WORKER}, "b", []),
        ({"mail": WORKER}, "a", []),
    ],
)
def test_the_hosts_that_run_an_app_of_a_host_too(apps: Any, name: str, others: list[str]) -> None:
    assert hosts_beside(apps, GROUPS, name) == others


def host(load: float, cores: int, state: str = "serving", **more: Any) -> dict[str, Any]:
    marks = "".join(f"\n{mark}" for mark in more.pop("marks", ()))
    return {
        "__maintenance_load": {"stdout": f"{load}\n{cores}{marks}"},
        "__maintenance_serving": {"results": [{"item": "shop", "state": state, **more}]},
    }


MARKED = "b gets no requests of shop: it has /var/lib/nginx/maintenance-shop"


@pytest.mark.parametrize(
    ("hostvars", "max_load", "reasons"),
    [
        ({"a": host(0.5, 2), "b": host(1.1, 2)}, 0.8, []),
        ({"a": host(1.0, 2), "b": host(1.0, 2)}, 0.8, [LOADED]),
        ({"a": host(1.0, 2), "b": host(1.0, 2)}, None, []),
        ({"a": host(1.0, 2), "b": host(1.0, 2), "c": host(1.0, 2)}, 0.8, []),
        (
            {"a": host(0, 2), "b": host(0, 2, "degraded", drift=["web-1 is down"], unwell=[])},
            None,
            ["b: shop is degraded: web-1 is down"],
        ),
        ({"a": host(0, 2), "b": host(0, 2, "empty", drift=[])}, 0.8, ["b: shop is empty"]),
        # not deployed anywhere yet
        ({"a": host(0, 2, "empty"), "b": host(0, 2, "empty", drift=[])}, 0.8, []),
        ({"a": host(0, 2, "degraded"), "b": host(0, 2)}, 0.8, []),
        ({"a": host(0, 2), "b": host(0, 2, marks=["maintenance-shop"])}, 0.8, [MARKED]),
        ({"a": host(0, 2), "b": host(0, 2, marks=["maintenance-mail"])}, 0.8, []),
        ({"a": host(0, 2), "b": {}}, 0.8, ["b is not part of this run, see --limit"]),
    ],
)
def test_other_hosts_that_cannot_carry_its_requests(
    hostvars: dict[str, Any], max_load: float | None, reasons: list[str]
) -> None:
    others = [name for name in hostvars if name != "a"]
    assert maintenance_refusals(others, "a", hostvars, max_load) == reasons


@pytest.mark.parametrize(
    ("other", "joining", "reasons"),
    [
        (host(0, 2, "absent"), ["b"], []),
        (host(0, 2, "empty"), ["b"], []),
        (host(0, 2, "absent"), [], ["b: shop is absent"]),
        (host(0, 2, "absent"), ["c"], ["b: shop is absent"]),
        # its cores count
        (host(1, 2, "absent"), ["b"], [LOADED]),
    ],
)
def test_a_host_that_joins_in_check_mode_need_not_serve(
    other: Any, joining: list[str], reasons: list[str]
) -> None:
    hostvars = {"a": host(1, 2), "b": other}
    assert maintenance_refusals(["b"], "a", hostvars, 0.8, joining) == reasons


def test_apps_that_do_not_serve() -> None:
    results = [
        {"item": "shop", "state": "serving"},
        {"item": "mail", "state": "degraded", "drift": ["x"], "unwell": ["y"]},
        {"item": "odd", "msg": "no"},
    ]
    assert not_serving(results) == ["mail is degraded: x, y", "odd is unknown: no"]
