# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two apps, sites or daemons of one host want, although only one can have it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import Setting
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import Problem
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    hosts_of,
    place_of,
    setting,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.validation import (
    surely_has_site,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import Unresolved

# TCP ports of daemons to the groups whose hosts run them; empty: where the variable is given.
PORTS: Mapping[str, tuple[str, ...]] = {
    "graphite_carbon_port": ("graphite",),
    "graphite_query_port": ("graphite",),
    "munin_port": (),
    "statsd_admin_port": (),
    "devpi_proxy_page_port": ("index",),
}
# nginx's own, on every host
WEB = {80: "nginx", 443: "nginx"}
# domains of sites that a group's hosts have beside the apps
DOMAINS: Mapping[str, str] = {
    "index_domains": "index",
    "graphite_domain": "graphite",
    "munin_domain": "munin",
    "bugsink_domain": "bugsink",
}

Groups = Mapping[str, Sequence[str]]


def on_host(
    groups: Groups, host: str, variables: Mapping[str, Any], known: Mapping[str, Setting]
) -> Iterator[Problem]:
    yield from _domains(groups, host, variables)
    yield from _ports(groups, host, variables, known)


def _domains(groups: Groups, host: str, variables: Mapping[str, Any]) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for owner, path, domain in _claims(groups, host, variables):
        name = domain.lower()
        other = owners.setdefault(name, owner)
        if other != owner:
            yield Problem(
                path,
                f"has {domain!r}, which {other} has, too",
                "one site of a host can answer to a name",
            )


def _claims(
    groups: Groups, host: str, variables: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Whose a domain is, the path of the setting, and the domain."""
    apps = variables.get("apps")
    for app, settings in apps.items() if isinstance(apps, Mapping) else ():
        if _serves(groups, host, settings):
            for domain in _texts(setting(settings, "domains", app)):
                yield f"apps.{app}", f"apps.{app}.domains", domain
    sites = variables.get("nginx_sites")
    for index, site in enumerate(sites if isinstance(sites, list | tuple) else ()):
        if isinstance(site, Mapping):
            for domain in _texts(site.get("domains")):
                yield f"nginx_sites[{index}]", f"nginx_sites[{index}].domains", domain
    for name, group in DOMAINS.items():
        if host in groups.get(group, ()):
            for domain in _texts(variables.get(name)):
                yield name, name, domain


def _serves(groups: Groups, host: str, settings: Any) -> bool:
    """Whether nginx on ``host`` has a site of the app, as far as that is known."""
    if not isinstance(settings, Mapping) or isinstance(settings.get("hosts"), Unresolved):
        return False
    if not surely_has_site(settings):
        return False
    return host in groups.get("proxy", ()) or host in hosts_of(place_of(settings), groups)


def _texts(said: Any) -> Iterator[str]:
    for each in said if isinstance(said, list | tuple) else [said]:
        if isinstance(each, str) and each:
            yield each


def _ports(
    groups: Groups, host: str, variables: Mapping[str, Any], known: Mapping[str, Setting]
) -> Iterator[Problem]:
    owners = dict(WEB)
    for name, needed in PORTS.items():
        if name in variables or any(host in groups.get(group, ()) for group in needed):
            value = variables.get(name, known[name].default)
            port = int(value) if str(value).isdigit() else 0
            other = owners.setdefault(port, name)
            if port and other != name:
                yield Problem(name, f"is {port}, the port of {other}", "give it another port")
