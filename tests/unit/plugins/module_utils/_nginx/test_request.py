# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the parameters of nginx_config to a request."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx import request
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    NginxError,
    Request,
    SelfSigned,
    Signing,
)
from ansible_collections.twelvefactor.deploy.plugins.modules import nginx_config


def parameters(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in nginx_config.ARGUMENTS.items()}
    return {**defaults, "name": "s", **given}


def read(given: dict[str, Any], *, check: bool = False) -> Request:
    return request.read_request(given, check=check)


def test_files_secrets_and_copies_with_their_modes(tmp_path: Path) -> None:
    source = tmp_path / "made.key"
    source.write_text("made")
    source.chmod(0o640)
    made = read(
        parameters(
            files={"a": "text"},
            secret_files={"k": "secret"},
            worker_files={"w": "hash"},
            copies={"c": str(source)},
            absent=["d"],
            replace=["a"],
        ),
        check=False,
    )
    found = {path: (file.content, file.mode) for path, file in made.wanted.items()}
    assert found == {
        "a": (b"text", 0o644),
        "k": (b"secret", 0o600),
        "w": (b"hash", 0o640),
        "c": (b"made", 0o640),
    }
    assert made.wanted["w"].owner == (os.geteuid(), grp.getgrnam("www-data").gr_gid)
    assert [path for path, file in made.wanted.items() if file.workers] == ["w"]
    assert (made.absent, made.replace) == ({"d"}, {"a"})


def test_a_copy_of_what_is_not_there_yet(tmp_path: Path) -> None:
    given = parameters(copies={"c": str(tmp_path / "none")})
    assert read(given, check=True).wanted["c"].content is None
    with pytest.raises(NginxError, match=r"c is to be a copy of .*/none, which does not exist"):
        read(given, check=False)


CERTIFICATE = {"name": "shop", "alternative_names": ["DNS:shop.test"], "trust": True}
SIGNED = {"authority": "CA of app1", "days": 90, "certificates": [CERTIFICATE]}


def test_certificates_are_left_to_be_signed() -> None:
    made = read(parameters(self_signed=SIGNED))
    shop = SelfSigned("shop", ("DNS:shop.test",))
    assert made.signing == Signing("CA of app1", 90, (shop,), (os.geteuid(), os.getegid()))
    assert made.wanted == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"files": {"a": 1}}, "content of a in 'files' is not a text"),
        ({"files": {"a": "x"}, "secret_files": {"a": "y"}}, "a: given more than once"),
        ({"files": {"a": "x"}, "state": "absent"}, "takes no files"),
        ({"absent": ["a"], "state": "absent"}, "takes no files"),
        ({"self_signed": SIGNED, "state": "absent"}, "takes no files"),
        (
            {"self_signed": SIGNED, "files": {"certificates/shop.trust.pem": "x"}},
            r"certificates/shop\.trust\.pem: given more than once",
        ),
        (
            {"self_signed": SIGNED | {"certificates": [CERTIFICATE, CERTIFICATE]}},
            r"certificates/shop\.key, certificates/shop\.pem, .*: given more than once",
        ),
        (
            {
                "self_signed": SIGNED
                | {"certificates": [CERTIFICATE, CERTIFICATE | {"name": "shop.trust"}]}
            },
            r"certificates/shop\.trust\.pem: given more than once",
        ),
        ({"self_signed": SIGNED | {"days": 0}}, "'days' of .* between 1 and 10950"),
        ({"self_signed": SIGNED | {"days": 3000000}}, "'days' of .* between 1 and 10950"),
        ({"self_signed": SIGNED | {"authority": "C" * 65}}, "'authority' of .* 1 to 64 characters"),
        ({"self_signed": SIGNED | {"authority": ""}}, "'authority' of .* 1 to 64 characters"),
    ],
)
def test_contradictions_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(NginxError, match=words):
        read(parameters(**given), check=False)


def test_a_host_without_the_group_of_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "WORKERS", "no-such-group")
    with pytest.raises(NginxError, match="The group no-such-group of nginx's workers"):
        read(parameters(worker_files={"w": "hash"}), check=False)
