# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of the collection a playbook runs with, and a hash over them."""

from __future__ import annotations

import functools
import hashlib
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAYBOOK = pathlib.Path(__file__).with_name("prepare.yml")
# A role or a plugin of this collection, wherever it is named.
NAMED = re.compile(r"twelvefactor\.deploy\.([a-z_]+)")
# A file that is imported, or a directory and names of what is imported from there.
IMPORTED = re.compile(r"module_utils([A-Za-z_.]*)(?: import (?:\(([\w, \n]+)\)|([\w, ]+)))?")
KINDS = ("modules", "action", "filter", "lookup", "test")


def files(root: pathlib.Path, playbook: pathlib.Path) -> set[pathlib.Path]:
    """`playbook`, the roles and plugins that it names, what these name and what those import.

    `root` is the collection's directory. A role's tests and documentation count, too: that costs a
    build now and then, and to leave them out by rules would cost trust.
    """
    found: set[pathlib.Path] = set()
    waiting = [playbook]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        text = path.read_text(errors="replace")
        # documentation names others, too
        for name in set(NAMED.findall(text)) if path.suffix == ".yml" else ():
            waiting += [
                file
                for file in (root / "roles" / name).rglob("*")
                # what Python compiles beside its sources comes and goes
                if file.is_file() and file.parent.name != "__pycache__"
            ]
            waiting += [
                plugin
                for kind in KINDS
                if (plugin := root / "plugins" / kind / f"{name}.py").is_file()
            ]
        if path.suffix == ".py":
            for dotted, bracketed, listed in IMPORTED.findall(text):
                place = root.joinpath("plugins", "module_utils", *dotted.strip(".").split("."))
                modules = [
                    place,
                    *(place / name for name in re.findall(r"\w+", bracketed + listed)),
                ]
                waiting += [file for path in modules if (file := path.with_suffix(".py")).is_file()]
    return found


@functools.cache
def fingerprint(root: pathlib.Path = ROOT, playbook: pathlib.Path = PLAYBOOK) -> str:
    """Twelve hex digits over the names and the contents of `files(root, playbook)`."""
    digest = hashlib.sha256()
    for path in sorted(files(root, playbook)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]
