# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the README's first page tells a new user to write and to run.

`first_page.py FOLDER` writes the app's Procfile into FOLDER, and prints the commands as JSON. The other
files of the page show what one of the commands writes.
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
from dataclasses import dataclass

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "## Install\n", "## See it without servers\n"
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"`([\w./-]+\.(?:yml|cfg))`")


@dataclass(frozen=True)
class FirstPage:
    files: dict[str, str]  # by their names, relative to the project
    commands: list[str]


def read(text: str) -> FirstPage:
    """Raises ValueError where a block is of no kind that is known, or nothing names its file."""
    page = text[text.index(BEGIN) : text.index(END)]
    files: dict[str, str] = {}
    commands: list[str] = []
    before = 0
    for block in FENCE.finditer(page):
        indent, language, body = block.groups()
        body = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        names = NAME.findall(page[before : block.start()])
        before = block.end()
        if language == "console":
            shown = [line for line in body.splitlines() if line.startswith("$ ")]
            commands += [line[2:].partition("  # ")[0].strip() for line in shown]
        elif language == "procfile":
            files["Procfile"] = body
        elif language in ("yaml", "ini") and names:
            files[names[-1]] = body
        else:
            raise ValueError(f"what is this block for?\n{block[0]}")
    return FirstPage(files, commands)


def main() -> None:
    page = read(README.read_text(encoding="utf-8"))
    procfile = pathlib.Path(sys.argv[1]) / "Procfile"
    procfile.write_text(page.files["Procfile"], encoding="utf-8")
    print(json.dumps(page.commands))


if __name__ == "__main__":
    main()
