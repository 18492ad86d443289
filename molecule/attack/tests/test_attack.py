# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of each attempt, and what the honest app has noticed of all of them: nothing."""

from __future__ import annotations

import ast
import json
import pathlib
import re

import pytest

FILES = pathlib.Path(__file__).parents[1] / "files"


def attempts(name: str) -> list[str]:
    """The functions of a file that are marked as attempts."""
    return [
        node.name
        for node in ast.parse((FILES / name).read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(mark, ast.Name) and mark.id == "attempt" for mark in node.decorator_list)
    ]


@pytest.fixture(scope="module")
def verdicts(host):
    return json.loads(host.file("/root/attempts.json").content_string)


@pytest.mark.parametrize("name", attempts("attempts.py"))
def test_a_compromised_app_does_not(verdicts, name):
    if verdicts["app"][name].startswith("not tried"):
        pytest.skip(verdicts["app"][name])
    assert verdicts["app"][name] == "held"


@pytest.mark.parametrize("name", attempts("client.py"))
def test_a_client_does_not(verdicts, name):
    assert verdicts["client"][name] == "held"


def test_an_attempt_can_succeed(verdicts):
    """Where there is nothing to hold it: a program that always says `held` would prove nothing."""
    assert len(verdicts["controls"]) >= 5
    assert [name for name, said in verdicts["controls"].items() if "SUCCEEDED" not in said] == []


def test_those_whom_it_went_for_are_alive(verdicts):
    assert verdicts["targets that ended"] == {}


def test_the_honest_app_has_lost_no_request(host):
    count = json.loads(host.file("/root/load.json").content_string)
    assert count["finished"]
    assert (count["failed"], count["failures"]) == (0, {})
    assert len(count["versions"]) == 1


def test_the_honest_app_has_lost_no_line_of_its_log(host):
    """It numbers them, from its start to the answer to this request."""
    ask = "curl --silent --fail --max-time 60 --unix-socket /run/honest/web-1.sock http://honest/"
    last = json.loads(host.check_output(ask))["number"]
    # what was written last is still on its way
    host.check_output(
        f"timeout 120 sh -c 'until grep -q \"line {last}$\" /var/log/honest/web-1.log; do sleep 0.2; done'"
    )
    text = host.check_output("zcat --force $(ls -rv /var/log/honest/web-1.log*)")
    numbers = [int(found) for found in re.findall(r"^line (\d+)$", text, re.MULTILINE)]
    # its health check is asked all the time, and is numbered like any other request
    assert max(numbers) >= last
    assert sorted(numbers) == list(range(1, max(numbers) + 1))


def test_nginx_has_a_line_of_each_request_of_the_honest_app(host):
    count = json.loads(host.file("/root/load.json").content_string)
    lines = host.check_output(
        "zcat --force $(ls -rv /var/log/nginx/honest.access.log*)"
    ).splitlines()
    paths = [json.loads(line)["url.original"].partition("?")[0] for line in lines]
    assert sum(path in ("/version", "/echo", "/slow") for path in paths) >= count["requests"]


def test_no_line_of_the_flood_is_in_the_journal_of_the_host(host):
    """It is in the hostile app's own, which the limit of that app holds."""
    count = "journalctl --namespace={} --no-pager --output=cat | grep -c '^flood ' || test $? = 1"
    assert int(host.check_output(count.format("hostile"))) > 0
    assert host.check_output(count.format("")) == "0"


def test_the_logs_of_the_honest_app_were_rotated(host):
    """While logrotate met what the hostile app had left."""
    assert host.file("/var/log/honest/web-1.log.1").exists


def test_the_good_release_of_the_hostile_app_serves_in_the_end(host):
    current = host.file("/srv/hostile/current").linked_to.rpartition("/")[2]
    status = json.loads(host.file("/run/hostile/web-1.json").content_string)
    assert (status["state"], status["release"]) == ("serving", current)
    assert "COLOUR=green" in host.file(
        f"/srv/hostile/releases/{current}/env"
    ).content_string.replace("'", "")
    assert host.check_output("python3 /usr/local/lib/attack/left.py hostile") == ""
    records = host.file("/srv/hostile/releases.jsonl").content_string.splitlines()
    assert json.loads(records[-1])["outcome"] == "good"
    assert host.check_output("systemctl --failed --plain --no-legend") == ""
