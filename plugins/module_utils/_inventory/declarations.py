# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variable that an inventory can give the roles and playbooks of this collection. Pure.

Of the roles, what their argument specs say, and what those cannot say: ranges and forms. Of the
playbooks, what no role has.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import (
    BYTES,
    BYTES_FORM,
    DOMAIN,
    DOMAIN_FORM,
    DURATION,
    DURATION_FORM,
    SIZE,
    SIZE_FORM,
    URL,
    URL_FORM,
    Setting,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import (
    distance,
    misspelled,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import SETTINGS

Variables = Mapping[str, Setting]

# Of shorter ones, as in app_name, other words are as near as misspellings: api_name.
SHORTEST_OWNER = 5

# What argument specs cannot say of numbers: the variables whose names match, least and greatest.
RANGES: tuple[tuple[str, float | None, float | None], ...] = (
    (r"\w+_port", 1, 65_535),
    (r"redirect_code", 300, 399),
    (r"\w+_percentiles", None, 100),
    (r"\w+_(days|keep|bake|watch|quarantine|free_mb|clock_skew|canaries|timeout)", 0, None),
    (
        r"\w+_(workers|threads|interval|worker_connections|memory|megabytes|open_files|steps)",
        1,
        None,
    ),
    (r"(keepalive|burst|limit_conn)", 0, None),
)
# … and of texts, or of each text of a list: a regular expression for all of it, and its meaning.
FORMS: tuple[tuple[str, str, str], ...] = (
    (r"(\w+_)?(domains?)", DOMAIN, DOMAIN_FORM),
    (r"client_max_body_size|cache_size|\w+_(upload|cache)_size", SIZE, SIZE_FORM),
    (r"(read|connect)_timeout|nginx_worker_shutdown_timeout", DURATION, DURATION_FORM),
    (r"shared_memory|journal", BYTES, BYTES_FORM),
    (r"(?!munin_devpi)\w+_url", URL, URL_FORM),
)

USER = {
    "user": Setting(meaning=("Name of the devpi user.",), required=True),
    "password": Setting(meaning=("Password of the user.",), required=True, secret=True),
}


def _url(meaning: str) -> Setting:
    return Setting(meaning=(meaning,), pattern=URL, form=URL_FORM)


def _seconds(meaning: str, default: int, minimum: int = 0) -> Setting:
    return Setting(meaning=(meaning,), type="int", default=default, minimum=minimum)


# What the playbooks read of an inventory beside the inputs of roles (tests/unit/test_declarations.py).
PLAYBOOKS: Variables = {
    "apps": Setting(
        meaning=("The apps: names, each with its settings.",),
        type="dict",
        values=Setting(meaning=("Settings of an app.",), type="dict", options=SETTINGS),
    ),
    "allow_untested_os": Setting(
        meaning=(
            "Whether hosts may run another system than a supported Debian.",
            "It needs apt, systemd and a supported Python; nothing else about it is known.",
        ),
        type="bool",
        default=False,
    ),
    "index_url": _url("URL of the package index, for hosts and controller."),
    "index_name": Setting(
        meaning=("devpi's user/index that releases are installed from.",),
        pattern=r"[^/\s]+/[^/\s]+",
        form="devpi's user and index, as in company/prod",
    ),
    "index_domains": Setting(
        meaning=("Domain names of the index.",),
        type="list",
        elements="str",
        pattern=DOMAIN,
        form=DOMAIN_FORM,
    ),
    "index_addresses": Setting(
        meaning=("IP addresses of the index.",), type="list", elements="str"
    ),
    "index_certificate": Setting(
        meaning=("Certificate of the index with its chain, PEM.",), default=""
    ),
    "index_certificate_key": Setting(
        meaning=("Private key of the certificate, PEM.",), default="", secret=True
    ),
    "index_ca_file": Setting(
        meaning=("CA certificate of the index on the controller, relative to the inventory.",),
        type="path",
    ),
    "index_publisher": Setting(
        meaning=("devpi user that uploads packages.",), type="dict", options=USER
    ),
    "index_reader": Setting(
        meaning=("User that reads an index which is not set up by the playbooks.",),
        type="dict",
        options=USER,
    ),
    "index_reserved": Setting(
        meaning=("Further private package names, which are never looked up upstream.",),
        type="list",
        elements="str",
    ),
    "index_tools_url": _url("URL of the simple API that tools are installed from."),
    "index_publish_url": _url("URL of the index for the controller, if it differs from index_url."),
    "index_primary_url": _url("URL of the first index host for its replicas."),
    "index_replicas": Setting(meaning=("Addresses of the replicas.",), type="list", elements="str"),
    "deploy_canaries": Setting(
        meaning=("Number of hosts that switch first.",), type="int", default=1, minimum=0
    ),
    "deploy_bake": Setting(
        meaning=(
            "Seconds that these serve before the others follow.",
            "Meanwhile their server errors and response times are compared with those of the others.",
        ),
        type="int",
        default=0,
        minimum=0,
    ),
    "deploy_watch": Setting(
        meaning=(
            "Seconds after the last batch in which the same is compared with that from before the deploy.",
        ),
        type="int",
        default=0,
        minimum=0,
    ),
    "deploy_judge": Setting(
        meaning=(
            "Whether responses are compared in these times; if not, only deploy_bake is waited for.",
        ),
        type="bool",
        default=True,
    ),
    "deploy_gate": Setting(
        meaning=("Command on the controller, or URL, that is asked in these times, too.",),
        default="",
        secret=True,
    ),
    "deploy_gate_timeout": _seconds("Seconds within which it has to answer.", 30, 1),
    "deploy_undecided": Setting(
        meaning=(
            "Whether a comparison with too few requests, or a gate that does not answer, stops the deploy.",
        ),
        choices=("go_on", "stop"),
        default="go_on",
    ),
    "deploy_batch": Setting(
        meaning=("Number or percentage of the other hosts that switch at once.",),
        default="100%",
        pattern=r"[1-9]\d*|([1-9]\d?|100)%",
        form="a number of at least 1 or a percentage up to 100%",
    ),
    "deploy_unreachable": Setting(
        meaning=("Whether an unreachable host stops the deploy or is left out.",),
        choices=("stop", "go_on"),
        default="stop",
    ),
    "deploy_clock_skew": Setting(
        meaning=("Maximum deviation of a host's clock from the controller's, in seconds.",),
        type="int",
        default=30,
        minimum=0,
    ),
    "deploy_free_mb": Setting(
        meaning=("Disk space that must be free below /srv, in MiB.",),
        type="int",
        default=512,
        minimum=0,
    ),
    "deploy_webhook": Setting(
        meaning=("URL of a webhook that gets the result of every deploy.",), secret=True
    ),
    "deploy_graphite_url": _url("Root URL of a Graphite server that gets deploys as events."),
    "deploy_graphite_user": Setting(meaning=("User name for that Graphite server.",)),
    "deploy_graphite_password": Setting(
        meaning=("Password for that Graphite server.",), secret=True
    ),
    "deploy_graphite_ca": Setting(
        meaning=("CA of Graphite on the controller, relative to the inventory.",), type="path"
    ),
    "audit_to": Setting(meaning=("File for the audit as JSON, on the controller.",), type="path"),
    "audit_strict": Setting(
        meaning=("Whether an audit with findings fails.",), type="bool", default=False
    ),
    "backup_to": Setting(
        meaning=("Directory for backups of the index, on the controller.",), type="path"
    ),
    "logs_timeout": Setting(
        meaning=("Seconds that a host may take to read logs.",),
        type="float",
        default=120,
        minimum=1,
    ),
    "report_output": Setting(
        meaning=("File for the report, on the controller.",), type="path", default="report.html"
    ),
    "report_title": Setting(meaning=("Title of the report.",), default="Fleet report"),
    "run_timeout": _seconds("Seconds that a one-off command may take.", 3600, 1),
    "patch_reboot": Setting(
        meaning=("Whether to reboot a host after an upgrade.",),
        choices=("needed", "always", "never"),
        default="needed",
    ),
    "maintenance_drain_timeout": _seconds(
        "Seconds that requests may take to end before a host is taken out of service.", 300
    ),
    "maintenance_max_load": Setting(
        meaning=("Load per core up to which the other hosts may take over.",),
        type="float",
        default=0.8,
        minimum=0,
    ),
    "maintenance_serve_timeout": _seconds(
        "Seconds that the apps of a host may take to serve again.", 300
    ),
    "deploy_own_variables": Setting(
        meaning=("Variables of yours that are spelled nearly like one of this collection.",),
        type="list",
        elements="str",
        default=[],
    ),
}
# On the command line only, or left behind by tasks: known, and nothing that an inventory says.
OTHERS = frozenset(
    [
        "app_command_result",
        "app_formation",
        "app_pending",
        "app_release",
        "app_switch",
        "devpi_initialised",
        "index_host",
        "index_token",
        "index_trust",
        "index_trust_url",
    ]
)
# Groups of the playbooks to the variables that their hosts need.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "index": ("index_url", "index_name", "index_domains", "devpi_root_password", "devpi_secret"),
    "app": ("index_url", "index_name", "apps"),
    "proxy": ("apps",),
    "graphite": ("graphite_domain", "graphite_users", "graphite_secret_key"),
    "munin": ("munin_domain", "munin_users"),
    "bugsink": (
        "bugsink_domain",
        "bugsink_secret_key",
        "bugsink_administrator",
        "bugsink_password",
    ),
}
GROUPS = tuple(REQUIRED)


@dataclass(frozen=True)
class Declarations:
    """``variables``: all of them; ``roles``: the names of roles, which variables begin with."""

    variables: Variables
    roles: tuple[str, ...]

    @property
    def apps(self) -> Variables:
        """Settings of an app, with what its sites may have."""
        site = dataclasses.replace(
            SETTINGS["nginx_site"], options=optional(self.variables["nginx_sites"].options)
        )
        return {**SETTINGS, "nginx_site": site, "proxy_site": site}

    @property
    def owners(self) -> tuple[str, ...]:
        """What names of variables begin with."""
        return (*self.roles, "index", "deploy")

    def owner(self, name: str) -> str:
        """What a variable seems to belong to by its name: a role, ``index`` or ``deploy``; or nothing."""
        return max(
            (owner for owner in self.owners if name.startswith(f"{owner}_")), key=len, default=""
        )

    def meant(self, name: str) -> str:
        """The variable that an unknown name is a misspelling of; empty if there is none."""
        owner = self.owner(name)
        near = misspelled(name[len(owner) :], self._rests(owner)) if owner else ""
        if near:
            return f"{owner}{near}"
        # one slip in what the name begins with, and one in the rest
        for owner in (each for each in self.owners if len(each) >= SHORTEST_OWNER):
            for length in (len(owner), len(owner) - 1, len(owner) + 1):
                head, rest = name[:length], name[length:]
                # deployer_webhook is another word, nginx2_sites a second one
                same_word = (rest.startswith("_") and not head[-1].isdigit()) or head == owner
                if same_word and not rest[:1].isdigit() and distance(head, owner) <= 1:
                    near = misspelled(rest, self._rests(owner), slips=1)
                    if near:
                        return f"{owner}{near}"
        return misspelled(name, self._without_owner(set(name.split("_"))), slips=1)

    def _without_owner(self, words: Collection[str]) -> list[str]:
        """Those of the playbooks that begin with no owner, and have their short words among these.

        A slip counts in a long word only: audit_tz and gun_timeout are not audit_to and run_timeout.
        """
        found = []
        for name in self.variables:
            short = [word for word in name.split("_") if len(word) < SHORTEST_OWNER]
            if name not in short and not self.owner(name) and all(word in words for word in short):
                found.append(name)
        return found

    def _rests(self, owner: str) -> list[str]:
        """What follows the owner in the names of its variables.

        Names are compared without what all of them begin with, which would make any of them near.
        """
        return [name[len(owner) :] for name in self.variables if self.owner(name) == owner]


def optional(options: Variables) -> Variables:
    return {name: dataclasses.replace(known, required=False) for name, known in options.items()}


def declare(specs: Mapping[str, Mapping[str, Any]]) -> Declarations:
    """``specs``: roles to the content of their meta/argument_specs.yml."""
    variables: dict[str, Setting] = {}
    for spec in specs.values():
        for entry in spec["argument_specs"].values():
            for name, option in (entry.get("options") or {}).items():
                variables.setdefault(name, of_option(name, option))
    return Declarations({**variables, **PLAYBOOKS}, tuple(specs))


def of_option(name: str, option: Mapping[str, Any]) -> Setting:
    """An option of an argument spec."""
    kind = str(option.get("type", "str"))
    least, greatest = next(
        (limits for pattern, *limits in RANGES if re.fullmatch(pattern, name)), (None, None)
    )
    pattern, form = next((form for names, *form in FORMS if re.fullmatch(names, name)), ("", ""))
    is_number = kind in ("int", "float") or option.get("elements") in ("int", "float")
    return Setting(
        meaning=tuple(_texts(option.get("description", ()))),
        type=kind,
        elements=str(option.get("elements", "")),
        choices=tuple(map(str, option.get("choices", ()))),
        required=bool(option.get("required")),
        default=option.get("default"),
        secret=bool(option.get("no_log")),
        minimum=least if is_number else None,
        maximum=greatest if is_number else None,
        pattern="" if is_number else pattern,
        form="" if is_number else form,
        options={key: of_option(key, each) for key, each in (option.get("options") or {}).items()},
    )


def _texts(description: str | Iterable[str]) -> Iterator[str]:
    for text in [description] if isinstance(description, str) else description:
        yield " ".join(text.split())
