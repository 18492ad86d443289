# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the controller that variables name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def controller_path(path: str, base: str | None = None) -> str:
    """The absolute form of ``path``, which is relative to the directory ``base``.

    Without a base it is relative to the directory that Ansible was called in. Ansible itself would
    take the playbook's directory, which for a playbook of a collection lies inside the collection.
    """
    return os.path.abspath(os.path.join(base or "", os.path.expanduser(path)))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"controller_path": controller_path}
