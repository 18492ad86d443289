# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of the setting listen."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.validation import (
    settings_problems,
    surely_has_site,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import Unresolved

LATER = Unresolved()
API = {"paths": ["/api/"]}
FRONT = {"paths": ["/"]}
BOTH = {"web": 1, "api": 1}


def told(listen: Any, formation: Any = BOTH, **others: Any) -> list[str]:
    said = {"version": "1", "listen": listen, "formation": formation, **others}
    return [str(each) for each in settings_problems(said, "shop")]


@pytest.mark.parametrize(
    ("listen", "others"),
    [
        (None, {}),
        ({}, {"formation": {"worker": 1}}),
        (LATER, {}),
        ({"api": LATER}, {}),
        ({"api": {"paths": LATER}}, {}),
        ({"api": API}, {}),
        ({"api": API}, {"formation": {"web": 1, "api": 0}}),
        ({"api": API}, {"formation": {"web": LATER, "api": 1}}),
        ({"api": API}, {"formation": LATER}),
        ({"api": API}, {"processes": {"web": "w", "api": "a"}}),
        ({"api": API, "web": None}, {}),
        ({"api": FRONT}, {"formation": {"api": 1}}),
        ({"api": FRONT, "web": {"paths": ["/pages/"]}}, {}),
        ({"api": {"paths": ["/api/", "/shop.v1.Cart/", "/~me/"], "health_path": ""}}, {}),
        ({"api": {"health_path": "/up?deep=1", "read_timeout": "1h"}, "web": {}}, {"nginx": False}),
        # by a location of its own
        ({"api": {}}, {"nginx_site": {"locations": [{"path": "~ ^/v[0-9]/", "upstream": "api"}]}}),
        ({"api": {}}, {"nginx_site": LATER}),
        # a page of files
        ({"api": API}, {"formation": {"api": 1}, "nginx_site": {"root": "/srv/pages"}}),
        (
            {"api": API},
            {"formation": {"api": 1}, "nginx_site": {"locations": [{"path": "/", "root": "/x"}]}},
        ),
        ({"api": API}, {"nginx_site": {"locations": [{"path": "= /api/"}, {"path": "/api/v1/"}]}}),
        ({"api": API}, {"process_options": {"api": {"port": True, "socket": True}}}),
        ({"api": {**API, "grpc": True}}, {}),
        ({"api": {**API, "grpc": True, "health_path": ""}}, {}),
        ({"api": {**API, "grpc": False, "health_path": "/up"}}, {}),
    ],
)
def test_what_may_listen(listen: Any, others: dict[str, Any]) -> None:
    assert told(listen, **others) == []


@pytest.mark.parametrize(
    "path", ["api/", "/api", "", "/../", "/a/./", "/a b/", "/a//", "//", "/a;/", "/$x/", "/a?/", "= /a/", "~ ^/a/", "/é/"]
)  # fmt: skip
def test_a_path_of_another_form(path: str) -> None:
    form = "a path that begins and ends with /, of letters, digits, ., _, ~ and -, as in /api/"
    [problem] = told({"api": {"paths": [path]}})
    what = f"paths[0] is {path!r}" if path else "paths has an empty path"
    assert problem == f"apps.shop.listen.api.{what}; write {form}."


@pytest.mark.parametrize(
    ("listen", "others", "problem"),
    [
        (
            {"apy": API},
            {"processes": {"web": "w", "api": "a"}},
            "apps.shop.listen.apy is unknown; did you mean 'api'?",
        ),
        (
            {"ws": {"paths": ["/ws/"]}},
            {},
            ("apps.shop.listen.ws listens, but apps.shop.formation has no ws, so that nobody would answer; write "
            "formation: {ws: 1} beside the others."),
        ),
        (
            {"apis": API},
            {},
            ("apps.shop.listen.apis listens, but apps.shop.formation has no apis, so that nobody would answer; write "
            "formation: {apis: 1} beside the others; did you mean 'api'?"),
        ),
        ({"api": {}}, {}, "apps.shop.listen.api.paths is missing; write paths: [/api/]."),
        ({"api": None}, {}, "apps.shop.listen.api.paths is missing; write paths: [/api/]."),
        (
            {"api": API, "web": {"paths": ["/", "/api/"]}},
            {},
            "apps.shop.listen.web.paths has /api/, as listen.api has; remove one of the two.",
        ),
        (
            {"api": {"paths": ["/api/", "/api/"]}},
            {},
            "apps.shop.listen.api.paths has /api/, as listen.api has; remove one of the two.",
        ),
        (
            {"api": {"paths": ["/static/"]}},
            {"static_files": {"static": "shop/static"}},
            "apps.shop.listen.api.paths has /static/, as static_files.static has; remove one of the two.",
        ),
        (
            {"api": {"paths": ["/media/"]}},
            {"media": {"media": "media"}},
            "apps.shop.listen.api.paths has /media/, as media.media has; remove one of the two.",
        ),
        (
            {"api": API},
            {"nginx_site": {"locations": [{"path": "^~ /api/"}]}},
            "apps.shop.listen.api.paths has /api/, as nginx_site.locations[0] has; remove one of the two.",
        ),
        (
            {"api": API},
            {"nginx_site": {"upstreams": [{"name": "api", "servers": []}]}},
            "apps.shop.listen.api is the name of one of nginx_site.upstreams, too; rename that one.",
        ),
        (
            {"api": API},
            {"formation": {"api": 1}},
            "apps.shop.listen has no type for the path /; write paths: [/] for one of its types.",
        ),
        (
            {"api": API},
            {"formation": {"web": 0, "api": 1}},
            "apps.shop.listen has no type for the path /; write paths: [/] for one of its types.",
        ),
        (
            {"api": {"paths": ["/.error/"]}},
            {},
            "apps.shop.listen.api.paths has /.error/, which nginx serves itself; remove it.",
        ),
        (
            {"api": {"paths": ["/.well-known/acme-challenge/"]}},
            {},
            "apps.shop.listen.api.paths has /.well-known/acme-challenge/, which nginx serves itself; remove it.",
        ),
        (
            {"api": API, "web": {"paths": ["/pages/"]}},
            {},
            "apps.shop.listen has no type for the path /; write paths: [/] for one of its types.",
        ),
        (
            {"api": FRONT},
            {},
            ("apps.shop.listen.web.paths is missing, and listen.api has the path /, so that no request would reach web; "
            "write the paths of web, or remove it from the formation."),
        ),
        (
            {"api": API},
            {"process_options": {"api": {"socket": False}}},
            ("apps.shop.process_options.api.socket is false, and apps.shop.listen.api says that it listens; remove one "
            "of the two."),
        ),
        (
            {"api": {**API, "grpc": True, "health_path": "/up"}},
            {},
            "apps.shop.listen.api.health_path is a path, which a gRPC server does not answer; remove it.",
        ),
        (
            {"api_v": API},
            {"formation": {"web": 1, "api_v": 1}},
            ("apps.shop.listen.api_v cannot be served by nginx, whose names of upstreams have no '_'; name the process "
            "type api-v."),
        ),
        (
            {"api": API},
            {"sandbox": {"network": False}, "processes": {"web": "w", "api": "a --port $PORT"}},
            ("apps.shop.processes.api names $PORT and apps.shop.sandbox.network is false: its server could not start; "
            "have the server listen on its socket, or leave network out."),
        ),
    ],
)  # fmt: skip
def test_what_may_not_listen(listen: Any, others: dict[str, Any], problem: str) -> None:
    assert told(listen, **others) == [problem]


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        (["api"], "apps.shop.listen is a list; write a dictionary"),
        ({"api": "/api/"}, "apps.shop.listen.api is the text '/api/'; write a dictionary"),
        ({"api": {"paths": "/api/"}}, "listen.api.paths is the text '/api/'; write a list: paths: [/api/]"),
        ({"api": {**API, "path": "/"}}, "listen.api.path is unknown; did you mean 'paths'?"),
        ({"api": {**API, "health_path": "up"}}, "health_path is 'up'; write a path that begins with /"),
        ({"api": {**API, "read_timeout": "long"}}, "read_timeout is 'long'; write a time as nginx reads it"),
    ],
)  # fmt: skip
def test_values_of_another_form(listen: Any, words: str) -> None:
    assert words in " ".join(told(listen))


@pytest.mark.parametrize(
    "said", [LATER, None, "/", {"paths": LATER}, {"paths": "/"}, {"paths": [LATER]}]
)
def test_whether_nginx_serves_an_app_is_known_before_all_of_it_is(said: Any) -> None:
    assert surely_has_site({"listen": {"api": said}, "formation": {"api": 1}})
    assert not surely_has_site({"listen": {"api": said}, "formation": {"worker": 1}})
    assert not surely_has_site({"listen": LATER, "formation": {"api": 1}})
