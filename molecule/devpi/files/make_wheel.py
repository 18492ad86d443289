# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make_wheel.py PATH [SAYING [LOCKED...]]: a wheel with one module, which says something.

With LOCKED, wheels that it needs, it carries a lock of them, as a published build does.
"""

from __future__ import annotations

import base64
import hashlib
import pathlib
import sys
import zipfile


def make(path: pathlib.Path, saying: str = "good luck", *locked: pathlib.Path) -> None:
    name, version = path.name.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"SAYING = {saying!r}\n",
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Says: {saying}\n"
        ),
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    if locked:
        files[f"{info}/twelvefactor/requirements.txt"] = "".join(map(lock, locked))
    record = "".join(f"{name},{line(content)}\n" for name, content in files.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            # A fixed date: the same wheel each time.
            archive.writestr(zipfile.ZipInfo(member, (2026, 1, 1, 0, 0, 0)), content)


def line(content: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
    return f"sha256={digest.decode().rstrip('=')},{len(content)}"


def lock(wheel: pathlib.Path) -> str:
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name.replace('_', '-')}=={version} \\\n    --hash=sha256:{digest}\n"


if __name__ == "__main__":
    arguments = sys.argv[2:] or ["good luck"]
    make(pathlib.Path(sys.argv[1]), arguments[0], *map(pathlib.Path, arguments[1:]))
