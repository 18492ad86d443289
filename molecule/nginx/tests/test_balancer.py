# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of a load balancer: examples/balancer.yml."""

from __future__ import annotations

import collections
import concurrent.futures
import time
from typing import Any

import pytest

MARKET = "market.example.org"
APP1, APP2, APP3, APP4 = (f"127.0.1.{number}:8000" for number in (11, 12, 13, 14))


def served_by(site: Any, count: int, method: str = "GET") -> collections.Counter[str]:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        replies = list(
            pool.map(
                lambda _n: site.ask(MARKET, "/", method, b"x" * (method == "POST")), range(count)
            )
        )
    assert {reply.status for reply in replies} == {200}
    return collections.Counter(reply.said["server"] for reply in replies)


def test_weights_count_and_the_drained_and_the_backup_get_nothing(site: Any) -> None:
    counted = served_by(site, 60)
    assert set(counted) == {APP1, APP2}
    assert counted[APP1] > counted[APP2]


def test_a_dead_server_costs_nobody_an_answer_and_the_backup_comes_last(site: Any) -> None:
    try:
        site.host.check_output("systemctl kill --signal KILL app@11")
        for method in ("GET", "POST"):
            assert set(served_by(site, 20, method)) == {APP2}
        site.host.check_output("systemctl kill --signal KILL app@12")
        for method in ("GET", "POST"):
            assert set(served_by(site, 10, method)) == {APP4}
    finally:
        start(site)
    back(site)
    assert set(served_by(site, 20)) == {APP1, APP2}


@pytest.mark.parametrize("status", [502, 503, 504])
def test_another_host_is_asked_when_the_app_of_one_is_away(site: Any, status: int) -> None:
    path = f"/sick?{status}@{APP1}"
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert {site.ask(MARKET, path, method).status for _n in range(4)} == {200}
    # Sent once, wherever that was.
    posts = [site.ask(MARKET, path, "POST", b"x") for _n in range(9)]
    assert {reply.status for reply in posts} == {200, status}
    asked = [
        entry["nginx.upstream.address"]
        for entry in site.log("market")
        if (entry["url.original"], entry["http.request.method"]) == (path, "POST")
    ]
    assert len(asked) == 9
    assert set(asked) == {APP1, APP2}
    back(site)


def test_when_all_refuse_the_answer_is_the_apps(site: Any) -> None:
    """An app behind its own maintenance page: however often, never nginx's own `no live upstreams`."""
    replies = [site.ask(MARKET, "/sick?503") for _n in range(20)]
    assert {(reply.status, reply.said["path"]) for reply in replies} == {(503, "/sick?503")}
    back(site)


def back(site: Any) -> None:
    """Wait until nginx has found out that both are there again, which takes about five seconds."""
    deadline = time.monotonic() + 120
    while set(served_by(site, 8)) != {APP1, APP2}:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def start(site: Any) -> None:
    site.host.check_output(
        "systemctl start app@11 app@12; for last in 11 12; do timeout 120 sh -c "
        '"until ss -Htln src 127.0.1.$last:8000 | grep -q .; do sleep 0.1; done"; done'
    )


def test_a_request_that_changes_something_is_never_sent_twice(site: Any) -> None:
    """A server that takes a POST and dies: 502, and no other server has heard of it."""
    marker = f"/stuck?{time.time()}"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(site.ask, MARKET, marker, "POST", b"x")
        site.host.check_output(
            "until journalctl --unit app@11 --unit app@12 --output cat"
            f" | grep --quiet --fixed-strings '{marker}'; do sleep 0.2; done;"
            " systemctl kill --signal KILL app@11 app@12"
        )
        assert asked.result().status == 502
    start(site)
    [entry] = [e for e in site.log("market") if e["url.original"] == marker]
    assert entry["nginx.upstream.status"] == "502"
    back(site)
