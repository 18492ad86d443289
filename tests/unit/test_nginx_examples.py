# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the README of the role nginx are the plays that its scenario serves."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/nginx"
EXAMPLES = sorted((ROOT / "molecule/nginx/examples").glob("*.yml"))
README = (ROLE / "README.md").read_text(encoding="utf-8")


def site_options() -> dict[str, Any]:
    spec = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    sites = spec["argument_specs"]["main"]["options"]["nginx_sites"]
    options: dict[str, Any] = sites["options"]
    return options


def test_there_are_five() -> None:
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_in_the_readme(path: pathlib.Path) -> None:
    play = path.read_text(encoding="utf-8").removeprefix("---\n")
    assert f"```yaml\n{play}```\n" in README


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(site_options(), id="a site"),
        pytest.param(site_options()["locations"]["options"], id="a location"),
        pytest.param(site_options()["upstream"]["options"], id="an upstream"),
    ],
)
def test_the_readme_explains_every_key(options: dict[str, Any]) -> None:
    assert [name for name in options if not re.search(rf"`(upstream\.)?{name}`", README)] == []


def test_the_defaults_of_a_site_are_what_the_spec_says() -> None:
    """The role fills in its sites itself."""
    filled_in = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))
    for name, options in (
        ("__nginx_site_defaults", site_options()),
        ("__nginx_upstream_defaults", site_options()["upstream"]["options"]),
    ):
        given = filled_in[name]
        told = {key: option["default"] for key, option in options.items() if "default" in option}
        # Of these only a part of the sites has any.
        assert told.keys() - given.keys() <= {"try_files", "redirect_code"}
        assert {key: given[key] for key in told.keys() & given.keys()} == {
            key: value for key, value in told.items() if key in given
        }
