# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of an app: names, hosts, settings."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
import subprocess
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app import network
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import (
    LONGEST_FILE,
    PROCESS_TYPE,
    Setting,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import Problem
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.schedule import (
    SCHEDULE,
    SCHEDULE_NAME,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import (
    CONFIG_FILE,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.validation import (
    key_problems,
    placement_problem,
    settings_problems,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import (
    Unresolved,
    problems,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build import procfile
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import config, schedules

GROUPS = {
    "all": ["a1", "a2", "w1", "p1"],
    "ungrouped": [],
    "app": ["a1", "a2"],
    "wiki_servers": ["a2"],
    "web": ["w1"],
    "mixed": ["a1", "w1"],
    "empty": [],
}


@pytest.mark.parametrize(
    ("said", "groups", "problem"),
    [
        ({}, GROUPS, ""),
        ({"hosts": "a1"}, GROUPS, ""),
        (
            {"hosts": "wiki_server"},
            GROUPS,
            (
                "apps.shop.hosts is 'wiki_server', neither a group nor a host of this inventory; "
                "its groups are app, wiki_servers, web, mixed, empty; did you mean 'wiki_servers'?"
            ),
        ),
        (
            {"hosts": "xyz"},
            GROUPS,
            "neither a group nor a host of this inventory; its groups are app,",
        ),
        ({"hosts": "empty"}, GROUPS, "apps.shop.hosts is 'empty', a group without hosts of this"),
        (
            {"hosts": "web"},
            GROUPS,
            (
                "apps.shop.hosts is 'web', but w1 is not in the group 'app', which holds every host that "
                "runs an app; make web a child of it."
            ),
        ),
        ({"hosts": "mixed"}, GROUPS, "but w1 is not in the group 'app'"),
        (
            {"hosts": "p1"},
            GROUPS,
            "but p1 is not in the group 'app', which holds every host that runs",
        ),
        (
            {},
            {"all": ["w1"], "ungrouped": [], "apps": ["w1"]},
            (
                "apps.shop.hosts is not given, so the app runs on the group 'app', neither a group nor a "
                "host of this inventory; its groups are apps; did you mean 'apps'?"
            ),
        ),
    ],
)
def test_where_an_app_runs_nowhere(
    said: dict[str, Any], groups: dict[str, list[str]], problem: str
) -> None:
    found = [str(each) for each in placement_problem("shop", said, groups)]
    assert bool(found) is bool(problem)
    assert problem in " ".join(found)


def told(said: dict[str, Any], app: str = "shop") -> list[str]:
    return [str(each) for each in settings_problems({"version": "1", **said}, app)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"version": "1.10"}, ""),
        ({"version": 2}, ""),
        (
            {"version": 1.1},
            (
                "apps.shop.version is a number with a fraction, which would lose zeros at its end; write the text in "
                'quotes: version: "1.1" or "1.10".'
            ),
        ),
        (
            {"version": datetime.date(2026, 1, 2)},
            'apps.shop.version is a date; write the text in quotes: version: "2026-01-02".',
        ),
        (
            {"version": True},
            'apps.shop.version is true or false; write the text in quotes: version: "true".',
        ),
        ({"version": ["1.0"]}, 'apps.shop.version is a list; write one text: version: "…".'),
        ({"version": None}, 'apps.shop.version is missing; write version: "…".'),
        (
            {"wheelhouse": {"a": 1}},
            'apps.shop.wheelhouse is a dictionary; write one text: wheelhouse: "…".',
        ),
        ({"domains": ["shop.test", "*.shop.test"]}, ""),
        (
            {"domains": "shop.test"},
            "apps.shop.domains is the text 'shop.test'; write a list: domains: [shop.test].",
        ),
        (
            {"domains": ["shop.test", 1.5]},
            (
                "apps.shop.domains[1] is a number with a fraction, which would lose zeros at its end; write the text "
                'in quotes: "1.5" or "1.50".'
            ),
        ),
        (
            {"domains": ["https://shop.test/"]},
            (
                "apps.shop.domains[0] is 'https://shop.test/'; write a host's name without https:// and without a "
                "path, as in shop.example.org."
            ),
        ),
        ({"env": {"WORKERS": 2, "NAME": "on"}}, ""),
        (
            {"env": {"DEBUG": False}},
            'apps.shop.env.DEBUG is true or false; write the text in quotes: DEBUG: "true".',
        ),
        (
            {"env": {"EMPTY": None}},
            'apps.shop.env.EMPTY is without a value; write EMPTY: "" for an empty one.',
        ),
        ({"env": {"HOSTS": ["a"]}}, 'apps.shop.env.HOSTS is a list; write one text: HOSTS: "…".'),
        ({"env": "A=1"}, "apps.shop.env is a text; write a dictionary: env: {key: …}."),
        (
            {"processes": {"web": True}},
            'apps.shop.processes.web is true or false; write the text in quotes: web: "true".',
        ),
        ({"process_options": {"web": {"ready_after": 0.5}}, "keep": 3, "nginx": False}, ""),
        ({"health_path": None, "index_url": "", "static_files": {"static": "shop/static"}}, ""),
        (
            {"health_path": "healthz"},
            "apps.shop.health_path is 'healthz'; write a path that begins with /, as in /healthz.",
        ),
        ({"heath_path": "/"}, "apps.shop.heath_path is unknown; did you mean 'health_path'?"),
        ({"xyz": 1}, "apps.shop.xyz is unknown; the README of the role app lists the known ones."),
        (
            {"log_format": "jsn"},
            "apps.shop.log_format is 'jsn'; write one of text, json; did you mean 'json'?",
        ),
        ({"keep": "five"}, "apps.shop.keep is the text 'five'; write a whole number: keep: 5."),
        (
            {"keep": 1.5},
            "apps.shop.keep is a number with a fraction; write a whole number: keep: 5.",
        ),
        ({"keep": True}, "apps.shop.keep is true or false; write a whole number: keep: 5."),
        ({"keep": "3"}, ""),
        ({"keep": -1}, "apps.shop.keep is -1; write at least 0."),
        (
            {"nginx": "maybe"},
            "apps.shop.nginx is the text 'maybe'; write true or false: nginx: true.",
        ),
        ({"nginx": "yes"}, ""),
        (
            {"formation": {"web": "two"}},
            "apps.shop.formation.web is the text 'two'; write a whole number: web: 0.",
        ),
        (
            {"formation": ["web"]},
            "apps.shop.formation is a list; write a dictionary: formation: {key: …}.",
        ),
        (
            {"limits": {"cpu_weight": 20000}},
            "apps.shop.limits.cpu_weight is 20000; write a number from 1 to 10000.",
        ),
        (
            {"limits": {"memory": "lots"}},
            "apps.shop.limits.memory is 'lots'; write bytes (512M, 4G), a part of the host's memory (50%) or infinity.",
        ),
        (
            {
                "sandbox": {
                    "writable_paths": ["/srv/exports", "/srv/.cache", "/srv/..a/b..", "/x-y"]
                }
            },
            "",
        ),
        *(
            (
                {"sandbox": {"writable_paths": ["/srv", path]}},
                (
                    f"apps.shop.sandbox.writable_paths[1] is {path!r}; write an absolute path without spaces, "
                    "without . or .. in it and without / at its end, as in /srv/exports."
                ),
            )
            for path in (
                "/etc/..",
                "/srv/../etc",
                "/.",
                "/srv/./a",
                "/srv/",
                "/",
                "srv",
                "/a b",
                "/%h",
            )
        ),
        (
            {"process_options": {"web": {"drain_timout": 3}}},
            "apps.shop.process_options.web.drain_timout is unknown; did you mean 'drain_timeout'?",
        ),
        (
            {"process_options": {"web": {"stop_timeout": 300}}},
            "apps.shop.process_options.web.stop_timeout is 300; write a number from 0 to 240.",
        ),
        (
            {"processes": {"worker": "x"}, "process_options": {"wrk": {"overlap": False}}},
            "apps.shop.process_options.wrk is unknown; did you mean 'worker'?",
        ),
        ({"hooks": {"after_deploy": [{"command": "x", "once": True}]}}, ""),
        (
            {"hooks": {"after_deplo": []}},
            "apps.shop.hooks.after_deplo is unknown; did you mean 'after_deploy'?",
        ),
        (
            {"hooks": {"after_deploy": [{"command": "x", "timeoutt": 3}]}},
            "apps.shop.hooks.after_deploy[0].timeoutt is unknown; did you mean 'timeout'?",
        ),
        (
            {"hooks": {"after_deploy": [{"once": True}]}},
            'apps.shop.hooks.after_deploy[0].command is missing; write command: "…".',
        ),
        (
            {"hooks": {"after_deploy": ["x"]}},
            "apps.shop.hooks.after_deploy[0] is the text 'x'; write a dictionary: {command: …}.",
        ),
        (
            {"sentry": {"environment": "production"}},
            (
                "apps.shop.sentry.environment is unknown; known are dsn, api, url, token, organization, project, "
                "ca_path, timeout, told_from."
            ),
        ),
        (
            {"wheel_sha256": "abc"},
            "apps.shop.wheel_sha256 is 'abc'; write 64 hexadecimal digits in lower case.",
        ),
    ],
)
def test_what_cannot_be_meant(said: dict[str, Any], expected: str) -> None:
    assert told(said) == ([expected] if expected else [])


def test_all_of_it_is_named_at_once() -> None:
    assert len(told({"version": 1.1, "kep": 3, "env": {"A": True, "B": None}, "keep": "x"})) == 5


@pytest.mark.parametrize(
    "said",
    [
        {"version": Unresolved()},
        {"env": {"SECRET": Unresolved()}},
        {"formation": {"worker": Unresolved()}},
        {"formation": Unresolved()},
        {"domains": [Unresolved()]},
        {"hooks": {"after_deploy": [{"command": Unresolved()}]}},
        {"process_options": Unresolved(), "processes": {"web": "x"}},
    ],
)
def test_a_value_that_is_not_known_yet_is_no_problem(said: dict[str, Any]) -> None:
    assert told(said) == []


def test_a_value_that_will_never_be_known_is_one() -> None:
    said = {"env": {"SECRET": Unresolved("needs 'x', which the inventory does not define")}}
    assert told(said) == ["apps.shop.env.SECRET needs 'x', which the inventory does not define."]


def test_unknown_keys_are_found_without_reading_values() -> None:
    said = {"heath_path": 1, "version": 1.1}
    assert [str(each) for each in key_problems(said, "shop")] == [
        "apps.shop.heath_path is unknown; did you mean 'health_path'?"
    ]


def test_no_secret_is_repeated() -> None:
    said = {
        "env": {"PIN": 47.11, "DAY": datetime.date(2031, 4, 5)},
        "build_environment": {"PIN": 47.11},
        "certificate_key": 47.11,
        "sentry": {"token": 47.11},
    }
    found = " ".join(told(said))
    assert found.count(" is a ") == 5
    assert "47.1" not in found
    assert "2031" not in found


@pytest.mark.parametrize(
    "known",
    [
        Setting(meaning=(), secret=True, pattern="x", form="x"),
        Setting(meaning=(), secret=True, choices=("x", "y")),
        Setting(meaning=(), secret=True, type="int"),
        Setting(meaning=(), secret=True, type="list", elements="str"),
    ],
)
def test_a_secret_of_another_form_is_not_repeated(known: Setting) -> None:
    (found,) = problems(known, "token", "hunter2")
    assert "hunter2" not in str(found)
    (repeated,) = problems(dataclasses.replace(known, secret=False), "token", "hunter2")
    assert "hunter2" in str(repeated)


@pytest.mark.parametrize("secret", [True, False])
def test_what_only_people_know_is_asked_for(secret: bool) -> None:
    """`init` writes it into the form for the vault."""
    (found,) = problems(Setting(meaning=(), secret=secret), "DATABASE_URL", "EDIT")
    assert str(found) == "DATABASE_URL is still EDIT; write the value itself."
    assert [*problems(Setting(meaning=(), secret=secret), "MODE", "EDITOR")] == []


@pytest.mark.parametrize(
    "known",
    [
        Setting(meaning=(), pattern="https://.*", form="x"),
        Setting(meaning=(), choices=("https://x",)),
        Setting(meaning=(), type="int"),
        Setting(meaning=(), type="list", elements="str"),
    ],
)
@pytest.mark.parametrize(
    "url", ["htps://ci:hunter2@index.test/", "ci:hunt/er2@index.test", "/ci:@er2\n@index.test"]
)
def test_a_login_within_a_value_is_not_repeated(known: Setting, url: str) -> None:
    (found,) = problems(known, "index_url", url)
    assert "er2" not in str(found)


@pytest.mark.parametrize(
    ("app", "said", "problem"),
    [
        ("shop", {}, ""),
        ("my_shop", {}, "names of its sites have no '_'; write my-shop."),
        ("my_bot", {"nginx": False}, ""),
        ("my_bot", {"formation": {"worker": 1}}, ""),
        ("my_bot", {"formation": Unresolved()}, ""),
        ("backup", {}, "Invalid app name 'backup': the operating system"),
        ("Shop", {}, "use only lower-case letters"),
    ],
)
def test_names_of_apps(app: str, said: dict[str, Any], problem: str) -> None:
    found = told(said, app)
    assert problem in " ".join(found)
    assert bool(found) is bool(problem)


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (Problem("a.b", "is unknown"), "a.b is unknown."),
        (Problem("a", "is 3", "write 4"), "a is 3; write 4."),
        (Problem("a", "is unknown", near="b"), "a is unknown; did you mean 'b'?"),
        (Problem("a", "is 'x'", "write b or c", "b"), "a is 'x'; write b or c; did you mean 'b'?"),
    ],
)
def test_a_problem_is_one_sentence(problem: Problem, sentence: str) -> None:
    assert str(problem) == sentence


JOB = {"at": "03:00", "command": "python -m shop.report"}


@pytest.mark.parametrize(
    "at",
    [
        "03:00", "3:5", "03:00:30", "*:0/15", "*:*:0/5", "0/2:30", "9..17:00/30", "daily", "minutely",
        "semiannually", "Mon", "Mon..Fri 08:30", "mon,wed 03:00", "Monday 4:00", "*-*-01 04:00",
        "*-01,07-01", "2027-01-01 00:00", "*-02~01", "Sun *-*-1..7 04:00", "03:00 Europe/Berlin",
        "daily UTC", "Mon..Fri *-*-* 08:30:00 America/Argentina/Buenos_Aires", "03:00:00.5",
    ],
)  # fmt: skip
def test_a_time_of_systemd_is_accepted(at: str) -> None:
    assert told({"schedule": {"nightly-report": JOB | {"at": at}}}) == []


@pytest.mark.parametrize(
    "at",
    ["0 3 * * *", "3am", "15min", "every 15min", "every day", "at 03:00", "03.00", "03:00 daily",
     "@daily", "Mo 03:00", "tomorrow", "2027", "*", "03:00 berlin", "%H:00", "03:00\n04:00",
     900],
)  # fmt: skip
def test_another_time_is_refused_with_the_right_form(at: Any) -> None:
    (problem,) = told({"schedule": {"a": JOB | {"at": at}}})
    assert problem.startswith("apps.shop.schedule.a.at is ")
    assert 'write a calendar expression of systemd in quotes, as in "03:00", "Mon' in problem


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="without systemd")
def test_systemd_accepts_what_is_accepted_here() -> None:
    (parameters,) = (
        mark.args[1]
        for mark in test_a_time_of_systemd_is_accepted.pytestmark  # type: ignore[attr-defined]
    )
    command = ["systemd-analyze", "calendar", "--", *parameters]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"schedule": {"a": {"at": "daily"}}}, "apps.shop.schedule.a.command is missing"),
        ({"schedule": {"a": {"command": "x"}}}, "apps.shop.schedule.a.at is missing"),
        (
            {"schedule": {"Nightly": JOB}},
            "write words of lower-case letters and digits with - or _",
        ),
        ({"schedule": {"a": JOB | {"timeout": 0}}}, "a.timeout is 0; write a number from 1 to"),
        ({"schedule": {"a": JOB | {"hosts": "two"}}}, "a.hosts is 'two'; write one of one, all"),
        (
            {"schedule": {"a": JOB | {"overlap": "allow"}}},
            "a.overlap is 'allow'; write one of forbid",
        ),
        (
            {"schedule": {"a": JOB | {True: "all"}}},
            (
                "apps.shop.schedule.a.True (on, off, yes or no, without quotes) is unknown; known are at, command, "
                "timeout, hosts, overlap."
            ),
        ),
        ({"packages": ["libpq5", "libstdc++6", "python3.11-dev", "libc6:i386"]}, ""),
        (
            {"packages": "libpq5"},
            "apps.shop.packages is the text 'libpq5'; write a list: packages: [libpq5]",
        ),
        (
            {"packages": ["libpq5=15"]},
            "packages[0] is 'libpq5=15'; write the name of a Debian package",
        ),
        ({"processes": {"celery-worker": "x", "a_2": "y"}}, ""),
        (
            {"processes": {"web-1": "x"}},
            "apps.shop.processes.web-1 has another name than one may have",
        ),
        ({"processes": {"Web": "x"}}, "in words with - between them, as in celery-worker"),
    ],
)
def test_names_and_options_of_commands(said: dict[str, Any], expected: str) -> None:
    found = " ".join(told(said))
    assert bool(found) is bool(expected)
    assert expected in found


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"app.ini": "[app]"}, ""),
        ({"etc/app.ini": "[app]"}, "without a directory, as in app.ini"),
        ({"app.json": {"password": "hunter2"}}, "apps.shop.config_files.app.json is a dictionary"),
        ({"app.ini": 5}, "app.ini is a number; write the text of the file in quotes or after |"),
        ({"app.ini": None}, "app.ini is without a value"),
        ({"a" * 200: "ä" * 131_072}, ""),
        ({"a" * 201: "x"}, "write at most 200 letters, digits"),
        ({"app.ini": "hunter2" + "ä" * 131_070}, "app.ini has more than 262144 bytes"),
    ],
)
def test_config_files(files: dict[str, Any], expected: str) -> None:
    found = " ".join(told({"config_files": files}))
    assert bool(found) is bool(expected)
    assert expected in found
    assert "hunter2" not in found


def test_names_and_defaults_are_those_of_the_modules() -> None:
    """A plugin of the controller does not import what runs on hosts."""
    assert f"{SCHEDULE_NAME}\\Z" == schedules.NAME.pattern
    assert network.NAMES_PORT == config.NAMES_PORT
    assert PROCESS_TYPE.replace("$", "\\Z") + "\\Z" == procfile.PROCESS_TYPE.pattern
    assert f"{CONFIG_FILE}\\Z" == config.FILE_NAME.pattern
    assert LONGEST_FILE == config.LONGEST_FILE
    defaults = {name: known.default for name, known in SCHEDULE.items() if not known.required}
    assert defaults == schedules.DEFAULTS
    assert SCHEDULE["timeout"].maximum == schedules.LONGEST
    for name, choices in schedules.CHOICES.items():
        assert SCHEDULE[name].choices == choices
