# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is guessed of an app from its repository, each guess with its reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.user import (
    LONGEST_NAME,
    name_problem,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    satisfies,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.code import (
    Code,
    Route,
    read_code,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.environment import (
    EnvironmentValue,
    find_environment,
    find_settings,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.processes import (
    Processes,
    find_processes,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.project import (
    Lock,
    Project,
    python_problem,
    read_lock,
    read_project,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.tree import Tree

APPS = "group_vars/all/apps.yml"
DEBIAN_PYTHONS = {"Debian 12": "3.11", "Debian 13": "3.13"}
UNKNOWN_VERSION = "0.1.0"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_ADDRESS = re.compile(r"[0-9.]+\Z|.*:")
# Which of several routes is most likely made for a health check.
_HEALTH = ("healthz", "health", "health-check", "health_check", "healthcheck")


@dataclass(frozen=True)
class Wishes:
    """What the user has said: names of hosts and of the app's domain, empty where nothing was; and whether
    a Procfile is to be written where there is none."""

    source: str  # path of the repository, relative to the directory of the inventory
    hosts: tuple[str, ...] = ()
    index: str = ""
    proxies: tuple[str, ...] = ()
    domain: str = ""
    procfile: bool = False

    def check(self) -> None:
        """Raise DeployError for what cannot be meant."""
        for name in filter(None, (*self.hosts, self.index, *self.proxies, self.domain)):
            if _ADDRESS.match(name):
                raise DeployError(
                    f"{name!r} is an address; hosts are called by names, because the certificate of the "
                    "package index needs one. Choose one such as app1.example.org, and give the host "
                    f"`ansible_host: {name}` in hosts.yml."
                )
            if not _HOST.match(name):
                raise DeployError(
                    f"Invalid name {name!r}: write it in lower case as in DNS, such as app1.example.org."
                )
        if self.domain and self.domain == (self.index or (self.hosts[0] if self.hosts else "")):
            raise DeployError(
                f"The app's domain {self.domain} is also the name of the host with the package index, "
                "which nginx serves by that name. Give the host, or the app, another name with a DNS "
                "record."
            )
        if "{" in self.source:
            raise DeployError(
                f"The path {self.source!r} has a brace, which Ansible takes for a template."
            )


@dataclass(frozen=True)
class Guess:
    """A value, why it is that, and the file in which to change it."""

    what: str
    value: str
    reason: str
    place: str


@dataclass(frozen=True)
class App:
    """All that is known and guessed of an app."""

    name: str
    project: Project
    lock: Lock
    processes: Processes
    environment: Sequence[EnvironmentValue]
    domain: str
    health: Route | None
    # whether that is all of its path
    health_is_whole: bool
    guesses: Sequence[Guess]
    # what to do in the repository before it can be published
    chores: Sequence[str]
    # what else to know
    notes: Sequence[str]

    @property
    def distribution(self) -> str:
        return canonical_name(self.project.name or self.name)

    @property
    def vault(self) -> dict[str, str]:
        """Names of the variables in the vault, each with the word that stands for its value."""
        return {
            vault_name(self.name, each.name): each.value
            for each in self.environment
            if each.kind == "secret"
        }


def guess_app(tree: Tree, wishes: Wishes) -> App:
    files = tree.files
    code = read_code(files)
    project = read_project(files, code.versions)
    name, name_reason = _app_name(project, tree.name)
    lock = read_lock(files, project.name or name)
    processes = find_processes(files, code, project.packages)
    settings, settings_reason = find_settings(code, files)
    domain = wishes.domain or f"{name.replace('_', '-')}.example.org"
    environment = find_environment(files, code, settings, domain)
    guesses = [
        Guess("app", name, name_reason, APPS),
        Guess("version", project.version or UNKNOWN_VERSION, project.version_reason, APPS),
    ]
    guesses += [
        Guess(kind, command, processes.reasons[kind], "Procfile")
        for kind, command in processes.commands.items()
    ]
    health = _health(code)
    if processes.has_site:
        route, reason = (
            (health.route, f"{health.path}:{health.line}")
            if health
            else ("/", "no route is called like a health check")
        )
        guesses.append(Guess("health_path", route, reason, APPS))
    if settings:
        guesses.append(Guess("settings", settings, settings_reason, APPS))
    if lock.name:
        guesses.append(Guess("lock", lock.name, lock.reason, lock.name))
    chores = _chores(tree, project, lock, processes, wishes.procfile)
    notes = _notes(tree, code, processes, environment)
    return App(
        name,
        project,
        lock,
        processes,
        environment,
        domain,
        health,
        health is None or _is_whole(health, code),
        guesses,
        chores,
        notes,
    )


def _app_name(project: Project, directory: str) -> tuple[str, str]:
    """A name that an app may have, made of the project's."""
    reason = project.name_reason
    wanted = canonical_name(project.name or directory)
    name = re.sub(r"[^a-z0-9-]", "", wanted).strip("-")[: LONGEST_NAME - len("-app")].strip("-")
    if not name or not name[0].isalpha():
        name = f"app-{name}".strip("-")
    if name_problem(name):
        name = f"{name}-app"
    if name != wanted:
        reason += ", made to a name that an app may have"
    return name, reason


def _health(code: Code) -> Route | None:
    def rank(route: Route) -> tuple[bool, int, int, str]:
        last = route.route.strip("/").rpartition("/")[2]
        usual = _HEALTH.index(last) if last in _HEALTH else len(_HEALTH)
        return not _is_whole(route, code), usual, len(route.route), route.path

    return min(code.health, key=rank, default=None)


def _is_whole(route: Route, code: Code) -> bool:
    """Whether it is all of the path, and not what follows the prefix of a router."""
    folder, _slash, file = route.path.rpartition("/")
    if route.owner:
        own = {app.name for app in code.apps if app.path == route.path}
        return route.owner in own or route.owner in ("app", "application")
    django = [
        app.path.rpartition("/")[0] for app in code.apps if app.framework.startswith("Django")
    ]
    return file != "urls.py" or not django or folder in django


def _chores(
    tree: Tree, project: Project, lock: Lock, processes: Processes, procfile: bool
) -> list[str]:
    chores = list(project.problems)
    if not tree.committed:
        chores.append(
            "Commit it to git, for a build is of a commit: git init && git add . && git commit"
        )
    if not {"pyproject.toml", "setup.py"} & {*tree.files}:
        chores.append(
            "Add a pyproject.toml, from which `uv build` makes a wheel with the app's packages: "
            "uv init --bare --package"
        )
    elif project.version == "" and "pyproject.toml" in tree.files:
        chores.append(
            "See which version the build gives the wheel (uv build --wheel), and write it to apps.yml; "
            "where it comes from a variable, name that in `version_variable`."
        )
    if not lock.name:
        chores.append(f"Make a lock file with hashes, as {lock.reason.rstrip('.')}: {lock.advice}")
    if not processes.written and processes.commands and procfile:
        chores.append("Read the Procfile: its commands are guesses, with the reasons above")
    elif not processes.written:
        chores.append(
            "Add a file Procfile with the processes above, or let `-e procfile=true` write it"
            if processes.commands
            else "Add a file Procfile with the command of each process, such as `web: gunicorn shop.wsgi`"
            + (
                f"; the project has the scripts {', '.join(project.scripts)}"
                if project.scripts
                else ""
            )
        )
    return [*chores, *processes.problems, *_python_chore(project.requires_python)]


def _python_chore(requires: str) -> list[str]:
    try:
        fits = {debian: satisfies(version, requires) for debian, version in DEBIAN_PYTHONS.items()}
    except DeployError:
        return []
    problem = python_problem(requires, fits)
    return [problem] if problem else []


def _notes(
    tree: Tree, code: Code, processes: Processes, environment: Sequence[EnvironmentValue]
) -> list[str]:
    notes = []
    if any(each.kind == "secret" and each.value == "EDIT" for each in environment):
        notes.append(
            "Databases, brokers and mail servers that the app needs are not set up here; their URLs "
            "and passwords go into the vault."
        )
    if processes.framework.startswith("Django") and not any(
        "SECRET" in each.name for each in environment
    ):
        notes.append(
            "The settings read no SECRET_KEY from the environment, where it should come from."
        )
    if processes.framework.startswith("Django"):
        notes.append(
            "Static files of Django: let `build_command` collect them into a directory of the package, "
            "and name that in `static_files` (README of the role app)."
        )
    if code.unread:
        notes.append(f"Not valid Python here, and not read: {', '.join(code.unread[:5])}")
    if tree.passed_over:
        notes.append(f"Not read: {'; '.join(tree.passed_over[:5])}")
    return notes


def vault_name(app: str, variable: str) -> str:
    return f"vault_{app}_{variable}".replace("-", "_").lower()
