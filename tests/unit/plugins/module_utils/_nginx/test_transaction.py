# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transaction on a directory, with an nginx that a test makes up."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import undo
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx import store
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.authority import Authority
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    File,
    NginxError,
    Request,
    SelfSigned,
    Signing,
    diff,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.service import Answer
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.store import Store
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.transaction import (
    Outcome,
    Transaction,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.vhosts import Vhost

RECOVER = Path(__file__).parents[5] / "roles" / "nginx" / "files" / "nginx_recover.py"
ME = (os.geteuid(), os.getegid())


def text(content: str, mode: int = 0o644) -> File:
    return File(content.encode(), mode, ME)


A, B = text("a\n"), text("b\n")


class FakeNginx:
    """Takes every configuration that does not say BROKEN; includes are not followed."""

    def __init__(self) -> None:
        self.is_installed = True
        self.is_active = True
        self.is_enabled = True
        self.loaded: list[str] = []
        self.asked: list[set[str]] = []
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
            if "TAKEN" in content:
                warned = 'nginx: [warn] conflicting server name "a.test" on 0.0.0.0:80, ignored\n'
                return Answer(0, warned + self.dump(configuration, tree))
        return Answer(0, self.dump(configuration, tree))

    @staticmethod
    def dump(configuration: Path, tree: dict[str, str]) -> str:
        parts = {str(configuration.parent / p): tree[p] for p in tree if p.endswith(".conf")}
        files = {str(configuration): "", **parts}
        files[str(configuration)] = "http { include sites-enabled/*.conf; }"
        return "".join(f"# configuration file {path}:\n{files[path]}\n" for path in files)

    def enabled(self) -> bool:
        return self.is_enabled

    def enable(self) -> None:
        self.is_enabled = True

    def start(self, served: Iterable[Vhost]) -> None:
        assert not self.is_active
        self.reload(served)
        self.is_active = True

    def reload(self, served: Iterable[Vhost]) -> None:
        self.asked.append({vhost.name for vhost in served})
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
    ) -> Outcome:
        return self.request(Request(name, self.files(files)), check=check, reload=reload)

    @staticmethod
    def files(files: dict[str, File | str]) -> dict[str, File]:
        return {
            f"sites-enabled/{key}.conf": text(value) if isinstance(value, str) else value
            for key, value in files.items()
        }

    def request(self, request: Request, *, check: bool = False, reload: bool = True) -> Outcome:
        transaction = Transaction(self.root, self.state, self.nginx)
        return transaction.apply(request, check=check, reload=reload)

    @property
    def leftovers(self) -> list[str]:
        hidden = [path.name for path in self.root.rglob(".*")]
        state = [path.name for path in self.state.iterdir() if path.name != "sets"]
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
    with pytest.raises(NginxError, match=rf"{words} Nothing was changed\.$"):
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


@pytest.mark.usefixtures("strict_umask")
def test_directories_are_for_everybody_to_enter(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.state = tree.state / "deeper" / "nginx"
    tree.request(Request("s", {"new/a.conf": text("a\n")}))
    shared = (tree.root / "new", tree.state.parent)
    assert [stat.S_IMODE(path.stat().st_mode) for path in shared] == [0o755, 0o755]
    # and where one was removed by hand before a change is undone
    tree.nginx.reload_errors = ["no", ""]
    tree.nginx.reload = remove_first(tree, tree.nginx.reload)  # type: ignore[method-assign]
    with pytest.raises(NginxError):
        tree.request(Request("s", {"new/a.conf": text("b\n")}))
    assert (tree.root / "new" / "a.conf").read_text() == "a\n"
    assert stat.S_IMODE((tree.root / "new").stat().st_mode) == 0o755


def remove_first(tree: Tree, reload: Any) -> Any:
    def done(served: Iterable[Vhost]) -> None:
        if tree.nginx.reload_errors[:1] == ["no"]:
            shutil.rmtree(tree.root / "new")
        reload(served)

    return done


def test_secrets_are_written_for_root_only(tree: Tree) -> None:
    tree.apply(a=text("key\n", 0o600))
    assert stat.S_IMODE((tree.root / "sites-enabled/a.conf").stat().st_mode) == 0o600
    assert stat.S_IMODE(tree.state.stat().st_mode) == 0o700


def passwords(tree: Tree, content: str, check: bool = False, **files: str) -> Outcome:
    """A set of sites, with a file that workers read if it has content."""
    wanted: dict[str, File] = dict(tree.files(dict(files)))
    if content:
        wanted["htpasswd/a"] = File(content.encode(), 0o640, ME, workers=True)
    return tree.request(Request("s", wanted), check=check)


def test_what_workers_read_is_for_their_group_only(tree: Tree) -> None:
    passwords(tree, "joe:1\n", a="a\n")
    directory = tree.root / "htpasswd"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o750
    assert stat.S_IMODE((directory / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((tree.root / "sites-enabled").stat().st_mode) == 0o755


@pytest.mark.parametrize("mode", [0o700, 0o640])
def test_directories_that_workers_cannot_enter_are_opened(tree: Tree, mode: int) -> None:
    passwords(tree, "joe:1\n", a="a\n")
    directory = tree.root / "htpasswd"
    directory.chmod(mode)
    outcome = passwords(tree, "joe:1\n", check=True, a="a\n")
    assert (outcome.changed, outcome.opened) == (True, ("htpasswd",))
    assert stat.S_IMODE(directory.stat().st_mode) == mode
    [shown] = diff(outcome.changes, "/etc/nginx", outcome.opened)
    assert shown["before"] == "directory that workers cannot enter\n"
    outcome = passwords(tree, "joe:1\n", a="a\n")
    assert (outcome.opened, outcome.reloaded) == (("htpasswd",), False)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o750
    assert not passwords(tree, "joe:1\n", a="a\n").changed


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_directories_of_another_group_are_opened(tree: Tree) -> None:
    passwords(tree, "joe:1\n", a="a\n")
    directory = tree.root / "htpasswd"
    os.chown(directory, 0, 12345)
    assert passwords(tree, "joe:1\n", a="a\n").opened == ("htpasswd",)
    assert directory.stat().st_gid == ME[1]
    directory.chmod(0o755)
    os.chown(directory, 0, 12345)
    assert not passwords(tree, "joe:1\n", a="a\n").changed


def test_what_workers_read_is_not_loaded(tree: Tree) -> None:
    passwords(tree, "joe:1\n", a="a\n")
    for check in (True, False):
        outcome = passwords(tree, "joe:2\n", check=check, a="a\n")
        assert (outcome.changed, outcome.tested, outcome.reloaded) == (True, False, False)
    assert contents(tree.root)["htpasswd/a"] == "joe:2\n"
    assert not passwords(tree, "joe:2\n", a="a\n").changed
    assert passwords(tree, "joe:3\n", a="b\n").reloaded
    assert tree.leftovers == []


def test_what_workers_read_is_removed_after_they_are_gone(tree: Tree) -> None:
    passwords(tree, "joe:1\n", a="a\n")
    seen: list[bool] = []
    load = tree.nginx.reload

    def reload(served: Iterable[Vhost]) -> None:
        seen.append((tree.root / "htpasswd/a").exists())
        load(served)

    tree.nginx.reload = reload  # type: ignore[method-assign]
    before = fingerprint(tree.root)
    tree.nginx.reload_errors = ["no"]
    with pytest.raises(NginxError):
        passwords(tree, "", a="b\n")
    assert fingerprint(tree.root) == before
    passwords(tree, "", a="b\n")
    assert seen == [True, True, True]
    assert not (tree.root / "htpasswd/a").exists()
    assert tree.leftovers == []


def test_a_mode_says_nothing_of_who_reads_a_file(tree: Tree) -> None:
    """A copy keeps its source's mode, and a host may be hardened."""
    with pytest.raises(NginxError, match="BROKEN"):
        tree.apply(a=text("BROKEN\n", 0o640))
    assert tree.apply(a=text("a\n", 0o640), b="b\n").reloaded
    assert tree.apply(a=text("changed\n", 0o640), b="b\n").reloaded
    (tree.root / "sites-enabled/b.conf").chmod(0o640)
    seen: list[bool] = []
    load = tree.nginx.reload

    def reload(served: Iterable[Vhost]) -> None:
        seen.append((tree.root / "sites-enabled/b.conf").exists())
        load(served)

    tree.nginx.reload = reload  # type: ignore[method-assign]
    outcome = tree.apply(a=text("changed\n", 0o640))
    assert (outcome.tested, outcome.reloaded, seen) == (True, True, [False])
    (tree.root / "sites-enabled/default").unlink()
    (tree.root / "sites-enabled/default").write_text("default\n")
    (tree.root / "sites-enabled/default").chmod(0o640)
    absent = Request("main", {}, absent=frozenset({"sites-enabled/default"}))
    assert tree.request(absent).reloaded


def test_what_workers_read_is_known_whatever_its_mode_is(tree: Tree) -> None:
    passwords(tree, "joe:1\n", a="a\n")
    (tree.root / "htpasswd/a").chmod(0o644)
    outcome = passwords(tree, "joe:2\n", a="a\n")
    assert (outcome.changed, outcome.reloaded) == (True, False)
    (tree.root / "htpasswd/a").chmod(0o644)
    removed = passwords(tree, "", check=True, a="a\n")
    assert "joe" not in str(diff(removed.changes, "/etc/nginx"))
    # of a version that has not noted it, it counts as all others
    manifest = tree.state / "sets/s.json"
    manifest.write_text(json.dumps({"paths": json.loads(manifest.read_text())["paths"]}))
    assert passwords(tree, "joe:3\n", a="a\n").reloaded


SHOP = SelfSigned("shop", ("DNS:shop.test",))
SHOPS_FILES = {f"certificates/shop.{ending}" for ending in ("pem", "key", "trust.pem")}


def signed(tree: Tree, name: str = "s", check: bool = False, **files: File | str) -> Outcome:
    signing = Signing("CA of app1", 90, (SHOP,), ME)
    return tree.request(Request(name, tree.files(files), signing=signing), check=check)


def made(tree: Tree) -> list[str]:
    """What the CA of the host has made."""
    found = (tree.state.rglob("*.pem"), tree.state.rglob("*.key"))
    return sorted(path.name for paths in found for path in paths)


def test_certificates_are_signed_where_they_are_due(tree: Tree) -> None:
    predicted = signed(tree, check=True)
    assert not tree.state.exists()
    assert "certificates/shop.pem" in predicted.warnings[0]
    outcome = signed(tree)
    assert {change.path for change in outcome.changes} == SHOPS_FILES
    assert {change.path for change in predicted.changes} == SHOPS_FILES
    assert {contents(tree.root)[path][:11] for path in SHOPS_FILES} == {"-----BEGIN "}
    assert len(made(tree)) == 4
    assert not signed(tree).changed
    # a set without it owns them no more
    assert {change.path for change in tree.apply().changes} == SHOPS_FILES


def test_a_site_may_have_the_name_of_what_an_interrupted_run_leaves(tree: Tree) -> None:
    signing = Signing("CA", 90, (SelfSigned("staged-shop", ("DNS:shop.test",)),), ME)
    request = Request("s", {}, signing=signing)
    tree.request(request)
    (tree.state / "staged-1234" / "nginx").mkdir(parents=True)
    assert not tree.request(request).changed
    assert not (tree.state / "staged-1234").exists()


@pytest.mark.parametrize("refused", ["name", "foreign", "nginx"])
def test_nothing_is_signed_for_what_is_refused(tree: Tree, refused: str) -> None:
    tree.state.mkdir(mode=0o700)
    tree.nginx.is_installed = refused != "nginx"
    files: dict[str, File | str] = {}
    if refused == "foreign":
        (tree.root / "sites-enabled/a.conf").write_text("somebody's\n")
        files = {"a": "ours\n"}
    with pytest.raises(NginxError):
        signed(tree, "NO GOOD" if refused == "name" else "s", **files)
    assert made(tree) == []


def test_what_was_signed_is_not_said_to_be_nothing(tree: Tree) -> None:
    with pytest.raises(NginxError, match="BROKEN") as error:
        signed(tree, a="BROKEN\n")
    assert "Nothing was changed" not in str(error.value)
    assert contents(tree.root).keys().isdisjoint(SHOPS_FILES)


def test_a_full_disk_leaves_no_certificate_half_signed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(NginxError, match=r"No space left on device\. The config.* as it was"):
            signed(tree)
    assert tree.leftovers == []
    assert signed(tree).changed


def test_check_mode_of_a_renewal(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the run after it does: another certificate, the same key, and the whole is tested."""
    signed(tree)
    with monkeypatch.context() as patch:
        patch.setattr(Authority, "due", lambda _self, wanted: list(wanted))
        outcome = signed(tree, check=True)
        assert [change.path for change in outcome.changes] == ["certificates/shop.pem"]
        assert (outcome.tested, outcome.warnings) == (True, ())
        assert tree.nginx.seen[-1].keys() >= SHOPS_FILES
        [shown] = diff(outcome.changes, "/etc/nginx")
        assert shown["after"] == "(not made yet)\n"
        with pytest.raises(NginxError, match="BROKEN"):
            signed(tree, check=True, a="BROKEN\n")
        outcome = signed(tree)
    assert [change.path for change in outcome.changes] == ["certificates/shop.pem"]


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


def started(tree: Tree, content: str = "a\n", check: bool = False) -> Outcome:
    files = {"sites-enabled/a.conf": text(content)}
    return tree.request(Request("s", files, started=True), check=check)


@pytest.mark.parametrize(
    ("active", "enabled", "expected"),
    [
        (True, True, (False, False, False)),
        (True, False, (True, False, True)),
        (False, True, (True, True, False)),
        (False, False, (True, True, True)),
    ],
)
def test_one_that_has_to_run_is_started_and_enabled(
    tree: Tree, active: bool, enabled: bool, expected: tuple[bool, ...]
) -> None:
    tree.apply(a="a\n")
    tree.nginx.is_active, tree.nginx.is_enabled = active, enabled
    for check in (True, False):
        outcome = started(tree, check=check)
        assert (outcome.changed, outcome.started, outcome.enabled) == expected
        assert outcome.reloaded is False
    assert (tree.nginx.is_active, tree.nginx.is_enabled) == (True, True)
    assert len(tree.nginx.loaded) == (1 if active else 2)
    assert not started(tree).changed


def test_one_that_is_not_installed_is_not_started_in_check_mode(tree: Tree) -> None:
    tree.nginx.is_installed = tree.nginx.is_active = tree.nginx.is_enabled = False
    outcome = started(tree, check=True)
    assert (outcome.changed, outcome.started, outcome.enabled) == (True, False, False)


def test_one_that_does_not_start_gets_the_previous_files_back(tree: Tree) -> None:
    tree.apply(a="a\n")
    before = fingerprint(tree.root)
    tree.nginx.is_active, tree.nginx.is_enabled = False, False
    tree.nginx.reload_errors = ["bind() failed"]
    with pytest.raises(NginxError, match=r"did not start with .*bind.*previous files are back\.$"):
        started(tree, "changed\n")
    assert fingerprint(tree.root) == before
    assert tree.nginx.is_enabled is False
    assert tree.leftovers == []


def test_one_that_cannot_be_enabled_runs_with_the_new_files(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def masked() -> None:
        raise NginxError("`systemctl enable nginx` failed: masked.")

    tree.nginx.is_active, tree.nginx.is_enabled = False, False
    monkeypatch.setattr(tree.nginx, "enable", masked)
    with pytest.raises(NginxError, match=r"masked\. nginx runs with the files of this run, but"):
        started(tree)
    assert contents(tree.root)["sites-enabled/a.conf"] == "a\n"


def test_one_that_started_and_does_not_answer_is_reloaded_with_the_previous_files(
    tree: Tree,
) -> None:
    tree.apply(a="a\n")
    before = fingerprint(tree.root)
    tree.nginx.is_active = False

    def start(served: Iterable[Vhost]) -> None:
        tree.nginx.is_active = True
        raise NginxError("no answer")

    tree.nginx.start = start  # type: ignore[method-assign]
    with pytest.raises(NginxError, match=r"did not load .*no answer.*serves the previous"):
        started(tree, "changed\n")
    assert tree.nginx.loaded[-1] == before == fingerprint(tree.root)


def test_the_sets_that_a_host_has_afterwards(tree: Tree) -> None:
    assert tree.apply("one", a="a\n", check=True).sets == ("one",)
    assert tree.apply("one", a="a\n").sets == ("one",)
    assert tree.apply("two", b="b\n").sets == ("one", "two")
    assert tree.apply("one").sets == ("two",)


def test_warnings_of_nginx_are_passed_on(tree: Tree) -> None:
    outcome = tree.apply(a="ODD\n")
    assert outcome.warnings == (f"nginx warns: odd {tree.root}/sites-enabled/a.conf:1",)


@pytest.mark.parametrize("step", ["_write_undo", "_load", "sweep", "forget_undo"])
def test_a_run_that_is_cut_off_is_undone_by_the_next(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    tree.apply(a="a\n")
    before = fingerprint(tree.root)

    def killed(*_: object, **_how: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Transaction if step == "_load" else Store, step, killed)
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


def recover(tree: Tree) -> str:
    """What the program says that systemd runs before nginx starts."""
    command = [sys.executable, "-I", str(RECOVER), str(tree.root), str(tree.state)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# the first rename is that of the record: before it there is nothing to undo
@pytest.mark.parametrize("rename", range(2, 6))
def test_a_run_that_is_killed_is_undone_before_nginx_starts(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, rename: int
) -> None:
    tree.apply(a="a\n", old="old\n")
    before = fingerprint(tree.root)
    wanted = {"sites-enabled/a.conf": text("new\n"), "new/deep/b.conf": B, "conf.d/c.conf": A}
    renamed, calls = Path.rename, iter(range(1, 100))

    def killed(path: Path, target: Path) -> Path:
        if next(calls) == rename:
            os._exit(9)
        return renamed(path, target)

    child = os.fork()
    if not child:
        monkeypatch.setattr(Path, "rename", killed)
        tree.request(Request("s", wanted))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert fingerprint(tree.root) != before
    assert "is undone" in recover(tree)
    assert fingerprint(tree.root) == before
    assert tree.leftovers == []
    assert recover(tree) == ""


def test_a_run_that_goes_on_is_left_to_undo_itself(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.apply(a="a\n")
    monkeypatch.setattr(Transaction, "_load", lambda *_, **_how: said.append(recover(tree)))
    said: list[str] = []
    assert tree.apply(a="changed\n").changed
    assert said == [""]
    assert contents(tree.root)["sites-enabled/a.conf"] == "changed\n"


def test_where_nothing_was_ever_changed_nothing_is_undone(tree: Tree) -> None:
    before = fingerprint(tree.root)
    assert recover(tree) == ""
    assert fingerprint(tree.root) == before


def test_a_power_cut_finds_the_way_back_or_the_whole(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.apply(a="a\n")
    old = contents(tree.root)
    moments: list[tuple[str, bool, dict[str, str]]] = []

    def sync(path: Path) -> None:
        moments.append((path.name, (tree.state / "undo").exists(), contents(tree.root)))

    monkeypatch.setattr(store, "sync_filesystem", sync)
    monkeypatch.setattr(undo, "sync_directory", sync)
    tree.apply(a="changed\n")
    candidate = {"sites-enabled/.a.conf.candidate": "changed\n"}
    assert moments == [
        ("undo.unready", False, old | candidate),  # its files
        ("undo.unready", False, old | candidate),  # and their names
        ("state", True, old | candidate),
        ("nginx", True, contents(tree.root)),
        # what is done is not undone at the next boot
        ("state", False, contents(tree.root)),
    ]


def test_what_was_put_back_is_tested_before_it_is_loaded(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.apply(a="a\n")
    loaded = list(tree.nginx.loaded)

    def killed(*_: object, **_how: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "_load", killed)
        with pytest.raises(KeyboardInterrupt):
            tree.apply(a="changed\n")
    (tree.state / "undo" / "0").write_text("BROKEN\n")
    with pytest.raises(NginxError, match="unknown directive") as refused:
        tree.apply(a="BROKEN\n")
    assert tree.nginx.loaded == loaded
    assert "Nothing was changed" not in str(refused.value)


MAY_HAVE_CHANGED = r"No space left on device\. The configuration may have been changed; run this"


def full_disk(*_arguments: object, **_options: object) -> None:
    raise OSError(28, "No space left on device", "nginx.conf")


def no_rename_of_b(path: Path, target: Path, rename: Any = Path.rename) -> Any:
    if path.name == ".b.conf.candidate":
        raise OSError(5, "Input/output error", str(target))
    return rename(path, target)


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
        with pytest.raises(
            NginxError, match=r"No space left on device\. The config.* is as it was\."
        ):
            tree.request(Request("s", {"sites-enabled/a.conf": B, "new/b.conf": B}))
    assert fingerprint(tree.root) == before
    assert tree.apply(a="b\n").changed
    assert tree.leftovers == []


@pytest.mark.parametrize("step", ["forget_undo", "write_manifest"])
def test_a_disk_that_is_full_after_the_switch_may_have_changed_something(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, step, full_disk)
        with pytest.raises(NginxError, match=MAY_HAVE_CHANGED):
            tree.apply(a="a\n")
    assert contents(tree.root)["sites-enabled/a.conf"] == "a\n"
    assert len(tree.nginx.loaded) == 1
    tree.apply(a="a\n")
    assert tree.apply().changed
    assert tree.leftovers == []


@pytest.mark.parametrize("failing", ["switch", "reload"])
def test_a_disk_that_is_full_on_the_way_back_may_have_changed_something(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    tree.apply(a="a\n", b="b\n")
    before = contents(tree.root)
    tree.nginx.reload_errors = ["refused"]
    with monkeypatch.context() as patch:
        patch.setattr(Store, "restore", full_disk)
        if failing == "switch":
            patch.setattr(Path, "rename", no_rename_of_b)
        with pytest.raises(NginxError, match=MAY_HAVE_CHANGED):
            tree.apply(a="A\n", b="B\n")
        with pytest.raises(NginxError, match=MAY_HAVE_CHANGED):
            tree.apply(a="A\n", b="B\n")
    assert contents(tree.root) != before
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", no_rename_of_b)
        with pytest.raises(NginxError, match=r"Input/output error\. .* may have been changed"):
            tree.apply(a="A\n", b="B\n")
    assert contents(tree.root) == before


def test_no_room_for_the_copy_changes_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(tree.root)

    with monkeypatch.context() as patch:
        # What copytree could not copy is told at its end, as a list.
        patch.setattr(shutil, "copyfile", full_disk)
        with pytest.raises(NginxError, match=r"/staged-.*: No space left on device. The config"):
            tree.apply(a="a\n")
    assert fingerprint(tree.root) == before
    assert tree.apply(a="a\n").changed
    assert tree.leftovers == []


def test_a_rename_that_fails_is_undone(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.apply(a="a\n", b="b\n")
    before = fingerprint(tree.root)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", no_rename_of_b)
        with pytest.raises(NginxError, match=r"Input/output error\. The config.* is as it was\."):
            tree.apply(a="A\n", b="B\n")
    assert fingerprint(tree.root) == before
    assert tree.leftovers == []


def test_directories_that_are_links_are_not_written_through(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree.root / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NginxError, match="linked is not a directory"):
        tree.request(Request("s", {"linked/a.conf": A}))


def test_a_directory_in_the_way_is_refused(tree: Tree) -> None:
    with pytest.raises(NginxError, match="neither a file nor a link"):
        tree.request(Request("s", {"conf.d": A}))


def test_a_second_run_waits_for_the_first(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.1)
    first = Transaction(tree.root, tree.state, tree.nginx)
    with first._store.locked(), pytest.raises(NginxError, match="has been under way"):
        tree.apply(a="a\n")


SERVER = "server {{ server_name {}; }}"


def test_each_vhost_of_the_whole_configuration_is_asked_after_the_one_reload(tree: Tree) -> None:
    tree.apply("other", old=SERVER.format("old.test"))
    names = [f"new{number}.test" for number in range(10)]
    tree.apply(**{name.partition(".")[0]: SERVER.format(name) for name in names})
    assert tree.nginx.asked == [{"old.test"}, {"old.test", *names}]
    assert len(tree.nginx.seen) == 2


def test_a_name_that_another_server_has_is_refused(tree: Tree) -> None:
    tree.apply("other", old=SERVER.format("a.test"))
    before = fingerprint(tree.root)
    with pytest.raises(NginxError, match=r"conflicting server name \"a.test\" .*/new\.conf\."):
        tree.apply(new=SERVER.format("a.test") + " # TAKEN")
    assert fingerprint(tree.root) == before


def test_names_that_others_have_twice_are_only_warned_of(tree: Tree) -> None:
    (tree.root / "sites-enabled/theirs.conf").write_text(SERVER.format("a.test") + " # TAKEN")
    outcome = tree.apply(new=SERVER.format("b.test"))
    assert outcome.reloaded
    assert "conflicting server name" in outcome.warnings[0]
