# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a failure's text may leave the terminal of who deploys, and what not even be shown there. Pure."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import without_passwords

SHORTEST = 6  # characters of a value that is masked; shorter ones are everywhere
LONGEST_REASON = 500  # characters
WROTE = "; it wrote:"  # ends the line of a failure after which a process's output comes
FAILED_COMMAND = "non-zero return code ("  # what ansible.builtin.command says, then the command
SAID = re.compile(r"\.? ?((The installer|It|uv) said)?:$")


def masked(text: str, env: Mapping[str, object]) -> str:
    """Text without the values of an app's config: each shows as the name of its variable."""
    names: dict[str, str] = {}
    for name, value in env.items():
        for form in forms(str(value)):
            names.setdefault(form, name)
    if names:
        longest_first = sorted(names, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, longest_first)))
        text = pattern.sub(lambda found: f"<{names[found[0]]}>", text)
    return without_passwords(text)


def forms(value: str) -> Iterator[str]:
    """What of a value is masked: all of it, each of its lines, the password of a URL, as written by programs."""
    parts = {value, *value.splitlines()}
    try:
        password = urllib.parse.urlsplit(value).password or ""
    except ValueError:
        password = ""
    parts |= {password, urllib.parse.unquote(password)}
    for part in parts:
        # repr has two ways to write text with quotes in it
        quoted = repr(part)[1:-1], repr(f'"{part}')[2:-1], json.dumps(part)[1:-1]
        for form in {part, *quoted, urllib.parse.quote(part, "")}:
            if len(form.strip()) >= SHORTEST:
                yield form


def reason_of(problem: str) -> str:
    """What went wrong, on one line, without what programs and apps have written.

    ``problem`` is a message of a module, or of a task that ran a command. In these output begins after a
    colon at the end of a line, on lines of its own, or after a command's exit code.
    """
    first, *more = problem.strip().split("\n")
    before, command, rest = problem.partition(FAILED_COMMAND)
    if command:
        # the command comes next, and may hold a secret as well
        code = re.search(r"; exit code (-?[0-9]+)\)", rest)
        first = f"{before}{FAILED_COMMAND.strip(' (')}{f' {code[1]}' if code else ''}"
    elif first.endswith(WROTE):
        # each line of output is indented; what follows says what became of it
        after = [line for line in more if line and not line[0].isspace()]
        first = " ".join([first.removesuffix(WROTE) + ".", *after])
    return SAID.sub("", first)[:LONGEST_REASON]
