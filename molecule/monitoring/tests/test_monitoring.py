# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers equal the truth, whoever tells them, and a limit that is crossed makes a message."""

import json
import re
import socket
import time

import pytest

READER = "reader:rep0rts"
RELEASE = "1.0-aaaaaaaa"
STATE = "/var/lib/app-metrics"
PLUGINS = [
    "app_health",
    "app_processes",
    "app_memory",
    "app_restarts",
    "app_gate",
    "app_deploy",
    "circus",
    "circus_memory",
    "certificates",
    "nginx_connections",
    "nginx_requests",
    "nginx_answers",
]


@pytest.fixture(scope="module")
def name(host):
    return host.backend.get_hostname()


def look(host):
    """Have it look now; all numbers by name, each a list of labels and value."""
    # not "start", which would wait for a look that the timer began before
    text = host.check_output(f"systemctl restart app-metrics.service && cat {STATE}/apps.prom")
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"twelvefactor_(\w+?)(?:{(.*)})? (\S+)", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            found.setdefault(match[1], []).append((labels, float(match[3])))
    return found


def value(found, name, **labels):
    [number] = [n for told, n in found[name] if labels.items() <= told.items()]
    return number


def status(host, instance):
    return json.loads(host.check_output(f"cat /run/shop/{instance}.json"))


def serves(host):
    told = host.run("cat /run/shop/web-1.json /run/shop/beat-1.json").stdout
    return told.count('"state": "serving"') == 2


def test_the_numbers_are_the_truth(host, name, until):
    until(lambda: serves(host))
    web, beat, began = status(host, "web-1"), status(host, "beat-1"), time.time()
    found = look(host)
    assert value(found, "app_healthy", app="shop") == 1
    for word in ("wanted", "up", "current"):
        assert value(found, f"app_processes_{word}", app="shop") == 2
    assert found["app_release_info"] == [({"app": "shop", "release": RELEASE}, 1)]
    assert value(found, "app_deploy_time_seconds", app="shop") == 1767323045
    assert value(found, "app_deploy_duration_seconds", app="shop") == 4.5
    for told in (web, beat):
        process = told["instance"]
        assert value(found, "process_up", process=process) == 1
        assert value(found, "process_release_info", process=process, release=RELEASE) == 1
        assert value(found, "process_starts_total", process=process) == told["counter"]
        gate = value(found, "process_move_seconds", process=process, step="gate")
        assert gate == told["move"]["seconds"]["gate"]
        # with its children: gunicorn has a worker
        [started, *resident] = host.check_output(
            f'date -d "$(ps -o lstart= -p {told["child"]})" +%s;'
            f" ps -o rss= -p {told['child']} --ppid {told['child']}"
        ).split()
        memory = value(found, "process_resident_memory_bytes", process=process)
        assert abs(memory - 1024 * sum(map(int, resident))) < 0.3 * memory
        assert abs(value(found, "process_start_time_seconds", process=process) - int(started)) < 3
        assert value(found, "process_tree_size", process=process) == len(resident)
    assert value(found, "supervisor_up", app="shop") == 1
    assert value(found, "supervisor_resident_memory_bytes", app="shop") > 5e6
    end = host.check_output(
        'date -d "$(openssl x509 -noout -enddate -in /etc/nginx/certificates/shop.pem'
        ' | cut -d= -f2)" +%s'
    )
    assert value(found, "certificate_expiry_time_seconds", certificate="shop") == int(end)
    assert {told["certificate"] for told, _n in found["certificate_expiry_time_seconds"]} == {
        "shop",
        "graphite",
        "munin",
        "node-exporter",
    }
    assert value(found, "metrics_problems") == 0
    assert began - 1 < value(found, "metrics_run_time_seconds") < time.time() + 1
    assert host.check_output(f"promtool check metrics < {STATE}/apps.prom") == ""


def test_it_looks_by_itself(host, until):
    before = value(look(host), "metrics_run_time_seconds")

    def later():
        text = host.check_output(f"cat {STATE}/apps.prom")
        return (
            float(re.search(r"^twelvefactor_metrics_run_time_seconds (\S+)", text, re.MULTILINE)[1])
            > before
        )

    until(later)
    # and does not fill the journal with that it does
    assert "Starting" not in host.check_output("journalctl --unit app-metrics --boot --quiet")


def test_the_node_exporter_is_for_those_with_a_password(host, name, ask):
    look(host)
    for login in ("", "reader:wrong"):
        assert ask(name, "metrics.test", "/metrics", login)[0] == 401
    code, page = ask(name, "metrics.test", "/metrics", READER)
    assert code == 200
    assert b"\nnode_textfile_scrape_error 0\n" in page
    assert b'\ntwelvefactor_app_healthy{app="shop"} 1\n' in page
    assert host.check_output("ss -Htln 'sport = 9100' | awk '{print $4}'") == "127.0.0.1:9100"


def test_the_node_exporter_never_listened_elsewhere(host):
    """Nor between its installation and its configuration."""
    journal = host.check_output("journalctl --unit prometheus-node-exporter --output cat")
    listened = re.findall(r'msg="?Listening on"? address=(\S+)', journal)
    assert listened
    assert set(listened) == {"127.0.0.1:9100"}
    # started once, by the role, which is after its sandbox was there
    assert journal.count("Started prometheus-node-exporter.service") == 1


def test_a_status_that_cannot_be_read_is_not_well(host):
    host.check_output(
        "cp -p /run/shop/beat-1.json /root/ && echo '{\"pid\": 1' > /run/shop/beat-1.json"
    )
    found = look(host)
    assert value(found, "app_healthy", app="shop") == 0
    assert value(found, "process_up", process="beat-1") == 0
    assert value(found, "process_up", process="web-1") == 1
    assert value(found, "metrics_problems") == 1
    journal = host.check_output("journalctl --unit app-metrics --lines 5 --output cat")
    assert "/run/shop/beat-1.json: no status of a pivot" in journal
    assert "Traceback" not in journal
    host.check_output("cp -p /root/beat-1.json /run/shop/beat-1.json")
    assert value(look(host), "app_healthy", app="shop") == 1


def test_a_process_that_was_killed_counts_as_a_restart(host, until):
    found = look(host)
    before = value(found, "process_restarts_total", process="web-1")
    of_the_other = value(found, "process_restarts_total", process="beat-1")
    pivot = status(host, "web-1")["pid"]
    host.check_output(f"kill -KILL {pivot}")
    until(lambda: serves(host) and status(host, "web-1")["pid"] != pivot)
    found = look(host)
    assert value(found, "process_restarts_total", process="web-1") == before + 1
    assert value(found, "process_restarts_total", process="beat-1") == of_the_other


def test_every_plugin_answers_with_numbers(host, name, addresses):
    # the other host is no index
    devpi = ["devpi_alive", "devpi_size", "devpi_time"] if name == "monitoring-d13" else []
    plugins = [*PLUGINS, *devpi]
    look(host)
    # as a master asks
    words = "".join(f"config {plugin}\\nfetch {plugin}\\n" for plugin in plugins)
    greeting, listed, *told = host.check_output(
        f"timeout 120 bash -c 'exec 3<>/dev/tcp/{addresses[name]}/4949;"
        f' printf "list\\n{words}quit\\n" >&3; cat <&3\''
    ).split("\n", 2)
    assert greeting == f"# munin node at {name}"
    ours = {plugin for plugin in listed.split() if plugin in PLUGINS or plugin[:5] == "devpi"}
    assert ours == set(plugins)
    parts = f"{told[0]}\n".split("\n.\n")
    configs = dict(zip(plugins, parts[::2], strict=False))
    answers = dict(zip(plugins, parts[1::2], strict=False))
    for plugin in plugins:
        config, lines = configs[plugin], answers[plugin].splitlines()
        # of a devpi that is not there nobody knows how large and fast it is
        number = r"U" if plugin in devpi[1:] else r"-?\d+(?:\.\d+)?"
        values = [re.fullmatch(rf"(\w+)\.value {number}", line) for line in lines]
        assert values, plugin
        assert all(values), answers[plugin]
        assert re.search(r"^graph_title .+", config, re.MULTILINE), config
        assert set(re.findall(r"^(\w+)\.label ", config, re.MULTILINE)) == {v[1] for v in values}
    assert answers["app_health"] == "shop.value 1"
    assert answers["app_processes"] == "shop.value 2"
    assert "shop.critical 1:\n" in configs["app_health"] + "\n"
    assert "shop.warning 10000:\n" in configs["certificates"] + "\n"
    assert 3640 < float(re.search(r"shop\.value (\S+)", answers["certificates"])[1]) <= 3650
    # nothing listens there
    assert not devpi or answers["devpi_alive"] == "alive.value 0"


def test_a_unit_that_failed_is_told_by_its_name(host):
    """A backup or a renewal that fails ends in silence otherwise."""

    def told():
        lines = host.check_output("munin-run failed_units").splitlines()
        count, named = lines[0].removeprefix("failed.value "), " ".join(lines[1:])
        return int(count), named

    before, _named = told()
    assert host.run("systemd-run --wait --unit=failing-backup --quiet false").rc == 1
    try:
        count, named = told()
        assert count == before + 1
        assert named.startswith("failed.extinfo ")
        assert "failing-backup.service" in named.split()
        assert "failed.warning :0" in host.check_output("munin-run failed_units config")
    finally:
        host.check_output("systemctl reset-failed failing-backup")
    assert told()[0] == before


def test_answers_of_nginx_are_counted_by_status(host, name, ask):
    def counts():
        lines = host.check_output("munin-run nginx_answers").splitlines()
        return {line.split(".")[0]: int(line.split()[1]) for line in lines}

    before = counts()
    for _time in range(5):
        assert ask(name, "shop.test", "/200/")[0] == 200
    assert ask(name, "munin.test", "/")[0] == 401
    after = counts()
    assert (after["s2xx"] - before["s2xx"], after["s4xx"] - before["s4xx"]) == (5, 1)


def test_the_node_answers_nobody_but_its_masters(host, name, hosts, addresses):
    # the controller is no master, the other host is one
    with socket.create_connection((addresses[name], 4949), 120) as raw:
        assert raw.recv(100) == b""
    [other] = set(hosts) - {name}
    greeting = f"timeout 120 bash -c 'head --lines=1 < /dev/tcp/{addresses[name]}/4949'"
    assert hosts[other].check_output(greeting) == f"# munin node at {name}"
    listening = host.check_output("ss -Htln 'sport = 4949' | awk '{print $4}'")
    assert listening == f"{addresses[name]}:4949"


def test_the_master_draws_shows_and_tells(host, name, ask, until):
    """What cron does every five minutes; an app that is down is a crossed limit."""
    run = "runuser -u munin -- /usr/bin/munin-cron"
    # the same without drawing
    ask_all = "runuser -u munin -- sh -c 'cd /usr/share/munin && ./munin-update && ./munin-limits'"
    mail = "/var/lib/munin/mail-to-ops"

    def told(*words, by=ask_all):
        """Look again until there is a message with these words; cron may be at it."""

        def seen():
            # perl dies with 255, which testinfra takes for a failure of ssh
            host.run(f"{by} || exit 1")
            text = host.run(f"cat {mail}").stdout
            of_this = [part for part in text.split("\n\n") if f":: {name} ::" in part]
            return all(any(re.search(word, part) for part in of_this) for word in words)

        until(seen)

    # from the first round on: certificates do not last long enough for the limit of the inventory
    told(r"WARNINGs?: .*shop is 3\d\d\d", by=run)
    page = f"/{name}/{name}/app_health.html"
    assert ask(name, "munin.test", page)[0] == 401
    code, text = ask(name, "munin.test", page, READER)
    assert (code, b":: app health)" in text) == (200, True)
    assert ask(name, "munin.test", page.replace(".html", "-day.png"))[0] == 401
    host.check_output("systemctl stop circus@shop")
    try:
        found = look(host)
        assert value(found, "app_healthy", app="shop") == 0
        assert value(found, "supervisor_up", app="shop") == 0
        told(
            r"Health of apps[^\n]*\n\s*CRITICALs?: shop is 0\.00",
            r"Supervisors of apps[^\n]*\n\s*CRITICALs?: shop is 0\.00",
        )
    finally:
        host.check_output("systemctl start circus@shop")
    until(lambda: serves(host))
    assert value(look(host), "app_healthy", app="shop") == 1
    told(r"Health of apps[^\n]*\n\s*OKs?: shop is 1\.00")


def test_cron_is_there_for_the_master(host):
    assert host.service("cron").is_running
    assert host.service("cron").is_enabled
    assert "munin-cron" in host.check_output("cat /etc/cron.d/munin")


def test_the_sandbox_holds(host):
    """What a program in place of ours could do there."""
    probe = (
        f"exec > {STATE}/probe 2>&1;"
        " cat /etc/shadow; touch /srv/shop/x; touch /etc/x;"
        " ls /home/ops; grep -E ^(CapEff|NoNewPrivs|Seccomp): /proc/self/status;"
        " python3 -c 'import socket; socket.socket(socket.AF_UNIX)'"
    ).replace("^(CapEff|NoNewPrivs|Seccomp):", "'^(CapEff|NoNewPrivs|Seccomp):'")
    told = host.check_output(
        "mkdir -p /run/systemd/system/app-metrics.service.d &&"
        f" cat > {STATE}/probe.sh << 'END'\n{probe}\nEND\n"
        "printf '[Service]\\nExecStart=\\nExecStart=-/bin/sh %s/probe.sh\\n'"
        f" {STATE} > /run/systemd/system/app-metrics.service.d/probe.conf"
        f" && systemctl daemon-reload && systemctl restart app-metrics.service && cat {STATE}/probe"
    )
    host.check_output(
        f"rm -r /run/systemd/system/app-metrics.service.d {STATE}/probe {STATE}/probe.sh"
        " && systemctl daemon-reload && systemctl restart app-metrics.service"
    )
    assert "/etc/shadow: Permission denied" in told
    assert told.count("Read-only file system") == 2
    assert re.search(r"CapEff:\s+0+$", told, re.MULTILINE)
    assert re.search(r"NoNewPrivs:\s+1$", told, re.MULTILINE)
    assert re.search(r"Seccomp:\s+2$", told, re.MULTILINE)
    assert "Address family not supported" in told
    pid = host.check_output("systemctl show -P MainPID prometheus-node-exporter")
    told = host.check_output(f"cat /proc/{pid}/status")
    assert re.search(r"Seccomp:\s+2$", told, re.MULTILINE)
    seen = f"/proc/{pid}/root/var/lib/prometheus/x"
    assert "Read-only" in host.run(f"runuser -u prometheus -- touch {seen}").stderr
