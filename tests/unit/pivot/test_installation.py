# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pivot as a host has it: a launcher, a link, and a directory that may be replaced at any time."""

from __future__ import annotations

import ast
import os
import pathlib
import shutil
import subprocess
import sys

from unit.pivot.harness import (
    ISOLATED,
    PACKAGE,
    PATIENCE,
    PIVOT,
    Site,
    install,
    load_pivot,
    sources,
)


def test_one_that_runs_needs_its_files_no_more(site: Site, tmp_path: pathlib.Path) -> None:
    launcher = install(tmp_path / "lib")
    pivot = site.start(site.release("r1"), launcher=launcher)
    shutil.rmtree(launcher.parent)
    assert pivot.move(site.release("r2"))["move"]["outcome"] == "done"
    refused = pivot.move(site.release("r3", "exec false"))["move"]
    assert (refused["outcome"], refused["reason"]) == (
        "refused",
        "ended with exit code 1 while starting",
    )
    assert pivot.move(site.release("r4", overlap=False))["release"] == "r4"
    assert pivot.move("missing")["move"]["outcome"] == "refused"
    assert pivot.term() == 0


def test_everything_is_imported_at_the_start() -> None:
    name = load_pivot().__name__
    assert {f"{name}.{pathlib.Path(file).stem}" for file in sources()} - {
        f"{name}.__init__"
    } <= sys.modules.keys()
    late = [
        (file, node.lineno)
        for file, source in sources().items()
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef | ast.Lambda)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Name) and node.id == "__import__")
    ]
    assert late == []


def fake(place: pathlib.Path, version: str, main: str) -> None:
    """A program that the launcher takes for the pivot."""
    package = place / f"pivot-{version}"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "words.py").write_text(f"VERSION = {version!r}\n")
    (package / "__main__.py").write_text(main)


def launched(place: pathlib.Path, *arguments: str) -> str:
    shutil.copy2(PIVOT, place)
    done = subprocess.run(
        [*ISOLATED, place / PIVOT.name, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return done.stdout


def test_a_start_during_an_upgrade_runs_one_version(tmp_path: pathlib.Path) -> None:
    flip = f"""
import os
os.symlink("pivot-2", {str(tmp_path / "new")!r})
os.replace({str(tmp_path / "new")!r}, {str(tmp_path / "pivot")!r})
from .words import VERSION
def main(): print(VERSION)
"""
    fake(tmp_path, "1", flip)
    fake(tmp_path, "2", "from .words import VERSION\ndef main(): print(VERSION)\n")
    (tmp_path / "pivot").symlink_to("pivot-1")
    assert launched(tmp_path) == "1\n"
    assert launched(tmp_path) == "2\n"


def test_the_launcher_keeps_the_flags_of_the_interpreter(tmp_path: pathlib.Path) -> None:
    look = "import sys\ndef main(): print(sys.flags.isolated, sys.flags.no_site, sys.argv[1:])\n"
    fake(tmp_path, "1", look)
    (tmp_path / "pivot").symlink_to("pivot-1")
    assert launched(tmp_path, "/srv/shop", "web-1") == "1 1 ['/srv/shop', 'web-1']\n"


def test_what_stands_beside_it_takes_no_module_s_place(tmp_path: pathlib.Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('mine')\n")
    (tmp_path / "pivot").symlink_to(PACKAGE)
    assert "HUP moves it" in launched(tmp_path, "--help")


def test_nothing_is_compiled_into_its_directory(tmp_path: pathlib.Path) -> None:
    launcher = install(tmp_path)
    before = sorted(os.listdir(tmp_path / "pivot"))
    assert "HUP moves it" in launched(tmp_path, "--help")
    assert launcher.exists()
    assert sorted(os.listdir(tmp_path / "pivot")) == before


def test_the_role_installs_all_of_it() -> None:
    """It takes ``*.py``, and nothing below."""
    files = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert files == set(sources())
