# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process types of an app: those of its Procfile, or what its code is probably run by. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
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
    "uwsgi": WSGI_SERVERS["uwsgi"].replace("{app}", "'{app}()'"),
    "uvicorn": "uvicorn --factory {app}",
    "granian wsgi": "granian --interface wsgi --factory {app}",
    "granian asgi": "granian --interface asgi --factory {app}",
    "hypercorn": "hypercorn --bind unix:$SOCKET '{app}()'",
}
ASGI = frozenset(("ASGI", "Django ASGI", "FastAPI", "Starlette"))
# Files that app objects for servers are usually in.
USUAL = ("asgi.py", "wsgi.py", "main.py", "app.py", "application.py", "__init__.py")
# The process type that may run only once: it would do everything twice.
BEAT = "beat"
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
        tuple(_procfile_problems(commands)),
        tuple(
            kind for kind, command in commands.items() if re.search(r"\bcelery\b.* beat\b", command)
        ),
    )


def _procfile_problems(commands: Mapping[str, str]) -> list[str]:
    problems = []
    if re.search(r"\$\{?PORT\b|(?:--bind|-b|--port|-p)[ =]\S*\d{2}", commands.get("web", "")):
        problems.append(
            "The process type `web` of the Procfile listens on a TCP port; remove the option, for the "
            "server gets a Unix socket by its environment variables (README of the role circus)."
        )
    if any("manage.py" in command for command in commands.values()):
        problems.append(
            "The Procfile runs manage.py, which is not part of a wheel; write `django-admin` instead of "
            "`python manage.py`."
        )
    return problems


@dataclass(frozen=True)
class _Process:
    kind: str
    command: str
    reason: str


def _guessed(files: Mapping[str, str], code: Code, packages: Collection[str]) -> Processes:
    has = {*packages, *(server for bundle, server in BUNDLES.items() if bundle in packages)}
    web = _web_app(code, has)
    celery = next(iter(_ranked(each for each in code.apps if each.framework == "Celery")), None)
    found: list[_Process] = []
    problems: list[str] = []
    if web:
        server, process = _web_process(web, module_of(web.path, files), has)
        found += [process, *_release_process(web, module_of(web.path, files), has)]
        if server not in has:
            problems.append(
                f"Add {server}, which runs the app, to the dependencies, or another server."
            )
    if celery:
        found += _celery_processes(celery, module_of(celery.path, files), code.schedules, has)
    return Processes(
        {each.kind: each.command for each in found},
        {each.kind: each.reason for each in found},
        written=False,
        framework=next((app.framework for app in (web, celery) if app), ""),
        problems=tuple(problems),
        alone=tuple(each.kind for each in found if each.kind == BEAT),
    )


def _web_process(web: AppObject, module: str, has: Collection[str]) -> tuple[str, _Process]:
    """The package of the server, and the process."""
    server, command = _server(web, module, has)
    reason = f"{_made_by(web)}; {server} is a dependency" if server in has else _made_by(web)
    return server, _Process("web", command, reason)


def _release_process(web: AppObject, module: str, has: Collection[str]) -> list[_Process]:
    if web.framework.startswith("Django"):
        return [_Process(RELEASE_TYPE, "django-admin migrate --noinput", "migrations of Django")]
    if web.framework == "Flask" and "flask-migrate" in has:
        command = f"flask --app {module} db upgrade"
        return [_Process(RELEASE_TYPE, command, "Flask-Migrate is a dependency")]
    return []


def _celery_processes(
    celery: AppObject, module: str, schedules: Sequence[str], has: Collection[str]
) -> list[_Process]:
    target = f"celery --app {module}:{celery.name}"
    found = [_Process("worker", f"{target} worker --loglevel info", _made_by(celery))]
    beat = f"{target} beat --loglevel info"
    if "django-celery-beat" in has:
        scheduler = "--scheduler django_celery_beat.schedulers:DatabaseScheduler"
        found.append(_Process(BEAT, f"{beat} {scheduler}", "django-celery-beat is a dependency"))
    elif schedules:
        # its own directory is read-only
        place = "--schedule $HOME/celerybeat-schedule"
        found.append(_Process(BEAT, f"{beat} {place}", f"{schedules[0]} has periodic tasks"))
    return found


def _made_by(app: AppObject) -> str:
    if app.framework.startswith("Django"):
        return f"{app.framework.removeprefix('Django ')} application of Django in {app.path}"
    if app.framework in ("ASGI", "WSGI"):
        return f"{app.framework} callable in {app.path}:{app.line}, {app.name}"
    what = f"{app.name}(), which returns one" if app.is_factory else app.name
    return f"{app.framework} app in {app.path}:{app.line}, {what}"


def _ranked(apps: Iterable[AppObject]) -> list[AppObject]:
    def rank(app: AppObject) -> tuple[bool, int, int, str]:
        name = app.path.rpartition("/")[2]
        usual = USUAL.index(name) if name in USUAL else len(USUAL)
        return app.is_factory, usual, app.path.count("/"), app.path

    return sorted(apps, key=rank)


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


def module_of(path: str, files: Mapping[str, str]) -> str:
    """``shop.wsgi`` of ``src/shop/wsgi.py``: from the directory that the build takes packages from."""
    roots = {name.removesuffix("manage.py") for name in files if name.endswith("/manage.py")}
    if "src/__init__.py" not in files:
        roots.add("src/")
    root = max((each for each in roots if path.startswith(each)), key=len, default="")
    module = path.removeprefix(root).removesuffix(".py").replace("/", ".")
    return module.removesuffix(".__init__")
