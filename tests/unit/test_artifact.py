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
# what is in a checkout only: files, and the targets of its Makefile
CHECKOUT = re.compile(
    r"(?<![\w./-])(?:(?:\.ci|\.config|\.github(?!/workflows/)|examples/guestbook|inventories/demo|molecule|requirements|tests)/[\w./-]+"
    r"|Makefile\b|CONTRIBUTING\.md|docs/map\.\w+)|(?:`|(?m:^)[#$] )make [a-z][\w-]*"
)
# a section of a page may say that it is about a checkout
ABOUT_CHECKOUT = re.compile(r"\bcheckout\s+of\s+the\s+repository\b|检出的仓库")
# everything that is shipped
SHIPPED = (
    r"FILES\.json|MANIFEST\.json",
    r"LICENSE",
    r"scripts/twelvefactor",
    r"(README|README\.zh|SECURITY)\.md",
    r"changelogs/changelog\.yaml",
    r"docs/(inventory\.schema\.json|report\.png|switch\.svg)",
    r"docs/(how-to/)?[\w-]+\.md",
    r"examples/fabfile/(README\.md|fabfile\.py|requirements\.(in|txt))",
    r"examples/monitoring/grafana/twelvefactor\.json",
    r"examples/monitoring/prometheus/twelvefactor\.rules\.yml",
    r"inventories/example/.*\.yml",
    r"meta/runtime\.yml",
    r"playbooks/.*\.(yml|j2|css)",
    r"plugins/(action|callback|doc_fragments|filter|lookup|module_utils|modules|plugin_utils)/.*\.(py|yml)",
    r"roles/\w+/(README\.md|(defaults|handlers|meta|tasks|vars)/\w+\.yml)",
    r"roles/\w+/(files|templates)/.*",
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


def checkout_in(text: str) -> list[str]:
    """What a text names of a checkout, in sections that do not say that they are about one."""
    return [
        found[0]
        for section in re.split(r"(?m)^(?=##)", text)
        if not ABOUT_CHECKOUT.search(section)
        for found in CHECKOUT.finditer(section)
    ]


def test_what_is_for_users_names_nothing_of_a_checkout(artifact: dict[str, str]) -> None:
    """A lock may: its first lines are the command that made it, which uv writes there."""
    named = {
        path: found
        for path, text in artifact.items()
        if path.endswith(".md") or path.startswith("inventories/")
        if (found := checkout_in(text))
    }
    assert named == {}


def test_only_what_is_listed_is_shipped(artifact: dict[str, str]) -> None:
    unlisted = [path for path in artifact if not any(re.fullmatch(one, path) for one in SHIPPED)]
    assert unlisted == []
    empty = [one for one in SHIPPED if not any(re.fullmatch(one, path) for path in artifact)]
    assert empty == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Tested by `make molecule-nginx`.", ["`make molecule-nginx"]),
        ("```console\n# make demo\n```", ["# make demo"]),
        (
            "See molecule/nginx/vars/sites.yml and the Makefile.",
            ["molecule/nginx/vars/sites.yml", "Makefile"],
        ),
        (
            "## A\nFrom a checkout of the\nrepository: `make demo`\n## B\n`make test`",
            ["`make test"],
        ),
        ("They make links below roles/app/files/x and /srv/shop/tests/y.", []),
    ],
)
def test_what_counts_as_part_of_a_checkout(text: str, named: list[str]) -> None:
    assert checkout_in(text) == named


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
