# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left on a host after broken releases, faults and a reboot: nothing but the record."""

import json
from collections import Counter

import pytest

SERVES_ONLY = "python3 /usr/local/lib/subject/serves_only.py subject web-1 worker-1"


@pytest.fixture(scope="module")
def records(host):
    text = host.file("/srv/subject/releases.jsonl").content_string
    return [json.loads(line) for line in text.splitlines()]


def test_one_good_release_serves_and_nothing_else_is_left(host, records):
    good = [record["release"] for record in records if record["outcome"] == "good"]
    host.check_output(f"{SERVES_ONLY} --release {good[-1]} --good {good[-1]}")


def test_no_process_of_the_host_is_a_zombie_and_no_unit_failed(host):
    assert host.check_output("ps -eo stat= | grep -c ^Z || test $? = 1") == "0"
    assert host.check_output("systemctl --failed --plain --no-legend") == ""


# The first is that of a release which broken.yml deploys twice.
REASONS = [
    "web-1 ended with exit code 3 while starting",
    "web-1 ended with exit code 7 while starting",
    "web-1 ended with exit code 0 while starting",
    "web-1 ended with exit code 137 while starting",
    "worker-1 ended with exit code 1 while starting",
    "web-1 not ready within 8 s; GET /healthz on its own socket: HTTP/1.1 500 Internal Server Error",
    "web-1 not ready within 2 s; GET /healthz on its own socket: it has not made its socket",
]


@pytest.mark.parametrize("reason", REASONS)
def test_the_record_tells_why_a_release_is_bad(records, reason):
    assert [record["release"] for record in records if record.get("reason") == reason]


def test_the_record_tells_of_a_release_each_time_that_it_was_bad(records):
    told = Counter(record["release"] for record in records if record.get("reason") == REASONS[0])
    assert 2 in told.values()


def test_a_rollback_passes_over_what_was_bad_and_what_was_never_finished(records):
    done = [record for record in records if record["outcome"] == "good"]
    assert [record["event"] for record in done[-3:]] == ["deploy", "deploy", "rollback"]
    assert done[-1]["release"] == done[-3]["release"] != done[-2]["release"]
    bad = {record["release"] for record in records if record["outcome"] == "bad"}
    assert len(bad - {record["release"] for record in done}) >= 9
