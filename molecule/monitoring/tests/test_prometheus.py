# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped for Prometheus, by Debian's promtool."""

import pytest
from monitoring import shipped

DIRECTORY = "/root/prometheus"


@pytest.fixture(scope="module")
def put(host):
    """Copy a text to the host; it gives the path there."""
    host.check_output(f"mkdir -p {DIRECTORY}")

    def copy(name, text):
        path = f"{DIRECTORY}/{name}"
        host.check_output(f"cat > {path} << 'END'\n{text}\nEND\n")
        return path

    return copy


def test_each_alert_fires_when_it_should_and_not_otherwise(host, put):
    rules = put(shipped.RULES.name, shipped.RULES.read_text())
    host.check_output(f"promtool check rules {rules}")
    tests = [put(path.name, path.read_text()) for path in shipped.RULE_TESTS]
    host.check_output(f"promtool test rules {' '.join(tests)}")
