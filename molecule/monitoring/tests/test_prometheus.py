# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped for Prometheus and Grafana, by Debian's promtool and on what the hosts export."""

import base64
import gzip

import pytest
from monitoring import node_exporter, page, shipped

READER = "reader:rep0rts"
DIRECTORY = "/root/prometheus"


@pytest.fixture(scope="module")
def exported(host, ask):
    host.check_output("systemctl restart app-metrics.service")
    code, text = ask(host.backend.get_hostname(), "metrics.test", "/metrics", READER)
    assert code == 200
    return text.decode()


@pytest.fixture(scope="module")
def put(host):
    """Copy a text to the host; it gives the path there."""
    host.check_output(f"mkdir -p {DIRECTORY}")

    def copy(name, text):
        path = f"{DIRECTORY}/{name}"
        # a command has at most 128 KiB; a host with many processors exports more
        data = base64.b64encode(gzip.compress(text.encode())).decode()
        host.check_output(f"echo {data} | base64 --decode | gunzip > {path}")
        return path

    return copy


def test_each_alert_fires_when_it_should_and_not_otherwise(host, put):
    rules = put(shipped.RULES.name, shipped.RULES.read_text())
    host.check_output(f"promtool check rules {rules}")
    tests = [put(path.name, path.read_text()) for path in shipped.RULE_TESTS]
    host.check_output(f"promtool test rules {' '.join(tests)}")


def test_each_query_of_the_dashboard_finds_what_the_host_exports(host, put, exported):
    test = put("dashboard.test.yml", page.promtool_test_of_queries(exported))
    host.check_output(f"promtool test rules {test}")


def test_the_node_exporter_exports_what_rules_and_dashboard_use(exported):
    found = page.labels(exported)
    missing = {
        metric: labels - found.get(metric, {None})
        for metric, labels in node_exporter.METRICS.items()
        if metric not in found or labels - found[metric]
    }
    assert missing == {}
    # the sandbox: see node_exporter.py
    assert "node_timex_offset_seconds" not in found
