# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is not taken out of service while requests are under way, or nobody knows whether."""

from __future__ import annotations

import pathlib

import jinja2
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
[PLAY] = yaml.safe_load((ROOT / "playbooks/tasks/out_of_service.yml").read_text("utf-8"))
[WAIT] = [task for task in PLAY["block"] if task["name"] == "Wait for requests in flight"]


@pytest.mark.parametrize(
    ("rc", "stdout", "over"),
    [(0, "", True), (0, "u_str ESTAB 0 0 /run/shop/web-1.sock", False), (255, "", False)],
)
def test_the_wait_is_over_when_ss_finds_no_connection(rc: int, stdout: str, over: bool) -> None:
    result = {WAIT["register"]: {"rc": rc, "stdout": stdout}}
    assert jinja2.Environment().compile_expression(WAIT["until"])(**result) is over
