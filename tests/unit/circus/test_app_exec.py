# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What app-exec asks systemd for, and when it refuses; the scenario circus runs it."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from types import ModuleType

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def app_exec() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "app_exec", ROOT / "roles" / "circus" / "files" / "app_exec.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("app", "prefix"),
    # systemd reads drop-ins for each part of a name that ends with a dash: those of shop are not for shop-x
    [("shop", "app-exec-shop-"), ("shop-x", r"app-exec-shop\x2dx-"), ("a_b", "app-exec-a_b-")],
)
def test_commands_of_an_app_share_a_prefix_with_no_other(
    app_exec: ModuleType, app: str, prefix: str
) -> None:
    assert app_exec.unit_prefix(app) == prefix
    assert app_exec.sandbox(app).parent.name == f"{prefix}.service.d"


@pytest.mark.parametrize("app", ["shop", "shop-x-y", "a_b"])
def test_the_role_puts_the_sandbox_where_the_program_looks(app_exec: ModuleType, app: str) -> None:
    variables = DataLoader().load_from_file(
        str(ROOT / "roles" / "circus" / "vars" / "main.yml"), trusted_as_template=True
    )
    templar = Templar(DataLoader(), variables=variables | {"circus_app": app})
    assert templar.template(variables["__circus_sandbox"]) == str(app_exec.sandbox(app))


def test_the_command_is_passed_on_as_it_is(app_exec: ModuleType) -> None:
    call = app_exec.client("shop", "unit", ["sh", "-c", 'echo "$HOME $$"'], terminal=False)
    assert call[call.index("--") + 1 :] == ["sh", "-c", 'echo "$$HOME $$$$"']
    assert {"--pipe", "--wait", "--property=User=shop", "--property=Group=shop"} < set(call)


def test_a_terminal_is_passed_on(app_exec: ModuleType) -> None:
    assert "--pty" in app_exec.client("shop", "unit", ["python"], terminal=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: "),
        (["shop"], "usage: "),
        (["--help", "true"], "usage: "),
        (["shop", "true"], "shop has no sandbox on this host"),
        (["../shop", "true"], "../shop has no sandbox on this host"),
    ],
)
def test_refusals(
    app_exec: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(app_exec, "UNITS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["app-exec", *arguments])
    with pytest.raises(SystemExit, match=r".") as refused:
        app_exec.main()
    assert said in str(refused.value)
