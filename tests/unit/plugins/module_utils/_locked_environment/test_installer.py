# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where packages come from, as a user and the host have set it up."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment import (
    installer,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    parse_lock,
)

ROOT = pathlib.Path(__file__).resolve().parents[5]


def test_uv_is_the_one_that_the_role_circus_locks() -> None:
    lock = (ROOT / "roles" / "circus" / "files" / "requirements.txt").read_text(encoding="utf-8")
    assert installer.UV in parse_lock(lock)


@pytest.mark.parametrize(
    ("text", "variable", "url"),
    [
        ("", "", None),
        ("[global]\nindex-url = https://a.test/simple\n", "", "https://a.test/simple"),
        ("[global]\nindex_url = https://a.test/simple\n", "", "https://a.test/simple"),
        (
            "[global]\nindex-url = https://a.test\n[install]\nindex-url = https://b.test\n",
            "",
            "https://b.test",
        ),
        ("[global]\nindex-url = https://a.test/%(x)s\n", "", "https://a.test/%(x)s"),
        ("[global]\nindex-url = https://a.test\n", "https://c.test", "https://c.test"),
        ("[global]\ntimeout = 3\n", "", None),
    ],
)
def test_the_index_of_the_host(
    text: str,
    variable: str,
    url: str | None,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", variable)
    monkeypatch.setattr(installer, "PIP_CONFIG", tmp_path / "pip.conf")
    (tmp_path / "pip.conf").write_text(text)
    assert installer.host_index_url() == url


def test_a_configuration_of_pip_that_cannot_be_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setattr(installer, "PIP_CONFIG", tmp_path / "pip.conf")
    (tmp_path / "pip.conf").write_text("index-url = https://joe:secret@a.test\n")
    with pytest.raises(DeployError, match=r"pip\.conf is not a config.*give index_url") as caught:
        installer.host_index_url()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "given"),
    [
        (None, None),
        ("", None),
        ("https://a.test/simple/", "https://a.test/simple/"),
        ("http://joe:p%40ss@a.test:3141/x", "http://joe:p%40ss@a.test:3141/x"),
    ],
)
def test_an_index(url: str | None, given: str | None) -> None:
    assert installer.check_index_url(url) == given


@pytest.mark.parametrize(
    "url",
    [
        "a.test/simple",
        "file:///srv/simple",
        "https://",
        "https://joe:secret@a.test:port/",
        "https://a.test/\n--trusted-host secret",
        "https://a.test/ --hash secret",
    ],
)
def test_what_is_not_an_index(url: str) -> None:
    with pytest.raises(DeployError, match="index_url is not the URL of an index") as caught:
        installer.check_index_url(url)
    assert "secret" not in str(caught.value)


def test_an_interpreter_that_is_missing() -> None:
    missing = "/usr/bin/python3.99"
    assert installer.describe(missing, predicted=True).version == "unknown"
    with pytest.raises(DeployError, match=r"Could not ask .* is missing on this host; install it"):
        installer.describe(missing, predicted=False)


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false"])
def test_a_program_that_is_not_an_interpreter(program: str) -> None:
    with pytest.raises(DeployError, match=f"{program} is not a Python interpreter"):
        installer.describe(program, predicted=False)
