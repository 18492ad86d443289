# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make_upstream.py FOLDER: an index of simple pages, of what anybody might put on a public one."""

from __future__ import annotations

import hashlib
import pathlib
import sys

import make_wheel

BURST = 40


def put(folder: pathlib.Path, name: str, version: str) -> pathlib.Path:
    project = folder / "simple" / name
    wheel = project / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    make_wheel.make(wheel, "from upstream")
    links = "".join(
        f'<a href="{file.name}#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}">'
        f"{file.name}</a>\n"
        for file in sorted(project.glob("*.whl"))
    )
    (project / "index.html").write_text(f"<!DOCTYPE html><html><body>\n{links}</body></html>\n")
    return wheel


def main(folder: pathlib.Path) -> None:
    put(folder, "public-tool", "1.0.0")
    put(folder, "public-tool", "2.0.0")
    put(folder, "another-tool", "1.0.0")
    # names that a company uses for itself
    put(folder, "secret-sauce", "99.0.0")
    put(folder, "quiet-sauce", "99.0.0")
    put(folder, "other-sauce", "99.0.0")
    burst = [put(folder, f"burst-{number:02}", "1.0.0") for number in range(BURST)]
    (folder / "burst.txt").write_text("".join(map(make_wheel.lock, burst)))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
