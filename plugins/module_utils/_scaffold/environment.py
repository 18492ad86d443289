# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment variables that an app reads, and what they should be on its hosts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.code import (
    SETTINGS_VARIABLE,
    VARIABLE,
    Code,
    Variable,
)

# What the platform, the operating system or a continuous integration sets, and what is about ports.
NOT_ASKED = re.compile(
    r"(?:CI|FORWARDED_ALLOW_IPS|GITHUB_ACTIONS|(?:GRANIAN|UVICORN)_UDS|GUNICORN_CMD_ARGS|HOME|HOST|LANG|"
    r"PATH|PORT|PROCESS_INSTANCE|PROCESS_TYPE|PWD|PYTHONPATH|RELEASE_ID|SENTRY_RELEASE|SHELL|SOCKET|"
    rf"TMPDIR|USER|UWSGI_HTTP_SOCKET|VIRTUAL_ENV|{SETTINGS_VARIABLE})\Z"
)
HOSTS = re.compile(r"(?:^|_)(?:ALLOWED|TRUSTED)_HOSTS?$|^(?:SITE_)?DOMAIN$|^SERVER_NAME$")
ORIGINS = re.compile(r"TRUSTED_ORIGINS?$|CORS_.*ORIGINS?$|^(?:SITE|BASE|PUBLIC|APP)_URL$")
DEBUG = re.compile(r"(?:^|_)DEBUG$")
# A secret that nobody else has to know: any random text will do.
RANDOM = re.compile(r"^(?:(?:APP|DJANGO|FLASK|JWT|SESSION)_)?SECRET(?:_KEY)?$")
SECRET = re.compile(
    r"(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIALS?|DSN)$|(?:^|_)KEY$|"
    r"(?:^|_)(?:DATABASE|DB|REDIS|CACHE|BROKER|RESULT_BACKEND|AMQP|RABBITMQ|MONGO|MONGODB|POSTGRES|MYSQL|"
    r"EMAIL)_UR[IL]$"
)
# Needed even if the code has a default: that is a file in a directory that apps must not write to.
DATABASE = re.compile(r"(?:^|_)(?:DATABASE|DB)_UR[IL]$")
EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist", "env.example")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=")


@dataclass(frozen=True)
class EnvironmentValue:
    """``kind`` is ``value``, ``secret`` (of the vault), ``unknown``, or ``optional`` (the app has a default).

    ``value`` of a secret is the word in the form of the vault: RANDOM, or EDIT where only people know it.
    """

    name: str
    kind: str
    value: str
    reason: str


def find_environment(
    files: Mapping[str, str], code: Code, settings: str, domain: str
) -> list[EnvironmentValue]:
    """The variables in the order of their names; ``settings`` is the module of Django's settings."""
    found = _by_name([*code.variables, *_of_examples(files)])
    values = [_judged(each, domain) for name, each in found.items() if not NOT_ASKED.match(name)]
    if settings:
        values.append(
            EnvironmentValue(SETTINGS_VARIABLE, "value", settings, "module of the settings")
        )
    return sorted(values, key=lambda each: each.name)


def find_settings(code: Code, files: Mapping[str, str]) -> tuple[str, str]:
    """The module of Django's settings for a server, and the reason; two empty texts without Django."""
    named = [each for each in code.settings if each.path.endswith(("wsgi.py", "asgi.py"))]
    named += [each for each in code.settings if each.path.endswith("manage.py")]
    if not named:
        return "", ""
    module, where = named[0].route, f"{named[0].path}:{named[0].line}"
    package = module if _has_module(files, f"{module}.__init__") else module.rpartition(".")[0]
    is_package_of_settings = package.rpartition(".")[2] in ("settings", "config", "conf")
    for name in ("production", "prod"):
        better = f"{package}.{name}"
        if is_package_of_settings and better != module and _has_module(files, better):
            return better, f"there is one called {name} beside {module}, which {where} names"
    return module, f"{where} names it"


def _has_module(files: Mapping[str, str], module: str) -> bool:
    path = f"{module.replace('.', '/')}.py"
    return any(name == path or name.endswith(f"/{path}") for name in files)


def _of_examples(files: Mapping[str, str]) -> list[Variable]:
    """Variables of an example file; its values are left where they are."""
    return [
        Variable(match[1], path, number, required=False)
        for path in EXAMPLES
        for number, line in enumerate(files.get(path, "").splitlines(), 1)
        if (match := _LINE.match(line)) and VARIABLE.match(match[1])
    ]


def _by_name(variables: Sequence[Variable]) -> dict[str, Variable]:
    """Each variable once: where it is required if it is that anywhere."""
    found: dict[str, Variable] = {}
    for each in variables:
        if each.name not in found or (each.required and not found[each.name].required):
            found[each.name] = each
    return found


def _judged(variable: Variable, domain: str) -> EnvironmentValue:
    name, reason = variable.name, f"{variable.path}:{variable.line}"
    if HOSTS.search(name):
        return EnvironmentValue(name, "value", domain, reason)
    if ORIGINS.search(name):
        return EnvironmentValue(name, "value", f"https://{domain}", reason)
    if RANDOM.search(name):
        return EnvironmentValue(name, "secret", "RANDOM", reason)
    if not variable.required and not DATABASE.search(name):
        return EnvironmentValue(name, "optional", "", reason)
    if SECRET.search(name):
        return EnvironmentValue(name, "secret", "EDIT", reason)
    if DEBUG.search(name):
        return EnvironmentValue(name, "value", "0", f"{reason}; off, as it is for production")
    return EnvironmentValue(name, "unknown", "", reason)
