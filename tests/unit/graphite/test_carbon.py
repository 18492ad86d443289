# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who invents names of metrics fills the disk slowly, and not at all when it is nearly full."""

from __future__ import annotations

from configparser import ConfigParser

import pytest
from unit.nginx.configuration import evaluate, template


@pytest.fixture(scope="module")
def cache() -> dict[str, str]:
    parser = ConfigParser(interpolation=None)
    parser.read_string(template("graphite", "etc/carbon/carbon.conf"))
    return dict(parser["cache"])


def test_names_per_minute_are_few_and_take_no_disk_before_their_numbers(
    cache: dict[str, str],
) -> None:
    assert 0 < int(cache["max_creates_per_minute"]) <= 100
    assert cache["whisper_sparse_create"] == "True"
    # which would take the megabyte of a whole retention for each name
    assert cache["whisper_fallocate_create"] == "False"


def test_carbon_drops_metrics_while_the_disk_is_nearly_full(cache: dict[str, str]) -> None:
    assert cache["use_whitelist"] == "True"
    floor = template("graphite", "etc/systemd/system/carbon-floor.service")
    [command] = [line for line in floor.splitlines() if line.startswith("ExecStart=")]
    blacklist = evaluate("graphite", "{{ __graphite_blacklist }}")
    assert command.endswith(f" {blacklist}")
    assert f" --blacklist={blacklist} " in template(
        "graphite", "etc/systemd/system/carbon-cache.service"
    )
    assert evaluate("graphite", "{{ graphite_free_megabytes }}") >= 1024
    assert str(evaluate("graphite", "{{ graphite_free_megabytes }}")) in command.split()
