# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record, and what a rollback follows from it."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    record as release_record,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record


def series(text: str) -> list[Record]:
    """Records from words: ``A`` a good deploy, ``A!`` a bad one, ``<A`` a rollback, ``=A`` scaled.

    ``before`` is what the good ones so far have left serving.
    """
    records: list[Record] = []
    serving: str | None = None
    for word in text.split():
        name, bad = word.strip("<=!"), word.endswith("!")
        records.append(
            Record(
                at=f"2026-01-02T03:04:{len(records):02}Z",
                event={"<": "rollback", "=": "scale"}.get(word[0], "deploy"),
                release=name,
                outcome="bad" if bad else "good",
                before=serving,
            )
        )
        serving = serving if bad else name
    return records


@pytest.mark.parametrize(
    ("happened", "stack"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("A", "A", id="first-deploy"),
        pytest.param("A!", "", id="first-deploy-failed"),
        pytest.param("A B C", "A B C", id="deploys"),
        pytest.param("A B B", "A B", id="same-release-again"),
        pytest.param("A B A", "B A", id="an-older-one-deployed-again"),
        pytest.param("A B C!", "A B", id="bad-one-last"),
        pytest.param("A B! C", "A C", id="bad-one-between"),
        pytest.param("A B C <B", "A B", id="rollback"),
        pytest.param("A B C <B <A", "A", id="rollback-twice"),
        pytest.param("A B C <A", "A", id="rollback-by-two"),
        pytest.param("A B C <B D", "A B D", id="deploy-after-a-rollback"),
        pytest.param("A B C <B C", "A B C", id="rolled-back-and-deployed-again"),
        pytest.param("A B <A!", "A B", id="rollback-failed"),
        pytest.param("A B <X", "A B X", id="rollback-to-what-the-record-does-not-know"),
        pytest.param("<X", "X", id="rollback-is-the-first-entry"),
        pytest.param("A B <B", "A B", id="rollback-to-what-serves"),
        pytest.param("A B =B", "A B", id="scaled"),
        pytest.param("A B C <B =B", "A B", id="scaled-after-a-rollback"),
        pytest.param("=A B", "A B", id="scaled-is-the-first-entry"),
    ],
)
def test_history(happened: str, stack: str) -> None:
    assert release_record.history(series(happened)) == stack.split()


@pytest.mark.parametrize(
    ("happened", "current", "missing", "target"),
    [
        pytest.param("", None, "", None, id="nothing"),
        pytest.param("A", "A", "", None, id="only-one"),
        pytest.param("A B", "B", "", "A", id="the-one-before"),
        pytest.param("A B C", "C", "", "B", id="last-of-two"),
        pytest.param("A B C <B", "B", "", "A", id="twice-in-a-row-goes-two-back"),
        pytest.param("A B C <B <A", "A", "", None, id="at-the-end"),
        pytest.param("A B C <B D", "D", "", "B", id="rolled-back-one-is-skipped"),
        pytest.param("A B C!", "B", "", "A", id="failed-deploy-does-not-count"),
        pytest.param("A B! C", "C", "", "A", id="bad-one-between"),
        pytest.param("A B C <B!", "C", "", "A", id="target-that-failed-is-not-tried-again"),
        pytest.param("A B C B! ", "C", "", "A", id="good-once-bad-later"),
        pytest.param("A B! B C", "C", "", "B", id="bad-once-good-later"),
        pytest.param("A B C", "C", "B", "A", id="missing-one-is-skipped"),
        pytest.param("A B C", "C", "AB", None, id="all-missing"),
        pytest.param("A B C", None, "", "C", id="nothing-serves"),
        pytest.param("A B", "X", "", "B", id="what-serves-was-never-recorded"),
        pytest.param("A B C", "B", "", "A", id="what-serves-is-not-the-last"),
        pytest.param("A B A", "A", "", "B", id="redeployed-older-one"),
        pytest.param("A B A B", "B", "", "A", id="to-and-fro"),
        pytest.param("A A! B", "B", "", "A", id="a-failed-change-of-formation-is-not-held-against"),
        pytest.param("A B B!", "B", "", "A", id="a-failed-change-of-formation-of-what-serves"),
        pytest.param("A B =B!", "B", "", "A", id="scaling-failed"),
        pytest.param("A =A! B", "B", "", "A", id="scaling-failed-before"),
        pytest.param("A B =B =B", "B", "", "A", id="scaled-twice"),
        pytest.param("A B C <B =B", "B", "", "A", id="scaled-between-two-rollbacks"),
    ],
)
def test_rollback_target(
    happened: str, current: str | None, missing: str, target: str | None
) -> None:
    records = series(happened)
    installed = {record.release for record in records} - set(missing)
    assert release_record.rollback_target(iter(records), current, installed) == target


@pytest.mark.parametrize(
    ("happened", "missing", "walk"),
    [
        pytest.param("A B C D", "", "C B A", id="all-the-way-back"),
        pytest.param("A B C D", "C", "B A", id="past-one-that-is-not-installed"),
        pytest.param("A B! C D! E", "", "C A", id="past-bad-ones"),
        pytest.param("A B C <A", "", "", id="by-id-to-the-first"),
        pytest.param("A B C D <B E", "", "B A", id="after-a-rollback-by-two-and-a-deploy"),
        pytest.param("A B C <B C D", "", "C B A", id="rolled-back-and-deployed-again"),
    ],
)
def test_rollbacks_one_after_the_other(happened: str, missing: str, walk: str) -> None:
    """Each writes its own entry, by which the next one goes."""
    records = series(happened)
    installed = {record.release for record in records} - set(missing)
    current: str | None = records[-1].release
    assert release_record.rollback_targets(records, current, installed) == walk.split()
    for expected in [*walk.split(), None]:
        target = release_record.rollback_target(records, current, installed)
        assert target == expected
        if target:
            records.append(Record("now", "rollback", target, "good", before=current))
            current = target


@pytest.mark.parametrize(
    ("happened", "serving", "entry"),
    [
        pytest.param("", None, None, id="nothing"),
        pytest.param("A", "A", 0, id="first"),
        pytest.param("A B C", "C", 2, id="last"),
        pytest.param("A B C! C!", "B", 1, id="others-failed-since"),
        pytest.param("A B =B =B!", "B", 1, id="scaled-since"),
        pytest.param("A B A", "A", 2, id="for-the-second-time"),
        pytest.param("A B <A", "A", 2, id="after-a-rollback"),
        pytest.param("A B", "A", None, id="the-record-says-otherwise"),
        pytest.param("A B", None, None, id="nothing-serves"),
        pytest.param("A!", "A", None, id="never-got-there"),
    ],
)
def test_serving_since(happened: str, serving: str | None, entry: int | None) -> None:
    records = series(happened)
    expected = None if entry is None else records[entry].at
    assert release_record.serving_since(iter(records), serving) == expected


def test_serving_since_when_the_record_missed_something() -> None:
    records = [
        Record("1", "deploy", "A", "good"),
        Record("2", "deploy", "A", "good", before="B"),
        Record("3", "scale", "A", "good", before="A"),
    ]
    assert release_record.serving_since(records, "A") == "2"


@pytest.mark.parametrize(
    ("happened", "bad"),
    [
        pytest.param("A B", "", id="none"),
        pytest.param("A B!", "B", id="failed"),
        pytest.param("A B! B", "", id="mended"),
        pytest.param("A B A!", "A", id="no-longer-good"),
        pytest.param("A! B! C", "A B", id="two"),
        pytest.param("A A!", "", id="served-on"),
        pytest.param("A! A!", "A", id="never-served"),
        pytest.param("B A! A B A!", "A", id="last-word-counts"),
    ],
)
def test_bad_releases(happened: str, bad: str) -> None:
    assert release_record.bad_releases(series(happened)) == set(bad.split())


def record(release: str, outcome: str = "good", **formation: int) -> Record:
    return Record("now", "deploy", release, outcome, formation=formation)


@pytest.mark.parametrize(
    ("records", "formation"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([record("B", web=1)], None, id="other-release"),
        pytest.param([record("A", web=1), record("A", web=3)], {"web": 3}, id="last"),
        pytest.param([record("A", web=1), record("B", web=3)], {"web": 1}, id="its-own"),
        pytest.param([record("A", web=1), record("A", "bad", web=9)], {"web": 1}, id="not-bad"),
        pytest.param([record("A", web=1), record("A")], {"web": 1}, id="not-empty"),
        pytest.param([record("A", web=0)], {"web": 0}, id="none-running-is-a-formation"),
    ],
)
def test_formation_of(records: list[Record], formation: dict[str, int] | None) -> None:
    assert release_record.formation_of(iter(records), "A") == formation


AT = "2026-01-02T03:04:05Z"
FULL = Record(
    at=AT,
    event="deploy",
    release="B",
    outcome="bad",
    before="A",
    reason="ü\n",
    formation={"web": 2},
    seconds=1.5,
    by="joe@build1",
    commit="0123abc",
    wheel_sha256="aa",
    lock_sha256="bb",
    durations={"gate": 0.3, "drain": 2.0},
)
# as it was written before it told who from where and what of
OLD = (
    '{"at": "2026-01-02T03:04:05Z", "event": "deploy", "release": "A", "outcome": "good", '
    '"formation": {"web": 1}, "seconds": 2.5, "by": "joe"}\n'
)


def parsed(text: str) -> list[Record]:
    return release_record.parse_records(text.encode().splitlines(keepends=True))


@pytest.mark.parametrize(
    ("text", "records"),
    [
        pytest.param("", [], id="empty"),
        pytest.param(FULL.line(), [FULL], id="full"),
        pytest.param(record("A").line(), [record("A")], id="short"),
        pytest.param(
            OLD,
            [Record(AT, "deploy", "A", "good", formation={"web": 1}, seconds=2.5, by="joe")],
            id="of-an-earlier-version",
        ),
        pytest.param(record("A").line() + FULL.line(), [record("A"), FULL], id="two"),
        pytest.param(FULL.line() + FULL.line()[:40], [FULL], id="cut-short-by-a-full-disk"),
        pytest.param(FULL.line()[:40] + "\n" + FULL.line(), [FULL], id="went-on-after-that"),
        pytest.param("\n\n" + FULL.line(), [FULL], id="blank-lines"),
        pytest.param('[]\n5\n"x"\nnull\n' + FULL.line(), [FULL], id="json-but-no-record"),
        pytest.param('{"release": "A"}\n' + FULL.line(), [FULL], id="keys-missing"),
        pytest.param(FULL.line().replace("{", '{"later": 1, ', 1), [FULL], id="key-of-the-future"),
    ],
)
def test_parse(text: str, records: list[Record]) -> None:
    assert parsed(text) == records


BROKEN = {
    "no-utf-8": b'{"at": "x", "event": "deploy", "release": "\xff", "outcome": "good"}',
    "zeros": bytes(4096),
    "a-zero": FULL.line().encode().replace(b"B", b"\0"),
    "half-a-line": FULL.line().encode()[:40],
    "the-other-half": FULL.line().encode()[40:-1],
    "deep": b"[" * 100_000,
    "deep-object": b'{"a":' * 100_000,
    "huge": b"x" * (3 * release_record.LONGEST_LINE),
    "huge-and-right": FULL.line().encode().replace(b"joe", b"j" * release_record.LONGEST_LINE),
    "many-digits": FULL.line().encode().replace(b"1.5", b"1" * 5000),
    "endless": FULL.line().encode().replace(b"1.5", b"1e999"),
    "not-a-number": FULL.line().encode().replace(b"1.5", b"NaN"),
    "negative": FULL.line().encode().replace(b"1.5", b"-1"),
    "release-is-a-list": FULL.line().encode().replace(b'"B"', b"[]"),
    "release-is-null": FULL.line().encode().replace(b'"B"', b"null"),
    "outcome-is-an-object": FULL.line().encode().replace(b'"bad"', b"{}"),
    "formation-is-text": FULL.line().encode().replace(b'{"web": 2}', b'"web"'),
    "formation-of-text": FULL.line().encode().replace(b'{"web": 2}', b'{"web": "2"}'),
    "durations-is-a-list": FULL.line().encode().replace(b'{"gate": 0.3, "drain": 2.0}', b"[1]"),
    "utf-16": FULL.line().encode("utf-16"),
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_what_is_no_record_is_passed_over(line: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "releases.jsonl"
    lines = (record("A").line().encode(), line + b"\n", record("C").line().encode())
    path.write_bytes(b"".join(lines))
    assert release_record.read_records(path) == [record("A"), record("C")]
    path.write_bytes(lines[0] + line)
    assert release_record.read_records(path) == [record("A")]


def test_no_file_has_no_records(tmp_path: pathlib.Path) -> None:
    assert release_record.read_records(tmp_path / "releases.jsonl") == []
    (tmp_path / "file").touch()
    assert release_record.read_records(tmp_path / "file" / "releases.jsonl") == []


def test_every_field_has_a_type() -> None:
    assert list(release_record.TYPES) == [field.name for field in dataclasses.fields(Record)]


def test_a_record_is_one_line() -> None:
    line = FULL.line()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert "reason" not in record("A").line()
    assert "durations" not in record("A").line()


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({}, {}),
        ({"wheel_sha256": None, "id": "A"}, {}),
        (
            {"wheel_sha256": "aa", "lock_sha256": "bb", "python": "3.13"},
            {"wheel_sha256": "aa", "lock_sha256": "bb"},
        ),
    ],
)
def test_provenance(manifest: dict[str, object], told: dict[str, str]) -> None:
    assert release_record.provenance(manifest) == told


def test_an_attempt_that_has_ended_is_one_entry() -> None:
    begun = Record("1", "deploy", "B", "pending", before="A")
    ended = dataclasses.replace(begun, outcome="good")
    text = "".join(record.line() for record in (begun, ended))
    assert parsed(text) == [ended]


@pytest.mark.parametrize("outcome", ["pending", "good"])
def test_an_attempt_that_was_cut_off_stays(outcome: str) -> None:
    begun = Record("1", "deploy", "B", "pending", before="A")
    later = Record("2", "deploy", "B" if outcome == "pending" else "C", outcome, before="A")
    text = "".join(record.line() for record in (begun, later))
    records = parsed(text)
    assert records == [begun, later]
    assert release_record.bad_releases(records) == set()
    assert release_record.history(records) == ([] if outcome == "pending" else ["C"])


def test_what_was_not_even_started_is_not_bad() -> None:
    failed = Record(AT, "rollback", "A", "bad", before="B", tried=False)
    assert parsed(failed.line()) == [failed]
    assert release_record.bad_releases([*series("A B"), failed]) == set()


@pytest.mark.parametrize(
    ("tried", "target"),
    [pytest.param(False, "B", id="not-started"), pytest.param(True, "A", id="failed")],
)
def test_what_was_ended_is_nothing_to_roll_back_to(tried: bool, target: str) -> None:
    failed = Record(AT, "rollback", "B", "bad", before="C", tried=tried)
    records = [*series("A B C"), failed]
    assert release_record.rollback_target(records, None, {"A", "B", "C"}) == target
