# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner with real processes; `make PART` is a shell script here."""

from __future__ import annotations

import os
import pathlib

import pytest
from parts import history, run, table
from parts.usage import Usage


def script(directory: pathlib.Path, text: str) -> tuple[str, ...]:
    path = directory / "make.sh"
    path.write_text(f"case $1 in\n{text}\nesac\n")
    return ("sh", str(path))


def runner(directory: pathlib.Path, text: str, **settings: object) -> run.Runner:
    known = {"jobs": 2, "limit": None, "expected": {}} | settings
    return run.Runner(directory / "logs", command=script(directory, text), **known)  # type: ignore[arg-type]


def results(rows: list[table.Row]) -> dict[str, str]:
    return {row.part: row.result for row in rows}


def test_a_part_that_fails_does_not_keep_the_others_from_running(tmp_path: pathlib.Path) -> None:
    parts = runner(tmp_path, "bad) echo why; exit 3;;\n*) echo fine;;", jobs=1)
    rows = parts.run(["bad", "good"])
    assert results(rows) == {"bad": table.FAILED, "good": table.PASSED}
    assert (tmp_path / "logs/bad.log").read_text() == "why\n"
    assert table.verdict(rows, None, 1.0) == "1 passed, 1 failed"


def test_what_hosts_and_ansible_told_is_added_up(tmp_path: pathlib.Path) -> None:
    told = '{"tasks": 3}\\n{"hosts": 2, "host_cpu": 1.5}\\n{"tasks": 4, "downloaded": 7}\\n{"ta'
    rows = runner(tmp_path, f"*) printf '{told}' >> $PARTS_USAGE;;").run(["one"])
    assert rows[0].usage == Usage(tasks=7, hosts=2, host_cpu=1.5, downloaded=7)


def test_the_cpu_of_what_a_part_started_is_counted(tmp_path: pathlib.Path) -> None:
    busy = "*) sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done';;"
    assert runner(tmp_path, busy).run(["one"])[0].cpu > 0


def test_a_part_that_could_not_end_in_time_is_not_started(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {"long": run.RESERVED_SECONDS + 900.0, "short": 1.0}
    limit = run.RESERVED_SECONDS + 600.0
    rows = runner(tmp_path, "*) ;;", expected=expected, limit=limit).run(["long", "short"])
    assert results(rows) == {"long": table.NOT_STARTED, "short": table.PASSED}
    assert not (tmp_path / "logs/long.log").exists()
    assert "make long: not started" in capsys.readouterr().out
    said = table.verdict(rows, limit, 1.0)
    assert said.startswith("This run was cut short: long could not end within the limit of 690 s")
    assert said.endswith("\n1 passed, 1 failed")


def test_what_runs_at_the_limit_is_stopped_with_all_that_it_started(tmp_path: pathlib.Path) -> None:
    parts = runner(
        tmp_path,
        f"*) sleep 600 & echo $! > {tmp_path}/child; wait;;",
        limit=run.RESERVED_SECONDS + 0.5,
        expected={"endless": 0.1},
    )
    rows = parts.run(["endless"])
    assert results(rows) == {"endless": table.STOPPED}
    child = int((tmp_path / "child").read_text())
    stat = pathlib.Path(f"/proc/{child}/stat")
    # gone, or waiting to be reaped by whoever adopted it
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_part_is_a_process_group_without_input(tmp_path: pathlib.Path) -> None:
    rows = runner(tmp_path, "*) ps -o pgid= -p $$; cat;;").run(["one"])
    assert results(rows) == {"one": table.PASSED}
    assert int((tmp_path / "logs/one.log").read_text()) != os.getpgid(0)


def test_what_parts_took_is_remembered_beside_what_is_known(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "seconds.json"
    assert history.load(path) == {}
    history.save(path, {"one": 1.5})
    history.save(path, {"two": 2.0})
    assert history.load(path) == {"one": 1.5, "two": 2.0}
    path.write_text("{")
    assert history.load(path) == {}


def test_every_part_has_its_place_in_a_first_run() -> None:
    root = pathlib.Path(__file__).resolve().parents[3]
    scenarios = {f"molecule-{path.parent.name}" for path in root.glob("molecule/*/molecule.yml")}
    assert scenarios | {"lint", "unit", "unit-2.19", "site-2.19"} == history.rough().keys()
