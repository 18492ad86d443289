# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook logs and the reports of GoAccess count what was asked, no more and no less."""

import collections
import dataclasses
import datetime
import json
import re
import time

import pytest

NAMES = ["logs-d12", "logs-d13"]
A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
# How often every host is asked for what, before its logs are rotated, between that and another time,
# and after it.
TRAFFIC = [
    {"/200/orders/17": 40, "/404/none": 5, "/500/pay?token=canary-a1": 7},
    {"/200/orders/18": 30, "/500/pay": 2, f"/200/told?release={B}": 11},
    {"/200/orders/19": 20, "/503/busy": 3, "/200/slow?sleep=0.4": 1},
]
TRACE = """\
{at} ERROR shop: cannot pay order {number}
Traceback (most recent call last):
  File "/srv/shop/releases/{release}/venv/lib/python3/site-packages/shop.py", line {number}, in pay
    bank.pay({number})
ConnectionError: the bank does not answer, attempt {number}
"""
# As a pivot does it, from the unit of the app. journald looks up which unit a process belongs to
# when it reads its first line, so whoever writes stays until that line is there.
JOURNALED = """\
systemd-run --quiet --wait --unit=circus@shop --property=LogNamespace=shop --property=RuntimeMaxSec=600 \
    systemd-cat --identifier=shop/worker-2 sh -c '
        echo "WARNING: disk {number} is full"
        until journalctl --namespace=shop _SYSTEMD_UNIT=circus@shop.service 2> /dev/null | grep -q "disk {number} is full"; do
            sleep 0.1
        done'
"""


def iso(at):
    """As the record has it: whole seconds, UTC."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclasses.dataclass
class Served:
    """When each part of the TRAFFIC began, and the end."""

    begins: list[str]
    end: str


@pytest.fixture(scope="session")
def served(hosts, ask):
    """Hosts that have served the TRAFFIC and rotated their logs after each part but the last."""
    begins, releases, records = [], [A, B, B], [record(time.time() - 60, A, None)]
    for number, part in enumerate(TRAFFIC):
        begins.append(iso(time.time() + 1))
        time.sleep(2)
        for name, host in hosts.items():
            for path, count in part.items():
                answers = [ask(name, path)[0] for _time in range(count)]
                assert answers == [int(path.split("/")[1])] * count
            output = TRACE.format(at=iso(time.time()), number=number, release=releases[number])
            put(host, "/var/log/shop/web-1.log", output)
            host.run_expect([0], JOURNALED.format(number=number))
            if number < 2:
                host.run_expect([0], "logrotate --force /etc/logrotate.d/nginx")
        if number == 0:
            records.append(record(time.time() + 1, B, A))
            # after that it is sure that requests are answered by B
            time.sleep(5)
    end = iso(time.time() + 1)
    time.sleep(2)
    for host in hosts.values():
        put(host, "/srv/shop/releases.jsonl", "".join(records))
        # written before the first part, nobody knows when
        put(host, "/var/log/shop/worker-1.log", "WARNING: queue 7 is long\n")
        put(host, "/var/log/shop/worker-1.log.1", "2026-01-02 03:04:05 ERROR long ago\n")
        host.run_expect([0], "touch --date=2026-01-02 /var/log/shop/worker-1.log.1")
    return Served(begins, end)


def record(at, release, before):
    told = {"at": iso(at), "event": "deploy", "release": release, "outcome": "good"}
    return json.dumps({**told, "before": before, "seconds": 0.5}) + "\n"


def put(host, path, text):
    host.run_expect([0], f"cat >> {path} << 'END'\n{text}END\n")


def statuses(*parts):
    """How many answers of each status the parts of the traffic make on one host."""
    counts = collections.Counter()
    for part in parts:
        for path, count in part.items():
            counts[path.split("/")[1]] += count
    return dict(sorted(counts.items()))


def doubled(counts):
    return {key: 2 * count for key, count in counts.items()}


def counted(entries, name):
    return {entry[name]: entry["statuses"] for entry in entries}


def test_every_request_of_every_host_is_counted_once(play, served, hosts):
    for host in hosts.values():
        names = host.check_output("cd /var/log/nginx && ls shop.access.log*").split()
        assert names == ["shop.access.log", "shop.access.log.1", "shop.access.log.2.gz"]
    document = json.loads(play(since=served.begins[0], until=served.end, output="json").stdout)
    assert (document["since"], document["until"]) == (served.begins[0], served.end)
    assert (document["unreachable"], document["failed"], document["incomplete"]) == ({}, {}, {})
    assert document["apps"]["blog"]["requests"] == 0
    shop = document["apps"]["shop"]
    assert shop["statuses"] == doubled(statuses(*TRAFFIC))
    assert shop["hosts"] == dict.fromkeys(NAMES, sum(statuses(*TRAFFIC).values()))
    assert counted(shop["routes"], "route") == {
        "GET /{number}/orders/{number}": {"200": 180},
        "GET /{number}/told": {"200": 22},
        "GET /{number}/pay": {"500": 18},
        "GET /{number}/none": {"404": 10},
        "GET /{number}/busy": {"503": 6},
        "GET /{number}/slow": {"200": 2},
    }
    # by the word of the app, and by the record where it says nothing
    assert counted(shop["releases"], "release") == {
        A: doubled(statuses(TRAFFIC[0])),
        B: doubled(statuses(*TRAFFIC[1:])),
    }
    assert shop["releases_known_by"] == {
        "header": 22,
        "record": 216,
        "near_switch": 0,
        "unknown": 0,
    }
    assert [request["path"] for request in shop["slowest"][:2]] == ["/200/slow"] * 2
    assert {request["host"] for request in shop["slowest"][:2]} == set(NAMES)
    assert shop["latency"]["max"] == shop["slowest"][0]["milliseconds"] >= 400
    assert sum(sum(part.values()) for part in shop["timeline"].values()) == shop["requests"]
    assert "canary-a1" not in json.dumps(document)


def test_errors_and_warnings_are_grouped(play, served):
    document = json.loads(play(since=served.begins[0], until=served.end, output="json").stdout)
    payment, disk, queue = document["apps"]["shop"]["events"]
    assert (payment["level"], payment["count"], payment["undated"]) == ("error", 6, 0)
    assert payment["message"] == "shop: cannot pay order {number}"
    assert payment["exception"] == ("ConnectionError: the bank does not answer, attempt {number}")
    assert payment["where"] == "venv/lib/python3/site-packages/shop.py in pay"
    assert payment["releases"] == {A: 2, B: 4}
    assert payment["hosts"] == dict.fromkeys(NAMES, 3)
    # from journald, which knows when it was said
    assert (disk["level"], disk["message"]) == ("warning", "disk {number} is full")
    assert (disk["count"], disk["undated"]) == (6, 0)
    assert disk["processes"] == {"worker-2": 6}
    assert disk["releases"] == {A: 2, B: 4}
    # nobody knows when it was said
    assert (queue["level"], queue["message"]) == ("warning", "queue {number} is long")
    assert (queue["count"], queue["undated"]) == (2, 2)


def test_a_part_of_the_time(play, served):
    told = play(app="shop", since=served.begins[1], until=served.begins[2], output="json").stdout
    document = json.loads(told)
    assert list(document["apps"]) == ["shop"]
    assert document["apps"]["shop"]["statuses"] == doubled(statuses(TRAFFIC[1]))


def test_for_people(play, served):
    lines = play(app="shop", since=served.begins[0], until=served.end).stdout.splitlines()
    total = 2 * sum(statuses(*TRAFFIC).values())
    assert lines[0] == (f"shop, {served.begins[0]} to {served.end}, 2 hosts: {total} requests")
    assert re.fullmatch(rf"500 +18 +{100 * 18 / total:.2f} %", lines[5])
    assert "Releases by the time of the switch." in lines
    assert any(re.match("6 +error ", line) for line in lines)


def test_what_is_no_range_is_refused_with_one_sentence(play):
    refused = play(code=2, since="yesterday")
    assert refused.stdout == ""
    assert refused.stderr == (
        "logs-d12: failed: Invalid time since='yesterday': write 90m (s, m, h, d or w ago), 2026-01-02, "
        "2026-01-02T03:04:05Z (UTC where no zone is given), or now.\n"
    )


def test_who_writes_reports_exposes_little(hosts, exposure):
    for host in hosts.values():
        assert exposure(host, "goaccess@shop.service") < 2


def test_reports_are_for_those_with_a_password(ask, served, hosts):
    for name, host in hosts.items():
        host.run_expect([0], "systemctl start goaccess@shop")
        assert ask(name, "/shop.html", "reports.test")[0] == 401
        assert ask(name, "/shop.html", "reports.test", "reader:wrong")[0] == 401
        status, page = ask(name, "/shop.html", "reports.test", "reader:rep0rts")
        assert status == 200
        [general] = re.findall(r'"general": ?({[^{}]*"valid_requests": ?[0-9][^{}]*})', page)
        # those with which nginx_config has proven its reloads are in the log, too
        total = int(host.check_output("zcat --force /var/log/nginx/shop.access.log* | wc --lines"))
        assert total >= sum(statuses(*TRAFFIC).values())
        assert json.loads(general)["valid_requests"] == total
        assert json.loads(general)["failed_requests"] == 0
        assert r"\/200\/orders\/17" in page
        assert "canary-a1" not in page
        status, listing = ask(name, "/", "reports.test", "reader:rep0rts")
        assert (status, "shop.html" in listing) == (200, True)
        assert host.service("goaccess@shop.timer").is_running
        page = host.file("/var/lib/goaccess/shop.html")
        assert (page.user, page.group, page.mode) == ("goaccess", "www-data", 0o640)
