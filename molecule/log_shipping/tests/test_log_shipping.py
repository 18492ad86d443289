# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two receivers have of the logs of two hosts, and what the shipper says meanwhile."""

import json
import os
import pathlib
import re
import time

import yaml

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
RECEIVERS = yaml.safe_load((SCENARIO / "vars" / "main.yml").read_text())["receivers"]
PROOF = os.environ.get("PROOF")
# of each trial, see files/trial.py
SENT = 1200 if PROOF else 360
RECEIVER = "http://127.0.0.1:9200"
LOGS = f"{RECEIVER}/logs-twelvefactor-*"
LOG = "/var/log/shop/worker-1.log"


def words(faults):
    """The names in what files/trial.py is told."""
    return set(re.findall("[a-z0-9_-]+", re.sub("@[0-9]+", "", faults)))


def ask(host, path, body=None, method="GET", at=LOGS):
    data = f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'" if body else ""
    return json.loads(
        host.check_output(f"curl --silent --show-error -X {method} {data} '{at}{path}'")
    )


def found(host, name, value):
    ask(host, "/_refresh", method="POST")
    query = {"size": 100, "query": {"match_phrase": {name: value}}}
    hits = ask(host, "/_search", query, "POST")["hits"]["hits"]
    return [hit["_source"] for hit in hits]


def wait_for(question, seconds=300):
    """The first answer that is one, or the last."""
    until = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < until:
        time.sleep(1)
    return answer


def said(host, words, since):
    return wait_for(
        lambda: words in host.check_output(f"journalctl --unit=log-shipping --since=@{since}")
    )


def now(host):
    return host.check_output("date +%s")


def put(host, text, path=LOG):
    host.run_expect(
        [0], f"cat >> {path} << 'END'\n{text}\nEND\nchown shop: {path} && chmod 0640 {path}"
    )


def test_every_line_arrives_once_under_every_fault(host):
    """Begun by side_effect.yml. The result is the last thing that is written."""
    over = "! systemctl is-active --quiet trial"
    host.check_output(f"for second in $(seq 1800); do {over} && break; sleep 1; done")
    written = host.run("cat /opt/test/result.json")
    assert written.rc == 0, host.check_output("journalctl --unit=trial --no-pager")
    results = json.loads(written.stdout)
    for fault, result in results.items():
        print(f"{fault:12}", *(f"{key} {value}" for key, value in result.items()))
    asked = RECEIVERS[host.backend.get_hostname()]["all_faults" if PROOF else "faults"]
    assert set(results) == words(asked)
    assert [fault for fault, result in results.items() if not result["met"]] == []
    assert {fault: (r["received"], r["twice"]) for fault, r in results.items()} == dict.fromkeys(
        results, (SENT, 0)
    )
    assert {r["sent"] for r in results.values()} == {SENT}
    if "@60" in asked:
        assert results["down"]["seconds"] >= 60


def test_between_them_the_servers_meet_every_fault():
    """Each has all of them in `make proof`."""
    asked = {fault for server in RECEIVERS.values() for fault in words(server["faults"])}
    assert asked == {
        fault for server in RECEIVERS.values() for fault in words(server["all_faults"])
    }


def test_what_is_stored(host):
    # nginx's own fields, with the types of the template
    hits = ask(
        host, "/_search", {"size": 1, "query": {"prefix": {"url.original": "/none"}}}, "POST"
    )
    entry = hits["hits"]["hits"][0]["_source"]
    assert entry["http.response.status_code"] == 200
    assert entry["service.name"] == "shop"
    assert entry["event.dataset"] == "nginx.access"
    assert entry["log.file.path"] == "/var/log/nginx/shop.access.log"
    average = {"size": 0, "aggs": {"mean": {"avg": {"field": "http.response.status_code"}}}}
    assert ask(host, "/_search", average, "POST")["aggregations"]["mean"]["value"] == 200
    assert host.check_output("hostname") == entry["host.name"]


def dead_lines(host):
    return json.loads(host.check_output("cat /var/lib/log-shipping/state.json"))["counts"]["dead"]


def test_strange_lines_block_nobody(host):
    before = dead_lines(host)
    word = f"strange{now(host)}n"
    # An object by the template. "event" would not do: of a line with that and "event.dataset", which
    # the shipper adds, osmem-server takes now one for what is wrong and now none.
    poison = json.dumps({"http": "not what the others have", "message": f"{word}0"})
    put(host, f'{poison}\n{word}1 text\n{{"message": "{word}2"')
    host.run_expect([0], f"printf '{word}3 x\\351\\n' >> {LOG}")
    host.run_expect([0], f"(head --bytes=300000 /dev/zero | tr '\\0' x; echo) >> {LOG}")
    host.run_expect([0], f"printf '{word}4\\n{word}5 half' >> {LOG}")
    for number in (1, 2, 3, 4):
        assert wait_for(lambda number=number: found(host, "message", f"{word}{number}")), number
    assert found(host, "message", f"{word}3")[0]["message"] == f"{word}3 x\\xe9"
    assert found(host, "message", f"{word}0") == []
    assert found(host, "message", f"{word}5") == []
    assert dead_lines(host) == before + 1
    dead = json.loads(host.check_output("tail --lines=1 /var/lib/log-shipping/dead.jsonl"))
    assert (f"{word}0" in dead["line"], dead["file"], dead["reason"][:4]) == (True, LOG, "400 ")
    host.run_expect([0], f"echo ' done' >> {LOG}")
    [whole] = wait_for(lambda: found(host, "message", f"{word}5"))
    assert whole["message"] == f"{word}5 half done"


def test_wrong_keys_and_authorities_are_said_and_lose_nothing(host):
    directory = "/etc/log-shipping"
    host.run_expect([0], f"cp --archive --no-target-directory {directory} /root/kept")
    cases = [
        ("authorization", "ApiKey wrong", "answered 401", "is log_shipping_authorization right"),
        (
            "ca.pem",
            "-----BEGIN CERTIFICATE-----",
            "cannot read the certificates of authorities",
            "ca.pem",
        ),
        (
            "ca.pem",
            "$(cat /etc/ssl/certs/ISRG_Root_X1.pem)",
            "CERTIFICATE_VERIFY_FAILED",
            "trying again",
        ),
    ]
    for number, (name, content, *words) in enumerate(cases):
        since = now(host)
        line = f"locked{since}n{number}"
        host.run_expect([0], f'systemctl stop log-shipping; echo "{content}" > {directory}/{name}')
        host.run_expect([0], "systemctl start log-shipping")
        put(host, line)
        for word in words:
            assert said(host, word, since), word
        host.run_expect([0], f"cp --archive /root/kept/{name} {directory}/{name}")
        assert said(host, "the receiver: works again after", since)
        assert wait_for(lambda line=line: found(host, "message", line))


def test_what_rotation_takes_away_is_bounded_and_said(host):
    since = now(host)
    host.run_expect([0], "systemctl stop proxy")
    big = "/var/log/shop/big.log"
    host.run_expect(
        [0], f"yes 'a line of some length' | head --bytes=25000000 > {big}; chown shop: {big}"
    )
    # the shipper tells the watchdog after each look for new files
    look = "systemctl show --property=WatchdogTimestampMonotonic --value log-shipping"
    for _look in range(2):
        before = host.check_output(look)
        assert wait_for(lambda before=before: host.check_output(look) != before)
    host.run_expect([0], f"rm {big}")
    assert said(host, f"lost 25000000 bytes or more of {big}: it was deleted before", since)
    host.run_expect([0], "systemctl start proxy")
    put(host, f"afterloss{since}")
    assert wait_for(lambda: found(host, "message", f"afterloss{since}"))


def test_old_indices_are_deleted(host):
    days = {"old": 16, "kept": 13}
    names = {
        name: time.strftime("%Y.%m.%d", time.gmtime(time.time() - age * 86400))
        for name, age in days.items()
    }
    old, kept = (f"logs-twelvefactor-{names[name]}" for name in days)
    other = f"somebody-elses-{names['old']}"
    for name in (old, kept, other):
        ask(host, f"/{name}/_doc", {"message": "x"}, "POST", RECEIVER)
    host.run_expect([0], "systemctl start log-shipping-retention")
    indices = {entry["index"] for entry in ask(host, "/_cat/indices?format=json", at=RECEIVER)}
    assert old not in indices
    assert {kept, other} < indices
    assert f"deleted {old}, which is more than 14 days old" in host.check_output(
        "journalctl --unit=log-shipping-retention"
    )
    assert host.service("log-shipping-retention.timer").is_running


def test_it_may_do_little(host, exposure):
    secret = host.file("/etc/log-shipping/authorization")
    assert (secret.user, secret.mode) == ("log-shipping", 0o600)
    told = host.check_output("systemctl show log-shipping; cat /etc/log-shipping/config.json")
    assert "log_shipper.py" in told
    assert "bW9sZWN1bGU6a2V5" not in told
    assert exposure(host, "log-shipping.service") < 2
    pid = host.check_output("systemctl show --property=MainPID --value log-shipping")
    status = host.check_output(f"grep --extended-regexp 'Cap|NoNew|^Uid|VmHWM' /proc/{pid}/status")
    values = dict(line.split(":", 1) for line in status.splitlines())
    assert int(values["CapEff"], 16) == 0
    assert values["NoNewPrivs"].strip() == "1"
    assert "0" not in values["Uid"].split()
    # kilobytes, after all of the above
    assert int(values["VmHWM"].split()[0]) < 100_000
