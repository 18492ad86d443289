# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hosts.command import attempt, run
from hosts.errors import HostsError


def test_output() -> None:
    assert run("printf", "hello") == "hello"
    assert attempt("sh", "-c", "echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")


@pytest.mark.parametrize(
    ("argv", "deadline", "sentence"),
    [
        (("sh", "-c", "echo broken >&2; exit 1"), 5, "`sh -c .*` failed: broken"),
        (("sh", "-c", "exit 7"), 5, "failed: exit code 7"),
        (("no-such-program-here",), 5, "no-such-program-here is not installed: run `make"),
        (("sleep", "5"), 0.05, "`sleep 5 ...` took over 0 s"),
    ],
)
def test_failures_are_one_sentence(argv: tuple[str, ...], deadline: float, sentence: str) -> None:
    with pytest.raises(HostsError, match=sentence) as caught:
        run(*argv, deadline=deadline)
    assert "\n" not in str(caught.value)
