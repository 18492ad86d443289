# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a switch decides from what was read: target, formation, way back, order of processes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch_plan import (
    Difference,
    Found,
    SwitchRequest,
    compare,
    decide,
    pick_before,
    pick_formation,
    pick_target,
    probe_target,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    watched,
    watchers,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record

A, B, C = "1.0-aaaaaaaa", "2.0-bbbbbbbb", "3.0-cccccccc"
ONE_WEB = watchers("shop", {"web": 1})
IDLE = Found(
    app="shop",
    current=None,
    installed=[A, B, C],
    records=[],
    configuration="",
    active=False,
    loaded=[],
    serving=None,
    runs={},
)
SERVES_A = dataclasses.replace(
    IDLE,
    current=A,
    records=[Record("t", "deploy", A, "good", formation={"web": 1})],
    configuration=ONE_WEB,
    active=True,
    loaded=["web-1"],
    serving=A,
    runs={"web-1": A},
)


def found(**changes: Any) -> Found:
    return dataclasses.replace(SERVES_A, **changes)


def good(*releases: str) -> list[Record]:
    return [Record("t", "deploy", release, "good", formation={"web": 1}) for release in releases]


def bad(release: str) -> list[Record]:
    return [Record("t", "deploy", release, "bad", before="0.9-99999999")]


BAD_B = Record("t", "deploy", B, "bad", before=A)


@pytest.mark.parametrize(
    ("wanted", "seen", "predicted", "target"),
    [
        pytest.param(B, SERVES_A, False, B, id="installed"),
        pytest.param("4.0-dddddddd", SERVES_A, True, "4.0-dddddddd", id="will-be-installed"),
        pytest.param("previous", found(current=B, records=good(A, B)), False, A, id="previous"),
        pytest.param(
            "previous", found(current=C, records=[*good(A), BAD_B, *good(C)]), False, A, id="bad"
        ),
        pytest.param(
            "previous",
            found(current=C, records=good(A, B, C), installed=[A, C]),
            False,
            A,
            id="removed",
        ),
        pytest.param(
            "previous",
            found(current=C, records=good(A, B, C), unfit={B: "B is old."}),
            False,
            A,
            id="made-with-another-python",
        ),
    ],
)
def test_target(wanted: str, seen: Found, predicted: bool, target: str) -> None:
    assert pick_target(seen, wanted, predicted=predicted) == target


@pytest.mark.parametrize(
    ("wanted", "predicted", "words"),
    [
        ("previous", False, f"{A} serves, the record has {A}, and installed are {A}, {B}, {C}."),
        ("4.0-dddddddd", False, "is not installed on this host"),
        ("..", True, "is not installed on this host"),
    ],
)
def test_no_target(wanted: str, predicted: bool, words: str) -> None:
    with pytest.raises(DeployError, match=words.replace(".", r"\.")):
        pick_target(SERVES_A, wanted, predicted=predicted)


def test_why_an_installed_release_is_no_target() -> None:
    seen = found(current=B, records=good(A, B), unfit={A: "It was made with Python 3.11."})
    with pytest.raises(DeployError, match=r"nothing to roll shop back to.* made with Python 3\.11"):
        pick_target(seen, "previous")


TWO = Record("t", "scale", A, "good", formation={"web": 2})


@pytest.mark.parametrize(
    ("records", "current", "wanted", "formation"),
    [
        pytest.param([], None, None, {"web": 1}, id="nothing-known"),
        pytest.param([TWO], A, None, {"web": 2}, id="of-what-serves"),
        pytest.param([TWO, *good(B)], A, None, {"web": 1}, id="of-the-target"),
        pytest.param([TWO, *good(B)], A, {"worker": 3}, {"worker": 3}, id="asked-for"),
        pytest.param([TWO], A, {}, {"web": 2}, id="empty"),
    ],
)
def test_formation(records: Any, current: Any, wanted: Any, formation: dict[str, int]) -> None:
    assert pick_formation(records, current, B, wanted) == formation


@pytest.mark.parametrize(
    ("seen", "before"),
    [
        pytest.param(IDLE, None, id="nothing-ever-served"),
        pytest.param(SERVES_A, A, id="all-agree"),
        pytest.param(found(current=C), A, id="current-was-flipped"),
        pytest.param(found(current=B, serving=None), A, id="cut-off-move-to-the-target"),
        pytest.param(found(current=B, records=[], serving=B), B, id="no-record"),
        pytest.param(found(current=C, serving=None), A, id="processes-disagree"),
        pytest.param(found(current=C, serving=None, records=[]), C, id="only-current-is-known"),
        pytest.param(found(serving=C), C, id="what-runs-counts"),
        pytest.param(found(serving="9.9-99999999"), A, id="what-runs-is-not-installed"),
        pytest.param(
            found(serving=C, records=[*good(A), *bad(C)]),
            A,
            id="what-runs-was-refused",
        ),
        pytest.param(
            found(current=C, serving=C, records=bad(C)),
            None,
            id="only-what-was-refused-is-known",
        ),
        pytest.param(
            found(current=C, serving=C, records=[*good(A, "9.9-99999999"), *bad(C)]),
            A,
            id="what-runs-was-refused-and-the-last-good-one-is-removed",
        ),
        pytest.param(found(current=C, serving=None, installed=[B, C]), C, id="recorded-is-removed"),
    ],
)
def test_what_to_go_back_to(seen: Found, before: str | None) -> None:
    assert pick_before(seen, B) == before


def planned(seen: Found, target: str, *, served: bool, **formation: int) -> Any:
    return decide(SwitchRequest(target), seen, target, formation or {"web": 1}, {}, served=served)


@pytest.mark.parametrize(
    ("seen", "target", "served", "needed"),
    [
        pytest.param(SERVES_A, A, True, False, id="serves"),
        pytest.param(SERVES_A, B, False, True, id="another"),
        pytest.param(SERVES_A, A, False, True, id="one-process-does-not-run-it"),
        pytest.param(found(records=[]), A, True, True, id="not-recorded"),
        pytest.param(found(loaded=["web-1", "beat-1"]), A, True, True, id="stray"),
        pytest.param(found(configuration=""), A, True, True, id="configuration"),
    ],
)
def test_whether_anything_is_to_be_done(
    seen: Found, target: str, served: bool, needed: bool
) -> None:
    assert planned(seen, target, served=served).needed is needed


def test_way_back_has_the_formation_of_what_it_goes_back_to() -> None:
    seen = found(current=C, serving=None, configuration=watchers("shop", {"beat": 1}))
    plan = planned(seen, B, served=False, worker=2)
    assert (plan.before, watched(plan.way_back)) == (A, ["web-1"])
    assert watched(plan.new_configuration) == ["worker-1", "worker-2"]


@pytest.mark.parametrize(
    ("request_", "event"),
    [
        (SwitchRequest(A), "deploy"),
        (SwitchRequest(A, event="scale"), "scale"),
        (SwitchRequest("previous"), "rollback"),
    ],
)
def test_event_of_the_record(request_: SwitchRequest, event: str) -> None:
    plan = decide(request_, SERVES_A, A, {"web": 1}, {}, served=True)
    record = plan.record("2026-01-02T03:04:05Z")
    assert (record.event, record.outcome, record.before) == (event, "pending", A)


@pytest.mark.parametrize(
    ("loaded", "configured", "wanted", "difference"),
    [
        pytest.param([], ["web-1"], ["web-1"], Difference(added=("web-1",)), id="nothing-runs"),
        pytest.param(["web-1"], ["web-1"], ["web-1"], Difference(kept=("web-1",)), id="the-same"),
        pytest.param(
            ["web-1", "web-2"],
            ["web-1", "web-2"],
            ["web-1", "beat-1"],
            Difference(("web-1",), ("beat-1",), ("web-2",)),
            id="formation",
        ),
        pytest.param(
            ["web-1", "beat-1"],
            ["web-1"],
            ["web-1"],
            Difference(("web-1",), (), ("beat-1",), ("beat-1",)),
            id="stray",
        ),
        pytest.param(
            ["web-1", "beat-1"],
            ["web-1", "web-2"],
            ["web-1", "web-2"],
            Difference(("web-1", "web-2"), (), ("beat-1",), ("beat-1",)),
            id="stray-whose-circusd-has-not-read-its-configuration",
        ),
    ],
)
def test_what_changes_among_the_processes(
    loaded: list[str], configured: list[str], wanted: list[str], difference: Difference
) -> None:
    assert compare(loaded, configured, wanted) == difference


@pytest.mark.parametrize(
    ("idle", "difference"),
    [
        pytest.param([], Difference(("web-1",), (), ("beat-1", "worker-1"), ()), id="none"),
        pytest.param(
            ["beat-1"], Difference(("web-1",), (), ("beat-1", "worker-1"), ("beat-1",)), id="goes"
        ),
        pytest.param(
            ["web-1"], Difference(("web-1",), (), ("beat-1", "worker-1"), ()), id="is-wanted"
        ),
    ],
)
def test_what_serves_nobody_is_a_stray_where_it_goes(
    idle: list[str], difference: Difference
) -> None:
    names = ["beat-1", "web-1", "worker-1"]
    assert compare(names, names, ["web-1"], idle) == difference


WEB = {
    "processes": {
        "web": {"socket": True, "health": {"path": "/up"}},
        "api": {"socket": True, "health": {"path": "/api/up"}},
        "beat": {"socket": False},
    }
}


@pytest.mark.parametrize(
    ("url", "kind", "manifest", "names", "asked"),
    [
        (None, "web", WEB, ["web-1"], None),
        ("https://a.test/x", "web", WEB, ["web-1"], "https://a.test/up"),
        ("https://a.test/x", "web", WEB, ["beat-1"], None),
        ("https://a.test/x", "web", None, ["web-1"], None),
        ("https://a.test/x", "web", WEB, ["api-1", "web-1"], "https://a.test/up"),
        ("https://a.test/x", "api", WEB, ["web-1", "api-1"], "https://a.test/api/up"),
        # what the path of api leads to in nginx is not known
        ("https://a.test/x", "web", WEB, ["api-1"], None),
        ("https://a.test/x", "beat", WEB, ["beat-1"], None),
        # a connection is proof enough
        (
            "https://a.test/x",
            "web",
            {"processes": {"web": {"socket": True, "health": {"path": ""}}}},
            ["web-1"],
            None,
        ),
        (
            "https://a.test/x",
            "web",
            {"processes": {"web": {"socket": True}}},
            ["web-1"],
            "https://a.test/x",
        ),
    ],
)
def test_what_nginx_is_asked(
    url: Any, kind: str, manifest: Any, names: list[str], asked: str | None
) -> None:
    request = SwitchRequest(release="1", probe_url=url, probe_type=kind)
    assert probe_target(request, manifest, names) == asked
