# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints docs/inventory.schema.json, made of the argument specs of the roles: `make schema`."""

from __future__ import annotations

import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "build" / "collections"))

from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    declare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.schema import schema_of


def text() -> str:
    specs = {
        path.parents[1].name: yaml.safe_load(path.read_text("utf-8"))
        for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))
    }
    return json.dumps(schema_of(declare(specs)), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
