# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shop, published on an index, and what the module release is told to install it."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
from typing import Any

import pytest

UV = shutil.which(
    "uv", path=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
)
CANARY = "canary-in-a-coal-mine"


@pytest.fixture
def published(index: Any, make_wheel: Any) -> Any:
    """An index with version 1.0 of the shop, as playbooks/publish.yml leaves it."""
    dependency = make_wheel("flask", "3.1")
    index.add(dependency)
    digest = index.answers["/simple/flask/"][0].body.decode().partition("sha256=")[2][:64]
    carries = {
        "requirements.txt": (
            f"flask==3.1 --hash=sha256:{digest}\n"
            f"onlythere==1 ; sys_platform == 'win32' --hash=sha256:{'0' * 64}\n"
        ),
        "Procfile": "release: migrate\nweb: gunicorn shop\nworker: work\n",
    }
    index.add(make_wheel("shop", "1.0", carries=carries))
    return index


@pytest.fixture
def params(published: Any) -> dict[str, Any]:
    published.login = f"joe:{CANARY}"
    return {
        "app": "shop",
        "version": "1.0",
        "index_url": published.url_of(f"joe:{CANARY}"),
        "python": sys.executable,
        "uv": UV or "/nowhere",
        "env": {"SECRET_KEY": CANARY, "SAME": "1", "APP": "shop", "PORT": 80, "EMPTY": ""},
        "formation": {"web": 1},
    }
