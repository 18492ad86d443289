# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be in a wheel. The secrets are put together here, so that none stands in the file."""

from __future__ import annotations

import pathlib
import zipfile
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish import screening


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (".env", "config of one deploy"),
        ("shop/.env", "config of one deploy"),
        ("shop/.env.production", "config of one deploy"),
        ("shop/.npmrc", "token"),
        ("shop/.ssh/config", "holds keys"),
        ("shop/id_ed25519", "private key"),
        ("shop/keys.p12", "key store"),
        ("shop/.git/config", "version control"),
        ("shop/__pycache__/x.cpython-311.pyc", "compiled anew"),
        ("shop/x.pyc", "compiled anew"),
        ("shop/node_modules/left-pad/index.js", "what a build needs"),
        ("venv/pyvenv.cfg", "virtualenv"),
        (".coverage", "left behind by a tool"),
        ("shop/x.py~", "editor"),
        ("shop/x.py.orig", "merge"),
        ("shop/dev.sqlite3", "database"),
        ("tests/conftest.py", "a package called tests"),
        ("test/test_x.py", "a package called test"),
        ("build/lib/shop.py", "earlier build"),
    ],
)
def test_names_that_do_not_belong(member: str, words: str) -> None:
    assert words in (screening.judge_name(member) or "")


@pytest.mark.parametrize(
    "member",
    [
        "shop.py",
        "test.py",
        "shop/tests/data.json",
        "shop/test/__init__.py",
        "shop/build/recipe.py",
        "shop/env.py",
        "shop/.env.example",
        "shop/.well-known/x",
        "shop-1.0.dist-info/METADATA",
        "shop/static/app.min.js.map",
        "shop/certs/public.pem",
    ],
)
def test_names_that_may_be_there(member: str) -> None:
    assert screening.judge_name(member) is None


BEGIN = "-----BEGIN %sPRIVATE KEY-----"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{BEGIN % ''}\n{BODY}\n", "private key"),
        (f"{BEGIN % 'RSA '}\r\n{BODY}\r\n", "private key"),
        (f"x = '''{BEGIN % 'OPENSSH '}\n{BODY}'''", "private key"),
        (f"{BEGIN % 'EC '}\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\n{BODY}\n", "private key"),
        ("id = '" + "AKIA" + "Q" * 16 + "'", "cloud account"),
        ("token: " + "ghp_" + "a1" * 18, "code host"),
        ("token: " + "glpat-" + "a" * 20, "code host"),
        ("xoxb" + "-123456789012-abcdefghijkl", "chat server"),
        ("sk_" + "live_" + "a" * 24, "payment service"),
        ("pypi-" + "AgE" + "a" * 60, "package index"),
    ],
)
def test_secrets(text: str, words: str) -> None:
    assert words in (screening.judge_content(text.encode()) or "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n",
        "-----BEGIN PUBLIC KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n",
        f"if text.startswith('{BEGIN % ''}'):\n    raise ValueError\n",
        "AKIA and other prefixes",
        "sk_" + "test_" + "a" * 24,
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert screening.judge_content(text.encode()) is None


@pytest.fixture
def wheel(tmp_path: pathlib.Path, make_wheel: Any) -> pathlib.Path:
    path: pathlib.Path = make_wheel()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("shop/.env", "X=1\n")
        archive.writestr("shop/key.pem", f"{BEGIN % ''}\n{BODY}\n")
        archive.writestr("shop/empty/", "")
    return path


def test_every_file_is_named(wheel: pathlib.Path) -> None:
    found = screening.look_through(wheel, [])
    assert [finding.member for finding in found] == ["shop/.env", "shop/key.pem"]
    with pytest.raises(DeployError) as refused:
        screening.refuse(wheel.name, found)
    assert str(refused.value) == (
        "shop-1.0-py3-none-any.whl must not be published: shop/.env holds the config of one "
        "deploy, often its secrets; shop/key.pem holds a private key. Keep them out of the build "
        "(pyproject.toml, MANIFEST.in), or list what belongs there in `allowed_files`."
    )


def test_what_is_allowed(wheel: pathlib.Path) -> None:
    found = screening.look_through(wheel, ["shop/.env", "*.pem"])
    assert found == []
    screening.refuse(wheel.name, found)


def test_many_findings_are_counted() -> None:
    found = [screening.Finding(f"{number}.pyc", "is old") for number in range(8)]
    with pytest.raises(DeployError, match=r"4\.pyc is old; and 3 more\. Keep"):
        screening.refuse("x.whl", found)
