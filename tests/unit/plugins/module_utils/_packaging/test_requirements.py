# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lock files in the form of requirements."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    parse_lock,
)

A, B = "a" * 64, "b" * 64


# --- lock files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        pytest.param(f"flask==3.1.0 --hash=sha256:{A}\n", [("flask", "3.1.0", (A,))], id="line"),
        pytest.param(
            f"flask==3.1.0 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n    # via shop\n",
            [("flask", "3.1.0", (A, B))],
            id="as-uv-writes-it",
        ),
        pytest.param(
            f"flask==3.1.0 \\\r\n    --hash=sha256:{A}\r\n", [("flask", "3.1.0", (A,))], id="crlf"
        ),
        pytest.param(
            f"# made by uv\n\nflask==3.1.0 --hash=sha256:{A}  # why not\n   \n",
            [("flask", "3.1.0", (A,))],
            id="comments-and-blank-lines",
        ),
        pytest.param(
            f'tomli==2.0 ; python_version < "3.11" --hash=sha256:{A}\n',
            [("tomli", "2.0", (A,), 'python_version < "3.11"')],
            id="marker",
        ),
        pytest.param(
            f"tomli==2.0; sys_platform == 'win32' \\\n  --hash=sha256:{A}",
            [("tomli", "2.0", (A,), "sys_platform == 'win32'")],
            id="marker-without-a-space",
        ),
        pytest.param(
            f"uvicorn[standard]==0.30.1 --hash=sha256:{A}\n",
            [("uvicorn", "0.30.1", (A,))],
            id="extra",
        ),
        pytest.param(
            f"psycopg [binary,pool] == 3.2 --hash=sha256:{A}\n",
            [("psycopg", "3.2", (A,))],
            id="extras-and-spaces",
        ),
        pytest.param(
            f"Zope.Interface_X==7.0 --hash=sha256:{A}\n",
            [("zope-interface-x", "7.0", (A,))],
            id="name-is-made-canonical",
        ),
        pytest.param(
            f"a==1!2.0rc1+local.1 --hash=sha256:{A}\n",
            [("a", "1!2.0rc1+local.1", (A,))],
            id="epoch-and-local-version",
        ),
        pytest.param(
            f"a==1 --hash=sha512:{A}{A} --hash=sha256:{B}\n",
            [("a", "1", (B,))],
            id="sha256-among-others",
        ),
        pytest.param(
            f"a==1 --hash=sha256:{A}\nb==2 --hash=sha256:{B}",
            [("a", "1", (A,)), ("b", "2", (B,))],
            id="no-newline-at-the-end",
        ),
        pytest.param(
            f"a==1 ; python_version < '3.12' --hash=sha256:{A}\n"
            f"a==2 ; python_version >= '3.12' --hash=sha256:{B}\n",
            [
                ("a", "1", (A,), "python_version < '3.12'"),
                ("a", "2", (B,), "python_version >= '3.12'"),
            ],
            id="one-version-per-python",
        ),
    ],
)
def test_lock_is_read(text: str, pins: list[Any]) -> None:
    assert parse_lock(text) == [Pin(*pin) for pin in pins]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("# nothing\n\n", "is empty", id="comments-only"),
        pytest.param("-r other.txt\n", "option '-r'", id="another-file"),
        pytest.param("-e .\n", "option '-e' in line 1; the project itself", id="editable"),
        pytest.param("--hash=sha256:abc\n", "option '--hash'", id="hash-on-its-own"),
        pytest.param(
            f"--index-url https://example.org\na==1 --hash=sha256:{A}\n",
            "option '--index-url'",
            id="index",
        ),
        pytest.param(
            "--extra-index-url=https://joe:SECRET@example.org\n",
            "option '--extra-index-url'",
            id="index-with-a-login",
        ),
        pytest.param("flask\n", "'flask', which is not pinned", id="bare-name"),
        pytest.param(f"flask>=3 --hash=sha256:{A}\n", "not pinned", id="at-least"),
        pytest.param(f"flask~=3.0 --hash=sha256:{A}\n", "not pinned", id="compatible"),
        pytest.param(f"flask==3.* --hash=sha256:{A}\n", "not pinned", id="wildcard"),
        pytest.param(f"flask===3.0 --hash=sha256:{A}\n", "not pinned", id="arbitrary-equality"),
        pytest.param(f"flask==3.0,<4 --hash=sha256:{A}\n", "not pinned", id="two-clauses"),
        pytest.param(
            f"flask @ https://joe:SECRET@example.org/flask.whl --hash=sha256:{A}\n",
            "'flask @ https://example.org/flask.whl",
            id="url",
        ),
        pytest.param("https://joe:SECRET@example.org/flask.whl\n", "not pinned", id="bare-url"),
        pytest.param(
            "flask @ git+https://git.example.org/web/flask@main\n",
            "'flask @ git+https://git.example.org/web/flask@main', which is not pinned as name==version, in "
            "line 1; nobody could tell later what was installed. Build a wheel",
            id="git",
        ),
        pytest.param(
            "flask @ git+ssh://git@git.example.org:22/web/flask@main\n",
            "'flask @ git+ssh://git.example.org:22/web/flask@main'",
            id="git-over-ssh",
        ),
        pytest.param(
            "flask @ https://joe:SE/CR@ET@example.org/flask.whl\n",
            "'flask @ https://example.org/flask.whl'",
            id="url-with-a-bad-password",
        ),
        pytest.param("./flask.whl\n", "not pinned", id="path"),
        pytest.param("flask==3.1.0\n", "no sha256 for flask==3.1.0", id="no-hash"),
        pytest.param(
            f"flask==3.1.0 --hash=md5:{A[:32]}\n", "no sha256 for flask==3.1.0", id="md5-only"
        ),
        pytest.param(
            f"flask==3.1.0 --hash=sha256:{A[:63]}\n", "no sha256 for flask==3.1.0", id="short-hash"
        ),
        pytest.param(
            f"flask==3.1.0 --hash=sha256:{A}0\n", "no sha256 for flask==3.1.0", id="long-hash"
        ),
        pytest.param(f"flask==3.1.0  # --hash=sha256:{A}\n", "no sha256", id="hash-in-a-comment"),
        pytest.param(f"a==1 --hash=sha256:{A}\nb==2\n", "no sha256 for b==2", id="one-of-two"),
        pytest.param(
            f"a==1 --hash=sha256:{A}\n# x \\\n--extra-index-url https://joe:SECRET@example.org\n",
            "option '--extra-index-url' in line 3", id="option-after-a-comment-with-a-backslash",
        ),
        pytest.param(
            f"a==1 --hash=sha256:{A}\n# x \\\nb\n", "'b', which is not pinned as name==version, in "
            "line 3", id="requirement-after-a-comment-with-a-backslash",
        ),
    ],
)  # fmt: skip
def test_lock_is_refused(text: str, words: str) -> None:
    with pytest.raises(DeployError) as caught:
        parse_lock(text, "shop.txt")
    assert words in str(caught.value)
    assert str(caught.value).startswith("shop.txt ")
    assert "SECRET" not in str(caught.value)
