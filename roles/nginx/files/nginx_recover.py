# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx-recover [ROOT STATE]: undo a change of nginx's configuration that was cut off half-way.

systemd runs it before nginx starts: after a power cut in the wrong moment a certificate does not match its key,
or a site names an upstream that is not there yet, and nginx would stay down until somebody comes. What is undone
is what nginx_config and nginx-certificate have recorded in STATE/undo, as they do it themselves.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import sys

ROOT, STATE = "/etc/nginx", "/var/lib/twelvefactor/nginx"


def put_back(saved: pathlib.Path, live: pathlib.Path) -> None:
    """Copy a file or a link with its mode and owner, and put it into its place whole."""
    status = saved.lstat()
    beside = live.with_name(f".{live.name}.previous")
    beside.unlink(missing_ok=True)
    shutil.copy2(saved, beside, follow_symlinks=False)
    os.chown(beside, status.st_uid, status.st_gid, follow_symlinks=False)
    beside.rename(live)


def restore(root: pathlib.Path, undo: pathlib.Path) -> None:
    """Make the files below `root` what they were, and forget the record in `undo`."""
    record = json.loads((undo / "undo.json").read_text("utf-8"))
    for number, path in enumerate(record["back"]):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        put_back(undo / str(number), root / path)
    for path in record["gone"]:
        (root / path).unlink(missing_ok=True)
    for path in (*record["back"], *record["gone"]):
        live = root / path
        live.with_name(f".{live.name}.candidate").unlink(missing_ok=True)
    for path in reversed(record["directories"]):
        with contextlib.suppress(OSError):  # it is not empty, or never was
            (root / path).rmdir()
    # What is undone has to last before the record of it goes, and half of that must not be found again.
    os.sync()
    done = undo.with_name("undo.done")
    shutil.rmtree(done, ignore_errors=True)
    undo.rename(done)
    shutil.rmtree(done)


def main(root: str = ROOT, state: str = STATE) -> int:
    undo = pathlib.Path(state, "undo")
    if not undo.exists():
        return 0
    lock = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0  # whoever has it is at work, and undoes what fails
    if undo.exists():
        restore(pathlib.Path(root), undo)
        print(f"nginx-recover: a change of {root} had been cut off half-way: it is undone")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
