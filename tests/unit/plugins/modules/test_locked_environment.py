# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module locked_environment, with the real uv and an index on loopback."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import ipaddress
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment import (
    installer,
    store,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import Pin
from ansible_collections.twelvefactor.deploy.plugins.modules import locked_environment
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from unit.plugins import startup
from unit.plugins.killed import ended, start

pytestmark = pytest.mark.xdist_group("pip")

UV = shutil.which(
    "uv", path=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
)
SECRET = "correct-horse"


class Tool:
    """One environment of a tool, as a role would ask for it."""

    def __init__(self, index: Any, path: pathlib.Path, call: Callable[..., Any]) -> None:
        self.index, self.path, self._call = index, path, call
        self.lock = self.lock_of("tool", "plugin")

    def lock_of(self, *names: str, version: str = "1.0") -> str:
        return "".join(f"{name}=={version} --hash=sha256:{self.hash_of(name)}\n" for name in names)

    def hash_of(self, name: str) -> str:
        page: str = self.index.answers[f"/simple/{name}/"][0].body.decode()
        return page.rpartition("sha256=")[2][:64]

    @property
    def params(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "lock": self.lock,
            "python": sys.executable,
            "index_url": self.index.url,
            "uv": UV,
        }

    def call(self, *, check: bool = False, **changed: Any) -> Any:
        return self._call(locked_environment.main, check=check, **(self.params | changed))

    def keep(self, *, check: bool = False, **changed: Any) -> dict[str, Any]:
        """Run the module. Check mode says beforehand what it returns."""
        predicted = self.call(check=True, **changed)
        assert predicted.code == 0, predicted.result["msg"]
        if check:
            return dict(predicted.result)
        done = self.call(**changed)
        assert done.code == 0, done.result["msg"]
        assert done.result == predicted.result
        return dict(done.result)

    def refusal(self, **changed: Any) -> str:
        outcome = self.call(**changed)
        assert outcome.code == 1
        return str(outcome.result["msg"])

    def versions(self, *names: str) -> list[str]:
        """As a program that is started now imports them."""
        script = f"import {', '.join(names)}; print({', '.join(f'{n}.version' for n in names)})"
        command = [str(self.path / "bin" / "python"), "-I", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.split()

    @property
    def store(self) -> pathlib.Path:
        return self.path.with_name(f"{self.path.name}.d")

    @property
    def environments(self) -> list[str]:
        return sorted(os.listdir(self.store))

    @property
    def current(self) -> pathlib.Path:
        return self.path.resolve()

    def file(self, pattern: str) -> pathlib.Path:
        (found,) = self.current.glob(f"lib/python3.*/site-packages/{pattern}")
        return found


@pytest.fixture
def tool(
    index: Any,
    make_wheel: Any,
    call: Callable[..., Any],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Tool:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setattr(installer, "UV_PARENT", tmp_path / "lib" / "twelvefactor")
    for name in ("tool", "plugin"):
        index.add(make_wheel(name))
    return Tool(index, tmp_path / "opt" / "tool", call)


@pytest.fixture
def newer(tool: Tool, make_wheel: Any) -> str:
    """A lock with another version of the tool, and without the plugin."""
    tool.index.add(make_wheel("tool", "2.0"))
    return tool.lock_of("tool", version="2.0")


# --- present ---------------------------------------------------------------------------------


def test_a_first_run(tool: Tool) -> None:
    result = tool.keep()
    assert result["changed"]
    assert result["reasons"] == ["there is none yet"]
    assert result["packages"] == {"plugin": "1.0", "tool": "1.0"}
    assert result["diff"]["after"] == "plugin 1.0\ntool 1.0\n"
    assert result["environment"] == str(tool.current)
    assert tool.current.parent == tool.store
    assert tool.versions("tool", "plugin") == ["1.0", "1.0"]


def test_the_link_can_be_moved_with_its_parent(tool: Tool) -> None:
    tool.keep()
    assert os.readlink(tool.path) == f"tool.d/{tool.current.name}"


def test_a_second_run_changes_nothing(tool: Tool) -> None:
    first = tool.keep()
    tool.index.asked.clear()
    second = tool.keep()
    assert not second["changed"]
    assert (second["changes"], second["reasons"]) == ([], [])
    assert second["environment"] == first["environment"]
    assert tool.index.asked == []


def test_nothing_but_the_packages_is_installed_and_it_is_compiled(tool: Tool) -> None:
    tool.keep()
    site = tool.file("tool.py").parent
    assert sorted(path.name for path in site.glob("*.dist-info")) == [
        "plugin-1.0.dist-info",
        "tool-1.0.dist-info",
    ]
    assert tool.file("__pycache__/tool.*.pyc").is_file()
    assert not list(tool.current.glob("bin/pip*"))


@pytest.mark.parametrize("way", startup.WAYS)
def test_no_code_of_a_package_runs_while_it_is_installed(
    way: Any, tool: Tool, make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    """Root installs it, and others run it."""
    ran = tmp_path / "ran"
    tool.index.add(make_wheel("early", "1.0", files=way(tmp_path / "library", ran)))
    tool.keep(lock=tool.lock + tool.lock_of("early"))
    assert tool.file("__pycache__/tool.*.pyc").is_file()
    assert not ran.exists()
    subprocess.run([tool.path / "bin/python", "-c", ""], check=False, timeout=60)
    assert ran.exists()


def test_other_users_may_read_it_whatever_the_umask_is(tool: Tool, strict_umask: None) -> None:
    tool.keep(files={"conf/settings.py": "x = 1\n"})
    paths = [tool.store, *tool.store.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths if not path.is_symlink()}
    readable = stat.S_IRGRP | stat.S_IROTH
    assert [path for path, mode in modes.items() if mode & readable != readable] == []
    assert [path for path, mode in modes.items() if mode & (stat.S_IWGRP | stat.S_IWOTH)] == []
    directories = [mode for path, mode in modes.items() if path.is_dir()]
    assert all(mode & stat.S_IXOTH for mode in directories)


def test_another_lock(tool: Tool, newer: str) -> None:
    before = tool.keep()
    result = tool.keep(lock=newer)
    assert result["changed"]
    assert result["reasons"] == ["other packages are locked"]
    assert result["changes"] == [
        {"name": "plugin", "before": "1.0", "after": ""},
        {"name": "tool", "before": "1.0", "after": "2.0"},
    ]
    assert result["diff"]["before"] == "plugin 1.0\ntool 1.0\n"
    assert result["diff"]["after"] == "tool 2.0\n"
    assert tool.versions("tool") == ["2.0"]
    assert not pathlib.Path(before["environment"]).exists()


def test_another_python(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tool.keep()
    real = locked_environment.describe

    def upgraded(path: str, *, predicted: bool) -> Any:
        found = real(path, predicted=predicted)
        return type(found)(found.path, {**found.described, "python_full_version": "3.99.1"})

    monkeypatch.setattr(locked_environment, "describe", upgraded)
    result = tool.keep()
    assert result["reasons"] == [f"Python is 3.99.1, it was {before['python']}"]
    assert tool.current.name.startswith("3.99.1-")
    assert tool.environments == [tool.current.name]


def test_files_that_are_given(tool: Tool) -> None:
    result = tool.keep(files={"conf/__init__.py": "version = '7'\n"})
    assert tool.versions("tool", "conf") == ["1.0", "7"]
    assert tool.file("conf/__pycache__/__init__.*.pyc").is_file()
    assert not tool.keep(files={"conf/__init__.py": "version = '7'\n"})["changed"]
    again = tool.keep(files={"conf/__init__.py": "version = '8'\n"})
    assert again["reasons"] == ["the hashes, the files or the options are others"]
    assert again["environment"] != result["environment"]
    assert tool.versions("conf") == ["8"]


def test_what_is_marked_for_another_platform_is_not_installed(tool: Tool) -> None:
    lock = tool.lock_of("tool") + f"nt==1 ; os_name == 'nt' --hash=sha256:{'0' * 64}\n"
    assert tool.keep(lock=lock)["packages"] == {"tool": "1.0"}


def test_what_was_yanked_is_installed_with_a_warning(tool: Tool, make_wheel: Any) -> None:
    tool.index.add(make_wheel("withdrawn"), yanked="breaks orders")
    outcome = tool.call(lock=tool.lock_of("withdrawn"))
    assert "withdrawn 1.0 was yanked from the index: breaks orders." in outcome.printed


# --- damage ----------------------------------------------------------------------------------


def remove_metadata(tool: Tool) -> None:
    shutil.rmtree(tool.file("plugin-1.0.dist-info"))


def remove_file(tool: Tool) -> None:
    tool.file("tool.py").unlink()


def empty_file(tool: Tool) -> None:
    """As after a loss of power."""
    os.truncate(tool.file("tool.py"), 0)


def garble_record(tool: Tool) -> None:
    tool.file("tool-1.0.dist-info/RECORD").write_bytes(b"\0\0\0\xff\n")


def remove_interpreter(tool: Tool) -> None:
    (tool.current / "bin" / "python").unlink()


def add_package(tool: Tool) -> None:
    (tool.file("tool.py").parent / "other-1.0.dist-info").mkdir()


def change_given_file(tool: Tool) -> None:
    tool.file("conf.py").write_text("y = 2\n")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (remove_metadata, "plugin is missing"),
        (remove_file, "tool.py is missing or incomplete"),
        (empty_file, "tool.py is missing or incomplete"),
        (garble_record, "tool-1.0.dist-info/RECORD is missing or incomplete"),
        (remove_interpreter, "its interpreter is missing"),
        (add_package, "other 1.0 is not locked"),
        (change_given_file, "conf.py is missing or has another content"),
    ],
)
def test_damage_is_repaired(tool: Tool, harm: Callable[[Tool], None], reason: str) -> None:
    files = {"conf.py": "x = 1\n"}
    first = tool.keep(files=files)
    harm(tool)
    result = tool.keep(files=files)
    assert result["changed"]
    assert result["reasons"] == [f"it is damaged: {reason}"]
    assert result["environment"] == f"{first['environment']}.1"
    assert tool.versions("tool", "plugin") == ["1.0", "1.0"]
    assert tool.environments == [tool.current.name]
    assert not tool.keep(files=files)["changed"]


def test_a_lost_link_is_made_again(tool: Tool) -> None:
    before = tool.keep()
    tool.path.unlink()
    tool.index.asked.clear()
    assert tool.keep()["reasons"] == ["the link to it is missing"]
    assert str(tool.current) == before["environment"]
    assert tool.index.asked == []


# --- what was there before -------------------------------------------------------------------


def test_a_virtualenv_of_an_earlier_version_is_replaced(tool: Tool) -> None:
    make = [sys.executable, "-m", "venv", "--without-pip", str(tool.path)]
    subprocess.run(make, check=True, timeout=60)
    (tool.path / "installed-0123456789ab").touch()
    result = tool.keep()
    assert result["reasons"] == ["a virtual environment that was made otherwise is replaced"]
    assert result["diff"]["before_header"] == f"{tool.path} (a directory)"
    assert tool.path.is_symlink()
    assert tool.versions("tool") == ["1.0"]
    assert tool.environments == [tool.current.name]


def test_it_is_replaced_where_names_cannot_be_swapped(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(_one: pathlib.Path, _other: pathlib.Path) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(store, "exchange", unsupported)
    tool.path.mkdir(parents=True)
    (tool.path / "pyvenv.cfg").touch()
    assert tool.keep()["changed"]
    assert tool.versions("tool") == ["1.0"]
    assert tool.environments == [tool.current.name]


def test_a_directory_that_is_not_a_virtualenv_is_left_alone(tool: Tool) -> None:
    tool.path.mkdir(parents=True)
    (tool.path / "data").touch()
    assert "exists and is not a virtual environment" in tool.refusal()
    assert (tool.path / "data").exists()
    assert not tool.store.exists()


def test_the_link_of_somebody_else_is_left_alone(tool: Tool, tmp_path: pathlib.Path) -> None:
    tool.path.parent.mkdir(parents=True)
    tool.path.symlink_to(tmp_path)
    assert f"is a link to {tmp_path}, which is not one of its environments" in tool.refusal()


# --- programs that run -----------------------------------------------------------------------


@contextlib.contextmanager
def running(tool: Tool) -> Iterator[None]:
    """A program of the environment, as its first line starts it."""
    command = [str(tool.current / "bin" / "python"), "-c", "print(1, flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def test_an_environment_is_kept_while_programs_of_it_run(tool: Tool, newer: str) -> None:
    tool.keep()
    old = tool.current
    with running(tool):
        assert tool.keep(lock=newer)["changed"]
        assert old.exists()
        assert tool.versions("tool") == ["2.0"]
        assert not tool.keep(lock=newer)["changed"]
        assert old.exists()
    assert not tool.keep(lock=newer)["changed"]
    assert not old.exists()


def test_going_back_to_what_still_runs_installs_nothing(tool: Tool, newer: str) -> None:
    tool.keep()
    with running(tool):
        tool.keep(lock=newer)
        tool.index.asked.clear()
        assert tool.keep()["changed"]
    assert tool.versions("tool") == ["1.0"]
    assert tool.index.asked == []


# --- what goes wrong -------------------------------------------------------------------------


def test_a_failed_installation_changes_nothing(tool: Tool, newer: str) -> None:
    tool.keep()
    before = tool.environments
    tool.index.answers["/simple/tool/"] = [tool.index.Answer(status=404)]
    message = tool.refusal(lock=newer)
    assert message.startswith(f"Could not install the packages of {tool.path}: ")
    assert "does not have tool 2.0, which the lock file names" in message
    assert tool.environments == before
    assert tool.versions("tool") == ["1.0"]


def test_another_hash(tool: Tool) -> None:
    message = tool.refusal(lock=tool.lock.replace(tool.hash_of("tool"), "0" * 64))
    assert "does not have the hash that the lock file names" in message
    assert tool.environments == []


def test_an_incomplete_lock(tool: Tool, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "wheels" / "needy-1.0-py3-none-any.whl"
    write_zip(path, "needy", "1.0", {}, "Requires-Dist: absent>=1\n")
    tool.index.add(path)
    message = tool.refusal(lock=tool.lock_of("needy"))
    assert message.startswith("The lock is incomplete, or packages of it exclude each other.")
    assert "needy" in message
    assert "absent" in message
    assert tool.environments == []


def test_only_wheels_are_installed(tool: Tool) -> None:
    name = "source-1.0.tar.gz"
    link = f'<a href="../../files/{name}#sha256={"0" * 64}">{name}</a>'
    tool.index.answers["/simple/source/"] = [tool.index.Answer(link.encode())]
    assert "nothing is built here" in tool.refusal(lock=tool.lock_of("source"))


def test_a_second_run_at_the_same_time(tool: Tool) -> None:
    tool.keep()
    remove_metadata(tool)
    with flock.exclusive(flock.name_of("locked_environment", tool.path), 0):
        message = tool.refusal(timeout=1)
    assert message.startswith(f"Another run has been working on {tool.path} for 1 s.")


def test_a_place_that_cannot_be_written_to(tool: Tool) -> None:
    message = tool.refusal(path="/proc/tool/environment")
    assert message.startswith("Could not change /proc/tool/environment: /proc/tool")


# --- secrets and settings --------------------------------------------------------------------


def wrapper(path: pathlib.Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_password_of_the_index_is_in_a_file_that_root_alone_reads(
    tool: Tool, tmp_path: pathlib.Path
) -> None:
    tool.index.login = f"joe:{SECRET}"
    said = tmp_path / "said"
    uv = wrapper(
        tmp_path / "uv",
        f'(echo "$@"; env; stat -c %a . ; stat -c %a requirements.txt) >> {said}; exec {UV} "$@"',
    )
    outcome = tool.call(index_url=tool.index.url_of(f"joe:{SECRET}"), uv=uv)
    assert outcome.code == 0, outcome.result["msg"]
    assert SECRET not in outcome.printed
    assert SECRET not in said.read_text()
    assert said.read_text().splitlines()[-2:] == ["700", "600"]
    held = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in held if SECRET.encode() in path.read_bytes()] == []


def test_a_wrong_password_is_not_shown(tool: Tool) -> None:
    tool.index.login = "joe:other"
    outcome = tool.call(index_url=tool.index.url_of(f"joe:{SECRET}"))
    assert "the index refuses who asks" in outcome.result["msg"]
    assert SECRET not in outcome.printed


def test_settings_of_the_user_are_not_read(
    tool: Tool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "home" / ".config"
    for name, text in (
        ("uv/uv.toml", "offline = true\n"),
        ("pip/pip.conf", "[global]\nno-index=1"),
    ):
        (config / name).parent.mkdir(parents=True)
        (config / name).write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert tool.keep()["changed"]


def certify(directory: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path, pathlib.Path]:
    """An authority, a certificate of 127.0.0.1 that it signed, and the key of that."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _each in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, n)]) for n in ("ca", "index")]
    now = datetime.datetime.now(datetime.UTC)
    paths = []
    for number, name in enumerate(("ca", "index")):
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        built = (
            x509.CertificateBuilder(
                names[0], names[number], keys[number].public_key(), x509.random_serial_number()
            )
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
            .sign(keys[0], hashes.SHA256())
        )
        paths.append(directory / f"{name}.pem")
        paths[-1].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key = keys[1].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    paths.append(directory / "index.key")
    paths[-1].write_bytes(key)
    return paths[0], paths[1], paths[2]


def test_an_index_with_its_own_authority(
    tool: Tool, make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    authority, certificate, key = certify(tmp_path)
    other = type(tool.index)()
    other.start((certificate, key))
    try:
        other.add(make_wheel("tool"))
        params = {"index_url": other.url, "lock": tool.lock_of("tool")}
        assert "the index does not answer as it should" in tool.refusal(**params)
        assert tool.keep(**params, ca_path=str(authority))["changed"]
    finally:
        other.stop()


# --- uv --------------------------------------------------------------------------------------


def write_zip(
    path: pathlib.Path, name: str, version: str, members: dict[str, str], metadata: str = ""
) -> None:
    info = f"{name}-{version}.dist-info"
    members = members | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    members[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            file = zipfile.ZipInfo(member)
            file.external_attr = (0o100755 if "/scripts/" in member else 0o100644) << 16
            archive.writestr(file, text)


@pytest.fixture
def published_uv(tool: Tool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index has a uv, which calls the real one."""
    path = tmp_path / "wheels" / "uv-9.9-py3-none-any.whl"
    script = f'#!/bin/sh\nexec {UV} "$@"\n'
    write_zip(path, "uv", "9.9", {"uv-9.9.data/scripts/uv": script})
    tool.index.add(path)
    monkeypatch.setattr(installer, "UV", Pin("uv", "9.9", (tool.hash_of("uv"),)))


@pytest.mark.usefixtures("published_uv")
def test_uv_is_installed_once_for_the_host(tool: Tool, strict_umask: None) -> None:
    # an older one, one that is broken, and what an interrupted run left
    for name in ("uv-0.0", "uv-9.9", ".uv-x"):
        (installer.UV_PARENT / name / "bin").mkdir(parents=True)
        wrapper(installer.UV_PARENT / name / "bin" / "uv", "exit 1")
    tool.index.login = f"joe:{SECRET}"
    params = {"uv": None, "index_url": tool.index.url_of(f"joe:{SECRET}")}
    tool.keep(**params)
    program = installer.UV_PARENT / "uv-9.9" / "bin" / "uv"
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert os.listdir(installer.UV_PARENT) == ["uv-9.9"]
    remove_metadata(tool)
    tool.index.asked.clear()
    tool.keep(**params)
    assert not [path for path, _login in tool.index.asked if "uv" in path]


@pytest.mark.usefixtures("published_uv")
def test_who_can_read_the_directories_keeps_nobody_out(tool: Tool) -> None:
    """An app may open them, and flock(2) asks for no more."""
    with contextlib.ExitStack() as held:
        for place in (tool.path.parent, tool.store, installer.UV_PARENT):
            place.mkdir(parents=True, exist_ok=True)
            handle = os.open(place, os.O_RDONLY)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_SH)
        assert tool.keep(uv=None, timeout=60)["changed"]


@pytest.mark.usefixtures("published_uv")
def test_a_uv_with_another_hash(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "UV", Pin("uv", "9.9", ("0" * 64,)))
    message = tool.refusal(uv=None)
    assert message.startswith("Could not install uv 9.9: ")
    assert "does not have the hash" in message
    assert os.listdir(installer.UV_PARENT) == []


def test_a_host_without_pip(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "FIND_PIP", "print()")
    assert tool.keep(check=True, uv=None)["changed"]
    assert "Install the package python3-venv" in tool.refusal(uv=None)


def test_a_host_without_python_in_check_mode(tool: Tool) -> None:
    result = tool.keep(check=True, python="/usr/bin/python3.99")
    assert result["changed"]
    assert result["python"] == "unknown"
    assert not tool.path.parent.exists()


# --- interrupted -----------------------------------------------------------------------------


def test_killed_at_any_step(tool: Tool, newer: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever the step is, programs find all of the old environment or all of the new one."""
    tool.keep()
    kills = {"1.0": 0, "2.0": 0}
    # two kills while the old environment is removed are enough
    for step in range(1, 200, 4):
        code = ended(start(locked_environment.main, {**tool.params, "lock": newer}, step))
        (version,) = tool.versions("tool")
        assert (tool.current / store.STAMP).is_file()
        kills[version] += code < 0
        if kills["2.0"] == 2 or code >= 0:
            break
    capfd.readouterr()
    assert kills["1.0"] > 3
    assert tool.keep(lock=newer)["packages"] == {"tool": "2.0"}
    assert tool.environments == [tool.current.name]


def test_killed_while_uv_works(tool: Tool, tmp_path: pathlib.Path) -> None:
    """uv ends, too, and the next run finds nothing of both."""
    marker = tmp_path / "pid"
    uv = wrapper(
        tmp_path / "uv", f"echo $$ > {marker}.new; mv {marker}.new {marker}; exec sleep 600"
    )
    pid = start(locked_environment.main, {**tool.params, "uv": uv})
    deadline = time.monotonic() + 60
    while not marker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    left = tool.environments
    os.kill(pid, signal.SIGKILL)
    ended(pid)
    while pathlib.Path(f"/proc/{marker.read_text().strip()}/exe").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(left) == 2
    assert not tool.path.exists()
    assert tool.keep()["changed"]
    assert tool.environments == [tool.current.name]


# --- absent ----------------------------------------------------------------------------------


def absent(tool: Tool, **changed: Any) -> dict[str, Any]:
    return tool.keep(state="absent", lock=None, **changed)


def test_absent(tool: Tool) -> None:
    tool.keep()
    result = absent(tool)
    assert result["changed"]
    assert result["environment"] == ""
    assert [change["after"] for change in result["changes"]] == ["", ""]
    assert os.listdir(tool.path.parent) == []
    assert not absent(tool)["changed"]


def test_absent_where_nothing_was_makes_nothing(tool: Tool) -> None:
    assert not absent(tool)["changed"]
    assert not tool.path.parent.exists()


def test_absent_removes_a_virtualenv_made_otherwise(tool: Tool) -> None:
    tool.path.mkdir(parents=True)
    (tool.path / "pyvenv.cfg").touch()
    assert absent(tool)["changed"]
    assert os.listdir(tool.path.parent) == []
