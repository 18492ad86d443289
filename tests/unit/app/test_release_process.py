# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that waits for a lock: how long, how often, and whom it names; with a real PostgreSQL where there is one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

PROGRAM = pathlib.Path(__file__).parents[3] / "roles" / "app" / "files" / "release_process.py"
LOCK_TIMEOUT = 3  # enough for a slow machine to ask who holds the lock
ALTER = 'psql -qX -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "ALTER TABLE entries ADD COLUMN note text"'


@pytest.fixture(scope="module")
def release_process() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_process", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["release_process"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("given", "options", "seconds"),
    [
        pytest.param({}, "-c lock_timeout=5s", "5", id="nothing"),
        pytest.param(
            {"PGOPTIONS": "-c search_path=shop"},
            "-c search_path=shop -c lock_timeout=5s",
            "5",
            id="appended",
        ),
        *(
            pytest.param({"PGOPTIONS": own}, own, "5", id=own)
            for own in (
                "-c lock_timeout=2s",
                "-clock_timeout=9",
                "--lock-timeout=1min",
                "-c a=b --lock_timeout=1",
            )
        ),
        pytest.param(
            {"PGOPTIONS": "-c deadlock_timeout=2s"},
            "-c deadlock_timeout=2s -c lock_timeout=5s",
            "5",
            id="another-timeout",
        ),
        pytest.param({"RELEASE_LOCK_TIMEOUT": "60"}, "-c lock_timeout=5s", "60", id="own-variable"),
    ],
)
def test_the_config_goes_before_the_setting(
    release_process: ModuleType, given: dict[str, str], options: str, seconds: str
) -> None:
    found = release_process.environment_of({"HOME": "/", **given}, 5)
    assert found == {"HOME": "/", "PGOPTIONS": options, "RELEASE_LOCK_TIMEOUT": seconds}


@pytest.mark.parametrize(
    ("failed", "longest", "left", "pause"),
    [
        (1, 5, 595, 2),
        (2, 5, 580, 4),
        (5, 5, 500, 32),
        (6, 5, 400, None),
        # the next attempt would not end in time
        (1, 5, 12, None),
        (1, 5, 13, 2),
        (3, 1, -4, None),
    ],
)
def test_pauses_grow_and_end(
    release_process: ModuleType, failed: int, longest: float, left: float, pause: int | None
) -> None:
    assert release_process.next_pause(failed, longest, left) == pause


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"DATABASE_URL": "postgres://u:p@db/shop"}, "postgresql://u:p@db/shop"),
        ({"DATABASE_URL": "postgresql+psycopg://u:p@db/shop"}, "postgresql://u:p@db/shop"),
        ({"DATABASE_URL": "postgis://db/shop?sslmode=require"}, "postgresql://db/shop?sslmode=require"),
        ({"DATABASE_URL": "mysql://db/shop", "PGHOST": "db"}, None),
        ({"PGHOST": "db"}, ""),
        ({"PGHOST": ""}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_where_the_database_is(
    release_process: ModuleType, given: dict[str, str], address: str | None
) -> None:
    assert release_process.address_of(given) == address


@pytest.mark.parametrize(
    ("blocker", "text"),
    [
        (
            (7, 65.2, "idle in transaction", "shop", "psql", "LOCK TABLE\n\x1b[2Jentries"),
            "pid 7 of shop (psql), in a transaction for 65 s, idle in transaction, last query: LOCK TABLE [2Jentries",
        ),
        ((7, None, None, "root", "", "<insufficient privilege>"), "pid 7 of root, last query: <insufficient privilege>"),
        ((7, None, None, None, None, None), "pid 7"),
    ],
)  # fmt: skip
def test_a_blocker_in_words(
    release_process: ModuleType, blocker: tuple[object, ...], text: str
) -> None:
    assert release_process.Blocker(*blocker).text() == text


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT 'CANARY', 2", "SELECT '…', 2"),
        ("SELECT 'it''s CANARY', x", "SELECT '…', x"),
        # the server cuts queries off
        ("UPDATE a SET b = 'CANA", "UPDATE a SET b = '…'"),
        ("SELECT 'CANARY''", "SELECT '…'"),
        (r"SELECT E'a\'CANARY', x", "SELECT '…', x"),
        (r"SELECT e'a\\', x, 'CANARY'", "SELECT '…', x, '…'"),
        (r"SELECT E'a\'CANARY" + "\\", "SELECT '…'"),
        (r"SELECT 'a\', x, date'CANARY'", "SELECT '…', x, date'…'"),
        ("SELECT $$it's CANARY$$, x", "SELECT '…', x"),
        ("SELECT $a$ CANARY $b$ $$ CANARY $a$, x", "SELECT '…', x"),
        ("DO $do$ CANARY", "DO '…'"),
        ("SELECT $1, a$b FROM c$d", "SELECT $1, a$b FROM c$d"),
        # whose quote begins no string
        ("""SELECT "it's" WHERE x = 'CANARY'""", """SELECT "it's" WHERE x = '…'"""),
        ("SELECT 1 -- it's\nWHERE x = 'CANARY'", "SELECT 1 -- it's WHERE x = '…'"),
        ("/* it's */ SELECT 'CANARY'", "/* it's */ SELECT '…'"),
        # masked before it is shortened
        ("SELECT " + "a, " * 50 + "'" + "CANARY" * 9 + "', x", "SELECT " + "a, " * 50 + "'…'"),
    ],
)  # fmt: skip
def test_a_query_is_shown_without_its_strings(
    release_process: ModuleType, query: str, text: str
) -> None:
    shown = release_process.Blocker(7, None, None, None, None, query).text()
    assert shown == f"pid 7, last query: {text}"


def test_the_message_is_bounded(release_process: ModuleType) -> None:
    blockers = [release_process.Blocker(n, 1, "active", "shop", "x", "y" * 999) for n in range(9)]
    text = release_process.blame(blockers, "")
    assert text.endswith("; and 6 more.")
    assert len(text) < 1000  # of the end of the output that a deploy shows


class Database:
    """A driver whose database fails at the given questions."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures, self.connections = list(failures), 0

    def connect(self, _address: str) -> Database:
        self.connections += 1
        return self

    def cursor(self) -> contextlib.nullcontext[Database]:
        return contextlib.nullcontext(self)

    def execute(self, _query: str, _parameters: tuple[float]) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise failure

    def fetchall(self) -> list[tuple[object, ...]]:
        return [(7, 1.0, "active", "shop", "psql", "SELECT")]


def test_a_failed_question_is_asked_again_over_another_connection(
    release_process: ModuleType,
) -> None:
    database = Database(None, OSError("s3cret"))
    watch = release_process.Watch("postgresql://db/shop")
    watch.connect = database.connect
    assert [len(watch.blockers(1)) for _ in range(2)] == [1, 0]
    assert watch.problem == "the database could not be asked (OSError)"
    assert [len(watch.blockers(1)) for _ in range(2)] == [1, 1]
    assert watch.problem == "the database did not tell"
    assert database.connections == 2


def test_a_missing_driver_is_looked_for_once(release_process: ModuleType) -> None:
    sought: list[str] = []

    def connect(address: str) -> None:
        sought.append(address)
        raise ImportError

    watch = release_process.Watch("postgresql://db/shop")
    watch.connect = connect
    assert [watch.blockers(1) for _ in range(2)] == [[], []]
    assert watch.problem == "the release has neither psycopg nor psycopg2"
    assert len(sought) == 1


def run(command: str, *, timeout: float = 600, **more: str) -> subprocess.CompletedProcess[str]:
    """As the role does, but with what the test has instead of a driver."""
    return subprocess.run(
        [sys.executable, "-", str(LOCK_TIMEOUT), str(timeout), command],
        stdin=PROGRAM.open(),
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_another_failure_is_not_tried_again(tmp_path: pathlib.Path) -> None:
    done = run(f"echo out; echo err >&2; echo x >> {tmp_path}/attempts; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert (tmp_path / "attempts").read_text() == "x\n"


@pytest.mark.parametrize(
    "words",
    [
        "ERROR:  canceling statement due to lock timeout",
        "psycopg2.errors.LockNotAvailable: Anweisung wurde abgebrochen",
        "FEHLER: 55P03: Anweisung wurde abgebrochen",
    ],
)
def test_what_says_that_there_was_no_lock(tmp_path: pathlib.Path, words: str) -> None:
    """Without a database that could be asked, the message says how to."""
    done = run(
        f"echo x >> {tmp_path}/attempts; test $(wc -l < {tmp_path}/attempts) = 2 || {{ echo '{words}'; exit 1; }}"
    )
    assert done.returncode == 0
    assert "(1 of at most 6 attempts" in done.stderr
    assert "not known: the config has no DATABASE_URL" in done.stderr
    assert "pg_blocking_pids" in done.stderr
    assert done.stderr.endswith("The next attempt is in 2 s.\n")


def test_a_signal_reaches_the_command(tmp_path: pathlib.Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-", "1", "600", f"trap 'exit 9' TERM; touch {tmp_path}/ready; while :; do sleep 0.1; done"],
        stdin=PROGRAM.open(),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    assert process.wait(60) == 9


def test_a_command_that_was_stopped_is_not_started_again(tmp_path: pathlib.Path) -> None:
    """Although it ends with the words of a lock timeout, as an ended attempt may."""
    words = "canceling statement due to lock timeout"
    process = subprocess.Popen(
        [sys.executable, "-", "1", "600", f"trap 'echo {words}; exit 9' TERM; echo x >> {tmp_path}/attempts; while :; do sleep 0.1; done"],
        stdin=PROGRAM.open(),
        stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "attempts").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (9, b"")
    assert (tmp_path / "attempts").read_text() == "x\n"


@pytest.mark.parametrize("descriptor", [1, 2])
def test_the_command_does_not_wait_for_a_reader_that_has_gone(
    tmp_path: pathlib.Path, descriptor: int
) -> None:
    """More than a pipe holds; and what could not be written does not change the exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    command = f"head -c 300000 /dev/zero >&{descriptor}; touch {tmp_path}/after; exit 7"
    process = subprocess.Popen(
        [sys.executable, "-", "1", "600", command],
        stdin=PROGRAM.open(),
        stdout=writer if descriptor == 1 else subprocess.DEVNULL,
        stderr=writer if descriptor == 2 else subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        assert process.wait(60) == 7
    finally:
        process.kill()
    assert (tmp_path / "after").exists()


def test_another_failure_after_a_lock_timeout(tmp_path: pathlib.Path) -> None:
    """The first attempt may have left something: said once, with who held its lock."""
    done = run(
        f"echo x >> {tmp_path}/attempts; test $(wc -l < {tmp_path}/attempts) = 2 || {{ echo 55P03; exit 1; }};"
        " echo relation already exists; exit 3"
    )
    assert done.returncode == 3
    assert done.stderr.count("outside of a transaction") == 1
    assert done.stderr.endswith("pg_index WHERE NOT indisvalid.\n")


def test_what_held_the_lock_of_the_earlier_attempt(release_process: ModuleType) -> None:
    blocker = release_process.Blocker(7, 65.2, "idle in transaction", "shop", None, None)
    text = release_process.aftermath([blocker])
    assert text.endswith(
        "That lock was held by pid 7 of shop, in a transaction for 65 s, idle in transaction."
    )


# What psycopg does for the program, by psql.
DRIVER = """
import contextlib, csv, io, subprocess
class Cursor:
    def execute(self, query, parameters):
        done = subprocess.run(["psql", "-qXt", "--csv", ADDRESS[0], "-c", query % parameters],
                              capture_output=True, text=True, check=True)
        self.rows = [(int(r[0]), float(r[1]), *r[2:]) for r in csv.reader(io.StringIO(done.stdout)) if r]
    def fetchall(self): return self.rows
class Connection:
    autocommit = False
    def cursor(self): return contextlib.nullcontext(Cursor())
ADDRESS = []
def connect(address, connect_timeout, options):
    ADDRESS[:] = [address]
    return Connection()
"""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs or not shutil.which("psql"):
        pytest.skip("PostgreSQL is not installed")
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, "postgres")
        init = [programs[-1].with_name("initdb"), "-D", f"{folder}/data", "-U", "shop"]
        subprocess.run(
            [*init, "--no-sync"],
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            timeout=120,
        )
        server = [programs[-1], "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses="]
        with subprocess.Popen(
            [*server, "-F"], user=user, stderr=subprocess.DEVNULL, cwd=folder
        ) as it:
            url = f"postgresql://shop@/postgres?host={folder}"
            deadline = time.monotonic() + 120
            while subprocess.run(psql(url, "SELECT"), check=False, capture_output=True).returncode:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield url
            it.send_signal(signal.SIGINT)


def psql(url: str, query: str) -> list[str]:
    return ["psql", "-qXtA", "-v", "ON_ERROR_STOP=1", url, "-c", query]


def answer(url: str, query: str) -> str:
    done = subprocess.run(psql(url, query), check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.strip()


@pytest.fixture
def driver(tmp_path: pathlib.Path) -> str:
    (tmp_path / "psycopg.py").write_text(DRIVER)
    return str(tmp_path)


class Forgotten:
    """A transaction that has read the table and goes on."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            ["psql", "-qXtA", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("BEGIN; SELECT count(*) FROM entries; SELECT pg_backend_pid();\n")
        self.process.stdin.flush()
        self.process.stdout.readline()
        self.pid = int(self.process.stdout.readline())

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)


@pytest.fixture
def forgotten(database: str) -> Iterator[Forgotten]:
    answer(database, "DROP TABLE IF EXISTS entries")
    answer(database, "CREATE TABLE entries (id int)")
    held = Forgotten(database)
    yield held
    held.end()


def test_the_app_waits_no_longer_than_the_lock_timeout(
    database: str, driver: str, forgotten: Forgotten
) -> None:
    """Queries of the table queue behind the migration: for its lock timeout, and not until the transaction ends."""
    durations: list[float] = []
    over = threading.Event()

    def visit() -> None:
        while not over.is_set():
            began = time.monotonic()
            answer(database, "SELECT count(*) FROM entries")
            durations.append(time.monotonic() - began)

    visitor = threading.Thread(target=visit)
    visitor.start()
    began = time.monotonic()
    # three attempts, of which one alone may take nine seconds before the second is left out
    done = run(ALTER, timeout=30, DATABASE_URL=database, PYTHONPATH=driver)
    lasted = time.monotonic() - began
    over.set()
    visitor.join(120)
    assert done.returncode != 0
    attempts = re.findall(r"\((\d) of at most 6 attempts", done.stderr)
    assert attempts == [str(n + 1) for n in range(len(attempts))]
    assert len(attempts) > 1
    assert re.search(
        rf"The lock is held by pid {forgotten.pid} of shop \(psql\), in a transaction for \d+ s,"
        r" idle in transaction, last query: SELECT pg_backend_pid\(\);\.",
        done.stderr,
    )
    assert done.stderr.endswith(
        "The app was not switched. End what holds the lock, then deploy again.\n"
    )
    # one that had waited for the transaction would have taken all of it
    assert max(durations) < lasted / 2
    assert len(durations) > len(attempts)
    assert "note" not in answer(database, "SELECT string_agg(attname, ' ') FROM pg_attribute")


def test_it_succeeds_once_the_blocker_has_ended(
    database: str, driver: str, forgotten: Forgotten, tmp_path: pathlib.Path
) -> None:
    """Which does so after the first attempt."""

    def end_after_the_first() -> None:
        deadline = time.monotonic() + 120
        while not (tmp_path / "tried").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        forgotten.end()

    ending = threading.Thread(target=end_after_the_first)
    ending.start()
    command = f"{ALTER} || {{ code=$?; touch {tmp_path}/tried; exit $code; }}"
    done = run(command, DATABASE_URL=database, PYTHONPATH=driver)
    ending.join(120)
    assert done.returncode == 0
    assert f"held by pid {forgotten.pid}" in done.stderr
    assert answer(database, "SELECT note FROM entries") == ""
