# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module daemon with a systemd that is a script. molecule/daemon has the real one."""

from __future__ import annotations

import getpass
import grp
import json
import os
import pathlib
import re
import socket
import stat
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon import (
    request,
    store,
    unit,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import command
from ansible_collections.twelvefactor.deploy.plugins.modules import daemon
from unit.plugins.killed import ended, start

ME, MINE = getpass.getuser(), grp.getgrgid(os.getegid()).gr_name
SECRET = "correct-horse"

SYSTEMCTL = r"""#!/bin/bash
# A service runs with the configuration that it found when it was started or reloaded. By a word in that
# it cannot be started (REFUSES), ends soon (DIES), is started again and again (LOOPS), or fails when it is
# stopped (STUMBLES).
cd "$(dirname "$0")/../state"
verb=$1; shift
say() { cat ../config ../units/"$1" 2> /dev/null; }
case $verb in
show)
  shift; shift
  for unit; do
    state=$(cat "$unit.state" 2> /dev/null || echo inactive)
    if [ $state = active ] && grep -qs DIES "$unit.used"; then
      echo x >> "$unit.seen"
      [ "$(wc -l < "$unit.seen")" -gt 2 ] && state=failed && echo failed > "$unit.state"
    fi
    restarts=0; grep -qs LOOPS "$unit.used" && restarts=1
    file=; [ -e "../units/$unit" ] && file=disabled; [ -e "$unit.enabled" ] && file=enabled
    invocation=$(cat "$unit.invocation" 2> /dev/null)
    printf 'Id=%s\nActiveState=%s\nUnitFileState=%s\n' "$unit" $state "$file"
    printf 'NRestarts=%s\nCanReload=yes\nInvocationID=%s\n\n' $restarts "$invocation"
  done
  exit ;;
reset-failed) shift; grep -qs failed "$1.state" && echo inactive > "$1.state"; exit ;;
esac
echo "$verb ${2-}" | xargs >> log
shift
case $verb in
enable|reenable) touch "$1.enabled" ;;
disable) rm -f "$1.enabled" ;;
stop) grep -qs STUMBLES "$1.used" && echo failed > "$1.state" || echo inactive > "$1.state" ;;
reload) say "$1" > "$1.used"; grep -q UNLOADABLE ../config && exit 1 ;;
start|restart)
  rm -f "$1.seen"; say "$1" > "$1.used"; date +%s%N > "$1.invocation"
  if grep -q REFUSES "$1.used"; then
    echo failed > "$1.state"
    for path in $(grep -l "Requires=$1" ../units/*); do echo inactive > "${path##*/}.state"; done
    echo "Job for $1 failed."
    exit 1
  fi
  [ $verb = start ] || for path in $(grep -ls "Requires=$1" ../units/*); do
    other=${path##*/}
    if grep -qs ^active "$other.state"; then say "$other" > "$other.used"; date +%s%N > "$other.invocation"; fi
  done
  echo active > "$1.state" ;;
esac
exit 0
"""
ANALYZE = """#!/bin/bash
grep -l BAD "${@: -1}" && { echo "${@: -1}:1: it is bad"; exit 1; }
program=$(sed -n 's/^ExecStart=//p' "${@: -1}")
test -z "$program" -o -x "$program" && exit 0
echo "${@: -1}: Command $program is not executable: No such file or directory"
exit 1
"""
CHECKER = """#!/bin/bash
grep WRONG "$1" && { echo "$1: wrong"; exit 1; }; exit 0
"""


class Host:
    """One service ``d`` with one file, as a role would ask for it."""

    def __init__(self, root: pathlib.Path, call: Any) -> None:
        self.root, self._call = root, call
        self.config, self.units = root / "config", root / "units"
        self.state = root / "var"
        for name in ("units", "state", "bin"):
            (root / name).mkdir()
        programs = {
            "systemctl": SYSTEMCTL,
            "systemd-analyze": ANALYZE,
            "check": CHECKER,
            "journalctl": f"#!/bin/bash\necho it said boom {SECRET}\n",
        }
        for name, text in programs.items():
            path = root / "bin" / name
            path.write_text(text)
            path.chmod(0o755)

    def params(
        self, content: str = "one\n", unit: str = "[Install]\n", **more: Any
    ) -> dict[str, Any]:
        file = {
            "path": str(self.config),
            "content": content,
            "owner": ME,
            "group": MINE,
            "check": [str(self.root / "bin/check"), "%s"],
        }
        changed = {
            key: more.pop(key) for key in list(more) if key in ("secret", "on_change", "mode")
        }
        return {
            "name": "d",
            "files": [file | changed],
            "units": [{"name": "d.service", "content": unit}],
            "proof": {"active_seconds": 0},
            "timeout": 30,
            **more,
        }

    def keep(self, *, check: bool = False, **given: Any) -> dict[str, Any]:
        return self._call(self.params(**given), check)

    def refusal(self, **given: Any) -> str:
        result = self.keep(**given)
        assert result.get("failed"), result
        return str(result["msg"])

    @property
    def log(self) -> list[str]:
        """What systemd was told since the last question."""
        path = self.root / "state/log"
        said = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return said

    def runs_with(self) -> str:
        assert (self.root / "state/d.service.state").read_text() == "active\n"
        return (self.root / "state/d.service.used").read_text()

    def snapshot(self) -> dict[str, Any]:
        """Every file with its mode, every link, what is enabled and what runs."""
        files = {
            str(path.relative_to(self.root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
            for path in self.root.rglob("*")
            if path.is_file()
            and not path.name.endswith((".invocation", ".seen"))
            and path.name != "log"
        }
        links = {str(p): p.readlink() for p in self.root.rglob("*") if p.is_symlink()}
        return files | links

    def link(self, target: str, **more: Any) -> dict[str, Any]:
        return {"links": [{"path": str(self.root / "link"), "target": target, **more}]}


@pytest.fixture
def host(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Host]:
    def call(params: dict[str, Any], check: bool) -> dict[str, Any]:
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        capfd.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            daemon.main()
        result: dict[str, Any] = json.loads(capfd.readouterr().out)
        return result

    host = Host(tmp_path, call)
    path = f"{tmp_path / 'bin'}:{command.BASE['PATH']}"
    monkeypatch.setitem(command.BASE, "PATH", path)
    monkeypatch.setattr(daemon, "UNITS", str(host.units))
    monkeypatch.setattr(daemon, "STATE", host.state)
    monkeypatch.setattr(unit, "BOOTED", tmp_path)
    # who runs the tests need not be root
    monkeypatch.setattr(request, "ROOT", (os.geteuid(), os.getegid()))
    previous = os.umask(0o077)
    yield host
    os.umask(previous)


def test_a_new_daemon(host: Host) -> None:
    result = host.keep()
    assert result["changed"]
    assert result["proven"]
    assert result["changes"] == [
        {"path": str(host.config), "action": "created"},
        {"path": str(host.units / "d.service"), "action": "created"},
    ]
    assert result["units"] == [{"name": "d.service", "action": "start", "enablement": "enable"}]
    assert host.log == ["daemon-reload", "enable d.service", "start d.service"]
    assert stat.S_IMODE(host.config.stat().st_mode) == 0o644
    again = host.keep()
    assert not again["changed"]
    assert not again["proven"]
    assert host.log == []


def test_check_mode_predicts_and_changes_nothing(host: Host) -> None:
    before = host.snapshot()
    predicted = host.keep(check=True)
    assert host.snapshot() == before
    done = host.keep()
    for key in ("changed", "changes", "units", "diff"):
        assert predicted[key] == done[key], key
    assert not host.keep(check=True)["changed"]


def test_check_mode_on_a_host_without_anything(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(daemon.SecretSafeModule, "warn", lambda _self, text: warned.append(text))
    monkeypatch.setitem(command.BASE, "PATH", str(host.root / "nowhere"))
    given = host.params()
    given["files"][0] |= {"owner": "nobody-yet", "group": "nobody-yet", "check": ["node", "%s"]}
    given["files"][0]["path"] = "/nowhere/yet/config"
    result = host.keep(check=True, **given)
    assert result["changed"]
    assert result["units"] == [{"name": "d.service", "action": "start", "enablement": "enable"}]
    assert warned == [
        "/nowhere/yet/config was not checked: node is missing.",
        "The units were not verified: the host has no systemd-analyze yet.",
    ]
    assert not host.state.exists()


def test_a_program_that_comes_with_its_unit(host: Host) -> None:
    """It is not there yet while the unit is judged."""
    unit = f"[Service]\nExecStart={host.config}\n[Install]\n"
    assert "is not executable: No such file" in host.refusal(unit=unit)
    assert not host.config.exists()
    host.keep(unit=unit, mode="0755")
    assert host.config.exists()
    other = unit.replace(str(host.config), f"{host.config}-2")
    assert f"Command {host.config}-2 is not executable" in host.refusal(unit=other, mode="0755")


@pytest.mark.parametrize(
    ("on_change", "expected"),
    [("reload", ["reload d.service"]), ("restart", ["restart d.service"]), ("nothing", [])],
)
def test_a_changed_file(host: Host, on_change: str, expected: list[str]) -> None:
    host.keep()
    assert host.log
    result = host.keep(content="two\n", on_change=on_change)
    assert result["changed"]
    assert result["proven"] is bool(expected)
    assert host.log == expected


def test_a_changed_unit_is_read_again_and_supersedes_a_reload(host: Host) -> None:
    host.keep()
    assert host.log
    host.keep(content="two\n", unit="[Service]\n[Install]\n", on_change="reload")
    assert host.log == ["daemon-reload", "restart d.service"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"content": "WRONG\n"}, r"check refuses .*config \(exit code 1\)"),
        (
            {"unit": "BAD\n"},
            "systemd-analyze verify refuses the units: d.service d.service:1: it is bad",
        ),
    ],
)
def test_what_a_checker_refuses_changes_nothing(
    host: Host, given: dict[str, str], words: str
) -> None:
    host.keep()
    before = host.snapshot()
    assert host.log
    message = host.refusal(**given)
    assert re.search(words, message), message
    assert str(host.state) not in message
    assert host.snapshot() == before
    assert host.log == []
    assert host.keep(check=True, **given)["failed"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"content": "REFUSES\n"}, "Could not restart d.service: Job for d.service failed."),
        ({"content": "DIES\n"}, "d.service does not stay active: it is failed"),
        ({"content": "LOOPS\n"}, "restarted by systemd 1 times"),
    ],
)
def test_what_does_not_work_is_put_back(host: Host, given: dict[str, str], words: str) -> None:
    host.keep(mode="0640")
    before = host.snapshot()
    message = host.refusal(unit="[Install]\n# other\n", proof={"active_seconds": 1}, **given)
    assert message.startswith("Could not change the daemon 'd': ")
    assert words in message
    assert message.endswith("Everything is as it was before.")
    assert host.snapshot() == before
    assert host.runs_with() == "one\n[Install]\n"
    assert not host.keep(mode="0640")["changed"]


def test_what_systemd_stopped_along_with_it_runs_again(host: Host) -> None:
    units = [
        {"name": "d.service", "content": "[Install]\n"},
        {"name": "e.service", "content": "[Unit]\nRequires=d.service\n[Install]\n"},
    ]
    file = host.params()["files"][0] | {"affects": ["d.service"]}
    host.keep(units=units, files=[file])
    before = host.snapshot()
    assert host.log
    message = host.refusal(units=units, files=[file | {"content": "REFUSES\n"}])
    assert message.endswith("Everything is as it was before.")
    assert host.snapshot() == before
    assert host.log == [
        "restart d.service",
        "daemon-reload",
        "restart d.service",
        "restart e.service",
    ]


def test_what_systemd_restarted_along_with_it_is_not_restarted_again(host: Host) -> None:
    def units(description: str) -> list[dict[str, Any]]:
        return [
            {"name": "d.service", "content": f"[Unit]\nDescription={description}\n[Install]\n"},
            {
                "name": "e.service",
                "content": f"[Unit]\nRequires=d.service\n#{description}\n[Install]\n",
            },
        ]

    host.keep(units=units("one"))
    assert host.log
    assert host.keep(units=units("two"))["changed"]
    assert host.log == ["daemon-reload", "restart d.service", "start e.service"]


def test_a_reload_that_fails_is_put_back_by_another(host: Host) -> None:
    host.keep()
    before = host.snapshot()
    assert host.log
    message = host.refusal(content="UNLOADABLE\n", on_change="reload")
    assert message.startswith("Could not change the daemon 'd': Could not reload d.service: 1")
    assert host.log == ["reload d.service", "daemon-reload", "reload d.service"]
    assert host.snapshot() == before


def test_a_new_daemon_that_does_not_work_leaves_nothing(host: Host) -> None:
    assert "Everything is as it was before." in host.refusal(content="REFUSES\n")
    assert not host.config.exists()
    assert not list(host.units.iterdir())
    assert (host.root / "state/d.service.state").read_text() == "inactive\n"
    assert not (host.root / "state/d.service.enabled").exists()


def test_a_proof_by_command(host: Host) -> None:
    host.keep()
    proof = {"active_seconds": 0, "command": ["/bin/sh", "-c", "echo not yet; exit 3"]}
    message = host.refusal(content="two\n", proof=proof, timeout=1)
    assert "/bin/sh ended with exit code 3: not yet after 1 s" in message
    assert host.runs_with().startswith("one")
    assert host.keep(content="two\n", proof=proof | {"command": ["true"]})["proven"]


def test_a_proof_by_a_port_that_another_program_has(host: Host) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        message = host.refusal(proof={"active_seconds": 0, "listens": [f"tcp:{port}"]}, timeout=1)
    assert f"It does not listen on tcp:{port}, which " in message
    assert f"(process {os.getpid()}) has after 1 s" in message


@pytest.mark.parametrize("content", ["WRONG {}\n", "REFUSES {}\n"])
def test_a_secret_is_shown_nowhere(host: Host, content: str) -> None:
    result = host.keep(content=content.format(SECRET), secret=True, mode="0600")
    assert result["failed"]
    assert SECRET not in json.dumps(result)
    result = host.keep(content=f"{SECRET}\n", secret=True, mode="0600")
    assert result["changed"]
    assert SECRET not in json.dumps(result)


def test_without_a_secret_an_error_has_the_last_messages(host: Host) -> None:
    assert "its last messages: it said boom" in host.refusal(content="REFUSES\n")


def test_what_is_no_longer_listed_is_removed(host: Host) -> None:
    units = [
        {"name": "d.service", "content": "[Install]\n"},
        {"name": "d.timer", "content": "[Install]\n", "dropins": {"a.conf": "x"}},
    ]
    host.keep(units=units)
    assert host.log
    result = host.keep(files=[], units=units[:1])
    assert {change["action"] for change in result["changes"]} == {"removed"}
    assert [path.name for path in host.units.iterdir()] == ["d.service"]
    assert not host.config.exists()
    assert host.log == ["disable d.timer", "stop d.timer", "daemon-reload", "restart d.service"]


def test_absent(host: Host) -> None:
    host.keep()
    assert host.log
    predicted = host.keep(check=True, state="absent", files=[], units=[])
    result = host.keep(state="absent", files=[], units=[])
    assert predicted["changes"] == result["changes"]
    assert not host.config.exists()
    assert not list(host.units.iterdir())
    assert not list(host.state.iterdir())
    assert host.log == ["disable d.service", "stop d.service", "daemon-reload"]
    assert not host.keep(state="absent", files=[], units=[])["changed"]


def test_what_fails_when_it_is_removed_does_not_stay_as_failed(host: Host) -> None:
    host.keep(content="STUMBLES\n")
    host.keep(state="absent", files=[], units=[])
    assert (host.root / "state/d.service.state").read_text() == "inactive\n"


def test_a_new_template_with_an_instance_that_has_a_dropin(host: Host) -> None:
    units = [
        {"name": "d@.service", "content": "[Install]\n", "state": "unmanaged"},
        {"name": "d@a.service", "dropins": {"a.conf": "x"}},
    ]
    predicted = host.keep(check=True, units=units)
    assert host.keep(units=units)["units"] == predicted["units"]
    assert host.log == ["daemon-reload", "enable d@a.service", "start d@a.service"]


@pytest.mark.parametrize(
    ("on_change", "expected"),
    [("reload", ["reload d.service"]), ("restart", ["restart d.service"]), ("nothing", [])],
)
def test_a_link(host: Host, on_change: str, expected: list[str]) -> None:
    """It need not lead to anything; it is changed as files are, and removed when it is not listed."""
    host.keep()
    assert host.log
    for target in ("nowhere/1", "nowhere/2"):
        predicted = host.keep(check=True, **host.link(target, on_change=on_change))
        done = host.keep(**host.link(target, on_change=on_change))
        assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])
        assert [change["path"] for change in done["changes"]] == [str(host.root / "link")]
        assert str((host.root / "link").readlink()) == target
        assert host.log == expected
        assert not host.keep(**host.link(target))["changed"]
    assert host.keep()["changed"]
    assert not (host.root / "link").is_symlink()
    assert host.log == ["restart d.service"]


def test_a_link_is_put_back(host: Host) -> None:
    host.keep(**host.link("one"))
    before = host.snapshot()
    for links in ({}, host.link("two")):
        assert "as it was before" in host.refusal(content="REFUSES\n", **links)
        assert host.snapshot() == before
    host.keep(state="absent", files=[], units=[])
    assert "as it was before" in host.refusal(content="REFUSES\n", **host.link("two"))
    assert not (host.root / "link").is_symlink()


def test_a_file_of_another_daemon(host: Host) -> None:
    host.keep()
    message = host.refusal(name="e", units=[])
    assert "belongs to the daemon 'd'" in message


def test_a_masked_unit(host: Host) -> None:
    (host.units / "d.service").symlink_to("/dev/null")
    assert "is masked" in host.refusal()


def test_a_missing_directory(host: Host) -> None:
    file = host.params()["files"][0] | {"path": f"{host.root}/no/c"}
    assert "No such file or directory" in host.refusal(files=[file])
    assert not list(host.units.iterdir())
    directory = {"path": f"{host.root}/no", "owner": ME, "group": MINE, "mode": "0750"}
    assert host.keep(files=[file], directories=[directory])["changed"]
    assert stat.S_IMODE((host.root / "no").stat().st_mode) == 0o750
    again = host.keep(files=[file], directories=[directory | {"mode": "0755"}])
    assert again["changes"] == [{"path": f"{host.root}/no", "action": "updated"}]
    assert stat.S_IMODE((host.root / "no").stat().st_mode) == 0o755


def test_killed_at_any_step(host: Host) -> None:
    """Whatever the step is, the next run does what it is asked for, and the daemon runs with that."""
    host.keep()
    recovered = 0
    for step in range(1, 200, 2):
        before, wish = host.config.read_text(), f"{step}\n"
        killed = host.params(content=wish, **host.link(wish.strip()))
        if ended(start(daemon.main, killed, step)) >= 0:
            break
        # sometimes the wish has changed back in the meantime
        wish = wish if step % 3 else before
        given = {"content": wish, **host.link(wish.strip())}
        predicted = host.keep(check=True, **given)
        result = host.keep(**given)
        assert predicted["changes"] == result["changes"]
        assert predicted["recovered"] is result["recovered"]
        recovered += result["recovered"]
        assert host.config.read_text() == wish
        assert host.runs_with() == f"{wish}[Install]\n"
        assert not list(host.root.rglob(".*"))
        assert str((host.root / "link").readlink()) == wish.strip()
        assert not host.keep(**given)["changed"]
    else:
        pytest.fail("it never came to its end")
    assert recovered > 2


def test_what_is_switched_is_on_the_disk_before_the_way_back_goes(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rename of the record is durable: a power cut must not keep that and lose the files'."""
    host.keep()
    moments: list[tuple[pathlib.Path, str, bool]] = []

    def sync(path: pathlib.Path) -> None:
        moments.append((path, host.config.read_text(), (host.state / "d/undo").exists()))

    monkeypatch.setattr(store, "sync_filesystem", sync)
    assert host.keep(content="two\n")["changed"]
    assert moments == [(host.root, "two\n", True)]
    host.keep(content="two\n")
    assert len(moments) == 1


def test_documentation_and_arguments_agree() -> None:
    def compare(options: dict[str, Any], arguments: dict[str, Any]) -> None:
        assert options.keys() == arguments.keys()
        for name, option in arguments.items():
            for key in ("type", "required", "default", "choices", "elements"):
                assert options[name].get(key) == option.get(key), (name, key)
            if "options" in option:
                compare(options[name]["suboptions"], option["options"])

    compare(yaml.safe_load(daemon.DOCUMENTATION)["options"], daemon.ARGUMENTS)


def test_files_are_not_logged() -> None:
    assert daemon.ARGUMENTS["files"]["no_log"] is True
