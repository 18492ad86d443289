# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Python code says about how it is run: app objects, settings, environment variables, routes. Pure.

Code is parsed and never imported. Only what is written as a literal is found.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

# Where an app object comes from, and which framework that is.
CONSTRUCTORS = {
    "fastapi.FastAPI": "FastAPI",
    "starlette.applications.Starlette": "Starlette",
    "flask.Flask": "Flask",
    "celery.Celery": "Celery",
    "django.core.wsgi.get_wsgi_application": "Django WSGI",
    "django.core.asgi.get_asgi_application": "Django ASGI",
}
# Parameters of an app that is a function without any framework.
CALLABLES = {"environ, start_response": "WSGI", "scope, receive, send": "ASGI"}
SETTINGS_VARIABLE = "DJANGO_SETTINGS_MODULE"
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}\Z")
# A path that is asked for health, as frameworks take it, with or without slashes around.
HEALTH = re.compile(
    r"/?(?:[a-z0-9_-]+/){0,3}(?:_{0,2}health_{0,2}|healthz|health[_-]?check|livez|liveness|"
    r"readyz|readiness|heartbeat|ping|up)/?\Z"
)
_ROUTES = frozenset(
    ("add_api_route", "add_route", "add_url_rule", "api_route", "get", "path", "route", "Route")
)
# Functions of os, django-environ, environs and decouple whose first argument is a variable.
_READERS = frozenset(("os.getenv", "os.environ.get", "decouple.config"))
_READER_CLASSES = frozenset(("environ.Env", "environs.Env", "environ.FileAwareEnv"))


@dataclass(frozen=True)
class AppObject:
    framework: str
    path: str
    line: int
    name: str  # of the variable or of the function that makes it
    is_factory: bool = False


@dataclass(frozen=True)
class Variable:
    """An environment variable that code reads."""

    name: str
    path: str
    line: int
    required: bool


@dataclass(frozen=True)
class Route:
    """``owner``: the name of the app or router that has it; empty where it is another's."""

    route: str
    path: str
    line: int
    owner: str = ""


@dataclass(frozen=True)
class Code:
    """What the files say, in their order."""

    apps: tuple[AppObject, ...] = ()
    variables: tuple[Variable, ...] = ()
    health: tuple[Route, ...] = ()
    settings: tuple[Route, ...] = ()  # modules of Django's settings
    schedules: tuple[str, ...] = ()  # paths that define periodic tasks of Celery
    versions: Mapping[str, str] = field(default_factory=dict)  # path to its __version__
    unread: tuple[str, ...] = ()  # paths that this Python cannot parse


def read_code(files: Mapping[str, str]) -> Code:
    apps: list[AppObject] = []
    variables: list[Variable] = []
    health: list[Route] = []
    settings: list[Route] = []
    schedules: list[str] = []
    versions: dict[str, str] = {}
    unread: list[str] = []
    for path, text in files.items():
        if not path.endswith(".py"):
            continue
        tree = _parse(text)
        if tree is None:
            unread.append(path)
            continue
        origins = _origins(tree)
        apps += _apps(tree, path, origins)
        variables += _variables(tree, path, origins)
        health += _health(tree, path)
        settings += _settings(tree, path)
        schedules += [path] if _has_schedule(tree) else []
        version = _version(tree)
        versions |= {path: version} if version else {}
    return Code(
        tuple(apps),
        tuple(variables),
        tuple(health),
        tuple(settings),
        tuple(schedules),
        versions,
        tuple(unread),
    )


def _parse(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _origins(tree: ast.Module) -> dict[str, str]:
    """Names of a file to what they are imported as: ``FastAPI`` to ``fastapi.FastAPI``."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found[alias.asname] = alias.name
                else:
                    first = alias.name.partition(".")[0]
                    found[first] = first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def _dotted(node: ast.expr, origins: Mapping[str, str]) -> str:
    """``os.environ.get`` of an expression, by what its first name was imported as; or nothing."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([origins.get(node.id, node.id), *reversed(names)])


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _framework(node: ast.expr, origins: Mapping[str, str]) -> str:
    if not isinstance(node, ast.Call):
        return ""
    origin = _dotted(node.func, origins)
    # FastAPI and Flask are importable from places of their packages, too
    first, _dot, last = origin.partition(".")[0], "", origin.rpartition(".")[2]
    return CONSTRUCTORS.get(origin) or CONSTRUCTORS.get(f"{first}.{last}", "")


def _apps(tree: ast.Module, path: str, origins: Mapping[str, str]) -> Iterator[AppObject]:
    for name, value in _assigned(tree.body):
        framework = _framework(value, origins)
        if framework:
            yield AppObject(framework, path, value.lineno, name)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            callable_ = CALLABLES.get(", ".join(each.arg for each in node.args.args))
            factory = _made_by_function(node, origins)
            if callable_ and node.name in ("app", "application"):
                yield AppObject(callable_, path, node.lineno, node.name)
            elif factory:
                yield AppObject(factory, path, node.lineno, node.name, is_factory=True)


def _made_by_function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, origins: Mapping[str, str]
) -> str:
    """The framework of the app that a function without arguments makes and returns."""
    if isinstance(node, ast.AsyncFunctionDef) or _needs_arguments(node):
        return ""
    within = [*ast.walk(node)]
    made = [_framework(each, origins) for each in within if isinstance(each, ast.expr)]
    web = [framework for framework in made if framework in ("FastAPI", "Flask", "Starlette")]
    returns = any(isinstance(each, ast.Return) and each.value for each in within)
    return web[0] if web and returns else ""


def _needs_arguments(node: ast.FunctionDef) -> bool:
    given = node.args
    positional = len(given.posonlyargs) + len(given.args) - len(given.defaults)
    return positional > 0 or any(default is None for default in given.kw_defaults)


def _variables(tree: ast.Module, path: str, origins: Mapping[str, str]) -> list[Variable]:
    found = [*_readings(tree, path, origins)]
    # also where it is read without a default, once it is known to be there
    optional = {each.name for each in found if not each.required} | _asked_for(tree, origins)
    return [replace(each, required=each.required and each.name not in optional) for each in found]


def _asked_for(tree: ast.Module, origins: Mapping[str, str]) -> set[str | None]:
    """Names of which the code asks whether they are ``in os.environ``."""
    return {
        _text(node.left)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.In)
        and _dotted(node.comparators[0], origins) == "os.environ"
    }


def _readings(tree: ast.Module, path: str, origins: Mapping[str, str]) -> Iterator[Variable]:
    readers = {
        name
        for name, value in _assigned(tree.body)
        if isinstance(value, ast.Call) and _dotted(value.func, origins) in _READER_CLASSES
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            name = _text(node.slice) if _dotted(node.value, origins) == "os.environ" else None
            if name and VARIABLE.match(name):
                yield Variable(name, path, node.lineno, required=True)
        elif isinstance(node, ast.Call):
            name = _text(node.args[0]) if node.args else None
            if name and VARIABLE.match(name):
                reader = _dotted(node.func, origins)
                if reader in _READERS or reader.partition(".")[0] in readers:
                    optional = reader.startswith("os.") or _has_default(node)
                    yield Variable(name, path, node.lineno, required=not optional)
        elif isinstance(node, ast.ClassDef):
            yield from _fields(node, path)


def _has_default(node: ast.Call) -> bool:
    return len(node.args) > 1 or any(word.arg == "default" for word in node.keywords)


def _fields(node: ast.ClassDef, path: str) -> Iterator[Variable]:
    """Fields of a class of pydantic-settings, each of which is an environment variable."""
    bases = {
        each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "")
        for each in node.bases
    }
    if "BaseSettings" not in bases:
        return
    prefix = ""
    for each in ast.walk(node):
        words = each.keywords if isinstance(each, ast.Call) else []
        prefix = next((_text(w.value) or "" for w in words if w.arg == "env_prefix"), prefix)
        if isinstance(each, ast.Assign) and getattr(each.targets[0], "id", "") == "env_prefix":
            prefix = _text(each.value) or ""
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            name = f"{prefix}{each.target.id}".upper()
            if each.target.id != "model_config" and VARIABLE.match(name):
                yield Variable(name, path, each.lineno, required=each.value is None)


def _health(tree: ast.Module, path: str) -> Iterator[Route]:
    for node in ast.walk(tree):
        routes: list[str | None] = []
        owner = ""
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            routes = [_text(node.args[0])] if called in _ROUTES else []
            owner = _dotted(node.func, {}).rpartition(".")[0]
        elif isinstance(node, ast.Compare):
            sides = [each for side in node.comparators for each in ast.walk(side)]
            texts = [_text(each) for each in sides if isinstance(each, ast.expr)]
            routes = [text for text in texts if text and text.startswith("/")]
        for route in routes:
            if route and HEALTH.match(route):
                yield Route(f"/{route.lstrip('/')}", path, getattr(node, "lineno", 0), owner)


def _settings(tree: ast.Module, path: str) -> Iterator[Route]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) > 1:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            module = _text(node.args[1])
            said = name == "setdefault" and _text(node.args[0]) == SETTINGS_VARIABLE
            if said and module and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", module):
                yield Route(module, path, node.lineno)


def _has_schedule(tree: ast.Module) -> bool:
    words = {"beat_schedule", "CELERY_BEAT_SCHEDULE", "add_periodic_task"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in words)
        or (isinstance(node, ast.Name) and node.id in words)
        for node in ast.walk(tree)
    )


def _version(tree: ast.Module) -> str:
    said = [
        _text(value) for name, value in _assigned(tree.body) if name in ("__version__", "VERSION")
    ]
    return said[0] or "" if said else ""
