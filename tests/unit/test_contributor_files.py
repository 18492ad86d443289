# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What editors, git hooks and the forge read of a checkout agrees with the Makefile."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def targets() -> set[str]:
    return set(re.findall(r"(?m)^([a-z][\w.-]*):", MAKEFILE)) | {"molecule-NAME"}


def gates() -> list[str]:
    (line,) = re.findall(r"(?m)^GATES := (.*)$", MAKEFILE)
    return line.split()


def hooks() -> list[dict[str, Any]]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    return config["repos"][0]["hooks"]


def test_every_gate_is_a_hook_and_nothing_else_is() -> None:
    assert sorted(hook["id"] for hook in hooks()) == sorted(gates())


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: str(hook["id"]))
def test_a_hook_calls_its_gate_and_downloads_nothing(hook: dict[str, Any]) -> None:
    assert hook["entry"] == f"make {hook['id']}"
    assert hook["language"] == "system"
    # a gate looks at the whole tree
    assert hook["pass_filenames"] is False


def test_the_dev_container_is_a_supported_debian_and_calls_targets_that_exist() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    file = ROOT / ".devcontainer" / container["build"]["dockerfile"]
    (image,) = re.findall(r"(?m)^FROM (\S+)$", file.read_text(encoding="utf-8"))
    stated = yaml.safe_load((ROOT / "playbooks/vars/supported.yml").read_text(encoding="utf-8"))
    assert image in [f"debian:{release['version']}" for release in stated["__supported_debian"]]
    program, *called = container["postCreateCommand"].split()
    assert program == "make"
    assert set(called) <= targets()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", ".github/pull_request_template.md"])
def test_pages_name_targets_of_make_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {
        word
        for words in re.findall(r"`make ([a-z][^`]*)`", text)
        for word in words.split()
        if re.fullmatch(r"[a-z][\w.-]*", word)
    }
    scenarios = {f"molecule-{path.parent.name}" for path in ROOT.glob("molecule/*/molecule.yml")}
    assert named - targets() - scenarios == set()
    assert named


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_forms_have_what_the_forge_asks_for(path: pathlib.Path) -> None:
    """A form with an error is not offered, without a word."""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        assert form.keys() <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    for field in form["body"]:
        assert field["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert ("value" if field["type"] == "markdown" else "label") in field["attributes"]
