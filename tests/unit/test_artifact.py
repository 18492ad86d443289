# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ansible-galaxy collection build` makes needs and names nothing that users do not have."""

from __future__ import annotations

import pathlib
import re
import subprocess
import tarfile

import ansible_collections
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = {"ansible.builtin", "twelvefactor.deploy"}
# a module, plugin, role or playbook by its full name
FULL_NAME = re.compile(r"(?<![\w.-])([a-z]\w*\.[a-z]\w*)\.[a-z]\w*")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
# files that are in a checkout only
CHECKOUT = re.compile(
    r"(?<![\w./-])(?:tests|molecule|examples|requirements|inventories/demo)/[\w./-]+"
)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths to texts, of what is shipped."""
    output = tmp_path_factory.mktemp("artifact")
    subprocess.run(
        ["ansible-galaxy", "collection", "build", f"--output-path={output}", str(ROOT)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    with tarfile.open(next(output.glob("*.tar.gz"))) as archive:
        return {
            member.name: file.read().decode("utf-8", "replace")
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


def collections_in(text: str, known: set[str]) -> set[str]:
    return {found[1] for found in FULL_NAME.finditer(text)} & known - OURS


def installed() -> set[str]:
    """The collections that the package `ansible` brings along."""
    return {
        f"{path.parent.name}.{path.name}"
        for place in ansible_collections.__path__
        for path in pathlib.Path(place).glob("*/*")
        if path.is_dir()
    }


def test_galaxy_yml_declares_the_collections_that_are_used_and_no_others(
    artifact: dict[str, str],
) -> None:
    known = installed()
    assert "community.general" in known
    used = {
        name: path
        for path, text in artifact.items()
        if path.startswith(("plugins/", "roles/", "playbooks/"))
        for name in collections_in(text, known)
    }
    declared = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    assert sorted(used) == sorted(declared), used


def test_links_lead_to_files_that_are_shipped(artifact: dict[str, str]) -> None:
    broken = []
    for path, text in artifact.items():
        if path.endswith(".md"):
            for link in LINK.findall(text):
                target = (ROOT / path).parent / link
                name = str(target.resolve().relative_to(ROOT))
                if not any(file == name or file.startswith(f"{name}/") for file in artifact):
                    broken.append(f"{path}: {link}")
    assert broken == []


def test_nothing_for_users_speaks_of_files_of_a_checkout(artifact: dict[str, str]) -> None:
    """CONTRIBUTING.md says itself that it is about a checkout."""
    speaking = [
        f"{path}: {found[0]}"
        for path, text in artifact.items()
        if path.endswith(".md") or path.startswith("inventories/")
        for found in CHECKOUT.finditer(text)
        if path != "CONTRIBUTING.md"
    ]
    assert speaking == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("- community.crypto.x509_certificate:", {"community.crypto"}),
        ("{{ a | map('community.general.dict_kv', 'b') }}", {"community.general"}),
        ("ansible.builtin.copy: twelvefactor.deploy.release", set()),
        ("x = ansible.posix # see docs.community.general.org", set()),
    ],
)
def test_what_counts_as_a_use(text: str, names: set[str]) -> None:
    assert collections_in(text, {"community.crypto", "community.general", "ansible.posix"}) == names
