# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of an app, where it runs, and what is refused."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    app_name_problems,
    apps_on,
    complete,
    has_site,
    hosts_of,
    key_problems,
    placement_problems,
    setting,
    settings_problems,
)

GROUPS = {
    "all": ["a1", "a2", "w1", "p1"],
    "ungrouped": [],
    "app": ["a1", "a2"],
    "wiki_servers": ["a2"],
    "web": ["w1"],
    "mixed": ["a1", "w1"],
    "empty": [],
}


class Unresolvable(Mapping[str, Any]):
    """Settings of which some may not be read, as templates that only the app's hosts can resolve."""

    def __init__(self, **said: Any) -> None:
        self.said = said

    def __getitem__(self, key: str) -> Any:
        assert key != "env", "this value was not asked for"
        return self.said[key]

    def __iter__(self) -> Iterator[str]:
        return iter([*self.said, "env"])

    def __len__(self) -> int:
        return len(self.said) + 1


@pytest.mark.parametrize(
    ("said", "keys", "expected"),
    [
        ({}, ["domains", "nginx", "formation", "package"], (["shop"], True, {"web": 1}, "shop")),
        ({"domains": []}, ["domains"], (["shop"],)),
        # YAML's `domains:` with nothing behind it
        ({"domains": None, "nginx": None}, ["domains", "nginx"], (["shop"], True)),
        (
            {"nginx": False, "formation": {"worker": 1}},
            ["nginx", "formation"],
            (False, {"worker": 1}),
        ),
        ({"formation": {}}, ["formation"], ({},)),
        # without a default
        ({}, ["version", "keep"], (5,)),
    ],
)
def test_defaults(said: dict[str, Any], keys: list[str], expected: tuple[Any, ...]) -> None:
    made = complete(said, "shop", keys)
    assert tuple(made[key] for key in keys if key in made) == expected


def test_all_of_it_keeps_what_has_no_default() -> None:
    made = complete({"version": "1", "hooks": {}}, "shop")
    assert (made["version"], made["hooks"], made["health_path"]) == ("1", {}, "/")


def test_no_more_is_read_than_was_asked_for() -> None:
    said = Unresolvable(version=1.1, domains=["a"])
    assert complete(said, "shop", ["domains"]) == {"domains": ["a"]}
    assert has_site(said)
    assert apps_on({"shop": said}, "a1", GROUPS) == ["shop"]
    assert placement_problems({"shop": said}, GROUPS) == []
    assert len(settings_problems(said, "shop", keys=["version"])) == 1


@pytest.mark.parametrize(
    ("said", "path", "expected"),
    [
        ({}, "keep", 5),
        ({"keep": 3}, "keep", 3),
        ({"keep": None}, "keep", 5),
        ({}, "package", "shop"),
        ({}, "hosts", "app"),
        ({"hosts": ""}, "hosts", "app"),
        # not said, and said to be empty
        ({}, "index_url", None),
        ({"index_url": ""}, "index_url", ""),
        ({}, "sentry", None),
        ({"sentry": {}}, "sentry", {}),
        ({}, "formation.web", 1),
        ({"formation": {"worker": 2}}, "formation.web", 0),
        ({"formation": {"worker": 2}}, "formation.worker", 2),
        ({}, "env.SENTRY_DSN", ""),
        ({"sentry": {"timeout": 3}}, "sentry.timeout", 3),
        ({"sentry": {"token": "x"}}, "sentry.timeout", 10),
        ({}, "sentry.timeout", 10),
        ({}, "hooks.on_failure", []),
        ({"hooks": {"on_failure": None}}, "hooks.on_failure", []),
        (
            {"hooks": {"on_failure": [{"command": "a"}, {"command": "b", "once": True}]}},
            "hooks.on_failure",
            [
                {"command": "a", "once": False, "timeout": 600},
                {"command": "b", "once": True, "timeout": 600},
            ],
        ),
    ],
)
def test_one_setting(said: dict[str, Any], path: str, expected: object) -> None:
    assert setting(said, path, "shop") == expected


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("kep", "apps.shop cannot have 'kep'; did you mean 'keep'?"),
        ("sentry.tokn", "apps.shop cannot have 'sentry.tokn'; did you mean 'token'?"),
        ("keep.x", "apps.shop cannot have 'keep.x'."),
        ("version", "apps.shop has no 'version', which is required."),
    ],
)
def test_a_setting_that_there_is_not(path: str, words: str) -> None:
    with pytest.raises(LookupError) as caught:
        setting({}, path, "shop")
    assert str(caught.value) == words
    if path == "kep":
        with pytest.raises(LookupError, match="did you mean 'keep'"):
            complete({}, "shop", [path])


def test_a_default_cannot_be_changed_by_who_reads_it() -> None:
    setting({}, "formation", "shop")["web"] = 9
    assert setting({}, "formation", "shop") == {"web": 1}


def test_a_key_is_read_without_its_neighbours() -> None:
    said = {"sentry": Unresolvable(token="x")}
    assert setting(said, "sentry.token", "shop") == "x"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, True),
        ({"formation": {"web": 2, "worker": 1}}, True),
        ({"formation": {"web": 0}}, True),
        ({"formation": {"worker": 1}}, False),
        ({"formation": {"worker": 1}, "static_files": {"static": "shop/static"}}, True),
        ({"formation": {"worker": 1}, "nginx_site": {"redirect": "https://a"}}, True),
        ({"nginx": False}, False),
        ({"nginx": False, "static_files": {"static": "shop/static"}}, False),
    ],
)
def test_what_nginx_has_to_do_with(said: dict[str, Any], expected: bool) -> None:
    assert has_site(said) is expected


@pytest.mark.parametrize(
    ("place", "hosts"),
    [
        ("app", ["a1", "a2"]),
        ("wiki_servers", ["a2"]),
        ("a2", ["a2"]),
        ("empty", []),
        ("wiki_server", []),
    ],
)
def test_hosts_of_a_group_or_one_host(place: str, hosts: list[str]) -> None:
    assert hosts_of(place, GROUPS) == hosts


def test_apps_of_a_host() -> None:
    apps: dict[str, dict[str, Any]] = {
        "wiki": {"hosts": "wiki_servers"},
        "shop": {},
        "cron": {"hosts": "a1"},
    }
    assert apps_on(apps, "a1", GROUPS) == ["shop", "cron"]
    assert apps_on(apps, "a2", GROUPS) == ["wiki", "shop"]
    assert apps_on(apps, "p1", GROUPS) == []


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
                "did you mean 'wiki_servers'? Its groups are app, wiki_servers, web, mixed, empty."
            ),
        ),
        (
            {"hosts": "xyz"},
            GROUPS,
            "neither a group nor a host of this inventory. Its groups are app,",
        ),
        ({"hosts": "empty"}, GROUPS, "apps.shop.hosts is 'empty', a group without hosts of this"),
        (
            {"hosts": "web"},
            GROUPS,
            (
                "apps.shop.hosts is 'web', but w1 is not in the group 'app', which holds every host that "
                "runs an app: make web a child of it."
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
                "apps.shop has no `hosts`, so it runs on the group 'app', neither a group nor a host of "
                "this inventory; did you mean 'apps'? Its groups are apps."
            ),
        ),
    ],
)
def test_where_an_app_runs_nowhere(
    said: dict[str, Any], groups: dict[str, list[str]], problem: str
) -> None:
    found = placement_problems(
        {"fine": {"hosts": groups["all"][0]}, "shop": said}, groups, ["shop"]
    )
    assert bool(found) is bool(problem)
    assert problem in " ".join(found)


def test_only_the_apps_that_a_run_is_about_are_judged() -> None:
    apps = {"shop": {"hosts": "typo"}, "wiki": {}}
    assert placement_problems(apps, GROUPS, ["wiki"]) == []
    assert len(placement_problems(apps, GROUPS)) == 1


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"version": "1.10"}, ""),
        ({"version": 2}, ""),
        (
            {"version": 1.1},
            (
                "apps.shop.version is a number with a fraction, which would lose zeros at "
                'its end; write the text that is meant, in quotes: version: "1.1" or "1.10".'
            ),
        ),
        (
            {"version": datetime.date(2026, 1, 2)},
            'is a date; write the text that is meant, in quotes: version: "2026-01-02".',
        ),
        ({"version": True}, "apps.shop.version is true or false; write"),
        ({"version": ["1.0"]}, "apps.shop.version is a list; one text is needed."),
        ({"wheelhouse": {"a": 1}}, "apps.shop.wheelhouse is a dictionary; one text is needed."),
        ({"domains": ["shop.test"]}, ""),
        ({"domains": ["shop.test", 1.5]}, "an entry of apps.shop.domains is a number"),
        ({"env": {"WORKERS": 2, "NAME": "on"}}, ""),
        ({"env": {"RATE": 1.25}}, "apps.shop.env.RATE is a number with a fraction, which would"),
        (
            {"env": {"DEBUG": False}},
            (
                "apps.shop.env.DEBUG is true or false; write the text that is "
                'meant, in quotes: DEBUG: "true".'
            ),
        ),
        ({"env": {"EMPTY": None}}, 'apps.shop.env.EMPTY is without a value; write EMPTY: "" for'),
        ({"env": {"DAY": datetime.date(2026, 1, 3)}}, "apps.shop.env.DAY is a date"),
        ({"env": {"HOSTS": ["a"]}}, "apps.shop.env.HOSTS is a list; one text is needed."),
        ({"processes": {"web": True}}, "apps.shop.processes.web is true or false"),
        # these are read as what they are
        ({"process_options": {"web": {"ready_after": 0.5}}, "keep": 3, "nginx": False}, ""),
        ({"health_path": None}, ""),
        ({"heath_path": "/"}, "apps.shop: unknown key 'heath_path'; did you mean 'health_path'?"),
        (
            {"xyz": 1},
            "apps.shop: unknown key 'xyz'; the README of the role app lists the known ones.",
        ),
    ],
)
def test_what_cannot_be_meant(said: dict[str, Any], problem: str) -> None:
    found = settings_problems(said, "shop")
    assert len(found) == (1 if problem else 0)
    assert problem in " ".join(found)


def test_unknown_keys_are_found_without_reading_values() -> None:
    apps = {"shop": Unresolvable(heath_path=1, version=1.1), "wiki": {"kep": 1}}
    found = [
        "apps.shop: unknown key 'heath_path'; did you mean 'health_path'?",
        "apps.wiki: unknown key 'kep'; did you mean 'keep'?",
    ]
    assert key_problems(apps) == found
    assert key_problems(apps, ["wiki"]) == found[1:]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"hooks": {"after_deploy": [{"command": "x", "once": True}]}}, ""),
        (
            {"hooks": {"after_deplo": []}},
            "apps.shop.hooks: unknown key 'after_deplo'; did you mean 'after_deploy'?",
        ),
        (
            {"hooks": {"after_deploy": [{"commands": "x"}]}},
            "an entry of apps.shop.hooks.after_deploy: unknown key 'commands'; did you mean 'command'?",
        ),
        (
            {"hooks": {"after_deploy": [{"command": True}]}},
            "an entry of apps.shop.hooks.after_deploy.command is true or false;",
        ),
        (
            {"sentry": {"environment": "production"}},
            (
                "apps.shop.sentry: unknown key 'environment'; known are dsn, api, url, token, "
                "organization, project, ca_path, timeout, told_from."
            ),
        ),
        # of these the argument spec says more
        ({"hooks": ["x"], "sentry": "x"}, ""),
        ({"hooks": {"after_deploy": ["x"]}}, ""),
    ],
)
def test_settings_within_settings_that_cannot_be_meant(said: dict[str, Any], problem: str) -> None:
    found = settings_problems(said, "shop")
    assert len(found) == (1 if problem else 0)
    assert problem in " ".join(found)


def test_no_secret_is_repeated() -> None:
    said = {
        "env": {"PIN": 47.11, "DAY": datetime.date(2031, 4, 5)},
        "build_environment": {"PIN": 47.11},
        "certificate_key": 47.11,
        "sentry": {"token": 47.11},
    }
    told = " ".join(settings_problems(said, "shop"))
    assert told.count(" is a ") == 5
    assert "47.1" not in told
    assert "2031" not in told


@pytest.mark.parametrize(
    ("app", "said", "problem"),
    [
        ("shop", {}, ""),
        ("my_shop", {}, "names of its sites have no '_'. Use '-' instead."),
        ("my_bot", {"nginx": False}, ""),
        ("my_bot", {"formation": {"worker": 1}}, ""),
        ("backup", {}, "Invalid app name 'backup': the operating system"),
        ("Shop", {}, "use only lower-case letters"),
    ],
)
def test_names_of_apps(app: str, said: dict[str, Any], problem: str) -> None:
    assert problem in " ".join(app_name_problems(said, app))
    assert bool(app_name_problems(said, app)) is bool(problem)
