# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is exported."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest
from monitoring import node_exporter, shipped

PROGRAMS = shipped.ROOT / "roles/app_metrics/files/usr/local/lib/twelvefactor"
sys.path.insert(0, str(PROGRAMS))
from app_metrics.host import Inspection
from app_metrics.metrics import METRICS


def put(root: pathlib.Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Labels by metric: of what app_metrics says of a host with one process, schedule and certificate, and others'."""
    root = tmp_path_factory.mktemp("host")
    release = "1.0-aaaaaaaa"
    status = {"pid": 20, "child": 21, "release": release, "counter": 1, "restarts": 0}
    status["replacements"] = 0
    record = {"at": "2026-01-02T03:04:05Z", "release": release, "outcome": "good", "seconds": 7}
    put(root, "proc/stat", "btime 1000\n")
    for pid, parent, words in (
        (10, 1, ["/opt/circus/bin/circusd", "/etc/circus/shop.ini"]),
        (20, 10, ["pivot", "web-1"]),
        (21, 20, ["gunicorn"]),
    ):
        put(root, f"proc/{pid}/stat", f"{pid} (x) S {parent} {' '.join(['0'] * 50)}\n")
        put(root, f"proc/{pid}/cmdline", "\0".join(words) + "\0")
    put(root, "etc/circus/shop.ini", "[circus]\n")
    put(root, "etc/circus/shop.d/formation.ini", "[watcher:web-1]\n")
    put(root, "srv/shop/releases.jsonl", f"{json.dumps(record)}\n")
    (root / "srv/shop/current").symlink_to(f"releases/{release}")
    put(root, "run/shop/web-1.json", json.dumps({**status, "move": {"seconds": {"gate": 1}}}))
    put(root, "etc/systemd/system/schedule-shop@report.timer", "")
    ran = {"runs": 3, "failures": 1, "succeeded": 1700000000.0, "seconds": 2.5}
    put(root, "var/lib/app-schedules/shop/report.json", json.dumps(ran))
    (root / "etc/nginx").mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null"]
    subject = ["-subj", "/CN=shop.test", "-out", root / "etc/nginx/shop.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", *key, *subject],
        check=True,
        capture_output=True,
        timeout=60,
    )
    samples = Inspection(root, ["/etc/nginx/*.pem"]).samples
    assert {sample.name for sample in samples} == set(METRICS)
    ours = {f"twelvefactor_{sample.name}": set(sample.labels) for sample in samples}
    return {"up": set(), **node_exporter.METRICS, **ours}
