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
PROCFILE = "/srv/greeter/current/Procfile"
# A process in the app's unit that keeps a log of its own, one outside of it, and a file of its release. Each is what it
# is by when systemd-run returns; which hierarchies of cgroups there are depends on the machine.
TAMPER = f"""set -eu
chown greeter {PROCFILE}
systemd-run --quiet --service-type=exec --unit=stray --uid=greeter sleep 4243
systemd-run --quiet --service-type=exec --unit=stray-log --uid=greeter \\
    --property=StandardOutput=append:/srv/stray.log sleep 4244
pid=$(systemctl show --value --property=MainPID stray-log)
for procs in $(find /sys/fs/cgroup -path '*/circus@greeter.service/cgroup.procs'); do
    echo "$pid" > "$procs"
done
test "$(grep -o '[^/]*service$' "/proc/$pid/cgroup" | tail -n 1)" = circus@greeter.service
"""
MEND = f"systemctl stop stray stray-log; rm -f /srv/stray.log; chown %s {PROCFILE}"


def verdicts(document, app="greeter"):
    return {each["factor"]: each["verdict"] for each in document["apps"][app]}


@pytest.fixture
def tampered(hosts):
    host = hosts["operate-d13"]
    owner = host.check_output(f"stat --format=%u {PROCFILE}")
    try:
        host.run_expect([0], TAMPER)
        yield
    finally:
        host.run_expect([0], MEND % owner)


def test_an_app_where_all_is_well(play, fingerprints, tmp_path):
    before = fingerprints()
    file = tmp_path / "audit.json"
    done = play("audit", app="greeter", audit_strict=True, audit_to=str(file))
    document = json.loads(file.read_text())
    unsure = {factor for factor, each in verdicts(document).items() if each != "ok"}
    assert unsure <= MAY_BE_UNKNOWN, done.stdout
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
    found_in = {name for name, each in found.items() if each["verdict"] == "finding"}
    assert found_in == evidence.keys(), done.stderr
    for factor, text in evidence.items():
        assert found[factor]["evidence"].startswith("operate-d13: ")
        assert text in found[factor]["evidence"]
        assert f"greeter, {factor}: operate-d13: " in done.stderr


def test_hosts_that_are_lost_and_check_mode(play, tmp_path):
    lost = {"app": {"hosts": {"operate-lost": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}
    (tmp_path / "lost.json").write_text(json.dumps(lost))
    file = tmp_path / "audit.json"
    inventory = f"--inventory={tmp_path / 'lost.json'}"
    done = play("audit", inventory, "--check", code=4, audit_to=str(file), output="json")
    assert not file.exists()
    document = json.loads(done.stdout)
    assert set(verdicts(document).values()) == {"unknown"}
    assert set(verdicts(document, "later").values()) == {"unknown"}
    for each in document["apps"]["greeter"]:
        assert "Connection refused" in each["hosts"]["operate-lost"]["evidence"]
        assert {each["hosts"][name]["verdict"] for name in NAMES} <= {"ok", "unknown"}
