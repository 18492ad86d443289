# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process types of an app: those of its Procfile, or what its code is probably run by. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    RELEASE_TYPE,
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import PROCFILE
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.code import (
    AppObject,
    Code,
)

# Commands of app servers that listen where the environment says, as the README of the role circus has
# them, by the package that has to be a dependency. {app} is MODULE:NAME.
WSGI_SERVERS = {
    "gunicorn": "gunicorn {app}",
    "granian": "granian --interface wsgi {app}",
    "waitress": "waitress-serve --unix-socket=$SOCKET {app}",
    "uwsgi": (
        "uwsgi --master --die-on-term --need-app --add-header 'Connection: close' --module {app}"
    ),
}
ASGI_SERVERS = {
    "uvicorn": "uvicorn {app}",
    "granian": "granian --interface asgi {app}",
    "hypercorn": "hypercorn --bind unix:$SOCKET {app}",
}
# The same for a function that makes the app.
FACTORIES = {
    "gunicorn": "gunicorn '{app}()'",
    "waitress": "waitress-serve --unix-socket=$SOCKET --call {app}",
    "uwsgi": f"{WSGI_SERVERS['uwsgi']} --callable '{{app}}()'",
    "uvicorn": "uvicorn --factory {app}",
    "granian wsgi": "granian --interface wsgi --factory {app}",
    "granian asgi": "granian --interface asgi --factory {app}",
    "hypercorn": "hypercorn --bind unix:$SOCKET '{app}()'",
}
ASGI = frozenset(("ASGI", "Django ASGI", "FastAPI", "Starlette"))
# Files that app objects for servers are usually in.
USUAL = ("asgi.py", "wsgi.py", "main.py", "app.py", "application.py", "__init__.py")
# Packages that bring a server along.
BUNDLES = {"fastapi[standard]": "uvicorn", "fastapi[all]": "uvicorn"}


@dataclass(frozen=True)
class Processes:
    """``commands`` by process type, each with its reason."""

    commands: Mapping[str, str]
    reasons: Mapping[str, str]
    # whether the repository has a Procfile that says them
    written: bool
    framework: str
    problems: tuple[str, ...] = ()
    # those that may run only once
    alone: tuple[str, ...] = ()

    @property
    def formation(self) -> dict[str, int]:
        return {kind: 1 for kind in self.commands if kind != RELEASE_TYPE}

    @property
    def has_site(self) -> bool:
        """Whether nginx serves the app; it probably does where no process is known."""
        return "web" in self.formation or not self.formation


def find_processes(files: Mapping[str, str], code: Code, packages: Collection[str]) -> Processes:
    guessed = _guessed(files, code, packages)
    if PROCFILE not in files:
        return guessed
    try:
        commands = parse_procfile(files[PROCFILE])
    except DeployError as error:
        return Processes({}, {}, True, guessed.framework, (f"Mend the Procfile: {error}",))
    return Processes(
        commands,
        dict.fromkeys(commands, "the Procfile"),
        True,
        guessed.framework,
        tuple(_port_problems(commands)),
        tuple(
            kind for kind, command in commands.items() if re.search(r"\bcelery\b.* beat\b", command)
        ),
    )


def _port_problems(commands: Mapping[str, str]) -> list[str]:
    web = commands.get("web", "")
    if not re.search(r"\$\{?PORT\b|(?:--bind|-b|--port|-p)[ =]\S*\d{2}", web):
        return []
    problem = (
        "The process type `web` of the Procfile listens on a TCP port; remove the option, for the "
        "server gets a Unix socket by its environment variables (README of the role circus)."
    )
    return [problem]


def _guessed(files: Mapping[str, str], code: Code, packages: Collection[str]) -> Processes:
    commands: dict[str, str] = {}
    reasons: dict[str, str] = {}
    problems: list[str] = []
    alone: list[str] = []
    has = {*packages, *(server for bundle, server in BUNDLES.items() if bundle in packages)}
    web = _web_app(code, has)
    if web:
        server, command = _server(web, module_of(web.path, files), has)
        commands["web"] = command
        reasons["web"] = _made_by(web) + (f"; {server} is a dependency" if server in has else "")
        if server not in has:
            problems.append(
                f"Add {server}, which runs the app, to the dependencies, or another server."
            )
        release, reason = _release(web, module_of(web.path, files), has)
        if release:
            commands[RELEASE_TYPE], reasons[RELEASE_TYPE] = release, reason
    celery = next(iter(_ranked(each for each in code.apps if each.framework == "Celery")), None)
    if celery:
        target = f"celery --app {module_of(celery.path, files)}:{celery.name}"
        commands["worker"] = f"{target} worker --loglevel info"
        reasons["worker"] = _made_by(celery)
        if "django-celery-beat" in has or code.schedules:
            options = (
                "--scheduler django_celery_beat.schedulers:DatabaseScheduler"
                if "django-celery-beat" in has
                else "--schedule $HOME/celerybeat-schedule"
            )
            commands["beat"] = f"{target} beat --loglevel info {options}"
            reasons["beat"] = (
                "django-celery-beat is a dependency"
                if "django-celery-beat" in has
                else f"{code.schedules[0]} has a schedule of periodic tasks"
            )
            alone.append("beat")
    framework = (web or celery).framework if (web or celery) else ""  # type: ignore[union-attr]
    return Processes(commands, reasons, False, framework, tuple(problems), tuple(alone))


def _made_by(app: AppObject) -> str:
    if app.framework.startswith("Django"):
        return f"{app.framework.removeprefix('Django ')} application of Django in {app.path}"
    if app.framework in ("ASGI", "WSGI"):
        return f"{app.framework} callable in {app.path}:{app.line}, {app.name}"
    what = f"{app.name}(), which returns one" if app.is_factory else app.name
    return f"{app.framework} app in {app.path}:{app.line}, {what}"


def _ranked(apps: object) -> list[AppObject]:
    def rank(app: AppObject) -> tuple[bool, int, int, str]:
        name = app.path.rpartition("/")[2]
        usual = USUAL.index(name) if name in USUAL else len(USUAL)
        return app.is_factory, usual, app.path.count("/"), app.path

    return sorted(apps, key=rank)  # type: ignore[call-overload,no-any-return]


def _web_app(code: Code, has: Collection[str]) -> AppObject | None:
    found = {
        framework: _ranked(each for each in code.apps if each.framework == framework)
        for framework in (
            "Django WSGI",
            "Django ASGI",
            "FastAPI",
            "Starlette",
            "Flask",
            "ASGI",
            "WSGI",
        )
    }
    wsgi, asgi = found.pop("Django WSGI"), found.pop("Django ASGI")
    channels = {"channels", "daphne"} & {*has}
    asgi_server = {*ASGI_SERVERS} & {*has} and not {*WSGI_SERVERS} & {*has}
    if asgi and (not wsgi or channels or asgi_server):
        return asgi[0]
    if wsgi:
        return wsgi[0]
    return next((apps[0] for apps in found.values() if apps), None)


def _server(app: AppObject, module: str, has: Collection[str]) -> tuple[str, str]:
    """The package of the server that runs the app, and its command."""
    servers = ASGI_SERVERS if app.framework in ASGI else WSGI_SERVERS
    server = next((each for each in servers if each in has), next(iter(servers)))
    form = servers[server]
    if app.is_factory:
        interface = f"{server} {'asgi' if app.framework in ASGI else 'wsgi'}"
        form = FACTORIES.get(interface) or FACTORIES[server]
    elif server == "gunicorn" and app.name == "application":
        return server, form.format(app=module)
    return server, form.format(app=f"{module}:{app.name}")


def _release(app: AppObject, module: str, has: Collection[str]) -> tuple[str, str]:
    if app.framework.startswith("Django"):
        return "django-admin migrate --noinput", "migrations of Django"
    if app.framework == "Flask" and "flask-migrate" in has:
        return f"flask --app {module} db upgrade", "Flask-Migrate is a dependency"
    return "", ""


def module_of(path: str, files: Mapping[str, str]) -> str:
    """``shop.wsgi`` of ``src/shop/wsgi.py``: from the directory that the build takes packages from."""
    roots = {name.removesuffix("manage.py") for name in files if name.endswith("/manage.py")}
    if "src/__init__.py" not in files:
        roots.add("src/")
    root = max((each for each in roots if path.startswith(each)), key=len, default="")
    module = path.removeprefix(root).removesuffix(".py").replace("/", ".")
    return module.removesuffix(".__init__")
