# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of one setting of an inventory: its type, its default, and the form of its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Setting:
    """``meaning``: paragraphs in the markup of ansible-doc.

    ``readers``: the roles and playbooks that use it; nobody else may read it. ``rollout`` is what
    the playbooks deploy and rollback share, ``all`` every playbook that takes apps.
    """

    meaning: tuple[str, ...]
    readers: tuple[str, ...] = ()
    # as in argument specs; "text" for that of a file, in a dictionary
    type: str = "str"
    elements: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    # None: without one, the setting is None
    default: Any = None
    # the default where it follows from the app's name
    from_name: Callable[[str], Any] | None = None
    # whether an empty value is as good as none
    empty_is_unset: bool = False
    # whether it may hold a secret, so that messages do not repeat it
    secret: bool = False
    # of a number
    minimum: float | None = None
    maximum: float | None = None
    # of a text, or of each text of a list: a regular expression for all of it, and what that means
    pattern: str = ""
    form: str = ""
    # keys of a dictionary, or of each dictionary of a list
    options: Mapping[str, Setting] = field(default_factory=dict)
    # what a dictionary has under whatever key, and a regular expression for those, and what that means
    values: Setting | None = None
    key_pattern: str = ""
    key_form: str = ""


TEXT = Setting(meaning=("Any text.",), default="")
# bytes; _release/config.py has the same
LONGEST_FILE = 256 * 1024
FILE_TEXT = Setting(meaning=("Text of a file.",), type="text", default="")

SIZE = r"\d+[kKmMgG]?"
SIZE_FORM = "a size as nginx reads it, as in 10m"
DURATION = r"\d+(ms|[smhdwMy])?(\s*\d+(ms|[smhdwMy]))*"
DURATION_FORM = "a time as nginx reads it, as in 60s"
# of the role circus
BYTES = r"[1-9][0-9]*[KMGT]?"
BYTES_FORM = "bytes, as in 512M or 4G"
MEMORY = rf"{BYTES}|[1-9][0-9]?%|infinity"
MEMORY_FORM = "bytes (512M, 4G), a part of the host's memory (50%) or infinity"
DOMAIN = r"~.+|[^\s/]+"
DOMAIN_FORM = "a host's name without https:// and without a path, as in shop.example.org"
# _build/procfile.py has the same
PROCESS_TYPE = "(?!.*-[0-9]+$)[a-z][a-z0-9_]*(-[a-z0-9_]+)*"
PROCESS_TYPE_FORM = (
    "lower-case letters, digits and _, in words with - between them, as in celery-worker; the last word "
    "is not a number"
)
URL = r"https?://[^\s/]+\S*"
URL_FORM = "a URL, as in https://index.example.org"

# roles/circus/files/pivot/contract.py and _release.config have the same limits (tests/unit/test_contracts.py)
LONGEST = 86_400
LONGEST_STOP = 240


def seconds(meaning: str, default: float, maximum: int = LONGEST) -> Setting:
    return Setting(meaning=(meaning,), type="float", default=default, minimum=0, maximum=maximum)
