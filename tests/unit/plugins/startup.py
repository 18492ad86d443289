# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages whose code runs whenever the interpreter of their environment starts."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable, Mapping


def path_file(_directory: pathlib.Path, ran: pathlib.Path) -> Mapping[str, str]:
    """By a line of a file *.pth, which the module site runs."""
    return {"early.pth": f"import os; open({str(ran)!r}, 'w')\n"}


def own_library(directory: pathlib.Path, ran: pathlib.Path) -> Mapping[str, str]:
    """By a pyvenv.cfg that has the interpreter take its library from ``directory``, whatever its options.

    That of a package could be where an earlier release has it.
    """
    library = directory / f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    (library / "encodings").mkdir(parents=True)
    (library / "os.py").touch()
    # so early there is no open() yet
    code = f"import posix\nposix.open({str(ran)!r}, posix.O_WRONLY | posix.O_CREAT, 0o644)\n"
    (library / "encodings/__init__.py").write_text(code)
    return {"early-1.0.data/data/pyvenv.cfg": f"home = {directory}/bin\n"}


WAYS: tuple[Callable[[pathlib.Path, pathlib.Path], Mapping[str, str]], ...] = (
    path_file,
    own_library,
)
