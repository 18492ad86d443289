# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the example inventory has made of bare hosts."""

import json

import pytest

testinfra_hosts = ["ansible://all"]

FORMATION = {"web": 2, "worker": 4, "beat": 1}
RUNS = {"example-app1": ["shop"], "example-app2": ["shop", "wiki"]}


@pytest.fixture
def name(host):
    return host.ansible.get_variables()["inventory_hostname"]


@pytest.fixture
def ask(host):
    """What a host's nginx answers for a name; verified with the given authority."""

    def ask(site, authority):
        return host.check_output(
            f"curl --silent --show-error --fail --cacert {authority} --resolve {site}:443:127.0.0.1"
            f" https://{site}/"
        )

    return ask


def test_each_proxy_serves_both_apps(name, host, ask):
    if not name.startswith("example-www"):
        pytest.skip("is no proxy")
    host.run_expect([0], "apt-get install --yes curl")
    assert (
        ask("shop.example.org", "/etc/ssl/certs/ca-certificates.crt") == "shop 1.4.0, built assets"
    )
    assert ask("wiki.example.org", "/etc/nginx/certificates/wiki.trust.pem") == "wiki 2.0.1"


def test_each_process_serves(name, host):
    if name not in RUNS:
        pytest.skip("runs no app")
    assert host.check_output("ls /srv").split() == RUNS[name]
    states = {
        path: json.loads(host.file(path).content_string)["state"]
        for path in host.check_output("ls /run/shop/*.json").split()
    }
    assert states == {
        f"/run/shop/{kind}-{number}.json": "serving"
        for kind, count in FORMATION.items()
        for number in range(1, count + 1)
    }
