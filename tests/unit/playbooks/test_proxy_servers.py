# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that a proxy sends requests to: addresses, so that its nginx starts without a resolver."""

from __future__ import annotations

import base64
import pathlib
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = pathlib.Path(__file__).resolve().parents[3]
TASKS = ROOT / "playbooks" / "tasks" / "proxy_app.yml"
HOSTS = {
    "app1": {"ansible_host": "192.0.2.11"},
    "app2": {"ansible_host": "2001:db8::12"},
    "app3": {"ansible_host": "app3.internal"},
    "app4.example.org": {},
}


def evaluate(name: str, what: str, **given: Any) -> Any:
    """The loop of the task `name`, or one of its variables."""
    loader = DataLoader()
    tasks = loader.load_from_file(str(TASKS), trusted_as_template=True)
    [task] = [task for task in tasks if task["name"] == name]
    known = {**task["vars"], "__app_hosts": list(HOSTS), "hostvars": HOSTS, **given}
    return Templar(loader, variables=known).template((task | known)[what])


def test_names_are_resolved_and_addresses_are_not() -> None:
    assert evaluate("Resolve the names of the app's hosts", "loop") == [
        "app3.internal",
        "app4.example.org",
    ]


def test_servers_are_addresses() -> None:
    answer = "192.0.2.13     STREAM app3.internal\n2001:db8::13    STREAM"
    resolved = {
        "results": [
            {"item": "app3.internal", "rc": 0, "stdout": answer},
            {"item": "app4.example.org", "rc": 2, "stdout": ""},
        ]
    }
    servers = evaluate(
        "Configure nginx to balance the load over the hosts of the app",
        "__servers",
        __proxy_resolved=resolved,
        __proxy_drained=["app2"],
    )
    assert servers == [
        {"address": "192.0.2.11:443", "down": False},
        {"address": "[2001:db8::12]:443", "down": True},
        {"address": "192.0.2.13:443", "down": False},
        # nginx says that this one does not resolve
        {"address": "app4.example.org:443", "down": False},
    ]


@pytest.mark.parametrize(
    ("drained", "answer", "servers"),
    [
        # of a host that is gone, which nginx would refuse
        (["app3"], "", []),
        (["app3"], "192.0.2.13  STREAM app3.internal", [("192.0.2.13:443", True)]),
        ([], "", [("app3.internal:443", False)]),
    ],
)
def test_a_host_to_drain_need_not_have_its_name_any_more(
    drained: list[str], answer: str, servers: list[tuple[str, bool]]
) -> None:
    results = [{"item": "app3.internal", "rc": 0 if answer else 2, "stdout": answer}]
    found = evaluate(
        "Configure nginx to balance the load over the hosts of the app",
        "__servers",
        __app_hosts=["app2", "app3"],
        __proxy_resolved={"results": results},
        __proxy_drained=[*drained, "app2"],
    )
    # an address is there whether or not anybody answers
    by_address = ("[2001:db8::12]:443", True)
    assert [(each["address"], each["down"]) for each in found] == [by_address, *servers]


@pytest.mark.parametrize(
    ("given", "drained"),
    [
        ({}, []),
        ({"drain": "a1, a2"}, ["a1", "a2"]),
        # by replace, whose user names those that stay drained
        ({"__proxy_replaced": "a3"}, ["a3"]),
        ({"drain": "a1", "__proxy_replaced": "a3"}, ["a1", "a3"]),
    ],
)
def test_hosts_that_are_drained(given: dict[str, str], drained: list[str]) -> None:
    loader = DataLoader()
    [_validate, play] = loader.load_from_file(
        str(ROOT / "playbooks" / "proxy.yml"), trusted_as_template=True
    )
    template = play["vars"]["__proxy_drained"]
    assert Templar(loader, variables=given).template(template) == drained


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ({"nginx_ipv6": False}, "192.0.2.13:443"),
        ({"nginx_ipv6": "false"}, "192.0.2.13:443"),
        ({"nginx_ipv6": True}, "[2001:db8::13]:443"),
        ({}, "[2001:db8::13]:443"),
    ],
)
def test_a_server_is_an_address_that_its_host_listens_on(
    said: dict[str, Any], address: str
) -> None:
    answer = "2001:db8::13    STREAM app3.internal\n192.0.2.14      STREAM\n192.0.2.13      STREAM"
    [server] = evaluate(
        "Configure nginx to balance the load over the hosts of the app",
        "__servers",
        __app_hosts=["app3"],
        hostvars={"app3": {"ansible_host": "app3.internal", **said}},
        # of the proxy
        nginx_ipv6=False,
        __proxy_resolved={"results": [{"item": "app3.internal", "rc": 0, "stdout": answer}]},
        __proxy_drained=[],
    )
    assert server["address"] == address


def test_one_certificate_is_read_of_each_host_that_signs_for_an_app() -> None:
    loader = DataLoader()
    _validate, play = loader.load_from_file(
        str(ROOT / "playbooks" / "proxy.yml"), trusted_as_template=True
    )
    [task] = [task for task in play["tasks"] if "ansible.builtin.slurp" in task]
    known = {
        "apps": {
            "shop": {"domains": ["shop.test"]},
            "wiki": {"domains": ["wiki.test"], "hosts": "a2"},
            "bought": {"domains": ["bought.test"], "certificate": "PEM", "hosts": "a3"},
            "ticker": {"nginx": False, "hosts": "a4"},
        },
        "groups": {"app": ["a1", "a2", "a5"], "all": ["a1", "a2", "a3", "a4", "a5"]},
        "__proxy_drained": ["a5"],
        **task["vars"],
    }
    found = Templar(loader, variables=known).template(task["loop"])
    assert found == ["a1", "a2"]
    # and not a copy of one of the apps, which may just be on its way to a certificate of its own
    assert task["ansible.builtin.slurp"] == {"src": "/var/lib/twelvefactor/nginx/ca.pem"}


@pytest.mark.parametrize(("given", "trusted"), [("", "one\ntwo\n"), ("PEM", "")])
def test_an_upstream_is_verified_by_the_cas_of_its_hosts(given: str, trusted: str) -> None:
    results = [
        {"item": host, "content": base64.b64encode(text.encode()).decode()}
        for host, text in (("a1", "one\n"), ("a2", "two\n"), ("elsewhere", "three\n"))
    ]
    site = evaluate(
        "Configure nginx to balance the load over the hosts of the app",
        "__proxy_site",
        app_name="shop",
        apps={"shop": {"domains": ["shop.test"], "certificate": given, "certificate_key": given}},
        __app_hosts=["a1", "a2"],
        hostvars={"a1": {"ansible_host": "192.0.2.1"}, "a2": {"ansible_host": "192.0.2.2"}},
        __proxy_resolved={"results": []},
        __proxy_trust={"results": results},
        __proxy_drained=[],
    )
    assert site["upstream"]["trusted_certificate"] == trusted


def test_settings_of_the_upstream_are_for_each_protocol() -> None:
    said = {
        "domains": ["shop.test"],
        "listen": {"rpc": {"paths": ["/shop.Cart/"], "grpc": True}},
        "proxy_site": {"upstream": {"connect_timeout": "9s", "read_timeout": "5m"}},
    }
    sites = evaluate(
        "Configure nginx to balance the load over the hosts of the app",
        "nginx_sites",
        app_name="shop",
        apps={"shop": said},
        __app_hosts=["a1"],
        hostvars={"a1": {"ansible_host": "192.0.2.1"}},
        __proxy_resolved={"results": []},
        __proxy_trust={"results": []},
        __proxy_drained=[],
    )
    [made] = sites
    for each in (made["upstream"], *made["upstreams"]):
        assert (each["connect_timeout"], each["read_timeout"]) == ("9s", "5m")
    assert made["locations"] == [{"path": "/shop.Cart/", "read_timeout": "5m", "upstream": "rpc"}]


def test_a_host_listens_on_ipv6_unless_it_says_otherwise() -> None:
    """As the tasks assume, to which the defaults of a role of other hosts are unknown."""
    defaults = yaml.safe_load((ROOT / "roles/nginx/defaults/main.yml").read_text("utf-8"))
    assert defaults["nginx_ipv6"] is True
