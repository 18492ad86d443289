# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole configuration, as a scanner reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scanners import findings


def test_nothing_is_found_in_the_configuration(host: Any, tmp_path: Path) -> None:
    dump = tmp_path / "nginx.conf"
    dump.write_text(host.check_output("nginx -T 2> /dev/null"))
    assert "server_name shop.test" in dump.read_text()
    assert findings(dump) == []
