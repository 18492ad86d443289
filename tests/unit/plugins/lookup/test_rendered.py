# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup gives what ansible.builtin.template gives, without a copy of everything."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

TEMPLATES = {
    "page.j2": "# {{ ansible_managed }}\n{% for name in names %}\n{{ name }} {{ own | default('-') }}\n{% endfor %}\n",
    "outer.j2": "{% include 'inner.j2' %}\n{{ outer }}",
    "inner.j2": "inside {{ outer }}\n",
    "broken.j2": "{{ nobody_knows }}",
}
VARIABLES = {"names": ["{{ first }}", "b"], "first": "a", "outer": "{{ names | length }}"}


@pytest.fixture
def evaluate(tmp_path: pathlib.Path) -> Any:
    (tmp_path / "templates").mkdir()
    for name, text in TEMPLATES.items():
        (tmp_path / "templates" / name).write_text(text)
    variables = {
        key: trust_as_template(value) for key, value in VARIABLES.items() if key != "names"
    }
    variables["names"] = [trust_as_template(name) for name in VARIABLES["names"]]
    variables["ansible_search_path"] = [str(tmp_path)]

    def evaluate(expression: str) -> Any:
        return Templar(DataLoader(), variables=variables).template(trust_as_template(expression))

    return evaluate


@pytest.mark.parametrize("name", ["page.j2", "outer.j2"])
def test_the_text_is_that_of_the_lookup_template(evaluate: Any, name: str) -> None:
    ours = evaluate(f"{{{{ lookup('twelvefactor.deploy.rendered', '{name}') }}}}")
    assert ours == evaluate(f"{{{{ lookup('ansible.builtin.template', '{name}') }}}}")
    assert ours == {"page.j2": "# Ansible managed\na -\nb -\n", "outer.j2": "inside 22"}[name]


def test_each_file_is_rendered_with_each_set_of_variables(evaluate: Any) -> None:
    each = "[{'own': 1}, {'own': 2, 'names': ['c']}]"
    assert evaluate(f"{{{{ query('twelvefactor.deploy.rendered', 'page.j2', each={each}) }}}}") == [
        "# Ansible managed\na 1\nb 1\n",
        "# Ansible managed\nc 2\n",
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [("broken.j2", "nobody_knows"), ("missing.j2", "Found no template file 'missing.j2'")],
)
def test_what_cannot_be_rendered_leaves_nothing_out(evaluate: Any, name: str, says: str) -> None:
    expression = (
        f"dict(['page', 'other'] | zip(query('twelvefactor.deploy.rendered', 'page.j2', '{name}')))"
    )
    with pytest.raises(AnsibleError, match=says):
        evaluate(f"{{{{ {expression} }}}}")
