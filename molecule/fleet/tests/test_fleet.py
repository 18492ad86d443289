# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rollouts leave on the hosts of a fleet, after side_effect.yml."""

import json


def lines(host, path):
    file = host.file(path)
    return file.content_string.splitlines() if file.exists else []


def name(host):
    return host.backend.get_hostname()


def test_migrations_ran_on_the_first_host_alone_and_once_per_release(host):
    ran = lines(host, "/var/lib/radicale/migrations")
    if name(host) != "fleet-a":
        assert ran == []
    else:
        assert ran[:2] == ["blue", "green"]


def test_hooks_ran_in_their_order_with_the_env_of_their_release(host):
    ran = lines(host, "/var/lib/radicale/hooks")
    first = name(host) == "fleet-a"
    deploy = ["before_switch green", "after_switch green"]
    if first:
        deploy = ["before_install blue", *deploy, "after_deploy green"]
    begin = ["before_switch blue", "after_switch blue"] + ["after_deploy blue"] * first
    assert ran[: len(begin) + len(deploy)] == begin + deploy
    assert "on_failure green" in ran


def test_the_record_tells_of_the_way_there_and_back(host):
    told = [json.loads(line) for line in lines(host, "/srv/radicale/releases.jsonl")]
    records = [record for record in told if record["outcome"] != "pending"]
    events = [(record["event"], record["outcome"]) for record in records]
    if name(host) == "fleet-c":
        assert ("deploy", "bad") in events
    else:
        assert ("deploy", "bad") not in events
    assert records[0]["by"].count("@") == 1
    assert records[0]["durations"]["gate"] > 0
    assert records[-1]["outcome"] == "good"
