# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the variables of all hosts once, on the controller, and lists what cannot be meant."""

from __future__ import annotations

import datetime
import functools
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import Templar, is_trusted_as_template
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    Declarations,
    declare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.judgement import (
    Finding,
    Inventory,
    Unresolved,
    brief_findings,
    findings,
    fleet,
    hosts_of_app,
)

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
LITERALS = (str, int, float, bool, datetime.date, type(None))
UNDEFINED = re.compile(r"'(\w+)' is undefined")
# what reads files of the controller; a store of secrets may be out of reach of who validates
FILES = re.compile(
    r"lookup plugin '(ansible\.builtin\.)?(csvfile|file|first_found|ini|template|unvault)'"
)
MARKS = ("{{", "{%")
WORD = re.compile(r"[A-Za-z_]\w*")
# with one of these a template may read any variable
ANY = frozenset(("vars", "varnames"))
NONE: frozenset[str] = frozenset()
NO_HOSTS = "The inventory has no hosts; name it with -i, for example -i hosts.yml."


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core is not typed
    _supports_async = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("app", "version", "values", "hosts", "inventory"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(
            {
                "app": {"type": "str"},
                # as the command line has it: a number has lost what it was
                "version": {"type": "raw"},
                "values": {"type": "bool", "default": True},
                "hosts": {"type": "bool", "default": True},
                "inventory": {"type": "bool", "default": False},
            }
        )
        if options["inventory"] and not (task_vars or {}).get("groups", {}).get("all"):
            raise AnsibleActionFail(NO_HOSTS)
        reader = Reader(self._loader, task_vars or {})
        if options["values"]:
            inventory = reader.inventory(options["app"], options["version"])
            found = findings(inventory, reader.known, places=options["hosts"])
        else:
            found = reader.brief(options["app"])
        if found:
            raise AnsibleActionFail(listed(found))
        return result | {"changed": False}


def listed(found: list[Finding]) -> str:
    """All problems as one text."""
    if len(found) == 1:
        return f"{found[0]} Nothing was changed."
    lines = "\n".join(f"- {each}" for each in found)
    return f"{len(found)} problems in the inventory. Nothing was changed.\n{lines}"


class Reader:
    """What the inventory says, host by host, each value in the scope of its host."""

    def __init__(self, loader: Any, task_vars: Mapping[str, Any]) -> None:
        self._loader = loader
        self._hostvars = task_vars["hostvars"]
        self._groups = {name: list(hosts) for name, hosts in task_vars["groups"].items()}
        own = self._hostvars.raw_get(task_vars["inventory_hostname"])
        # variables of the play, which a playbook that imports this one may set
        self._of_play = {name: task_vars[name] for name in task_vars if name not in own}
        self._literals: dict[int, bool] = {}
        self._words: dict[int, frozenset[str]] = {}
        self._evaluated: dict[tuple[Any, frozenset[tuple[str, int]]], Any] = {}
        self._kept: list[Any] = []  # whose id is a key of these

    @functools.cached_property
    def known(self) -> Declarations:
        return declare(
            {
                path.parents[1].name: yaml.load(path.read_bytes(), Loader=_yaml_loader())
                for path in sorted(ROLES.glob("*/meta/argument_specs.yml"))
            }
        )

    def inventory(self, app: str | None, version: Any) -> Inventory:
        """``version``: what the command line says instead of the inventory, of ``app``."""
        known = self.known
        raw = {host: self._variables(host) for host in self._groups["all"] or ["localhost"]}
        places: list[str] = []
        for variables in raw.values():
            apps = variables.get("apps")
            for settings in apps.values() if isinstance(apps, Mapping) else ():
                place = settings.get("hosts") if isinstance(settings, Mapping) else None
                if isinstance(place, str) and place not in places:
                    places.append(place)
        hosts = fleet(self._groups, places) or list(raw)
        used = NONE.union(*(self._used(raw[host]) for host in hosts))
        resolved = {}
        for host in hosts:
            resolved[host] = self._resolved_host(host, raw[host], known, host == hosts[0])
            if app is not None and version is not None:
                _set_version(resolved[host], app, version)
        return Inventory(self._groups, resolved, used)

    def brief(self, app: str | None) -> list[Finding]:
        for host in self._groups["all"]:
            variables = self._variables(host)
            if "apps" in variables:
                templar = Templar(self._loader, variables=variables)
                apps = self._shallow(templar, variables, variables["apps"])
                return brief_findings(apps, self._groups, None if app is None else [app])
        return []

    def _variables(self, host: str) -> dict[str, Any]:
        raw = self._hostvars.raw_get(host)
        return {**self._of_play, **raw, "hostvars": self._hostvars}

    # --- values ---------------------------------------------------------------------------------

    def _resolved_host(
        self, host: str, raw: Mapping[str, Any], known: Declarations, is_first: bool
    ) -> dict[str, Any]:
        templar = Templar(self._loader, variables=raw)
        made: dict[str, Any] = {}
        for name in raw:
            if name in known.variables and name != "apps":
                made[name] = self._once(templar, raw, raw[name])
            elif name != "apps" and known.owner(name):
                made[name] = Unresolved()
        if "apps" in raw:
            apps = self._shallow(templar, raw, raw["apps"])
            is_concerned = is_first or host in self._groups.get("proxy", ())
            if isinstance(apps, Mapping):
                apps = {
                    app: self._once(templar, raw, said)
                    if is_concerned or host in hosts_of_app(said, self._groups)
                    else said
                    for app, said in apps.items()
                }
            made["apps"] = apps
        return made

    def _shallow(self, templar: Templar, variables: Mapping[str, Any], value: Any) -> Any:
        """The apps with no more resolved than which apps there are, and their hosts."""
        apps = self._once(templar, variables, value) if isinstance(value, str) else value
        if not isinstance(apps, Mapping):
            return apps
        made = {}
        for app, said in apps.items():
            settings = self._once(templar, variables, said) if isinstance(said, str) else said
            if isinstance(settings, Mapping) and not self._is_literal(settings.get("hosts")):
                place = self._once(templar, variables, settings["hosts"])
                settings = {**settings, "hosts": place}
                self._kept.append(settings)
            made[str(app)] = settings
        return made

    def _once(self, templar: Templar, variables: Mapping[str, Any], value: Any) -> Any:
        """``value`` with what its templates say, for all hosts that have the same in what it needs the same object.

        Most variables are those of a group: evaluating them for each host would take seconds.
        """
        if self._is_literal(value):
            return value
        needed: dict[str, int] = {}
        left, words = set(self._words_in(value)), set(ANY)
        while left:
            name = left.pop()
            words.discard(name)
            if name in variables and name not in needed:
                needed[name] = id(variables[name])
                left |= self._words_in(variables[name])
        if len(words) < len(ANY):
            return self._resolved(templar, variables, value)
        what = (value, is_trusted_as_template(value)) if isinstance(value, str) else id(value)
        key = (what, frozenset(needed.items()))
        if key not in self._evaluated:
            self._evaluated[key] = self._resolved(templar, variables, value)
        return self._evaluated[key]

    def _resolved(self, templar: Templar, variables: Mapping[str, Any], value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self._once(templar, variables, each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._once(templar, variables, each) for each in value]
        try:
            return templar.template(value)
        except Exception as error:  # noqa: BLE001 - whatever a template or a lookup may raise
            return Unresolved(reason(str(error)))

    def _is_literal(self, value: Any) -> bool:
        """Whether a value has no template, nor anything else that has to be made readable."""
        if isinstance(value, str):
            return not any(mark in value for mark in MARKS)
        if not isinstance(value, Mapping | list | tuple):
            return isinstance(value, LITERALS)
        if id(value) not in self._literals:
            each = value.values() if isinstance(value, Mapping) else value
            self._kept.append(value)
            self._literals[id(value)] = all(self._is_literal(one) for one in list(each)) and (
                not isinstance(value, Mapping) or all(isinstance(key, str) for key in value)
            )
        return self._literals[id(value)]

    def _used(self, variables: Mapping[str, Any]) -> frozenset[str]:
        """Words of the templates in ``variables`` that may be names of others."""
        return NONE.union(*(self._words_in(value) for value in variables.values()))

    def _words_in(self, value: Any) -> frozenset[str]:
        if isinstance(value, str):
            is_template = any(mark in value for mark in MARKS)
            return frozenset(WORD.findall(value)) if is_template else NONE
        if not isinstance(value, dict | list | tuple):
            return NONE
        if id(value) not in self._words:
            self._kept.append(value)
            self._words[id(value)] = NONE  # what holds itself ends here
            inside = value.values() if isinstance(value, dict) else value
            self._words[id(value)] = NONE.union(*map(self._words_in, inside))
        return self._words[id(value)]


def reason(error: str) -> str:
    """Why a value will never be known, as the rest of a sentence; empty if it may be later.

    Facts are not gathered yet, and a vault or a store of secrets may be closed to who validates.
    """
    undefined = UNDEFINED.search(error)
    if undefined and not undefined[1].startswith(("ansible_", "__")):
        return f"needs {undefined[1]!r}, which the inventory does not define"
    if FILES.search(error):
        return f"cannot be evaluated: {' '.join(error.split()).rstrip('.')}"
    return ""


def _set_version(variables: dict[str, Any], app: str, version: Any) -> None:
    apps = variables.get("apps")
    if isinstance(apps, Mapping) and isinstance(apps.get(app), Mapping):
        variables["apps"] = {**apps, app: {**apps[app], "version": version}}


def _yaml_loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
