# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that is to come back comes back however often it fails, and so does what its start needs.

systemd's own limit is five starts in ten seconds (systemd.unit(5), StartLimitIntervalSec), then the unit stays down
until somebody comes. A unit that runs before each start of another one counts for itself.
"""

from __future__ import annotations

import pathlib
import re

import pytest

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
# The name of a unit is that of its file, or of the folder of its drop-ins.
UNITS: dict[str, str] = {}
for file in sorted(ROLES.glob("*/templates/etc/systemd/system/**/*.j2")):
    name = file.parent.name.removesuffix(".d") if file.parent.name.endswith(".d") else file.stem
    UNITS[name] = UNITS.get(name, "") + file.read_text("utf-8")


def values(unit: str, *settings: str) -> set[str]:
    found = re.findall(rf"(?m)^(?:{'|'.join(settings)})=(.*)$", UNITS[unit])
    return {value for line in found for value in line.split()}


RESTARTED = sorted(unit for unit in UNITS if values(unit, "Restart") - {"no"})
NEEDED = sorted(
    needed
    for unit in RESTARTED
    for needed in values(unit, "Wants", "Requires", "BindsTo", "Requisite")
    if needed in UNITS and needed.endswith(".service")
)


def test_the_units_are_found() -> None:
    assert {"nginx.service", "devpi.service", "circus@.service"} <= set(RESTARTED)
    assert set(NEEDED) == {"nginx-recover.service", "bugsink-migrate.service"}


@pytest.mark.parametrize("unit", [*RESTARTED, *sorted(set(NEEDED))])
def test_no_number_of_starts_is_too_many(unit: str) -> None:
    assert values(unit, "StartLimitIntervalSec") == {"0"}
