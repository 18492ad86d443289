# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which indexes a devpi server is to have, and how they are set. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    NOTHING,
    Change,
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)

# What can be said of an index besides name and type, for argument specs.
INDEX_SETTINGS: dict[str, dict[str, Any]] = {
    "title": {"type": "str"},
    "description": {"type": "str"},
    "volatile": {"type": "bool"},
    "bases": {"type": "list", "elements": "str"},
    "acl_upload": {"type": "list", "elements": "str"},
    "acl_read": {"type": "list", "elements": "str"},
    "acl_toxresult_upload": {"type": "list", "elements": "str"},
    "mirror_whitelist": {"type": "list", "elements": "str"},
    "mirror_whitelist_inheritance": {"type": "str", "choices": ["intersection", "union"]},
    "mirror_url": {"type": "str"},
    "mirror_web_url_fmt": {"type": "str"},
    "mirror_cache_expiry": {"type": "int"},
    "mirror_no_project_list": {"type": "bool"},
    "mirror_use_external_urls": {"type": "bool"},
    "mirror_provides_core_metadata": {"type": "bool"},
}


@dataclass(frozen=True)
class IndexWish:
    """How an index is to be. `settings` holds only what was asked for."""

    name: str
    type: str | None = None
    settings: Config = field(default_factory=dict)


def index_wish(params: Mapping[str, Any]) -> IndexWish:
    """The index that a module's parameters describe. Raises DevpiError."""
    return IndexWish(
        name=check_index_name(params["name"]),
        type=params["type"],
        settings={key: params[key] for key in INDEX_SETTINGS if params[key] is not None},
    )


def check_index_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.@_-]+/[A-Za-z0-9.@_-]+", name):
        raise DevpiError(f"Invalid index name {name!r}: write USER/INDEX, such as company/prod.")
    return name


def index_path(name: str) -> str:
    """Where devpi describes an index, without the list of its projects, which a mirror would have to fetch."""
    return f"/{name}?no_projects="


# devpi knows these in any spelling and stores them in capitals.
SPECIAL_GROUPS = (":ANONYMOUS:", ":AUTHENTICATED:")


def _normal(key: str, value: Any) -> Any:
    """A setting in the form in which devpi stores it, order dropped where it has no meaning."""
    if key.startswith("acl_"):
        return sorted({name.upper() if name.upper() in SPECIAL_GROUPS else name for name in value})
    if key == "mirror_whitelist":
        return sorted({name if name == "*" else canonical_name(name) for name in value})
    if key == "bases":
        return [base.strip("/") for base in value]
    return value


# What a setting is as long as devpi does not list it.
UNSET: Config = {
    "title": "",
    "description": "",
    "mirror_url": "",
    "mirror_web_url_fmt": "",
    "mirror_no_project_list": False,
    "mirror_use_external_urls": False,
    "mirror_provides_core_metadata": False,
    "bases": [],
    "acl_upload": [],
    "acl_toxresult_upload": [],
    "acl_read": [":ANONYMOUS:"],
    "mirror_whitelist": [],
}


def differences(current: Config, settings: Config) -> Config:
    """Those of `settings` that `current` does not have."""
    return {
        key: value
        for key, value in settings.items()
        if _normal(key, current.get(key, UNSET.get(key))) != _normal(key, value)
    }


def decide_index(current: Config | None, wish: IndexWish) -> Change:
    """How to make `current`, devpi's own description, what is wished for."""
    if current is None:
        body = {"type": wish.type or "stage", **wish.settings}
        return Change("create", body, after=body)
    if wish.type is not None and wish.type != current["type"]:
        raise DevpiError(
            f"The index {wish.name} is a {current['type']} and cannot become a {wish.type}: "
            "devpi has no way to do that. Remove it first, or take another name."
        )
    changed = differences(current, wish.settings)
    if not changed:
        return NOTHING
    # devpi resets the settings of plugins that a PATCH leaves out, so all of them are sent.
    body = {key: value for key, value in current.items() if key != "projects"} | changed
    return Change("modify", body, {key: current.get(key) for key in changed}, changed)


def base_names(wish: IndexWish) -> list[str]:
    """The bases that were asked for, without the slashes that devpi drops."""
    return [check_index_name(base.strip("/")) for base in wish.settings.get("bases", [])]


def lacking(wish: IndexWish, users: Container[str], indexes: Container[str]) -> list[str]:
    """What the index needs and a server with these users and indexes does not have, in words."""
    owner = wish.name.partition("/")[0]
    return [f"the user {owner!r}"] * (owner not in users) + [
        f"the base {base}" for base in base_names(wish) if base not in indexes
    ]


def decide_index_removal(current: Config | None, name: str) -> Change:
    """Raises DevpiError where devpi would refuse, so that check mode says so too."""
    if current is None:
        return NOTHING
    if not current.get("volatile"):
        raise DevpiError(
            f"The index {name} cannot be removed: it is not volatile. Make it volatile first; "
            "its files go with it."
        )
    return Change("remove", before={"name": name, **current})


def check_stored(name: str, wished: Config, stored: Config | None) -> None:
    """Raises DevpiError when the server silently took something else than it was told."""
    lost = sorted(differences(stored or {}, wished))
    if lost:
        raise DevpiError(
            f"devpi took the settings of {name} without complaint, but {', '.join(lost)} did not "
            "come to be as asked. Is this version of devpi-server too old for it?"
        )
