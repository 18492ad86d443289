# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from what a daemon is to be and what was found."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import (
    Change,
    Directory,
    File,
    Found,
    Link,
    Owned,
    Plan,
    Request,
    Status,
    Step,
    Unit,
    WantedFile,
    action_for,
    decide,
    diff,
    effects_of,
    install_section,
    is_defined_by,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

UNITS = "/etc/systemd/system"
CONFIG, SERVICE, TIMER = "/etc/d/c", f"{UNITS}/d.service", f"{UNITS}/d.timer"
RUNNING = {
    "d.service": Status("d.service", active=True, file_state="enabled", can_reload=True),
    "d.timer": Status("d.timer", active=True, file_state="enabled"),
}


def file(content: str = "x", mode: int = 0o644) -> File:
    return File(content.encode(), mode, 0, 0)


WANTED = (
    WantedFile(CONFIG, file(), on_change="reload"),
    WantedFile(SERVICE, file(), unit="d.service"),
    WantedFile(TIMER, file(), unit="d.timer"),
)
REQUEST = Request(
    "d", {"/etc/d": Directory(0o755, 0, 0)}, WANTED, (Unit("d.service"), Unit("d.timer"))
)
FOUND: dict[str, Found] = {
    "/etc/d": Directory(0o755, 0, 0, frozenset({"c"})),
    CONFIG: file(),
    SERVICE: file(),
    TIMER: file(),
}
OWNED = Owned(frozenset({CONFIG, SERVICE, TIMER}), frozenset({"/etc/d"}), ("d.service", "d.timer"))


def actions(plan: Plan) -> dict[str, str]:
    return {step.unit: step.action for step in plan.steps if step.action != "nothing"}


@pytest.mark.parametrize(
    ("changed", "expected", "reload"),
    [
        ((), {}, False),
        ((CONFIG,), {"d.service": "reload"}, False),
        ((SERVICE,), {"d.service": "restart"}, True),
        ((CONFIG, SERVICE), {"d.service": "restart"}, True),
        ((TIMER,), {"d.timer": "restart"}, True),
    ],
)
def test_changed_files_call_for_an_action(
    changed: tuple[str, ...], expected: dict[str, str], reload: bool
) -> None:
    found = {**FOUND, **{path: file("old") for path in changed}}
    plan = decide(REQUEST, found, {"d": OWNED}, RUNNING)
    assert [change.path for change in plan.changes] == sorted(changed)
    assert actions(plan) == expected
    assert plan.daemon_reload is reload
    assert plan.idle is (not changed)


@pytest.mark.parametrize("attribute", [{"mode": 0o600}, {"uid": 7}, {"gid": 7}])
def test_other_attributes_are_a_change(attribute: dict[str, int]) -> None:
    other = File(b"x", **{"mode": 0o644, "uid": 0, "gid": 0, **attribute})
    plan = decide(REQUEST, {**FOUND, CONFIG: other}, {"d": OWNED}, RUNNING)
    assert [change.path for change in plan.changes] == [CONFIG]


def test_nothing_is_there_yet() -> None:
    statuses = {name: Status(name) for name in RUNNING}
    plan = decide(REQUEST, dict.fromkeys(FOUND), {}, statuses)
    assert [change.action for change in plan.changes] == ["created"] * 4
    assert plan.steps == (Step("d.service", "start", "enable"), Step("d.timer", "start", "enable"))
    assert plan.daemon_reload


@pytest.mark.parametrize(
    ("state", "active", "effects", "more", "expected"),
    [
        ("started", False, (), {}, "start"),
        ("started", False, ("restart",), {}, "start"),
        ("started", True, (), {}, "nothing"),
        ("started", True, ("reload",), {"can_reload": True}, "reload"),
        ("started", True, ("reload",), {}, "restart"),
        ("started", True, ("reload", "restart"), {"can_reload": True}, "restart"),
        ("started", True, (), {"needs_daemon_reload": True}, "restart"),
        ("stopped", True, ("restart",), {}, "stop"),
        ("stopped", False, ("restart",), {}, "nothing"),
        ("unmanaged", False, ("restart",), {}, "nothing"),
        ("unmanaged", True, ("restart",), {}, "restart"),
        ("unmanaged", True, (), {"needs_daemon_reload": True}, "nothing"),
    ],
)
def test_action(
    state: str, active: bool, effects: tuple[str, ...], more: dict[str, bool], expected: str
) -> None:
    seen = Status("d.service", active=active, **more)  # type: ignore[arg-type]
    assert action_for(Unit("d.service", state, None), seen, frozenset(effects)) == expected


@pytest.mark.parametrize(
    ("enabled", "file_state", "expected"),
    [
        (True, "disabled", "enable"),
        (True, "", "enable"),
        (True, "enabled-runtime", "enable"),
        (True, "enabled", ""),
        (True, "static", ""),
        (False, "enabled", "disable"),
        (False, "disabled", ""),
        (None, "disabled", ""),
    ],
)
def test_enablement(enabled: bool | None, file_state: str, expected: str) -> None:
    request = Request("d", {}, (), (Unit("d.service", enabled=enabled),))
    status = {"d.service": Status("d.service", active=True, file_state=file_state)}
    (step,) = decide(request, {}, {}, status).steps
    assert step.enablement == expected


def test_another_install_section_is_enabled_again() -> None:
    before, after = "[Install]\nWantedBy=a.target\n", "[Install]\nWantedBy=b.target\n"
    unit = WantedFile(SERVICE, file(after), unit="d.service")
    request = Request("d", {}, (unit,), (Unit("d.service"),))
    (step,) = decide(request, {SERVICE: file(before)}, {}, RUNNING).steps
    assert step == Step("d.service", "restart", "reenable")


def test_another_install_section_of_a_template_enables_its_instances_again() -> None:
    before, after = "[Install]\nWantedBy=a.target\n", "[Install]\nWantedBy=b.target\n"
    template = WantedFile(f"{UNITS}/d@.timer", file(after), unit="d@.timer")
    units = (Unit("d@.timer", "unmanaged", None), Unit("d@a.timer"))
    status = {"d@a.timer": Status("d@a.timer", active=True, file_state="enabled")}
    request = Request("d", {}, (template,), units)
    (step,) = decide(request, {template.path: file(before)}, {}, status).steps
    assert step == Step("d@a.timer", "restart", "reenable")


def test_install_section_knows_no_comments_and_no_other_section() -> None:
    text = b"[Service]\nUser=a\n[Install]\n# no\n WantedBy=b \n\n[X]\nA=b\n"
    assert install_section(text) == (b"WantedBy=b",)


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("a.service", f"{UNITS}/a.service", True),
        ("a.service", f"{UNITS}/a.service.d/x.conf", True),
        ("a@b.service", f"{UNITS}/a@.service", True),
        ("a@b.service", f"{UNITS}/a@.service.d/x.conf", True),
        ("a@b.service", f"{UNITS}/a@b.service.d/x.conf", True),
        ("a@b.service", f"{UNITS}/a@c.service", False),
        ("a.service", "/etc/a/x.conf", False),
        ("a.service", "/x.d/.d/x", False),
    ],
)
def test_which_file_defines_a_unit(name: str, path: str, expected: bool) -> None:
    assert is_defined_by(name, path) is expected


def test_a_template_counts_for_its_instances() -> None:
    template = WantedFile(f"{UNITS}/d@.service", file(), unit="d@.service")
    units = (Unit("d@.service", "unmanaged", None), Unit("d@a.service"), Unit("e.service"))
    request = Request("d", {}, (template,), units)
    changes = [Change(template.path, file("old"), file())]
    assert effects_of(request, changes) == {"d@a.service": {"restart"}}


def test_a_changed_job_restarts_its_timer() -> None:
    units = (Unit("d.service", "unmanaged", None), Unit("d.timer"))
    request = Request("d", {}, WANTED, units)
    assert effects_of(request, [Change(SERVICE, file("old"), file())]) == {"d.timer": {"restart"}}


@pytest.mark.parametrize("job", ["d@.service", "d@a.service"])
def test_a_changed_job_of_instances_restarts_their_timers(job: str) -> None:
    wanted = WantedFile(f"{UNITS}/{job}", file(), unit=job)
    units = (
        Unit(job, "unmanaged", None),
        Unit("d@.timer", "unmanaged", None),
        Unit("d@a.timer"),
        Unit("e.timer"),
    )
    request = Request("d", {}, (wanted,), units)
    changes = [Change(wanted.path, file("old"), file())]
    assert effects_of(request, changes) == {"d@a.timer": {"restart"}}


def test_a_file_affects_the_units_that_it_names() -> None:
    wanted = WantedFile(CONFIG, file(), affects=("b.service",))
    request = Request("d", {}, (wanted,), (Unit("a.service"), Unit("b.service", "unmanaged", None)))
    assert effects_of(request, [Change(CONFIG, None, file())]) == {"b.service": {"restart"}}


def test_a_file_that_the_daemon_reads_by_itself_affects_nothing() -> None:
    request = Request(
        "d", {}, (WantedFile(CONFIG, file(), on_change="nothing"),), (Unit("a.service"),)
    )
    assert effects_of(request, [Change(CONFIG, None, file())]) == {}


def test_what_is_no_longer_listed_is_removed() -> None:
    request = Request("d", {}, (WANTED[1],), (Unit("d.service"),))
    plan = decide(request, FOUND, {"d": OWNED}, RUNNING)
    assert [(c.path, c.action) for c in plan.changes] == [
        (CONFIG, "removed"),
        (TIMER, "removed"),
        ("/etc/d", "removed"),
    ]
    assert plan.steps == (
        Step("d.timer", "stop", "disable", dropped=True),
        Step("d.service", "restart"),
    )
    assert plan.daemon_reload


def test_absent_removes_what_it_owns_and_what_is_listed() -> None:
    request = Request("d", {}, (WANTED[1],), (Unit("d.service"),), present=False)
    for owned in ({"d": OWNED}, {}):
        plan = decide(request, FOUND, owned, RUNNING)
        assert all(change.after is None for change in plan.changes)
        assert {step.action for step in plan.steps} == {"stop"}
        assert len(plan.changes) == (4 if owned else 1)


def test_a_directory_with_something_else_in_it_stays() -> None:
    request = Request("d", {}, (), (), present=False)
    found = {**FOUND, "/etc/d": Directory(0o755, 0, 0, frozenset({"c", "other"}))}
    plan = decide(request, found, {"d": OWNED}, RUNNING)
    assert "/etc/d" not in [change.path for change in plan.changes]


@pytest.mark.parametrize(
    "theirs", [Owned(frozenset({CONFIG})), Owned(units=("d.service",))], ids=["file", "unit"]
)
def test_nothing_belongs_to_two_daemons(theirs: Owned) -> None:
    with pytest.raises(DeployError, match="belongs to the daemon 'other'"):
        decide(REQUEST, FOUND, {"other": theirs}, RUNNING)


def test_a_directory_where_a_file_is_to_be() -> None:
    with pytest.raises(DeployError, match="/etc/d/c is a directory on this host"):
        decide(REQUEST, {**FOUND, CONFIG: Directory(0o755, 0, 0)}, {}, RUNNING)


LINK = "/etc/d/l"


@pytest.mark.parametrize(
    ("before", "expected"),
    [(None, "created"), (Link("/b"), "updated"), (Link("/a"), "")],
    ids=["none", "another", "same"],
)
def test_a_link_is_wanted(before: Found, expected: str) -> None:
    request = Request("d", {}, (WantedFile(LINK, Link("/a")),), (Unit("d.service"),))
    plan = decide(request, {LINK: before}, {}, RUNNING)
    assert [change.action for change in plan.changes] == [expected] * bool(expected)
    assert actions(plan) == {"d.service": "restart"} if expected else not actions(plan)


def test_a_link_that_is_no_longer_listed_is_removed() -> None:
    request = Request("d", {}, (), (Unit("d.service"),))
    plan = decide(request, {LINK: Link("/a")}, {"d": Owned(frozenset({LINK}))}, RUNNING)
    assert [(c.path, c.action) for c in plan.changes] == [(LINK, "removed")]
    assert actions(plan) == {"d.service": "restart"}


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (file(), Link("/a"), "a file"),
        (Directory(0o755, 0, 0), Link("/a"), "a directory"),
        (Link("/a"), file(), "a symbolic link"),
    ],
)
def test_a_link_and_a_file_do_not_replace_each_other(
    before: Found, after: File | Link, kind: str
) -> None:
    request = Request("d", {}, (WantedFile(LINK, after),), ())
    with pytest.raises(DeployError, match=f"/etc/d/l is {kind} on this host"):
        decide(request, {LINK: before}, {}, {})


def test_a_diff_of_a_link_has_its_target() -> None:
    (shown,) = diff([Change(LINK, None, Link("/a"))])
    assert shown == {
        "before_header": f"{LINK} (absent)",
        "after_header": f"{LINK} (symbolic link)",
        "before": "",
        "after": "symbolic link to /a\n",
    }


@pytest.mark.parametrize(
    ("before", "after", "secret"),
    [
        (file("hunter2"), file("hunter3"), True),
        (file("hunter2", 0o600), file("hunter3"), False),
        (None, file("hunter3", 0o640), False),
    ],
)
def test_a_diff_shows_no_secret(before: File | None, after: File, secret: bool) -> None:
    (shown,) = diff([Change(CONFIG, before, after, secret)])
    assert "hunter" not in str(shown)
    assert shown["before"] != shown["after"]


def test_what_was_secret_stays_so() -> None:
    owned = Owned(frozenset({CONFIG}), secrets=frozenset({CONFIG}))
    found = {CONFIG: file("hunter2")}
    for files in ((), (WantedFile(CONFIG, file("public")),)):
        plan = decide(Request("d", {}, files, ()), found, {"d": owned}, {})
        assert "hunter2" not in str(diff(plan.changes))


def test_a_diff_of_what_everybody_may_read() -> None:
    (shown,) = diff([Change(CONFIG, file("a\n"), file("b\n", 0o755))])
    assert shown == {
        "before_header": f"{CONFIG} (mode 0644, owner 0:0)",
        "after_header": f"{CONFIG} (mode 0755, owner 0:0)",
        "before": "a\n",
        "after": "b\n",
    }
