# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import subprocess
import sys
import zipfile

from hosts.image import ZIPPED_PYTHON

# what a host does at the start of Python, and then what a module does
RUN = """
import sys
sys.path[:0] = [{files!r}]
import zipped_python
zipped_python.DIRECTORY = {kept!r}
sys.path[:0] = [{zipped!r}]
import sent
print(sent.VALUE)
"""


def run(tmp_path: pathlib.Path, source: str) -> str:
    zipped = tmp_path / "sent.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("sent.py", source)
    program = RUN.format(
        files=str(ZIPPED_PYTHON.parent), kept=str(tmp_path / "kept"), zipped=str(zipped)
    )
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_what_was_compiled_is_found_again_and_another_text_is_another(
    tmp_path: pathlib.Path,
) -> None:
    assert run(tmp_path, "VALUE = 1") == "1"
    (first,) = (tmp_path / "kept").iterdir()
    assert run(tmp_path, "VALUE = 1") == "1"
    assert list((tmp_path / "kept").iterdir()) == [first]
    assert run(tmp_path, "VALUE = 2") == "2"
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_what_was_kept_is_used(tmp_path: pathlib.Path) -> None:
    run(tmp_path, "VALUE = 1")
    (one,) = (tmp_path / "kept").iterdir()
    run(tmp_path, "VALUE = 2")
    (other,) = set((tmp_path / "kept").iterdir()) - {one}
    one.write_bytes(other.read_bytes())
    assert run(tmp_path, "VALUE = 1") == "2"


def test_what_is_broken_or_cannot_be_kept_is_compiled(tmp_path: pathlib.Path) -> None:
    run(tmp_path, "VALUE = 1")
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(b"")
    assert run(tmp_path, "VALUE = 1") == "1"
    kept.unlink()
    (tmp_path / "kept").rmdir()
    (tmp_path / "kept").write_text("a file")
    assert run(tmp_path, "VALUE = 1") == "1"
