# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a value of the inventory, by the specification of its setting. Pure.

Roles and filters read settings as the inventory has them, so a text that Ansible's modules would convert
(``domains: a,b`` to a list) is refused where its reader would take it for something else. No value
that may be a secret is repeated.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import (
    LONGEST_FILE,
    Setting,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import (
    Problem,
    nearest,
)

# what `init` writes where only people know the value
PLACEHOLDER = "EDIT"
# true and false in turn
BOOLEANS = ("yes", "no", "on", "off", "true", "false", "y", "n", "t", "f", "1", "0")
# more names than this are looked up in a README
FEW = 12

Found = Iterator[Problem]


@dataclass(frozen=True)
class Unresolved:
    """A value that is known only later, as a template of facts; ``reason`` if it never will be."""

    reason: str = ""


def is_true(value: Any) -> bool:
    """Whether a value of type bool is true; not where it is no such value, or is not known."""
    return str(value).lower() in BOOLEANS[::2]


def is_false(value: Any) -> bool:
    return str(value).lower() in BOOLEANS[1::2]


def problems(known: Setting, path: str, value: Any, *, secret: bool = False) -> Found:
    """What is wrong with ``value``, which stands under ``path``."""
    secret = secret or known.secret
    if isinstance(value, Unresolved):
        if value.reason:
            yield Problem(path, value.reason)
    elif value is not None:
        yield from _KINDS.get(known.type, _anything)(known, path, value, secret)


def options_problems(
    options: Mapping[str, Setting],
    path: str,
    said: Mapping[str, Any],
    *,
    secret: bool = False,
    elsewhere: str = "",
) -> Found:
    """What is wrong with a dictionary of settings. ``elsewhere``: where all known names are listed."""
    for name, value in said.items():
        if name in options:
            yield from problems(options[name], f"{path}.{name}", value, secret=secret)
        else:
            yield unknown(f"{path}.{name}", str(name), options, elsewhere)
    for name, known in options.items():
        if known.required and said.get(name) is None:
            yield Problem(f"{path}.{name}", "is missing", f"write {_form(known, name)}")


def unknown(path: str, name: str, options: Mapping[str, Any], elsewhere: str = "") -> Problem:
    if name in ("True", "False"):  # as on, off, yes and no are read
        path = f"{path} (on, off, yes or no, without quotes)"
    near = nearest(name, options)
    listed = elsewhere or (f"known are {', '.join(options)}" if len(options) <= FEW else "")
    return Problem(path, "is unknown", "" if near else listed, near)


# --- kinds of values ------------------------------------------------------------------------------


def _text(known: Setting, path: str, value: Any, secret: bool) -> Found:
    label = _label(path)
    if value == PLACEHOLDER:
        yield Problem(path, f"is still {PLACEHOLDER}", "write the value itself")
    elif isinstance(value, bool):
        yield Problem(path, "is true or false", f'write the text in quotes: {label}"true"')
    elif isinstance(value, float):
        text = "1.5" if secret else str(value)
        yield Problem(
            path,
            "is a number with a fraction, which would lose zeros at its end",
            f'write the text in quotes: {label}"{text}" or "{text}0"',
        )
    elif isinstance(value, datetime.date):
        text = "2026-01-02" if secret else str(value)
        yield Problem(path, "is a date", f'write the text in quotes: {label}"{text}"')
    elif isinstance(value, Mapping | list | tuple | set):
        yield Problem(
            path, f"is {kind_of(value, secret)}", f"write one text: {_form(known, _key(path))}"
        )
    elif known.choices and str(value) not in known.choices:
        yield Problem(
            path,
            "is another text" if secret else f"is {shortened(value)}",
            f"write one of {', '.join(known.choices)}",
            nearest(str(value), known.choices),
        )
    elif known.pattern and str(value) and not re.fullmatch(known.pattern, str(value)):
        what = "has another form" if secret else f"is {shortened(value)}"
        yield Problem(path, what, f"write {known.form}")


def _file_text(known: Setting, path: str, value: Any, secret: bool) -> Found:
    if isinstance(value, int) and not isinstance(value, bool):
        yield Problem(path, "is a number", "write the text of the file in quotes or after |")
    elif isinstance(value, str) and len(value.encode("utf-8", "replace")) > LONGEST_FILE:
        yield Problem(path, f"has more than {LONGEST_FILE} bytes", "write a smaller file")
    else:
        yield from _text(known, path, value, secret)


def _number(known: Setting, path: str, value: Any, secret: bool) -> Found:
    whole = known.type == "int"
    number = _as_number(value, whole)
    if number is None:
        needed = "a whole number" if whole else "a number"
        yield Problem(
            path, f"is {kind_of(value, secret)}", f"write {needed}: {_form(known, _key(path))}"
        )
    elif (known.minimum is not None and number < known.minimum) or (
        known.maximum is not None and number > known.maximum
    ):
        yield Problem(path, f"is {value}", f"write {_range(known)}")


def _as_number(value: Any, whole: bool) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return None if whole and not number.is_integer() else number


def _boolean(_known: Setting, path: str, value: Any, secret: bool) -> Found:
    if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
        return
    if not isinstance(value, str) or value.lower() not in BOOLEANS:
        yield Problem(
            path, f"is {kind_of(value, secret)}", f"write true or false: {_label(path)}true"
        )


def _list(known: Setting, path: str, value: Any, secret: bool) -> Found:
    if not isinstance(value, list | tuple):
        yield Problem(
            path,
            f"is {kind_of(value, secret)}",
            f"write a list: {_form(known, _key(path), value, secret)}",
        )
        return
    element = Setting(
        meaning=(),
        type=known.elements or "raw",
        options=known.options,
        minimum=known.minimum,
        maximum=known.maximum,
        pattern=known.pattern,
        form=known.form,
    )
    for index, each in enumerate(value):
        if each is None:
            yield Problem(f"{path}[{index}]", "is empty", "remove it or write a value")
        yield from problems(element, f"{path}[{index}]", each, secret=secret)


def _dictionary(known: Setting, path: str, value: Any, secret: bool) -> Found:
    if not isinstance(value, Mapping):
        yield Problem(
            path, f"is {kind_of(value, secret)}", f"write a dictionary: {_form(known, _key(path))}"
        )
    elif known.options:
        yield from options_problems(known.options, path, value, secret=secret)
    elif known.values:
        for key, each in value.items():
            where = f"{path}.{key}"
            if known.key_pattern and not re.fullmatch(known.key_pattern, str(key)):
                yield Problem(
                    where, "has another name than one may have", f"write {known.key_form}"
                )
            if each is None and known.values.type in ("str", "text"):
                yield Problem(where, "is without a value", f'write {key}: "" for an empty one')
            yield from problems(known.values, where, each, secret=secret)
    else:
        # nothing is known of it, but what cannot be evaluated is wrong anywhere
        for key, each in value.items():
            if isinstance(each, Unresolved):
                yield from problems(known, f"{path}.{key}", each, secret=secret)


def _anything(_known: Setting, _path: str, _value: Any, _secret: bool) -> Found:
    yield from ()


_KINDS: Mapping[str, Callable[[Setting, str, Any, bool], Found]] = {
    "str": _text,
    "path": _text,
    "text": _file_text,
    "int": _number,
    "float": _number,
    "bool": _boolean,
    "list": _list,
    "dict": _dictionary,
}


# --- words ----------------------------------------------------------------------------------------


def kind_of(value: Any, secret: bool = False) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "a number"
    if isinstance(value, float):
        return "a number with a fraction"
    if isinstance(value, datetime.date):
        return "a date"
    if isinstance(value, Mapping):
        return "a dictionary"
    if isinstance(value, list | tuple | set):
        return "a list"
    return "a text" if secret else f"the text {shortened(value)}"


def shortened(value: Any) -> str:
    """For a message. What stands before an @ may be a login, as of a URL, also of one that is not valid."""
    _login, at, rest = str(value).rpartition("@")
    text = f"***@{rest}" if at else rest
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _key(path: str) -> str:
    return "" if path.endswith("]") else path.rpartition(".")[2]


def _label(path: str) -> str:
    key = _key(path)
    return f"{key}: " if key else ""


def _range(known: Setting) -> str:
    if known.minimum is None:
        return f"at most {known.maximum}"
    if known.maximum is None:
        return f"at least {known.minimum}"
    return f"a number from {known.minimum} to {known.maximum}"


def _form(known: Setting, key: str, value: Any = None, secret: bool = False) -> str:
    """An example of the right form, of ``value`` where that can be told."""
    label = f"{key}: " if key else ""
    if known.type == "list":
        one = "…" if secret or not isinstance(value, str) or "@" in value else value
        return f"{label}[{one}]" if known.elements != "dict" else f"{label}[{{…}}]"
    if known.type == "dict":
        first = next(iter(known.options), "key")
        return f"{label}{{{first}: …}}"
    if known.type in ("int", "float"):
        return f"{label}{known.default if known.default is not None else known.minimum or 1}"
    if known.type == "bool":
        return f"{label}true"
    return f'{label}"…"'
