# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of each factor: one for a host where all is well, and each way in which it is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.factors import (
    FACTORS,
    FINDING,
    OK,
    UNKNOWN,
    Declared,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.fleet import (
    audit,
    document,
    findings,
    table,
)

A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
DECLARED = {"version": "2.0", "env": ["DATABASE_URL", "DEBUG"], "formation": {"web": 1, "beat": 0}}
WELL: dict[str, Any] = {
    "state": "serving",
    "current": B,
    "formation": {"web": 1},
    "drift": [],
    "unwell": [],
    "processes": {
        "web-1": {
            "state": "serving",
            "release": B,
            "serves": True,
            "healthy": True,
            "answer": "200",
        }
    },
    "records": [
        {
            "at": "2026-01-02T03:04:05Z",
            "event": "deploy",
            "release": B,
            "outcome": "good",
            "durations": {"gate": 2.25, "switch": 0.1, "drain": 1.0, "stop": 0.5, "total": 4.0},
        }
    ],
    "release": {
        "id": B,
        "package": "shop",
        "version": "2.0",
        "commit": "0123456789abcdef",
        "wheel_sha256": "w" * 64,
        "lock_sha256": "l" * 64,
        "python": "3.13.5",
        "processes": {"web": {"socket": True, "stop_timeout": 30.0}},
        "command": True,
    },
    "lock": {"packages": 12, "problem": "", "unread": ""},
    "files": {"problem": "", "unread": "", "writable": [], "count": 0},
    "config": {
        "problem": "",
        "names": ["DATABASE_URL", "DEBUG"],
        "services": {"DATABASE_URL": "postgresql"},
        "public": False,
    },
    "code": {"files": 31, "partial": False, "secrets": []},
    "unit": {
        "ActiveState": "active",
        "ProtectSystem": "strict",
        "ReadWritePaths": "/run/shop /var/lib/shop /var/log/shop -/srv/uploads -+/srv/more",
    },
    "writable": ["/run/shop", "/mnt/disk/uploads"],
    "running": {
        "count": 4,
        "written": [
            {"path": "/var/log/shop/web-1.log", "command": "circusd"},
            {"path": "/var/lib/shop/cache.db", "command": "gunicorn"},
            {"path": "/srv/uploads/1.png", "command": "gunicorn"},
            {"path": "/srv/more/1.png", "command": "gunicorn"},
            {"path": "/mnt/disk/uploads/2.png", "command": "gunicorn"},
            {"path": "/run/circus-shop/lock", "command": "circusd"},
            {"path": "/tmp/upload", "command": "gunicorn"},
        ],
        "listening": [
            {"address": "127.0.0.1:8000", "command": "gunicorn"},
            {"address": "[::1]:8000", "command": "gunicorn"},
            {"address": "[::ffff:127.0.0.1]:8000", "command": "gunicorn"},
        ],
        "outside": [],
        "partial": False,
    },
    "command_sandbox": True,
}


def facts(**changes: Any) -> dict[str, Any]:
    """Those of a host where all is well, but for ``topic__key``."""
    made = copy.deepcopy(WELL)
    for name, value in changes.items():
        topic, _, key = name.partition("__")
        if key:
            made[topic][key] = value
        else:
            made[topic] = value
    return made


def of(host: dict[str, Any] | str, factor: str, **declared: Any) -> dict[str, Any]:
    (found,) = document_of({"app1": host}, **declared)["apps"]["shop"][number(factor) :][:1]
    assert found["factor"] == factor
    result: dict[str, Any] = found
    return result


def number(factor: str) -> int:
    return list(FACTORS).index(factor)


def document_of(hosts: dict[str, Any], **declared: Any) -> dict[str, Any]:
    answers = [
        (
            host,
            ["shop"],
            {"ping": "pong"},
            {"results": [{"item": "shop", "facts": told}]}
            if isinstance(told, dict)
            else {"results": [{"item": "shop", "failed": True, "msg": told}]},
        )
        for host, told in hosts.items()
    ]
    return document(answers, {"shop": DECLARED | declared})


def process(**changes: Any) -> dict[str, Any]:
    return {"web-1": WELL["processes"]["web-1"] | changes}


def durations(**seconds: float) -> list[dict[str, Any]]:
    return [WELL["records"][0] | {"durations": seconds}]


def stopped(stop: float, **formation: int) -> dict[str, Any]:
    """With a type that has more time to end than web, whether one runs or not."""
    specs = WELL["release"]["processes"] | {"worker": {"stop_timeout": 600.0}}
    return {
        "records": durations(gate=1.0, stop=stop),
        "release__processes": specs,
        "formation": {"web": 1} | formation,
    }


def opened(path: str) -> list[dict[str, str]]:
    return [{"path": path, "command": "gunicorn"}]


def test_a_host_with_nothing_wrong_scores_twelve_of_twelve() -> None:
    whole = document_of({"app1": facts(), "app2": facts()})
    assert [each["verdict"] for each in whole["apps"]["shop"]] == [OK] * 12
    assert [each["number"] for each in whole["apps"]["shop"]] == list(range(1, 13))
    assert whole["counts"] == {FINDING: 0, UNKNOWN: 0, OK: 12}
    assert findings(whole) == []
    assert all(each["remedy"] == "" for each in whole["apps"]["shop"])


@pytest.mark.parametrize(
    ("factor", "changes", "evidence"),
    [
        ("dependencies", {"lock__problem": "flask has no hash"}, "flask has no hash"),
        ("config", {"code__secrets": ["shop/db.py has a default for TOKEN"]}, "default for TOKEN"),
        ("config", {"config__public": True}, "every user of the host can read"),
        ("backing services", {"config__names": ["DB_HOST", "DB_PORT"]}, "parts: DB_HOST, DB_PORT"),
        ("backing services", {"config__services": {"D": "sqlite"}}, "D: a file on the host"),
        (
            "build, release, run",
            {"files__count": 2, "files__writable": ["Procfile"]},
            f"the app can write 2 files of {B}, such as Procfile",
        ),
        ("build, release, run", {"files__problem": "x.py (changed)"}, "x.py (changed)"),
        ("build, release, run", {"release__id": A}, f"release.json of {B} says {A}"),
        ("processes", {"unit__ProtectSystem": "no"}, "has no sandbox"),
        ("processes", {"running__written": opened("/srv/x")}, "declared paths: /srv/x by gunicorn"),
        ("processes", {"running__written": opened("/var/lib/shopper/x")}, "/var/lib/shopper/x"),
        (
            "port binding",
            {"running__listening": [{"address": "0.0.0.0:80", "command": "gunicorn"}]},
            "reached without the proxy: gunicorn on 0.0.0.0:80",
        ),
        (
            "port binding",
            {"running__listening": [{"address": "[::]:80", "command": "gunicorn"}]},
            "gunicorn on [::]:80",
        ),
        (
            "port binding",
            {"running__listening": [{"address": "[::ffff:10.0.0.1]:80", "command": "gunicorn"}]},
            "gunicorn on [::ffff:10.0.0.1]:80",
        ),
        ("port binding", {"processes": process(healthy=False, answer="500")}, "web-1: 500"),
        ("concurrency", {"formation": {"web": 2}}, "web 2 instead of web 1"),
        ("concurrency", {"drift": ["web-1 does not run"]}, "web-1 does not run"),
        ("disposability", {"records": durations(gate=31.0, stop=0.1)}, "a start over 30 s"),
        ("disposability", {"records": durations(gate=1.0, stop=30.1)}, "TERM was not enough"),
        ("disposability", stopped(600.0, worker=1), "TERM was not enough within 600 s"),
        ("disposability", stopped(30.0, worker=0), "TERM was not enough within 30 s"),
        ("dev/prod parity", {"release__version": "1.9"}, "version 1.9 instead of 2.0"),
        ("dev/prod parity", {"config__names": ["DEBUG"]}, "not deployed: DATABASE_URL"),
        (
            "dev/prod parity",
            {"config__names": ["DATABASE_URL", "DEBUG", "OLD"]},
            "not in the inventory: OLD",
        ),
        (
            "logs",
            {"running__written": opened("/var/lib/shop/debug.log")},
            "/var/lib/shop/debug.log",
        ),
        ("logs", {"running__written": opened("/srv/uploads/log/x")}, "/srv/uploads/log/x"),
        ("admin processes", {"command_sandbox": False}, "have no sandbox"),
        (
            "admin processes",
            {"running__outside": [{"command": "sh", "unit": "session-3.scope"}]},
            "outside of the sandbox: sh in session-3.scope",
        ),
    ],
)
def test_findings(factor: str, changes: dict[str, Any], evidence: str) -> None:
    found = of(facts(**changes), factor)
    assert found["verdict"] == FINDING
    assert evidence in found["evidence"]
    assert found["remedy"]


@pytest.mark.parametrize(
    ("factor", "changes", "declared"),
    [
        ("codebase", {"release__commit": None}, {}),
        ("dependencies", {"lock__unread": "Input/output error"}, {}),
        ("build, release, run", {"files__unread": "not all files were read"}, {}),
        ("config", {"config__problem": "its env cannot be read"}, {}),
        ("config", {"code__partial": True}, {}),
        ("config", {"code__files": 0}, {}),
        ("backing services", {"config__services": {}}, {}),
        ("processes", {"running__count": 0}, {}),
        ("processes", {"unit": {}}, {}),
        ("port binding", {"processes": process(healthy=None)}, {}),
        ("port binding", {"processes": {}}, {}),
        ("concurrency", {"state": "moving"}, {}),
        ("disposability", {"records": []}, {}),
        ("disposability", {"records": durations(gate=1.0)}, {}),
        ("disposability", stopped(30.0, worker=1), {}),
        ("dev/prod parity", {}, {"version": None}),
        ("logs", {"running__count": 0}, {}),
        ("logs", {"unit": {}}, {}),  # where its logs may be is not known then
        *(
            (factor, {"running__partial": True}, {})
            for factor in ("processes", "port binding", "logs", "admin processes")
        ),
    ],
)
def test_what_is_not_observed_is_unknown(
    factor: str, changes: dict[str, Any], declared: dict[str, Any]
) -> None:
    assert of(facts(**changes), factor, **declared)["verdict"] == UNKNOWN


def test_a_stop_within_the_time_of_every_type_is_ok() -> None:
    assert of(facts(**stopped(29.9, worker=1)), "disposability")["verdict"] == OK


@pytest.mark.parametrize(
    ("told", "evidence"),
    [
        ({"release": None}, "no release here"),
        ({}, "cannot be read"),
        ({"release": 7}, "cannot be read"),
        ("Connection\nrefused \x1b[1m", "Connection refused ?[1m"),
    ],
)
def test_a_host_without_an_answer_makes_all_unknown(told: Any, evidence: str) -> None:
    found = document_of({"app1": told})["apps"]["shop"]
    assert {each["verdict"] for each in found} == {UNKNOWN}
    assert all(evidence in each["evidence"] for each in found)


def test_an_unreachable_host_is_not_taken_for_one_that_is_well() -> None:
    lost = {"unreachable": True, "msg": "No route"}
    answers = [
        ("app1", ["shop"], {"ping": "pong"}, {"results": [{"item": "shop", "facts": facts()}]}),
        ("app2", ["shop"], lost, {"results": [{"item": "shop", "skipped": True}]}),
        ("other", [], lost, {}),
    ]
    found = document(answers, {"shop": DECLARED})["apps"]["shop"]
    assert {(each["verdict"], each["evidence"]) for each in found} == {(UNKNOWN, "app2: No route")}


@pytest.mark.parametrize(
    ("factor", "other", "evidence"),
    [
        (
            "codebase",
            facts(release__wheel_sha256="x" * 64, current=A),
            f"hosts run different builds: app1 {B}, app2 {A}",
        ),
        ("dev/prod parity", facts(current=A), f"different releases: app1 {B}, app2 {A}"),
        ("dev/prod parity", {"release": None}, "no release on app2"),
    ],
)
def test_hosts_that_differ(factor: str, other: dict[str, Any], evidence: str) -> None:
    whole = document_of({"app1": facts(), "app2": other})
    found = whole["apps"]["shop"][number(factor)]
    assert (found["verdict"], evidence in found["evidence"]) == (FINDING, True)


def test_what_hosts_differ_in_is_shown_without_control_characters() -> None:
    whole = document_of({"app1": facts(), "app2": facts(current="\x1b[1m")})
    assert "app2 ?[1m" in whole["apps"]["shop"][number("dev/prod parity")]["evidence"]


def test_only_hosts_with_the_worst_verdict_are_named() -> None:
    broken = facts(lock__problem="flask has no hash")
    hosts = {"app1": facts(), "app2": broken, "app3": broken}
    found = document_of(hosts)["apps"]["shop"][number("dependencies")]
    assert found["evidence"] == "app2, app3: flask has no hash"
    assert {host: each["verdict"] for host, each in found["hosts"].items()} == {
        "app1": OK,
        "app2": FINDING,
        "app3": FINDING,
    }


def test_table() -> None:
    whole = document_of({"app1": facts(command_sandbox=False)})
    lines = table(whole)
    assert lines[0].split() == ["APP", "FACTOR", "VERDICT", "EVIDENCE"]
    assert [line.split()[:2] for line in lines[1:13]] == [
        ["shop", str(each)] for each in range(1, 13)
    ]
    assert lines[12].split(maxsplit=5) == [
        *("shop", "12", "admin", "processes", "finding"),
        "one-off commands have no sandbox on this host. Set the app up again with the playbook platform.",
    ]
    assert lines[13:] == ["", "findings: 1, unknown: 0, ok: 11"]
    assert findings(whole) == [
        "shop, admin processes: one-off commands have no sandbox on this host"
    ]


def test_an_app_that_no_host_has_is_left_out() -> None:
    assert document([], {"shop": DECLARED})["apps"] == {}


def test_every_factor_is_judged_by_what_it_is_called() -> None:
    assert [each["factor"] for each in audit({"app1": facts()}, Declared())] == list(FACTORS)
