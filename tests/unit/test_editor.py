# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An editor marks misspellings in an inventory by the modeline and the schema that the collection ships."""

from __future__ import annotations

import pathlib
import re
import shutil
from collections.abc import Iterator

import pytest
import yaml
from editor.language_server import LanguageServer, language_server
from unit.test_inventory_schema import MISSPELLINGS, MODELINE, PLACE, ROOT

pytestmark = pytest.mark.xdist_group("editor")  # one server is enough


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The collection where ansible-galaxy installs it, and the modeline of the documentation."""
    place = tmp_path_factory.mktemp("project")
    found = MODELINE.search((ROOT / "docs/how-to/validate.md").read_text("utf-8"))
    assert found
    files = place / "group_vars" / "all"
    files.mkdir(parents=True)
    schema = (files / found[1]).resolve()
    assert schema.is_relative_to(place)
    schema.parent.mkdir(parents=True)
    shutil.copy(PLACE, schema)
    for number, (text, _path) in enumerate(MISSPELLINGS):
        written = yaml.safe_dump(yaml.safe_load(text), sort_keys=False)
        (files / f"{number}.yml").write_text(f"{found[0].strip('`')}\n---\n{written}", "utf-8")
    return files


@pytest.fixture(scope="module")
def server(project: pathlib.Path) -> Iterator[LanguageServer]:
    with language_server(project) as started:
        yield started


@pytest.mark.parametrize("number", range(len(MISSPELLINGS)))
def test_a_misspelling_is_marked(
    server: LanguageServer, project: pathlib.Path, number: int
) -> None:
    path = project / f"{number}.yml"
    marks = server.marks(path)
    assert marks, path.read_text("utf-8")
    assert all(mark.line >= 2 for mark in marks)


def test_the_schema_in_the_home_directory_is_named_by_its_whole_path(
    server: LanguageServer, project: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    text = (ROOT / "docs/how-to/validate.md").read_text("utf-8")
    found = re.search(r"`/home/you/(\.ansible/\S+)`", text)
    assert found
    schema = tmp_path / found[1]
    schema.parent.mkdir(parents=True)
    shutil.copy(PLACE, schema)
    path = project / "home.yml"
    path.write_text(f"# yaml-language-server: $schema={schema}\n---\ndeploy_btach: 3\n", "utf-8")
    assert [mark.message for mark in server.marks(path)] == [
        "Property deploy_btach is not allowed."
    ]


@pytest.mark.parametrize(
    "path",
    [str(path.relative_to(ROOT)) for path in ROOT.glob("inventories/example/group_vars/all/*.yml")],
)
def test_nothing_is_marked_in_the_inventory_that_we_ship(server: LanguageServer, path: str) -> None:
    assert MODELINE.search((ROOT / path).read_text("utf-8"))
    assert server.marks(ROOT / path) == []


def test_an_editor_explains_a_setting(server: LanguageServer, project: pathlib.Path) -> None:
    path = project / "explained.yml"
    modeline = (project / "0.yml").read_text("utf-8").partition("\n")[0]
    path.write_text(f"{modeline}\n---\nnginx_log_days: 3\n", "utf-8")
    assert server.marks(path) == []
    told = server.request(
        "textDocument/hover",
        textDocument={"uri": path.as_uri()},
        position={"line": 2, "character": 3},
    )
    assert "Number of rotated logs to keep." in told["contents"]["value"]
