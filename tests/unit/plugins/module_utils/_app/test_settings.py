# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of an app, and where it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    apps_on,
    complete,
    has_site,
    hosts_of,
    setting,
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
        ({"formation": {"worker": 1}, "media": {"media": "media"}}, True),
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
