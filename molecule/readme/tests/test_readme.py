# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the README's first page has made."""

import json

import pytest

testinfra_hosts = ["ansible://all"]


@pytest.fixture
def app_host(host):
    if host.ansible.get_variables()["inventory_hostname"] != "readme-d13":
        pytest.skip("runs no app")
    return host


@pytest.fixture
def proxy(host):
    if host.ansible.get_variables()["inventory_hostname"] != "readme-d12":
        pytest.skip("is no proxy")
    return host


def test_the_world_is_served_by_the_proxy(proxy):
    assert (
        proxy.check_output(
            "python3 -c 'import ssl, urllib.request as r;"
            ' c = ssl.create_default_context(cafile="/etc/nginx/certificates/shop.trust.pem");'
            ' print(r.urlopen("https://shop.example.org/", context=c).read().decode())\''
        )
        == "shop 1.4.0"
    )


def test_the_release_went_forward_and_back(app_host):
    text = app_host.file("/srv/shop/releases.jsonl").content_string
    told = [json.loads(line) for line in text.splitlines()]
    assert [
        (record["event"], record["release"][:6]) for record in told if record["outcome"] == "good"
    ] == [("deploy", "1.4.0-"), ("deploy", "1.5.0-"), ("rollback", "1.4.0-")]


def test_the_proxy_is_trusted_by_its_address(app_host):
    proxy_address = app_host.check_output("getent hosts www.example.org").split()[0]
    config = app_host.file("/etc/nginx/nginx.conf").content_string
    assert f"set_real_ip_from {proxy_address};" in config
