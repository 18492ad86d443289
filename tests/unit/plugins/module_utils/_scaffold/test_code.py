# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Python code says of how it is run."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.code import (
    HEALTH,
    read_code,
)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from fastapi import FastAPI\napp = FastAPI()", [("FastAPI", "app", False)]),
        ("import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI()", [("FastAPI", "api", False)]),
        ("from fastapi import FastAPI as F\nx = F()", [("FastAPI", "x", False)]),
        ("from flask import Flask\napp = Flask(__name__)", [("Flask", "app", False)]),
        (
            "from flask import Flask\ndef create_app(config=None):\n    app = Flask('x')\n    return app",
            [("Flask", "create_app", True)],
        ),
        (
            "from flask import Flask\ndef create_app(config):\n    app = Flask('x')\n    return app",
            [],
        ),
        ("from flask import Flask\ndef show():\n    app = Flask('x')\n    app.run()", []),
        (
            "from starlette.applications import Starlette\napp = Starlette()",
            [("Starlette", "app", False)],
        ),
        ("from celery import Celery\nqueue = Celery('shop')", [("Celery", "queue", False)]),
        (
            "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()",
            [("Django WSGI", "application", False)],
        ),
        ("def application(environ, start_response): ...", [("WSGI", "application", False)]),
        ("async def app(scope, receive, send): ...", [("ASGI", "app", False)]),
        ("def middleware(environ, start_response): ...", []),
        ("class FastAPI: ...\napp = FastAPI()", []),
        ("def f():\n    from flask import Flask\n    app = Flask('x')", []),
    ],
)
def test_app_objects(source: str, found: list[tuple[str, str, bool]]) -> None:
    apps = read_code({"shop.py": source}).apps
    assert [(app.framework, app.name, app.is_factory) for app in apps] == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\nos.environ['A']", [("A", True)]),
        ("from os import environ\nenviron['A']", [("A", True)]),
        ("import os\nos.environ.get('A', 'x')", [("A", False)]),
        ("from os import getenv\ngetenv('A')", [("A", False)]),
        ("import os\nif 'A' in os.environ:\n    os.environ['A']", [("A", False)]),
        (
            "import os\nif os.getenv('A'):\n    os.environ['A']",
            [("A", False), ("A", False)],
        ),
        ("import os\nos.environ['A'] = 'x'", []),
        ("import os\nos.environ['a b: {{ c }}']", []),
        (
            "import environ\nenv = environ.Env()\nenv('A')\nenv.bool('B', default=False)",
            [("A", True), ("B", False)],
        ),
        ("from environs import Env\nenv = Env()\nenv.str('A', 'x')", [("A", False)]),
        (
            "from decouple import config\nconfig('A')\nconfig('B', default=1)",
            [("A", True), ("B", False)],
        ),
        (
            "class S(pydantic_settings.BaseSettings):\n    debug: bool = False\n    url: str\n    model_config = Config(env_prefix='shop_')",
            [("SHOP_DEBUG", False), ("SHOP_URL", True)],
        ),
        (
            "class S(BaseSettings):\n    url: str\n    class Config:\n        env_prefix = 'X_'",
            [("X_URL", True)],
        ),
        ("class S(Other):\n    url: str", []),
        ("settings.get('A')", []),
    ],
)
def test_environment_variables(source: str, found: list[tuple[str, bool]]) -> None:
    variables = read_code({"shop.py": source}).variables
    assert [(each.name, each.required) for each in variables] == found


@pytest.mark.parametrize(
    ("source", "routes"),
    [
        ("@app.get('/healthz')\ndef f(): ...", ["/healthz"]),
        ("@app.route('/health')\ndef f(): ...", ["/health"]),
        ("urlpatterns = [path('healthz/', view)]", ["/healthz/"]),
        ("routes = [Route('/api/v1/health', f)]", ["/api/v1/health"]),
        ("if environ['PATH_INFO'] == '/healthz': ...", ["/healthz"]),
        ("if path in ('/livez', '/other'): ...", ["/livez"]),
        ("cache.get('health')\ncache.pop('/healthz')", ["/health"]),
        ("x = '/healthz'", []),
        ("@app.get('/health/{name}')\ndef f(): ...", []),
        ("@app.get('/healthy-food')\ndef f(): ...", []),
    ],
)
def test_routes_of_health_checks(source: str, routes: list[str]) -> None:
    assert [each.route for each in read_code({"shop.py": source}).health] == routes


def test_no_route_is_more_than_a_path() -> None:
    assert not HEALTH.match("/healthz\n# x")
    assert not HEALTH.match("/{{ x }}/healthz")


def test_settings_of_django() -> None:
    source = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')"
    odd = source.replace("shop.settings", "{{ x }}")
    assert [each.route for each in read_code({"a.py": source, "b.py": odd}).settings] == [
        "shop.settings"
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("app.conf.beat_schedule = {}", ("shop.py",)),
        ("CELERY_BEAT_SCHEDULE = {}", ("shop.py",)),
        ("schedule = 'beat_schedule'", ()),
    ],
)
def test_schedules(source: str, found: tuple[str, ...]) -> None:
    assert read_code({"shop.py": source}).schedules == found


@pytest.mark.parametrize(
    "source",
    ["def", "x = '\0'", "(" * 5000, "-" * 200_000 + "1", "x" + ".x" * 200_000, "print 'python 2'"],
)
def test_what_is_not_python_is_passed_over(source: str) -> None:
    code = read_code({"bad.py": source, "good.py": "__version__ = '1.0'"})
    assert code.unread in ((), ("bad.py",))
    assert code.versions == {"good.py": "1.0"}


def test_no_code_is_run() -> None:
    read_code({"shop.py": "raise SystemExit('run')\nimport nowhere\n1 / 0"})
