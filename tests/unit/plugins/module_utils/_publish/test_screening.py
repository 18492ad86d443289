# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be in a wheel. The secrets are put together here, so that none stands in the file."""

from __future__ import annotations

import io
import pathlib
import tarfile
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
        ("shop/__pycache__/x.cpython-311.pyc", "compiled again"),
        ("shop/x.pyc", "compiled again"),
        ("shop/node_modules/left-pad/index.js", "what a build needs"),
        ("shop/prod.env", "config of one deploy"),
        ("shop/.ENV", "config of one deploy"),
        ("shop/Credentials.json", "credentials of an account"),
        ("shop/service-account.json", "key of an account"),
        ("shop/service_account_prod.json", "key of an account"),
        ("shop/tls/server.key", "private key"),
        ("infra/terraform.tfstate", "infrastructure"),
        ("shop/.git-credentials", "passwords"),
        ("shop/db.sqlite", "database"),
        ("shop/dump.sql", "database"),
        ("shop/ID_RSA", "private key"),
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
        "shop/Example.env",
        "shop/migrations/0001.sql",
        "shop/keys.py",
        "Tests/data.json",
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
        "deploy, often its secrets; shop/key.pem holds a private key (line 1). Keep them out of the build "
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


# --- large files and archives ------------------------------------------------------------------

KEY = f"{BEGIN % ''}\n{BODY}\n".encode()


def packed(how: str, **members: bytes) -> bytes:
    made = io.BytesIO()
    if how == "zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=made, mode=f"w:{how}") as tar:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize("before", [0, screening.BLOCK - 40, screening.BLOCK, 3 * screening.BLOCK])
def test_a_key_in_a_large_file(before: int) -> None:
    file = io.BytesIO(b"x" * (before - 1) + b"\n" + KEY + b"x" * screening.BLOCK)
    assert screening.judge_file(file) == "holds a private key (line 2)"


@pytest.mark.parametrize(
    ("name", "how"),
    [("a.zip", "zip"), ("a.jar", "zip"), ("a.tar", ""), ("A.TGZ", "gz"), ("a.tar.xz", "xz")],
)
def test_one_archive_deep(name: str, how: str) -> None:
    content = packed(how, **{"a/b.txt": b"nothing", "a/c.txt": KEY})
    reason = screening.judge_archive(name, content)
    assert reason == "has a/c.txt in it, which holds a private key (line 1)"
    content = packed(how, **{"a/.env": b"A=1"})
    assert str(screening.judge_archive(name, content)).startswith("has a/.env in it, which holds")
    assert screening.judge_archive(name, packed(how, **{"tests/x.pyc": b"nothing"})) is None


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"PK\3\4", b"\x1f\x8bnothing", packed("gz", a=KEY)[:60]),
        packed("zip", é=b"").replace("\u00e9".encode(), b"\xc3("),
    ],
    ids=["empty", "zip", "gz", "half", "name"],
)
def test_an_archive_that_cannot_be_read(content: bytes) -> None:
    assert screening.judge_archive("a.tar.gz", content) is None


def test_an_archive_that_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "LARGEST_CONTENT", 1 << 20)
    content = packed("zip", a=b"x" * (1 << 20), b=KEY)
    assert "unpacks to more than" in str(screening.judge_archive("a.zip", content))


def test_archives_of_a_wheel_are_opened(tmp_path: pathlib.Path, make_wheel: Any) -> None:
    path: pathlib.Path = make_wheel()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("shop/data.zip", packed("zip", **{"key.pem": KEY}))
    assert screening.look_through(path, []) == [
        screening.Finding("shop/data.zip", "has key.pem in it, which holds a private key (line 1)")
    ]
