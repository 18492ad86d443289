# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts that watch each other, and what asks them as somebody elsewhere does."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import time

import pytest
import testinfra
import yaml

ROOT = pathlib.Path(__file__).parents[3]
INVENTORIES = [
    ROOT / "molecule" / "monitoring" / "inventory",
    ROOT / "build" / "hosts" / "molecule-monitoring" / "inventory.yml",
]
NAMES = ["monitoring-d12", "monitoring-d13"]


@pytest.fixture(scope="session")
def hosts():
    return {
        name: testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORIES[1]}", sudo=True)
        for name in NAMES
    }


@pytest.fixture(scope="session")
def addresses():
    known = yaml.safe_load(INVENTORIES[1].read_text())["all"]["hosts"]
    return {name: known[name]["ansible_host"] for name in NAMES}


@pytest.fixture(scope="session")
def connect(addresses):
    """A connection to a site of a host; it serves several requests."""

    def to(name, domain):
        # which certificate nginx shows is not what this is about
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client = http.client.HTTPSConnection(domain, timeout=60)
        raw = socket.create_connection((addresses[name], 443), timeout=60)
        client.sock = context.wrap_socket(raw, server_hostname=domain)
        return contextlib.closing(client)

    return to


@pytest.fixture(scope="session")
def ask(connect):
    """Status and body of a page of a host."""

    def get(name, domain, path, login="", body=None):
        word = base64.b64encode(login.encode()).decode()
        headers = {"Authorization": f"Basic {word}"} if login else {}
        with connect(name, domain) as client:
            client.request("POST" if body else "GET", path, body, headers)
            answer = client.getresponse()
            return answer.status, answer.read()

    return get


@pytest.fixture(scope="session")
def until():
    """What is seen once it is wanted; it fails when that never comes."""

    def look(seen, wanted=bool, seconds=300):
        end = time.monotonic() + seconds
        while not wanted(last := seen()):
            assert time.monotonic() < end, last
            time.sleep(0.5)
        return last

    return look


@pytest.fixture(scope="session")
def logs():
    """What the playbook logs says of one host, as an object."""

    def document(name, **extra):
        done = subprocess.run(
            [
                "ansible-playbook",
                *(f"--inventory={path}" for path in INVENTORIES),
                f"--limit={name}",
                f"--extra-vars={json.dumps({**extra, 'output': 'json'})}",
                "twelvefactor.deploy.logs",
            ],
            check=False,
            cwd=ROOT,
            env={
                **{key: value for key, value in os.environ.items() if key != "NO_COLOR"},
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_STDOUT_CALLBACK": "twelvefactor.deploy.plain",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return document
