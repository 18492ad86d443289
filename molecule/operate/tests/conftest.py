# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as an operator calls them, on the fleet of this scenario."""

import json
import os
import pathlib
import subprocess

import pytest
import testinfra
import yaml

ROOT = pathlib.Path(__file__).parents[3]
SCENARIO = pathlib.Path(__file__).parents[1]
INVENTORY = ROOT / "build" / "hosts" / "molecule-operate" / "inventory.yml"
NAMES = ["operate-d12", "operate-d13"]
CANARY = "canary-a1"


def command(name, *arguments, **extra):
    """ansible-playbook for a playbook of the collection, or one of this scenario."""
    playbook = str(SCENARIO / name) if name.endswith(".yml") else f"twelvefactor.deploy.{name}"
    return [
        "ansible-playbook",
        f"--inventory={INVENTORY}",
        f"--extra-vars=@{SCENARIO / 'vars' / 'main.yml'}",
        f"--extra-vars={json.dumps(extra)}",
        playbook,
        *arguments,
    ]


def environment(plain=True, verbose=False):
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
        "ANSIBLE_NOCOLOR": "1",
    }
    if plain:
        settings["ANSIBLE_STDOUT_CALLBACK"] = "twelvefactor.deploy.plain"
    if verbose:  # Mitogen starts no commands that could be shown
        settings["ANSIBLE_STRATEGY"] = "linear"
    return {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | settings


@pytest.fixture
def without_mitogen(monkeypatch):
    """Run Ansible as people do."""
    monkeypatch.setenv("ANSIBLE_STRATEGY", "linear")


@pytest.fixture
def play():
    """Run a playbook to its end; no secret is in what it says."""

    def run(name, *arguments, plain=True, code=0, **extra):
        done = subprocess.run(
            command(name, *arguments, **extra),
            check=False,
            cwd=ROOT,
            env=environment(plain, "-vvv" in arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3600,
        )
        said = done.stdout + done.stderr
        assert code is None or done.returncode == code, said
        assert CANARY not in said
        return done

    return run


@pytest.fixture
def start():
    """Start a playbook and go on; it is gone at the end of the test."""
    started = []

    def run(name, **extra):
        process = subprocess.Popen(
            command(name, **extra),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=60)


@pytest.fixture(scope="session")
def hosts():
    return {
        name: testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}", sudo=True)
        for name in NAMES
    }


@pytest.fixture
def fingerprints(hosts):
    """Of all that belongs to the app, or to this collection, on each host."""
    find = (
        "find /srv /etc/circus /etc/nginx /run/greeter /var/lib/greeter /var/lib/twelvefactor"
        " -printf '%p %T@ %m %u %l\\n' | sort"
    )
    return lambda: {name: host.check_output(find) for name, host in hosts.items()}


@pytest.fixture
def addresses():
    known = yaml.safe_load(INVENTORY.read_text())["all"]["hosts"]
    return [known[name]["ansible_host"] for name in NAMES]


@pytest.fixture
def status(play):
    """The fleet as one document, of the app that is there."""

    def run(**extra):
        document = json.loads(play("status", output="json", **extra).stdout)
        assert (document["unreachable"], document["failed"]) == ({}, {})
        return document["apps"]["greeter"]

    return run
