# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role app leaves on a host, after the deploys and refusals of side_effect.yml."""

import json
import re
import time

SOCKET = "/run/radicale/web-1.sock"


def status(host):
    return json.loads(host.file("/run/radicale/web-1.json").content_string)


def records(host):
    text = host.file("/srv/radicale/releases.jsonl").content_string
    told = [json.loads(line) for line in text.splitlines()]
    return [record for record in told if record["outcome"] != "pending"]


def test_the_process_runs_the_current_release_as_the_apps_user(host):
    current = host.file("/srv/radicale/current").linked_to.rpartition("/")[2]
    said = status(host)
    assert (said["state"], said["release"]) == ("serving", current)
    environ = host.file(f"/proc/{said['child']}/environ").content.split(b"\0")
    assert f"RELEASE_ID={current}".encode() in environ
    assert b'COLOUR=it\'s "canary-a1" $HOME' in environ
    users = host.check_output("ps -C gunicorn,circusd,python3 -o user= | sort -u").split()
    assert "radicale" in users
    assert host.process.get(pid=said["child"]).user == "radicale"


def test_every_line_of_its_output_says_where_it_comes_from(host):
    current = host.file("/srv/radicale/current").linked_to.rpartition("/")[2]
    lines = host.file("/var/log/radicale/web-1.log").content_string.splitlines()
    events = [json.loads(line) for line in lines]
    assert {(event["service.name"], event["process.name"]) for event in events} == {
        ("radicale", "web-1")
    }
    child = status(host)["child"]
    mine = [event for event in events if event["process.pid"] == child]
    assert {event["service.version"] for event in mine} == {current}
    assert any("Booting worker" in event["message"] for event in mine)


def test_a_release_can_log_to_the_journal(host):
    """The second one of side_effect.yml; its last words are where its successor writes."""
    deployed = [record for record in records(host) if record["event"] == "deploy"]
    second = [record["release"] for record in deployed if record["outcome"] == "good"][-1]
    told = host.check_output(
        "journalctl --namespace radicale --unit circus@radicale --identifier radicale/web-1 --output cat"
    )
    events = [json.loads(line) for line in told.splitlines()]
    booted = [event for event in events if "Booting worker" in event["message"]]
    assert {event["service.version"] for event in booted} == {second}
    lines = host.file("/var/log/radicale/web-1.log").content_string.splitlines()
    assert second not in {
        event["service.version"]
        for event in map(json.loads, lines)
        if "Booting worker" in event["message"]
    }


def test_nothing_of_refused_releases_runs_and_no_socket_is_left(host):
    sockets = host.check_output("find /run/radicale -name '*.sock' -type s").split()
    assert SOCKET in sockets
    assert len({host.check_output(f"stat --format=%i {path}") for path in sockets}) == 1
    assert "nothere" not in host.check_output("ps -C gunicorn -o args=")
    assert host.check_output("ps -eo stat= | grep -c Z || test $? = 1") == "0"


def test_the_record_tells_what_happened(host):
    told = [(record["event"], record["outcome"]) for record in records(host)]
    assert told[0] == ("deploy", "good")
    assert told.count(("deploy", "bad")) == 2
    assert told[-1] == ("rollback", "good")
    reasons = [record["reason"] for record in records(host) if record["outcome"] == "bad"]
    assert "exit code" in reasons[0]
    assert "404" in reasons[1]


def test_nginx_serves_it_by_tls(host):
    answer = host.check_output(
        "curl --silent --show-error --fail --max-time 60"
        " --cacert /etc/nginx/certificates/radicale.trust.pem"
        " --resolve calendar.test:443:127.0.0.1 https://calendar.test/.web/"
    )
    assert "<title>" in answer


def test_the_migration_ran_once_per_release_on_one_host(host):
    ran = host.file("/var/lib/radicale/migrations")
    if not ran.exists:  # on the other host, then
        assert host.backend.get_hostname() != "app-d12"
        return
    lines = ran.content_string.split()
    assert len(lines) == len(set(lines)) == 2


def test_config_is_readable_for_the_app_and_nobody_else(host):
    env = host.file("/srv/radicale/current/env")
    assert (env.user, env.group, env.mode) == ("root", "radicale", 0o640)
    assert host.run("runuser -u www-data -- cat /srv/radicale/current/env").rc != 0
    assert host.run("runuser -u www-data -- ls /run/circus-radicale").rc != 0
    assert host.run("runuser -u radicale -- cat /srv/radicale/current/env").rc == 0


def test_the_app_cannot_change_its_code_or_what_serves(host):
    """What its processes see, mounts included: nothing is writable but its own places."""
    uid, gid = host.check_output("echo $(id -u radicale) $(id -g radicale)").split()
    app = (
        f"nsenter --target {status(host)['child']} --user --mount --setuid {uid} --setgid {gid} --"
    )
    done = host.run(f"{app} find / -xdev -writable -not -type l -not -path '/proc/*'")
    writable = {*done.stdout.split()}
    allowed = ("/run/radicale", "/var/lib/radicale", "/var/log/radicale", "/tmp", "/var/tmp")
    assert "/var/lib/radicale" in writable
    assert {path for path in writable if not path.startswith(allowed)} == set()
    mounts = host.file(f"/proc/{status(host)['child']}/mountinfo").content_string
    assert re.search(r" /run/radicale \S*nosymfollow", mounts)
    assert host.run("runuser -u radicale -- ln -sfn x /srv/radicale/current").rc != 0
    assert host.run("runuser -u radicale -- touch /srv/radicale/current/env").rc != 0


def test_the_app_cannot_change_any_release_nor_what_they_are_installed_from(host):
    """Outside of its sandbox, too, where migrations and hooks run."""
    found = host.check_output(
        "find /srv/radicale -path /srv/radicale/cache -prune -o -not -type l -printf '%u:%g %m %P\\n'"
    )
    files = [line.split(" ", 2) for line in found.splitlines()]
    assert {owner for owner, _mode, _path in files} == {
        "root:radicale",
        "root:root",
        "twelvefactor-install:radicale",
    }
    # only what a job holds so that its release is kept
    private = {
        (mode, path.rpartition("/")[2]) for owner, mode, path in files if owner == "root:root"
    }
    assert private == {("600", "in-use")}
    assert [path for _owner, mode, path in files if int(mode, 8) & 0o022] == []
    assert len(host.check_output("ls /srv/radicale/releases").split()) >= 2
    done = host.run("runuser -u radicale -- find /srv/radicale -writable -not -type l")
    assert done.stdout == ""
    for path in host.check_output(
        "ls -d /srv/radicale/releases/*/venv/lib/python3*/site-packages"
    ).split():
        for attempt in (
            f"touch {path}/x",
            f"sh -c 'echo >> {path}/radicale/__init__.py'",
            f"mv {path} {path}.old",
        ):
            assert host.run(f"runuser -u radicale -- {attempt}").rc != 0
        assert host.run(f"runuser -u nobody -- ls {path}").rc != 0
    cache = host.file("/srv/radicale/cache")
    assert (cache.user, cache.group, cache.mode) == ("twelvefactor-install", "radicale", 0o700)
    for attempt in (
        "ls /srv/radicale/cache",
        "touch /srv/radicale/cache/x",
        "mv /srv/radicale/cache /srv/radicale/c",
    ):
        assert host.run(f"runuser -u radicale -- {attempt}").rc != 0


def test_one_off_commands_run_with_the_releases_config(host):
    said = host.check_output(
        "runuser -u radicale -- /srv/radicale/current/bin/run"
        """ python -c 'import os, radicale; print(os.environ["COLOUR"], os.environ["RELEASE_ID"])'"""
    )
    current = host.file("/srv/radicale/current").linked_to.rpartition("/")[2]
    assert said == f'it\'s "canary-a1" $HOME {current}'


def test_an_operator_reloads_without_ansible(host):
    before = status(host)
    host.check_output("systemctl reload circus@radicale")
    deadline = time.monotonic() + 120
    while status(host)["generation"] == before["generation"]:
        assert time.monotonic() < deadline
    assert status(host)["release"] == before["release"]


def test_the_app_comes_back_after_its_supervisor_was_killed(host):
    unit = host.check_output("systemctl show --value --property MainPID circus@radicale")
    host.check_output(f"kill -KILL {unit}")
    host.check_output(
        f"timeout 120 sh -c 'until curl --silent --fail --max-time 20 --unix-socket {SOCKET}"
        " http://calendar.test/.web/ > /dev/null; do sleep 0.1; done'"
    )
    assert host.service("circus@radicale").is_running
