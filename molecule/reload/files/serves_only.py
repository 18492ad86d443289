# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one release serves an app on this host, and nothing of any other is left.

Asks the kernel and the app itself; prints what is wrong, one line each, and exits 1 if it is.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import pwd
import socket
import stat
import sys
import time
from collections.abc import Iterator

PROC = pathlib.Path("/proc")
PLATFORM = ("circusd", "circusctl", "pivot.py")  # run as the app too


def processes(uid: int) -> Iterator[tuple[int, str, dict[str, str], str]]:
    """Pid, state, environment and command line of every process of a user."""
    for path in PROC.glob("[0-9]*"):
        try:
            said = (path / "status").read_text().splitlines()
            fields = dict(line.split(":", 1) for line in said)
            if int(fields["Uid"].split()[0]) != uid:
                continue
            words = (path / "environ").read_bytes().decode("utf-8", "replace").split("\0")
            command = (path / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        environment = dict(word.split("=", 1) for word in words if "=" in word)
        yield int(path.name), fields["State"].split()[0], environment, " ".join(command)


def ask(path: pathlib.Path) -> dict[str, str]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(b"GET /version HTTP/1.0\r\nHost: subject.test\r\n\r\n")
        answer = connection.makefile("rb").read()
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def problems(chosen: argparse.Namespace) -> Iterator[str]:
    app, instances = chosen.app, chosen.instances
    run = pathlib.Path("/run") / app
    current = (pathlib.Path("/srv") / app / "current").readlink().name
    release = chosen.release or current
    if current != (chosen.current or release):
        yield f"current names {current}, not {chosen.current or release}"
    expected = {f"{instance}.json" for instance in instances}
    for instance in instances:
        said = json.loads((run / f"{instance}.json").read_text())
        if (said["state"], said["release"]) != ("serving", release):
            yield f"{instance} is {said['state']} with {said['release']}: {said['move']}"
        expected.add(f"{instance}.{said['generation']}.d")
        if instance.startswith("web-"):
            expected |= {f"{instance}.sock", f"{instance}.{said['generation']}.sock"}
            answer = ask(run / f"{instance}.sock")
            if answer["version"] != release or chosen.says not in answer.values():
                yield f"{instance} answers {answer}"
    # a lock stays of what the formation had once
    left = {path.name for path in run.iterdir() if path.suffix != ".lock"} - expected
    if left:
        yield f"left in {run}: {', '.join(sorted(left))}"
    for pid, state, environment, command in processes(pwd.getpwnam(app).pw_uid):
        if state in "ZX":
            yield f"{pid} is a zombie"
        elif environment.get("RELEASE_ID", release) != release:
            yield f"{pid} is left of {environment['RELEASE_ID']}: {command}"
        elif "pivot.py" in command and command.split()[-1] not in instances:
            yield f"{pid} is a pivot of the formation no more: {command}"
        elif "RELEASE_ID" not in environment and not any(name in command for name in PLATFORM):
            yield f"{pid} is of no release: {command}"
    for path in pathlib.Path(f"/var/lib/{app}").rglob("*"):
        if stat.S_ISSOCK(path.lstat().st_mode):
            yield f"a socket is left: {path}"


def record_problems(app: str, release: str, outcome: str) -> Iterator[str]:
    lines = (pathlib.Path("/srv") / app / "releases.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    if (last["release"], last["outcome"]) != (release, outcome):
        yield f"the record ends with {lines[-1]}, not with {release} as {outcome}"
    if outcome == "bad" and not last.get("reason"):
        yield f"the record has no reason: {lines[-1]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("app")
    parser.add_argument("instances", nargs="+", help="processes that must run, e.g. web-1")
    parser.add_argument("--release", help="what must serve (default: what current names)")
    parser.add_argument("--current", help="what current must name (default: what must serve)")
    parser.add_argument("--says", default="hello", help="a value in the app's answer")
    parser.add_argument("--good", help="what the record must end with as a good release")
    parser.add_argument("--bad", help="what the record must end with as a bad release")
    # A look may fall between the steps of a pivot: a child has ended and is not reaped, a status is
    # written beside its place. What is left stays, and is found by the last look.
    parser.add_argument("--within", type=float, default=30, help="seconds until it must be so")
    chosen = parser.parse_args()
    deadline = time.monotonic() + chosen.within
    while True:
        try:
            found = list(problems(chosen))
            for outcome in ("good", "bad"):
                if vars(chosen)[outcome]:
                    found += record_problems(chosen.app, vars(chosen)[outcome], outcome)
        except (OSError, ValueError, KeyError) as error:
            found = [repr(error)]
        if not found or time.monotonic() >= deadline:
            break
        time.sleep(0.1)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
