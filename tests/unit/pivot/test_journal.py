# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Output that goes to journald; the scenario ``app`` has the real one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from unit.pivot.harness import Site, wait_for

HEADER = ["shop/web-1", "", "6", "0", "0", "0", "0"]  # name, unit, priority, no prefix, to nowhere


class Journal:
    """Takes one stream, as journald does, until told to end."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._stream: socket.socket | None = None
        self._received = b""
        self._reads = threading.Event()
        self._reads.set()
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        self._stream, _address = self._listener.accept()
        while self._reads.wait() and (data := self._stream.recv(1 << 16)):
            self._received += data

    @property
    def lines(self) -> list[str]:
        return self._received.decode().splitlines()

    def pause(self) -> None:
        self._reads.clear()

    def end(self) -> None:
        self._listener.close()
        assert self._stream
        self._stream.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def journal(site: Site) -> Iterator[Journal]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.journal))
        listener.listen()
        running = Journal(listener)
        yield running
        with contextlib.suppress(OSError):
            running.end()


def numbered(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("line ")]


def test_each_release_says_where_its_output_goes(site: Site, journal: Journal) -> None:
    first = [f"line {number} of the output" for number in range(20_000)]
    site.release("r1", env={"LINES": 20_000})
    site.release("r2", env={"LINES": 20_000}, log_destination="journal")
    site.release("r3", env={"LINES": 3})
    pivot = site.start("r1")
    wait_for(lambda: numbered(pivot.log().splitlines()) == first, "all of the first, in the file")
    pivot.move("r2")
    wait_for(lambda: numbered(journal.lines) == first, "all of the second, in the journal")
    assert journal.lines[: len(HEADER)] == HEADER
    wait_for(lambda: any("release r2 serves" in line for line in journal.lines), "our own words")
    assert "release r2 serves" not in pivot.log()
    pivot.move("r3")
    wait_for(lambda: numbered(pivot.log().splitlines()) == first + first[:3], "the third")
    assert numbered(journal.lines) == first


def test_a_journal_that_ends(site: Site, journal: Journal) -> None:
    """What comes then is in the file, and the app has not noticed."""
    site.release("r1", log_destination="journal")
    pivot = site.start("r1")
    wait_for(lambda: any("release r1 serves" in line for line in journal.lines), "our own words")
    journal.end()
    pivot.move(site.release("r2", env={"LINES": 1000}, log_destination="journal"))
    assert pivot.ask() == "r2"
    wait_for(lambda: len(numbered(pivot.log().splitlines())) == 1000, "the output in the file")
    assert f"{site.journal}: Broken pipe; output goes to the supervisor" in pivot.log()
    pivot.move(site.release("r3", log_destination="journal"))
    assert f"{site.journal}: Connection refused; output goes" in pivot.log()
    assert pivot.ask() == "r3"


def test_no_journal(site: Site) -> None:
    pivot = site.start(site.release("r1", env={"LINES": 1000}, log_destination="journal"))
    wait_for(lambda: len(numbered(pivot.log().splitlines())) == 1000, "the output in the file")
    assert f"{site.journal}: No such file or directory; output goes" in pivot.log()


def test_a_journal_that_does_not_read(site: Site, journal: Journal) -> None:
    """The app's output waits, but it serves, moves and stops."""
    pivot = site.start(site.release("r1", log_destination="journal"))
    wait_for(lambda: any("release r1 serves" in line for line in journal.lines), "our own words")
    journal.pause()
    for number in range(2, 4):
        site.release(f"r{number}", env={"LINES": 30_000}, log_destination="journal")
        assert pivot.move(f"r{number}")["release"] == f"r{number}"
    assert pivot.ask() == "r3"
    assert len(numbered(journal.lines)) < 30_000
    assert pivot.term() == 0
