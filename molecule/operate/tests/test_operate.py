# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a fleet, scale it and run commands on it. The tests follow each other on the same hosts."""

import http.client
import json
import re
import socket
import ssl
import threading
import time

import pytest

NAMES = ["operate-d12", "operate-d13"]


def pids(app):
    return {
        host: {name: process["pid"] for name, process in told["processes"].items()}
        for host, told in app["hosts"].items()
    }


def processes(app):
    return {host: sorted(told["processes"]) for host, told in app["hosts"].items()}


class Visitor:
    """Asks every host for a page all the time, one connection a request, and counts failures."""

    def __init__(self, addresses):
        self.ended = threading.Event()
        self.good, self.bad = 0, []
        self.threads = [threading.Thread(target=self._ask, args=(a,)) for a in addresses]

    def _ask(self, address):
        # which certificate nginx shows is not what this is about; the name is
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        while not self.ended.is_set():
            client = http.client.HTTPSConnection("greeter.test", timeout=60, context=context)
            # this host, whatever the name resolves to
            client._create_connection = lambda _to, *more: socket.create_connection(
                (address, 443), *more
            )
            try:
                client.request("GET", "/")
                answer = client.getresponse()
                body = answer.read()
                if answer.status == 200 and body.startswith(b"Hello world!"):
                    self.good += 1
                else:
                    self.bad.append((address, answer.status, body[:100]))
            except (OSError, http.client.HTTPException) as error:
                self.bad.append((address, repr(error)))
            finally:
                client.close()
            time.sleep(0.02)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


# --- status --------------------------------------------------------------------------------------


def test_status_shows_the_fleet_and_changes_nothing(play, fingerprints, monkeypatch):
    before = fingerprints()
    done = play("status", "-vvv", plain=False)
    assert re.findall(r"changed=(\d+)", done.stdout) == ["0", "0"]
    assert re.search(r"^ +operate-d12  greeter  ", done.stdout, re.MULTILINE)
    monkeypatch.setenv("ANSIBLE_CALLBACK_RESULT_FORMAT", "json")
    done = play("status", plain=False)
    assert re.search(r'^ +"operate-d12  greeter  .*",$', done.stdout, re.MULTILINE)
    lines = play("status").stdout.splitlines()
    assert " ".join(lines[0].split()) == "HOST APP RELEASE SINCE PROCESSES HEALTH LAST LOCK"
    for line, name in zip(lines[1:3], NAMES, strict=True):
        assert re.fullmatch(
            rf"{name}  greeter  \S+-[0-9a-f]{{8}}  [-0-9]+ [:0-9]+Z  web 1/1, worker 1/1"
            r"  serving  (deploy|scale) good",
            line,
        )
    assert [line.split() for line in lines[3:5]] == [[n, "later", "none", "absent"] for n in NAMES]
    assert lines[6].split() == ["HOST", "CERTIFICATE", "DAYS", "LEFT", "UNTIL"]
    for line, name in zip(lines[7:], NAMES, strict=True):
        assert re.fullmatch(rf"{name} +greeter +\d{{4}} +[-0-9]+ [:0-9]+Z", line)
    assert fingerprints() == before


def test_status_as_one_document(play):
    document = json.loads(play("status", output="json").stdout)
    greeter = document["apps"]["greeter"]
    assert (list(greeter["hosts"]), greeter["differs"]) == (NAMES, False)
    assert list(greeter["releases"].values()) == [NAMES]
    for told in greeter["hosts"].values():
        assert told["state"] == "serving"
        assert told["processes"]["web-1"]["answer"] == "GET /: 200 OK"
        assert told["records"][-1]["outcome"] == "good"
    assert {told["state"] for told in document["apps"]["later"]["hosts"].values()} == {"absent"}


def test_status_names_hosts_that_cannot_be_reached(play, tmp_path):
    lost = {"app": {"hosts": {"operate-lost": {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}
    (tmp_path / "lost.json").write_text(json.dumps(lost))
    done = play("status", f"--inventory={tmp_path / 'lost.json'}", code=4)
    assert re.search(r"^operate-lost +unreachable$", done.stdout, re.MULTILINE)
    assert re.search(r"^operate-lost: .*Connection refused", done.stdout, re.MULTILINE)
    assert done.stdout.count("  serving  ") == 2


def test_status_of_an_app_that_does_not_exist(play):
    done = play("status", code=2, app="shop")
    assert "The inventory has no app shop; it has greeter, later." in done.stderr


def test_status_tells_what_is_wrong(play, hosts, status):
    sick, broken = hosts["operate-d12"], hosts["operate-d13"]
    before = pids(status())
    web = before["operate-d12"]["web-1"]
    sick.check_output(f"pkill -STOP -P {web}; kill -STOP {web}")
    # not by way of the supervisor: it is what an accident would do
    broken.check_output("ln -sfn releases/9.9-00000000 /srv/greeter/current")
    try:
        lines = play("status", app="greeter").stdout.splitlines()
    finally:
        sick.check_output(f"kill -CONT {web}; pkill -CONT -P {web}")
        release = status()["hosts"]["operate-d12"]["current"]
        broken.check_output(f"ln -sfn releases/{release} /srv/greeter/current")
    assert "degraded" in lines[1]
    assert "9.9-00000000 *" in lines[2]
    notes = "\n".join(lines[4:])
    assert re.search(r"^\*greeter: hosts have different releases: ", notes, re.MULTILINE)
    assert "operate-d12 greeter: web-1: GET /: timed out" in notes
    assert "9.9-00000000, which is current, is not installed, or not to the end" in notes
    assert f"operate-d13 greeter: worker-1 runs {release} instead of 9.9-00000000" in notes
    after = status()
    assert {told["state"] for told in after["hosts"].values()} == {"serving"}
    assert pids(after) == before


# --- scale ---------------------------------------------------------------------------------------


def upstream(host):
    """The sockets that nginx spreads the app's requests over."""
    sites = "/etc/nginx/sites-enabled/greeter.conf"
    return host.check_output(f"grep -o 'web-[0-9].sock' {sites} | sort -u").split()


def test_scaling_touches_nothing_else_and_loses_no_request(play, hosts, status, addresses):
    first = status()
    before = pids(first)
    with Visitor(addresses) as visitor:
        done = play("scale", "-vvv", plain=False, app="greeter", app_formation={"worker": 3})
        assert (
            "operate-d12: greeter runs web 1, worker 3 instead of web 1, worker 1." in done.stdout
        )
        more = pids(status())
        play("scale", app="greeter", app_formation={"web": 3, "beat": 1})
        most = status()
        upstreams = {name: upstream(host) for name, host in hosts.items()}
        play("scale", app="greeter", app_formation={"web": 1, "beat": 0, "worker": 1})
        after = status()
    assert (visitor.bad, visitor.good > 100) == ([], True)
    for name, host in hosts.items():
        assert sorted(more[name]) == ["web-1", "worker-1", "worker-2", "worker-3"]
        assert more[name].items() >= before[name].items()
        assert pids(most)[name].items() > more[name].items()
        assert most["hosts"][name]["formation"] == {"beat": 1, "web": 3, "worker": 3}
        assert pids(after)[name] == before[name]
        assert upstreams[name] == ["web-1.sock", "web-2.sock", "web-3.sock"]
        assert upstream(host) == ["web-1.sock"]
        records = after["hosts"][name]["records"][-3:]
        assert {record["event"] for record in records} == {"scale"}
        assert {record["release"] for record in records} == {after["hosts"][name]["current"]}
        assert all("@" in record["by"] for record in records)
        assert after["hosts"][name]["since"] == first["hosts"][name]["since"]
        assert after["hosts"][name]["lock"] is None


def test_scaling_one_host_is_seen_as_drift(play, status):
    play("scale", "--limit=operate-d13", app="greeter", app_formation={"worker": 2})
    assert status()["formations"] == {
        "web 1, worker 1": ["operate-d12"],
        "web 1, worker 2": ["operate-d13"],
    }
    done = play("scale", plain=False, app="greeter", app_formation={"worker": 2})
    assert re.findall(r"changed=(\d+)", done.stdout) == ["1", "0"]
    done = play("scale", "--check", plain=False, app="greeter", app_formation={"worker": 1})
    assert re.findall(r"changed=(\d+)", done.stdout) == ["1", "1"]
    assert list(status()["formations"]) == ["web 1, worker 2"]
    play("scale", app="greeter", app_formation={"worker": 1})


def test_scaling_refuses(play, status):
    before = pids(status())
    for extra, says in (
        ({"app": "greeter"}, "how many processes of which types"),
        ({"app": "greeter", "app_formation": {"wurker": 2}}, "process type 'wurker'"),
        ({"app": "later", "app_formation": {"web": 1}}, "has no release of later yet"),
    ):
        assert says in play("scale", code=2, **extra).stderr
    after = status()
    assert pids(after) == before
    assert {told["lock"] for told in after["hosts"].values()} == {None}


# --- run -----------------------------------------------------------------------------------------


def outcomes(done):
    return json.loads(done.stdout)


def test_a_command_runs_once_with_the_releases_config_as_the_apps_user(play, status):
    asks = (
        "import os, sys; print(os.getuid() > 0, len(os.environ['TOKEN']), os.environ['RELEASE_ID'])"
    )
    wanted = {"app": "greeter", "command": f'python -c "{asks}"', "output": "json"}
    found = outcomes(play("run", **wanted))
    assert list(found) == ["operate-d12"]
    release = status()["hosts"]["operate-d12"]["current"]
    assert found["operate-d12"]["stdout"] == f"True 9 {release}"
    play("run", "-vvv", plain=False, **wanted)


@pytest.mark.usefixtures("without_mitogen")  # about which Ansible warns
def test_output_and_exit_code_of_every_host(play):
    command = "hostname; echo oops >&2; test $(hostname) != operate-d13"
    done = play("run", code=2, app="greeter", command=command, on="all")
    for lines in (
        ["== operate-d12: exit code 0", "operate-d12", "oops"],
        ["== operate-d13: exit code 1", "operate-d13", "oops"],
    ):
        assert "".join(f"{line}\n" for line in lines) in done.stdout
    assert done.stderr.strip() == ("operate-d13: failed: The command on operate-d13: exit code 1.")
    found = outcomes(play("run", code=2, app="greeter", command=command, on="all", output="json"))
    assert {host: one["rc"] for host, one in found.items()} == {"operate-d12": 0, "operate-d13": 1}
    assert {one["stderr"] for one in found.values()} == {"oops"}


def test_a_command_on_one_host(play):
    done = play("run", app="greeter", command="hostname", on="operate-d13")
    assert done.stdout.splitlines() == ["== operate-d13: exit code 0", "operate-d13"]


def test_hosts_work_at_the_same_time_and_until_the_time_is_over(play, hosts):
    wanted = {"app": "greeter", "command": "sleep 600 & sleep 600", "on": "all", "run_timeout": 10}
    done = play("run", code=2, **wanted, output="json")
    first, second = outcomes(done).values()
    assert max(first["start"], second["start"]) < min(first["end"], second["end"])
    assert "The command on operate-d13: did not end within 10 s." in done.stderr
    for host in hosts.values():
        assert host.run("pgrep -u greeter -f 'sleep 600'").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "extra", "says"),
    [
        ([], {"app": "greeter"}, "Nothing was run."),
        (["-e", "command=ls -l"], {"app": "greeter"}, "left -l aside; quote it once more"),
    ],
    ids=["no-command", "cut-at-a-blank"],
)
def test_running_refuses(play, arguments, extra, says):
    done = play("run", *arguments, code=2, **extra)
    assert says in done.stderr
    assert done.stdout == ""


@pytest.mark.usefixtures("without_mitogen")  # which has a sudo of its own
def test_sudo_with_a_password(play, hosts, tmp_path):
    for host in hosts.values():
        host.check_output(
            "set -e; id deployer || useradd --create-home --shell /bin/sh --groups sudo deployer;"
            " echo deployer:open-sesame | chpasswd;"
            " install -d -o deployer -m 700 ~deployer/.ssh;"
            " install -o deployer -m 600 ~ops/.ssh/authorized_keys ~deployer/.ssh/"
        )
    (tmp_path / "password").write_text("open-sesame\n")
    # not the connections of the other user
    who = {"ansible_user": "deployer", "ansible_control_path": "%(directory)s/%%r-%%h"}
    call = {"app": "greeter", "command": "id -un", "on": "all", "output": "json"}
    done = play("run", f"--become-password-file={tmp_path / 'password'}", **who, **call)
    assert {one["stdout"] for one in outcomes(done).values()} == {"greeter"}
    assert "open-sesame" not in done.stdout + done.stderr
    refused = play("run", code=2, **who, **call)
    assert "password" in refused.stderr
    shown = play("status", code=2, **who)
    assert re.search(r"^operate-d12 +unknown$", shown.stdout, re.MULTILINE)
    assert re.search(r"^operate-d12: .*password", shown.stdout, re.MULTILINE)
