# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in an inventory that cannot be meant, for all apps and hosts in one list."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.declarations import (
    declare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.judgement import (
    Inventory,
    Unresolved,
    brief_findings,
    findings,
    fleet,
)

SPECS = {
    "nginx": {
        "argument_specs": {
            "main": {
                "options": {
                    "nginx_sites": {
                        "type": "list",
                        "elements": "dict",
                        "options": {
                            "name": {"type": "str", "required": True},
                            "domains": {"type": "list", "elements": "str", "required": True},
                            "client_max_body_size": {"type": "str"},
                        },
                    },
                    "nginx_hsts": {"type": "str"},
                    "nginx_password": {"type": "str", "no_log": True},
                    "nginx_log_days": {"type": "int", "default": 14},
                }
            }
        }
    },
    "app_user": {"argument_specs": {"main": {"options": {"app_user_groups": {"type": "list"}}}}},
    "app": {"argument_specs": {"main": {"options": {"app_name": {"type": "str"}}}}},
    "munin": {"argument_specs": {"main": {"options": {"munin_port": {"type": "int"}}}}},
    "statsd": {"argument_specs": {"main": {"options": {"statsd_admin_port": {"type": "int"}}}}},
    "graphite": {
        "argument_specs": {
            "main": {
                "options": {
                    "graphite_carbon_port": {"type": "int", "default": 2003},
                    "graphite_query_port": {"type": "int", "default": 7002},
                }
            }
        }
    },
    "devpi": {"argument_specs": {"proxy": {"options": {"devpi_proxy_page_port": {"type": "int"}}}}},
}
KNOWN = declare(SPECS)
GROUPS = {"all": ["a1", "a2", "p1", "x1"], "app": ["a1", "a2"], "proxy": ["p1"], "db": ["x1"]}
BASE: dict[str, Any] = {
    "index_url": "https://index.test",
    "index_name": "company/prod",
    "apps": {"shop": {"version": "1"}, "wiki": {"version": "1", "hosts": "a2"}},
}


def told(
    said: dict[str, Any] | None = None,
    groups: dict[str, list[str]] | None = None,
    used: tuple[str, ...] = (),
    **of_hosts: dict[str, Any],
) -> list[str]:
    """What is found where all hosts have ``said``, and single ones more."""
    groups = groups or GROUPS
    hosts = {host: {**BASE, **(said or {}), **of_hosts.get(host, {})} for host in fleet(groups, [])}
    return [str(each) for each in findings(Inventory(groups, hosts, used), KNOWN)]


def apps(**said: Any) -> dict[str, Any]:
    return {"apps": {name: {"version": "1", **each} for name, each in said.items()}}


def test_nothing_is_wrong_with_what_is_right() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            {"nginx_sitse": []},
            ("nginx_sitse is unknown to the role nginx; if it is one of your own, list it in "
            "deploy_own_variables: [nginx_sitse]; did you mean 'nginx_sites'?"),
        ),
        (
            {"app_user_grups": []},
            ("app_user_grups is unknown to the role app_user; if it is one of your own, list it in "
            "deploy_own_variables: [app_user_grups]; did you mean 'app_user_groups'?"),
        ),
        (
            {"index_ca_fil": "x"},
            ("index_ca_fil is unknown to the playbooks; if it is one of your own, list it in "
            "deploy_own_variables: [index_ca_fil]; did you mean 'index_ca_file'?"),
        ),
        (
            {"allow_untestd_os": True},
            (
                "allow_untestd_os is unknown to the playbooks; if it is one of your own, list it in "
                "deploy_own_variables: [allow_untestd_os]; did you mean 'allow_untested_os'?"
            ),
        ),
        (
            {"nginx_stes": []},
            (
                "nginx_stes is unknown to the role nginx; if it is one of your own, list it in "
                "deploy_own_variables: [nginx_stes]; did you mean 'nginx_sites'?"
            ),
        ),
        ({"nginx_stes": [], "deploy_own_variables": ["nginx_stes"]}, ""),
        # roles of others have names that begin so, too
        ({"nginx_location_of_all": [], "nginx_remove_default_vhost": True, "nginx_vhosts": []}, ""),
        ({"deploy_key": "x", "deploy_path": "x", "app_home": "x", "index_user": "x", "index_file": "x"}, ""),
        # names of others, and what earlier plays of a run have left
        ({"vault_password": "x", "sites": [], "ansible_user": "x", "app_switch": {}}, ""),
        ({"nginx_hsts": True}, 'nginx_hsts is true or false; write the text in quotes: nginx_hsts: "true".'),
        ({"nginx_log_days": -1}, "nginx_log_days is -1; write at least 0."),
        ({"nginx_log_days": Unresolved()}, ""),
        ({"nginx_sites": {}}, "nginx_sites is a dictionary; write a list: nginx_sites: [{…}]."),
        (
            {"nginx_sites": [{"name": "a", "domains": ["a.test"], "domain": "b"}]},
            "nginx_sites[0].domain is unknown; did you mean 'domains'?",
        ),
        ({"nginx_sites": [{"name": "a"}]}, "nginx_sites[0].domains is missing; write domains: […]."),
        ({"munin_port": 0}, "munin_port is 0; write a number from 1 to 65535."),
        ({"index_url": "index.test"}, "index_url is 'index.test'; write a URL, as in https://index.example.org."),
        ({"index_name": "prod"}, "index_name is 'prod'; write devpi's user and index, as in company/prod."),
        ({"index_publisher": {"user": "x"}}, 'index_publisher.password is missing; write password: "…".'),
        ({"deploy_batch": "200%"}, "deploy_batch is '200%'; write a number of at least 1 or a percentage up to 100%."),
        ({"deploy_batch": 2}, ""),
        (
            {"deploy_unreachable": "goon"},
            "deploy_unreachable is 'goon'; write one of stop, go_on; did you mean 'go_on'?",
        ),
        ({"apps": ["shop"]}, "apps is a list; write a dictionary: apps: {key: …}."),
        ({"apps": Unresolved()}, ""),
        ({"apps": Unresolved("needs 'x', which the inventory does not define")}, "apps needs 'x', which the inventory does not define."),
        ({"apps": {"shop": "1.0"}}, "apps.shop is the text '1.0'; write a dictionary: shop: {version: …}."),
        (apps(shop={"nginx_site": {"client_max_body_siz": "1m"}}), "apps.shop.nginx_site.client_max_body_siz is unknown; did you mean 'client_max_body_size'?"),
        (apps(shop={"proxy_site": {"client_max_body_size": "big"}}), "apps.shop.proxy_site.client_max_body_size is 'big'; write a size as nginx reads it, as in 10m."),
        (
            apps(shop={"hosts": "ap"}),
            ("apps.shop.hosts is 'ap', neither a group nor a host of this inventory; its groups are app, proxy, db; "
            "did you mean 'app'?"),
        ),
        (apps(shop={"hosts": Unresolved()}), ""),
        (
            apps(shop={"migrate_hosts": ["a3"]}),
            "apps.shop.migrate_hosts[0] is 'a3', no host of the app; its hosts are a1, a2.",
        ),
        (apps(shop={"sentry": {"told_from": "localhos"}}), "apps.shop.sentry.told_from is 'localhos', no host of this inventory; did you mean 'localhost'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(said: dict[str, Any], expected: str) -> None:
    assert told(said) == ([expected] if expected else [])


def test_a_variable_of_the_inventorys_own_that_its_templates_read() -> None:
    assert told({"app_user_grups": Unresolved()}, used=("app_user_grups",)) == []
    assert len(told({"app_user_grups": Unresolved()})) == 1


def test_all_problems_of_all_apps_and_hosts_are_found_at_once() -> None:
    said = {"nginx_sitse": [], **apps(shop={"keep": "x"}, wiki={"kep": 1, "hosts": "nowhere"})}
    assert len(told(said)) == 4


@pytest.mark.parametrize(
    ("of_hosts", "where"),
    [
        ({"a1": {"nginx_log_days": "x"}}, "(on a1)"),
        ({"a1": {"nginx_log_days": "x"}, "p1": {"nginx_log_days": "x"}}, "(on a1, p1)"),
        ({host: {"nginx_log_days": "x"} for host in ("a1", "a2", "p1")}, ""),
        # nobody deals with that host
        ({"x1": {"nginx_log_days": "x"}}, None),
    ],
)
def test_a_problem_says_which_hosts_have_it(of_hosts: dict[str, Any], where: str | None) -> None:
    text = "nginx_log_days is the text 'x'; write a whole number: nginx_log_days: 14."
    assert told(**of_hosts) == ([] if where is None else [f"{text} {where}".rstrip()])


def test_few_of_many_hosts_are_named() -> None:
    hosts = [f"a{number}" for number in range(8)]
    groups = {"all": hosts, "app": hosts}
    of_hosts = {host: {"nginx_log_days": "x"} for host in hosts[1:]}
    (found,) = told(apps(shop={}), groups, **of_hosts)
    assert found.endswith("(on a1, a2, a3 and 4 more)")


def test_settings_of_an_app_are_judged_where_it_runs() -> None:
    """Each host may have its own; on hosts without the app they may be anything."""
    other = apps(shop={}, wiki={"hosts": "a2", "keep": "x"})
    assert told(a1=other, p1=other) == []
    assert told(a2=other) == ["apps.wiki.keep is the text 'x'; write a whole number: keep: 5."]
    both = apps(shop={"keep": "x"}, wiki={"hosts": "a2"})
    assert told(a1=both) == [
        "apps.shop.keep is the text 'x'; write a whole number: keep: 5. (on a1)"
    ]


@pytest.mark.parametrize(
    ("groups", "missing"),
    [
        ({"all": ["a1"], "app": ["a1"]}, ["index_url", "index_name", "apps"]),
        ({"all": ["i1"], "index": ["i1"]}, ["index_url", "index_name", "index_domains", "devpi_root_password", "devpi_secret"]),
        ({"all": ["m1"], "munin": ["m1"]}, ["munin_domain", "munin_users"]),
        ({"all": ["x1"], "db": ["x1"]}, []),
    ],
)  # fmt: skip
def test_what_hosts_of_a_group_need(groups: dict[str, list[str]], missing: list[str]) -> None:
    hosts: dict[str, dict[str, Any]] = {host: {} for host in groups["all"]}
    found = [str(each) for each in findings(Inventory(groups, hosts), KNOWN)]
    (group,) = groups.keys() - {"all"}
    assert found == [
        f"{name} is missing, which hosts of the group {group!r} need; inventories/example shows how to set it."
        for name in missing
    ]


def test_it_may_not_matter_where_apps_run() -> None:
    inventory = Inventory({"all": ["i1"]}, {"i1": {**BASE, **apps(shop={"kep": 1})}})
    found = [
        [str(each)[:16] for each in findings(inventory, KNOWN, places=p)] for p in (True, False)
    ]
    assert found == [["apps.shop.kep is", "apps.shop.hosts "], ["apps.shop.kep is"]]


@pytest.mark.parametrize(
    ("said", "groups", "expected"),
    [
        (
            apps(shop={"domains": ["a.test"]}, wiki={"domains": ["A.test"]}),
            None,
            "apps.wiki.domains has 'A.test', which apps.shop has, too; one site of a host can answer to a name.",
        ),
        # on different hosts, without a proxy in front of both
        (
            apps(shop={"domains": ["a.test"], "hosts": "a1"}, wiki={"domains": ["a.test"], "hosts": "a2"}),
            {"all": ["a1", "a2"], "app": ["a1", "a2"]},
            "",
        ),
        (apps(shop={"domains": ["a.test"]}, wiki={"domains": ["a.test"], "nginx": False}), None, ""),
        (apps(shop={"domains": ["a.test"]}, wiki={"domains": [Unresolved()]}), None, ""),
        (apps(shop={"domains": ["a.test"]}, wiki={"domains": ["a.test"], "formation": Unresolved()}), None, ""),
        (apps(shop={"domains": ["a.test", "a.test"]}), None, ""),
        (
            {"nginx_sites": [{"name": "s", "domains": ["shop"]}]},
            None,
            "nginx_sites[0].domains has 'shop', which apps.shop has, too; one site of a host can answer to a name.",
        ),
        (
            {"statsd_admin_port": 4949, "munin_port": 4949},
            None,
            "statsd_admin_port is 4949, the port of munin_port; give it another port.",
        ),
        ({"munin_port": 443}, None, "munin_port is 443, the port of nginx; give it another port."),
        ({"munin_port": 2003}, None, ""),
    ],
)  # fmt: skip
def test_what_two_of_a_host_cannot_both_have(
    said: dict[str, Any], groups: dict[str, list[str]] | None, expected: str
) -> None:
    assert told(said, groups) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("said", "names", "expected"),
    [
        ({"shop": {"version": 1.1, "keep": "x"}}, None, []),
        ({"shop": {"kep": 1}, "wiki": {"hosts": "b"}}, ["shop"], ["apps.shop.kep is unknown; did you mean 'keep'?"]),
        ({"shop": {"hosts": "x1"}}, None, ["apps.shop.hosts is 'x1', but x1 is not in the group 'app', which holds every host that runs an app; add it there."]),
        ([], None, ["apps is a list; write a dictionary: apps: {key: …}."]),
    ],
)  # fmt: skip
def test_names_and_hosts_alone(said: Any, names: list[str] | None, expected: list[str]) -> None:
    assert [str(each) for each in brief_findings(said, GROUPS, names)] == expected
