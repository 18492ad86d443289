# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The apps on docs/how-to/third-party-apps.md are those that molecule/strange serves, and their locks pin them."""

from __future__ import annotations

import json
from typing import Any

import pages
import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    parse_lock,
)

PAGE = "docs/how-to/third-party-apps.md"
SCENARIO = pages.ROOT / "molecule/strange"
SERVED: dict[str, Any] = yaml.safe_load(
    (SCENARIO / "inventory/group_vars/all/apps.yml").read_text(encoding="utf-8")
)["apps"]
REFUSED = yaml.safe_load((SCENARIO / "vars/isso.yml").read_text(encoding="utf-8"))["apps"]
SHOWN = {
    name: settings
    for block in pages.blocks(PAGE)
    if "apps:" in block.body.split()
    for name, settings in yaml.safe_load(block.body)["apps"].items()
}


def comparable(settings: dict[str, Any]) -> dict[str, Any]:
    """Without what differs by place: hosts, files, secrets, and the name that it answers to."""
    rest = {key: value for key, value in settings.items() if key not in ("hosts", "requirements")}
    rest["env"] = {
        key: "" if "{{" in value else value
        for key, value in settings.get("env", {}).items()
        if key != "STEP"
    }
    text = json.dumps(rest, sort_keys=True).replace(settings["domains"][0], "DOMAIN")
    return json.loads(text)  # type: ignore[no-any-return]


def test_the_page_shows_apps() -> None:
    assert len(SHOWN) >= 3


@pytest.mark.parametrize("name", SHOWN)
def test_the_page_shows_what_is_served(name: str) -> None:
    assert comparable(SHOWN[name]) == comparable(SERVED[name])


@pytest.mark.parametrize("name", [*SERVED, *REFUSED])
def test_its_lock_pins_the_version(name: str) -> None:
    settings = (SERVED | REFUSED)[name]
    package = settings.get("package", name)
    assert f"/{package}/requirements.txt" in settings["requirements"]
    text = (SCENARIO / "files" / package / "requirements.txt").read_text(encoding="utf-8")
    pins = {pin.name: pin.version for pin in parse_lock(text)}
    assert pins[canonical_name(package)] == settings["version"]
