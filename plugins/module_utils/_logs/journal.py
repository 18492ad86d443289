# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes and jobs of an app wrote to journald."""

from __future__ import annotations

import itertools
import json
import pathlib
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import IO, cast

from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.files import (
    CHECKED,
    Deadline,
    LogError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import Range

FIELDS = "MESSAGE,SYSLOG_IDENTIFIER"
LONGEST_ENTRY = 1 << 20  # bytes of JSON


def matches(app: str) -> tuple[str, ...]:
    """What journalctl is asked for: all of the app's own journal, and of the host's what is older than that.

    Only units of the app write to its own: circusd, its bridge, schedules, and the commands that these run, each of
    which has a name of its own. Both fields are journald's; what an app says of itself is in none of them.
    """
    return f"--namespace=+{app}", f"_NAMESPACE={app}", "+", f"_SYSTEMD_UNIT={unit_of(app)}"


def unit_of(app: str) -> str:
    return f"circus@{app}.service"


def entries(app: str, wanted: Range, deadline: Deadline) -> Iterator[tuple[str, str, float]]:
    """Process, line and time (seconds since the epoch) of each line of the app's processes and jobs, oldest first.

    Processes and jobs have the names that the app's pivots and schedules give them; messages of circusd itself are left
    out. A host without journalctl has no lines. Raises LogError when journalctl fails or the deadline has passed; the
    lines before that are complete.
    """
    unit = unit_of(app)
    command = [
        *("journalctl", "--quiet", "--no-pager", "--all", "--output=json"),
        f"--output-fields={FIELDS}",
        *(f"--since=@{wanted.since:.6f}", f"--until=@{wanted.until:.6f}"),
        *matches(app),
    ]
    with tempfile.TemporaryFile() as errors:
        try:
            # run_command would hold all of it in memory
            journalctl = subprocess.Popen(  # pylint: disable=ansible-bad-function
                command, stdout=subprocess.PIPE, stderr=errors
            )
        except FileNotFoundError:
            return
        except OSError as error:
            raise LogError(f"the journal of {unit}: journalctl: {error.strerror}.") from None
        with journalctl:
            # one that says nothing must not be waited for either
            timer = threading.Timer(max(0.0, deadline.at - time.monotonic()), journalctl.kill)
            timer.daemon = True
            timer.start()
            try:
                for line in bounded_lines(journalctl, deadline, pathlib.Path(f"journal of {unit}")):
                    if (entry := parse_entry(line, app)) and entry[2] in wanted:
                        yield entry
            except BaseException:  # whoever reads has enough, or no time left
                journalctl.kill()
                raise
            finally:
                timer.cancel()
        errors.seek(0)
        message = errors.read(1000).decode("utf-8", "replace").strip()
    deadline.check(pathlib.Path(f"journal of {unit}"))
    if journalctl.returncode > 0:
        raise LogError(f"the journal of {unit}: journalctl ended with {message or 'no message'}")


def bounded_lines(
    journalctl: subprocess.Popen[bytes], deadline: Deadline, path: pathlib.Path
) -> Iterator[bytes]:
    """Entries, without those that are larger than any that is worth to read: an app may log gigabytes."""
    output = cast(IO[bytes], journalctl.stdout)  # a pipe, which entries() asked for
    for number in itertools.count():
        if number % CHECKED == 0:
            deadline.check(path)
        line = output.readline(LONGEST_ENTRY)
        if not line:
            return
        whole = line.endswith(b"\n")
        while line and not line.endswith(b"\n"):
            deadline.check(path)
            line = output.readline(LONGEST_ENTRY)
        if whole:
            yield line


def parse_entry(line: bytes, app: str) -> tuple[str, str, float] | None:
    """One entry of ``journalctl --output=json``; None where it is none of a process or a job of the app.

    journalctl gives what is not UTF-8 as a list of bytes.
    """
    try:
        entry = json.loads(line)
        name, _slash, process = str(entry["SYSLOG_IDENTIFIER"]).partition("/")
        message = entry["MESSAGE"]
        if isinstance(message, list):
            message = bytes(message).decode("utf-8", "replace")
        at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
    except (ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return None
    return (process, message, at) if name == app and process and message else None
