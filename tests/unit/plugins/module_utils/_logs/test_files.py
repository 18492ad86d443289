# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log with the files that it was rotated into."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import files as logs_files
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.files import (
    Deadline,
    Listing,
    LogError,
    LogFile,
    lines,
)

PATIENT = 300.0


def opened(directory: pathlib.Path, log: str) -> AbstractContextManager[list[LogFile]]:
    return Listing(directory).opened(log, Deadline(PATIENT))


def logs(directory: pathlib.Path) -> list[str]:
    return Listing(directory).logs(Deadline(PATIENT))


def clock(text: str) -> float | None:
    word = text.partition(" ")[0]
    return float(word) if word.isdigit() else None


def read(directory: pathlib.Path, log: str, since: float = 0, until: float = 1e9) -> list[str]:
    with opened(directory, log) as files:
        return [
            text
            for file in files
            for text, _at in lines(file, since, until, clock, Deadline(PATIENT))
        ]


def put(path: pathlib.Path, text: str, changed: float) -> None:
    openers: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
    }
    path.write_bytes(openers.get(path.suffix, lambda data: data)(text.encode()))
    os.utime(path, (changed, changed))


def test_all_files_of_a_log_the_oldest_first(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "shop.log", "6\n", 60)
    put(tmp_path / "shop.log.1", "5\n", 50)
    put(tmp_path / "shop.log.2.gz", "4\n", 40)
    put(tmp_path / "shop.log.10.bz2", "3\n", 30)
    put(tmp_path / "shop.log-20260102.xz", "2\n", 20)
    put(tmp_path / "shop.log-20260101", "1\n", 10)
    for other in ("shop.log.orig", "shop2.log", "a-shop.log", "shop.log.1~", "shop.log.1.zip"):
        put(tmp_path / other, "other\n", 1)
    assert read(tmp_path, "shop.log") == list("123456")
    assert logs(tmp_path) == ["a-shop.log", "shop.log", "shop2.log"]


def test_nothing_is_there(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path / "none", "shop.log") == read(tmp_path, "shop.log") == []
    assert logs(tmp_path / "none") == []


def test_a_file_that_is_being_compressed_counts_once(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "shop.log.1", "1\n2\n", 10)
    put(tmp_path / "shop.log.1.gz", "1\n", 20)
    assert read(tmp_path, "shop.log") == ["1", "2"]


def test_who_may_write_there_does_not_choose_what_root_reads(tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_text("ERROR secret\n")
    (tmp_path / "shop.log").symlink_to("secret")
    (tmp_path / "shop.log.1").mkdir()
    os.mkfifo(tmp_path / "shop.log.2")
    assert read(tmp_path, "shop.log") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read what it should not")
def test_root_reads_no_more_than_the_owner_of_the_directory_may(tmp_path: pathlib.Path) -> None:
    for path in reversed([tmp_path, *tmp_path.parents[:-2]]):
        path.chmod(path.stat().st_mode | 0o005)
    directory = tmp_path / "shop"
    directory.mkdir()
    put(directory / "web-1.log", "5 own\n", 5)
    os.chown(directory / "web-1.log", 12345, 12345)
    os.chown(directory, 12345, 12345)
    assert read(directory, "web-1.log") == ["5 own"]
    put(directory / "secret.log", "5 another's\n", 5)
    (directory / "secret.log").chmod(0o600)
    with pytest.raises(LogError, match=r"secret\.log: cannot be read: Permission denied"):
        read(directory, "secret.log")
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_rotation_in_the_middle(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "shop.log", "2\n", 20)
    put(tmp_path / "shop.log.1", "1\n", 10)
    open_file, calls = logs_files.open_file, []

    def rotate(path: pathlib.Path) -> object:
        calls.append(path.name)
        if len(calls) == 1:
            (tmp_path / "shop.log.1").rename(tmp_path / "shop.log.2")
            (tmp_path / "shop.log").rename(tmp_path / "shop.log.1")
            put(tmp_path / "shop.log", "3\n", 30)
        return open_file(path)

    monkeypatch.setattr(logs_files, "open_file", rotate)
    assert read(tmp_path, "shop.log") == ["1", "2", "3"]
    assert len(calls) == 5


def test_rotation_after_the_files_were_opened(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "shop.log", "1\n", 10)
    with opened(tmp_path, "shop.log") as [file]:
        (tmp_path / "shop.log").rename(tmp_path / "shop.log.1")
        put(tmp_path / "shop.log", "2\n", 30)
        assert [text for text, _at in lines(file, 0, 1e9, clock, Deadline(PATIENT))] == ["1"]


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz"])
def test_a_damaged_file(tmp_path: pathlib.Path, ending: str) -> None:
    path = tmp_path / f"shop.log.1.{ending}"
    put(path, "".join(f"{number} {os.urandom(30).hex()}\n" for number in range(10_000)), 10)
    path.write_bytes(path.read_bytes()[:-1000])
    found = []
    with opened(tmp_path, "shop.log") as [file], pytest.raises(LogError) as error:
        found += list(lines(file, 0, 1e9, clock, Deadline(PATIENT)))
    assert str(error.value).startswith(f"{path}: cannot be read to its end: ")
    path.write_bytes(b"this is none")
    with opened(tmp_path, "shop.log") as [file], pytest.raises(LogError, match="cannot be read"):
        list(lines(file, 0, 1e9, clock, Deadline(PATIENT)))


def test_what_was_read_before_the_damage_counts(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "shop.log.1.gz"
    put(path, "".join(f"{number} {os.urandom(30).hex()}\n" for number in range(10_000)), 10)
    path.write_bytes(path.read_bytes()[:-1000])
    found = []
    with opened(tmp_path, "shop.log") as [file], pytest.raises(LogError):
        found.extend(at for _text, at in lines(file, 0, 1e9, clock, Deadline(PATIENT)))
    with opened(tmp_path, "shop.log") as [file]:
        iterator = lines(file, 0, 1e9, clock, Deadline(PATIENT))
        assert [next(iterator)[1] for _n in range(1000)] == [float(n) for n in range(1000)]
        iterator.close()


def test_the_deadline(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "shop.log", "1\n", 10)
    with opened(tmp_path, "shop.log") as [file], pytest.raises(LogError) as error:
        list(lines(file, 0, 1e9, clock, Deadline(-1)))
    assert str(error.value) == (
        f"{tmp_path}/shop.log: not read to its end, -1 s are over. What is missing was not counted; "
        "ask for a shorter range or allow more time."
    )


def test_odd_lines(tmp_path: pathlib.Path) -> None:
    (tmp_path / "shop.log").write_bytes(
        b"\xff\xfe\n\n\r\n" + b"x" * 3_000_000 + b"\nlast without an end"
    )
    found = read(tmp_path, "shop.log")
    assert [found[0], found[1], found[2], found[4]] == [
        "\ufffd\ufffd",
        "",
        "",
        "last without an end",
    ]
    assert (set(found[3]), len(found)) == ({"x"}, 5)
    assert len(found[3]) < 100_000


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (0, 1e9),
        (500, 1e9),
        (49_000, 1e9),
        (60_000, 70_000),
        (99_999, 1e9),
        (5, 6),
        (200_000, 1e9),
    ],
)
@pytest.mark.parametrize("undated", [0, 3])
def test_only_the_range_is_read(
    tmp_path: pathlib.Path, since: float, until: float, undated: int
) -> None:
    """Of a large file no line of the range is missed, and not many others are read."""
    text = "".join(f"{number} {'x' * 20}\n" + "x\n" * undated for number in range(100_000))
    put(tmp_path / "shop.log", text, 10)
    found = [
        at for line in read(tmp_path, "shop.log", since, until) if (at := clock(line)) is not None
    ]
    wanted = [float(number) for number in range(100_000) if since <= number < until]
    assert [at for at in found if since <= at < until] == wanted
    assert len(found) <= len(wanted) + 20_000


def test_a_large_file_without_times_is_read_as_a_whole(tmp_path: pathlib.Path) -> None:
    put(tmp_path / "shop.log", "x\n" * 300_000, 10)
    assert len(read(tmp_path, "shop.log", 500, 600)) == 300_000


def test_reading_while_it_is_written_and_rotated(tmp_path: pathlib.Path) -> None:
    """Every line that was there before is read once, whatever logrotate does meanwhile."""

    def rotate(first: int) -> None:
        for number in range(first, first + 10):
            for old in range(number - 20_000, 0, -1):
                os.rename(tmp_path / f"shop.log.{old}", tmp_path / f"shop.log.{old + 1}")
            os.rename(tmp_path / "shop.log", tmp_path / "shop.log.1")
            (tmp_path / "shop.log").write_text(f"{number}\n")
            time.sleep(0.005)

    (tmp_path / "shop.log").write_text("".join(f"{number}\n" for number in range(20_000)))
    for first in range(20_000, 20_060, 10):  # by a few, or a slow reader would never get through
        thread = threading.Thread(target=rotate, args=(first,))
        thread.start()
        try:
            found = sorted(map(int, read(tmp_path, "shop.log")))
        finally:
            thread.join()
        assert found == list(range(len(found)))
        assert len(found) >= first


# --- what an app may put there -------------------------------------------------------------------


def sparse(path: pathlib.Path, size: int) -> None:
    path.write_text("1 begins\n")
    os.truncate(path, size)


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_line_without_an_end_is_left_at_the_deadline(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs_files, "LEAST", 1 << 60)
    sparse(tmp_path / "shop.log", 1 << 40)
    began = time.monotonic()
    with opened(tmp_path, "shop.log") as [file], pytest.raises(LogError, match=r"0\.3 s are over"):
        list(lines(file, 0, 1e9, clock, Deadline(0.3)))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["shop.log", "shop.log.1.bz2", "shop.log.1.gz", "shop.log.1.xz"])
def test_no_more_is_read_than_a_log_can_hold(tmp_path: pathlib.Path, name: str) -> None:
    path = tmp_path / name
    if name == "shop.log":
        sparse(path, 1 << 33)
    else:
        put(path, "1 begins\n" + "\0" * (20 << 20), 10)
    with opened(tmp_path, "shop.log") as [file], pytest.raises(LogError) as error:
        list(lines(file, 0, 1e9, clock, Deadline(PATIENT)))
    assert str(error.value).endswith("holds more than 16 MiB, 200 times what it takes on the disk.")


def test_many_files_are_read_as_far_as_they_can_be_open(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs_files, "FILES", 3)
    for number in range(5):
        path = tmp_path / f"shop.log.{number}"
        put(path, f"{number}\n", 10 * number)
    with pytest.raises(LogError) as error, opened(tmp_path, "shop.log") as files:
        assert [file.path.name for file in files] == ["shop.log.2", "shop.log.3", "shop.log.4"]
    assert str(error.value) == (
        f"{tmp_path}/shop.log: 2 older files were not read; 3 are, the newest."
    )


def test_no_file_stays_open_after_an_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        put(tmp_path / f"shop.log.{number}", "1\n", 10)
    real, before = os.open, handles()

    def limited(path: str, flags: int) -> int:
        if handles() > before + 10:
            raise OSError(24, "Too many open files")
        return real(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", limited)
        with pytest.raises(LogError, match="Too many open files"), opened(tmp_path, "shop.log"):
            pass
    assert handles() == before


def test_a_directory_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot be read: Not a directory"):
        logs(tmp_path / "file")


def test_many_names_are_looked_at_up_to_a_bound(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs_files, "ENTRIES", 7)
    for number in range(7):
        (tmp_path / f"{number}.log").touch()
    listing = Listing(tmp_path)
    assert (len(listing.logs(Deadline(PATIENT))), listing.cut) == (7, False)
    (tmp_path / "7.log").touch()
    assert (len(listing.logs(Deadline(PATIENT))), listing.cut) == (7, True)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories that were listed."""
    found, real = [], os.scandir

    def scandir(path: pathlib.Path) -> Iterator[os.DirEntry[str]]:
        found.append(str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return found


def test_a_directory_is_listed_once_for_all_its_logs(
    tmp_path: pathlib.Path, scans: list[str]
) -> None:
    for number in range(20_000):
        (tmp_path / f"m{number:05d}.log").touch()
    os.utime(tmp_path, (1, 1))
    listing, deadline = Listing(tmp_path), Deadline(PATIENT)
    for log in listing.logs(deadline)[:50]:
        with listing.opened(log, deadline) as files:
            assert [file.path.name for file in files] == [log]
    assert scans == [str(tmp_path)]


def test_a_directory_that_has_changed_is_listed_again(
    tmp_path: pathlib.Path, scans: list[str]
) -> None:
    listing, deadline = Listing(tmp_path), Deadline(PATIENT)
    os.utime(tmp_path, (1, 1))
    assert listing.logs(deadline) == []
    put(tmp_path / "shop.log", "1\n", 10)
    assert listing.logs(deadline) == ["shop.log"]
    # the next change may come in the same tick of the clock
    put(tmp_path / "blog.log", "1\n", 10)
    assert listing.logs(deadline) == ["blog.log", "shop.log"]
    assert len(scans) == 3


def test_a_log_that_is_never_at_rest_is_given_up(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    put(tmp_path / "shop.log", "1\n", 10)
    open_file, calls = logs_files.open_file, []

    def rotate(path: pathlib.Path) -> LogFile | None:
        file = open_file(path)
        calls.append(path.name)
        path.rename(tmp_path / f"shop.log.{len(calls)}")
        return file

    monkeypatch.setattr(logs_files, "open_file", rotate)
    with pytest.raises(LogError, match=r"shop\.log: not read, it is rotated again and again\."):
        read(tmp_path, "shop.log")
    assert len(calls) == logs_files.ATTEMPTS


@pytest.mark.parametrize(
    "step",
    [
        lambda listing, deadline: listing.logs(deadline),
        lambda listing, deadline: listing.names("shop.log", deadline),
        lambda listing, deadline: listing.opened("shop.log", deadline).__enter__(),
        lambda listing, deadline: listing.settled("shop.log", [], deadline),
        lambda listing, deadline: listing.scan(deadline),
    ],
    ids=["logs", "names", "opened", "settled", "scan"],
)
def test_every_step_heeds_the_deadline(tmp_path: pathlib.Path, step: Any) -> None:
    put(tmp_path / "shop.log", "1\n", 10)
    with pytest.raises(LogError, match="not read to its end, 0 s are over"):
        step(Listing(tmp_path), Deadline(-5).share(2))


def test_what_one_part_does_not_use_of_the_time_goes_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    whole = Deadline(40)
    assert whole.share(4).at == 110.0
    now = 104.0
    assert (whole.share(3).seconds, whole.share(3).at) == (12.0, 116.0)
