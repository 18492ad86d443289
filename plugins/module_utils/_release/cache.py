# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer's cache of one app, ``/srv/<app>/cache``, from which releases are linked."""

from __future__ import annotations

import os
import pathlib
import stat
import tempfile

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import make_directory
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

UNTRUSTED = ".cache.untrusted."
REMOVAL = 120.0  # seconds


def trusted(status: os.stat_result, uid: int) -> bool:
    """Whether nobody but the installing user can have put anything there."""
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and not writable


def is_trusted(home: AppHome) -> bool:
    """Whether there is a cache, and nobody but the installing user can have put anything there."""
    try:
        return home.installer is not None and trusted(home.cache.lstat(), home.installer)
    except FileNotFoundError:
        return False


def make_cache(home: AppHome) -> list[str]:
    """Have a cache that belongs to the installing user, and is for nobody else; returns warnings.

    What an earlier version left belongs to the app, which may have put anything there. It is moved
    away, which the app cannot prevent, because the directory around it belongs to root, and removed.
    """
    uid = home.installing.uid
    if not is_trusted(home):
        if os.path.lexists(home.cache):
            # a directory of its own: no name can be in the way there
            aside = pathlib.Path(tempfile.mkdtemp(prefix=UNTRUSTED, dir=home.root))
            home.cache.rename(aside / "cache")
        make_directory(home.cache, 0o700, uid, home.gid)
    home.cache.chmod(0o700)
    return [warning for path in sorted(home.root.glob(f"{UNTRUSTED}*")) if (warning := drop(path))]


def drop(path: pathlib.Path) -> str:
    """Remove what may not be trusted. rm(1) follows no link, and goes as deep as there are directories."""
    try:
        code, output = run(["rm", "-rf", "--", str(path)], f"remove {path}", REMOVAL)
    except DeployError as error:
        return str(error)
    return f"Could not remove {path}: {output.strip()[-500:]}" if code else ""
