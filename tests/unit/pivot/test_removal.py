# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that the app puts into its run directory is in the pivot's way."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from types import ModuleType

import pytest
from unit.deep import make_deep, run_directory


@pytest.mark.parametrize("name", ["web-1.json.new", "web-1.json"])
def test_a_deep_directory_in_place_of_the_status(module: ModuleType, name: str) -> None:
    with run_directory() as run:
        make_deep(run / name)
        output = module.output.Output("shop", "web-1")
        module.status.StatusFile(str(run / "web-1.json"), output).write({"pid": 1})
        assert json.loads((run / "web-1.json").read_text()) == {"pid": 1}
        assert [path.name for path in run.iterdir()] == ["web-1.json"]


def test_what_cannot_be_removed_is_out_of_the_way(
    module: ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.removal, "SECONDS", -1.0)
    (tmp_path / "web-1.1.d" / "more").mkdir(parents=True)
    module.removal.remove(tmp_path / "web-1.1.d")
    assert not (tmp_path / "web-1.1.d").exists()
    assert not list(tmp_path.glob("web*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_what_is_closed_to_everybody_is_removed(module: ModuleType, tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "web-1.json.new", *(tmp_path / "web-1.json.new" / n for n in "ab")):
        path.mkdir()
        (path / "below" / "d").mkdir(parents=True)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        os.chown(path, 65534, 65534)
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.chmod(0)
    handle = os.open(tmp_path, os.O_RDONLY)
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.fchdir(handle)
            os.setresuid(65534, 65534, 65534)
            module.kernel.prctl(4, 1)  # PR_SET_DUMPABLE: as a process that systemd has started
            module.removal.remove("web-1.json.new")
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(handle)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_removed_itself(module: ModuleType, tmp_path: pathlib.Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    module.removal.remove(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]


def test_nothing_there_is_fine(module: ModuleType, tmp_path: pathlib.Path) -> None:
    module.removal.remove(tmp_path / "none")
