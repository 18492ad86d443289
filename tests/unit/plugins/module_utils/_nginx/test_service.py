# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx says, and the proof of a reload, without nginx."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx import service
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import NginxError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.service import (
    Answer,
    SystemdNginx,
    Worker,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.vhosts import Vhost

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
    assert service.messages(output, levels) == expected


@pytest.mark.usefixtures("strict_umask")
def test_log_files_that_a_test_makes_can_be_read_by_whoever_ships_them_and_by_no_app() -> None:
    assert service.run_command(["sh", "-c", "umask"], 30.0).output == "0027\n"
    if os.geteuid() == 0:
        assert service.run_command(["id", "-gn"], 30.0).output == "adm\n"


def test_hint_only_where_it_helps() -> None:
    assert "do not belong together" in service.hint("... key values mismatch)")
    assert service.hint('unknown directive "x"') == ""


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
    assert service.turned_over(before, now) is expected


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
        return self.on_reload() if argv[1] in ("reload", "start") else Answer(0, "")

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
    host.nginx().reload(())


def test_each_vhost_is_asked_when_new_workers_serve(host: Host) -> None:
    vhost = Vhost("a.test", (), (), "/etc/nginx/a.conf")

    def turn_over() -> Answer:
        host.process(51, 50, "nginx: worker process is shutting down")
        host.process(53, 50, "nginx: worker process")
        return Answer(0, "")

    def ask(served: Iterable[Vhost]) -> None:
        assert {worker.pid for worker in host.nginx().workers(50) if worker.serving} == {53}
        raise NginxError(" ".join(vhost.name for vhost in served))

    host.on_reload = turn_over
    nginx = SystemdNginx(run=host.run, proc=host.proc, error_log=host.log, ask=ask)
    with pytest.raises(NginxError, match=r"^a\.test$"):
        nginx.reload([vhost])


def test_reload_that_systemd_refuses(host: Host) -> None:
    host.on_reload = lambda: Answer(1, "nginx: [emerg] no such thing\n")
    with pytest.raises(NginxError, match="systemctl reload nginx` failed: no such thing"):
        host.nginx().reload(())


def test_reload_that_the_master_gives_up(host: Host) -> None:
    host.log.write_text("2026/01/02 03:04:05 [emerg] 1#1: of yesterday\n")

    def give_up() -> Answer:
        with host.log.open("a") as log:
            log.write(LOGGED)
        return Answer(0, "")

    host.on_reload = give_up
    with pytest.raises(NginxError, match=r"bind\(\) to 0.0.0.0:22 failed .*still could not") as e:
        host.nginx().reload(())
    assert "yesterday" not in str(e.value)


def test_reload_without_new_workers(host: Host) -> None:
    with pytest.raises(NginxError, match="no new workers"):
        host.nginx().reload(())


def test_start_returns_when_workers_serve(host: Host) -> None:
    host.nginx().start(())
    assert ["systemctl", "start", "nginx"] in host.calls


def test_a_start_that_fails_says_what_the_log_says(host: Host) -> None:
    host.log.write_text("2026/01/02 03:04:05 [emerg] 1#1: of yesterday\n")

    def fail() -> Answer:
        with host.log.open("a") as log:
            log.write(LOGGED)
        return Answer(1, "Job for nginx.service failed.\n")

    host.on_reload = fail
    with pytest.raises(NginxError, match=r"systemctl start nginx` failed: bind\(\) to") as refused:
        host.nginx().start(())
    assert "yesterday" not in str(refused.value)


def test_an_nginx_that_cannot_be_enabled() -> None:
    nginx = SystemdNginx(run=lambda *_: Answer(1, "Unit nginx.service is masked.\n"))
    assert nginx.enabled() is False
    with pytest.raises(NginxError, match=r"enable nginx` failed: Unit nginx\.service is masked"):
        nginx.enable()


def test_a_command_has_a_deadline() -> None:
    with pytest.raises(NginxError, match=r"`sleep 5` gave no answer within 0 s"):
        service.run_command(["sleep", "5"], 0.1)


def test_a_command_that_does_not_exist() -> None:
    with pytest.raises(NginxError, match="could not be run: No such file"):
        service.run_command(["/nonexistent/nginx"], 1)
