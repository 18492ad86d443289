# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a failure's text may leave the terminal of who deploys, and what not even be shown there. Pure."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import without_passwords

SHORTEST = 6  # characters of a value that is masked; shorter ones are everywhere
FILE = "config/"  # before a file's name, as commands write it; no variable has a slash in its name
LONGEST_REASON = 500  # characters
WROTE = "; it wrote:"  # ends the line of a failure after which a process's output comes
FAILED_COMMAND = "non-zero return code ("  # what ansible.builtin.command says, then the command
SAID = re.compile(r"\.? ?((The installer|It|uv) said)?:$")

# In config files. Lines without a value: imports, sections, keys of what follows, classes and functions, comments.
CODE = re.compile(
    r"(import|from)\s[\w.,*() ]+"
    r"|\[[A-Za-z_ .:-]+\]"
    r"|[\"']?[A-Za-z_][\w. -]*[\"']?\s?:\s?,?"
    r"|[A-Za-z_][\w.\[\]\"'-]* ="
    r"|(class|def)\s\w+(\([\w.,\s]*\))?:"
    r"|[#;]+(\s[^=:\"']*)?"
)
FROM_ENVIRONMENT = re.compile(r"os\.(environ(\.get)?|getenv)[\[(][\"']\w+[\"'][\])]")
NAME = re.compile(r"[A-Za-z_][A-Za-z_.-]*")
QUOTED = re.compile(
    r"(?P<subscript>[\w\])]\[)?(?<!\\)(?P<quote>[\"'])(?P<text>(?:\\.|(?!(?P=quote))[^\\])*)(?P=quote)(?P<key>\s*:)?"
)
ASSIGNED = re.compile(r"[=:]+>?\s*(.+)")
COMMENT = re.compile(r"\s[#;]")
# each one, so that the last field of a .pgpass is among them
WORD = re.compile(r"(?=[=:]\s*([^\s\"']{6,200}))")
XML_TEXT = re.compile(r">([^<>]{6,})<")
URL_PASSWORD = re.compile(r"://[^\s:/@'\"]*:([^\s/'\"]+)@")
PAIR = re.compile(r"[\w.-]+\s+(\S+)")
LETTER, DIGIT = re.compile(r"[A-Za-z]"), re.compile(r"\d")
AROUND = " \t,;\"'()[]{}"


def masked(
    text: str, env: Mapping[str, object], config_files: Mapping[str, object] | None = None
) -> str:
    """Text without the values of an app's config: each shows as the name of its variable or file."""
    return mask_of(env, config_files or {})(text)


def mask_of(env: Mapping[str, object], config_files: Mapping[str, object]) -> Callable[[str], str]:
    """What takes the values of an app's config out of texts, for many texts: to make it takes longest."""
    names: dict[str, str] = {}
    for name, value in env.items():
        for form in forms(_parts_of_value(str(value))):
            names.setdefault(form, name)
    for name, content in config_files.items():
        # a file that reads a secret from the environment names its variable, which a KeyError should show
        for form in forms(parts_of_file(str(content)) - env.keys()):
            names.setdefault(form, FILE + name)
    by_start: dict[str, list[str]] = {}
    for form in sorted(names, key=len, reverse=True):
        by_start.setdefault(form[:SHORTEST], []).append(form)

    def mask(text: str) -> str:
        return without_passwords("".join(_pieces(text, by_start, names)))

    return mask


def _pieces(
    text: str, by_start: Mapping[str, Iterable[str]], names: Mapping[str, str]
) -> Iterator[str]:
    """The text in pieces, names for values: of those that begin at the same place the longest.

    A pattern of all of them would be tried at every character, and a file may have thousands.
    """
    done = at = 0
    while at <= len(text) - SHORTEST:
        starting = by_start.get(text[at : at + SHORTEST], ())
        found = next((form for form in starting if text.startswith(form, at)), "")
        if found:
            yield text[done:at]
            yield f"<{names[found]}>"
            done = at + len(found)
        at += len(found) or 1
    yield text[done:]


def forms(parts: Iterable[str]) -> Iterator[str]:
    """Each part that is long enough, as programs write it."""
    for part in parts:
        if part.isascii() and part.isalnum():
            written = {part}
        else:
            # repr has two ways to write text with quotes in it
            quoted = repr(part)[1:-1], repr(f'"{part}')[2:-1], json.dumps(part)[1:-1]
            written = {part, *quoted, urllib.parse.quote(part, "")}
        yield from (form for form in written if len(form.strip()) >= SHORTEST)


def _parts_of_value(value: str) -> set[str]:
    """All of it, each of its lines, the password of a URL."""
    try:
        password = urllib.parse.urlsplit(value).password or ""
    except ValueError:
        password = ""
    return {value, *value.splitlines(), password, urllib.parse.unquote(password)}


def parts_of_file(content: str) -> set[str]:
    """What may be a secret in a config file of whatever format: all of it, its values, lines that are not just code."""
    parts = {content.strip()}
    for line in map(str.strip, content.splitlines()):
        own = FROM_ENVIRONMENT.sub("", line).strip()
        if not CODE.fullmatch(own):
            parts |= {line, *_values(own)}
    return parts


def _values(line: str) -> Iterator[str]:
    """What stands in quotes, after = or :, or in XML; in the password of a URL; in a line of words, what looks like one.

    Linear in the line's length: JSON may be a single one.
    """
    for found in QUOTED.finditer(line):
        # "key": or settings["key"]; what has digits in it may be a token that is mapped to a user
        if not ((found["subscript"] or found["key"]) and NAME.fullmatch(found["text"])):
            yield from _values_of_quoted(found["text"])
    if assigned := ASSIGNED.search(line):
        for value in (assigned[1], COMMENT.split(assigned[1])[0]):
            yield from (value.strip(), value.strip(AROUND))
    for pattern in (WORD, XML_TEXT):
        yield from (found[1].strip(AROUND) for found in pattern.finditer(line))
    for found in URL_PASSWORD.finditer(line):
        yield from (found[1], urllib.parse.unquote(found[1]))
    if not assigned and (pair := PAIR.fullmatch(line)):
        yield pair[1].strip(AROUND)
    elif not assigned:
        yield from (
            word.strip(AROUND)
            for word in line.split()
            if LETTER.search(word) and DIGIT.search(word)
        )


def _values_of_quoted(text: str) -> Iterator[str]:
    """What stood in quotes, also decoded, and what of it does so itself."""
    yield text
    if "\\" in text:
        with contextlib.suppress(ValueError):
            decoded = str(json.loads(f'"{text}"'))
            yield from (decoded, *parts_of_file(decoded))
    if "'" in text or '"' in text:
        yield from _values(text)


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
