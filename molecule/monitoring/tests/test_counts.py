# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app answers is counted once, by everybody who counts, and nobody is in the app's way."""

import collections
import dataclasses
import json
import socket
import time
import urllib.parse

import pytest

READER = "reader:rep0rts"
GRAPHS = "graphs.test"
# Each host tells the Graphite of the other one.
KEEPER = {"monitoring-d12": "monitoring-d13", "monitoring-d13": "monitoring-d12"}
# What is asked for, before a report of statsd and after it.
BEFORE = {"200": 23, "302": 3, "404": 12, "500": 5}
AFTER = {"200": 14, "404": 1, "503": 2}
TOTAL = {"200": 37, "302": 3, "404": 13, "500": 5, "503": 2}
ORDERS = 8
# Twice 10,000 new names for statsd, and each time until it has reported them.
FLOOD = """
import socket, time
client = socket.socket(type=socket.SOCK_DGRAM)

def known():
    with socket.create_connection(("127.0.0.1", 8126), 120) as asked:
        asked.sendall(b"counters\\n")
        with asked.makefile("rb") as told:
            return b"".join(iter(told.readline, b"END\\n"))

for _time in range(2):
    for number in range(10000):
        client.sendto(f"flood.{time.monotonic_ns()}:1|c".encode(), ("127.0.0.1", 8125))
        if number % 100 == 0:
            time.sleep(0.01)
    while b"flood" in known():
        time.sleep(0.2)
"""
# Of the units that it is told of: who runs it, with what privileges, and where it cannot write.
PRIVILEGES = """
import json, os, pathlib, subprocess, sys
found = {}
for unit in sys.argv[1:]:
    show = ["systemctl", "show", "--property=MainPID", "--value", unit]
    pid = subprocess.check_output(show, text=True).strip()
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    told = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
    user, group = (told[name].split()[0] for name in ("Uid", "Gid"))
    # what it has mounted, asked as the one who may look
    paths = [f"/proc/{pid}/root{path}" for path in ("/etc", "/opt", "/var/log", "/var/lib/graphite/whisper")]
    program = "import os, sys; print(*(os.statvfs(path).f_flag & os.ST_RDONLY for path in sys.argv[1:]))"
    read_only = subprocess.check_output(
        [sys.executable, "-c", program, *paths], text=True, user=int(user), group=int(group)
    )
    found[unit] = [
        told["Uid"].split(), int(told["CapEff"], 16) + int(told["CapBnd"], 16),
        told["NoNewPrivs"], told["Seccomp"], read_only.split(),
    ]
print(json.dumps(found))
"""


@dataclasses.dataclass
class Served:
    """What a host was asked for: when that began, and what all paths begin with."""

    since: str
    word: str


@pytest.fixture(scope="module")
def name(host):
    return host.backend.get_hostname()


@pytest.fixture(scope="module")
def graphite(ask, name):
    """A page of the Graphite that keeps what this host says."""

    def get(path, login=READER, **more):
        return ask(KEEPER[name], GRAPHS, path, login, **more)

    return get


@pytest.fixture(scope="module")
def series(graphite, name):
    """What Graphite has of this host, by name, as pairs of value and time."""

    def get(target, since="-20min"):
        target = target.replace("HOST", f"stats.{name}")
        query = urllib.parse.urlencode({"target": target, "from": since, "format": "json"})
        code, body = graphite(f"/render?{query}")
        assert code == 200, body
        return {found["target"]: found["datapoints"] for found in json.loads(body)}

    return get


@pytest.fixture(scope="module")
def statuses(series):
    """How often the app answered with each status, without the pivot's own questions (204)."""

    def get(since="-20min"):
        found = series("HOST.counters.shop.gunicorn.request.status.*.count", since)
        sums = {target.split(".")[7]: total(points) for target, points in found.items()}
        return {code: number for code, number in sums.items() if code != "204"}

    return get


def total(points):
    return sum(value or 0 for value, _time in points)


@pytest.fixture(scope="module")
def served(host, name, connect, statuses, until):
    """An app that has answered, in two reports of statsd or more."""
    # The app is older than statsd: of what it says first, the kernel drops one datagram, to tell it
    # that an earlier one had found nobody (ECONNREFUSED of a connected socket, udp(7)).
    host.check_output("systemctl restart circus@shop")
    until(lambda: '"state": "serving"' in host.run("cat /run/shop/web-1.json").stdout)
    # nginx passes over a server that had failed for a while
    until(lambda: dict(request(connect, name, {"204": 1}, "ready")) == {"204": 1})
    dropped = drops(host)
    begun = Served(host.check_output("date --utc +%FT%TZ"), f"n{time.time_ns()}")
    assert request(connect, name, BEFORE, begun.word) == BEFORE
    until(statuses, lambda seen: sum(seen.values()) >= sum(BEFORE.values()))
    assert request(connect, name, AFTER, begun.word) == AFTER
    assert drops(host) == dropped
    return begun


def request(connect, name, wanted, word, method="GET"):
    """Ask the app for every status as often as wanted; how often it answers so."""
    seen = collections.Counter()
    with connect(name, "shop.test") as client:
        for code, number in wanted.items():
            for each in range(number):
                client.request(method, f"/{code}/{word}/{each}")
                answer = client.getresponse()
                answer.read()
                seen[str(answer.status)] += 1
    return seen


def drops(host):
    """Datagrams that the kernel could not keep for statsd."""
    return int(host.check_output("awk '$2 ~ /:1FBD$/ {print $NF}' /proc/net/udp"))


def test_four_count_the_same(host, name, served, logs, statuses, until):
    """nginx's log, the playbook logs, Graphite and Elasticsearch's interface."""

    def nginx():
        lines = host.check_output(
            f"grep --no-filename {served.word} /var/log/nginx/shop.access.log*"
        )
        return collections.Counter(
            str(json.loads(line)["http.response.status_code"]) for line in lines.splitlines()
        )

    def elasticsearch():
        commands = ["curl -sSf --output /dev/null --request POST $at/_refresh"]
        for code in TOTAL:
            terms = [{"term": {"http.response.status_code": int(code)}}]
            terms += [{"prefix": {"url.original": f"/{code}/{served.word}/"}}]
            query = json.dumps({"query": {"bool": {"filter": terms}}})
            kind = "Content-Type: application/json"
            more = rf"--write-out '\n' --header '{kind}' --data '{query}'"
            commands.append(f"curl -sSf {more} $at/_count")
        at = "at=http://127.0.0.1:9200/logs-twelvefactor-*; "
        told = host.run(at + " && ".join(commands))
        if told.rc != 0:  # before the first line there is no index
            return {}
        answers = [json.loads(line)["count"] for line in told.stdout.splitlines() if line]
        return dict(zip(TOTAL, answers, strict=True))

    def complete(seen):
        return sum(seen.values()) >= sum(TOTAL.values())

    # in the same second it was asked whether it is ready (204)
    told = logs(name, since=served.since)["apps"]["shop"]["statuses"]
    counts = {
        "nginx": until(nginx, complete),
        "logs": {code: number for code, number in told.items() if code != "204"},
        "graphite": until(statuses, complete),
        "elasticsearch": until(elasticsearch, complete),
    }
    assert counts == dict.fromkeys(counts, TOTAL)


def test_they_stay_as_many_in_coarser_steps(served, statuses, series, until):
    # beyond what is kept in steps of 5 s
    assert until(lambda: statuses("-2h"), lambda seen: seen == TOTAL) == TOTAL
    [points] = series("HOST.counters.shop.gunicorn.request.status.404.count", "-2h").values()
    assert points[1][1] - points[0][1] == 60


def test_requests_durations_and_what_the_app_counts(name, connect, served, series, until):
    assert request(connect, name, {"201": ORDERS}, served.word, "POST") == {"201": ORDERS}
    wanted = "HOST.counters.shop.orders.count"
    until(
        lambda: [total(points) for points in series(wanted).values()], lambda seen: seen == [ORDERS]
    )
    # gunicorn's timer, of which statsd makes a count and more; as many as there are answers, but for the one datagram
    # that the kernel dropped before the restart (see served), which can be of any of them. Health checks go on
    # between two questions.

    def counts():
        targets = (
            "counters.shop.gunicorn.request.status.*",
            "counters.shop.gunicorn.requests",
            "timers.shop.gunicorn.request.duration",
        )
        return [sum(map(total, series(f"HOST.{each}.count").values())) for each in targets]

    found = until(counts, lambda seen: max(seen) - min(seen) <= 1)
    assert min(found) >= sum(TOTAL.values()) + ORDERS - 1
    [longest] = series("HOST.timers.shop.gunicorn.request.duration.upper_95").values()
    assert total(longest) > 0
    [stock] = series("HOST.gauges.shop.stock").values()
    assert {value for value, _time in stock} == {None, 17}


def test_what_app_metrics_says_is_kept(name, series, until):
    """Within the hour that the host was set up in: the gauges of the apps of the host."""
    wanted = f"HOST.gauges.apps.{name}.shop.*"

    def seen():
        found = series(wanted, "-1h")
        return {target.split(".")[-1] for target, points in found.items() if total(points)}

    until(seen, lambda words: words >= {"healthy", "processes_up", "deploy_age_seconds"})


def test_nobody_without_a_password_gets_or_says_anything(graphite):
    for path in ("/", "/apps/", "/render?target=a", "/events/get_data", "/static/"):
        assert [graphite(path, login)[0] for login in ("", "reader:wrong")] == [401, 401]
    intruder = json.dumps({"what": "intruder"})
    assert graphite("/events/", "a:b", body=intruder)[0] == 401
    assert b"intruder" not in graphite("/events/get_data")[1]


def test_the_page_is_served_with_all_that_it_needs(graphite):
    page, style, script = (graphite(f"/apps/{path}")[1] for path in ("", "apps.css", "apps.js"))
    assert b'href="apps.css"' in page
    assert b'src="apps.js"' in page
    assert b"https:" not in page + style + script
    names = json.loads(graphite("/metrics/expand?query=*.*.counters.*")[1])["results"]
    assert "shop" in {found.split(".")[3] for found in names}


@pytest.mark.parametrize(("form", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_graphs_are_drawn(graphite, served, form, start):
    pairs = [("target", "sumSeries(*.*.counters.shop.gunicorn.request.status.*.count)")]
    pairs += [("target", 'color(drawAsInfinite(events("shop-good")),"green")')]
    pairs += [("format", form), ("from", "-20min")]
    code, picture = graphite(f"/render?{urllib.parse.urlencode(pairs)}")
    assert (code, picture.startswith(start), len(picture) > 3000) == (200, True, True)


def test_deploys_are_events(ask):
    def get(path):
        return json.loads(ask("monitoring-d12", GRAPHS, path, READER)[1])

    told = get("/events/get_data?tags=deploy+shop")
    assert [(event["what"], event["tags"]) for event in told] == [
        ("deploy of shop 1.0-aaaaaaaa", ["deploy", "shop", "shop-good"]),
        ("deploy of shop 2.0-bbbbbbbb failed", ["deploy", "shop", "shop-bad"]),
    ]
    assert told[0]["data"].split("\n") == ["by ops@controller", "on monitoring-d12"]
    assert told[1]["data"].split("\n")[2:] == ["monitoring-d12: answers 500"]
    for tag, number in (("shop-bad", 1), ("shop-never", 0)):
        query = urllib.parse.urlencode(
            {"target": f'events("{tag}")', "from": "-2h", "format": "json"}
        )
        [found] = get(f"/render?{query}")
        assert total(found["datapoints"]) == number


def test_services_have_no_privileges(host):
    units = ["statsd", "carbon-cache", "graphite-web"]
    told = json.loads(host.check_output(f"python3 -c '{PRIVILEGES}' {' '.join(units)}"))
    users = host.check_output("id --user statsd; id --user _graphite").split()
    assert told == {
        # numbers are carbon's alone to write
        "statsd": [[users[0]] * 4, 0, "1", "2", ["1", "1", "1", "1"]],
        "carbon-cache": [[users[1]] * 4, 0, "1", "2", ["1", "1", "1", "0"]],
        "graphite-web": [[users[1]] * 4, 0, "1", "2", ["1", "1", "1", "1"]],
    }


@pytest.mark.parametrize(
    "unit",
    [
        *("statsd", "carbon-cache", "graphite-web", "app-metrics", "prometheus-node-exporter"),
        *("log-shipping", "log-shipping-retention", "carbon-floor"),
    ],
)
def test_services_expose_little(host, exposure, unit):
    assert exposure(host, f"{unit}.service") < 2


def test_nothing_listens_for_others_but_carbon(host, name, addresses):
    shown = host.check_output("ss --no-header --listening --numeric --extended --udp --tcp")
    users = host.check_output("id --user statsd; id --user _graphite").split()
    ours = [line for line in shown.splitlines() if any(f" uid:{user} " in line for user in users)]
    assert {line.split()[4] for line in ours} == {
        f"{addresses[name]}:2003",
        "127.0.0.1:7002",
        "127.0.0.1:8125",
        "127.0.0.1:8126",
    }
    told = host.check_output(
        "stat --format '%U %G %a' /run/graphite-web /run/graphite-web/http.sock"
    )
    assert told.splitlines() == ["_graphite www-data 750", "_graphite www-data 770"]


def test_a_metric_takes_the_disk_that_its_numbers_need(host, served):
    command = "find /var/lib/graphite/whisper/stats -name '*.wsp' -printf '%b %s\\n'"
    found = [line.split() for line in host.check_output(command).splitlines()]
    sparse = [size for blocks, size in found if int(blocks) * 512 < int(size)]
    assert found
    assert len(sparse) > len(found) / 2


def test_no_metric_is_taken_while_the_disk_is_nearly_full(hosts, addresses, until):
    def write():
        """When carbon wrote the metric last on each host, after one more value of it."""
        for name in hosts:
            with socket.create_connection((addresses[name], 2003), timeout=60) as carbon:
                carbon.sendall(f"floor.known 1 {time.time():.0f}\n".encode())
        time.sleep(3)  # it writes every second
        command = "stat --format %Y /var/lib/graphite/whisper/floor/known.wsp"
        return [host.run(command).stdout for host in hosts.values()]

    until(write, all)
    for host in hosts.values():
        host.check_output("systemctl stop carbon-floor.timer carbon-floor.service")
        host.check_output(
            "runuser -u _graphite -- python3 /usr/local/lib/twelvefactor/graphite/disk_floor.py"
            " /var/lib/graphite/whisper 99999999999 /run/carbon-floor/blacklist"
        )
    try:
        until(lambda: write() == write())
    finally:
        for host in hosts.values():
            host.check_output("systemctl start carbon-floor.service carbon-floor.timer")
    until(lambda: not set(write()) & set(write()))


def test_names_that_nothing_is_said_of_are_forgotten(host):
    kept = host.check_output(
        "cd /var/lib/graphite/whisper && mkdir gone"
        " && touch --date '100 days ago' gone/old.wsp && touch --date '80 days ago' gone/new.wsp"
        " && systemd-tmpfiles --clean /etc/tmpfiles.d/graphite.conf && ls gone && rm -r gone"
    )
    assert kept == "new.wsp"


def test_without_carbon_the_app_serves_and_statsd_stays_small(
    host, hosts, name, connect, served, statuses, until
):
    known = statuses()
    keeper = hosts[KEEPER[name]]
    keeper.check_output("systemctl stop carbon-cache")
    try:
        assert request(connect, name, {"200": 20}, served.word) == {"200": 20}
        host.check_output(f"python3 -c '{FLOOD}'")
        [restarts, pid] = host.check_output(
            "systemctl show --property=NRestarts --property=MainPID --value statsd | sort --numeric"
        ).split()
        kilobytes = int(host.check_output(f"grep VmRSS /proc/{pid}/status").split()[1])
        assert (restarts, kilobytes < 200 << 10) == ("0", True)
    finally:
        keeper.check_output("systemctl start carbon-cache")
    up = "timeout 300 sh -c 'until ss -Hltn sport = :2003 | grep -q .; do sleep 0.5; done'"
    keeper.check_output(up)
    assert request(connect, name, {"418": 7}, served.word) == {"418": 7}
    seen = until(statuses, lambda seen: seen.get("418") == 7)
    # what was said while nobody kept it is lost, and nothing else
    assert seen | {"418": 7} == known | {"418": 7}


def test_no_datagram_ends_statsd(host, connect, name, served, statuses, until):
    known = statuses()
    hostile = ["constructor:1|ms", "__proto__:1|ms", "con%structor:1|s", "toString", "a:1|c|@ 1"]
    pid = host.check_output("systemctl show --property=MainPID --value statsd")
    for datagram in hostile:
        host.check_output(f'bash -c \'printf "%s" "{datagram}" > /dev/udp/127.0.0.1/8125\'')
    assert request(connect, name, {"451": 6}, served.word) == {"451": 6}
    seen = until(statuses, lambda seen: seen.get("451") == 6)
    assert seen | {"451": 6} == known | {"451": 6}
    assert host.check_output("systemctl show --property=MainPID --value statsd") == pid


def test_without_statsd_the_app_serves(host, name, connect, served, statuses, until):
    host.check_output("systemctl stop statsd")
    try:
        wanted = {"200": 20, "500": 2}
        assert request(connect, name, wanted, served.word) == wanted
    finally:
        listens = "until ss -Hlun sport = :8125 | grep -q .; do sleep 0.2; done"
        host.check_output(f"systemctl start statsd && timeout 300 sh -c '{listens}'")
    # of what it says first, the kernel drops one datagram, see above
    assert request(connect, name, {"204": 1}, served.word) == {"204": 1}
    assert request(connect, name, {"429": 4}, served.word) == {"429": 4}
    until(lambda: statuses().get("429"), lambda seen: seen == 4)
