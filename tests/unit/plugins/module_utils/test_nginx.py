# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions and the transaction of nginx_config, without nginx."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils import _nginx as nginx
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx import (
    Answer,
    Change,
    File,
    Found,
    Link,
    NginxError,
    Request,
    SystemdNginx,
    Transaction,
    Worker,
)

ME = (os.geteuid(), os.getegid())


def text(content: str, mode: int = 0o644) -> File:
    return File(content.encode(), mode, ME)


A, B = text("a\n"), text("b\n")
KEY = text("key\n", 0o600)

# --- decide -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "found", "managed", "expected"),
    [
        pytest.param(Request("s", {"x": A}), {}, {}, [("x", "created")], id="new file"),
        pytest.param(Request("s", {"x": A}), {"x": A}, {"s": {"x"}}, [], id="as it should be"),
        pytest.param(
            Request("s", {"x": A}), {"x": B}, {"s": {"x"}}, [("x", "updated")], id="other content"
        ),
        pytest.param(
            Request("s", {"x": KEY}),
            {"x": text("key\n")},
            {"s": {"x"}},
            [("x", "updated")],
            id="other mode",
        ),
        pytest.param(
            Request("s", {"x": A}),
            {"x": File(A.content, 0o644, (12345, 0))},
            {"s": {"x"}},
            [("x", "updated")],
            id="other owner",
        ),
        pytest.param(
            Request("s", {"x": A}),
            {"x": A, "y": B},
            {"s": {"x", "y"}},
            [("y", "removed")],
            id="no longer listed",
        ),
        pytest.param(Request("s", {}), {"x": A}, {"s": {"x"}}, [("x", "removed")], id="set absent"),
        pytest.param(
            Request("s", {"x": A}),
            {"x": A, "z": B},
            {"s": {"x"}, "other": {"z"}},
            [],
            id="files of other sets stay",
        ),
        pytest.param(
            Request("s", {"x": A}), {}, {"s": {"x", "y"}}, [("x", "created")], id="gone by hand"
        ),
        pytest.param(
            Request("s", {"x": A}), {"x": A}, {}, [], id="foreign with the same content taken over"
        ),
        pytest.param(
            Request("s", {"x": A}, replace=frozenset({"x"})),
            {"x": Link("/elsewhere")},
            {},
            [("x", "updated")],
            id="foreign link, named in replace",
        ),
        pytest.param(
            Request("s", {}, absent=frozenset({"x"})),
            {"x": Link("/elsewhere")},
            {},
            [("x", "removed")],
            id="foreign link, named in absent",
        ),
        pytest.param(Request("s", {}, absent=frozenset({"x"})), {}, {}, [], id="absent already"),
        pytest.param(
            Request("s", {"x": File(None, 0o600, ME)}),
            {},
            {},
            [("x", "created")],
            id="content not known in check mode",
        ),
    ],
)
def test_decide(
    request_: Request,
    found: dict[str, Found],
    managed: dict[str, set[str]],
    expected: list[tuple[str, str]],
) -> None:
    changes = nginx.decide(request_, found, {k: frozenset(v) for k, v in managed.items()})
    assert [(change.path, change.action) for change in changes] == expected


@pytest.mark.parametrize(
    ("request_", "found", "managed", "words"),
    [
        (Request("s", {"x": A}), {"x": B}, {}, "x exists and was not written by this module"),
        (Request("s", {"x": A}), {"x": Link("y")}, {}, "x exists and was not written"),
        (Request("s", {"x": A}), {"x": A}, {"t": {"x"}}, "x belongs to the set 't'"),
        (
            Request("s", {"x": A}, replace=frozenset({"x"})),
            {"x": B},
            {"t": {"x"}},
            "x belongs to the set 't'",
        ),
        (Request("s", {}, absent=frozenset({"x"})), {"x": A}, {"t": {"x"}}, "belongs to the set"),
    ],
)
def test_decide_refuses_what_belongs_to_others(
    request_: Request, found: dict[str, Found], managed: dict[str, set[str]], words: str
) -> None:
    with pytest.raises(NginxError, match=words):
        nginx.decide(request_, found, {k: frozenset(v) for k, v in managed.items()})


@pytest.mark.parametrize("path", ["nginx.conf", "sites-enabled/a.conf", "a/b/c d"])
def test_paths_below_the_directory_are_taken(path: str) -> None:
    assert nginx.check_path(path) == path


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../x", "a//b", "a/", "./a", "a\nb"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(NginxError, match="not a path below the configuration directory"):
        nginx.check_path(path)


@pytest.mark.parametrize("name", ["", "Shop", "../x", "a b", "-a"])
def test_names_of_sets_are_plain(name: str) -> None:
    with pytest.raises(NginxError, match="cannot name a set"):
        nginx.check_request(Request(name, {}))


def test_wanted_and_absent_is_refused() -> None:
    with pytest.raises(NginxError, match="x: both wanted and absent"):
        nginx.check_request(Request("s", {"x": A}, absent=frozenset({"x"})))


def test_diff_shows_files_and_hides_secrets() -> None:
    changes = [
        Change("a", None, A),
        Change("k", KEY, text("other\n", 0o600)),
        Change("k2", text("was readable\n"), KEY),
        Change("l", Link("/elsewhere"), None),
        Change("u", None, File(None, 0o600, ME)),
    ]
    shown = nginx.diff(changes, "/etc/nginx")
    assert shown[0] == {
        "before_header": "/etc/nginx/a (absent)",
        "after_header": "/etc/nginx/a (mode 0644)",
        "before": "",
        "after": "a\n",
    }
    for secret in shown[1:3]:
        assert secret["before"].startswith("(secret, sha256 ")
        assert secret["before"] != secret["after"]
        assert "readable" not in str(secret)
        assert "key\n" not in str(secret)
    assert shown[3]["before"] == "symbolic link to /elsewhere\n"
    assert shown[4]["after"] == "(not made yet)\n"


# --- what nginx says --------------------------------------------------------------------------

TESTED = """\
nginx: [warn] conflicting server name "a" on 0.0.0.0:80, ignored
nginx: [emerg] unknown directive "nonsense" in /etc/nginx/sites-enabled/a.conf:3
nginx: configuration file /etc/nginx/nginx.conf test failed
"""
LOGGED = """\
2026/01/02 03:04:05 [notice] 12#12: signal process started
2026/01/02 03:04:05 [emerg] 12#12: bind() to 0.0.0.0:22 failed (98: Address already in use)
2026/01/02 03:04:05 [emerg] 12#12: bind() to 0.0.0.0:22 failed (98: Address already in use)
2026/01/02 03:04:07 [emerg] 12#12: still could not bind()
"""


@pytest.mark.parametrize(
    ("output", "levels", "expected"),
    [
        (
            TESTED,
            ["emerg"],
            ('unknown directive "nonsense" in /etc/nginx/sites-enabled/a.conf:3',),
        ),
        (TESTED, ["warn"], ('conflicting server name "a" on 0.0.0.0:80, ignored',)),
        (
            LOGGED,
            ["emerg"],
            (
                "bind() to 0.0.0.0:22 failed (98: Address already in use)",
                "still could not bind()",
            ),
        ),
        ("", ["emerg"], ()),
    ],
)
def test_messages(output: str, levels: list[str], expected: tuple[str, ...]) -> None:
    assert nginx.messages(output, levels) == expected


def test_hint_only_where_it_helps() -> None:
    assert "do not belong together" in nginx.hint("... key values mismatch)")
    assert nginx.hint('unknown directive "x"') == ""


OLD, OLD_LEAVING = Worker(1, 10, True), Worker(1, 10, False)
NEW, REUSED = Worker(2, 20, True), Worker(1, 30, True)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([OLD], [OLD], False),
        ([OLD], [OLD, NEW], False),
        ([OLD], [OLD_LEAVING], False),
        ([OLD], [], False),
        ([OLD], [OLD_LEAVING, NEW], True),
        ([OLD], [NEW], True),
        ([OLD], [REUSED], True),
        ([OLD_LEAVING], [OLD_LEAVING], False),
        ([], [NEW], True),
    ],
)
def test_turned_over(before: list[Worker], now: list[Worker], expected: bool) -> None:
    assert nginx.turned_over(before, now) is expected


# --- nginx under systemd ----------------------------------------------------------------------


class Host:
    """A /proc, an error log and a systemctl that a test makes up."""

    def __init__(self, path: Path) -> None:
        self.proc = path / "proc"
        self.proc.mkdir()
        self.log = path / "error.log"
        self.calls: list[Sequence[str]] = []
        self.on_reload: Callable[[], Answer] = lambda: Answer(0, "")
        self.process(1, 0, "/sbin/init")
        self.process(50, 1, "nginx: master process /usr/sbin/nginx")
        self.process(51, 50, "nginx: worker process")
        self.process(52, 50, "nginx: cache manager process")

    def process(self, pid: int, parent: int, title: str) -> None:
        directory = self.proc / str(pid)
        directory.mkdir(exist_ok=True)
        fields = ["S", str(parent), *["0"] * 17, str(pid * 100)]
        (directory / "stat").write_text(f"{pid} (ng) inx) {' '.join(fields)} 0 0\n")
        (directory / "cmdline").write_bytes(title.encode() + b"\0")

    def run(self, argv: Sequence[str], seconds: float) -> Answer:
        assert seconds > 0
        self.calls.append(argv)
        if argv[1] == "show":
            return Answer(0, "50\n")
        return self.on_reload() if argv[1] == "reload" else Answer(0, "")

    def nginx(self) -> SystemdNginx:
        return SystemdNginx(run=self.run, proc=self.proc, error_log=self.log, proof_seconds=0.2)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_workers_are_the_masters_children(host: Host) -> None:
    assert host.nginx().workers(50) == {Worker(51, 5100, True)}


def test_reload_returns_when_new_workers_serve(host: Host) -> None:
    def turn_over() -> Answer:
        host.process(51, 50, "nginx: worker process is shutting down")
        host.process(53, 50, "nginx: worker process")
        return Answer(0, "")

    host.on_reload = turn_over
    host.nginx().reload()


def test_reload_that_systemd_refuses(host: Host) -> None:
    host.on_reload = lambda: Answer(1, "nginx: [emerg] no such thing\n")
    with pytest.raises(NginxError, match="systemctl reload nginx` failed: no such thing"):
        host.nginx().reload()


def test_reload_that_the_master_gives_up(host: Host) -> None:
    host.log.write_text("2026/01/02 03:04:05 [emerg] 1#1: of yesterday\n")

    def give_up() -> Answer:
        with host.log.open("a") as log:
            log.write(LOGGED)
        return Answer(0, "")

    host.on_reload = give_up
    with pytest.raises(NginxError, match=r"bind\(\) to 0.0.0.0:22 failed .*still could not") as e:
        host.nginx().reload()
    assert "yesterday" not in str(e.value)


def test_reload_without_new_workers(host: Host) -> None:
    with pytest.raises(NginxError, match="no new workers"):
        host.nginx().reload()


def test_a_command_has_a_deadline() -> None:
    with pytest.raises(NginxError, match=r"`sleep 5` gave no answer within 0 s"):
        nginx.run_command(["sleep", "5"], 0.1)


def test_a_command_that_does_not_exist() -> None:
    with pytest.raises(NginxError, match="could not be run: No such file"):
        nginx.run_command(["/nonexistent/nginx"], 1)


# --- the transaction --------------------------------------------------------------------------


class FakeNginx:
    """Takes every configuration that does not say BROKEN; includes are not followed."""

    def __init__(self) -> None:
        self.is_installed = True
        self.is_active = True
        self.loaded: list[str] = []
        self.reload_errors: list[str | None] = []
        self.seen: list[dict[str, str]] = []
        self.root: Path | None = None

    def installed(self) -> bool:
        return self.is_installed

    def active(self) -> bool:
        return self.is_active

    def test(self, configuration: Path) -> Answer:
        tree = contents(configuration.parent)
        self.seen.append(tree)
        for path, content in tree.items():
            if "BROKEN" in content:
                where = configuration.parent / path
                return Answer(1, f'nginx: [emerg] unknown directive "BROKEN" in {where}:1\n')
            if "ODD" in content:
                return Answer(0, f"nginx: [warn] odd {configuration.parent / path}:1\n")
        return Answer(0, "nginx: configuration file test is successful\n")

    def reload(self) -> None:
        error = self.reload_errors.pop(0) if self.reload_errors else None
        if error:
            raise NginxError(error)
        assert self.root
        self.loaded.append(fingerprint(self.root))


def contents(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def fingerprint(root: Path) -> str:
    """Every path with its kind, mode, target, content and time of change."""
    lines = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        what = os.readlink(path) if path.is_symlink() else ""
        if stat.S_ISREG(status.st_mode):
            what = f"{path.read_text()} {status.st_mtime_ns}"
        lines.append(f"{path.relative_to(root)} {status.st_mode:o} {what}")
    return "\n".join(lines)


class Tree:
    def __init__(self, path: Path) -> None:
        self.root = path / "nginx"
        self.state = path / "state"
        self.nginx = FakeNginx()
        self.nginx.root = self.root
        for directory in ("conf.d", "sites-enabled", "sites-available"):
            (self.root / directory).mkdir(parents=True)
        (self.root / "nginx.conf").write_text("distribution\n")
        (self.root / "conf.d/other.conf").write_text(f"include {self.root}/mime.types;\n")
        (self.root / "sites-available/default").write_text("default\n")
        (self.root / "sites-enabled/default").symlink_to(self.root / "sites-available/default")

    def apply(
        self, name: str = "s", check: bool = False, reload: bool = True, **files: File | str
    ) -> nginx.Outcome:
        return self.request(Request(name, self.files(files)), check=check, reload=reload)

    @staticmethod
    def files(files: dict[str, File | str]) -> dict[str, File]:
        return {
            f"sites-enabled/{key}.conf": text(value) if isinstance(value, str) else value
            for key, value in files.items()
        }

    def request(
        self, request: Request, *, check: bool = False, reload: bool = True
    ) -> nginx.Outcome:
        transaction = Transaction(self.root, self.state, self.nginx)
        return transaction.apply(request, check=check, reload=reload)

    @property
    def leftovers(self) -> list[str]:
        hidden = [path.name for path in self.root.rglob(".*")]
        state = [path.name for path in self.state.iterdir() if path.name not in ("sets", "lock")]
        return hidden + state


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_new_set_is_tested_switched_and_reloaded(tree: Tree) -> None:
    outcome = tree.apply(a="a\n", b="b\n")
    assert [change.action for change in outcome.changes] == ["created", "created"]
    assert (outcome.changed, outcome.tested, outcome.reloaded) == (True, True, True)
    assert (tree.root / "sites-enabled/a.conf").read_text() == "a\n"
    assert len(tree.nginx.seen) == len(tree.nginx.loaded) == 1
    assert tree.nginx.loaded == [fingerprint(tree.root)]
    assert tree.leftovers == []


def test_nothing_to_do_costs_no_test_and_no_reload(tree: Tree) -> None:
    tree.apply(a="a\n")
    before = fingerprint(tree.root)
    outcome = tree.apply(a="a\n")
    assert (outcome.changed, outcome.tested, outcome.reloaded) == (False, False, False)
    assert fingerprint(tree.root) == before
    assert len(tree.nginx.seen) == 1


def test_the_whole_tree_is_tested_with_its_own_absolute_paths(tree: Tree) -> None:
    tree.apply(a=f"ssl_certificate {tree.root}/certificates/a.pem;\n")
    [seen] = tree.nginx.seen
    assert f"{tree.root}/" not in "".join(seen.values())
    assert seen["conf.d/other.conf"].endswith("/nginx/mime.types;\n")
    assert seen["sites-enabled/default"].endswith("/sites-available/default")
    live = (tree.root / "sites-enabled/a.conf").read_text()
    assert live == f"ssl_certificate {tree.root}/certificates/a.pem;\n"


def test_refused_by_nginx_leaves_everything(tree: Tree) -> None:
    tree.apply(a="a\n")
    before = fingerprint(tree.root)
    words = f'unknown directive "BROKEN" in {tree.root}/sites-enabled/b.conf:1'
    with pytest.raises(NginxError, match=words):
        tree.apply(a="changed\n", b="BROKEN\n")
    assert fingerprint(tree.root) == before
    assert tree.leftovers == []
    assert tree.apply(a="changed\n").reloaded


def test_a_failed_reload_puts_the_previous_files_back(tree: Tree) -> None:
    tree.apply(a="a\n", gone="gone\n")
    before = fingerprint(tree.root)
    tree.nginx.reload_errors = ["still could not bind()"]
    with pytest.raises(NginxError, match=r"did not load.*could not bind.*previous files are back"):
        tree.request(Request("s", {"sites-enabled/a.conf": B, "new/deep/b.conf": B}))
    assert fingerprint(tree.root) == before
    assert tree.nginx.loaded[-1] == before
    assert tree.leftovers == []
    assert tree.apply(a="b\n").reloaded


def test_a_failed_reload_that_stays_failed_says_so(tree: Tree) -> None:
    before = fingerprint(tree.root)
    tree.nginx.reload_errors = ["first", "second"]
    with pytest.raises(NginxError, match=r"first.*could not be reloaded either: second"):
        tree.apply(a="a\n")
    assert fingerprint(tree.root) == before


def test_two_sets_do_not_touch_each_other(tree: Tree) -> None:
    tree.apply("one", a="a\n")
    tree.apply("two", b="b\n")
    assert tree.apply("one", a="a\n").changed is False
    outcome = tree.apply("two")
    assert [change.path for change in outcome.changes] == ["sites-enabled/b.conf"]
    assert (tree.root / "sites-enabled/a.conf").exists()
    assert not (tree.state / "sets/two.json").exists()


def test_replaced_and_absent_files_of_the_distribution(tree: Tree) -> None:
    request = Request(
        "main",
        {"nginx.conf": text("ours\n")},
        absent=frozenset({"sites-enabled/default"}),
        replace=frozenset({"nginx.conf"}),
    )
    outcome = tree.request(request)
    assert [change.action for change in outcome.changes] == ["updated", "removed"]
    assert (tree.root / "sites-available/default").exists()
    assert not tree.request(request).changed


def test_secrets_are_written_for_root_only(tree: Tree) -> None:
    tree.apply(a=text("key\n", 0o600))
    assert stat.S_IMODE((tree.root / "sites-enabled/a.conf").stat().st_mode) == 0o600
    assert stat.S_IMODE(tree.state.stat().st_mode) == 0o700


def test_check_mode_tests_and_changes_nothing(tree: Tree) -> None:
    before = fingerprint(tree.root)
    outcome = tree.apply(check=True, a="a\n")
    assert (outcome.changed, outcome.tested, outcome.reloaded) == (True, True, False)
    with pytest.raises(NginxError, match="BROKEN"):
        tree.apply(check=True, a="BROKEN\n")
    assert fingerprint(tree.root) == before
    assert not tree.state.exists()
    assert tree.nginx.loaded == []


def test_check_mode_before_nginx_is_installed(tmp_path: Path) -> None:
    fake = FakeNginx()
    fake.is_installed = False
    transaction = Transaction(tmp_path / "none", tmp_path / "state", fake)
    outcome = transaction.apply(Request("s", {"x": A}), check=True)
    assert (outcome.changed, outcome.tested) == (True, False)
    assert outcome.warnings == ("The configuration was not tested: no nginx yet.",)
    with pytest.raises(NginxError, match="nginx is not installed"):
        transaction.apply(Request("s", {"x": A}))


def test_check_mode_with_a_file_that_is_not_made_yet(tree: Tree) -> None:
    outcome = tree.apply(check=True, a=File(None, 0o600, ME))
    assert (outcome.changed, outcome.tested) == (True, False)
    assert "sites-enabled/a.conf cannot be read yet" in outcome.warnings[0]


def test_a_stopped_nginx_is_not_reloaded(tree: Tree) -> None:
    tree.nginx.is_active = False
    assert tree.apply(a="a\n").reloaded is False
    tree.nginx.is_active = True
    assert tree.apply(reload=False, a="b\n").reloaded is False
    assert tree.nginx.loaded == []


def test_warnings_of_nginx_are_passed_on(tree: Tree) -> None:
    outcome = tree.apply(a="ODD\n")
    assert outcome.warnings == (f"nginx warns: odd {tree.root}/sites-enabled/a.conf:1",)


@pytest.mark.parametrize("step", ["_write_undo", "_reload", "_forget_undo"])
def test_a_run_that_is_cut_off_is_undone_by_the_next(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    tree.apply(a="a\n")
    before = fingerprint(tree.root)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, step, killed)
        with pytest.raises(KeyboardInterrupt):
            tree.apply(a="changed\n", b="b\n")
    if step != "_write_undo":
        assert tree.apply(check=True, a="changed\n", b="b\n").recovered
        outcome = tree.apply(a="a\n")
        assert (outcome.recovered, outcome.changed, outcome.reloaded) == (True, True, True)
        assert "cut off" in outcome.warnings[0]
    assert fingerprint(tree.root) == before
    assert tree.leftovers == []
    assert tree.apply(a="changed\n").changed


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_full_disk_changes_nothing(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    tree.apply(a="a\n")
    before = fingerprint(tree.root)
    calls = iter(range(10))
    synced = os.fsync

    def full(descriptor: int) -> None:
        if next(calls) == failing:
            raise OSError(28, "No space left on device")
        synced(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NginxError, match="No space left on device"):
            tree.request(Request("s", {"sites-enabled/a.conf": B, "new/b.conf": B}))
    assert fingerprint(tree.root) == before
    assert tree.apply(a="b\n").changed
    assert tree.leftovers == []


def test_a_rename_that_fails_is_undone(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.apply(a="a\n", b="b\n")
    before = fingerprint(tree.root)
    rename = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if self.name == ".b.conf.candidate":
            raise OSError(5, "Input/output error", str(target))
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", broken)
        with pytest.raises(NginxError, match="Input/output error"):
            tree.apply(a="A\n", b="B\n")
    assert fingerprint(tree.root) == before
    assert tree.leftovers == []


def test_directories_that_are_links_are_not_written_through(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree.root / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NginxError, match="linked is no directory"):
        tree.request(Request("s", {"linked/a.conf": A}))


def test_a_directory_in_the_way_is_refused(tree: Tree) -> None:
    with pytest.raises(NginxError, match="neither a file nor a link"):
        tree.request(Request("s", {"conf.d": A}))


def test_a_second_run_waits_for_the_first(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx, "LOCK_SECONDS", 0.1)
    transaction = Transaction(tree.root, tree.state, tree.nginx)
    with transaction._locked(), pytest.raises(NginxError, match="has been under way"):
        tree.apply(a="a\n")
