# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of an inventory as JSON Schema (draft 7), for editors. Pure.

A template may stand wherever a value may. Keywords of JSON Schema mean only what is of their type: a
range numbers, a pattern texts.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import (
    LONGEST_FILE,
    Setting,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import BOOLEANS
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    Declarations,
    Variables,
)

TEMPLATE = r"\{[{%]"
MARKUP = re.compile(r"\b[A-Z]\(([^()]*)\)")

Schema = dict[str, Any]


def schema_of(known: Declarations) -> Schema:
    """The schema of a file of variables, as in group_vars."""
    app = Setting(meaning=("Settings of an app.",), type="dict", options=known.apps)
    apps = dataclasses.replace(known.variables["apps"], values=app)
    names = "|".join(sorted(known.variables))
    owners = "|".join(sorted({*known.roles, "index", "deploy"}))
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Variables of twelvefactor.deploy",
        "description": "Files of variables in an inventory, for example group_vars/all/main.yml.",
        # null: a file with nothing but comments
        "type": ["object", "null"],
        "properties": _properties({**known.variables, "apps": apps}),
        # what begins like a variable of a role, and is none
        "patternProperties": {f"^(?!(?:{names})$)(?:{owners})_": False},
    }


def _properties(options: Variables) -> Schema:
    return {name: value(option) for name, option in sorted(options.items())}


def value(known: Setting) -> Schema:
    """The schema of what may stand under a name."""
    schema = _KINDS.get(known.type, _anything)(known)
    if known.meaning:
        schema["description"] = MARKUP.sub(r"\1", "\n".join(known.meaning))
    if known.default not in (None, "", [], {}) and not known.secret:
        schema["default"] = known.default
    return schema


def _anything(_known: Setting) -> Schema:
    return {}


def _text(known: Setting) -> Schema:
    if known.choices:
        return {"anyOf": [{"enum": [*known.choices, None]}, _template()]}
    schema: Schema = {"type": ["string", "integer", "null"]}
    if known.pattern and not known.secret:
        schema["pattern"] = f"^(?:{known.pattern})?$|{TEMPLATE}"
        schema["patternErrorMessage"] = f"Write {known.form}."
    return schema


def _file_text(_known: Setting) -> Schema:
    # in characters; in bytes it is not longer
    return {"type": ["string", "null"], "maxLength": LONGEST_FILE}


def _template() -> Schema:
    return {"type": "string", "pattern": TEMPLATE}


def _number(known: Setting) -> Schema:
    kind = "integer" if known.type == "int" else "number"
    digits = r"-?\d+" if known.type == "int" else r"-?\d+(\.\d+)?"
    schema: Schema = {"type": [kind, "string", "null"], "pattern": rf"^{digits}$|{TEMPLATE}"}
    if known.minimum is not None:
        schema["minimum"] = known.minimum
    if known.maximum is not None:
        schema["maximum"] = known.maximum
    return schema


def _boolean(_known: Setting) -> Schema:
    words = "|".join(BOOLEANS)
    return {
        "type": ["boolean", "string", "null"],
        "pattern": rf"^(?:{words})$|{TEMPLATE}",
    }


def _list(known: Setting) -> Schema:
    element = Setting(
        meaning=(),
        type=known.elements or "raw",
        options=known.options,
        minimum=known.minimum,
        maximum=known.maximum,
        pattern=known.pattern,
        form=known.form,
        secret=known.secret,
    )
    return {"type": ["array", "string", "null"], "pattern": TEMPLATE, "items": value(element)}


def _dictionary(known: Setting) -> Schema:
    schema: Schema = {"type": ["object", "string", "null"], "pattern": TEMPLATE}
    if known.options:
        schema["properties"] = _properties(known.options)
        schema["additionalProperties"] = False
        required = [name for name, option in known.options.items() if option.required]
        if required:
            schema["required"] = required
    elif known.values:
        schema["additionalProperties"] = value(known.values)
    return schema


_KINDS = {
    "str": _text,
    "path": _text,
    "text": _file_text,
    "int": _number,
    "float": _number,
    "bool": _boolean,
    "list": _list,
    "dict": _dictionary,
}
