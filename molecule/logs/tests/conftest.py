# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts whose logs are known say of them, asked as an operator asks."""

import base64
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess

import pytest
import testinfra
import yaml

ROOT = pathlib.Path(__file__).parents[3]
SCENARIO = pathlib.Path(__file__).parents[1]
INVENTORY = ROOT / "build" / "hosts" / "molecule-logs" / "inventory.yml"
NAMES = ["logs-d12", "logs-d13"]


@pytest.fixture
def play():
    """Run the playbook to its end, for a program or for people."""

    def run(code=0, **extra):
        settings = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_STDOUT_CALLBACK": "twelvefactor.deploy.plain",
            # as people run it: what else prints to stderr is theirs
            "ANSIBLE_STRATEGY": "linear",
        }
        done = subprocess.run(
            [
                "ansible-playbook",
                f"--inventory={INVENTORY}",
                f"--extra-vars=@{SCENARIO / 'vars' / 'main.yml'}",
                f"--extra-vars={json.dumps(extra)}",
                "twelvefactor.deploy.logs",
            ],
            check=False,
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if key != "NO_COLOR"} | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3600,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def hosts():
    return {
        name: testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}", sudo=True)
        for name in NAMES
    }


@pytest.fixture(scope="session")
def addresses():
    known = yaml.safe_load(INVENTORY.read_text())["all"]["hosts"]
    return {name: known[name]["ansible_host"] for name in NAMES}


@pytest.fixture(scope="session")
def ask(addresses):
    """Ask a host for something, and know the status."""

    def get(host, path, name="shop.test", login=""):
        # which certificate nginx shows is not what this is about
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client = http.client.HTTPSConnection(name, timeout=60)
        raw = socket.create_connection((addresses[host], 443), timeout=60)
        client.sock = context.wrap_socket(raw, server_hostname=name)
        word = base64.b64encode(login.encode()).decode()
        client.request("GET", path, headers={"Authorization": f"Basic {word}"} if login else {})
        answer = client.getresponse()
        body = answer.read().decode()
        client.close()
        return answer.status, body

    return get
