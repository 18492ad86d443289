# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the fleet, made after a deploy and a rollback, and opened in Chromium."""

import http.client
import json
import pathlib
import re
import socket
import ssl
import sys
import tarfile
import time

import pytest

ROOT = pathlib.Path(__file__).parents[3]
PICTURES = ROOT / "build" / "report"
NAMES = ["operate-d12", "operate-d13"]
ASKED = 20  # times a host, between the deploys
SCRIPT = "<script>document.title='run'</script>"
VIEWS = [(width, scheme) for width in (360, 768, 1200, 1600) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What the tests hand on to each other: page.html, logs.json, status.json."""
    return tmp_path_factory.mktemp("report")


def ask(addresses):
    """Ask every host for a page, and once for one that only nginx answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for address in addresses:
        client = http.client.HTTPSConnection("greeter.test", timeout=60, context=context)
        client._create_connection = lambda _to, *more, to=address: socket.create_connection(
            (to, 443), *more
        )
        for _number in range(ASKED):
            client.request("GET", "/")
            assert client.getresponse().read().startswith(b"Hello world!")
        client.close()


def moment():
    """The next full second, and not before it."""
    now = int(time.time()) + 1
    time.sleep(now - time.time())
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def test_it_changes_nothing_but_the_page(play, hosts, addresses, place, status):
    first = moment()
    ask(addresses)
    play("deploy", app="greeter", greeting="moin")
    ask(addresses)
    play("rollback", app="greeter")
    ask(addresses)
    at = time.strftime("%Y-%m-%d %H:%M:%S,000", time.gmtime())
    line = f"{at} ERROR Cannot greet {SCRIPT}"
    hosts["operate-d13"].check_output("echo %s >> /var/log/greeter/web-1.log", line)
    wanted = {"since": first, "until": moment()}
    (place / "logs.json").write_text(play("logs", output="json", **wanted).stdout)
    (place / "status.json").write_text(json.dumps(status()))
    lost = {"app": {"hosts": {"operate-lost": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}
    (place / "lost.json").write_text(json.dumps(lost))
    call = {**wanted, "report_output": str(place / "page.html"), "report_title": "Greetings & more"}
    inventory = f"--inventory={place / 'lost.json'}"
    play("report", inventory, "--check", plain=False, code=4, **call)
    assert not (place / "page.html").exists()
    done = play("report", inventory, "-vvv", plain=False, code=4, **call)
    # the page itself is written on the controller, by the first host's name
    assert re.findall(r"changed=(\d+)", done.stdout) == ["1", "0", "0"]
    assert (place / "page.html").stat().st_mode & 0o777 == 0o600


def test_a_time_that_is_none_and_an_app_that_does_not_exist(play, place):
    nowhere = str(place / "nowhere.html")
    done = play("report", code=2, since="soon", report_output=nowhere)
    assert "Invalid time since='soon'" in done.stderr
    done = play("report", code=2, app="shop", report_output=nowhere)
    assert "The inventory has no app shop; it has greeter, later." in done.stderr
    assert not pathlib.Path(nowhere).exists()


@pytest.fixture(scope="module")
def example(place):
    """The page of a made-up fleet, of which README.md shows a picture."""
    sys.path[:0] = [str(ROOT / "build" / "collections"), str(ROOT / "tests")]
    from ansible_collections.twelvefactor.deploy.plugins.filter.report import report_page
    from report import fleet

    path = place / "example.html"
    path.write_text(report_page(fleet.documents(), now=fleet.UNTIL))
    return path


def test_in_a_browser(play, place, example):
    results = place / "found.tar.gz"
    pages = {"page": str(place / "page.html"), "example": str(example)}
    play("browse.yml", pages=pages, results=str(results))
    with tarfile.open(results) as archive:
        archive.extractall(PICTURES, filter="data")
    for name in pages:
        found = json.loads((PICTURES / f"{name}.json").read_text())
        assert found["console"] == []
        assert found["requests"] == [f"file:///tmp/browsed/{name}.html"]
        assert [(view["width"], view["scheme"]) for view in found["views"]] == VIEWS
        for view in found["views"]:
            assert (view["too_wide"], view["texts"] > 100) == (0, True), view
            assert view["contrasts"][0][0] >= 4.5, view
        assert [each for each in found["names"] if not each[1]] == []
        kinds = {role for role, _name in found["names"]}
        assert {"image", "table", "region", "link", "navigation", "figure"} <= kinds
        for width, scheme in VIEWS:
            picture = PICTURES / name / f"{width}-{scheme}.png"
            assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_page_says_what_status_and_logs_say(place):
    found = json.loads((PICTURES / "page.json").read_text())
    tables, text = found["tables"], " ".join(found["text"].split())
    status = json.loads((place / "status.json").read_text())
    logs = json.loads((place / "logs.json").read_text())["apps"]["greeter"]
    assert logs["requests"] >= 3 * ASKED * len(NAMES)
    assert re.match(r"Greetings & more, [-0-9]+ [:0-9]+ UTC", found["title"])
    # hosts
    rows = {row[0]: row[1:] for row in tables["app-1-hosts"][1:]}
    assert list(rows) == NAMES
    for name, told in status["hosts"].items():
        since = told["since"].replace("T", " ").removesuffix("Z")
        assert rows[name] == ["✓ serving", told["current"], since, "web 1, worker 1", "none"]
    assert "operate-lost unreachable: " in text
    assert "In the inventory, and on no host yet: later." in text
    # requests
    rows = {row[0]: row[1:] for row in tables["app-1-releases"][1:]}
    assert rows.keys() == {each["release"] for each in logs["releases"]}
    for each in logs["releases"]:
        assert rows[each["release"]][0] == str(each["requests"])
        p95 = each["latency"]["p95"]
        assert rows[each["release"]][7] == f"{p95:.{1 if p95 < 9.95 else 0}f} ms"
    assert sum(int(row[1]) for row in tables["app-1-timeline"][1:]) == logs["requests"]
    for code, number in logs["statuses"].items():
        assert f"{code} {number} " in text
    # deploys, the latest first
    back, forth = tables["app-1-deploys"][1:3]
    current = status["hosts"][NAMES[0]]["current"]
    (other,) = {each["release"] for each in logs["releases"]} - {current, "(nginx)"}
    assert back[1].startswith(f"rollback {current}after {other}by ")
    assert forth[1].startswith(f"deploy {other}after {current}by ")
    assert (back[2], forth[2]) == ("✓ good2 of 2 hosts",) * 2
    of = {}
    for each in logs["stretches"]:
        of[each["release"], each["since"] == status["hosts"][each["host"]]["since"]] = (
            of.get((each["release"], each["since"] == status["hosts"][each["host"]]["since"]), 0)
            + each["requests"]
        )
    assert forth[-1] == f"{of[current, False]} → {of[other, False]}"
    assert back[-1] == f"{of[other, False]} → {of[current, True]}"
    assert all(
        re.fullmatch(r"[\d.]+ m?s → [\d.]+ m?s.*", cell) for cell in (*back[4:7], *forth[4:7])
    )
    # errors, as text
    assert [row[1:3] for row in tables["app-1-errors"][1:] if SCRIPT in row[0]] == [
        ["1", f"{current}: 1"]
    ]
    # processes
    rows = {(row[1], row[0]): row[2:] for row in tables["app-1-processes"][1:]}
    assert rows.keys() == {(host, name) for host in NAMES for name in ("web-1", "worker-1")}
    for row in rows.values():
        assert (row[0], row[1]) == ("✓ serving", current)
        assert re.fullmatch(r"[\d.]+ [KM]iB", row[3]), row
        assert row[4] == "0"
    # the twelve factors, as the playbook audit has them of those that answered
    factors = {row[0]: row[1] for row in tables["app-1-factors"][1:]}
    assert len(factors) == 12
    assert (factors["2 dependencies"], factors["11 logs"]) == ("✓ ok", "✓ ok")
    # packages, certificates, disk
    packages = dict(tables["app-1-packages-1"][1:])
    assert packages["gunicorn"] == current.rpartition("-")[0]
    assert sorted(row[:2] for row in tables["certificates-table"][1:]) == [
        ["greeter", name] for name in NAMES
    ]
    assert [row[0] for row in tables["disk-table"][1:]] == NAMES
    assert all(re.search(r"greeter [\d.]+ MiB", row[4]) for row in tables["disk-table"][1:])
