# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder on the controller that a backup is fetched to."""

from __future__ import annotations

import json
import pathlib
import stat
import subprocess
import sys
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]


def on_the_controller() -> list[dict[str, Any]]:
    """The tasks that prepare the folder and the file."""
    plays = yaml.safe_load((ROOT / "playbooks" / "backup.yml").read_text("utf-8"))
    [block] = [task["block"] for play in plays for task in play["tasks"] if "block" in task]
    return [task for task in block if task.get("delegate_to") == "localhost"]


@pytest.mark.parametrize(("before", "after"), [(None, 0o700), (0o755, 0o755), (0o1777, 0o1777)])
def test_a_folder_that_exists_keeps_its_mode(
    tmp_path: pathlib.Path, before: int | None, after: int
) -> None:
    folder = tmp_path / "backups"
    if before is not None:
        folder.mkdir()
        folder.chmod(before)
    given = {
        "__backup_folder": str(folder),
        "__backup_name": "x",
        "ansible_python_interpreter": sys.executable,
    }
    play = {"hosts": "localhost", "gather_facts": False, "tasks": on_the_controller()}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), "utf-8")
    subprocess.run(
        [
            "ansible-playbook",
            "--inventory=localhost,",
            "--connection=local",
            f"--extra-vars={json.dumps(given)}",
            str(tmp_path / "play.yml"),
        ],
        check=True,
        cwd=ROOT,
        capture_output=True,
        timeout=120,
    )
    assert stat.S_IMODE(folder.stat().st_mode) == after
    assert stat.S_IMODE((folder / "index-x.tar").stat().st_mode) == 0o600
