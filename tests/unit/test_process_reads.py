# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process decides how long its command line and its environment are: whoever reads them bounds that.

The process here is a real one that lets both show 64 MiB of its memory.
"""

from __future__ import annotations

import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import processes
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment.store import (
    Store,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.service import SystemdNginx
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import (
    Status,
    runs,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from unit.pivot.harness import load_pivot

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "roles/app_metrics/files/usr/local/lib/twelvefactor"))
from app_metrics import host as app_metrics

RELEASE = "2.0-bbbbbbbb"
MEMORY = 8 << 20  # bytes that a reader may take
SECONDS = 5.0  # whole ones, for a slow machine: to split 64 MiB of zeros takes longer and 0.5 GiB

# struct prctl_mm_map of linux/prctl.h; what is not to change is as proc_pid_stat(5) shows it.
INFLATE = """
import ctypes, mmap, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.sbrk.restype = ctypes.c_void_p
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
long = 64 << 20
memory = mmap.mmap(-1, long, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory[:len(sys.argv[1]) + 1] = sys.argv[1].encode() + b"\\0"
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
stat = open("/proc/self/stat").read().rpartition(")")[2].split()
code, end_code, stack = (int(stat[n - 3]) for n in (26, 27, 28))
data, end_data, start_brk = (int(stat[n - 3]) for n in (45, 46, 47))
fields = [code, end_code, data, end_data, start_brk, libc.sbrk(0), stack, *[start, start + long] * 2, 0]
block = (ctypes.c_uint64 * 13)(*fields, 0xFFFFFFFF << 32)
failed = libc.prctl(35, 14, ctypes.addressof(block), ctypes.sizeof(block), 0)
print(ctypes.get_errno() if failed else 0, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def inflated() -> Iterator[int]:
    """The pid of a process whose command line and environment begin with that of a release."""
    words = [sys.executable, "-I", "-c", INFLATE, f"RELEASE_ID={RELEASE}"]
    with subprocess.Popen(words, env={}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            errno = int(process.stdout.readline())
            if errno:
                pytest.skip(f"PR_SET_MM_MAP: {os.strerror(errno)}")
            yield process.pid
        finally:
            process.kill()


def bounded(read: Callable[[], Any]) -> Any:
    """What a reader returns that takes neither long nor much memory."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        found = read()
        took, (_now, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY
    assert took < SECONDS
    return found


def test_the_process_is_as_long_as_it_claims(inflated: int) -> None:
    for name in ("cmdline", "environ"):
        with open(f"/proc/{inflated}/{name}", "rb") as file:
            file.seek((64 << 20) - 10)
            assert file.read(20) == bytes(10)


def test_of_a_command_line_the_beginning_is_read(inflated: int) -> None:
    line = bounded(lambda: processes.command_line(pathlib.Path(f"/proc/{inflated}")))
    assert line.startswith(f"RELEASE_ID={RELEASE}\0".encode())
    assert len(line) == processes.LONGEST_COMMAND_LINE


def test_an_environment_that_is_too_long_proves_nothing(
    tmp_path: pathlib.Path, inflated: int
) -> None:
    home = AppHome("shop", tmp_path, os.geteuid(), os.getegid(), os.geteuid())
    document = {"instance": "web-1", "pid": inflated, "state": "serving", "child": inflated}
    document |= {"release": RELEASE, "hups": 0, "generation": 1}
    status = Status.parse(json.dumps(document).encode())
    assert bounded(lambda: Supervisor(home).serves(status, RELEASE)) is False


def test_a_child_of_nginx_is_looked_at(inflated: int) -> None:
    assert bounded(lambda: SystemdNginx().workers(os.getpid())) == frozenset()


def test_whether_an_environment_is_in_use(tmp_path: pathlib.Path, inflated: int) -> None:
    assert bounded(lambda: Store(tmp_path / "circus")._in_use(["a"])) == set()


def test_the_pivot(tmp_path: pathlib.Path, inflated: int) -> None:
    pivot = load_pivot()
    told = {"instance": "web-2", "pid": inflated}
    (tmp_path / "web-2.json").write_text(json.dumps(told))
    assert bounded(lambda: pivot.kernel.marks(f"{tmp_path}/")) == {}
    assert bounded(lambda: list(pivot.peers.peers_of(tmp_path, "web-1"))) == []


def test_app_metrics(inflated: int) -> None:
    found = app_metrics.Inspection.__new__(app_metrics.Inspection)
    found.root = pathlib.Path("/")
    assert bounded(lambda: found.words(inflated))[0] == f"RELEASE_ID={RELEASE}"


# --- what is there to be found is found ---------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "result"),
    [
        (b"RELEASE_ID=1.0-a\0", True),
        (b"A=1\0RELEASE_ID=1.0-a\0B=2\0", True),
        (b"A=1\0RELEASE_ID=1.0-a", True),
        (b"RELEASE_ID=1.0-ab\0", False),
        (b"OLD_RELEASE_ID=1.0-a\0", False),
        (b"A=RELEASE_ID=1.0-a\0", False),
        (b"", False),
    ],
)
def test_runs(environ: bytes, result: bool) -> None:
    assert runs(environ, "1.0-a") is result


def test_an_environment_that_is_as_long_as_may_be(tmp_path: pathlib.Path) -> None:
    words = b"A=1\0" * (processes.LONGEST_ENVIRONMENT // 4)
    (tmp_path / "environ").write_bytes(words)
    assert processes.environment(tmp_path) == words
    (tmp_path / "environ").write_bytes(words + b"\0")
    assert processes.environment(tmp_path) == b""


@pytest.mark.parametrize("name", ["XDG_RUNTIME_DIR", "A_XDG_RUNTIME_DIR"])
def test_marks(name: str) -> None:
    prefix = f"/run/{os.getpid()}.shop/web-1."
    environ = {"A": "1", name: f"{prefix}2.d", "B": "2"}
    with subprocess.Popen(["sleep", "600"], env=environ) as process:
        try:
            found = load_pivot().kernel.marks(prefix)
        finally:
            process.kill()
    assert found == ({process.pid: f"{prefix}2.d"} if name == "XDG_RUNTIME_DIR" else {})


# --- and nobody reads without a bound -----------------------------------------------------------

LONG = re.compile(r"(?:^|/)(?:cmdline|environ)\Z")


def unbounded(source: str) -> list[int]:
    """The lines that name one of these files where nothing but ``read(N)`` reads."""
    found = []
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        if not LONG.search(node.value):
            continue
        around = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or f.lineno)]
        calls = [call for f in around[-1:] for call in ast.walk(f) if isinstance(call, ast.Call)]
        reads = [
            bool(call.args)
            for call in calls
            if isinstance(call.func, ast.Attribute) and call.func.attr.startswith("read")
        ]
        if not reads or not all(reads):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ('return open(f"/proc/{pid}/environ", "rb").read(N)', []),
        ('return (path / "cmdline").open("rb").read(N)', []),
        ('return open(f"/proc/{pid}/environ", "rb").read()', [2]),
        ('return (path / "cmdline").read_bytes()', [2]),
        ('return Path("/proc/1/cmdline").read_text()', [2]),
        ('return list(PROC.glob("[0-9]*/cmdline"))', [2]),
        ('return os.environ["A"]', []),
    ],
)
def test_the_rule(body: str, lines: list[int]) -> None:
    assert unbounded(f"def f(pid, path):\n    {body}\n") == lines


def test_nothing_reads_without_a_bound() -> None:
    sources = [path for place in ("plugins", "roles") for path in (ROOT / place).rglob("*.py")]
    assert len(sources) > 100
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sources
        if (lines := unbounded(path.read_text("utf-8")))
    }
    assert found == {}
