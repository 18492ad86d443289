# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that takes errors, and what apps, deploys and people have of it."""

from __future__ import annotations

import json
import pathlib
import shlex
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from testinfra.host import Host

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
VARS = yaml.safe_load((SCENARIO / "vars" / "main.yml").read_text())
SHOP, WIKI = VARS["bugsink_projects"]
SECRETS = [
    VARS["bugsink_secret_key"],
    VARS["bugsink_password"],
    *(project[kind] for project in (SHOP, WIKI) for kind in ("key", "token")),
]
CA = VARS["host_ca"]
CURL = f"curl --silent --max-time 120 --cacert {CA}"
SERVICES = ["bugsink.service", "bugsink-snappea.service"]
MIGRATION = "bugsink-migrate.service"


def name_of(host: Host) -> str:
    return str(host.backend.get_hostname())


def ask(host: Host, token: str, path: str) -> Any:
    address = shlex.quote(f"https://{name_of(host)}/api/canonical/0/{path}")
    return json.loads(
        host.check_output(f"{CURL} --header 'Authorization: Bearer {token}' {address}")
    )


def wait_for(what: Callable[[], Any], seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def property_of(host: Host, unit: str, name: str) -> str:
    return str(host.check_output(f"systemctl show --property {name} --value {unit}"))


def main_pid(host: Host, unit: str) -> str:
    return property_of(host, unit, "MainPID")


def fail_in_app(host: Host, project: dict[str, Any], requests: int, text: str) -> None:
    """Requests that fail, of an app whose environment is all that it knows."""
    env = {
        "SENTRY_DSN": f"https://{project['key']}@{name_of(host)}/{project['id']}",
        "SENTRY_RELEASE": "shop@20260102T000000Z-1.2",
        "SENTRY_ENVIRONMENT": "production",
        "SSL_CERT_FILE": CA,
    }
    given = " ".join(f"{key}={shlex.quote(value)}" for key, value in env.items())
    host.check_output(
        f"env -i {given} {VARS['sdk_python']} /opt/app/app.py {requests} {shlex.quote(text)} 300"
    )


# --- events --------------------------------------------------------------------------------------


def issue(host: Host, project: dict[str, Any], text: str) -> dict[str, Any] | None:
    path = f"issues/?project={project['id']}&sort=last_seen&order=desc"
    found = ask(host, project["token"], path)["results"]
    return next((known for known in found if text in known["calculated_value"]), None)


def test_errors_of_an_app_arrive_with_release_and_environment(host: Host) -> None:
    fail_in_app(host, SHOP, 1, "out of stock")
    found = wait_for(lambda: issue(host, SHOP, "out of stock"))
    assert found["calculated_type"] == "RuntimeError"
    (event, *_rest) = ask(host, SHOP["token"], f"events/?issue={found['id']}")["results"]
    data = ask(host, SHOP["token"], f"events/{event['id']}/")["data"]
    assert data["release"] == "shop@20260102T000000Z-1.2"
    assert data["environment"] == "production"
    assert data["server_name"] == host.check_output("hostname")


def test_no_more_events_are_kept_than_asked_for(host: Host) -> None:
    def digested() -> dict[str, Any] | None:
        (project,) = ask(host, WIKI["token"], "projects/")["results"]
        return project if project["digested_event_count"] >= before + 30 else None

    (project,) = ask(host, WIKI["token"], "projects/")["results"]
    before = project["digested_event_count"]
    fail_in_app(host, WIKI, 30, "again and again")
    found = wait_for(digested)
    assert 0 < found["stored_event_count"] <= WIKI["events"]


# --- releases ------------------------------------------------------------------------------------


def test_releases_that_were_told_are_listed(host: Host) -> None:
    path = f"releases/?project={SHOP['id']}"
    known = {release["version"] for release in ask(host, SHOP["token"], path)["results"]}
    assert {"shop@20260101T000000Z-1.0", "shop@20260101T000001Z-1.1"} <= known


# --- projects, tokens and people -----------------------------------------------------------------


@pytest.mark.parametrize("project", [SHOP, WIKI], ids=["shop", "wiki"])
def test_the_dsn_is_the_one_that_was_given(host: Host, project: dict[str, Any]) -> None:
    (shown,) = ask(host, project["token"], "projects/")["results"]
    assert shown["dsn"] == f"https://{project['key']}@{name_of(host)}/{project['id']}"
    assert shown["name"] == project["name"]


@pytest.mark.parametrize("path", ["releases/?project=7", "issues/?project=7", "teams/"])
def test_a_token_is_for_its_own_project(host: Host, path: str) -> None:
    assert "results" not in ask(host, SHOP["token"], path)
    assert "detail" in ask(host, SHOP["token"], path)


def log_in(host: Host, password: str) -> str:
    """The status of a login as a browser does it: 302 is one, 200 shows the form again."""
    address = f"https://{name_of(host)}/accounts/login/"
    script = f"""
        jar=$(mktemp)
        form=$({CURL} --cookie-jar $jar {address})
        word=$(printf %s "$form" | sed -n 's/.*csrfmiddlewaretoken" value="\\([^"]*\\).*/\\1/p' | head -n 1)
        {CURL} --cookie $jar --referer {address} --output /dev/null --write-out '%{{http_code}}' \\
            --data-urlencode "csrfmiddlewaretoken=$word" \\
            --data-urlencode username={VARS["bugsink_administrator"]} \\
            --data-urlencode password={shlex.quote(password)} {address}
    """
    return str(host.check_output(script))


def test_the_administrator_logs_in(host: Host) -> None:
    assert log_in(host, VARS["bugsink_password"]) == "302"
    assert log_in(host, "wrong") == "200"


def test_passwords_cannot_be_tried_without_end(host: Host) -> None:
    address = f"https://{name_of(host)}/accounts/login/"
    urls = " ".join([address] * 40)
    codes = host.check_output(f"{CURL} --output /dev/null --write-out '%{{http_code}} ' {urls}")
    assert "429" in codes.split()
    wait_for(
        lambda: (
            "429"
            not in host.check_output(
                f"{CURL} --output /dev/null --write-out '%{{http_code}}' {address}"
            )
        )
    )


def test_plain_http_is_redirected(host: Host) -> None:
    said = host.check_output(f"curl --silent --max-time 120 --head http://{name_of(host)}/")
    assert f"location: https://{name_of(host)}/" in said.lower()


# --- the host ------------------------------------------------------------------------------------


def test_it_runs_and_does_at_boot(host: Host) -> None:
    units = " ".join(["bugsink.socket", MIGRATION, *SERVICES, "bugsink-vacuum.timer"])
    assert host.check_output(f"systemctl is-active {units}").split() == ["active"] * 5
    assert host.check_output(f"systemctl is-enabled {units}").split() == ["enabled"] * 5


@pytest.mark.parametrize("unit", [*SERVICES, MIGRATION, "bugsink-vacuum.service"])
def test_the_sandbox_is_tight(
    host: Host, exposure: Callable[[Host, str], float], unit: str
) -> None:
    assert exposure(host, unit) < 2


@pytest.mark.parametrize("unit", SERVICES)
def test_the_sandbox_is_in_force(host: Host, unit: str) -> None:
    pid = main_pid(host, unit)
    status = dict(
        line.split(":\t", 1)
        for line in host.file(f"/proc/{pid}/status").content_string.splitlines()
    )
    assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)) == ("1", "2", 0)
    said = host.check_output(
        f"""stat --format=%U /proc/{pid}
        runuser --user bugsink -- touch /proc/{pid}/root/var/lib/bugsink/inside && rm /var/lib/bugsink/inside
        for folder in /etc/probe /opt/probe /var/lib/probe; do
        install --directory --owner bugsink $folder
        runuser --user bugsink -- env LC_ALL=C touch /proc/{pid}/root$folder/inside 2>&1 || :
        done
        rm -r /etc/probe /opt/probe /var/lib/probe"""
    ).splitlines()
    assert said[0] == "bugsink"
    assert ["Read-only file system" in line for line in said[1:]] == [True] * 3


def test_what_answers_may_speak_to_its_socket_alone(host: Host) -> None:
    shown = "systemctl show --value --property RestrictAddressFamilies --property PrivateNetwork"
    assert host.check_output(f"{shown} bugsink.service").split() in (
        ["yes", "AF_UNIX"],
        ["AF_UNIX", "yes"],
    )


def test_only_nginx_may_connect(host: Host) -> None:
    assert host.check_output("stat --format='%U %a' /run/bugsink.sock") == "www-data 600"


def test_files_belong_to(host: Host) -> None:
    wanted = """\
/etc/bugsink root:bugsink 750
/etc/bugsink/settings.json root:bugsink 640
/var/lib/bugsink bugsink:bugsink 700
/var/lib/bugsink/db.sqlite3 bugsink:bugsink 600
/opt/bugsink root:root 755"""
    paths = " ".join(line.split()[0] for line in wanted.splitlines())
    assert host.check_output(f"stat --format '%n %U:%G %a' {paths}") == wanted


def test_the_program_is_not_its_own_to_change(host: Host) -> None:
    assert host.check_output("find /opt/bugsink -not -user root -o -not -type l -perm /022") == ""


def test_old_events_are_removed_every_night(host: Host) -> None:
    host.check_output("systemctl start bugsink-vacuum.service")
    assert "Vacuuming old events" in host.check_output(
        "journalctl --unit bugsink-vacuum.service --no-pager"
    )


def test_the_databases_are_migrated_at_the_first_run_only(host: Host) -> None:
    assert len(host.check_output("ls /var/lib/bugsink/migrated-*").splitlines()) == 1


def test_nothing_works_with_the_databases_while_they_are_migrated(host: Host) -> None:
    """systemd sees to that, whoever starts the migration."""
    before = [main_pid(host, unit) for unit in SERVICES]
    host.check_output(f"rm /var/lib/bugsink/migrated-* && systemctl restart {MIGRATION}")
    host.check_output(f"systemctl start {' '.join(SERVICES)}")
    journal = f"journalctl --unit {MIGRATION} --no-pager --output cat --lines 20"
    assert "Running migrations" in host.check_output(journal)
    ended = int(property_of(host, MIGRATION, "ExecMainExitTimestampMonotonic"))
    for unit, pid in zip(SERVICES, before, strict=True):
        assert main_pid(host, unit) != pid
        assert int(property_of(host, unit, "ExecMainStartTimestampMonotonic")) > ended


def test_the_log_holds_no_secret(host: Host) -> None:
    # sudo tells what the tests themselves run.
    journal = host.check_output("journalctl --boot --no-pager --output short | grep -v ' sudo\\['")
    assert "bugsink" in journal
    assert [secret for secret in SECRETS if secret in journal] == []


def test_the_play_shows_no_secret() -> None:
    """At the highest verbosity, while it foresees that it would set another password."""
    inventory = SCENARIO.parents[1] / "build" / "hosts" / f"molecule-{SCENARIO.name}"
    play = subprocess.run(
        [
            "ansible-playbook",
            "-vvvv",
            "--check",
            "--diff",
            f"--inventory={inventory / 'inventory.yml'}",
            "--limit=sentry-d12",
            "--extra-vars=bugsink_password=canary-other-password",
            str(SCENARIO / "converge.yml"),
        ],
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    output = play.stdout + play.stderr
    assert play.returncode == 0, output[-2000:]
    assert "administrator ops@sentry.test has the password that was given" in output
    # Ansible itself repeats its command line.
    said = "\n".join(line for line in output.splitlines() if not line.startswith("extra_vars:"))
    hidden = [*SECRETS, "canary-other-password"]
    assert [secret for secret in hidden if secret in said] == []
