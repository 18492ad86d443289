# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for a host's Python that consists of modules of this collection, as one text.

Nothing is installed on the host, and no file is written there.
"""

from __future__ import annotations

import ast
import base64
import pathlib
import shlex
import zlib
from collections.abc import Sequence

PREFIX = "ansible_collections.twelvefactor.deploy.plugins.module_utils."
ROOMS = pathlib.Path(__file__).resolve().parents[1]
PYTHON = "/usr/bin/python3"  # Debian's
LOADER = """\
import sys, types
for name, source in {modules!r}:
    module = sys.modules[name] = types.ModuleType(name)
    parent, _dot, own = name.rpartition(".")
    setattr(sys.modules.setdefault(parent, types.ModuleType(parent)), own, module)
    exec(compile(source, name, "exec"), module.__dict__)
module.main(sys.argv[1:])
"""


def imported(source: str) -> list[str]:
    """The modules of this collection that one imports, without the prefix."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PREFIX):
            name = node.module.removeprefix(PREFIX)
            # of a room its files are imported, and it has none of its own
            room = (ROOMS / name).is_dir()
            found += [f"{name}.{alias.name}" for alias in node.names] if room else [name]
    return found


def modules_of(name: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """``name`` after all that it imports, each once."""
    for other in imported(source_of(name)):
        if other not in known and other != name:
            known = modules_of(other, known)
    return (*known, name) if name not in known else known


def source_of(name: str) -> str:
    return (ROOMS / (name.replace(".", "/") + ".py")).read_text(encoding="utf-8")


def program(name: str) -> str:
    """Python code that runs ``main`` of a module with the arguments of the command line."""
    return LOADER.format(modules=[(PREFIX + each, source_of(each)) for each in modules_of(name)])


def command(name: str, arguments: Sequence[str]) -> str:
    """The same as a command for a shell, short and without quotes: it is quoted more than once on its way."""
    packed = base64.b64encode(zlib.compress(program(name).encode(), 9)).decode()
    start = f'import base64,zlib;exec(zlib.decompress(base64.b64decode("{packed}")))'
    return shlex.join([PYTHON, "-I", "-c", start, *arguments])
