# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a release one without a failed request, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from load import heavy_load
from load.heavy_load import HeavyLoadError, HeavyResult
from load.release_under_load import (
    Outcome,
    ReleaseError,
    parse_arguments,
    problems,
    proxy_address,
    table,
)

CLEAN = """\
Running 60m test @ https://guestbook.test:443/version
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.22ms    1.49ms  19.68ms   82.87%
    Req/Sec     3.81k   650.43     5.29k    77.50%
  Latency Distribution
     50%    1.90ms
     75%    2.70ms
     90%    4.01ms
     99%    7.77ms
  15197 requests in 4.00s, 5.65MB read
Requests/sec:   3796.88
Transfer/sec:      1.41MB
"""
BROKEN = CLEAN.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 2, write 3, timeout 4\n"
    "  Non-2xx or 3xx responses: 5\nRequests/sec",
)


def seen(first: float, last: float, count: int = 100) -> dict[str, Any]:
    return {
        "count": count,
        "slow": 1,
        "first": {"seconds": first},
        "last": {"seconds": last},
        "last_sent": {"seconds": last},
        "slowest_seconds": 0.04,
        "rps": 10.0,
    }


# Counted from 1000.0; the deploy began 10 s later, and all was stopped after 30 s.
GOOD = Outcome(
    version="1.1.0",
    counted={
        "started_epoch": 1000.0,
        "requests": 1200,
        "failed": 0,
        "failures": {},
        "examples": [],
        "retried": 2,
        "slow_completed": 12,
        "rps": 40.0,
        "versions": {"1.0.0": seen(0.1, 20.5), "1.1.0": seen(19.9, 29.9)},
    },
    heavy=HeavyResult(15197, 3796.88, "7.77ms"),
    deploy_epoch=1010.0,
    stop_epoch=1030.0,
    seconds={"publish": 6.0, "deploy": 14.0},
    load_average=3.5,
)


def with_counts(**counts: Any) -> Outcome:
    return replace(GOOD, counted=GOOD.counted | counts)


def test_wrk_without_errors() -> None:
    result = heavy_load.parse(CLEAN)

    assert result == HeavyResult(15197, 3796.88, "7.77ms", 0.01968)
    assert result.failed == 0


def test_wrk_with_errors() -> None:
    result = heavy_load.parse(BROKEN)

    assert result.failures == {"connect": 1, "read": 2, "write": 3, "timeout": 4, "status": 5}
    assert result.failed == 15


def test_wrk_that_says_nothing_useful() -> None:
    with pytest.raises(HeavyLoadError, match="unable to connect"):
        heavy_load.parse("unable to connect to guestbook.test:443 Connection refused\n")


def test_good_release_has_no_problem() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (replace(GOOD, failed_playbook="deploy"), "the playbook deploy failed"),
        (
            with_counts(failed=3, failures={"status 502": 2, "tls": 1}),
            "3 requests of the counting client failed: 2 of status 502, 1 of tls",
        ),
        (replace(GOOD, heavy=heavy_load.parse(BROKEN)), "15 requests of wrk failed: 1 of connect"),
        (replace(GOOD, heavy=HeavyResult(0, 0.0, "-")), "wrk sent nothing"),
        (
            with_counts(versions={"1.0.0": seen(0.1, 29.9)}),
            "came from 1.0.0 instead of 1.1.0 alone",
        ),
        (
            with_counts(versions={"1.0.0": seen(0.1, 29.0), "1.1.0": seen(19.9, 29.9)}),
            "came from 1.0.0, 1.1.0 instead of 1.1.0 alone",
        ),
        (
            with_counts(versions={"1.1.0": seen(0.1, 22.0)}),
            "came from no version instead of 1.1.0 alone",
        ),
    ],
)
def test_each_problem_is_named(outcome: Outcome, sentence: str) -> None:
    (problem,) = problems(outcome)

    assert sentence in problem


def test_table_counts_from_the_start_of_the_deploy() -> None:
    lines = [line.split() for line in table(GOOD).splitlines()]

    assert ["1.0.0", "100", "-9.9", "s", "+10.5", "s", "0.04", "s"] in lines
    assert ["1.1.0", "100", "+9.9", "s", "+19.9", "s", "0.04", "s"] in lines
    assert lines[1][:6] == ["counting", "client", "1,200", "0", "2", "40"]
    assert lines[2][:5] == ["wrk", "15,197", "0", "-", "3,797"]
    assert "publish took 6.0 s, deploy took 14.0 s" in table(GOOD)


def test_proxy_address() -> None:
    inventory = {
        "proxy": {"hosts": ["proxy1", "proxy2"]},
        "_meta": {"hostvars": {"proxy1": {"ansible_host": "10.0.0.9"}}},
    }

    assert proxy_address(inventory, "proxy") == "10.0.0.9"
    with pytest.raises(ReleaseError, match="no host in the group 'lb'"):
        proxy_address(inventory, "lb")


@pytest.mark.parametrize("version", ["", "v1", "../1.0", "1.0 -e x=y"])
def test_bad_version_is_refused(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_arguments(["--version", version])

    assert "is not a version" in capsys.readouterr().err
