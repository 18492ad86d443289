# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory can say is what roles declare and what playbooks read."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import problems
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    FORMS,
    OTHERS,
    PLAYBOOKS,
    RANGES,
    REQUIRED,
    declare,
)

ROOT = pathlib.Path(__file__).resolve().parents[5]
KNOWN = declare(
    {
        path.parents[1].name: yaml.safe_load(path.read_text("utf-8"))
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    }
)
TEXTS = {
    str(path.relative_to(ROOT)): re.sub(r"(?m)^\s*#.*$", "", path.read_text("utf-8"))
    for place in ("playbooks", "roles")
    for path in (ROOT / place).rglob("*.yml")
    if path.parent.name != "meta"
}


@pytest.mark.parametrize("name", KNOWN.variables)
def test_defaults_of_roles_and_playbooks_can_be_meant(name: str) -> None:
    known = KNOWN.variables[name]
    if "{{" in str(known.default):
        pytest.skip("follows from other variables")
    assert [str(each) for each in problems(known, name, known.default)] == []


def test_what_playbooks_read_is_declared() -> None:
    """Names of index and deploy, but for files, tasks, modules and keys of that name."""
    read = {
        name
        for file, text in TEXTS.items()
        if file.startswith("playbooks/")
        for name in re.findall(r"(?<![\w./'-])(?:index|deploy)_\w+\b(?!\.yml|:$)", text)
    }
    assert read - PLAYBOOKS.keys() - OTHERS == set()


def test_what_the_playbooks_say_of_their_variables_is_declared() -> None:
    """Those of several words: an app or a time is only given on the command line, and others have such names."""
    said = {
        name
        for path in (ROOT / "playbooks").glob("*.yml")
        for comment in re.findall(r"(?m)^#(.*)$", path.read_text("utf-8"))
        for name in re.findall(r"-e '?\W*([a-z]+_\w+)(?:=|\")|^ ([a-z]+_\w+) +\(\w", comment)
    }
    names = {name for pair in said for name in pair if name}
    assert {"audit_to", "patch_reboot", "deploy_watch", "app_formation"} < names
    assert names - KNOWN.variables.keys() - OTHERS == set()


def test_what_is_declared_is_read() -> None:
    used = "\n".join(text for file, text in TEXTS.items() if file.startswith("playbooks/"))
    own = {"deploy_own_variables"}  # which the validation itself reads
    assert {name for name in PLAYBOOKS if not re.search(rf"\b{name}\b", used)} == own


def test_what_tasks_leave_behind_is_no_variable_of_the_inventory() -> None:
    left = {
        name
        for text in TEXTS.values()
        for name in re.findall(r"(?m)^\s+register: ([a-z]\w*)$", text)
        if KNOWN.owner(name) and name not in KNOWN.variables
    }
    assert left - OTHERS == set()
    assert not OTHERS & KNOWN.variables.keys()


def test_what_hosts_need_is_declared() -> None:
    assert {name for names in REQUIRED.values() for name in names} <= KNOWN.variables.keys()


@pytest.mark.parametrize("pattern", [pattern for pattern, *_ in (*RANGES, *FORMS)])
def test_every_range_and_form_is_for_something(pattern: str) -> None:
    names = set(KNOWN.variables)
    left = [known.options for known in KNOWN.variables.values()]
    while left:
        options = left.pop()
        names |= options.keys()
        left += [known.options for known in options.values()]
    assert any(re.fullmatch(pattern, name) for name in names)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("nginx_sitse", "nginx"),
        ("app_user_grups", "app_user"),
        ("app_metrics_x", "app_metrics"),
        ("app_x", "app"),
        ("index_x", "index"),
        ("deploy_x", "deploy"),
        ("nginx", ""),
        ("ansible_user", ""),
        ("vault_nginx_password", ""),
    ],
)
def test_whose_a_name_seems_to_be(name: str, owner: str) -> None:
    assert KNOWN.owner(name) == owner


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        # two characters that changed places
        ("ngnix_sites", "nginx_sites"),
        ("nginx_sties", "nginx_sites"),
        ("gaphite_domain", "graphite_domain"),
        ("devip_root_password", "devpi_root_password"),
        ("app_mertics_statsd", "app_metrics_statsd"),
        ("log_shiping_url", "log_shipping_url"),
        ("node_exproter_listen", "node_exporter_listen"),
        ("idnex_url", "index_url"),
        # one character more, less or another
        ("nginxs_sites", "nginx_sites"),
        ("nginxsites", "nginx_sites"),
        ("nginx-sites", "nginx_sites"),
        ("bugsnk_domain", "bugsink_domain"),
        ("statds_graphite_host", "statsd_graphite_host"),
        ("deply_webhook", "deploy_webhook"),
        ("nginx__sites", "nginx_sites"),
        ("nginx_trusted__proxies", "nginx_trusted_proxies"),
        ("nginx_sites_", "nginx_sites"),
        ("app__settings", "app_settings"),
        ("allow_untested__os", "allow_untested_os"),
        ("allow_untestd_os", "allow_untested_os"),
        ("audits_to", "audit_to"),
        ("audit_stirct", "audit_strict"),
        ("bakcup_to", "backup_to"),
        ("report_titel", "report_title"),
        ("reports_output", "report_output"),
        ("logs_timeuot", "logs_timeout"),
        ("run_timeouts", "run_timeout"),
        ("patch_rebot", "patch_reboot"),
        ("maintenace_max_load", "maintenance_max_load"),
        # two slips
        ("ngnix_site", "nginx_sites"),
        ("graphit_domian", "graphite_domain"),
        ("deploy_cannareis", "deploy_canaries"),
        # singular for plural, and the other way round
        ("nginx_site", "nginx_sites"),
        ("munin_user", "munin_users"),
        ("index_domain", "index_domains"),
        ("deploy_webhooks", "deploy_webhook"),
        ("deploys_webhook", "deploy_webhook"),
        # variables of others
        ("nginx2_sites", ""),
        ("my_nginx_sites", ""),
        ("api_settings", ""),
        ("api_command", ""),
        ("apt_user_groups", ""),
        ("deployer_webhook", ""),
        ("indexes_url", ""),
        ("redis_port", ""),
        ("app", ""),
        ("_apps", ""),
        ("maps", ""),
        ("allow_untested", ""),
        ("nginx_vhosts", ""),
        ("nginx_remove_default_vhost", ""),
        ("nginxinc_repository", ""),
        ("sites", ""),
        ("circus", ""),
        ("deploy_key", ""),
        ("publisher_name", ""),
        ("ansible_user", ""),
        ("postgresql_users", ""),
        ("domain", ""),
        ("audit_tz", ""),
        ("backup_do", ""),
        ("backup_to_s3", ""),
        ("log_timeout", ""),
        ("gun_timeout", ""),
        ("rum_timeout", ""),
        ("patch_report", ""),
        ("report_outlet", ""),
        ("maintenance_min_load", ""),
        ("maintenance_save_timeout", ""),
        ("allow_untested_oss", ""),
    ],
)
def test_the_variable_that_a_misspelled_name_means(name: str, meant: str) -> None:
    assert KNOWN.meant(name) == meant


def test_of_each_variable_two_characters_that_changed_places_are_found() -> None:
    missed = []
    for name in KNOWN.variables:
        owner = KNOWN.owner(name)
        for at in range(len(owner) - 1 if len(owner) > 4 else 0):
            slip = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
            if slip != name and KNOWN.meant(slip) != name:
                missed.append((slip, KNOWN.meant(slip)))
    assert missed == []


def test_no_variable_means_another() -> None:
    declared = [KNOWN.variables, OTHERS]
    assert [
        name for names in declared for name in names if KNOWN.meant(name) not in ("", name)
    ] == []
