# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an app's repository that say how it is run, read within bounds.

The repository is data, and may be anybody's: nothing in it is imported or run, no symbolic link is
followed, and no more is read than the limits below.
"""

from __future__ import annotations

import os
import pathlib
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

LARGEST_CODE = 1 << 20  # bytes of one Python file
LARGEST_FILE = 16 << 20  # bytes of a lock file or another file of the first directory
MOST_BYTES = 32 << 20
MOST_FILES = 2_000  # Python files
MOST_ENTRIES = 50_000  # of directories
DEEPEST = 8
# What is read of the first directory beside code.
NAMED = (
    *("pyproject.toml", "setup.py", "setup.cfg", "Procfile"),
    *("pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"),
    *(".env.example", ".env.sample", ".env.template", ".env.dist", "env.example"),
)
REQUIREMENTS = re.compile(r"requirements[A-Za-z0-9_.-]*\.(?:txt|in)\Z")
# Names of other files go nowhere: what is made of a repository has paths in comments and commands.
PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
# Directories without the code of the app.
ELSEWHERE = re.compile(
    r"(?:__pycache__|build|dist|docs|examples|migrations|node_modules|site-packages|tests?|testing|venv|"
    r"virtualenv)\Z"
)


@dataclass(frozen=True)
class Tree:
    """``files``: texts by their paths below the repository, those of its first directory first."""

    name: str
    files: Mapping[str, str]
    # whether it is in a git repository
    committed: bool = True
    # files that were passed over, with the reason
    passed_over: tuple[str, ...] = ()


def read_tree(root: pathlib.Path) -> Tree:
    """Raises DeployError where ``root`` is not a directory with a Python project."""
    if not root.is_dir():
        raise DeployError(
            f"There is no directory {root}. -e repo= is the path of the app's repository, relative "
            "to the current directory."
        )
    files: dict[str, str] = {}
    passed_over: list[str] = []
    left, code = MOST_BYTES, 0
    for path in _paths(root, passed_over):
        is_code = path.endswith(".py")
        if is_code and code == MOST_FILES:
            passed_over.append(f"all Python files after the first {MOST_FILES}")
            break
        text = _read(root / path, min(left, LARGEST_CODE if is_code else LARGEST_FILE))
        if text is None:
            passed_over.append(f"{path}: a link, too large, or not UTF-8 text")
            continue
        files[path] = text
        left -= len(text)
        code += is_code
    if not any(path.endswith((".py", "pyproject.toml")) for path in files):
        raise DeployError(
            f"{root} has no pyproject.toml, setup.py or other Python file. Write the path of the "
            "app's repository: -e repo=PATH, relative to the current directory. "
            "In an empty one, begin with `uv init --package` there."
        )
    resolved = root.resolve()
    committed = any((each / ".git").exists() for each in (resolved, *resolved.parents))
    return Tree(resolved.name, files, committed, tuple(passed_over))


def _paths(root: pathlib.Path, passed_over: list[str]) -> Iterator[str]:
    """Paths of the files to read, directory by directory, the ones near the root first."""
    waiting, seen = [(root, "")], 0
    for depth in range(DEEPEST):
        deeper: list[tuple[pathlib.Path, str]] = []
        for directory, below in waiting:
            for entry in _entries(directory):
                seen += 1
                if seen > MOST_ENTRIES:
                    passed_over.append(f"everything after the first {MOST_ENTRIES} files")
                    return
                if entry.is_symlink():
                    if not depth and entry.name in NAMED:
                        passed_over.append(f"{entry.name}: a symbolic link")
                elif entry.is_dir(follow_symlinks=False):
                    if _has_code(entry):
                        deeper.append((pathlib.Path(entry.path), f"{below}{entry.name}/"))
                elif _is_wanted(entry.name, depth):
                    yield f"{below}{entry.name}"
        waiting = deeper


def _entries(directory: pathlib.Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except PermissionError:
        return []


def _has_code(entry: os.DirEntry[str]) -> bool:
    return (
        PLAIN.match(entry.name) is not None
        and not ELSEWHERE.match(entry.name)
        and not os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
    )


def _is_wanted(name: str, depth: int) -> bool:
    if not depth and (name in NAMED or REQUIREMENTS.match(name)):
        return True
    is_test = name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
    return name.endswith(".py") and not is_test and PLAIN.match(name) is not None


def _read(path: pathlib.Path, most: int) -> str | None:
    """The text of a regular file; None where it is none, or larger."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        data = file.read(most + 1)
    if len(data) > most:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
