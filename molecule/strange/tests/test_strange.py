# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each app says something of its own through nginx, from the second release, with what it kept before."""

import json

import pytest

testinfra_hosts = ["ansible://app"]

RUNS = {
    "strange-d12": {"errors": 2, "datasette": 1, "httpbin": 1, "marimo": 1},
    "strange-d13": {"httpbin": 1, "kinto": 1, "notebook": 1},
}
WEBSOCKET = (
    "--http1.1 --include --max-time 2 --header 'Connection: Upgrade' --header 'Upgrade: websocket'"
    " --header 'Sec-WebSocket-Version: 13' --header 'Sec-WebSocket-Key: c3RyYW5nZXN0cmFuZ2Vycw=='"
)


@pytest.fixture
def runs(host):
    """How many processes of which apps."""
    return RUNS[host.ansible.get_variables()["inventory_hostname"]]


@pytest.fixture
def ask(host, runs):
    """What an app answers to curl, by its site in nginx."""

    def ask(app, path, options="--fail", expect=(0,)):
        if app not in runs:
            pytest.skip("runs on the other host")
        return host.run_expect(
            list(expect),
            f"curl --silent --show-error --cacert /etc/nginx/certificates/{app}.trust.pem"
            f" --resolve {app}.test:443:127.0.0.1 {options} 'https://{app}.test{path}'",
        ).stdout

    return ask


def test_every_process_serves_the_second_release(host, runs):
    for app, count in runs.items():
        current = host.check_output(f"readlink /srv/{app}/current").rpartition("/")[2]
        assert "STEP=2\n" in host.file(f"/srv/{app}/current/env").content_string
        paths = host.check_output(f"ls /run/{app}/*.json").split()
        found = [json.loads(host.file(path).content_string) for path in paths]
        serving = {"state": "serving", "release": current}
        assert [each | serving for each in found] == found
        assert len(found) == count


def test_wsgi_app_knows_its_url(ask):
    assert json.loads(ask("httpbin", "/get?a=1"))["url"] == "https://httpbin.test/get?a=1"


def test_asgi_app_shows_a_config_file(ask):
    assert "<title>Strange dashboard</title>" in ask("marimo", "/")


def test_app_with_its_own_server_has_its_database(ask):
    assert "data" in [each["name"] for each in json.loads(ask("datasette", "/-/databases.json"))]


def test_websocket_goes_through(host, ask):
    token = host.run("sed -n s/^JUPYTER_TOKEN=//p /srv/notebook/current/env").stdout.strip()
    # curl waits until its time is over
    said = ask(
        "notebook",
        "/api/events/subscribe",
        f"{WEBSOCKET} --header 'Authorization: token {token}'",
        expect=(28,),
    )
    assert said.startswith("HTTP/1.1 101 ")


def test_worker_and_web_share_two_databases(ask, host):
    assert "csrfmiddlewaretoken" in ask("errors", "/accounts/login/")
    for name in ("db", "snappea"):
        assert host.file(f"/var/lib/errors/{name}.sqlite3").user == "errors"


def test_postgresql_has_what_was_written(ask):
    options = "--fail --user somebody:secret"
    ask("kinto", "/v1/buckets/strange", f"{options} --request PUT")
    assert json.loads(ask("kinto", "/v1/buckets/strange", options))["data"]["id"] == "strange"
