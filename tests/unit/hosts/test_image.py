# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
from hosts import image
from hosts.errors import HostsError


def test_recipe_changes_with_what_goes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = image.recipe("debian12", {})
    assert plain == image.recipe("debian12", {})
    assert plain != image.recipe("debian13", {})
    assert plain != image.recipe("debian12", {"own.crt": "one"})
    assert image.recipe("debian12", {"a": "one"}) != image.recipe("debian12", {"a": "two"})
    monkeypatch.setattr(image, "PACKAGES", (*image.PACKAGES, "one-more"))
    assert plain != image.recipe("debian12", {})


def test_authorities_of_the_machine_are_found(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "CERTIFICATES", tmp_path)
    assert image.certificates() == {}
    (tmp_path / "company").mkdir()
    (tmp_path / "company" / "root.crt").write_text("PEM")
    (tmp_path / "notes.txt").write_text("no certificate")
    assert list(image.certificates()) == ["company-root.crt"]
    before = image.reference("debian12")
    (tmp_path / "company" / "root.crt").write_text("another")
    assert image.reference("debian12") != before


def test_unknown_image() -> None:
    with pytest.raises(HostsError, match="use one of debian12, debian13"):
        image.reference("debian11")


def test_too_little_room_is_said_before_anything_is_built(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "CERTIFICATES", tmp_path)
    monkeypatch.setattr(image, "MINIMUM_FREE_BYTES", 1 << 62)
    monkeypatch.setattr(image, "attempt", lambda *argv: (1, "", "no such image"))
    monkeypatch.setattr(image, "run", lambda *argv: f"{tmp_path}\n")
    with pytest.raises(HostsError, match="GB free and building images needs"):
        image.build(["debian12"])
