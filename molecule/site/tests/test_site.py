# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet after a release and a rollback of the example app."""

import itertools
import json
import pathlib
import shlex

import pytest
import testinfra

testinfra_hosts = ["ansible://all"]


def group_of(host):
    return host.ansible.get_variables()["group_names"]


@pytest.fixture
def app_host(host):
    if "app" not in group_of(host):
        pytest.skip("runs no app")
    return host


@pytest.fixture
def proxy(host):
    if "proxy" not in group_of(host):
        pytest.skip("is no proxy")
    return host


def records(host, app):
    text = host.file(f"/srv/{app}/releases.jsonl").content_string
    told = [json.loads(line) for line in text.splitlines()]
    return [record for record in told if record["outcome"] != "pending"]


def serving(host, app):
    return host.file(f"/srv/{app}/current").linked_to.rpartition("/")[2]


def test_every_app_host_is_back_on_the_first_release(app_host):
    told = [(r["event"], r["outcome"]) for r in records(app_host, "guestbook")]
    assert told == [("deploy", "good"), ("deploy", "good"), ("rollback", "good")]
    first = records(app_host, "guestbook")[0]["release"]
    assert serving(app_host, "guestbook") == first
    assert first.startswith("1.0.0-")


@pytest.mark.parametrize("instance", ["web-1", "worker-1"])
def test_every_process_runs_it(app_host, instance):
    said = json.loads(app_host.file(f"/run/guestbook/{instance}.json").content_string)
    assert (said["state"], said["release"]) == ("serving", serving(app_host, "guestbook"))
    environ = app_host.file(f"/proc/{said['child']}/environ").content.split(b"\0")
    assert f"RELEASE_ID={said['release']}".encode() in environ


def test_releases_have_the_same_ids_on_every_host(app_host):
    """Debian 12 and 13 run another Python, and the same releases all the same."""
    ids = app_host.check_output("ls /srv/guestbook/releases").split()
    manifest = json.loads(
        app_host.file(f"/srv/guestbook/releases/{ids[0]}/release.json").content_string
    )
    # one of 1.1.0 was refused by its migration
    assert {name[:6] for name in ids} == {"1.0.0-", "1.1.0-"}
    assert manifest["python"].startswith(
        "3.13." if app_host.system_info.release.startswith("13") else "3.11."
    )


def test_the_apps_run_as_users_of_their_own(app_host):
    for app in ("guestbook", "radicale"):
        units = app_host.check_output(f"systemctl show --value --property User circus@{app}")
        assert units == app
    assert app_host.run("runuser -u radicale -- cat /srv/guestbook/current/env").rc != 0
    assert app_host.run("runuser -u radicale -- ls /run/circus-guestbook").rc != 0


def test_a_worker_runs_on_its_one_host_and_is_nothing_to_nginx(host):
    assert not host.file("/etc/nginx/certificates/ticker.pem").exists
    runs = host.ansible.get_variables()["inventory_hostname"] == "app2"
    assert host.user("ticker").exists is runs
    if runs:
        said = json.loads(host.file("/run/ticker/worker-1.json").content_string)
        assert (said["state"], said["release"]) == ("serving", serving(host, "ticker"))


ASK = """
import socket, ssl, sys
name, authorities = sys.argv[1:]
context = ssl.create_default_context(cafile=authorities)
with socket.create_connection((name, 443), 60) as plain:
    try:
        context.wrap_socket(plain, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        sys.exit(error.verify_message)
"""


def test_the_ca_of_the_index_is_trusted_for_the_index_alone(app_host):
    own = app_host.check_output("ls /etc/twelvefactor/ca")
    name = own.removesuffix(".pem")
    ask = f"python3 -c {shlex.quote(ASK)} {name}"
    app_host.check_output(f"{ask} /etc/twelvefactor/ca/{own}")
    assert app_host.run(f"{ask} /etc/ssl/certs/ca-certificates.crt").rc == 1


SCAN = """
import socket, sys
for port in range(1, 65536):
    with socket.socket() as client:
        client.settimeout(60)
        if not client.connect_ex((sys.argv[1], port)):
            print(port)
"""


def ports_in_the_readme(groups):
    """What its table says of a host in some groups."""
    readme = pathlib.Path(__file__).parents[3] / "README.md"
    table = readme.read_text().partition("| hosts | TCP ports | for |\n")[2].splitlines()[1:]
    rows = [row.split("|")[1:3] for row in itertools.takewhile(lambda row: row[:1] == "|", table)]
    return {
        int(port)
        for names, ports in rows
        if {name.strip() for name in names.split(",")} & {"all", *groups} and "if " not in names
        for port in ports.split(",")
    }


def test_a_port_scan_from_another_host_finds_what_the_readme_says(host):
    scanned = host.ansible.get_variables()
    name = "app1" if scanned["inventory_hostname"] == "proxy1" else "proxy1"
    other = testinfra.get_host(
        f"ansible://{name}", ansible_inventory=host.backend.ansible_inventory
    )
    found = other.check_output(f"python3 -c {shlex.quote(SCAN)} {scanned['ansible_host']}")
    # beside it the example's database
    database = {5432} if "index" in scanned["group_names"] else set()
    assert set(map(int, found.split())) == ports_in_the_readme(scanned["group_names"]) | database


def answer(host, domain, path):
    app = "guestbook" if domain == "guestbook.test" else "radicale"
    return host.check_output(
        f"curl --silent --show-error --fail --max-time 60 --resolve {domain}:443:127.0.0.1"
        f" --cacert /etc/nginx/certificates/{app}.trust.pem https://{domain}{path}"
    )


def test_the_proxy_serves_both_apps(proxy):
    proxy.check_output("command -v curl > /dev/null || apt-get -qq -y install curl > /dev/null")
    assert json.loads(answer(proxy, "guestbook.test", "/version"))["version"] == "1.0.0"
    assert "<title>" in answer(proxy, "calendar.test", "/.web/")


def test_both_app_hosts_answer_through_the_proxy(proxy):
    hosts = {json.loads(answer(proxy, "guestbook.test", "/version"))["host"] for _n in range(20)}
    assert hosts == {"app1", "app2"}


def test_an_unknown_name_is_turned_away(proxy):
    refused = proxy.run("curl --insecure --silent --max-time 60 https://127.0.0.1/")
    assert refused.rc == 35


INDEX_PAGE = """
import base64, netrc, ssl, sys, urllib.request as r
asked = r.Request("https://index1/company/prod/+simple/guestbook/")
if "login" in sys.argv:
    user, _account, password = netrc.netrc("/etc/twelvefactor/netrc").hosts["index1"]
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    asked.add_header("Authorization", f"Basic {login}")
trusted = ssl.create_default_context(cafile="/etc/twelvefactor/ca/index1.pem")
print(r.urlopen(asked, context=trusted).read().decode())
"""


def test_nobody_reads_the_index_without_the_login_that_only_root_has(app_host):
    refused = app_host.run("/usr/bin/python3 -c %s", INDEX_PAGE)
    assert "HTTP Error 401" in refused.stderr
    file = app_host.file("/etc/twelvefactor/netrc")
    assert (file.user, file.mode) == ("root", 0o600)


def test_a_private_name_does_not_come_from_the_public_index(app_host):
    page = app_host.check_output("/usr/bin/python3 -c %s login", INDEX_PAGE)
    assert "guestbook-1.0.0-" in page
    assert "guestbook-1.1.0-" in page
    assert "company/prod <a" in page
    assert "root/pypi <a" not in page
