# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app says is counted, drawn for those with a password, and never in the app's way."""

from __future__ import annotations

import collections
import json
import pathlib
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from testinfra.host import Host

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
VARS = yaml.safe_load((SCENARIO / "vars" / "main.yml").read_text())
# What is asked for, before a report of statsd and after it.
BEFORE = {"200": 23, "302": 3, "404": 12, "500": 5}
AFTER = {"200": 14, "404": 1, "503": 2}
ORDERS = 8
CURL = (
    "curl --silent --show-error --max-time 20 --cacert /etc/nginx/certificates/graphite.trust.pem "
    f"--resolve {VARS['graphite_domain']}:443:127.0.0.1 "
)
URL = f"https://{VARS['graphite_domain']}"
READER = f"--user reader:{VARS['reader_password']} "
STATUS = "*.*.counters.shop.gunicorn.request.status.*.count"
# A client of statsd that has 10,000 new names whenever it is called.
FLOOD = """
import socket, time
client = socket.socket(type=socket.SOCK_DGRAM)
for number in range(10000):
    client.sendto(f"flood.{time.monotonic_ns()}:1|c".encode(), ("127.0.0.1", 8125))
    if number % 100 == 0:
        time.sleep(0.01)
"""


def get(host: Host, path: str, more: str = READER) -> str:
    return host.check_output(f"{CURL}{more}--fail '{URL}{path}'")


def status(host: Host, path: str, more: str = "") -> str:
    return host.check_output(
        f"{CURL}{more}--output /dev/null --write-out %{{http_code}} '{URL}{path}'"
    )


def totals(host: Host, target: str, since: str = "-20min") -> dict[str, float]:
    """The sum of every series of the target, as Graphite has it now."""
    query = urllib.parse.urlencode({"target": target, "from": since, "format": "json"})
    return {
        series["target"]: sum(value or 0 for value, _time in series["datapoints"])
        for series in json.loads(get(host, f"/render?{query}"))
    }


def statuses(host: Host, since: str = "-20min") -> dict[str, float]:
    return totals(host, f'groupByNode({STATUS},7,"sum")', since)


def until(look: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float = 40) -> Any:
    """What is seen once it is wanted, or in the end."""
    end = time.monotonic() + seconds
    while not wanted(seen := look()) and time.monotonic() < end:
        time.sleep(1)
    return seen


def ask(host: Host, wanted: dict[str, int], more: str = "") -> None:
    """Ask the app for every status as often as wanted, and see that it answers so."""
    urls = " ".join(f"'http://127.0.0.1:8000/{code}/[1-{n}]'" for code, n in wanted.items())
    shown = host.check_output(
        "curl --silent --show-error --fail-early --max-time 5 "
        rf"--write-out '\n%{{http_code}}\n' {more} {urls} | grep --extended-regexp '^[0-9]{{3}}$'"
    )
    # the body is the status, too
    seen = collections.Counter(shown.split())
    assert seen == {code: 2 * n for code, n in wanted.items()}


def added(*parts: dict[str, int]) -> dict[str, int]:
    total: collections.Counter[str] = collections.Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def drops(host: Host) -> int:
    """Datagrams that the kernel could not keep for statsd."""
    return int(host.check_output("awk '$2 ~ /:1FBD$/ {print $NF}' /proc/net/udp"))


def resident(host: Host, unit: str) -> int:
    """MiB of the unit's first process."""
    pid = host.check_output(f"systemctl show --property MainPID --value {unit}")
    return int(host.check_output(f"grep VmRSS /proc/{pid}/status").split()[1]) >> 10


@pytest.fixture(scope="module")
def served(host: Host) -> Iterator[dict[str, int]]:
    """What the app has answered, in two reports of statsd or more."""
    # The app is older than statsd: of what it says first, the kernel drops one datagram, to tell it
    # that an earlier one had found nobody (ECONNREFUSED of a connected socket, udp(7)).
    host.check_output(
        "systemctl restart shop && until ss -Htln | grep --quiet 127.0.0.1:8000; do sleep 0.2; done"
    )
    dropped = drops(host)
    ask(host, BEFORE)
    until(lambda: statuses(host), lambda seen: sum(seen.values()) >= sum(BEFORE.values()))
    ask(host, AFTER)
    ask(host, {"201": ORDERS}, "--request POST")
    yield added(BEFORE, AFTER, {"201": ORDERS})
    assert drops(host) == dropped


def test_every_answer_is_counted_once(host: Host, served: dict[str, int]) -> None:
    total = sum(served.values())
    assert until(lambda: statuses(host), lambda seen: sum(seen.values()) >= total) == served
    requests = "*.*.counters.shop.gunicorn.requests.count"
    seen = until(lambda: totals(host, requests), lambda seen: total in seen.values())
    assert list(seen.values()) == [total]
    # gunicorn's timer, of which statsd makes a count and more
    durations = "*.*.timers.shop.gunicorn.request.duration"
    seen = until(lambda: totals(host, f"{durations}.count"), lambda seen: total in seen.values())
    assert list(seen.values()) == [total]
    assert totals(host, f"{durations}.upper_95").popitem()[1] > 0


def test_they_stay_as_many_in_coarser_steps(host: Host, served: dict[str, int]) -> None:
    # beyond what is kept in steps of 5 s
    rolled_up = until(lambda: statuses(host, "-2h"), lambda seen: seen == served)
    assert rolled_up == served
    query = urllib.parse.urlencode({"target": STATUS, "from": "-2h", "format": "json"})
    first, second = json.loads(get(host, f"/render?{query}"))[0]["datapoints"][:2]
    assert second[1] - first[1] == 60


def test_what_the_app_counts_and_measures(host: Host, served: dict[str, int]) -> None:
    orders = until(
        lambda: totals(host, "*.*.counters.shop.orders.count"), lambda seen: ORDERS in seen.values()
    )
    assert list(orders.values()) == [ORDERS]
    query = urllib.parse.urlencode(
        {"target": "*.*.gauges.shop.stock", "from": "-20min", "format": "json"}
    )
    [stock] = json.loads(get(host, f"/render?{query}"))
    assert {value for value, _time in stock["datapoints"]} == {None, 17}
    assert stock["target"].startswith(f"stats.{host.backend.get_hostname()}.gauges")


@pytest.mark.parametrize(
    "path", ["/", "/apps/", "/render?target=a", "/events/get_data", "/static/"]
)
def test_nobody_without_a_password_gets_anything(host: Host, path: str) -> None:
    assert status(host, path) == "401"
    assert status(host, path, "--user reader:wrong ") == "401"


def test_nobody_without_a_password_posts_events(host: Host) -> None:
    assert status(host, "/events/", '--json \'{"what": "intruder"}\' --user a:b ') == "401"
    assert "intruder" not in get(host, "/events/get_data")


def test_the_page_is_served_with_all_that_it_needs(host: Host) -> None:
    page = get(host, "/apps/")
    assert 'href="apps.css"' in page
    assert 'src="apps.js"' in page
    assert "https:" not in page + get(host, "/apps/apps.css") + get(host, "/apps/apps.js")
    names = json.loads(get(host, "/metrics/expand?query=*.*.counters.*"))["results"]
    assert {name.split(".")[3] for name in names} >= {"shop"}


@pytest.mark.parametrize(("form", "start"), [("svg", "<?xml"), ("png", "\x89PNG")])
def test_graphs_are_drawn(host: Host, served: dict[str, int], form: str, start: str) -> None:
    pairs = [("target", f"sumSeries({STATUS})"), ("format", form), ("from", "-20min")]
    pairs += [("target", 'color(drawAsInfinite(events("shop-good")),"green")')]
    shown = host.run(f"{CURL}{READER}--fail '{URL}/render?{urllib.parse.urlencode(pairs)}'")
    assert shown.rc == 0
    assert shown.stdout_bytes.decode("latin-1").startswith(start)
    assert len(shown.stdout_bytes) > 3000


def test_deploys_are_events(host: Host) -> None:
    told = json.loads(get(host, "/events/get_data?tags=deploy+shop"))
    assert [(event["what"], event["tags"]) for event in told] == [
        ("deploy of shop 1.0-aaaaaaaa", ["deploy", "shop", "shop-good"]),
        ("deploy of shop 2.0-bbbbbbbb failed", ["deploy", "shop", "shop-bad"]),
    ]
    assert "by ops@controller" in told[0]["data"]
    assert told[1]["data"].endswith("answers 500")
    assert totals(host, 'events("shop-bad")') == {'events("shop-bad")': 1}
    assert totals(host, 'events("shop-never")') == {'events("shop-never")': 0}


@pytest.mark.parametrize(
    ("unit", "user", "group"),
    [
        ("statsd", "statsd", "statsd"),
        ("carbon-cache", "_graphite", "_graphite"),
        ("graphite-web", "_graphite", "www-data"),
    ],
)
def test_services_have_no_privileges(host: Host, unit: str, user: str, group: str) -> None:
    pid = host.check_output(f"systemctl show --property MainPID --value {unit}")
    shown = host.check_output(f"cat /proc/{pid}/status")
    told = dict(line.split(":\t", 1) for line in shown.splitlines() if ":\t" in line)
    assert told["Uid"].split() == [str(host.user(user).uid)] * 4
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
    # what it has mounted, asked as the one who may look
    paths = ["/etc", "/opt", "/var/log", "/var/lib/graphite/whisper"]
    program = (
        "import os, sys; [print(os.statvfs(path).f_flag & os.ST_RDONLY) for path in sys.argv[1:]]"
    )
    words = " ".join(f"/proc/{pid}/root{path}" for path in paths)
    shown = host.check_output(
        f"runuser --user {user} --group {group} -- python3 -c '{program}' {words}"
    )
    # numbers are carbon's alone to write
    assert shown.split() == ["1", "1", "1", "0" if unit == "carbon-cache" else "1"]


def test_nothing_listens_for_others(host: Host) -> None:
    shown = host.check_output("ss --no-header --listening --numeric --extended --udp --tcp")
    users = [f" uid:{host.user(name).uid} " for name in ("statsd", "_graphite")]
    ours = [line for line in shown.splitlines() if any(user in line for user in users)]
    assert sorted(line.split()[4] for line in ours) == [
        f"127.0.0.1:{port}" for port in (2003, 7002, 8125, 8126)
    ]
    socket = host.file("/run/graphite-web/http.sock")
    assert (socket.user, socket.group, socket.mode) == ("_graphite", "www-data", 0o770)
    assert host.file("/run/graphite-web").mode == 0o750


def test_without_carbon_the_app_serves_and_statsd_stays_small(host: Host) -> None:
    known = statuses(host)
    host.check_output("systemctl stop carbon-cache")
    try:
        ask(host, {"200": 20})
        for _report in range(3):
            host.check_output(f"python3 -c '{FLOOD}'")
            time.sleep(VARS["statsd_flush_interval"])
        assert host.service("statsd").is_running
        assert host.check_output("systemctl show --property NRestarts --value statsd") == "0"
        assert resident(host, "statsd") < 200
    finally:
        host.check_output("systemctl start carbon-cache")
    host.run_expect(
        [0], "timeout 30 sh -c 'until ss -Hltn sport = :2003 | grep -q .; do sleep 1; done'"
    )
    ask(host, {"418": 7})
    seen = until(lambda: statuses(host), lambda seen: seen.get("418") == 7)
    # what was said while nobody kept it is lost, and nothing else
    assert seen | {"418": 7} == known | {"418": 7}


def test_without_statsd_the_app_serves(host: Host) -> None:
    host.check_output("systemctl stop statsd")
    try:
        ask(host, {"200": 20, "500": 2})
    finally:
        host.check_output("systemctl start statsd")
    ask(host, {"429": 4})
    assert until(lambda: statuses(host), lambda seen: seen.get("429") == 4)["429"] == 4


def test_names_that_nothing_is_said_of_are_forgotten(host: Host) -> None:
    root = "/var/lib/graphite/whisper/gone"
    for age, name in ((100, "old"), (80, "new")):
        host.check_output(f"install -D /dev/null {root}/{name}.wsp")
        host.check_output(f"touch --date '{age} days ago' {root}/{name}.wsp")
    host.check_output("systemd-tmpfiles --clean /etc/tmpfiles.d/graphite.conf")
    assert host.file(root).listdir() == ["new.wsp"]
    host.check_output(f"rm -r {root}")
