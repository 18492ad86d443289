# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of an app where all is well, and of one that somebody has tampered with."""

import json

import pytest

NAMES = ["operate-d12", "operate-d13"]
CANARY = "canary-a1"
# not observed of this app: it has neither a commit nor a URL, and its record no deploy over another one
MAY_BE_UNKNOWN = {"codebase", "backing services", "disposability"}
# A process in the app's unit that keeps a log of its own, one outside of it, and a file of its release.
TAMPER = """set -eu
chown greeter /srv/greeter/current/Procfile
systemd-run --quiet --unit=stray --uid=greeter sleep 4243
systemd-run --quiet --unit=stray-log sh -c '
  echo $$ > /sys/fs/cgroup'$(systemctl show --value --property=ControlGroup circus@greeter)'/cgroup.procs
  exec setpriv --reuid=greeter --regid=greeter --clear-groups sleep 4244 >> /srv/stray.log'
until pgrep --uid greeter -f 'sleep 4244'; do sleep 0.1; done
"""
MEND = """
systemctl stop stray
pkill -f 'sleep 4244'
rm -f /srv/stray.log
chown root /srv/greeter/current/Procfile
"""


def verdicts(document, app="greeter"):
    return {each["factor"]: each["verdict"] for each in document["apps"][app]}


@pytest.fixture
def tampered(hosts):
    hosts["operate-d13"].run_expect([0], TAMPER)
    yield
    hosts["operate-d13"].run(MEND)


def test_an_app_where_all_is_well(play, fingerprints, tmp_path):
    before = fingerprints()
    file = tmp_path / "audit.json"
    done = play("audit", app="greeter", audit_strict=True, audit_to=str(file))
    document = json.loads(file.read_text())
    assert {factor for factor, each in verdicts(document).items() if each != "ok"} <= MAY_BE_UNKNOWN
    assert document["counts"]["finding"] == 0, done.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert CANARY not in file.read_text()
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:13]] == [
        ["greeter", str(number)] for number in range(1, 13)
    ]
    assert fingerprints() == before


@pytest.mark.usefixtures("tampered")
def test_what_somebody_has_tampered_with(play):
    done = play("audit", code=2, app="greeter", audit_strict=True, output="json")
    document = json.loads(done.stdout)
    found = {each["factor"]: each for each in document["apps"]["greeter"]}
    evidence = {
        "build, release, run": "such as Procfile",
        "processes": "/srv/stray.log by sleep",
        "logs": "/srv/stray.log by sleep",
        "admin processes": "sleep in stray.service",
    }
    for factor, text in evidence.items():
        assert found[factor]["verdict"] == "finding"
        assert found[factor]["evidence"].startswith("operate-d13: ")
        assert text in found[factor]["evidence"]
        assert f"greeter, {factor}: operate-d13: " in done.stderr
    assert document["counts"]["finding"] == len(evidence)


def test_hosts_that_are_lost_and_check_mode(play, tmp_path):
    lost = {"app": {"hosts": {"operate-lost": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}
    (tmp_path / "lost.json").write_text(json.dumps(lost))
    file = tmp_path / "audit.json"
    inventory = f"--inventory={tmp_path / 'lost.json'}"
    done = play("audit", inventory, "--check", audit_to=str(file), output="json")
    assert not file.exists()
    document = json.loads(done.stdout)
    assert set(verdicts(document).values()) == {"unknown"}
    assert set(verdicts(document, "later").values()) == {"unknown"}
    for each in document["apps"]["greeter"]:
        assert "Connection refused" in each["hosts"]["operate-lost"]["evidence"]
        assert {each["hosts"][name]["verdict"] for name in NAMES} <= {"ok", "unknown"}
