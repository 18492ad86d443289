# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of a compromised app, run by hostile.py in the app's own unit: attempts.py NAME [ARGUMENT].

Each function with a mark is one. It prints `held`; or `SUCCEEDED: what`, a hole; or `unclear: what`,
which proves nothing and fails the test, too; or `not tried: why`. The words in front of a docstring's
colon are the promise of SECURITY.md. A trap prints `set`: whether it holds shows later, when root has
met it.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import http.client
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

OWN = "hostile"
RUN, LOG, DATA = (pathlib.Path(f"/{place}/{OWN}") for place in ("run", "var/log", "var/lib"))
SOCKET, STATUS = RUN / "web-1.sock", RUN / "web-1.json"
HONEST_SOCKET = "/run/honest/web-1.sock"
TARGETS = pathlib.Path(__file__).with_name("targets.json")
MEBIBYTE = 1 << 20
# Tries, a second apart.
PATIENCE = 60

REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
INVISIBLE = (*REFUSED, errno.ENOENT, errno.ESRCH)

LIBC = ctypes.CDLL(None, use_errno=True)
# System calls without a function in libc.
NUMBERS = {
    "x86_64": {"bpf": 321, "perf_event_open": 298, "kexec_load": 246, "init_module": 175,
               "userfaultfd": 323, "open_by_handle_at": 304, "pivot_root": 155},
    "aarch64": {"bpf": 280, "perf_event_open": 241, "kexec_load": 104, "init_module": 105,
                "userfaultfd": 282, "open_by_handle_at": 265, "pivot_root": 41},
}  # fmt: skip

ATTEMPTS: dict[str, Callable[[], None]] = {}
TRAPS: dict[str, Callable[..., None]] = {}


class Succeeded(Exception):
    """A hole."""


class Unclear(Exception):
    """It failed, but not for the reason that was to be seen."""


class NotTried(Exception):
    """This host cannot show it."""


def attempt(function: Callable[[], None]) -> Callable[[], None]:
    ATTEMPTS[function.__name__] = function
    return function


def trap(function: Callable[..., None]) -> Callable[..., None]:
    TRAPS[function.__name__] = function
    return function


def refused(what: object, action: Callable[..., Any], *arguments: Any, by=REFUSED) -> None:
    """Require that the kernel refuses an action, for one of the reasons that it should have."""
    try:
        action(*arguments)
    except OSError as error:
        if error.errno not in by:
            raise Unclear(f"{what}: {error}") from None
    else:
        raise Succeeded(str(what))


def call(name: str, *arguments: Any) -> int:
    """A function of libc, or else a system call. Raises OSError."""
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    numbers = NUMBERS[platform.machine()]
    if name in numbers:
        result = LIBC.syscall(ctypes.c_long(numbers[name]), *words)
    else:
        result = getattr(LIBC, name)(*words)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def targets() -> dict[str, int]:
    """Pids that the test has seen alive: this app's users would have to guess them."""
    return json.loads(TARGETS.read_text())


def read(path: object) -> bytes:
    with open(str(path), "rb") as file:
        return file.read(1)


def append(path: object) -> None:
    with open(str(path), "ab") as file:
        file.write(b"\n")


def create(directory: object) -> None:
    pathlib.Path(f"{directory}/of-the-{OWN}").touch()


def connect(path: object) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(path))


@contextlib.contextmanager
def alone(path: pathlib.Path) -> Iterator[None]:
    """Have a name of this app for an attempt, and put back what bears it otherwise."""
    kept = path.with_name(path.name + ".kept")
    path.rename(kept)
    try:
        yield
    finally:
        kept.replace(path)


def ask(name: str, path: str) -> tuple[int, bytes]:
    """Ask a site of this host's nginx, as anybody on the host can."""
    with socket.create_connection(("127.0.0.1", 443), timeout=30) as plain:
        tls = ssl._create_unverified_context()
        with tls.wrap_socket(plain, server_hostname=name) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
            )
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, response.read()


# --- what belongs to others


@attempt
def read_what_is_anothers() -> None:
    """Read the secrets of others: config, releases, data and logs of an app, keys of nginx, passwords."""
    for path in (
        "/srv/honest/current/env",
        "/srv/honest/releases.jsonl",
        "/var/lib/honest/diary",
        "/var/log/honest/web-1.log",
        "/etc/nginx/certificates/honest.key",
        "/etc/shadow",
        "/var/lib/twelvefactor/flocks",
        "/var/log/nginx/honest.access.log",
    ):
        refused(path, read, path)
    for path in ("/srv/honest", "/run/honest", "/run/circus-honest", "/root", "/home"):
        refused(path, os.listdir, path)
    if "of-the-host" in os.listdir("/tmp"):
        raise Succeeded("/tmp is that of the host")


@attempt
def change_what_is_anothers() -> None:
    """Reach another app: what nginx serves for it, its logs, its sockets."""
    for path in ("/var/www", "/run/honest", "/var/log/honest", "/var/lib/honest", "/srv/honest"):
        refused(path, create, path)


@attempt
def connect_to_another_app() -> None:
    """Reach another app: its socket past nginx, and the socket that its processes are controlled by."""
    for path in (HONEST_SOCKET, "/run/circus-honest/control.sock"):
        refused(path, connect, path)


def answer_over_a_new_connection() -> tuple[int, bytes]:
    """What hostile.test answers when nginx has connected anew.

    It may have idle connections to this app's own socket from before, which say nothing about a link.
    """
    for _again in range(PATIENCE):
        status, body = ask("hostile.test", "/version")
        if (status, body) != (200, b"hostile\n"):
            return status, body
        time.sleep(1)
    raise Unclear(f"nginx still had a connection from before {PATIENCE} s ago")


@attempt
def reach_another_app_through_a_link() -> None:
    """Lead the proxy to another app (H9): a link in the place of the own socket, for nginx to follow."""
    for name in ("link", "web-1.sock"):
        path = RUN / name
        with alone(path) if path.exists() else contextlib.nullcontext():
            try:
                path.symlink_to(HONEST_SOCKET)
                refused(path, connect, path, by=(*REFUSED, errno.ELOOP))
                if name == SOCKET.name:
                    status, body = answer_over_a_new_connection()
                    if status != 502:
                        raise Succeeded(f"hostile.test answers {status} {body[:80]!r}")
            finally:
                path.unlink(missing_ok=True)
    refused("a hard link", os.link, HONEST_SOCKET, RUN / "hard", by=(*REFUSED, errno.EXDEV))


@attempt
def look_at_processes_of_others() -> None:
    """Read the secrets of others: environment, files and memory of processes, this user's own included."""
    for name, pid in targets().items():
        for path in ("environ", "root/etc/passwd", "cwd/.", "fd/0", "mem", "maps"):
            refused(f"{path} of {name}", read, f"/proc/{pid}/{path}", by=INVISIBLE)


@attempt
def write_through_processes_outside() -> None:
    """Reach processes of its user outside of its unit (H3): their file systems are not read-only."""
    pid = targets()["outside"]
    for path in ("var/tmp", f"var/lib/{OWN}", "dev/shm"):
        refused(path, create, f"/proc/{pid}/root/{path}", by=INVISIBLE)


@attempt
def take_over_processes() -> None:
    """Reach processes outside of its unit: attach to them, read their memory, signal them."""
    attach, seize = 16, 0x4206
    own = ctypes.create_string_buffer(8)
    place = struct.pack("PN", ctypes.addressof(own), 8)  # a struct iovec, of them and of us
    for name, pid in targets().items():
        for how in (attach, seize):
            refused(f"ptrace of {name}", call, "ptrace", how, pid, 0, 0, by=INVISIBLE)
        for act in ("process_vm_readv", "process_vm_writev"):
            refused(f"{act} of {name}", call, act, pid, place, 1, place, 1, 0, by=INVISIBLE)
        # Signals go by the user: a process of its own outside of the unit gets them, see SECURITY.md.
        if name != "outside":
            refused(f"signal to {name}", os.kill, pid, signal.SIGCONT, by=INVISIBLE)


# --- what root has set up for it


@attempt
def write_anywhere_else() -> None:
    """Change its code: every directory that it sees, but for its own places and the kernel's."""
    own = ("/proc", "/sys", "/dev/shm", "/dev/mqueue", "/tmp", "/var/tmp", "/run/circus-hostile")
    for place, directories, _files in os.walk("/"):
        paths = [os.path.join(place, name) for name in directories]
        directories[:] = [
            name
            for name, path in zip(directories, paths, strict=True)
            if path not in (*own, *map(str, (RUN, LOG, DATA)))
        ]
        if os.access(place, os.W_OK):
            raise Succeeded(place)


@attempt
def change_its_code() -> None:
    """Change its code: the release that runs, its interpreter, its packages, in place or exchanged."""
    release = pathlib.Path(f"/srv/{OWN}/current").resolve()
    for path in (release / "Procfile", release / "release.json", release / "venv/pyvenv.cfg"):
        refused(path, append, path)
        refused(f"mode of {path}", path.chmod, 0o777)
    for path in (release, release / "venv/bin", *release.glob("venv/lib/python3*/site-packages")):
        refused(path, create, path)
    refused("another release", release.rename, release.with_name("other"))


@attempt
def change_what_is_installed() -> None:
    """Change what is installed (H4): the cache that later releases are linked from."""
    refused("the cache", os.listdir, f"/srv/{OWN}/cache")
    for path in ("cache", "releases"):
        refused(path, create, f"/srv/{OWN}/{path}")
        refused(f"own {path}", os.rename, f"/srv/{OWN}/{path}", f"/srv/{OWN}/{path}.old")


@attempt
def choose_what_runs() -> None:
    """Choose what runs: the current release, the config, the record of deploys, what supervises it."""
    home = pathlib.Path(f"/srv/{OWN}")
    refused("current", (home / "current").unlink)
    refused("next current", (home / "current.new").symlink_to, "releases/other")
    for path in (
        home / "releases.jsonl",
        home / "current/env",
        f"/etc/circus/{OWN}.ini",
        "/usr/local/lib/twelvefactor/pivot.py",
        f"/etc/systemd/system/circus@{OWN}.service",
    ):
        refused(path, append, path)
    for path in (home, f"/etc/circus/{OWN}.d", "/usr/local/lib/twelvefactor", "/opt/circus/bin"):
        refused(path, create, path)


@attempt
def leave_something_that_starts_it() -> None:
    """Survive a clean rollback: units, timers and crontabs, its own and the host's."""
    for path in (
        *("/etc/cron.d", "/etc/systemd/system", "/run/systemd/system", "/etc/tmpfiles.d"),
        *("/etc/profile.d", "/etc/ld.so.conf.d", "/etc/nginx/conf.d", "/etc/logrotate.d"),
        *("/var/spool/cron", "/etc/sudoers.d"),
    ):
        if os.path.isdir(path):
            refused(path, create, path)


@attempt
def command_the_host() -> None:
    """Become another user: by systemd and logind, which listen on a bus that anybody may talk to."""
    for words in (
        ["systemctl", "stop", "nginx.service"],
        ["systemctl", "kill", "circus@honest.service"],
        ["systemd-run", "--quiet", "true"],
        ["loginctl", "enable-linger", OWN],
        ["sudo", "--non-interactive", "true"],
    ):
        if not shutil.which(words[0]):
            raise Unclear(f"{words[0]} is not installed")
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0:
            raise Succeeded(" ".join(words))


@attempt
def reach_what_all_units_share() -> None:
    """Slow down or forge what root does: the bus, systemd's own sockets, the journals and commands of others."""
    for name in (
        *("dbus/system_bus_socket", "systemd/private", "systemd/notify"),
        *("systemd/userdb/io.systemd.DynamicUser", "systemd/journal.honest/socket"),
        *("systemd/journal.honest/dev-log", "systemd/journal.honest/stdout"),
    ):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_UNIX, kind) as client:
                refused(name, client.connect, f"/run/{name}", by=(*INVISIBLE, errno.EPROTOTYPE))
    for name in ("transient", "units", "sessions"):
        with contextlib.suppress(FileNotFoundError):
            if found := os.listdir(f"/run/systemd/{name}"):
                raise Succeeded(f"sees {found[0]} in {name}")
    # and its own journal is there
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.connect("/run/systemd/journal/socket")


# --- privileges


@attempt
def become_root() -> None:
    """Become another user: by a call, by a program that runs as its owner, and by one that it makes."""
    for act, *arguments in (("setuid", 0), ("setgid", 0), ("setresuid", 0, 0, 0), ("setuid", 33)):
        refused(f"{act}{arguments}", getattr(os, act), *arguments, by=(*REFUSED, errno.EINVAL))
    refused("setgroups", os.setgroups, [0], by=(*REFUSED, errno.EINVAL))
    lent = str(TARGETS.with_name("id-as-root"))
    if not os.stat(lent).st_mode & stat.S_ISUID:
        raise Unclear(f"{lent} does not run as root")
    told = subprocess.run([lent, "-u"], capture_output=True, text=True, timeout=30, check=True)
    if told.stdout.split() == ["0"]:
        raise Succeeded(f"{lent} runs as root")
    own = DATA / "own"
    own.touch()
    try:
        refused("a set-user-ID bit", own.chmod, 0o4755)
        refused("a set-group-ID bit", own.chmod, 0o2755)
        refused("a device", os.mknod, DATA / "memory", 0o600 | stat.S_IFCHR, os.makedev(1, 1))
        refused("another owner", os.chown, own, 0, 0, by=(*REFUSED, errno.EINVAL))
    finally:
        own.unlink()


@attempt
def make_namespaces() -> None:
    """Gain privileges: in namespaces of its own, or in those of init."""
    kinds = {"mount": 0x00020000, "user": 0x10000000, "pid": 0x20000000, "network": 0x40000000}
    for name, flag in kinds.items():
        refused(f"{name} namespace", call, "unshare", flag)
    refused("mount", call, "mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None)
    refused("remount", call, "mount", None, b"/usr", None, 0x1020, None)  # MS_REMOUNT, MS_BIND
    refused("umount", call, "umount2", b"/dev/shm", 2)
    refused("pivot_root", call, "pivot_root", b"/tmp", b"/tmp")
    refused("chroot", os.chroot, "/tmp")
    refused("init's namespaces", read, "/proc/1/ns/mnt", by=INVISIBLE)


@attempt
def call_what_an_app_does_not_need() -> None:
    """Gain privileges: system calls that widen what the kernel can be attacked by."""
    for name in ("bpf", "perf_event_open", "kexec_load", "init_module", "userfaultfd"):
        refused(name, call, name, 0, 0, 0, 0, 0)
    refused("open_by_handle_at", call, "open_by_handle_at", 0, 0, 0)
    refused("swapon", call, "swapon", b"/nothing", 0)
    refused("personality", call, "personality", 0x0040000)  # ADDR_NO_RANDOMIZE
    refused("iopl", call, "iopl", 3, by=(*REFUSED, errno.ENOSYS))
    refused("host name", call, "sethostname", b"hostile", 7)
    real_time = os.sched_param(1)
    refused("real-time scheduling", os.sched_setscheduler, 0, os.SCHED_FIFO, real_time)


@attempt
def open_raw_sockets() -> None:
    """Gain privileges: packets of others, and families of sockets that an app does not need."""
    for name in ("AF_PACKET", "AF_NETLINK", "AF_ALG", "AF_VSOCK"):
        family = getattr(socket, name)
        refused(name, socket.socket, family, socket.SOCK_RAW, by=(errno.EAFNOSUPPORT,))
    refused("raw IP", socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with socket.socket() as server:
        lowest = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
        if lowest > 25:
            refused("port 25", server.bind, ("127.0.0.1", 25))


@attempt
def change_the_kernel() -> None:
    """Gain privileges: settings, devices and cgroups."""
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/ip_forward"):
        refused(path, append, path)
    for path in ("/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/net/tun"):
        refused(path, read, path, by=INVISIBLE)
    tops = list(pathlib.Path("/sys/fs/cgroup").rglob("cgroup.procs"))[:20]
    if not tops:
        raise Unclear("there are no cgroups")
    for path in tops:
        refused(path, append, path)


@attempt
def run_a_program_from_a_place_for_sockets() -> None:
    """Fill /run: nor do programs run from there, or from /dev/shm, where nobody looks for them."""
    for place in (RUN, pathlib.Path("/dev/shm")):
        program = place / "true"
        shutil.copy("/usr/bin/true", program)
        try:
            refused(program, subprocess.run, [program])
        finally:
            program.unlink()


# --- what all share


def fill(path: pathlib.Path, most: int) -> None:
    """Write until there is no space; `most` is what there may be."""
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(most // MEBIBYTE + 1):
                file.write(bytes(MEBIBYTE))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise Unclear(f"{path}: {error}") from None
    else:
        raise Succeeded(f"{most} bytes in {path.parent}")
    finally:
        path.unlink()


@attempt
def fill_run() -> None:
    """Fill /run: with bytes, and with files, in all that is its own there."""
    for place in (RUN, pathlib.Path(f"/run/circus-{OWN}")):
        fill(place / "ballast", 64 * MEBIBYTE)
        names = [place / f"ballast-{number}" for number in range(16385)]
        try:
            for path in names:
                path.touch()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise Unclear(f"files: {error}") from None
        else:
            raise Succeeded(f"{len(names)} files in {place}")
        finally:
            for path in names:
                path.unlink(missing_ok=True)
    refused("/run itself", create, "/run")


@attempt
def fill_shared_memory() -> None:
    """Limits per app: /dev/shm, which otherwise is half of the host's memory."""
    fill(pathlib.Path("/dev/shm/ballast"), 64 * MEBIBYTE)
    if os.path.exists("/dev/shm/of-the-host"):
        raise Succeeded("it is that of the host")


def unit_has(controller: str) -> bool:
    """Whether the kernel counts this for the unit. In a container it may do so for the container alone."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        if OWN in path and (controllers == controller or not controllers):
            place = pathlib.Path("/sys/fs/cgroup", controllers, path.lstrip("/"))
            # systemd shows a container's cgroup namespace or not
            names = {"pids": "pids.max", "memory": "memory.max"}
            if controllers or (place / names[controller]).exists():
                return True
    return False


@attempt
def exhaust_tasks() -> None:
    """Limits per app: processes. 2000 at most, where 400 are allowed."""
    if not unit_has("pids"):
        raise NotTried("the kernel does not count the processes of units here")
    children: list[int] = []
    try:
        for _ in range(2000):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            children.append(pid)
    except BlockingIOError:
        return
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    raise Succeeded(f"{len(children)} processes")


@attempt
def exhaust_memory() -> None:
    """Limits per app: memory. 2 GiB at most, where 1 GiB is allowed."""
    if not unit_has("memory"):
        raise NotTried("the kernel does not count the memory of units here")
    pid = os.fork()
    if pid == 0:
        kept = [bytes(range(256)) * (MEBIBYTE // 256) for _ in range(2048)]
        os._exit(0 if kept else 1)
    _pid, how = os.waitpid(pid, 0)
    if how == 0:
        raise Succeeded("2 GiB")


@attempt
def exhaust_open_files() -> None:
    """Limits per app: open files of a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))
        raise Succeeded(f"{hard + 1} instead of {hard} open files")
    except ValueError:  # what Python makes of EPERM
        pass
    opened = array.array("i")
    try:
        while len(opened) <= soft:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise Unclear(str(error)) from None
    else:
        raise Succeeded(f"{len(opened)} open files of {soft}")
    finally:
        for number in opened:
            os.close(number)


@attempt
def hold_the_locks_of_deploys() -> None:
    """Prevent being replaced (H7): open the files that root locks. The trap `hold_a_lock` is the rest."""
    for path in ("flocks", "nginx", f"flocks/{OWN}"):
        refused(path, read, f"/var/lib/twelvefactor/{path}")


# --- what root meets later


def stay(act: Callable[[], None]) -> None:
    """Do it in a process without a parent that ignores whatever can be ignored; ready when this returns."""
    ready, say = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
                with contextlib.suppress(OSError):
                    signal.signal(number, signal.SIG_IGN)
            nothing = os.open("/dev/null", os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nothing, number)
            os.environ.clear()
            act_and_say(act, say)
        os._exit(0)
    os.close(say)
    os.read(ready, 1)


def act_and_say(act: Callable[[], None], say: int) -> None:
    os.write(say, b".")
    os.close(say)
    while True:
        act()


@trap
def hold_a_lock() -> None:
    """Prevent being replaced (H7): hold a lock on its own directory, as deploys take one there, and on those of root."""
    places = [f"/srv/{OWN}", "/opt", "/etc/nginx", "/var/lib/nginx", "/var/lib/twelvefactor"]
    for path in (
        *places,
        *pathlib.Path("/opt").iterdir(),
        *pathlib.Path("/usr/local/lib").iterdir(),
    ):
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_SH)
    stay(lambda: time.sleep(3600))


def replace(path: pathlib.Path, text: str) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    with contextlib.suppress(IsADirectoryError):
        fresh.replace(path)


def lie(**claims: object) -> str:
    status = {"instance": "web-1", "pid": os.getppid(), "state": "serving", "release": "1.0-00000000",
              "child": os.getpid(), "hups": 10**6, "generation": 1, "move": {}}  # fmt: skip
    return json.dumps(status | claims)


LIES: dict[str, Callable[[], str]] = {
    "huge": lambda: lie(move={"reason": "x" * (8 * MEBIBYTE)}),
    "deep": lambda: "[" * 100_000,
    "deep_within": lambda: lie(move={"reason": 0}).replace("0}", "[" * 900 + "]" * 900 + "}"),
    "endless": lambda: lie().replace("1000000", "1e999"),
    "long_number": lambda: lie().replace("1000000", "9" * 100_000),
    "types": lambda: lie(move={"hups": "x", "instead_of": "x", "seconds": [1], "output": 3}),
    "empty_release": lambda: lie(release={}),
    "another_release": lambda: lie(release="../../honest/current"),
    "somebody_else": lambda: lie(pid=1, child=1),
    "escapes": lambda: lie(move={"outcome": "refused", "reason": "\x1b]0;all is well\x07\x1b[2J"}),
    "not_text": lambda: "\udcff",
    "nothing": lambda: "",
}
PLACES = ("link", "fifo", "directory", "socket", "sparse")


def dig(path: pathlib.Path) -> None:
    """Make a directory that is deeper than recursion and open files go."""
    path.mkdir()
    here = os.open(path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def put_in_its_place(kind: str) -> None:
    """Have something else than a file where the status is."""
    with contextlib.suppress(IsADirectoryError, FileNotFoundError):
        STATUS.unlink()
    if STATUS.is_dir():
        return
    if kind == "link":
        STATUS.symlink_to("/etc/shadow")
    elif kind == "fifo":
        os.mkfifo(STATUS)
    elif kind == "directory":
        dig(STATUS)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(STATUS))
    elif kind == "sparse":
        with STATUS.open("wb") as file:
            os.truncate(file.fileno(), 1 << 40)


def forge(kind: str) -> None:
    if STATUS.is_dir() and not STATUS.is_symlink():
        subprocess.run(["rm", "-rf", str(STATUS)], timeout=60, check=False)
    if kind in PLACES:
        put_in_its_place(kind)
    else:
        fresh = STATUS.with_name("fresh")
        fresh.write_text(LIES[kind](), errors="surrogateescape")
        fresh.replace(STATUS)


@trap
def forge_status(kind: str) -> None:
    """Keep a refused release running by false status: one lie, or something that is no file."""
    forge(kind)


@trap
def keep_forging_status() -> None:
    """Keep a refused release running by false status: all lies, one after the other, while it is replaced."""
    kinds = [kind for kind in (*LIES, *PLACES) if kind != "huge"]

    def once() -> None:
        for kind in kinds:
            with contextlib.suppress(OSError):
                forge(kind)
            time.sleep(0.05)

    stay(once)


@trap
def leave_odd_logs() -> None:
    """Stop the log shipping of others, or whoever reads logs (H1, M1): what no reader of logs expects."""
    os.write(2, b"\x1b]0;all is well\x07\x1b[2J\n\xff\xfe\x00\x01\n" + b"x" * 2 * MEBIBYTE + b"\n")
    for depth in (*range(950, 1000, 10), *range(9900, 10000, 20)):
        os.write(2, b'{"a":' + b"[" * depth + b"]" * depth + b"}\n")
    os.write(2, b'{"level":"error","message":"\\u001b[2J","x":1e999}\n')
    (LOG / "of-another.log").symlink_to("/var/log/honest/web-1.log")
    (LOG / "secret.log").symlink_to("/etc/shadow")
    os.mkfifo(LOG / "fifo.log")
    (LOG / "directory.log").mkdir()
    with (LOG / "sparse.log").open("wb") as file:
        os.truncate(file.fileno(), 1 << 42)
    for number in range(500):
        (LOG / f"many-{number}.log").write_text("x\n")


@trap
def flood_the_journal() -> None:
    """Push the entries of others out of the host's journal (M2): 20,000 lines, as from sshd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.connect("/run/systemd/journal/socket")
        for number in range(20_000):
            journal.send(f"MESSAGE=flood {number}\nSYSLOG_IDENTIFIER=sshd\n".encode())


@trap
def stay_behind() -> None:
    """Survive a clean rollback: processes that forked away, ignore signals and bear no name; a deep directory."""
    dig(RUN / "deep")
    for _ in range(5):
        stay(lambda: time.sleep(0.1))
    (RUN / "elsewhere").symlink_to("/etc")


def verdict(action: Callable[[], None], good: str) -> str:
    try:
        action()
    except Succeeded as hole:
        return f"SUCCEEDED: {hole}"
    except NotTried as why:
        return f"not tried: {why}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it has proven nothing
        return f"unclear: {type(error).__name__}: {error}"
    return good


def main() -> int:
    name, *arguments = sys.argv[1:]
    if name in TRAPS:
        print(verdict(lambda: TRAPS[name](*arguments), "set"))
    else:
        print(verdict(ATTEMPTS[name], "held"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
