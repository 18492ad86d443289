# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the parameters of the module `nginx_config` to a request."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.authority import (
    read_signing,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    File,
    NginxError,
    Request,
)

WORKERS = "www-data"  # Debian's user and group of nginx's workers


def read_request(params: Mapping[str, Any], *, check: bool) -> Request:
    """The module's parameters as a request. Reads the files of `copies`, and changes nothing."""
    owner = (os.geteuid(), os.getegid())
    workers = (owner[0], _worker_group() if params["worker_files"] else 0)
    wanted: dict[str, File] = {}
    texts = {
        "files": (0o644, owner),
        "secret_files": (0o600, owner),
        "worker_files": (0o640, workers),
    }
    for option, (mode, owned) in texts.items():
        for path, content in params[option].items():
            if not isinstance(content, str):
                raise NginxError(f"The content of {path} in {option!r} is not a text.")
            wanted[path] = File(content.encode(), mode, owned, option == "worker_files")
    for path, source in params["copies"].items():
        wanted[path] = _copy(path, Path(source), owner, check=check)
    signing = read_signing(params["self_signed"], owner) if params["self_signed"] else None
    signed = [path for each in signing.certificates for path in each.paths] if signing else []
    given = [path for option in (*texts, "copies") for path in params[option]]
    given += signed
    twice = sorted({path for path in given if given.count(path) > 1})
    if twice:
        raise NginxError(f"{', '.join(twice)}: given more than once.")
    if params["state"] == "absent" and (given or params["absent"]):
        raise NginxError("A set that is to be absent takes no files: drop them, or the state.")
    return Request(
        name=params["name"],
        wanted=wanted,
        absent=frozenset(params["absent"]),
        replace=frozenset(params["replace"]),
        signing=signing,
        started=params["started"],
    )


def _worker_group() -> int:
    try:
        return grp.getgrnam(WORKERS).gr_gid
    except KeyError:
        raise NginxError(f"The group {WORKERS} of nginx's workers is not on this host.") from None


def _copy(path: str, source: Path, owner: tuple[int, int], *, check: bool) -> File:
    """The file that `path` is to be a copy of."""
    try:
        return File(source.read_bytes(), stat.S_IMODE(source.stat().st_mode), owner)
    except FileNotFoundError as error:
        if check:
            return File(None, 0o600, owner)
        raise NginxError(f"{path} is to be a copy of {source}, which does not exist.") from error
    except OSError as error:
        raise NginxError(f"{source} cannot be read: {error.strerror}.") from error
