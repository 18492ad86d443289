# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that came every two seconds, over three deploys, a rollback and the end of all schedules."""

import itertools
import json

import pytest

CHOSEN = "processes-d12"


@pytest.fixture
def name(host):
    return host.check_output("hostname")


@pytest.fixture
def switches(host):
    """When each switch was over, and to which release."""
    lines = host.check_output("cat /root/switches").splitlines()
    return [(float(at), release) for at, release in map(str.split, lines)]


@pytest.fixture
def jobs(host):
    """Moment, release and process of each job's begin and end."""
    lines = host.check_output("cat /var/lib/clock/ticks").splitlines()
    return [(float(at), release, pid, what) for at, release, pid, what in map(str.split, lines)]


@pytest.fixture
def told(host):
    return json.loads(host.check_output("cat /root/told.json"))


def test_no_job_was_killed(jobs, name):
    begun = [(release, pid) for _at, release, pid, what in jobs if what == "begin"]
    ended = [(release, pid) for _at, release, pid, what in jobs if what == "end"]
    print(f"{name}: {len(begun)} jobs")
    assert len(begun) >= 10
    assert sorted(begun) == sorted(ended)


def test_no_time_had_two_jobs(jobs):
    """They come on even seconds; one that had to wait for a switch is followed by the next time."""
    begun = [at for at, _release, _pid, what in jobs if what == "begin"]
    assert [what for *_job, what in jobs] == ["begin", "end"] * (len(jobs) // 2)
    # as many as there were times at most, the first and the last included
    assert len(begun) <= (begun[-1] - begun[0]) / 2 + 2


def test_no_job_began_with_the_release_before(jobs, switches):
    begun = [(at, release) for at, release, _pid, what in jobs if what == "begin"]
    for at, release in begun:
        serving = [switched for moment, switched in switches if moment <= at]
        after = [switched for moment, switched in switches if moment > at]
        # until a switch has been noted a job may be one of the release that is noted next
        assert release in (serving[-1:] + after[:1] or [release])
    deployed = [release for release, _ in itertools.groupby(release for _, release in switches)]
    assert [release for release, _ in itertools.groupby(release for _, release in begun)][
        : len(deployed)
    ] == deployed
    assert len(set(deployed)) == 4
    assert deployed[4] == deployed[2]


def test_a_job_keeps_its_release_over_all_deploys(host, switches):
    first = switches[0][1]
    begun, ended = host.check_output("head --lines=2 /var/lib/clock/long").splitlines()
    assert begun == first
    assert ended == f"still /srv/clock/releases/{first}/venv"
    assert first in host.check_output("cat /root/kept").split()


def test_a_job_that_does_not_end_is_ended(told):
    late = told["schedules"]["late"]
    # one more may be under way
    assert late["runs"] - 1 <= late["failures"] <= late["runs"]
    assert late["failures"] >= 3
    assert late["succeeded"] is None


def test_results_are_told(told, switches):
    tick = told["schedules"]["tick"]
    assert tick["release"] == switches[-1][1]
    assert tick["failures"] == 0
    assert tick["runs"] >= 10
    assert told["schedules"]["long-run"]["outcome"] == "running"


def test_one_host_runs_what_one_is_enough_for(host, name, told):
    units = host.check_output("cat /root/units")
    assert ("schedule-clock@only.timer" in units) is (name == CHOSEN)
    assert ("only" in told["schedules"]) is (name == CHOSEN)
    assert "schedule-clock@tick.timer" in units


def test_what_a_release_does_not_have_is_gone(host):
    # its exit code differs between versions where there are none
    assert host.run("systemctl list-unit-files --no-legend 'schedule-*'").stdout == ""
    left = host.check_output("ls /etc/systemd/system /var/lib/systemd/timers")
    assert "schedule-clock" not in left


def test_the_journal_of_the_app_has_the_results(host):
    journal = "journalctl --namespace clock --quiet --output cat --identifier"
    assert "success after" in host.check_output(f"{journal} clock/tick")
    assert "timeout after" in host.check_output(f"{journal} clock/late")


def test_the_logs_have_what_jobs_write(host, told):
    [event] = json.loads(host.check_output("cat /root/logged.json"))["apps"]["clock"]["events"]
    assert event["message"] == "the clock ticks"
    assert event["processes"] == {"tick": event["count"]}
    # one may have begun since
    assert event["count"] >= told["schedules"]["tick"]["runs"]


def test_a_job_has_the_sandbox_and_a_process_its_variables(host):
    assert host.check_output("stat --format %U /var/lib/clock/ticks") == "clock"
    assert host.check_output("sort --unique /var/lib/clock/worker").split("\n") == [
        "owl 1", "owl 2", "owl 3", "owl 4",
    ]  # fmt: skip
    assert host.check_output("jq --version").startswith("jq")
