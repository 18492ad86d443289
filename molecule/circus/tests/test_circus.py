# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role circus with an app: an operator's commands, the sandbox, and what comes back by itself."""

import json
import os
import re
import shlex
import time

import pytest

ASK = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/bell/web-1.sock');"
ASK += " s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(s.makefile().read())"


# `make proof` has more of them
ROTATIONS, LINES = (40, 1_000_000) if os.environ.get("PROOF") else (6, 10_001)
INSTANCES = ("web-1", "beat-1", "scribe-1")


def status(host, instance="web-1"):
    return json.loads(host.file(f"/run/bell/{instance}.json").content_string)


def statuses(host):
    """What every process says, by one look."""
    files = " ".join(f"/run/bell/{instance}.json" for instance in INSTANCES)
    told = host.check_output(f"sed -s '$s/$/\\n/' {files}")
    return [json.loads(line) for line in told.splitlines() if line]


def inside(host):
    """What runs a command as the app's processes do: their user and their namespaces."""
    uid, gid = host.check_output("echo $(id -u bell) $(id -g bell)").split()
    child = statuses(host)[0]["child"]
    return f"nsenter --target {child} --user --mount --setuid {uid} --setgid {gid} --"


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (seen := condition()):
        assert time.monotonic() < deadline
    return seen


def answer(host):
    done = host.run(f'/usr/bin/python3 -c "{ASK}"')
    return done.stdout.strip().rpartition("\n")[2] if done.rc == 0 else ""


def reload(host, target, command="systemctl reload circus@bell"):
    """Let every process move to the release, as an operator does it; what each says at the end."""
    before = {told["instance"]: told["hups"] for told in statuses(host)}
    host.check_output(f"ln -sfn releases/{target} /srv/bell/current && {command}")

    def ended():
        told = statuses(host)
        over = [
            each["state"] == "serving"
            and each["hups"] > before[each["instance"]]
            and each["move"]["hups"] == each["hups"]
            for each in told
        ]
        return all(over) and told

    return until(ended)


def serving(host):
    """Whether every process serves."""
    return all(told["state"] == "serving" for told in statuses(host))


def move(host, target, command="systemctl reload circus@bell"):
    assert {told["release"] for told in reload(host, target, command)} == {target}
    assert answer(host) == f"ding {target} {target}"


def test_the_unit_is_enabled_and_runs_as_the_app(host):
    service = host.service("circus@bell")
    assert service.is_enabled
    assert service.is_running
    assert set(host.check_output("ps -u bell -o comm=").split()) >= {"circusd", "python3", "sleep"}
    assert host.check_output("ps -C circusd -o user=").split() == ["bell"]


def test_the_app_does_not_reach_its_users_processes_outside_of_the_unit(host):
    """A migration sees a file system that is not read-only, and the app could write through it."""
    reach = "test -e /proc/$outside/root/etc/passwd"
    host.check_output(
        "runuser -u bell -- sleep 600 > /dev/null 2>&1 &"
        " until outside=$(pgrep --uid bell --full '^sleep 600$'); do sleep 0.2; done;"
        f" runuser -u bell -- {reach} && {inside(host)} test -e /etc/passwd && ! {inside(host)} {reach};"
        " found=$?; kill $outside; exit $found"
    )


def test_its_environment_is_roots_and_others_run_it(host):
    assert host.check_output("readlink /opt/circus").startswith("circus.d/3.")
    theirs = "find /opt/circus.d -not -user root -o -not -type l -perm /022"
    assert host.check_output(theirs) == ""
    version = "runuser --user nobody -- /opt/circus/bin/circusd --version"
    assert host.check_output(version) == "0.19.0"


def test_the_pivot_is_roots_and_whole(host):
    place = "/usr/local/lib/twelvefactor/pivot"
    assert re.fullmatch(rf"{place}-[0-9a-f]{{12}}", host.check_output(f"readlink -f {place}"))
    # it was compiled when it was installed, and apps that have started it have added nothing
    assert host.check_output(f"find {place}-* -not -user root -o -perm /022") == ""
    files = "find {}/ -name '*.{}' | wc -l"
    assert host.check_output(files.format(place, "pyc")) == host.check_output(
        files.format(place, "py")
    )


@pytest.mark.parametrize(
    "command",
    [
        "systemctl reload circus@bell",
        "/opt/circus/bin/circusctl --endpoint ipc:///run/circus-bell/control.sock reload",
    ],
)
def test_an_operator_moves_every_process_to_current(host, command):
    move(host, "two" if answer(host).endswith("one") else "one", command)
    assert len(host.check_output("pgrep --uid bell sleep").split()) == 1


@pytest.mark.parametrize(
    ("release", "rotate", "read"),
    [
        pytest.param(
            "one",
            "logrotate --force /etc/logrotate.instances/bell",
            # the oldest first: a line may begin in one file and end in the next
            "zcat --force $(ls -rv /var/log/bell/scribe-1.log*)",
            id="files",
        ),
        pytest.param(
            "two",
            "journalctl --namespace=bell --rotate",
            "journalctl --namespace=bell --unit=circus@bell --identifier=bell/scribe-1 --output=cat",
            id="journal",
        ),
    ],
)
def test_no_line_is_lost_while_logs_are_rotated(host, release, rotate, read):
    """At full speed; every line is there once."""
    move(host, release)
    lines = f"{read} | grep -x 'line [0-9]*'"
    told = host.check_output(
        f"""set -e; cd /var/lib/bell; rm -f written; touch write
        for number in $(seq {ROTATIONS}); do sleep 0.1; {rotate}; done
        while test $({lines} | wc -l) -lt {LINES}; do sleep 1; done
        rm write; until test -e written; do sleep 0.1; done
        # what was written last is still on its way
        for look in $(seq 120); do
            test $({lines} | wc -l) -lt $(cat written) || break
            sleep 1
        done
        echo $(cat written) $({lines} | wc -l) $({lines} | sort -u | wc -l)"""
    )
    written, found, different = map(int, told.split())
    print(f"{release}: {written} lines written during {ROTATIONS} rotations, {different} found")
    assert (found, different) == (written, written)
    assert written > 10_000


def test_a_release_that_does_not_start_is_refused(host):
    served = answer(host)
    host.check_output("cp -r /srv/bell/releases/one /srv/bell/releases/broken")
    host.check_output("echo 'import nothing_like_this' > /srv/bell/releases/broken/bell.py")
    web, *_others = reload(host, "broken")
    assert web["move"]["outcome"] == "refused"
    assert "exit code 1" in web["move"]["reason"]
    assert "No module named 'nothing_like_this'" in str(web["move"]["output"])
    assert answer(host) == served
    move(host, served.split()[-1])
    host.check_output("rm -r /srv/bell/releases/broken")


@pytest.mark.parametrize("victim", ["child", "pid"])
def test_a_process_that_was_killed_comes_back(host, victim):
    before = status(host)
    host.check_output(f"kill -KILL {before[victim]}")
    until(lambda: status(host)["child"] not in (None, before["child"]) and serving(host))
    assert answer(host)


def test_a_process_that_hangs_is_replaced(host):
    """Under load; nobody's request goes to it from then on. Within 15 s, on a machine that has time."""
    before = status(host)
    # a request that the hung process has taken ends in nothing, and its client asks again
    ask = f'timeout 30 /usr/bin/python3 -c "{ASK}" || true'
    host.check_output(
        f"""touch /run/ringing; for client in 1 2 3; do
        (while test -e /run/ringing; do {ask}; done) > /run/rung.$client 2>&1 < /dev/null & done"""
    )
    until(lambda: host.check_output("cat /run/rung.* | grep -c '^HTTP' || test $? = 1") != "0")
    began = time.monotonic()
    host.check_output(f"kill -STOP {before['child']}")
    told = until(lambda: (now := status(host))["child"] != before["child"] and now)
    took = time.monotonic() - began
    assert answer(host)
    told = until(lambda: (now := status(host))["replacements"] > before["replacements"] and now)
    host.check_output("rm /run/ringing")
    print(f"hung, and another one served after {took:.1f} s")
    assert took < 15 or not os.environ.get("PROOF")
    assert (told["state"], told["pid"]) == ("serving", before["pid"])
    assert told["replacements"] == before["replacements"] + 1
    assert told["replacement"]["outcome"] == "done"
    assert host.run(f"test -e /proc/{before['child']}").rc == 1
    until(lambda: host.run("pgrep --full '^timeout 30 /usr/bin/python3'").rc == 1)
    host.check_output("rm /run/rung.*")


def test_nobody_else_reaches_the_control_socket(host):
    directory = host.file("/run/circus-bell")
    assert (directory.user, directory.mode) == ("bell", 0o700)
    assert host.run("runuser -u nobody -- ls /run/circus-bell").rc != 0
    assert host.check_output("ss -Htlnp | grep -c circusd || test $? = 1") == "0"


def test_the_sandbox_is_in_force(host):
    """What the processes themselves can do, not what the unit file says."""
    pid, app = status(host)["child"], inside(host)
    host.check_output("install -d -o bell /srv/bell/releases/own")
    host.check_output("runuser -u bell -- touch /srv/bell/releases/own/x")
    for path in ("/srv/bell/releases/own/x", "/etc/x", "/usr/x"):
        assert "Read-only file system" in host.run(f"{app} touch {path}").stderr
    host.check_output("rm -r /srv/bell/releases/own")
    for path in ("/var/lib/bell/x", "/run/bell/x", "/var/log/bell/x"):
        host.check_output(f"{app} touch {path} && {app} rm {path}")
    assert "ops" in host.check_output("runuser -u bell -- ls /home").split()
    assert host.run(f"{app} ls /home").stdout == ""
    told = host.file(f"/proc/{pid}/status").content_string
    assert re.search(r"CapEff:\s+0+$", told, re.MULTILINE)
    assert re.search(r"NoNewPrivs:\s+1$", told, re.MULTILINE)
    assert re.search(r"Seccomp:\s+2$", told, re.MULTILINE)


COMMAND_IN_THE_SANDBOX = """
touch /etc/x || touch /var/lib/bell/x && rm /var/lib/bell/x
grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status
printf '%s\\n' "$0" "$@" >&2
ls /home
ls -A /tmp
sleep 700 > /dev/null 2>&1 < /dev/null &
exit 7
"""


def test_a_command_runs_in_the_same_sandbox(host):
    """As the app, with its words as they are, and nothing of it is left."""
    words = ["$HOME $$", "%n", "", "two\nlines", "'"]
    host.check_output("touch /tmp/of-the-host")
    command = shlex.join(["app-exec", "bell", "sh", "-c", COMMAND_IN_THE_SANDBOX, *words])
    ended = host.run(f"echo | {command}")
    assert ended.rc == 7
    assert "Read-only file system" in ended.stderr
    assert "\n".join(words) in ended.stderr
    assert "cannot open directory '/home'" in ended.stderr
    # nor is anything of the host in its /tmp
    rights = ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]
    assert ended.stdout.splitlines() == rights
    # the one that beat-1 runs is another
    assert host.run("pgrep --uid bell --full '^sleep 700$'").rc == 1
    show = "systemctl show --property PrivateUsers,MemoryMax,TasksMax,LogNamespace"
    units = f"app-exec bell sleep 60 & until {show} 'app-exec-bell-*' | grep .; do sleep 0.2; done; kill $!"
    assert host.check_output(units) == host.check_output(f"{show} circus@bell")
    until(lambda: host.run("pgrep --uid bell --full '^sleep 60$'").rc == 1)


def test_a_command_of_an_app_that_is_not_there_is_refused(host):
    refused = host.run("app-exec nobody id")
    assert (refused.rc, refused.stdout) == (1, "")
    assert "nobody has no sandbox on this host" in refused.stderr


def test_an_upgrade_of_packages_restarts_no_app(host):
    """As needrestart reads it, wherever it is installed."""
    script = """
        our %nrconf; do "/etc/needrestart/conf.d/twelvefactor.conf" or die;
        for my $unit ("circus\\@bell.service", "cron.service") {
            print "$unit $_\\n" for grep { $unit =~ $_ } keys %{$nrconf{override_rc}};
        }
    """
    matching = host.check_output(f"perl -e {shlex.quote(script)}")
    assert [line.split()[0] for line in matching.splitlines()] == ["circus@bell.service"]


def test_the_unit_exposes_little(host, exposure):
    assert exposure(host, "circus@bell.service") <= 1.5


def test_a_process_may_open_many_files(host):
    limits = host.file(f"/proc/{status(host)['child']}/limits").content_string
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    soft, hard = map(int, line.split()[3:5])
    # a container may have been given less
    most = int(host.file("/proc/1/limits").content_string.split("Max open files")[1].split()[1])
    assert soft == min(65536, most)
    assert hard == min(524288, most)


def test_one_process_without_memory_does_not_end_the_others(host):
    assert host.check_output("systemctl show --value -p OOMPolicy circus@bell") == "continue"


def test_an_app_takes_no_more_of_the_host_than_its_limits(host):
    """Of the kernel's part of it only what a container has: the unit says what systemd was told."""
    shown = host.check_output(
        "systemctl show --property MemoryMax,TasksMax,CPUWeight,OOMScoreAdjust circus@bell"
    )
    assert dict(line.split("=") for line in shown.splitlines()) == {
        "MemoryMax": str(1 << 30),
        "TasksMax": "1000",
        "CPUWeight": "100",
        "OOMScoreAdjust": "500",
    }
    child = status(host)["child"]
    assert host.file(f"/proc/{child}/oom_score_adj").content_string.strip() == "500"


def test_an_app_has_a_shared_memory_of_its_own(host):
    app, own = inside(host), "/dev/shm/of-the-app"
    host.check_output("touch /dev/shm/of-the-host")
    host.check_output(f"{app} touch {own}")
    assert host.check_output(f"{app} ls /dev/shm") == "of-the-app"
    assert host.run(f"ls {own}").rc != 0
    full = host.run(f"{app} dd if=/dev/zero of={own} bs=1M count=65")
    assert "No space left on device" in full.stderr
    host.check_output(f"{app} rm {own}")
    host.check_output("rm /dev/shm/of-the-host")


def test_stopping_leaves_nothing_behind(host):
    host.check_output("systemctl stop circus@bell")
    assert host.run("pgrep --uid bell").stdout == ""
    assert host.check_output("find /run/bell -type s -o -type l") == ""
    host.check_output("systemctl start circus@bell")
    until(lambda: serving(host))
    assert answer(host)
