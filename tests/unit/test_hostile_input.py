# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reads hostile input, fed with what nobody would think of.

An app, a client or a package decides what these functions read. Each of them may refuse it in the way that
its docstring names, and in no other: an exception that nobody expects ends a deploy half-way, or a daemon.

FUZZ=N tries N inputs for each of them instead of some; the same ones each time.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import shlex
import sys
import tempfile
import zipfile

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    format_procfile,
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import (
    embed,
    read_build,
    read_commit,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs import access, events
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.journal import parse_entry
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    DistributionError,
    form_fields,
    read_distribution,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    format_pins,
    parse_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import (
    STATUS,
    STATUS_LATER,
    Status,
    judge,
    slowest_steps,
    wrote_last,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.screening import (
    judge_archive,
    look_through,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import format_env
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    TYPES,
    history,
    parse_records,
    rollback_targets,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.verification import (
    Recorded,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from unit.devpi.test_care import refresh
from unit.pivot.harness import REPOSITORY, load_pivot

sys.path.insert(
    0, str(REPOSITORY / "roles/log_shipping/files/usr/local/lib/twelvefactor/log_shipping")
)
import log_lines

set_hypothesis_home_dir(REPOSITORY / "build" / "hypothesis")
fuzz = settings(
    max_examples=int(os.environ.get("FUZZ", "100")),
    derandomize="FUZZ" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

# What the module json writes is not all that it reads.
ODD = st.sampled_from(
    [
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "1" * 5000,
        "-0",
        '"\\ud800"',
        '"\\u0000"',
        "[" * 3000,
        '{"a":' * 3000,
    ]
)
KEYS = st.sampled_from(
    [
        *sorted({*STATUS, *STATUS_LATER, *TYPES}),
        "from",
        "to",
        "outcome",
        "output",
        "seconds",
        "instead_of",
        "reason",
        "@timestamp",
        "event.duration",
        "http.request.method",
        "url.original",
        "http.response.status_code",
        "message",
        "log.level",
        "error.type",
        "error.stack_trace",
        "time",
        "service.version",
        "SYSLOG_IDENTIFIER",
        "MESSAGE",
        "__REALTIME_TIMESTAMP",
    ]
)
WORDS = st.sampled_from(
    [
        "web-1",
        "serving",
        "1.0-aaaaaaaa",
        "deploy",
        "good",
        "pending",
        "shop/web-1",
        "GET",
        "/a?b",
        "ERROR",
        "2026-11-29T04:31:48+00:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1764390708",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    WORDS,
    st.text(max_size=20),
    st.integers(-2, 2),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """One line of JSON, or of what somebody takes for it."""
    fields = draw(st.dictionaries(KEYS, VALUES, max_size=14))
    members = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items()]
    for key in draw(st.lists(KEYS, max_size=3)):
        members.append(f"{json.dumps(key)}: {draw(ODD)}")
    text = "{" + ", ".join(members) + "}"
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 5)) == 0 else text


LINES = st.one_of(documents(), documents(), st.text(max_size=200), ODD)
BYTES = st.one_of(
    LINES.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=200)
)


@st.composite
def nearly(draw: st.DrawFn, good: dict[str, str]) -> str:
    """An object of these members (their values as JSON), of which some have an odd value."""
    members = dict(good)
    for key in draw(st.lists(st.sampled_from(sorted(good)), max_size=2)):
        members[key] = draw(ODD | SCALARS.map(json.dumps) | VALUES.map(json.dumps))
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in members.items()) + "}"


ACCESS = nearly(
    {
        "@timestamp": '"2026-11-29T04:31:48+00:00"',
        "event.duration": "1000000",
        "http.request.method": '"GET"',
        "url.original": '"/a?b"',
        "http.response.status_code": "200",
        "http.response.bytes": "7",
        "service.version": '"1.0-aaaaaaaa"',
    }
)
JOURNAL = nearly(
    {
        "SYSLOG_IDENTIFIER": '"shop/web-1"',
        "MESSAGE": '"x"',
        "__REALTIME_TIMESTAMP": '"1764390708000000"',
    }
)
RECORD = nearly(
    {
        "at": '"2026-11-29T04:31:48Z"',
        "event": '"deploy"',
        "release": '"1.0-aaaaaaaa"',
        "outcome": '"good"',
        "formation": '{"web": 1}',
        "seconds": "1.5",
    }
)

STATUSES = st.fixed_dictionaries(
    {
        "instance": st.just("web-1"),
        "pid": st.integers(1, 9),
        "state": st.sampled_from(["serving", "moving", "failed"]),
        "release": st.sampled_from([None, "1.0-aaaaaaaa"]),
        "child": st.sampled_from([None, 7]),
        "hups": st.integers(0, 3),
    },
    optional={
        "move": VALUES,
        "restarts": SCALARS,
        "replacements": SCALARS,
        "replacement": VALUES,
        "exit_code": SCALARS,
        "output": VALUES,
        "generation": SCALARS,
    },
)


def decides_on(data: bytes) -> None:
    """All that a deploy makes of a status."""
    try:
        status = Status.parse(data)
    except ValueError:
        return
    judge(status, None, "1.0-aaaaaaaa")
    judge(status, status, "1.0-aaaaaaaa")
    wrote_last(status.move)
    wrote_last(status.end)
    slowest_steps([status])


def goes_by(data: bytes) -> None:
    """All that a rollback makes of a record."""
    records = parse_records(data.split(b"\n"))
    history(records)
    rollback_targets(records, "1.0-aaaaaaaa", ["1.0-aaaaaaaa"])
    for record in records:
        record.line()
        access.stretch(record)


def assembles(text: str) -> None:
    assembler = events.Assembler()
    found = [*assembler.feed(events.read_line(text)), *assembler.flush()]
    for event in found:
        json.dumps(events.group_of(event, "web-1", None, False).told())
    events.clock(text)
    access.clock(text)


def ships(data: bytes) -> None:
    """What is stored of a line can be sent, and its day is one of the last few."""
    fixed = {"service.name": "shop"}
    stored, at = log_lines.document(
        data, {"host.name": "h"}, 1.7e9, fixed, ("service.name", "client.ip")
    )
    told = json.loads(stored)
    assert told["service.name"] == "shop"
    assert log_lines.index_day(at, 1.7e9, 7) >= "2023.11.07"


@fuzz
@given(st.one_of(BYTES, STATUSES.map(lambda told: json.dumps(told).encode())))
def test_a_status(data: bytes) -> None:
    decides_on(data)


@fuzz
@given(st.lists(BYTES | RECORD.map(str.encode), max_size=5).map(b"\n".join))
def test_a_record(data: bytes) -> None:
    goes_by(data)


@fuzz
@given(LINES | ACCESS)
def test_a_line_of_an_access_log(line: str) -> None:
    access.parse_request(line)
    access.clock(line)


@fuzz
@given(LINES)
def test_a_line_of_an_app(line: str) -> None:
    assembles(line)


@fuzz
@given(BYTES)
def test_a_line_that_is_shipped(data: bytes) -> None:
    ships(data)


@fuzz
@given(BYTES | JOURNAL.map(str.encode))
def test_a_journal_entry(data: bytes) -> None:
    parse_entry(data, "shop")


PARTS = st.sampled_from(
    [
        "six==1.17.0",
        "Six == 1.0",
        " --hash=sha256:" + "a" * 64,
        " \\\n   ",
        "\\",
        "\n",
        "\r\n",
        "\r",
        "#",
        " # note ",
        "; python_version < '3'",
        "-r other.txt",
        "--extra-index-url=x",
        "six @ file:///x",
        "\x0c",
        "\u2028",
        "\ufeff",
        "# coding: latin-1\n",
        " ",
        "\t",
        "six[a]==1",
        "==",
        ";",
    ]
)


@fuzz
@given(st.one_of(st.lists(PARTS, max_size=14).map("".join), st.text(max_size=120)))
def test_a_lock_is_refused_or_has_one_reading(text: str) -> None:
    try:
        pins = parse_lock(text)
    except DeployError:
        return
    canonical = format_pins(pins)
    assert parse_lock(canonical) == pins
    # one package a logical line, in the words of the format and in no others
    lines = canonical.replace(" \\\n", " ").splitlines()
    assert len(lines) == len(pins)
    assert not [line for line in lines if line.startswith(("-", "#")) or "://" in line]


COMMANDS = st.sampled_from(
    [
        *("web: a b", "web", "beat", ":", ": ", "#", "\n", "\r", "release:x", "\x85", "\x1c", "\0"),
        *("A=1 ", "exec ", "-a", "&&", ">", "'", '"', "\\", "$(x)", "`", "\ud800", " "),
    ]
)


@fuzz
@given(st.one_of(st.lists(COMMANDS, max_size=14).map("".join), st.text()))
def test_a_procfile_is_refused_or_has_one_reading(text: str) -> None:
    """By the deploy; the pivot then starts each command, or says with a ValueError that it is none."""
    try:
        processes = parse_procfile(text)
    except DeployError:
        return
    assert parse_procfile(format_procfile(processes)) == processes
    for command in processes.values():
        with contextlib.suppress(ValueError):
            load_pivot().release.shell_command(command)


@fuzz
@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]*", fullmatch=True),
        st.text(st.characters(exclude_characters="\0")),
    )
)
def test_config_reads_as_it_was_written(env: dict[str, str]) -> None:
    text = format_env(env)
    assert load_pivot().release.read_env(text) == env
    assert dict(word.split("=", 1) for word in shlex.split(text, comments=True)) == env


@fuzz
@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(["A=1", "'", '"', "\\", "#", "\n", "=", "$(x)", "é"])).map(
            "".join
        ),
    )
)
def test_config_that_is_no_config(text: str) -> None:
    with contextlib.suppress(ValueError):
        load_pivot().release.read_env(text)


def wheel(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


METADATA = "shop-1.0.dist-info"
NAMES = st.sampled_from(
    [
        *(f"{METADATA}/{name}" for name in ("METADATA", "RECORD", "WHEEL")),
        *(
            f"{METADATA}/twelvefactor/{name}"
            for name in ("requirements.txt", "pylock.toml", "Procfile", "origin.json")
        ),
        *(f"{METADATA}/entry_points.txt", "shop.zip", "shop.tar.gz", "a\\b", "../x", "", "é"),
    ]
)
SOUND = {
    f"{METADATA}/METADATA": b"Name: shop\nVersion: 1.0\n",
    f"{METADATA}/RECORD": b"shop.py,,\n",
    "shop.py": b"",
}
# of which some have another content, or are not there
WHOLE = st.tuples(
    st.sets(st.sampled_from(sorted(SOUND)), max_size=1), st.dictionaries(NAMES, BYTES, max_size=6)
).map(
    lambda drawn: wheel(
        {name: data for name, data in SOUND.items() if name not in drawn[0]} | drawn[1]
    )
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(WHOLE))
    for _time in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


FILENAME = "shop-1.0-py3-none-any.whl"


def publishes(data: bytes) -> None:
    """What a checkout has built is read on the controller, searched and made a build of."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, FILENAME)
        path.write_bytes(data)
        with contextlib.suppress(DeployError, DistributionError):
            read_distribution(path)
        with contextlib.suppress(DeployError, DistributionError):
            look_through(path, [])
        judge_archive("shop.zip", data)
        with contextlib.suppress(DeployError):
            embed(path, path.with_name("build.whl"), {"twelvefactor/Procfile": "web: x"}, 1.7e9)
            read_build(path.with_name("build.whl"), FILENAME)


@fuzz
@given(damaged())
def test_a_wheel(data: bytes) -> None:
    with contextlib.suppress(DeployError):
        read_build(io.BytesIO(data), FILENAME)
    with contextlib.suppress(DeployError):
        read_commit(io.BytesIO(data), FILENAME)
    publishes(data)
    with contextlib.suppress(*refresh.BROKEN):
        for name, text in refresh.locks_of(data):
            list(refresh.requirements_of(name, text))


ROWS = st.lists(
    st.sampled_from(
        [
            *("shop.py", "../../../bin/shop", "/etc/passwd", '"a, b"', '"', "\0", "\r", "..", ""),
            *(
                ",",
                ",",
                "\n",
                "sha256=",
                "sha512=",
                "md5=",
                "A" * 43,
                "=",
                "é",
                "\ud800",
                "7",
                "-1",
            ),
            "1" * 5000,
        ]
    ),
    max_size=20,
).map("".join)


@fuzz
@given(st.one_of(ROWS, st.text(max_size=200)))
def test_what_a_package_records_of_its_files(text: str) -> None:
    with contextlib.suppress(ValueError):
        Recorded().add(text, "lib/python3.13/site-packages")


@fuzz
@given(BYTES)
def test_the_metadata_of_a_distribution(data: bytes) -> None:
    form_fields(data)
