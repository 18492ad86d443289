# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database of advisories that answers as a service does."""

from __future__ import annotations

import json
import pathlib
import urllib.error
import urllib.request
import zipfile
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.advisories import (
    Advisories,
    affects,
    read_database,
    serving,
)


def advisory(
    *events: dict[str, str], versions: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    affected = {
        "package": {"ecosystem": "PyPI", "name": "Jinja2"},
        "ranges": [{"type": "ECOSYSTEM", "events": list(events)}],
        "versions": list(versions),
    }
    return {"id": "TEST-1", "affected": [affected | more.pop("affected", {})], **more}


TWICE = advisory(
    {"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "2.0"}, {"last_affected": "2.10"}
)


@pytest.mark.parametrize(
    ("found", "version", "expected"),
    [
        (advisory({"introduced": "0"}), "1", True),
        (advisory({"introduced": "0"}, {"fixed": "2"}), "1.9", True),
        (advisory({"introduced": "0"}, {"fixed": "2"}), "2.0", False),
        (advisory({"introduced": "1"}, {"fixed": "2"}), "0.9", False),
        (advisory({"introduced": "1"}, {"fixed": "2"}), "1", True),
        (advisory({"introduced": "0"}, {"fixed": "2"}), "2.0rc1", True),
        (advisory({"introduced": "0"}, {"last_affected": "2"}), "2", True),
        (advisory({"introduced": "0"}, {"last_affected": "2"}), "2.1", False),
        (TWICE, "1.1", True),
        (TWICE, "1.2", False),
        (TWICE, "2.3", True),
        (TWICE, "2.10", True),
        (TWICE, "2.11", False),
        (advisory(versions=("1.0.post1",)), "1.0.post1", True),
        (advisory(versions=("1.0",)), "1.1", False),
        (advisory(), "1", False),
        # what cannot be compared is rather reported
        (advisory({"introduced": "0"}, {"fixed": "2"}), "1!x", True),
        (advisory({"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z"), "1", False),
        (
            advisory(
                {"introduced": "0"}, affected={"package": {"ecosystem": "npm", "name": "jinja2"}}
            ),
            "1",
            False,
        ),
        (
            advisory(
                affected={"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]},
            ),
            "1",
            False,
        ),
    ],
)
def test_affects(found: dict[str, Any], version: str, expected: bool) -> None:
    assert affects(found, "jinja2", version) is expected
    assert affects(found, "other", version) is False


@pytest.mark.parametrize("kind", ["directory", "zip"])
def test_database(kind: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "advisories"
    text = json.dumps(advisory({"introduced": "0"}))
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("TEST-1.json", text)
            archive.writestr("README", "x")
    else:
        (path / "jinja2").mkdir(parents=True)
        (path / "jinja2" / "TEST-1.json").write_text(text)
    database = read_database(path)
    assert database.count == 1
    assert [found["id"] for found in database.about("JINJA2", "2.10")] == ["TEST-1"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (None, "neither a directory nor a zip archive that can be read: No such file"),
        ({}, "There are no advisories in"),
        ({"x.json": "{"}, "x.json in .* is not an advisory in OSV's format"),
        ({"x.json": "[]"}, "x.json in .* is not an advisory in OSV's format"),
        ({"x.json": '{"id": 1}'}, "x.json in .* is not an advisory in OSV's format"),
    ],
)
def test_no_database(files: dict[str, str] | None, words: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "advisories"
    if files is not None:
        path.mkdir()
    for name, text in (files or {}).items():
        (path / name).write_text(text)
    with pytest.raises(DeployError, match=words):
        read_database(path)


def test_no_archive(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "all.zip"
    path.write_text("x")
    with pytest.raises(DeployError, match=r"all\.zip are neither .*: File is not a zip file"):
        read_database(path)


def ask(url: str, query: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(query).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def test_service() -> None:
    with serving(Advisories([TWICE, advisory(versions=("9",))])) as url:
        package = {"name": "jinja2", "ecosystem": "PyPI"}
        found = ask(url, {"package": package, "version": "2.10"})["vulns"]
        assert [one["id"] for one in found] == ["TEST-1"]
        # the name under which pip-audit looks for the version that mends it
        assert found[0]["affected"][0]["package"]["name"] == "jinja2"
        assert ask(url, {"package": package, "version": "3"}) == {}
        assert ask(url, {"package": {"name": "other"}, "version": "3"}) == {}
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask(url, {"package": package})
    with pytest.raises(urllib.error.URLError):
        ask(url, {})
