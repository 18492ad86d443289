# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role ships for Kibana and Logstash, as far as it can be tested without them."""

from __future__ import annotations

import json
import pathlib
import re

import yaml
from log_lines import index_day

ROLE = pathlib.Path(__file__).parents[3] / "roles" / "log_shipping"


def test_the_saved_objects_of_kibana_are_whole() -> None:
    """Not that Kibana takes them: there was none to ask."""
    text = (ROLE / "files" / "kibana" / "twelvefactor.ndjson").read_text()
    objects = [json.loads(row) for row in text.splitlines()]
    ids = {(found["type"], found["id"]) for found in objects}
    assert {ref for found in objects for ref in ids_of(found["references"])} < ids
    for found in objects:
        for key in ("visState", "panelsJSON", "optionsJSON", "uiStateJSON"):
            json.loads(found["attributes"].get(key, "{}"))
    fields = set(re.findall(r'\\"field\\": \\"([^"\\]+)', text))
    assert fields
    assert fields <= shipped_fields()


def shipped_fields() -> set[str]:
    """Of a line of nginx's access log."""
    template = ROLE.parent / "nginx" / "templates" / "etc" / "nginx" / "nginx.conf.j2"
    return set(re.findall(r"""'"([@a-z_.]+)":""", template.read_text()))


def test_the_pipeline_of_logstash_gives_lines_the_shippers_own_names() -> None:
    """Not that Logstash takes it: there was none to ask."""
    text = (ROLE / "files" / "logstash" / "twelvefactor.conf").read_text()
    code = re.sub(r'"[^"]*"', '""', re.sub(r"^ *#.*$", "", text, flags=re.MULTILINE))
    depth = 0
    for bracket in re.findall(r"[{}]", code):
        depth += 1 if bracket == "{" else -1
        assert depth >= 0
    assert depth == 0
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert f'index => "{defaults["log_shipping_index"]}-%{{+YYYY.MM.dd}}"' in text
    assert index_day("2026-01-02T03:04:05Z", 1767322800.0, 1) == "2026.01.02"
    assert 'document_id => "%{[event.id]}"' in text


def ids_of(references: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(found["type"], found["id"]) for found in references}
