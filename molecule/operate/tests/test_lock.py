# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deploy lock, taken by runs of ansible-playbook, on both hosts."""

import json
import os
import signal
import time

import pytest

# `make proof` has more of them
RUNS = 10 if os.environ.get("PROOF") else 4
PATH = "/var/lib/twelvefactor/locks/greeter.json"


# Runs are stopped and killed here, and what is left of them on the hosts counts.
pytestmark = pytest.mark.usefixtures("without_mitogen")


@pytest.fixture(autouse=True)
def nobody_holds_it(play, hosts):
    yield
    for host in hosts.values():
        host.check_output(f"rm -f {PATH}")


def locks(hosts):
    """Who holds the lock on each host."""
    found = {}
    for name, host in hosts.items():
        done = host.run(f"cat {PATH}")
        found[name] = json.loads(done.stdout) if done.rc == 0 else None
    return found


def wait_for_locks(hosts):
    deadline = time.monotonic() + 600
    while None in (found := locks(hosts)).values():
        assert time.monotonic() < deadline
    return found


def test_of_many_runs_at_once_one_wins(start, hosts, tmp_path):
    until = tmp_path / "until"
    runs = {n: start("hold.yml", reason=f"deploy {n}", until_file=str(until)) for n in range(RUNS)}
    deadline = time.monotonic() + 600
    while sum(run.poll() is not None for run in runs.values()) < RUNS - 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (winner,) = [n for n, run in runs.items() if run.poll() is None]
    held = wait_for_locks(hosts)
    until.touch()
    said = {n: run.communicate(timeout=3600)[0] for n, run in runs.items()}
    assert {n: run.returncode for n, run in runs.items() if run.returncode == 0} == {winner: 0}
    assert {lock["reason"] for lock in held.values()} == {f"deploy {winner}"}
    (run,) = {lock["run"] for lock in held.values()}
    told = f"(run {run}) since {held['operate-d12']['since']}, for 'deploy {winner}'"
    refusals = [said[n] for n in runs if n != winner]
    assert [told in refusal for refusal in refusals] == [True] * (RUNS - 1)
    assert set(locks(hosts).values()) == {None}


def test_a_killed_run_loses_it_once_nothing_of_it_is_left(play, start, hosts, tmp_path):
    until = tmp_path / "until"
    run = start("hold.yml", reason="deploy 1", until_file=str(until))
    held = wait_for_locks(hosts)["operate-d12"]
    assert held["process"]["pid"] == run.pid
    deadline = time.monotonic() + 600
    while not until.with_name("until.began").exists():  # between two tasks nothing else would live
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    # what executes its task goes on, and so might a migration
    refused = play("hold.yml", code=2, reason="deploy 2", until_file=str(until))
    assert f"(run {held['run']})" in refused.stderr
    until.touch()
    deadline = time.monotonic() + 600
    while (taken := play("hold.yml", code=None, reason="d", until_file=str(until))).returncode:
        assert time.monotonic() < deadline
    lock = json.loads(taken.stdout.splitlines()[0])
    assert lock["stolen_from"]["why"] == "dead"
    assert lock["stolen_from"]["run"] == held["run"]
    assert set(locks(hosts).values()) == {None}


def plant(hosts, ttl, **changes):
    """The lock of a run on a controller that nobody here knows."""
    for host in hosts.values():
        clock = host.check_output("cut -d' ' -f1 /proc/uptime")
        lock = {
            "owner": "ann@far-away",
            "run": "815x",
            "reason": "deploy 9",
            "ttl": ttl,
            "since": "2026-01-02T03:04:05Z",
            "boot": host.file("/proc/sys/kernel/random/boot_id").content_string.strip(),
            "heard": float(clock),
            "process": {
                "boot": "b",
                "namespace": "n",
                "pid": 5,
                "start": 6,
                "user": 0,
                "file": None,
            },
        } | changes
        host.check_output("install -d -m 700 /var/lib/twelvefactor/locks")
        host.check_output(f"cat > {PATH} <<'END'\n{json.dumps(lock)}\nEND")


def test_the_lock_of_a_controller_that_is_gone_expires(play, hosts):
    plant(hosts, ttl=600)
    refused = play("hold.yml", code=2, reason="deploy 1", until_file="/")
    assert "by ann@far-away (run 815x) since 2026-01-02T03:04:05Z, for 'deploy 9'" in refused.stderr
    assert "the lock expires in " in refused.stderr
    assert "twelvefactor.deploy.unlock -e app=greeter -e steal=true" in refused.stderr
    plant(hosts, ttl=1)
    time.sleep(1.5)
    taken = play("hold.yml", reason="deploy 1", until_file="/")
    assert json.loads(taken.stdout.splitlines()[0])["stolen_from"]["why"] == "expired"


def test_a_reboot_does_not_release_it(play, hosts):
    plant(hosts, ttl=10**7, boot="the boot before", heard=10**9)
    refused = play("hold.yml", code=2, reason="deploy 1", until_file="/")
    assert "by ann@far-away (run 815x)" in refused.stderr


def test_scaling_waits_for_no_deploy(play, hosts):
    plant(hosts, ttl=600)
    refused = play("scale", code=2, app="greeter", app_formation={"worker": 2})
    assert "greeter is locked on this host by ann@far-away" in refused.stderr
    assert {lock["run"] for lock in locks(hosts).values()} == {"815x"}


def test_a_run_that_has_lost_its_lock_changes_nothing_more(play, start, hosts, status):
    """It is between the canary and the other host when somebody takes its lock and deploys."""
    scratch = "/var/lib/greeter"
    held = {
        "after_switch": [
            {"command": f"touch {scratch}/began; until test -e {scratch}/go; do sleep 0.2; done"}
        ],
        "on_failure": [{"command": f"touch {scratch}/on_failure"}],
    }
    for host in hosts.values():
        host.check_output(f"rm -f {scratch}/began {scratch}/go {scratch}/on_failure")
    canary = hosts["operate-d12"]
    run = start("deploy", app="greeter", greeting="held", greeter_hooks=held)
    deadline = time.monotonic() + 180
    while not canary.file(f"{scratch}/began").exists:
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.2)
    late = {name: lock["generation"] for name, lock in locks(hosts).items()}
    play("unlock", app="greeter", steal=True)
    play("deploy", app="greeter", greeting="taken")
    before = status()["hosts"]
    # what the other run would do if it had asked for its lock a moment before that was taken
    refused = play("late.yml", generations=late).stdout
    assert refused.count("76: touch /var/lib/greeter/late") == len(hosts)
    canary.check_output(f"touch {scratch}/go")
    said = run.communicate(timeout=180)[0]
    assert run.returncode == 2
    assert "does not hold the lock of greeter on this host any more" in said
    for name in hosts:
        assert f"{name} was left as it is, and no hook was run there" in said
    after = status()["hosts"]
    for name, host in hosts.items():
        assert after[name]["records"] == before[name]["records"]
        assert after[name]["current"] == before[name]["current"]
        assert (after[name]["state"], after[name]["drift"]) == ("serving", [])
        assert "GREETING=taken" in host.file("/srv/greeter/current/env").content_string
        assert not host.file(f"{scratch}/on_failure").exists
    assert set(locks(hosts).values()) == {None}
    play("deploy", app="greeter")


def test_unlocking_by_hand(play, start, hosts, tmp_path):
    until = tmp_path / "until"
    run = start("hold.yml", reason="deploy 1", until_file=str(until))
    held = wait_for_locks(hosts)["operate-d12"]
    shown = play("status", app="greeter").stdout
    assert f"operate-d12 greeter: locked by {held['owner']} (run {held['run']}) since" in shown
    refused = play("unlock", code=2, app="greeter")
    assert f"(run {held['run']})" in refused.stderr
    assert None not in locks(hosts).values()
    done = play("unlock", app="greeter", steal=True)
    assert (
        f"operate-d13: released the lock that {held['owner']} (run {held['run']}) had held since"
        in done.stdout
    )
    assert set(locks(hosts).values()) == {None}
    assert "operate-d12: nobody held the lock" in play("unlock", app="greeter").stdout
    until.touch()
    said = run.communicate(timeout=3600)[0]
    assert run.returncode == 2
    assert "does not hold the lock of greeter on this host any more" in said


def test_the_app_can_neither_open_nor_hold_what_guards_its_releases(hosts):
    directory = "/var/lib/twelvefactor/flocks"
    for host in hosts.values():
        assert host.check_output(f"stat --format '%a %U' {directory}") == "700 root"
        assert host.file(f"{directory}/greeter-releases").exists
        opened = host.run(
            f"runuser --user greeter -- flock --shared {directory}/greeter-releases true"
        )
        assert opened.rc != 0
