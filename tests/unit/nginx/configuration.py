# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx configuration as the roles render it, and the value of a `map` in it.

Templates, defaults and variables are those of the roles. Only what a role asks the host about (the
version of nginx, certificates) is given here.
"""

from __future__ import annotations

import pathlib
import re
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = pathlib.Path(__file__).resolve().parents[3] / "roles"
HOST = {
    "__nginx_build": {"rc": 0, "stderr": "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.19"},
    "__nginx_stapled": [],
    "ansible_managed": "Ansible managed",
}


def evaluate(role: str, expression: str, **given: Any) -> Any:
    """What an expression is with the defaults and variables of nginx and of the role."""
    loader = DataLoader()
    known: dict[str, Any] = {}
    for name in dict.fromkeys(["nginx", role]):
        for part in ("defaults", "vars"):
            path = str(ROLES / name / part / "main.yml")
            known |= loader.load_from_file(path, trusted_as_template=True)
    known |= {"ansible_search_path": [str(ROLES / role)], **HOST, **given}
    return Templar(loader, variables=known).template(trust_as_template(expression))


def template(role: str, path: str, **given: Any) -> str:
    """The text of a template, by its path below /."""
    return str(
        evaluate(role, f"{{{{ lookup('twelvefactor.deploy.rendered', '{path}.j2') }}}}", **given)
    )


def site(**keys: Any) -> str:
    """The file of one site."""
    complete = {"name": "shop", "domains": ["shop.example.org"], **keys}
    files = evaluate("nginx", "{{ __nginx_site_files }}", nginx_sites=[complete])
    [text] = files.values()
    return str(text)


TOKEN = r'"(?:\\.|[^"\\])*"|[^\s;{}]+'


class Maps:
    """The maps of a configuration: exact values first, then patterns in their order."""

    def __init__(self, *texts: str) -> None:
        self.maps: dict[str, tuple[str, list[tuple[str, str]]]] = {}
        for text in texts:
            plain = re.sub(r"(?m)^\s*#.*$", "", text)
            pattern = rf"(?m)^\s*map ({TOKEN}) \$(\w+) \{{(?:\s*volatile;)?((?:\s*(?:{TOKEN}) (?:{TOKEN});)+)\s*\}}"
            for source, name, body in re.findall(pattern, plain):
                entries = re.findall(rf"({TOKEN}) ({TOKEN});", body)
                self.maps[name] = (
                    unquoted(source),
                    [(unquoted(key), unquoted(value)) for key, value in entries],
                )

    def value(self, name: str, request: dict[str, str]) -> str:
        """The value of a variable; a variable that neither a map nor the request has is empty."""
        if name not in self.maps:
            return request.get(name, "")
        source, entries = self.maps[name]
        text = self.expanded(source, request)
        result = dict(entries).get("default", "")
        for key, value in entries:
            if not key.startswith("~") and key != "default" and key.lower() == text.lower():
                return self.expanded(value, request)
        for key, value in entries:
            if key.startswith("~"):
                insensitive = key.startswith("~*")
                pattern = key[2:] if insensitive else key[1:]
                pattern = pattern.replace("(?<", "(?P<")
                found = re.search(pattern, text, re.IGNORECASE if insensitive else 0)
                if found:
                    return self.expanded(value, request | found.groupdict(""))
        return self.expanded(result, request)

    def expanded(self, text: str, request: dict[str, str]) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda variable: self.value(variable[1], request), text)


def unquoted(token: str) -> str:
    """nginx reads \\" and \\\\ in a quoted word, and leaves other escapes to the pattern."""
    if token.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", token[1:-1])
    return token
