# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `ansible_collections.twelvefactor.deploy` importable, from this checkout."""

from __future__ import annotations

import pathlib
import sys

from ansible.plugins.loader import init_plugin_loader

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COLLECTIONS = REPOSITORY / "build" / "collections"

link = COLLECTIONS / "ansible_collections" / "twelvefactor" / "deploy"
if not link.is_symlink():
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to("../../../..")
sys.path.insert(0, str(COLLECTIONS))
# Templates find the collection's filters by their names. Once and before anything of the collection is
# imported: ansible-core 2.19 does not find what was imported before.
init_plugin_loader([str(COLLECTIONS)])
