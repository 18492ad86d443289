# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is not taken out of service while requests are under way, or nobody knows whether."""

from __future__ import annotations

import pathlib
from typing import Any

import jinja2
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
[PLAY] = yaml.safe_load((ROOT / "playbooks/tasks/out_of_service.yml").read_text("utf-8"))
[WARN] = [task for task in PLAY["block"] if task["name"].startswith("Warn of requests")]
[WAIT] = [task for task in PLAY["block"] if task["name"] == "Wait for requests in flight"]


@pytest.mark.parametrize(
    ("rc", "stdout", "over"),
    [(0, "", True), (0, "u_str ESTAB 0 0 /run/shop/web-1.sock", False), (255, "", False)],
)
def test_the_wait_is_over_when_ss_finds_no_connection(rc: int, stdout: str, over: bool) -> None:
    result = {WAIT["register"]: {"rc": rc, "stdout": stdout}}
    assert jinja2.Environment().compile_expression(WAIT["until"])(**result) is over


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (
            {"rc": 0, "stdout_lines": ["a", "b"]},
            "requests are still under way (2 connections); they are",
        ),
        (
            {"rc": 255, "stderr": "no netlink"},
            "whether requests are under way, as ss failed: no netlink; they",
        ),
        (
            {"msg": "No such file: ss", "rc": 2, "stderr": ""},
            "as ss failed: No such file: ss; they are",
        ),
    ],
)
def test_what_may_be_cut_off_is_said(result: dict[str, Any], text: str) -> None:
    variables = {"maintenance_host": "app1", "__maintenance_drain_timeout": 30}
    message = jinja2.Environment().from_string(WARN["ansible.builtin.debug"]["msg"])
    said = message.render(item={"item": "shop"} | result, **variables)
    assert said.startswith("shop on app1: after 30 s")
    assert text in " ".join(said.split())
