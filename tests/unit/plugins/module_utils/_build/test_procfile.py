# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Procfiles."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    check_process_types,
    format_procfile,
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError


@pytest.mark.parametrize(
    ("text", "processes"),
    [
        pytest.param("web: gunicorn shop\n", {"web": "gunicorn shop"}, id="one"),
        pytest.param("web:gunicorn shop", {"web": "gunicorn shop"}, id="no-space-no-newline"),
        pytest.param(
            "# what runs\n\nweb: a\n  worker_2: b  \n", {"web": "a", "worker_2": "b"}, id="comment"
        ),
        pytest.param("web: a --bind x:80 # y\n", {"web": "a --bind x:80 # y"}, id="colons-stay"),
        pytest.param("release: migrate\nweb: a\n", {"release": "migrate", "web": "a"}, id="order"),
        pytest.param(
            "celery-worker: a\nweb-2nd-x_1: b\n",
            {"celery-worker": "a", "web-2nd-x_1": "b"},
            id="dash",
        ),
        pytest.param("web: A=1 B='x y' a\n", {"web": "A=1 B='x y' a"}, id="variables"),
        pytest.param("web: a\r\nbeat: b\r\n", {"web": "a", "beat": "b"}, id="crlf"),
    ],
)
def test_procfile_is_read(text: str, processes: dict[str, str]) -> None:
    read = parse_procfile(text)
    assert list(read.items()) == list(processes.items())
    assert parse_procfile(format_procfile(read)) == read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "No process type to run", id="empty"),
        pytest.param("release: migrate\n", "No process type to run", id="only-release"),
        pytest.param("web gunicorn\n", "'web gunicorn'; expected", id="no-colon"),
        pytest.param("web:   \n", "expected 'name: command'", id="no-command"),
        pytest.param("web: a\nweb: b\n", "'web' twice", id="twice"),
        pytest.param("Web: a\n", "type 'Web'", id="capital"),
        pytest.param("web-1: a\n", "type 'web-1'", id="as-a-process"),
        pytest.param("celery-: a\n", "type 'celery-'", id="dash-at-the-end"),
        pytest.param("-web: a\n", "type '-web'", id="dash-first"),
        pytest.param("a-b: x\na_b: y\n", "only in '-' and '_'", id="alike"),
        pytest.param("../x: a\n", "Invalid process type", id="path"),
        pytest.param(": a\n", "type ''", id="no-name"),
    ],
)
def test_procfile_is_refused(text: str, words: str) -> None:
    with pytest.raises(DeployError, match=words):
        parse_procfile(text)


@pytest.mark.parametrize("command", [None, 5, "", "  ", ["a"], "a\nb: c"], ids=repr)
def test_a_command_is_one_line(command: Any) -> None:
    with pytest.raises(DeployError, match=r"'web' is .* one line of text"):
        check_process_types({"web": command})
