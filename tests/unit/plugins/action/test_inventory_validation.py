# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller reads of all hosts, and how it lists what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template
from ansible_collections.twelvefactor.deploy.plugins.action.inventory_validation import (
    Reader,
    listed,
    reason,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.judgement import (
    Unresolved,
    findings,
)

HOSTS = {"all": ["a1", "a2", "p1"], "app": ["a1", "a2"], "proxy": ["p1"]}
URL = {"index_url": "https://index.test", "index_name": "company/prod"}


class HostVars(dict[str, dict[str, Any]]):
    def raw_get(self, host: str) -> dict[str, Any]:
        return self[host]


def trusted(value: Any) -> Any:
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {trust_as_template(key): trusted(each) for key, each in value.items()}
    return [trusted(each) for each in value] if isinstance(value, list) else value


def reader(said: dict[str, Any], /, **of_hosts: dict[str, Any]) -> Reader:
    said = trusted({**URL, **said})
    hosts = HostVars(
        {
            host: {**said, **trusted(of_hosts.get(host, {})), "inventory_hostname": host}
            for host in HOSTS["all"]
        }
    )
    play = {"of_the_play": trust_as_template("{{ 'x' }}")}
    task = {**play, **hosts["a1"], "hostvars": hosts, "groups": HOSTS}
    return Reader(DataLoader(), task)


def told(said: dict[str, Any], /, *arguments: Any, **of_hosts: dict[str, Any]) -> list[str]:
    read = reader(said, **of_hosts)
    app, version = arguments or (None, None)
    return [str(each) for each in findings(read.inventory(app, version), read.known)]


def shop(**said: Any) -> dict[str, Any]:
    return {"apps": {"shop": {"version": "1", **said}}}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (shop(), []),
        # resolved, and right
        ({**shop(keep="{{ how_many }}"), "how_many": 3}, []),
        ({**shop(keep="{{ how_many }}"), "how_many": "x"}, ["apps.shop.keep is the text 'x'"]),
        ({"apps": "{{ all_apps }}", "all_apps": {"shop": {"version": "1", "kep": 3}}}, ["apps.shop.kep is unknown"]),
        ({"apps": {"shop": "{{ settings }}"}, "settings": {"version": 1.1}}, ["apps.shop.version is a number"]),
        ({**shop(hosts="{{ where }}"), "where": "nowhere"}, ["apps.shop.hosts is 'nowhere', neither"]),
        (shop(keep="{{ of_the_play }}"), ["apps.shop.keep is the text 'x'"]),
        (shop(package="{{ groups.app | join }}", domains=["{{ hostvars.p1.index_name }}"]), ["apps.shop.domains[0] is 'company/prod'"]),
        # what is known later, or by somebody else only
        (shop(keep="{{ ansible_facts.processor_count }}"), []),
        (shop(keep="{{ ansible_processor_count }}"), []),
        ({**shop(keep="{{ cores }}"), "cores": "{{ ansible_facts.processor_count }}"}, []),
        (shop(env={"A": "{{ hostvars.p1.ansible_facts.x }}"}), []),
        (shop(domains=["{{ ansible_fqdn }}"]), []),
        # what never will be
        (shop(env={"A": "{{ vault_a }}"}), ["apps.shop.env.A needs 'vault_a', which the inventory does not define."]),
        ({**shop(env={"A": "{{ b }}"}), "b": "{{ vault_c }}"}, ["apps.shop.env.A needs 'vault_c', which the"]),
        (
            shop(certificate="{{ lookup('ansible.builtin.file', '/nowhere/x.pem') }}"),
            ["apps.shop.certificate cannot be evaluated:"],
        ),
        (shop(certificate="{{ lookup('ansible.builtin.file', '/nowhere/x.pem', errors='ignore') }}"), []),
        # variables of the inventory's own
        ({**shop(), "app_database": "x"}, []),
        ({**shop(), "nginx_sitse": "x"}, ["nginx_sitse is unknown to the role nginx;"]),
        ({**shop(env={"A": "{{ nginx_sitse }}"}), "nginx_sitse": "x"}, []),
        ({**shop(), "nginx_hsts": "{{ nothing }}"}, ["nginx_hsts needs 'nothing', which the inventory"]),
    ],
)  # fmt: skip
def test_values_are_judged_as_far_as_they_are_known(
    said: dict[str, Any], expected: list[str]
) -> None:
    found = told(said)
    assert len(found) == len(expected), found
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected


def test_each_host_has_its_own_values() -> None:
    said = shop(keep="{{ how_many }}")
    assert told({**said, "how_many": 3}, a2={"how_many": "x"}) == [
        "apps.shop.keep is the text 'x'; write a whole number: keep: 5. (on a2)"
    ]
    # by way of another variable
    said |= {"how_many": "{{ more }}", "more": 3}
    assert len(told(said, a2={"more": "x"})) == 1
    # by a name that is put together
    said = shop(keep="{{ lookup('vars', 'how_' ~ 'many') }}")
    assert len(told({**said, "how_many": 3}, a2={"how_many": "x"})) == 1


def test_hosts_that_have_the_same_share_what_is_evaluated() -> None:
    read = reader({**shop(env={"A": "{{ b }}"}), "b": "c"}).inventory(None, None)
    assert read.hosts["a1"]["apps"]["shop"] is read.hosts["a2"]["apps"]["shop"]
    assert read.hosts["a1"]["apps"]["shop"]["env"] == {"A": "c"}


def test_the_command_line_may_say_the_version() -> None:
    said: dict[str, Any] = {"apps": {"shop": {}}}
    assert told(said) == ['apps.shop.version is missing; write version: "…".']
    assert told(said, "shop", "1.10") == []
    assert [line[:25] for line in told(said, "shop", 1.1)] == ["apps.shop.version is a nu"]


def test_names_and_hosts_alone_need_no_value() -> None:
    said = shop(env="{{ undef('resolved all the same') }}", kep=1, keep="x")
    assert [str(each) for each in reader(said).brief("shop")] == [
        "apps.shop.kep is unknown; did you mean 'keep'?"
    ]
    assert reader(said).brief("wiki") == []
    assert reader({}).brief(None) == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("'vault_x' is undefined", "needs 'vault_x', which the inventory does not define"),
        ("'ansible_facts' is undefined", ""),
        ("'__app_x' is undefined", ""),
        ("object of type 'dict' has no attribute 'memtotal_mb'", ""),
        ("Attempting to decrypt but no vault secrets found.", ""),
        ("The lookup plugin 'file'\nfailed: no x.", "cannot be evaluated: The lookup plugin 'file' failed: no x"),
        ("The lookup plugin 'ansible.builtin.file' failed", "cannot be evaluated: The lookup plugin 'ansible.builtin.file' failed"),
        ("The lookup plugin 'community.hashi_vault.vault_read' failed: refused", ""),
    ],
)  # fmt: skip
def test_which_values_will_never_be_known(error: str, expected: str) -> None:
    assert reason(error) == expected


def test_all_problems_are_one_list() -> None:
    read = reader({**shop(kep=1), "nginx_hsts": True})
    found = findings(read.inventory(None, None), read.known)
    assert listed(found).split("\n") == [
        "2 problems in the inventory. Nothing was changed.",
        '- nginx_hsts is true or false; write the text in quotes: nginx_hsts: "true".',
        "- apps.shop.kep is unknown; did you mean 'keep'?",
    ]
    assert listed(found[1:]) == (
        "apps.shop.kep is unknown; did you mean 'keep'? Nothing was changed."
    )


def test_a_variable_that_is_not_ours_is_not_evaluated() -> None:
    said = {**shop(), "nginx_vhosts": "{{ undef('x') }}", "deploy_own_variables": ["nginx_vhosts"]}
    assert told(said) == []
    assert reader(said).inventory(None, None).hosts["a1"]["nginx_vhosts"] == Unresolved()
