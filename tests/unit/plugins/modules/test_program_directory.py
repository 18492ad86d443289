# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module program_directory: files that change all at once, by a link."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._program_directory import store
from ansible_collections.twelvefactor.deploy.plugins.modules import program_directory

FIRST = {"__main__.py": "print('one')\n", "words.py": "WORD = 'grün'\n"}
SECOND = FIRST | {"__main__.py": "print('two')\n"}


class Program:
    """A program on a host, as a role would ask for it."""

    def __init__(self, path: pathlib.Path, call: Callable[..., Any]) -> None:
        self.path, self._call = path, call
        self.options: dict[str, Any] = {}

    def keep(self, files: dict[str, Any], *, check: bool = False) -> Any:
        given = {"path": str(self.path), "files": files} | self.options
        return self._call(program_directory.main, check=check, **given)

    def change(self, files: dict[str, Any]) -> dict[str, Any]:
        """Run the module. Check mode says beforehand what it returns, and changes nothing."""
        seen = self.snapshot()
        predicted = self.keep(files, check=True)
        assert self.snapshot() == seen
        done = self.keep(files)
        assert (done.code, done.result) == (0, predicted.result)
        again = self.keep(files)
        assert (again.code, again.result["changed"]) == (0, False)
        assert "diff" not in again.result
        result: dict[str, Any] = done.result
        return result

    def snapshot(self) -> dict[str, tuple[int, str]]:
        return {
            str(path): (path.lstat().st_mtime_ns, os.readlink(path) if path.is_symlink() else "")
            for path in self.path.parent.rglob("*")
        }

    def versions(self) -> list[str]:
        return sorted(path.name for path in self.path.parent.iterdir() if not path.is_symlink())


@pytest.fixture
def program(tmp_path: pathlib.Path, call: Callable[..., Any]) -> Program:
    return Program(tmp_path / "usr" / "tool", call)


@pytest.mark.usefixtures("strict_umask")
def test_the_link_names_a_directory_with_all_files(program: Program) -> None:
    result = program.change(FIRST)
    assert result["changed"]
    assert program.path.is_symlink()
    assert str(program.path.resolve()) == result["directory"]
    assert {path.name: path.read_text() for path in program.path.iterdir()} == FIRST
    modes = {path.stat().st_mode & 0o7777 for path in program.path.iterdir()}
    assert (program.path.stat().st_mode & 0o7777, modes) == (0o755, {0o644})


def test_another_content_has_another_directory(program: Program) -> None:
    first = program.change(FIRST)["directory"]
    second = program.change(SECOND)
    assert second["directory"] != first
    assert {path.name: path.read_text() for path in program.path.iterdir()} == SECOND
    assert program.change(FIRST)["directory"] == first


def test_the_one_before_stays_and_older_ones_go(program: Program) -> None:
    (program.path.parent / "tool-other").mkdir(parents=True)
    names = [
        pathlib.Path(program.change(FIRST | {"words.py": word})["directory"]).name
        for word in ("one", "two", "three")
    ]
    assert program.versions() == sorted(["tool-other", *names[1:]])


def test_what_is_removed_is_returned(program: Program) -> None:
    first = pathlib.Path(program.change(FIRST)["directory"]).name
    assert program.change(SECOND)["removed"] == []
    assert program.change({"other.py": ""})["removed"] == [first]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda made: (made / "words.py").unlink(), id="missing"),
        pytest.param(lambda made: (made / "words.py").write_text("WORD = 'x'\n"), id="content"),
        pytest.param(lambda made: (made / "words.py").chmod(0o666), id="mode"),
        pytest.param(lambda made: (made / "__pycache__").mkdir(), id="surplus directory"),
        pytest.param(lambda made: (made / "more.py").write_text(""), id="surplus file"),
        pytest.param(lambda made: made.chmod(0o777), id="mode of the directory"),
        pytest.param(
            lambda made: ((made / "words.py").unlink(), (made / "words.py").mkdir()), id="directory"
        ),
        pytest.param(
            lambda made: (
                (made / "words.py").unlink(),
                (made / "words.py").symlink_to("/etc/passwd"),
            ),
            id="link",
        ),
    ],
)
def test_damage_is_mended(damage: Callable[[pathlib.Path], Any], program: Program) -> None:
    made = pathlib.Path(program.change(FIRST)["directory"])
    damage(made)
    assert program.change(FIRST)["changed"]
    assert {path.name: path.read_text() for path in made.iterdir()} == FIRST


@pytest.mark.parametrize("target", ["nowhere", "/etc", "tool-0123456789ab"])
def test_a_link_that_names_something_else_is_replaced(program: Program, target: str) -> None:
    program.path.parent.mkdir()
    program.path.symlink_to(target)
    made = program.change(FIRST)["directory"]
    assert str(program.path.resolve()) == made
    assert {path.name for path in program.path.iterdir()} == set(FIRST)


@pytest.mark.parametrize("step", ["write_atomically", "sync_directory", "link_atomically"])
def test_an_interrupted_run_changes_nothing_that_starts_and_is_completed(
    step: str, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.change(FIRST)

    def crash(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", "/there")

    with monkeypatch.context() as patch:
        patch.setattr(store, step, crash)
        failed = program.keep(SECOND)
    assert failed.result["msg"].endswith("/there: No space left on device.")
    assert {path.name: path.read_text() for path in program.path.iterdir()} == FIRST
    assert program.change(SECOND)["changed"]
    assert {path.name: path.read_text() for path in program.path.iterdir()} == SECOND


def test_at_no_moment_does_the_link_name_less_than_all(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.change(FIRST)
    seen = []

    def watch(name: str) -> Callable[..., Any]:
        original = getattr(os, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            seen.append({path.name: path.read_text() for path in program.path.iterdir()})
            return original(*arguments, **options)

        return watched

    for name in ("replace", "fsync", "fchmod", "unlink"):
        monkeypatch.setattr(os, name, watch(name))
    assert program.keep(SECOND).code == 0
    monkeypatch.undo()
    assert FIRST in seen
    assert [files for files in seen if files not in (FIRST, SECOND)] == []


def test_another_run_is_waited_for(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TIMEOUT", 0.05)
    with flock.exclusive(flock.name_of("program_directory", program.path), 1):
        failed = program.keep(FIRST)
    assert "Another run has been working on" in failed.result["msg"]
    assert not program.path.parent.exists()
    assert program.change(FIRST)["changed"]


def test_diff_shows_what_changes_and_no_content(program: Program) -> None:
    program.change(FIRST)
    diff = program.change(SECOND)["diff"]
    changed = set(diff["before"].splitlines()) ^ set(diff["after"].splitlines())
    assert {line.split()[0] for line in changed} == {"__main__.py"}
    assert "print" not in str(diff)
    assert diff["before_header"].startswith(f"{program.path} -> tool-")


@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_is_no_link_is_left_alone(program: Program, what: str) -> None:
    program.path.parent.mkdir()
    if what == "file":
        program.path.write_text("mine")
    else:
        program.path.mkdir()
    failed = program.keep(FIRST)
    assert "is not a link" in failed.result["msg"]
    assert not program.path.is_symlink()
    assert program.versions() == ["tool"]


@pytest.mark.parametrize(
    ("path", "files", "named"),
    [
        ("lib/tool", FIRST, "absolute"),
        ("/tmp/../lib/tool", FIRST, "absolute"),
        ("/", FIRST, "absolute"),
        ("/tmp/tool", {}, "at least one file"),
        ("/tmp/tool", {"../x.py": ""}, "Invalid file name"),
        ("/tmp/tool", {".": ""}, "Invalid file name"),
        ("/tmp/tool", {"a/b.py": ""}, "Invalid file name"),
        ("/tmp/tool", {"a.py": 1}, "must be text"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    call: Callable[..., Any], path: str, files: dict[str, Any], named: str
) -> None:
    failed = call(program_directory.main, path=path, files=files)
    assert failed.code == 1
    assert named in failed.result["msg"]


def test_names_and_contents_are_not_taken_for_each_other() -> None:
    def directory(files: dict[str, str]) -> pathlib.Path:
        return store.make_request("/lib/tool", files).directory

    assert directory({"a": "bc"}) != directory({"ab": "c"})
    assert directory({"a": "x", "b": "y"}) == directory({"b": "y", "a": "x"})


def test_absent_leaves_nothing_of_the_program(program: Program, call: Callable[..., Any]) -> None:
    program.keep(FIRST)
    program.keep(SECOND)
    neighbour = program.path.with_name("tool-kit")
    neighbour.mkdir()
    everything = [*(name for name in program.versions() if name != "tool-kit"), "tool"]
    wish = {"path": str(program.path), "state": "absent"}
    seen = program.snapshot()
    check = call(program_directory.main, check=True, **wish).result
    assert program.snapshot() == seen
    done = call(program_directory.main, **wish).result
    assert done == check
    assert (done["changed"], done["removed"], len(everything)) == (True, everything, 3)
    assert list(program.path.parent.iterdir()) == [neighbour]
    again = call(program_directory.main, **wish).result
    assert (again["changed"], again["removed"]) == (False, [])


def test_absent_removes_nothing_else(program: Program, call: Callable[..., Any]) -> None:
    program.path.mkdir(parents=True)
    refused = call(program_directory.main, path=str(program.path), state="absent")
    assert "is not a link" in refused.result["msg"]
    assert program.path.is_dir()


def test_a_program_has_files(program: Program, call: Callable[..., Any]) -> None:
    refused = call(program_directory.main, path=str(program.path))
    assert "state is present but all of the following are missing: files" in refused.result["msg"]


# --- bytecode ------------------------------------------------------------------------------------


@pytest.fixture
def compiled(program: Program) -> Program:
    program.options["python"] = sys.executable
    return program


def bytecode(program: Program) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (program.path / "__pycache__").iterdir()}


@pytest.mark.usefixtures("strict_umask")
def test_it_is_compiled_and_everybody_may_read_that(compiled: Program) -> None:
    compiled.change(FIRST)
    tag = sys.implementation.cache_tag
    assert sorted(bytecode(compiled)) == [f"__main__.{tag}.pyc", f"words.{tag}.pyc"]
    # checked by the hash of the source, not by its time (PEP 552)
    assert {content[4:8] for content in bytecode(compiled).values()} == {b"\3\0\0\0"}
    cache = compiled.path / "__pycache__"
    modes = {path.stat().st_mode & 0o7777 for path in cache.iterdir()}
    assert (cache.stat().st_mode & 0o7777, modes) == (0o755, {0o644})


def test_the_same_files_have_the_same_bytecode(compiled: Program) -> None:
    compiled.change(FIRST)
    before = bytecode(compiled)
    shutil.rmtree(compiled.path.resolve())
    compiled.change(FIRST)
    assert bytecode(compiled) == before


@pytest.mark.parametrize(
    "damage",
    [
        shutil.rmtree,
        lambda cache: next(cache.iterdir()).unlink(),
        lambda cache: (cache / "words.cpython-30.pyc").touch(0o644),
        lambda cache: next(cache.iterdir()).chmod(0o666),
        lambda cache: cache.chmod(0o777),
        lambda cache: (shutil.rmtree(cache), cache.write_text("")),
        lambda cache: (shutil.rmtree(cache), cache.symlink_to("/etc")),
    ],
    ids=["none", "less", "other Python", "mode", "directory mode", "file", "link"],
)
def test_bytecode_is_mended(damage: Callable[[pathlib.Path], Any], compiled: Program) -> None:
    compiled.change(FIRST)
    before = bytecode(compiled)
    damage(compiled.path / "__pycache__")
    assert compiled.change(FIRST)["changed"]
    assert bytecode(compiled) == before


def test_what_cannot_be_compiled_is_not_started(compiled: Program) -> None:
    before = compiled.change(FIRST)["directory"]
    failed = compiled.keep(FIRST | {"words.py": "WORD = (\n"})
    assert f"{sys.executable} cannot compile {compiled.path}-" in failed.result["msg"]
    assert str(compiled.path.resolve()) == before


def test_bytecode_that_nobody_asked_for_is_removed(compiled: Program) -> None:
    compiled.change(FIRST)
    compiled.options.clear()
    assert compiled.change(FIRST)["changed"]
    assert sorted(path.name for path in compiled.path.iterdir()) == sorted(FIRST)
