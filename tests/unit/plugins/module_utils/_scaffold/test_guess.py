# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is guessed of small repositories."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.guess import (
    App,
    Wishes,
    guess_app,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.processes import (
    module_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.tree import Tree
from unit import repositories
from unit.repositories import django, project

MIGRATE = "django-admin migrate --noinput"


def guess(files: dict[str, str], domain: str = "", directory: str = "folder") -> App:
    return guess_app(Tree(directory, files), Wishes("../folder", domain=domain))


def processes(files: dict[str, str]) -> dict[str, str]:
    return dict(guess(files).processes.commands)


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        (django(), {"web": "gunicorn shop.wsgi", "release": MIGRATE}),
        (django("src/"), {"web": "gunicorn shop.wsgi", "release": MIGRATE}),
        (
            {**django(), "pyproject.toml": project("shop", "django", "uvicorn")},
            {"web": "uvicorn shop.asgi:application", "release": MIGRATE},
        ),
        (
            {**django(), "pyproject.toml": project("shop", "django", "gunicorn", "channels")},
            {"web": "uvicorn shop.asgi:application", "release": MIGRATE},
        ),
        (repositories.FASTAPI, {"web": "uvicorn my_api.main:app"}),
        (
            repositories.FLASK,
            {
                "web": "waitress-serve --unix-socket=$SOCKET --call board:create_app",
                "release": "flask --app board db upgrade",
            },
        ),
        (
            repositories.CELERY,
            {
                "web": "gunicorn shop.wsgi",
                "release": MIGRATE,
                "worker": "celery --app shop.celery:app worker --loglevel info",
                "beat": (
                    "celery --app shop.celery:app beat --loglevel info "
                    "--schedule $HOME/celerybeat-schedule"
                ),
            },
        ),
        (
            repositories.PROCFILE,
            {
                "web": "gunicorn --threads 8 shop.wsgi",
                "worker": "python -m shop.worker",
                "release": "migrate",
            },
        ),
        (repositories.SCRIPTS, {}),
        ({**django(), "Procfile": "celery-worker: x\n"}, {"celery-worker": "x"}),
    ],
)
def test_processes(files: dict[str, str], commands: dict[str, str]) -> None:
    assert processes(files) == commands


@pytest.mark.parametrize(
    ("server", "framework", "command"),
    [
        ("gunicorn", "flask", "gunicorn main:app"),
        ("granian", "flask", "granian --interface wsgi main:app"),
        ("waitress", "flask", "waitress-serve --unix-socket=$SOCKET main:app"),
        ("uvicorn", "flask", "gunicorn main:app"),  # which it cannot run
        ("granian", "fastapi", "granian --interface asgi main:app"),
        ("hypercorn", "fastapi", "hypercorn --bind unix:$SOCKET main:app"),
        ("gunicorn", "fastapi", "uvicorn main:app"),
    ],
)
def test_the_server_is_one_of_the_dependencies(server: str, framework: str, command: str) -> None:
    name = {"flask": "Flask", "fastapi": "FastAPI"}[framework]
    files = {
        "pyproject.toml": project("x", framework, server),
        "main.py": f"from {framework} import {name}\napp = {name}()\n",
    }
    found = guess(files)
    assert found.processes.commands["web"] == command
    wanted = command.partition(" ")[0] not in (server, f"{server}-serve")
    assert (
        any(chore.startswith("Add ") and "Procfile" not in chore for chore in found.chores)
        is wanted
    )


@pytest.mark.parametrize(
    ("server", "framework", "command"),
    [
        ("gunicorn", "flask", "gunicorn 'main:make()'"),
        ("granian", "flask", "granian --interface wsgi --factory main:make"),
        ("waitress", "flask", "waitress-serve --unix-socket=$SOCKET --call main:make"),
        (
            "uwsgi",
            "flask",
            (
                "uwsgi --master --die-on-term --need-app --add-header 'Connection: close' "
                "--module 'main:make()'"
            ),
        ),
        ("uvicorn", "fastapi", "uvicorn --factory main:make"),
        ("granian", "fastapi", "granian --interface asgi --factory main:make"),
        ("hypercorn", "fastapi", "hypercorn --bind unix:$SOCKET 'main:make()'"),
    ],
)
def test_the_server_calls_a_factory(server: str, framework: str, command: str) -> None:
    name = {"flask": "Flask", "fastapi": "FastAPI"}[framework]
    files = {
        "pyproject.toml": project("x", framework, server),
        "main.py": f"from {framework} import {name}\ndef make():\n    return {name}()\n",
    }
    assert processes(files) == {"web": command}


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("shop/wsgi.py", "shop.wsgi"),
        ("src/shop/wsgi.py", "shop.wsgi"),
        ("backend/shop/wsgi.py", "shop.wsgi"),
        ("shop/__init__.py", "shop"),
        ("app.py", "app"),
        ("srcs/app.py", "srcs.app"),
    ],
)
def test_modules(path: str, module: str) -> None:
    assert module_of(path, {"backend/manage.py": ""}) == module


def test_the_usual_place_comes_first() -> None:
    text = "from flask import Flask\napp = Flask('x')\n"
    files = dict.fromkeys(("a/tool.py", "b/c/wsgi.py", "b/main.py"), text)
    assert processes(files)["web"] == "gunicorn b.c.wsgi:app"


@pytest.mark.parametrize(
    ("name", "directory", "app"),
    [
        ("shop", "x", "shop"),
        ("My_Shop.Web", "x", "my-shop-web"),
        ("redis", "x", "redis-app"),
        ("2048", "x", "app-2048"),
        ("a" * 40, "x", "a" * 28),
        ("", "Some Shop", "someshop"),
        ("", "...", "app"),
    ],
)
def test_the_name_is_one_that_an_app_may_have(name: str, directory: str, app: str) -> None:
    assert guess({"pyproject.toml": project(name)}, directory=directory).name == app


@pytest.mark.parametrize(
    ("routes", "path"),
    [
        (["/up", "/api/health", "/healthz"], "/healthz"),
        (["/a/health", "/health"], "/health"),
        ([], None),
    ],
)
def test_the_health_check(routes: list[str], path: str | None) -> None:
    files = {"main.py": "".join(f"app.get({route!r})\n" for route in routes)}
    found = guess(files).health
    assert (found.route if found else None) == path


@pytest.mark.parametrize(
    ("files", "path", "whole"),
    [
        ({"main.py": "app = FastAPI()\napp.get('/health')"}, "/health", True),
        ({"main.py": "router.get('/healthz')\napp.get('/ping')"}, "/ping", True),
        ({"utils.py": "router.get('/health')"}, "/health", False),
        ({"main.py": "from flask import Flask\nweb = Flask('x')\nweb.get('/up')"}, "/up", True),
        (django(), "/healthz/", True),
        ({**django(), "shop/urls.py": "", "cart/urls.py": "path('up', f)"}, "/up", False),
        ({}, None, True),
    ],
)
def test_whether_the_path_may_have_a_prefix(
    files: dict[str, str], path: str | None, whole: bool
) -> None:
    found = guess(files)
    assert (found.health.route if found.health else None) == path
    assert found.health_is_whole is whole


@pytest.mark.parametrize(
    ("files", "settings"),
    [
        (django(), "shop.settings"),
        (django(settings="shop.settings.local"), "shop.settings.local"),
        (
            {
                **django(settings="config.settings.local"),
                "config/settings/production.py": "",
                "config/settings/local.py": "",
            },
            "config.settings.production",
        ),
        (
            {
                **django(settings="config.settings"),
                "config/settings/__init__.py": "",
                "config/settings/prod.py": "",
            },
            "config.settings.prod",
        ),
        ({**django(), "shop/production.py": ""}, "shop.settings"),
    ],
)
def test_the_settings_of_django(files: dict[str, str], settings: str) -> None:
    values = {each.name: each.value for each in guess(files).environment}
    assert values["DJANGO_SETTINGS_MODULE"] == settings


def test_the_environment() -> None:
    found = guess(django(), domain="shop.test").environment
    assert [(each.name, each.kind, each.value) for each in found] == [
        ("ALLOWED_HOSTS", "value", "shop.test"),
        ("CSRF_TRUSTED_ORIGINS", "value", "https://shop.test"),
        ("DATABASE_URL", "secret", "EDIT"),
        ("DEBUG", "optional", ""),
        ("DJANGO_SETTINGS_MODULE", "value", "shop.settings"),
        ("REGION", "unknown", ""),
        ("SECRET_KEY", "secret", "RANDOM"),
    ]
    assert guess(django()).vault == {
        "vault_shop_database_url": "EDIT",
        "vault_shop_secret_key": "RANDOM",
    }


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("DJANGO_SECRET_KEY", "secret", "RANDOM"),
        ("AWS_SECRET_KEY", "secret", "EDIT"),
        ("STRIPE_API_KEY", "secret", "EDIT"),
        ("DB_PASSWORD", "secret", "EDIT"),
        ("SENTRY_DSN", "secret", "EDIT"),
        ("TOKEN_MINUTES", "unknown", ""),
        ("CELERY_BROKER_URL", "secret", "EDIT"),
        ("DB_HOST", "unknown", ""),
        ("APP_DEBUG", "value", "0"),
        ("BASE_URL", "value", "https://app.example.org"),
        ("CORS_ALLOWED_ORIGINS", "value", "https://app.example.org"),
        ("KEYBOARD", "unknown", ""),
    ],
)
def test_what_a_variable_is(name: str, kind: str, value: str) -> None:
    files = {"pyproject.toml": project("app"), "main.py": f"import os\nos.environ[{name!r}]"}
    (found,) = guess(files).environment
    assert (found.kind, found.value) == (kind, value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SECRET_KEY", "secret"),
        ("DATABASE_URL", "secret"),
        ("SENTRY_DSN", "optional"),
        ("SMTP_PASSWORD", "optional"),
        ("ALLOWED_HOSTS", "value"),
        ("LOG_LEVEL", "optional"),
    ],
)
def test_what_a_variable_with_a_default_is(name: str, kind: str) -> None:
    files = {
        "pyproject.toml": project("app"),
        "main.py": f"import os\nos.environ.get({name!r}, 'x')",
    }
    (found,) = guess(files).environment
    assert found.kind == kind


def test_values_of_an_example_file_are_left_there() -> None:
    files = {
        "pyproject.toml": project("app"),
        ".env.example": "SECRET_KEY=abc\nexport LOG_LEVEL=info\n",
        "main.py": "import os\nos.environ['SECRET_KEY']",
    }
    assert [(each.name, each.kind, each.value) for each in guess(files).environment] == [
        ("LOG_LEVEL", "optional", ""),
        ("SECRET_KEY", "secret", "RANDOM"),
    ]


@pytest.mark.parametrize(
    ("tree", "chore"),
    [
        (Tree("x", django(), committed=False), "Commit it to git"),
        (Tree("x", {"main.py": ""}), "Add a pyproject.toml"),
        (Tree("x", {"pyproject.toml": "["}), "pyproject.toml is not valid TOML"),
        (
            Tree("x", repositories.UNLOCKED),
            "Make a lock file with hashes, as there is no lock file: uv pip",
        ),
        (Tree("x", django()), "Add a file Procfile with the processes above"),
        (Tree("x", repositories.SCRIPTS), "Add a file Procfile with the command"),
        (Tree("x", {**django(), "Procfile": "web:"}), "Mend the Procfile: "),
        (
            Tree("x", {**django(), "Procfile": "web: python manage.py x"}),
            "The Procfile runs manage.py",
        ),
        (
            Tree("x", {**django(), "Procfile": "web: gunicorn -b 0.0.0.0:$PORT x"}),
            "The process type `web`",
        ),
        (Tree("x", {"pyproject.toml": project("x").replace("3.11", "3.12")}), "requires-python is"),
        (
            Tree("x", {"pyproject.toml": '[project]\nname = "x"\ndynamic = ["version"]'}),
            "See which version",
        ),
    ],
)
def test_chores(tree: Tree, chore: str) -> None:
    chores = guess_app(tree, Wishes("../x")).chores
    assert [each for each in chores if each.startswith(chore)] != []


def test_a_repository_that_has_everything_has_no_chores() -> None:
    assert guess(repositories.PROCFILE).chores == []


def test_every_guess_has_a_reason_and_a_place() -> None:
    for files in repositories.GOOD.values():
        for each in guess(files).guesses:
            assert each.value, each
            assert each.reason, each
            assert each.place, each


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ({"hosts": ("192.0.2.1",)}, "ansible_host: 192.0.2.1"),
        ({"hosts": ("2001:db8::1",)}, "is an address"),
        ({"hosts": ("App1",)}, "Invalid name 'App1'"),
        ({"domain": "{{ x }}"}, "Invalid name"),
        ({"proxies": ("a b",)}, "Invalid name"),
        ({"index": "-a"}, "Invalid name"),
        ({"hosts": ("a.test",), "domain": "a.test"}, "another name"),
        ({"hosts": ("b.test",), "index": "a.test", "domain": "a.test"}, "another name"),
        ({"source": "../{{ x }}"}, "brace"),
    ],
)
def test_wishes_that_cannot_be_meant(wishes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeployError, match=problem):
        Wishes(**{"source": "../x", **wishes}).check()


def test_wishes_that_can() -> None:
    Wishes("../x", ("a.test", "b"), "index.test", ("www.test",), "shop.test").check()
