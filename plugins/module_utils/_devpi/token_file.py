# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that keeps a token on a host."""

from __future__ import annotations

import pathlib

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import DevpiError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)


def read_token(path: pathlib.Path) -> str | None:
    """The token, None if there is no file. Raises DevpiError."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DevpiError(f"The token in {path} cannot be read: {error}.") from error


def write_token(path: pathlib.Path, token: str) -> None:
    """Keep a token, never readable by others. Raises DevpiError."""
    try:
        write_atomically(path, token + "\n", 0o600)
    except OSError as error:
        raise DevpiError(f"The token cannot be written to {path}: {error}.") from error
