# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock under which the role app runs a command, with the real flock."""

from __future__ import annotations

import itertools
import os
import pathlib
import stat
import subprocess

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Lock,
    Wish,
    take,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    DIRECTORY,
    now,
)

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "app"


def argv_of(tmp_path: pathlib.Path, generation: int = 0, lock_timeout: int = 0) -> list[str]:
    loader = DataLoader()
    known = loader.load_from_file(str(ROLE / "vars" / "main.yml"), trusted_as_template=True)
    assert known["__app_command_locks"] == "/var/lib/twelvefactor/flocks"
    assert known["__app_command_fence"] == f"{DIRECTORY}/{{{{ app_name }}}}.json"
    known |= {
        "app_name": "shop",
        "app_command": "true",
        "app_command_lock": "migrate",
        "app_command_release": "",
        "app_command_timeout": 5,
        "app_command_lock_timeout": lock_timeout,
        "app_lock_generation": generation,
        "__app_command_locks": str(tmp_path / "lib" / "flocks"),
        "__app_command_fence": str(tmp_path / "shop.json"),
    }
    argv: list[str] = Templar(loader, variables=known).template(known["__app_command_argv"])
    return argv


def prefix_of(tmp_path: pathlib.Path, generation: int = 0) -> list[str]:
    """What stands before the command that is to be run under the lock ``migrate``."""
    argv = argv_of(tmp_path, generation)
    return argv[: argv.index("/usr/local/sbin/app-exec")]


@pytest.mark.parametrize(
    ("lock_timeout", "program"),
    # the second one is a program on standard input, see roles/app/tasks/command.yml
    [(0, ["sh", "-c"]), (3, ["python", "-I", "-", "3", "5"])],
)
def test_what_runs_the_command(
    tmp_path: pathlib.Path, lock_timeout: int, program: list[str]
) -> None:
    argv = argv_of(tmp_path, lock_timeout=lock_timeout)
    found = argv[argv.index("/usr/local/sbin/app-exec") :]
    assert found == [
        *("/usr/local/sbin/app-exec", "shop", "timeout", "--foreground", "--kill-after=30", "5"),
        *("/srv/shop/current/bin/run", *program, "true"),
    ]


@pytest.mark.parametrize("umask", [0, 0o077])
def test_command_lock(tmp_path: pathlib.Path, umask: int) -> None:
    prefix, flocks = prefix_of(tmp_path), tmp_path / "lib" / "flocks"
    command = ["sh", "-c", "umask; ls -l /proc/$$/fd; echo began; read -r line; exit 3"]
    with subprocess.Popen(
        [*prefix, *command],
        umask=umask,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout is not None
        lines = list(itertools.takewhile(lambda line: line != "began\n", first.stdout))
        assert lines[0] == f"{umask:04o}\n"
        assert not [line for line in lines if "flocks" in line]  # nor can the command hold it
        refused = subprocess.run([*prefix, "true"], check=False, timeout=60)
        assert refused.returncode == 75
        first.communicate("\n", timeout=60)
    assert first.returncode == 3
    assert subprocess.run([*prefix, "true"], check=False, timeout=60).returncode == 0
    paths = [flocks.parent, flocks, flocks / "shop-migrate"]
    modes = [stat.S_IMODE(os.stat(path).st_mode) for path in paths]
    assert modes == [0o755, 0o700, 0o600]


def lock_of(run: str, last: int) -> Lock:
    decision = take(None, Wish("shop", "joe@c", run, reason='"generation": 7}'), now(), last)
    assert decision.lock
    return decision.lock


@pytest.mark.parametrize(
    ("lock", "code"),
    [
        pytest.param(lock_of("r1", 6), 0, id="held"),
        pytest.param(lock_of("r2", 7), 76, id="another-has-it"),
        pytest.param(lock_of("r2", 69), 76, id="a-longer-number"),
        pytest.param(None, 76, id="nobody-has-it"),
    ],
)
def test_a_run_that_lost_its_lock_begins_no_command(
    tmp_path: pathlib.Path, lock: Lock | None, code: int
) -> None:
    if lock:
        (tmp_path / "shop.json").write_text(lock.line())
    command = [*prefix_of(tmp_path, 7), "echo", "two  words"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert done.stdout == ("" if code else "two  words\n")
    lost = "does not hold the lock of shop on this host any more" in done.stderr
    assert lost == bool(code)
