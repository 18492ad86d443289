# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the role app_metrics, on hosts that are directories."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import pytest

FILES = (
    pathlib.Path(__file__).resolve().parents[3]
    / "roles/app_metrics/files/usr/local/lib/twelvefactor"
)
PROGRAM = FILES / "app_metrics.py"

sys.path.insert(0, str(FILES))
from app_metrics import host as inspection
from app_metrics import munin, prometheus, statsd
from app_metrics.metrics import Sample

PAGE = os.sysconf("SC_PAGE_SIZE")
CIRCUSD = ["/opt/circus/bin/python3", "/opt/circus/bin/circusd", "/etc/circus/shop.ini"]


class Host:
    """A root directory with what the program looks at."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.put("proc/stat", "cpu 1 2 3\nbtime 1000\n")

    def put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def process(
        self, pid: int, parent: int, *words: str, pages: int = 10, state: str = "S", began: int = 0
    ) -> None:
        rest = ["0"] * 50
        rest[0], rest[1], rest[19], rest[21] = state, str(parent), str(began), str(pages)
        self.put(f"proc/{pid}/stat", f"{pid} (a (bad) name) {' '.join(rest)}\n")
        self.put(f"proc/{pid}/cmdline", "\0".join(words) + "\0")

    def app(self, *names: str, current: str = "1.0-aaaaaaaa") -> None:
        self.put("etc/circus/shop.ini", "[circus]\n")
        watchers = "".join(f"[watcher:{name}]\ncmd = x\n\n" for name in names)
        self.put("etc/circus/shop.d/formation.ini", watchers)
        (self.root / "srv/shop").mkdir(parents=True, exist_ok=True)
        (self.root / "srv/shop/current").symlink_to(f"releases/{current}")

    def says(self, name: str, **more: Any) -> None:
        told = {"pid": 20, "child": 21, "release": "1.0-aaaaaaaa", "counter": 1, "restarts": 0}
        self.put(f"run/shop/{name}.json", json.dumps({**told, **more}))

    def look(self) -> Any:
        return inspection.Inspection(self.root, ["/etc/nginx/certificates/*.pem"])


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def shop(host: Host) -> Host:
    """One app with one process that has two workers, and its circusd."""
    host.app("web-1")
    host.says("web-1", move={"seconds": {"gate": 0.3, "total": 2.5, "other": 9}})
    host.process(10, 1, *CIRCUSD, pages=7)
    host.process(20, 10, "python3", "pivot.py", "/srv/shop", "web-1")
    host.process(21, 20, "gunicorn", pages=30, began=200)
    host.process(22, 21, "gunicorn", pages=5)
    host.process(23, 21, "gunicorn", pages=5)
    return host


def values(look: Any, name: str) -> dict[tuple[str, ...], float]:
    return {tuple(s.labels.values()): s.value for s in look.samples if s.name == name}


def one(look: Any, name: str) -> float:
    [value] = values(look, name).values()
    return value


@pytest.mark.parametrize(
    "broken",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "\0" * 100,
        "\ufffd",
        '"at"',
        "[1]",
        '{"at": 5, "outcome": "bad"}',
        '{"at": "2026-01-03T03:04:05Z", "outcome": {}}',
        '{"at": "2026-01-03T03:04:05Z", "outcome": "good", "seconds": "x"}',
        '{"at": "2026-01-03T03:04:05Z", "outcome": "good", "seconds": 1e999}',
        '{"at": "2026-01-03T03:04:05Z", "outcome": "good", "seconds": NaN}',
        '{"at": "2026-01-03T03:04:05Z", "outcome": "good", "seconds": -1}',
        "1" * 5000,
    ],
    ids=lambda broken: repr(broken[-50:]),
)
def test_a_broken_line_of_the_record_is_passed_over(broken: str) -> None:
    line = '{"at": "2026-01-02T03:04:05Z", "release": "1.0-aaaaaaaa", "outcome": "good"}'
    (found,) = inspection.attempts(f"{broken}\n{line}\n{broken}")
    assert found["release"] == "1.0-aaaaaaaa"


def test_an_app_that_is_well(shop: Host) -> None:
    shop.put(
        "srv/shop/releases.jsonl",
        '{"at": "2026-01-02T03:04:05Z", "release": "1.0-aaaaaaaa", "outcome": "good", "seconds": 7}\n'
        '{"at": "2026-01-03T03:04:05Z", "release": "2.0-bbbbbbbb", "outcome": "bad"}\n'
        '{"at": "2026-01-04T03:04:05Z", "release": "2.0-bbbbbbbb", "outcome": "pending"}\n'
        '{"at": "2026-01-0',
    )
    look = shop.look()
    told = {
        "app_healthy": 1,
        "app_processes_wanted": 1,
        "app_processes_up": 1,
        "app_processes_current": 1,
        "app_deploy_good": 0,
        "app_deploy_time_seconds": 1767323045,
        "app_deploy_duration_seconds": 7,
        "supervisor_up": 1,
        "supervisor_resident_memory_bytes": 7 * PAGE,
        "process_up": 1,
        "process_tree_size": 3,
        "process_resident_memory_bytes": 40 * PAGE,
        "process_start_time_seconds": 1000 + 200 / os.sysconf("SC_CLK_TCK"),
        "process_starts_total": 1,
        "process_restarts_total": 0,
        "metrics_problems": 0,
    }
    assert {name: one(look, name) for name in told} == told
    assert values(look, "app_release_info") == {("shop", "1.0-aaaaaaaa"): 1}
    assert values(look, "process_release_info") == {("shop", "web", "web-1", "1.0-aaaaaaaa"): 1}
    assert values(look, "process_move_seconds") == {
        ("shop", "web", "web-1", "gate"): 0.3,
        ("shop", "web", "web-1", "total"): 2.5,
    }
    assert look.problems == []


def test_one_process_of_two_serves_another_release(shop: Host) -> None:
    (shop.root / "srv/shop/current").unlink()
    shop.app("web-1", current="2.0-bbbbbbbb")
    look = shop.look()
    assert (one(look, "app_healthy"), one(look, "app_processes_current")) == (1, 0)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        pytest.param("", "JSONDecodeError", id="empty"),
        pytest.param('{"pid": 20, "chi', "JSONDecodeError", id="cut"),
        pytest.param("[]", "another type than object", id="another thing"),
        pytest.param('{"pid": 20}', "child, release, counter is missing", id="keys missing"),
        pytest.param('{"pid": "x", "child": 1}', "invalid pid", id="no number"),
        pytest.param('{"pid": Infinity}', "invalid pid", id="too large"),
        pytest.param("[" * 100_000, "no status", id="too deep"),
        pytest.param(
            '{"pid": 20, "child": 21, "release": "x\\ny 1", "counter": 1}',
            "invalid release",
            id="another metric in the release",
        ),
        pytest.param(
            f'{{"pid": 20, "child": 21, "release": "1", "counter": {10**400}}}',
            "invalid counter",
            id="no counter",
        ),
        pytest.param(
            '{"pid": 20, "child": 21, "release": "1", "counter": 1, "restarts": -1}',
            "invalid restarts",
            id="no restarts",
        ),
    ],
)
def test_what_no_pivot_wrote_is_not_well_and_said(shop: Host, status: str, problem: str) -> None:
    shop.put("run/shop/web-1.json", status)
    look = shop.look()
    assert (one(look, "app_healthy"), one(look, "process_up")) == (0, 0)
    [said] = look.problems
    assert said.startswith("/run/shop/web-1.json: ")
    assert problem in said
    assert one(look, "metrics_problems") == 1


def test_links_and_pipes_of_an_app_are_not_followed(shop: Host) -> None:
    path = shop.root / "run/shop/web-1.json"
    path.rename(shop.root / "status")
    path.symlink_to(shop.root / "status")
    assert one(shop.look(), "process_up") == 0
    path.unlink()
    os.mkfifo(path)
    assert one(shop.look(), "process_up") == 0


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param([20, 21, 22, 23], id="pivot"),
        pytest.param([21], id="child"),
    ],
)
def test_a_process_that_is_gone(shop: Host, gone: list[int]) -> None:
    for pid in gone:
        (shop.root / f"proc/{pid}/stat").unlink()
    look = shop.look()
    assert (one(look, "app_healthy"), one(look, "process_up")) == (0, 0)
    assert values(look, "process_release_info") == {}
    assert look.problems == []


def test_what_got_the_number_of_a_pivot_is_no_pivot(shop: Host) -> None:
    shop.process(20, 1, "bash")
    assert one(shop.look(), "process_up") == 0


def test_a_zombie_is_not_up(shop: Host) -> None:
    shop.process(21, 20, "gunicorn", state="Z")
    assert one(shop.look(), "process_up") == 0


def test_no_circusd(shop: Host) -> None:
    shop.process(10, 1, "vi", "/etc/circus/shop.ini")
    assert one(shop.look(), "supervisor_up") == 0


def test_a_process_of_the_formation_that_never_began(shop: Host) -> None:
    shop.put("etc/circus/shop.d/formation.ini", "[watcher:web-1]\n[watcher:worker-1]\n")
    look = shop.look()
    assert (one(look, "app_healthy"), one(look, "app_processes_up")) == (0, 1)
    assert values(look, "process_up")["shop", "worker", "worker-1"] == 0


def test_an_app_that_was_never_deployed_has_no_numbers(host: Host) -> None:
    host.put("etc/circus/shop.ini", "[circus]\n")
    look = host.look()
    assert {sample.name for sample in look.samples} == {
        "metrics_problems",
        "metrics_run_time_seconds",
    }
    assert look.problems == []


def test_every_step_of_a_move_has_its_duration(shop: Host) -> None:
    steps = {"agree": 4.5, "stop": 0.2, "gate": 0.3, "switch": 0.001, "settle": 5.0, "total": 10.1}
    shop.says("web-1", move={"seconds": steps})
    assert values(shop.look(), "process_move_seconds") == {
        ("shop", "web", "web-1", step): seconds for step, seconds in steps.items()
    }


def test_restarts_are_what_the_pivot_counts(shop: Host) -> None:
    # stopped and started by systemctl: another pivot, one start more, and nothing has crashed
    shop.process(20, 10, "python3", "pivot.py", "/srv/shop", "web-1", began=500)
    shop.says("web-1", counter=2, restarts=0)
    assert one(shop.look(), "process_restarts_total") == 0
    # a deploy and a crash between two looks: one of the two starts was a restart
    shop.process(20, 10, "python3", "pivot.py", "/srv/shop", "web-1", began=600)
    shop.says("web-1", counter=4, restarts=1)
    look = shop.look()
    assert (one(look, "process_starts_total"), one(look, "process_restarts_total")) == (4, 1)


def test_replacements_are_what_the_pivot_counts(shop: Host) -> None:
    assert values(shop.look(), "process_replacements_total") == {}
    shop.says("web-1", replacements=2)
    assert one(shop.look(), "process_replacements_total") == 2


def test_the_count_of_restarts_outlives_a_pivot(shop: Host) -> None:
    (shop.root / "proc/20/stat").unlink()
    shop.says("web-1", restarts=3)
    look = shop.look()
    assert (one(look, "process_up"), one(look, "process_restarts_total")) == (0, 3)


def test_a_pivot_from_before_restarts_were_counted(shop: Host) -> None:
    told = {"pid": 20, "child": 21, "release": "1.0-aaaaaaaa", "counter": 1}
    shop.put("run/shop/web-1.json", json.dumps(told))
    look = shop.look()
    assert (one(look, "process_up"), values(look, "process_restarts_total")) == (1, {})


def test_schedules_of_the_host(shop: Host) -> None:
    for name in ("a", "b", "never"):
        shop.put(f"etc/systemd/system/schedule-shop@{name}.timer", "[Timer]\n")
    told = {"succeeded": 1500.5, "seconds": 2.5, "failures": 3}
    shop.put("var/lib/app-schedules/shop/a.json", json.dumps(told))
    shop.put("var/lib/app-schedules/shop/b.json", json.dumps(told | {"succeeded": None}))
    shop.put("var/lib/app-schedules/shop/removed.json", json.dumps(told))
    look = shop.look()
    assert values(look, "schedule_success_time_seconds") == {("shop", "a"): 1500.5}
    assert values(look, "schedule_duration_seconds") == {("shop", "a"): 2.5, ("shop", "b"): 2.5}
    assert values(look, "schedule_failures_total") == {("shop", "a"): 3, ("shop", "b"): 3}
    assert look.problems == []


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_state_of_a_schedule_that_is_broken_is_said(text: str, shop: Host) -> None:
    shop.put("etc/systemd/system/schedule-shop@a.timer", "[Timer]\n")
    shop.put("var/lib/app-schedules/shop/a.json", text)
    look = shop.look()
    assert values(look, "schedule_failures_total") == {}
    assert "/var/lib/app-schedules/shop/a.json: " in look.problems[0]


def test_certificates(host: Host) -> None:
    subject = ["-subj", "/CN=shop.test", "-days", "30", "-keyout", "/dev/null"]
    directory = host.root / "etc/nginx/certificates"
    directory.mkdir(parents=True)
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(
        [*new, "-nodes", *subject, "-out", str(directory / "shop.pem")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    host.put("etc/nginx/certificates/broken.pem", "nothing")
    host.put("etc/nginx/certificates/shop.trust.pem", "nothing")
    look = host.look()
    [(labels, end)] = values(look, "certificate_expiry_time_seconds").items()
    assert labels == ("shop",)
    left = end - one(look, "metrics_run_time_seconds")
    assert 30 * munin.DAY - 60 < left <= 30 * munin.DAY
    [problem] = look.problems
    assert "broken.pem: no certificate" in problem


# --- who is told ---------------------------------------------------------------------------------


def test_the_words_of_prometheus() -> None:
    samples = [
        Sample("process_up", {"app": "a", "process": "web-1"}, 1),
        Sample("app_release_info", {"app": "a", "release": 'x"\\\n'}, 1),
        Sample("process_up", {"app": "a", "process": "web-2"}, 0),
        Sample("metrics_run_time_seconds", {}, 1.5),
    ]
    assert prometheus.prometheus(samples).splitlines() == [
        "# HELP twelvefactor_app_release_info The release that is current.",
        "# TYPE twelvefactor_app_release_info gauge",
        'twelvefactor_app_release_info{app="a",release="x\\"\\\\\\n"} 1',
        "# HELP twelvefactor_process_up Whether the process runs.",
        "# TYPE twelvefactor_process_up gauge",
        'twelvefactor_process_up{app="a",process="web-1"} 1',
        'twelvefactor_process_up{app="a",process="web-2"} 0',
        "# HELP twelvefactor_metrics_run_time_seconds When the last run began.",
        "# TYPE twelvefactor_metrics_run_time_seconds gauge",
        "twelvefactor_metrics_run_time_seconds 1.5",
    ]


PROCESS = {"app": "shop", "type": "web", "process": "web-1"}


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        (Sample("app_healthy", {"app": "shop"}, 1), "apps.h.shop.healthy:1|g"),
        (Sample("process_up", PROCESS, 0), "apps.h.shop.web-1.up:0|g"),
        (
            Sample("process_move_seconds", {**PROCESS, "step": "gate"}, 0.25),
            "apps.h.shop.web-1.gate.move_seconds:0.25|g",
        ),
        (Sample("supervisor_up", {"app": "a.b"}, 1), "apps.h.a_b.supervisor.up:1|g"),
        (
            Sample("app_deploy_time_seconds", {"app": "shop"}, 90),
            "apps.h.shop.deploy_age_seconds:10|g",
        ),
        (
            Sample("certificate_expiry_time_seconds", {"certificate": "shop"}, 160),
            "apps.h.certificate.shop.left_seconds:60|g",
        ),
        # a sign would mean "less by so much"
        (
            Sample("certificate_expiry_time_seconds", {"certificate": "shop"}, 40),
            "apps.h.certificate.shop.left_seconds:0|g",
        ),
        (Sample("metrics_problems", {}, 2), "apps.h.metrics.problems:2|g"),
        (Sample("metrics_run_time_seconds", {}, 99), "apps.h.metrics.run_age_seconds:1|g"),
    ],
)
def test_the_words_of_statsd(sample: Any, line: str) -> None:
    assert list(statsd.gauges([sample], "apps.h", 100.0)) == [line]


def test_statsd_has_no_words_for_a_release() -> None:
    sample = Sample("app_release_info", {"app": "shop", "release": "1"}, 1)
    assert list(statsd.gauges([sample], "apps", 0.0)) == []


def test_packets_hold_whole_lines() -> None:
    lines = [f"a.b{number}:1|g" for number in range(50)]
    packets = list(statsd.packets(lines, 100))
    assert b"\n".join(packets).decode().split("\n") == lines
    assert max(len(packet) for packet in packets) <= 100
    assert len(packets) < 10


DOCUMENT = {
    "samples": [
        ["app_healthy", {"app": "my-shop"}, 1],
        ["process_move_seconds", {**PROCESS, "step": "gate"}, 0.3],
        ["process_move_seconds", {**PROCESS, "step": "total"}, 9],
        ["process_restarts_total", PROCESS, 4],
        ["certificate_expiry_time_seconds", {"certificate": "7shop"}, 100 + 86400 * 3],
    ],
    "until": 200,
}


@pytest.mark.parametrize(
    ("plugin", "values", "config"),
    [
        ("app_health", ["my_shop.value 1"], ["my_shop.label my-shop", "my_shop.critical 1:"]),
        ("app_gate", ["shop_web_1.value 0.3"], ["shop_web_1.label shop web-1"]),
        ("app_restarts", ["shop_web_1.value 4"], ["shop_web_1.type DERIVE", "shop_web_1.min 0"]),
        ("certificates", ["_7shop.value 3"], ["_7shop.label 7shop", "graph_vlabel days left"]),
        ("circus", [], ["graph_title Supervisors of apps"]),
    ],
)
def test_the_words_of_munin(plugin: str, values: list[str], config: list[str]) -> None:
    def answer(command: str, now: float = 100) -> list[str]:
        lines: list[str] = munin.munin(plugin, command, DOCUMENT, now, {"critical": "1:"})
        return lines

    assert answer("") == values
    assert set(config) <= set(answer("config"))
    assert answer("autoconf") == ["yes"]
    # nobody has looked for a while
    assert answer("", now=201) == [f"{line.split()[0]} U" for line in values]


def test_munin_before_the_first_look() -> None:
    assert munin.munin("circus", "", None, 0.0, {}) == []
    assert munin.munin("circus", "autoconf", None, 0.0, {})[0].startswith("no (")


# --- as it is started ----------------------------------------------------------------------------


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def test_one_run_tells_everybody(shop: Host, tmp_path: pathlib.Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(120)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        options = ["collect", "--root", shop.root, "--textfile", "--statsd", address]
        done = run("--state", tmp_path, *options)
        heard = listener.recv(65535).decode()
    assert done.stderr == ""
    host = socket.gethostname().partition(".")[0]
    assert f"apps.{host}.shop.web-1.up:1|g" in heard
    text = (tmp_path / "apps.prom").read_text()
    assert 'twelvefactor_app_healthy{app="shop"} 1\n' in text
    assert run("--state", tmp_path, "munin", "app_processes").stdout == "shop.value 1\n"


def test_nobody_listens(shop: Host, tmp_path: pathlib.Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    run("--state", tmp_path, "collect", "--root", shop.root, "--statsd", address)
    assert run("--state", tmp_path, "munin", "app_health").stdout == "shop.value 1\n"


def test_numbers_that_are_broken_are_made_anew(shop: Host, tmp_path: pathlib.Path) -> None:
    (tmp_path / "numbers.json").write_text('{"samples": [')
    assert run("--state", tmp_path, "munin", "app_health").stdout.strip() == ""
    run("--state", tmp_path, "collect", "--root", shop.root)
    assert run("--state", tmp_path, "munin", "app_health").stdout == "shop.value 1\n"


def test_a_receiver_whose_name_nobody_knows_is_said(shop: Host, tmp_path: pathlib.Path) -> None:
    options = ["--root", shop.root, "--textfile", "--statsd", "nowhere.invalid:8125"]
    done = run("--state", tmp_path, "collect", *options)
    assert done.stderr.startswith("cannot send to nowhere.invalid:8125: ")
    assert (tmp_path / "apps.prom").exists()
