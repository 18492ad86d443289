# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/inventory.schema.json, which editors use: made of the specs, and as strict as the validation."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import inventory_schema
import jsonschema
import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import problems
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    declare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.judgement import (
    Inventory,
    findings,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = ROOT / "docs" / "inventory.schema.json"
SCHEMA = json.loads(PLACE.read_text("utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
MODELINE = re.compile(r"(?m)^`?# yaml-language-server: [$]schema=([^\s`]+)`?$")
KNOWN = declare(
    {
        path.parents[1].name: yaml.safe_load(path.read_text("utf-8"))
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    }
)

# Misspellings of names and of values, each as a user could write it, and the path of what is wrong.
MISSPELLINGS = [
    ("nginx_sitse: []", ""),
    ("app_user_grups: []", ""),
    ("index_ca_fil: x", ""),
    ("deploy_canarys: 1", ""),
    ("devpi_indexs: []", ""),
    ("graphite_domian: a.test", ""),
    ("nginx_sites: [{name: a, domain: [a.test]}]", "nginx_sites.0"),
    ("nginx_sites: [{name: a, domains: [a.test], upstream: {server: [x]}}]", "nginx_sites.0.upstream"),
    ("apps: {shop: {verison: '1'}}", "apps.shop"),
    ("apps: {shop: {version: '1', heath_path: /}}", "apps.shop"),
    ("apps: {shop: {version: '1', hooks: {after_deplo: []}}}", "apps.shop.hooks"),
    ("apps: {shop: {version: '1', hooks: {after_deploy: [{comand: x}]}}}", "apps.shop.hooks.after_deploy.0"),
    ("apps: {shop: {version: '1', process_options: {web: {drain_timout: 1}}}}", "apps.shop.process_options.web"),
    ("apps: {shop: {version: '1', limits: {memroy: 1G}}}", "apps.shop.limits"),
    ("apps: {shop: {version: '1', sentry: {tokn: x}}}", "apps.shop.sentry"),
    ("apps: {shop: {version: '1', nginx_site: {locatoins: []}}}", "apps.shop.nginx_site"),
    ("apps: {shop: {version: 1.1}}", "apps.shop.version"),
    ("apps: {shop: {version: '1', env: {DEBUG: true}}}", "apps.shop.env.DEBUG"),
    ("apps: {shop: {version: '1', log_format: jsn}}", "apps.shop.log_format"),
    ("deploy_unreachable: goon", "deploy_unreachable"),
]  # fmt: skip


def marked(text: str) -> list[str]:
    """Paths of what an editor marks."""
    return sorted(
        ".".join(map(str, each.path)) for each in VALIDATOR.iter_errors(yaml.safe_load(text))
    )


def test_the_shipped_schema_is_what_the_specs_make() -> None:
    assert PLACE.read_text("utf-8") == inventory_schema.text(), "call make schema"
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_there_are_twenty_misspellings() -> None:
    assert len(MISSPELLINGS) == 20


@pytest.mark.parametrize(("text", "path"), MISSPELLINGS)
def test_a_misspelling_is_marked(text: str, path: str) -> None:
    assert path in marked(text)


@pytest.mark.parametrize(("text", "path"), MISSPELLINGS)
def test_a_misspelling_is_refused_by_the_validation(text: str, path: str) -> None:
    groups = {"all": ["x"], "x": ["x"], "app": [], "index": ["i"]}
    said = dict.fromkeys(("index_url", "index_name"), "x") | yaml.safe_load(text)
    found = findings(Inventory(groups, {"x": said}), KNOWN, places=False)
    assert any(each.problem.path.startswith(path.replace(".0", "[0]")) for each in found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nginx_log_days", 3),
        ("nginx_log_days", "3"),
        ("nginx_log_days", "{{ days }}"),
        ("nginx_log_days", None),
        ("nginx_log_days", "many"),
        ("nginx_log_days", -1),
        ("nginx_log_days", True),
        ("nginx_log_days", 1.5),
        ("nginx_log_days", [1]),
        ("munin_port", 70_000),
        ("circus_check_delay", 0.5),
        ("circus_check_delay", "x"),
        ("nginx_http3", True),
        ("nginx_http3", "yes"),
        ("nginx_http3", "maybe"),
        ("nginx_http3", "{% if x %}true{% endif %}"),
        ("nginx_hsts", "x"),
        ("nginx_hsts", 5),
        ("nginx_hsts", True),
        ("nginx_hsts", 1.5),
        ("nginx_hsts", ["x"]),
        ("nginx_tls_profile", "modern"),
        ("nginx_tls_profile", "moderm"),
        ("nginx_tls_profile", "{{ profile }}"),
        ("nginx_trusted_proxies", ["10.0.0.1"]),
        ("nginx_trusted_proxies", "10.0.0.1"),
        ("nginx_trusted_proxies", "{{ proxies }}"),
        ("nginx_headers", {"X": "y"}),
        ("nginx_headers", ["x"]),
        ("index_url", "https://a.test"),
        ("index_url", "a.test"),
        ("index_url", "{{ a }}"),
        ("index_publisher", {"user": "a", "password": "b"}),
        ("index_publisher", {"user": "a"}),
        ("deploy_batch", "25%"),
        ("deploy_batch", "125%"),
        ("deploy_batch", 3),
        ("index_domains", ["a.test", "https://a.test/"]),
    ],
)
def test_schema_and_validation_agree(name: str, value: Any) -> None:
    resolved = "{" in str(value) and isinstance(value, str)
    refused = not resolved and bool([*problems(KNOWN.variables[name], name, value)])
    assert bool([*VALIDATOR.iter_errors({name: value})]) is refused


@pytest.mark.parametrize(
    "path",
    [str(path.relative_to(ROOT)) for path in ROOT.glob("inventories/*/group_vars/all/*.yml")],
)
def test_nothing_is_marked_in_the_inventories_that_we_ship(path: str) -> None:
    assert marked((ROOT / path).read_text("utf-8")) == []


def test_own_variables_may_have_any_other_name() -> None:
    assert marked("{vault_password: x, sites: [], ansible_user: deploy, my_nginx_x: 1}") == []


def test_the_inventories_for_users_name_the_schema() -> None:
    for path in (ROOT / "inventories/example/group_vars/all").glob("*.yml"):
        (place,) = MODELINE.findall(path.read_text("utf-8"))
        assert (path.parent / place).resolve() == PLACE
    (place,) = MODELINE.findall((ROOT / "docs/how-to/validate.md").read_text("utf-8"))
    collection = "collections/ansible_collections/twelvefactor/deploy"
    assert place == f"../../{collection}/{PLACE.relative_to(ROOT)}"
