# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore.py SNAPSHOT SERVER: put a copy of devpi's data in the place of what is there.

Run as root while devpi is stopped. The copy is complete and has been checked, every file against the
hash that the database has of it, before anything is replaced; what was there stays beside it.
"""

from __future__ import annotations

import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import time

DATABASE = ".sqlite"
FILES = "+files"
PROGRAMS = (pathlib.Path("/opt/devpi/venv/bin"), pathlib.Path("/opt/devpi/web/bin"))
WEB_SERVER = "www-data"  # reads the files, nothing else


def hand_over(server: pathlib.Path) -> None:
    """As devpi makes them: its own, and the files for the web server to read."""
    owner = pwd.getpwnam("devpi")
    reader = pwd.getpwnam(WEB_SERVER).pw_gid
    for folder, _folders, names in os.walk(server):
        path = pathlib.Path(folder)
        files = FILES in path.relative_to(server).parts
        group = reader if files else owner.pw_gid
        os.chown(path, owner.pw_uid, group)
        path.chmod(0o2750 if files else 0o750)
        for name in names:
            os.chown(path / name, owner.pw_uid, group)
            (path / name).chmod(0o640)
    server.chmod(0o751)


def check(server: pathlib.Path) -> None:
    fsck = next(path for path in PROGRAMS if path.is_dir()) / "devpi-fsck"
    command = [str(fsck), "--configfile", "/etc/devpi/devpi-server.yml", "--serverdir", str(server)]
    result = subprocess.run(
        ["runuser", "--user", "devpi", "--", *command],
        env={**os.environ, "PYTHONPATH": "/opt/devpi/plugins", "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        said = [line for line in result.stdout.splitlines() if "ERROR" in line or "Fatal" in line]
        shutil.rmtree(server)
        sys.exit(
            "restore: the backup is damaged, nothing was replaced. devpi-fsck said: "
            + " ".join((said or result.stdout.splitlines())[-10:])
        )


def main(snapshot: str, place: str) -> None:
    source, server = pathlib.Path(snapshot), pathlib.Path(place)
    if not (source / DATABASE).is_file():
        sys.exit(f"restore: {source} is not a backup of an index: it has no {DATABASE}.")
    fresh = server.with_name(f"{server.name}.restored")
    if fresh.exists():
        shutil.rmtree(fresh)
    shutil.copytree(source, fresh)
    hand_over(fresh)
    check(fresh)
    if server.exists():
        replaced = server.with_name(f"{server.name}.replaced-{time.strftime('%Y%m%dT%H%M%SZ')}")
        os.rename(server, replaced)
        print(f"what was there before is in {replaced}")
    os.rename(fresh, server)
    print(f"restored {source}")


if __name__ == "__main__":
    main(*sys.argv[1:])
