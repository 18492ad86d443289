# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong around a pivot: its files, its disk, its supervisor, its processes, the clock."""

from __future__ import annotations

import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from unit.pivot.harness import (
    PYTHON,
    SERVER,
    Pivot,
    Site,
    ask,
    children_of,
    connected,
    is_running,
    load_pivot,
    wait_for,
)


def serves(link: pathlib.Path, own: pathlib.Path) -> bool:
    return link.exists() and own.exists() and link.samefile(own)


# --- what `current` names -------------------------------------------------------------------


def point_nowhere(site: Site) -> None:
    site.point("gone")


def point_at_nothing(site: Site) -> None:
    (site.root / "current").unlink()


def point_in_a_circle(site: Site) -> None:
    (site.root / "current").unlink()
    (site.root / "current").symlink_to("current")


def incomplete(site: Site) -> None:
    (site.root / "releases" / "r2").mkdir()
    site.point("r2")


def without_env(site: Site) -> None:
    site.point(site.release("r2"))
    (site.root / "releases" / "r2" / "env").unlink()


def bad_env(site: Site) -> None:
    site.point(site.release("r2"))
    (site.root / "releases" / "r2" / "env").write_text("A=1\nhush\n")


def without_the_type(site: Site) -> None:
    site.point(site.release("r2", kind="worker"))


def described(processes: object) -> Callable[[Site], None]:
    def prepare(site: Site) -> None:
        site.release("r2")
        site.describe("r2", processes)
        site.point("r2")

    return prepare


def text(content: bytes) -> Callable[[Site], None]:
    def prepare(site: Site) -> None:
        site.release("r2")
        (site.root / "releases" / "r2" / "release.json").write_bytes(content)
        site.point("r2")

    return prepare


CURRENT: list[tuple[str, Callable[[Site], None], str]] = [
    ("dangling", point_nowhere, "names no release: {root}/releases/gone is missing"),
    ("missing", point_at_nothing, "names no release: {root}/current is missing"),
    ("circle", point_in_a_circle, "cannot read the release that {root}/current names"),
    ("incomplete", incomplete, "r2/release.json is missing"),
    ("no env", without_env, "cannot start release r2: [Errno 2] No such file"),
    ("bad env", bad_env, "cannot start release r2: env: entry 2 is not of the form KEY=value"),
    ("no such type", without_the_type, "release r2 has no process type 'web'"),
    ("no types", described({}), "release r2 has no process type 'web'"),
    ("null", described(None), "cannot read the release that {root}/current names"),
    ("no object", described({"web": "gunicorn"}), "'gunicorn' is not an object"),
    ("bad value", described({"web": {"command": "x", "socket": 1}}), "socket is 1"),
    ("empty", described({"web": {}}), "cannot start release r2: '' is not a command"),
    ("no JSON", text(b"{"), "cannot read the release that {root}/current names"),
    ("a list", text(b"[]"), "cannot read the release that {root}/current names"),
    ("no UTF-8", text(b"\xff"), "cannot read the release that {root}/current names"),
    ("empty file", text(b""), "cannot read the release that {root}/current names"),
]


def test_current_names_nothing_usable(site: Site, subtests: pytest.Subtests) -> None:
    pivot = site.start(site.release("r1"))
    before = pivot.status()
    for name, prepare, reason in CURRENT:
        with subtests.test(name):
            shutil.rmtree(site.root / "releases" / "r2", ignore_errors=True)
            prepare(site)
            status = pivot.move()
            assert status["move"]["outcome"] == "refused"
            assert reason.format(root=site.root) in status["move"]["reason"]
            assert "hush" not in pivot.file.read_text() + pivot.log()
            assert (status["state"], status["child"]) == ("serving", before["child"])
            assert pivot.ask() == "r1"
            site.point("r1")


def test_current_is_dangling_at_the_start(site: Site) -> None:
    site.point("gone")
    pivot = site.launch()
    pivot.until_state("failed")
    assert pivot.status()["state"] == "failed"
    assert "gone is missing" in pivot.status()["move"]["reason"]


# --- names that are taken -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_generations_names_are_taken(site: Site, kind: str) -> None:
    """They hold the instance's name and a number: nobody else's, so they are cleared away."""
    pivot = site.start(site.release("r1"))
    for name in ("web-1.2.sock", "web-1.2.d"):
        path = site.run_dir / name
        if kind == "file":
            path.touch()
        else:
            (path / "deep" / "deeper").mkdir(parents=True)
    assert pivot.move(site.release("r2"))["release"] == "r2"
    assert site.files() == {"web-1.sock", "web-1.2.sock", "web-1.2.d"}


def test_old_names_are_cleared_at_the_start(site: Site) -> None:
    (site.run_dir / "web-1.7.sock" / "deep").mkdir(parents=True)
    (site.run_dir / "web-1.8.d").mkdir()
    (site.run_dir / "web-1.9.sock").touch()
    for name in ("web-10.3.sock", "web-2.4.sock", "worker-1.5.d"):
        (site.run_dir / name).touch()
        site.foreign.add(name)
    pivot = site.start(site.release("r1"))
    assert pivot.status()["generation"] == 10
    assert site.files() == {"web-1.sock", "web-1.10.sock", "web-1.10.d"}
    assert all((site.run_dir / name).exists() for name in site.foreign)


def test_the_link_is_a_file(site: Site) -> None:
    (site.run_dir / "web-1.sock").touch()
    assert site.start(site.release("r1")).ask() == "r1"


def test_the_link_is_a_directory(site: Site) -> None:
    """Nothing of ours: it stays, and is the reason."""
    pivot = site.start(site.release("r1"))
    before = pivot.status()
    pivot.link.unlink()
    (pivot.link / "deep").mkdir(parents=True)
    site.foreign.add("web-1.sock")
    status = pivot.move(site.release("r2"))
    assert status["move"]["outcome"] == "refused"
    assert "Is a directory" in status["move"]["reason"]
    assert "web-1.sock" in status["move"]["reason"]
    assert (status["state"], status["child"]) == ("serving", before["child"])
    assert site.files() == {"web-1.1.sock", "web-1.1.d"}
    assert (pivot.link / "deep").exists()
    shutil.rmtree(pivot.link)
    assert pivot.move()["release"] == "r2"
    assert pivot.ask() == "r2"


def test_a_second_pivot_leaves_the_first_alone(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    second = site.launch()
    assert second.wait() == 1
    assert "another pivot runs web-1" in pivot.log()
    assert pivot.ask() == "r1"
    assert pivot.move(site.release("r2"))["release"] == "r2"


# --- the status file, the disk --------------------------------------------------------------


@pytest.mark.parametrize("name", ["web-1.json", "web-1.json.new"])
@pytest.mark.parametrize("kind", ["directory", "FIFO", "link"])
def test_the_app_puts_something_in_the_place_of_the_status_file(
    site: Site, kind: str, name: str
) -> None:
    """Deploys read it: without it they would refuse to replace a release that hides what it does."""
    there, elsewhere = site.run_dir / name, site.root / "elsewhere"
    elsewhere.write_text("another's")

    def put() -> None:
        there.unlink(missing_ok=True)
        if kind == "directory":
            (there / "deep").mkdir(parents=True)
        elif kind == "FIFO":
            os.mkfifo(there)
        else:
            there.symlink_to(elsewhere)

    def serves_release(pivot: Pivot, release: str) -> None:
        # whoever opens a FIFO waits
        wait_for(lambda: pivot.file.is_file() and not pivot.file.is_symlink(), "a status file")
        assert pivot.until_state("serving")["release"] == release

    site.point(site.release("r1"))
    put()
    pivot = site.launch()
    serves_release(pivot, "r1")
    site.point(site.release("r2"))
    put()
    pivot.hup()
    wait_for(lambda: serves(pivot.link, site.run_dir / "web-1.2.sock"), "the second generation")
    serves_release(pivot, "r2")
    assert elsewhere.read_text() == "another's"


def test_no_file_can_grow(site: Site) -> None:
    """As on a full disk, for the pivot and for everything that it starts."""
    site.point(site.release("r1"))
    through = ["prlimit", "--fsize=0:0", PYTHON, "-I"]
    pivot = site.launch(through=through, stdout=subprocess.PIPE)
    link = site.run_dir / "web-1.sock"
    wait_for(link.exists, "the link")
    site.point(site.release("r2"))
    pivot.hup()
    wait_for(lambda: serves(link, site.run_dir / "web-1.2.sock"), "the second generation")
    assert ask(link).startswith("r2 ")
    assert pivot.term() == 0
    assert site.files() == set()


@pytest.fixture
def full_disk(site: Site) -> Iterator[Callable[[bool], None]]:
    """The run directory as a file system of its own, to be filled (True) and emptied again."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=40", "tmpfs", site.run_dir],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    filling = [site.run_dir / f"filling-{number}" for number in range(40)]

    def fill(full: bool) -> None:
        for path in filling:
            if full:
                try:
                    path.write_bytes(bytes(4096))
                except OSError:
                    continue
            else:
                path.unlink(missing_ok=True)

    try:
        yield fill
    finally:
        for pivot in site.pivots:
            pivot.process.poll()
        subprocess.run(["umount", "--lazy", site.run_dir], check=True)


def test_the_run_directory_is_full(site: Site, full_disk: Callable[[bool], None]) -> None:
    pivot = site.start(site.release("r1"))
    before = pivot.status()
    full_disk(True)
    site.point(site.release("r2"))
    pivot.hup()
    wait_for(lambda: "refused: " in pivot.log(), "a refusal")
    assert "No space left on device" in pivot.log()
    assert pivot.log().count("cannot write") == 1
    assert pivot.ask() == "r1"
    assert is_running(before["child"])
    full_disk(False)
    assert pivot.move()["release"] == "r2"


def test_the_run_directory_is_gone(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    shutil.rmtree(site.run_dir)
    site.point(site.release("r2"))
    pivot.hup()
    wait_for(lambda: "refused: " in pivot.log(), "a refusal")
    site.run_dir.mkdir()
    assert pivot.move()["release"] == "r2"


# --- the clock, the kernel's table ----------------------------------------------------------

JUMPY = """\
import itertools, random, runpy, sys, time
true, chance = time.time, random.Random(1)
time.time = lambda: true() + chance.choice([-1, 1]) * chance.randrange(10**9)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_wall_clock_jumps(site: Site) -> None:
    """By years, at each look."""
    pivot = site.start(
        site.release("r1"),
        through=[PYTHON, "-I", "-c", JUMPY],
    )
    seen = set()
    for number in range(3):
        began = time.monotonic()
        status = pivot.move(site.release(f"r{number + 2}"))
        assert status["move"]["outcome"] == "done"
        assert 0 < status["move"]["seconds"]["total"] < time.monotonic() - began
        seen.add(round(status["updated"], -7))
    assert len(seen) == 3
    bad = site.release("bad", env={"HEALTH": "500 Oops"}, ready_timeout=0.3)
    began = time.monotonic()
    assert 0.3 <= pivot.move(bad)["move"]["seconds"]["gate"] < time.monotonic() - began


def test_a_foreign_socket_with_an_odd_name(site: Site) -> None:
    """Abstract names are any bytes, and show up in the same table."""
    pivot = site.start(site.release("r1"))
    with socket.socket(socket.AF_UNIX) as odd:
        odd.bind(b"\0\xff\xfe pivot\n \x80" + bytes(site.run_dir))
        assert pivot.move(site.release("r2"))["move"]["outcome"] == "done"


# --- processes that do not go, or do not go alone -------------------------------------------


def test_a_process_that_ignores_term_is_killed(site: Site) -> None:
    pivot = site.start(site.release("r1", env={"TERM": "ignore"}, stop_timeout=0.5))
    child = pivot.status()["child"]
    status = pivot.move(site.release("r2"))
    assert status["move"]["seconds"]["stop"] >= 0.5
    assert not is_running(child)
    assert status["move"]["outcome"] == "done"


def test_a_process_that_ignores_term_is_killed_at_the_end(site: Site) -> None:
    pivot = site.start(site.release("r1", env={"TERM": "ignore"}, stop_timeout=0.5))
    began = time.monotonic()
    assert pivot.term() == 0
    assert time.monotonic() - began >= 0.5


CHILDREN = ["group", "stubborn", "session", "naked"]


@pytest.mark.parametrize("kind", CHILDREN[:3])
def test_orphans_end_with_their_generation(site: Site, kind: str) -> None:
    """All but one that has neither the group nor the environment: it has to wait for the end."""
    pivot = site.start(site.release("r1", env={"CHILD": kind}, stop_timeout=0.5))
    first = pivot.status()["child"]
    offspring = family(pivot.pid) - {first}
    assert offspring
    assert pivot.move(site.release("r2"))["move"]["outcome"] == "done"
    assert not [pid for pid in offspring if is_running(pid)]
    assert family(pivot.pid) == {pivot.status()["child"]}


@pytest.mark.parametrize("kind", CHILDREN)
def test_orphans_end_with_the_pivot(site: Site, kind: str) -> None:
    pivot = site.start(site.release("r1", env={"CHILD": kind}, stop_timeout=0.5))
    offspring = family(pivot.pid)
    assert len(offspring) == 2
    assert pivot.term() == 0
    assert not [pid for pid in offspring if is_running(pid)]


@pytest.mark.parametrize("kind", CHILDREN)
def test_orphans_end_when_the_process_dies(site: Site, kind: str) -> None:
    pivot = site.start(site.release("r1", env={"CHILD": kind}))
    offspring = family(pivot.pid)
    os.kill(pivot.status()["child"], signal.SIGKILL)
    assert pivot.wait() == 137
    assert not [pid for pid in offspring if is_running(pid)]


@pytest.mark.parametrize("kind", CHILDREN[:3])
def test_orphans_of_a_refused_release(site: Site, kind: str) -> None:
    pivot = site.start(site.release("r1"))
    env = {"CHILD": kind, "HEALTH": "500 Oops"}
    status = pivot.move(site.release("r2", env=env, ready_timeout=pivot.ready_timeout()))
    assert status["move"]["outcome"] == "refused"
    assert family(pivot.pid) == {status["child"]}


def test_a_command_that_leaves_a_shell_in_between(site: Site) -> None:
    """TERM ends the shell at once; what it started gets its own and may finish its requests."""
    journal, end = site.flag("journal"), site.flag("slow requests may end")
    env = {"JOURNAL": journal, "SLOW_UNTIL": end}
    pivot = site.start(site.release("r1", f"true && {SERVER}; true", env=env))
    with site.load(slow=1, once=1) as slow:
        wait_for(lambda: "slow" in journal.read_text(), "a slow request")
        pivot.process.terminate()
        wait_for(lambda: "term" in journal.read_text(), "TERM to the server")
        end.touch()
        assert pivot.wait() == 0
    assert (slow["slow"], slow["failed"]) == (1, 0)


def family(pid: int) -> set[int]:
    """All descendants."""
    found = children_of(pid)
    for child in tuple(found):
        found |= family(child)
    return found


# --- KILL to the pivot ----------------------------------------------------------------------


def test_kill_takes_the_process_along(site: Site) -> None:
    pivot = site.start(site.release("r1"))
    child = pivot.status()["child"]
    pivot.process.kill()
    pivot.wait()
    wait_for(lambda: not is_running(child), "the end of the process")
    site.reap()
    again = site.start()
    assert again.status()["generation"] == 2
    assert again.ask() == "r1"
    assert site.files() == {"web-1.sock", "web-1.2.sock", "web-1.2.d"}


@pytest.mark.parametrize("step", ["gate", "drain", "stop"])
def test_kill_during_a_move(site: Site, step: str) -> None:
    env: dict[str, dict[str, object]] = {
        "gate": {"HEALTH_WHEN": site.flag("go")},
        "stop": {"TERM_WHEN": site.flag("go")},
    }
    site.release("r1", env=env.get(step) if step == "stop" else {})
    site.release("r2", env=env.get(step) if step == "gate" else {})
    pivot = site.start("r1")
    with connected(pivot.link) as connection:
        if step != "drain":
            connection.close()
        site.point("r2")
        pivot.hup()
        pivot.until_state(step)
        wait_for(lambda: len(children_of(pivot.pid)) == 2, "both processes")
        children = children_of(pivot.pid)
        pivot.process.kill()
        pivot.wait()
    wait_for(lambda: not any(is_running(pid) for pid in children), "the end of both")
    site.reap()
    site.flag("go").touch()
    again = site.start()
    assert (again.status()["release"], again.status()["generation"]) == ("r2", 3)
    assert site.files() == {"web-1.sock", "web-1.3.sock", "web-1.3.d"}


@pytest.mark.parametrize("overlap", [True, False])
def test_what_outlived_a_killed_pivot_is_ended_by_the_next(site: Site, overlap: bool) -> None:
    """Workers of a server whose master went with the pivot go on serving until there is better."""
    journal = site.flag("journal")
    site.release("r1", f"true && {SERVER}; true", env={"JOURNAL": journal}, overlap=overlap)
    pivot = site.start("r1")
    pivot.process.kill()
    pivot.wait()
    assert pivot.ask() == "r1"
    again = site.start()
    site.reap()
    assert site.adopted() == set()
    assert again.ask() == "r1"
    events = [line.split()[0] for line in journal.read_text().splitlines()]
    expected = ["start", "start", "term", "end"] if overlap else ["start", "term", "end", "start"]
    assert events == expected
    assert site.files() == {"web-1.sock", "web-1.2.sock", "web-1.2.d"}


# --- output ---------------------------------------------------------------------------------


def test_two_hundred_thousand_lines(site: Site) -> None:
    count = 200_000
    site.point(site.release("r1", env={"LINES": count}))
    pivot = site.launch(stdout=subprocess.PIPE)
    assert pivot.process.stdout
    for number in range(count):
        line = pivot.process.stdout.readline()
        assert line == f"line {number} of the output\n".encode()
    assert pivot.until_state("serving")["release"] == "r1"
    assert pivot.term() == 0
    assert pivot.process.stdout.read() == b""


def test_output_of_a_refused_release_is_complete(site: Site) -> None:
    env = {"LINES": 20_000, "PRINT": "first\n", "EXIT": 3}
    site.point(site.release("r1", env=env))
    pivot = site.launch(stdout=subprocess.PIPE)
    assert pivot.process.stdout
    lines = pivot.process.stdout.read().decode().splitlines()
    assert pivot.wait() == 1
    assert len(lines) == 20_001
    assert pivot.status()["move"]["output"] == lines[-100:]


def test_a_last_line_without_newline_is_kept(site: Site) -> None:
    site.point(site.release("r1", env={"PRINT": "first\nthe reason", "EXIT": 3}))
    pivot = site.launch()
    pivot.until_state("failed")
    assert pivot.status()["move"]["output"] == ["first", "the reason"]
    wait_for(lambda: "first\nthe reason" in pivot.log(), "the same in the log")


def test_a_last_line_is_kept_although_an_orphan_holds_the_pipe(site: Site) -> None:
    env = {"PRINT": "the reason", "CHILD": "daemonize", "HEALTH": "500 Oops"}
    site.point(site.release("r1", env=env))
    pivot = site.launch()
    pivot.until_state("failed")
    assert pivot.status()["move"]["output"] == ["the reason"]


def test_every_line_as_an_object(site: Site) -> None:
    """Of two generations and of the pivot; the last line has no newline."""
    site.release("r1", env={"LINES": 20_000}, log_format="json")
    site.release("r2", env={"LINES": 20_000, "PRINT": '{"log.level": "info"}\n'}, log_format="json")
    pivot = site.start("r1")
    first = pivot.status()["child"]
    second = pivot.move("r2")["child"]
    pivot.move(site.release("r3", env={"PRINT": "the reason", "EXIT": 3}, log_format="json"))
    wait_for(lambda: pivot.log().count("the reason") == 1, "the last word")
    pivot.term()
    events = [json.loads(line) for line in pivot.log().splitlines()]
    for release, pid in (("r1", first), ("r2", second)):
        mine = [event for event in events if event["process.pid"] == pid]
        assert {event["service.version"] for event in mine} == {release}
        said = [event["message"] for event in mine if "message" in event]
        assert said == [f"line {number} of the output" for number in range(20_000)]
    assert {event["service.name"] for event in events} == {"shop"}
    assert {event["process.name"] for event in events} == {"web-1"}
    assert [event["service.version"] for event in events if "log.level" in event] == ["r2"]
    (own,) = [e for e in events if e["process.pid"] == pivot.pid and "refused" in e["message"]]
    assert own["service.version"] == "r3"


def test_a_line_without_end(site: Site) -> None:
    """Where each is made an object, it is cut, and nothing of it is lost."""
    command = f"{PYTHON} -c 'print(\"x\" * 3_000_000)'"
    site.point(site.release("r1", command, kind="worker", log_format="json", ready_after=0))
    pivot = site.launch("worker-1")
    assert pivot.wait() == 1
    events = [json.loads(line) for line in pivot.log().splitlines()]
    told = [e["message"] for e in events if e["message"].startswith("x")]
    assert len(told) > 1
    assert "".join(told) == "x" * 3_000_000


def test_a_supervisor_that_does_not_read(site: Site) -> None:
    """The app's output waits, but it serves, moves and stops."""
    site.release("r1", env={"LINES": 4000})
    pivot = site.start("r1", stdout=subprocess.PIPE)
    for number in range(2, 5):
        site.release(f"r{number}", env={"LINES": 4000})
        assert pivot.move(f"r{number}")["release"] == f"r{number}"
    assert pivot.process.stdout
    assert select.select([pivot.process.stdout], [], [], 0)[0]
    assert pivot.ask() == "r4"
    assert pivot.term() == 0


def test_a_supervisor_that_is_gone(site: Site) -> None:
    pivot = site.start(site.release("r1", env={"LINES": 100}), stdout=subprocess.PIPE)
    assert pivot.process.stdout
    pivot.process.stdout.close()
    assert pivot.move(site.release("r2", env={"LINES": 4000}))["release"] == "r2"
    assert pivot.ask() == "r2"


def test_output_that_never_ends(site: Site) -> None:
    """It fills the pipe at any moment; a move and its pauses are not hurried by it."""
    site.release("r1", f"(yes chatter &) ; exec {SERVER}", stop_timeout=1.0)
    pivot = site.start("r1", stdout=subprocess.DEVNULL)
    with connected(pivot.link):
        site.point(site.release("r2"))
        pivot.hup()
        pivot.until_state("drain")
    assert pivot.moved()["move"]["seconds"]["drain"] >= load_pivot().drain.DRAIN_QUIET
    assert pivot.term() == 0


def test_closed_standard_streams(site: Site) -> None:
    through = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", PYTHON, "-I"]
    pivot = site.start(site.release("r1", env={"PRINT": "x\n"}), through=through)
    assert pivot.move(site.release("r2"))["release"] == "r2"
