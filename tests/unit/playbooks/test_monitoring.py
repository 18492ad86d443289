# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook monitoring makes of the groups and variables of an inventory."""

from __future__ import annotations

import os
import pathlib
import subprocess
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.twelvefactor.deploy.plugins.filter import addresses

ROOT = pathlib.Path(__file__).resolve().parents[3]
TWO = {"app": ["a1", "a2"]}
ALL = {**TWO, "index": ["i1"], "proxy": ["p1"]}
AT = {
    name: {"ansible_host": f"10.0.0.{number}"}
    for number, name in enumerate(["a1", "a2", "i1", "p1", "g1", "m1"], 1)
}


def inventory(groups: dict[str, list[str]], said: dict[str, dict[str, Any]]) -> dict[str, Any]:
    children = {
        group: {"hosts": {name: {**AT.get(name, {}), **said.get(name, {})} for name in names}}
        for group, names in groups.items()
    }
    variables = {
        "apps": {"shop": {"version": "1.0"}},
        "index_url": "https://index.test",
        "index_name": "company/prod",
        "index_domains": ["index.test"],
        "devpi_root_password": "canary",
        "devpi_secret": "canary",
    }
    return {"all": {"vars": variables, "children": children}}


class Plan:
    """The playbook's variables for one inventory."""

    def __init__(self, path: pathlib.Path, tree: dict[str, Any]) -> None:
        path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
        self.loader = DataLoader()
        self.inventory = InventoryManager(self.loader, [str(path)])
        self.manager = VariableManager(self.loader, self.inventory)
        self.hosts = HostVars(self.inventory, self.manager, self.loader)
        file = str(ROOT / "playbooks" / "vars" / "monitoring.yml")
        self.variables = self.loader.load_from_file(file, trusted_as_template=True)

    def of(self, name: str, host: str | None = None) -> Any:
        given = self.inventory.get_host(host) if host else None
        known = self.manager.get_vars(host=given)
        known |= self.variables | {"hostvars": self.hosts}
        templar = Templar(self.loader, variables=known)
        # without the collection loader of Ansible, which would replace Python's for all tests
        for filter_name, function in addresses.FilterModule().filters().items():
            templar._engine.environment.filters[f"twelvefactor.deploy.{filter_name}"] = function
        return templar.template(self.variables[name])


@pytest.fixture
def plan(tmp_path: pathlib.Path) -> Any:
    def make(groups: dict[str, list[str]], **said: dict[str, Any]) -> Plan:
        return Plan(tmp_path / "hosts.yml", inventory(groups, said))

    return make


@pytest.mark.parametrize(
    ("groups", "fleet", "only_watching"),
    [
        (TWO, ["a1", "a2"], []),
        (ALL, ["a1", "a2", "i1", "p1"], []),
        ({**ALL, "graphite": ["g1"], "munin": ["g1"]}, ["a1", "a2", "i1", "p1", "g1"], ["g1"]),
        # on hosts that are something else already
        ({**ALL, "graphite": ["p1"], "bugsink": ["i1"]}, ["a1", "a2", "i1", "p1"], []),
        ({"graphite": ["g1"], "munin": ["m1", "g1"]}, ["g1", "m1"], ["g1", "m1"]),
    ],
)
def test_who_is_watched(
    plan: Any, groups: dict[str, list[str]], fleet: list[str], only_watching: list[str]
) -> None:
    made = plan(groups)
    assert made.of("__fleet") == fleet
    assert made.of("__only_watching") == only_watching


@pytest.mark.parametrize(
    ("groups", "said", "addresses"),
    [
        ({**TWO, "graphite": ["g1"]}, {}, {"g1": "10.0.0.5"}),
        # nobody else reports to it
        ({"app": ["a1"], "graphite": ["a1"]}, {}, {"a1": "127.0.0.1"}),
        ({**TWO, "graphite": ["a1"]}, {}, {"a1": "10.0.0.1"}),
        (
            {**TWO, "graphite": ["g1"]},
            {"g1": {"graphite_carbon_host": "0.0.0.0"}},
            {"g1": "0.0.0.0"},
        ),
        ({**TWO, "graphite": ["x.test"]}, {}, {"x.test": "x.test"}),
        (TWO, {}, {}),
    ],
)
def test_where_carbon_listens(
    plan: Any,
    groups: dict[str, list[str]],
    said: dict[str, dict[str, Any]],
    addresses: dict[str, str],
) -> None:
    assert plan(groups, **said).of("__carbon_addresses") == addresses


def test_statsd_reports_to_the_first(plan: Any) -> None:
    made = plan({**TWO, "graphite": ["g1", "a2"]}, g1={"graphite_carbon_port": 2103})
    for host in ("a1", "a2"):
        assert made.of("__for_statsd", host) == {
            "statsd_graphite_host": "10.0.0.5",
            "statsd_graphite_port": 2103,
        }


@pytest.mark.parametrize(
    ("host", "told", "plugins"),
    [
        (
            "a1",
            ("127.0.0.1:8130", True, True),
            ["apps", "circus", "certificates", "nginx", "units"],
        ),
        ("i1", ("", True, False), ["certificates", "nginx", "units", "devpi"]),
        ("p1", ("", True, False), ["certificates", "nginx", "units"]),
    ],
)
def test_what_a_host_tells_follows_from_what_it_is(
    plan: Any, host: str, told: tuple[str, bool, bool], plugins: list[str]
) -> None:
    groups = {**ALL, "graphite": ["g1"], "munin": ["m1", "p1"]}
    made = plan(groups, a1={"statsd_port": 8130, "node_exporter_domain": "metrics.a1"})
    assert tuple(made.of("__for_app_metrics", host).values()) == told
    assert made.of("__for_munin", host) == {
        "munin_listen": AT[host]["ansible_host"],
        "munin_allow": ["127.0.0.1", "::1", "10.0.0.6", "10.0.0.4"],
        "munin_plugins": plugins,
    }


@pytest.mark.parametrize(
    ("groups", "said", "nodes"),
    [
        (
            {"app": ["a1"], "munin": ["m1"]},
            {},
            {"a1": ("a1", "10.0.0.1", 4949), "m1": ("m1", "127.0.0.1", 4949)},
        ),
        # two masters ask all, each other too
        (
            {"munin": ["m1", "g1"]},
            {},
            {"m1": ("m1", "10.0.0.6", 4949), "g1": ("g1", "10.0.0.5", 4949)},
        ),
        (
            {"munin": ["m1"]},
            {"m1": {"munin_listen": "10.1.1.1", "munin_port": 4950, "munin_node_name": "master"}},
            {"m1": ("master", "10.1.1.1", 4950)},
        ),
    ],
)
def test_where_nodes_are_asked(
    plan: Any,
    groups: dict[str, list[str]],
    said: dict[str, dict[str, Any]],
    nodes: dict[str, tuple[str, str, int]],
) -> None:
    told = plan(groups, **said).of("__munin_nodes")
    assert {host: tuple(node.values()) for host, node in told.items()} == nodes


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ({}, False),
        ({"node_exporter_domain": "metrics.a1"}, True),
        ({"node_exporter_listen": "10.0.0.1:9100"}, True),
        # that alone asks for nothing
        ({"node_exporter_certificate": "PEM"}, False),
    ],
)
def test_who_tells_prometheus(plan: Any, said: dict[str, Any], asked: bool) -> None:
    assert plan(TWO, a1=said).of("__has_node_exporter", "a1") is asked
    assert plan(TWO, a1=said).of("__has_node_exporter", "a2") is False


def play(path: pathlib.Path, tree: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return subprocess.run(
        [
            "ansible-playbook",
            f"--inventory={path}",
            "--connection=local",
            "playbooks/monitoring.yml",
        ],
        check=False,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_nothing_is_done_where_nothing_is_asked_for(tmp_path: pathlib.Path) -> None:
    done = play(tmp_path / "hosts.yml", inventory(ALL, {}))
    assert done.returncode == 0, done.stdout + done.stderr
    recap = [line for line in done.stdout.splitlines() if "unreachable=" in line]
    # the inventory is validated on behalf of the first host
    assert [" ok=0 " in line for line in sorted(recap)] == [False, True, True, True], recap
    assert all(" changed=0 " in line for line in recap), recap
    assert "WARNING" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("group", "said", "missing"),
    [
        ("munin", {"munin_users": {"a": "b"}}, ["munin_domain"]),
        ("graphite", {}, ["graphite_domain", "graphite_users", "graphite_secret_key"]),
        (
            "bugsink",
            {"bugsink_domain": "errors.test"},
            ["bugsink_secret_key", "bugsink_administrator", "bugsink_password"],
        ),
    ],
)
def test_what_a_server_cannot_do_without_is_named(
    tmp_path: pathlib.Path, group: str, said: dict[str, Any], missing: list[str]
) -> None:
    done = play(tmp_path / "hosts.yml", inventory({**TWO, group: ["g1"]}, {"g1": said}))
    assert done.returncode == 2, done.stdout + done.stderr
    told = " ".join(done.stdout.split())
    for name in missing:
        assert f"{name} is missing, which hosts of the group {group!r} need;" in told
