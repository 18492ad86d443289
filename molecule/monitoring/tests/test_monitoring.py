# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers equal the truth, whoever tells them, and a limit that is crossed makes a message."""

import base64
import contextlib
import http.client
import json
import pathlib
import re
import socket
import ssl
import time

import yaml

ROOT = pathlib.Path(__file__).parents[3]
INVENTORY = ROOT / "build" / "hosts" / "molecule-monitoring" / "inventory.yml"
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
    "devpi_alive",
]


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def name_of(host):
    return host.backend.get_hostname()


def ask(host, domain, path, login=""):
    """Status and body of a page of the host, as somebody elsewhere gets them."""
    address = yaml.safe_load(INVENTORY.read_text())["all"]["hosts"][name_of(host)]["ansible_host"]
    # which certificate nginx shows is not what this is about
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = http.client.HTTPSConnection(domain, timeout=60)
    raw = socket.create_connection((address, 443), timeout=60)
    client.sock = context.wrap_socket(raw, server_hostname=domain)
    word = base64.b64encode(login.encode()).decode()
    client.request("GET", path, headers={"Authorization": f"Basic {word}"} if login else {})
    with contextlib.closing(client):
        answer = client.getresponse()
        return answer.status, answer.read().decode()


def look(host):
    """Have it look now; all numbers by name, each a list of labels and value."""
    text = host.check_output(f"systemctl start app-metrics.service && cat {STATE}/apps.prom")
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
    return json.loads(host.check_output(f"cat /run/bell/{instance}.json"))


def serves(host):
    told = host.run("cat /run/bell/web-1.json /run/bell/beat-1.json").stdout
    return told.count('"state": "serving"') == 2


def test_the_numbers_are_the_truth(host):
    until(lambda: serves(host))
    web, beat, began = status(host, "web-1"), status(host, "beat-1"), time.time()
    found = look(host)
    assert value(found, "app_healthy", app="bell") == 1
    for name in ("wanted", "up", "current"):
        assert value(found, f"app_processes_{name}", app="bell") == 2
    assert found["app_release_info"] == [({"app": "bell", "release": RELEASE}, 1)]
    assert value(found, "app_deploy_time_seconds", app="bell") == 1767323045
    assert value(found, "app_deploy_duration_seconds", app="bell") == 4.5
    for told in (web, beat):
        name = told["instance"]
        assert value(found, "process_up", process=name) == 1
        assert value(found, "process_release_info", process=name, release=RELEASE) == 1
        assert value(found, "process_starts_total", process=name) == told["counter"]
        gate = value(found, "process_move_seconds", process=name, step="gate")
        assert gate == told["move"]["seconds"]["gate"]
        [resident, started] = host.check_output(
            f'ps -o rss= -p {told["child"]}; date -d "$(ps -o lstart= -p {told["child"]})" +%s'
        ).split()
        memory = value(found, "process_resident_memory_bytes", process=name)
        assert abs(memory - 1024 * int(resident)) < 0.3 * memory
        assert abs(value(found, "process_start_time_seconds", process=name) - int(started)) < 3
        assert value(found, "process_tree_size", process=name) == 1
    assert value(found, "supervisor_up", app="bell") == 1
    assert value(found, "supervisor_resident_memory_bytes", app="bell") > 5e6
    end = host.check_output(
        'date -d "$(openssl x509 -noout -enddate -in /etc/nginx/certificates/bell.pem'
        ' | cut -d= -f2)" +%s'
    )
    assert value(found, "certificate_expiry_time_seconds", certificate="bell") == int(end)
    assert {told["certificate"] for told, _n in found["certificate_expiry_time_seconds"]} == {
        "bell",
        "munin",
        "node-exporter",
    }
    assert value(found, "metrics_problems") == 0
    assert abs(value(found, "metrics_run_time_seconds") - began) < 30
    assert host.check_output(f"promtool check metrics < {STATE}/apps.prom") == ""


def test_it_looks_by_itself(host):
    before = value(look(host), "metrics_run_time_seconds")

    def later():
        text = host.check_output(f"cat {STATE}/apps.prom")
        return (
            float(re.search(r"^twelvefactor_metrics_run_time_seconds (\S+)", text, re.MULTILINE)[1])
            > before
        )

    until(later, 40)
    # and does not fill the journal with that it does
    assert "Starting" not in host.check_output("journalctl --unit app-metrics --boot --quiet")


def test_the_node_exporter_is_for_those_with_a_password(host):
    look(host)
    assert ask(host, "metrics.test", "/metrics")[0] == 401
    assert ask(host, "metrics.test", "/metrics", "reader:wrong")[0] == 401
    code, page = ask(host, "metrics.test", "/metrics", "reader:rep0rts")
    assert code == 200
    assert "\nnode_textfile_scrape_error 0\n" in page
    assert '\ntwelvefactor_app_healthy{app="bell"} 1\n' in page
    assert host.check_output("ss -Htln 'sport = 9100' | awk '{print $4}'") == "127.0.0.1:9100"


def test_statsd_gets_the_same(host):
    listener = (
        "import socket, subprocess; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        " s.bind(('127.0.0.1', 8125)); s.settimeout(20);"
        " subprocess.run(['systemctl', 'start', 'app-metrics.service'], check=True);"
        " print(s.recv(65535).decode())"
    )
    heard = host.check_output(f'python3 -c "{listener}"').splitlines()
    prefix = f"apps.{name_of(host)}.bell"
    assert {f"{prefix}.healthy:1|g", f"{prefix}.web-1.up:1|g"} <= set(heard)
    assert f"{prefix}.beat-1.starts_total:{status(host, 'beat-1')['counter']}|g" in heard


def test_a_status_that_cannot_be_read_is_not_well(host):
    host.check_output(
        "cp -p /run/bell/beat-1.json /root/ && echo '{\"pid\": 1' > /run/bell/beat-1.json"
    )
    found = look(host)
    assert value(found, "app_healthy", app="bell") == 0
    assert value(found, "process_up", process="beat-1") == 0
    assert value(found, "process_up", process="web-1") == 1
    assert value(found, "metrics_problems") == 1
    journal = host.check_output("journalctl --unit app-metrics --lines 5 --output cat")
    assert "/run/bell/beat-1.json: no status of a pivot" in journal
    assert "Traceback" not in journal
    host.check_output("cp -p /root/beat-1.json /run/bell/beat-1.json")
    assert value(look(host), "app_healthy", app="bell") == 1


def test_a_process_that_was_killed_counts_as_a_restart(host):
    before = value(look(host), "process_restarts_total", process="web-1")
    pivot = status(host, "web-1")["pid"]
    host.check_output(f"kill -KILL {pivot}")
    until(lambda: serves(host) and status(host, "web-1")["pid"] != pivot)
    found = look(host)
    assert value(found, "process_restarts_total", process="web-1") == before + 1
    assert value(found, "process_restarts_total", process="beat-1") == 0


def test_every_plugin_answers_with_numbers(host):
    look(host)
    command = 'for name in {}; do echo "== $name"; munin-run $name {} || echo failed; done'
    answers = host.check_output(command.format(" ".join(PLUGINS), "")).split("== ")[1:]
    configs = host.check_output(command.format(" ".join(PLUGINS), "config")).split("== ")[1:]
    autoconf = host.check_output(command.format(" ".join(PLUGINS), "autoconf")).split("== ")[1:]
    for name, answer, config, auto in zip(PLUGINS, answers, configs, autoconf, strict=True):
        lines = answer.strip().splitlines()[1:]
        assert lines, name
        values = [re.fullmatch(r"(\w+)\.value (-?\d+(?:\.\d+)?)", line) for line in lines]
        assert all(values), answer
        assert re.search(r"^graph_title .+", config, re.MULTILINE), config
        assert set(re.findall(r"^(\w+)\.label ", config, re.MULTILINE)) == {v[1] for v in values}
        assert auto.split()[1] in ("yes", "no"), auto
    told = dict(zip(PLUGINS, answers, strict=True))
    assert "bell.value 1\n" in told["app_health"]
    assert "bell.value 2\n" in told["app_processes"]
    assert "bell.critical 1:\n" in configs[0]
    assert "bell.warning 10000:\n" in configs[PLUGINS.index("certificates")]
    assert 3640 < float(re.search(r"bell\.value (\S+)", told["certificates"])[1]) <= 3650
    # nothing listens there
    assert "alive.value 0" in told["devpi_alive"]


def test_answers_of_nginx_are_counted_by_status(host):
    def counts():
        lines = host.check_output("munin-run nginx_answers").splitlines()
        return {line.split(".")[0]: int(line.split()[1]) for line in lines}

    before = counts()
    for _time in range(5):
        assert ask(host, "bell.test", "/")[0] == 200
    assert ask(host, "munin.test", "/")[0] == 401
    after = counts()
    assert (after["s2xx"] - before["s2xx"], after["s4xx"] - before["s4xx"]) == (5, 1)


def test_the_node_answers_nobody_but_its_masters(host):
    greet = (
        "import socket; s = socket.create_connection(('127.0.0.1', 4949), 20, ('{}', 0));"
        " print(s.recv(100).decode())"
    )
    assert host.check_output(f'python3 -c "{greet.format("127.0.0.1")}"') == (
        f"# munin node at {name_of(host)}"
    )
    assert host.check_output(f'python3 -c "{greet.format("127.0.0.2")}"') == ""
    assert host.check_output("ss -Htln 'sport = 4949' | awk '{print $4}'") == "127.0.0.1:4949"


def test_the_master_draws_shows_and_tells(host):
    """What cron does every five minutes; an app that is down is a crossed limit."""
    run = "runuser -u munin -- /usr/bin/munin-cron"
    # the same without drawing
    ask_all = "runuser -u munin -- sh -c 'cd /usr/share/munin && ./munin-update && ./munin-limits'"
    mail = "/var/lib/munin/mail-to-ops"
    # cron may be at it
    until(lambda: host.run(run).rc == 0, 120)
    page = f"/{name_of(host)}/{name_of(host)}/app_health.html"
    assert ask(host, "munin.test", page)[0] == 401
    code, text = ask(host, "munin.test", page, "reader:rep0rts")
    assert (code, ":: app health)" in text) == (200, True)
    assert ask(host, "munin.test", page.replace(".html", "-day.png"))[0] == 401
    # from the first round on: certificates do not last long enough for the limit of the play
    assert re.search(r"WARNINGs?: .*bell is 3\d\d\d", host.check_output(f"cat {mail}"))
    host.check_output(f"systemctl stop circus@bell && rm {mail}")
    found = look(host)
    assert value(found, "app_healthy", app="bell") == 0
    assert value(found, "supervisor_up", app="bell") == 0
    until(lambda: host.run(ask_all).rc == 0 and host.file(mail).exists, 120)
    told = host.check_output(f"cat {mail}")
    assert re.search(r"Health of apps\s+CRITICALs?: bell is 0\.00", told), told
    assert re.search(r"Supervisors of apps\s+CRITICALs?: bell is 0\.00", told), told
    host.check_output(f"systemctl start circus@bell && rm {mail}")
    until(lambda: serves(host))
    assert value(look(host), "app_healthy", app="bell") == 1
    until(lambda: host.run(ask_all).rc == 0 and host.file(mail).exists, 120)
    assert re.search(r"Health of apps\s+OKs?: bell is 1\.00", host.check_output(f"cat {mail}"))


def test_cron_is_there_for_the_master(host):
    assert host.service("cron").is_running
    assert host.service("cron").is_enabled
    assert "munin-cron" in host.check_output("cat /etc/cron.d/munin")


def test_the_sandbox_holds(host):
    """What a program in place of ours could do there."""
    probe = (
        f"exec > {STATE}/probe 2>&1;"
        " cat /etc/shadow; touch /srv/bell/x; touch /etc/x;"
        " ls /home/ops; grep -E ^(CapEff|NoNewPrivs|Seccomp): /proc/self/status;"
        " python3 -c 'import socket; socket.socket(socket.AF_UNIX)'"
    ).replace("^(CapEff|NoNewPrivs|Seccomp):", "'^(CapEff|NoNewPrivs|Seccomp):'")
    host.check_output(
        "mkdir -p /run/systemd/system/app-metrics.service.d &&"
        f" cat > {STATE}/probe.sh << 'END'\n{probe}\nEND\n"
        "printf '[Service]\\nExecStart=\\nExecStart=-/bin/sh %s/probe.sh\\n'"
        f" {STATE} > /run/systemd/system/app-metrics.service.d/probe.conf"
        " && systemctl daemon-reload && systemctl start app-metrics.service"
    )
    told = host.check_output(f"cat {STATE}/probe")
    host.check_output(
        f"rm -r /run/systemd/system/app-metrics.service.d {STATE}/probe {STATE}/probe.sh"
        " && systemctl daemon-reload && systemctl start app-metrics.service"
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
