# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of a release that was put back because its canary answered worse than the other host."""

import json


def test_the_record_says_why_the_canary_was_put_back(host):
    if host.backend.get_hostname() == "faults-proxy":
        return
    lines = host.file("/srv/subject/releases.jsonl").content_string.splitlines()
    records = [record for record in map(json.loads, lines) if record["outcome"] != "pending"]
    reasons = [record["reason"] for record in records if record["event"] == "rollback"]
    if host.backend.get_hostname() == "faults-a":
        (reason,) = reasons
        assert reason.startswith("Judge the release by its responses: Requests answered with 5xx: ")
        # routes are for whoever deploys: they may have names of customers in them
        assert "/echo" not in reason
    else:
        assert reasons == []


def test_all_hosts_serve_the_good_release(host):
    if host.backend.get_hostname() != "faults-proxy":
        assert "FAULT=none" in host.file("/srv/subject/current/env").content_string
