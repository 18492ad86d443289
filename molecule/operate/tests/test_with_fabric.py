# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of a fabfile, by the real Fabric. The last tests: they deploy another release and go back."""

import os
import pathlib
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[3]
SCENARIO = pathlib.Path(__file__).parents[1]
INVENTORY = ROOT / "build" / "hosts" / "molecule-operate" / "inventory.yml"
NAMES = ["operate-d12", "operate-d13"]
PASSWORD = "canary-of-sudo"


@pytest.fixture
def fab(tmp_path):
    """Run fab with the scenario's inventory and more variables of all hosts."""

    def run(*words, code=0, given="", **variables):
        apps = yaml.safe_load((SCENARIO / "vars" / "main.yml").read_text())
        (tmp_path / "group_vars").mkdir(exist_ok=True)
        (tmp_path / "group_vars" / "all.yml").write_text(yaml.safe_dump(apps))
        inventory = yaml.safe_load(INVENTORY.read_text())
        inventory["all"]["vars"] |= variables
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))
        done = subprocess.run(
            ["fab", *words],
            check=False,
            cwd=ROOT / "examples" / "fabfile",
            env=os.environ
            | {
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_INVENTORY": str(tmp_path / "hosts.yml"),
                "ANSIBLE_NOCOLOR": "1",
                "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
                "PATH": f"{ROOT / 'scripts'}:{os.environ['PATH']}",
            },
            input=given,
            capture_output=True,
            start_new_session=True,  # so that getpass reads what is given
            text=True,
            timeout=600,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr.strip().splitlines()[-1]

    return run


def serving(hosts):
    return {hosts[name].check_output("readlink /srv/greeter/current") for name in NAMES}


def test_deploy_status_and_rollback(fab, hosts):
    [before] = serving(hosts)
    version = before.removeprefix("releases/").rpartition("-")[0]
    fab("deploy", "--app=greeter", f"--version={version}", greeting="by-fabric")
    [after] = serving(hosts)
    assert after != before
    said = fab("status", "--app=greeter")
    assert all(name in said for name in NAMES)
    assert after.removeprefix("releases/") in said
    fab("rollback", "--app=greeter")
    assert serving(hosts) == {before}


def test_run(fab):
    expected = "".join(f"== {name}\nops\n" for name in NAMES)
    assert fab("run", "id -un", "--app=greeter") == expected
    assert fab("run", "--app=greeter", "--sudo", "id -un") == expected.replace("ops", "root")
    said = fab("run", "exit 3", "--app=greeter", code=1)
    assert said == "The command failed on operate-d12 (3), operate-d13 (3)."
    said = fab("run", "true", "--app=shop", code=1)
    assert said == "The inventory has no app shop; it has greeter, later."


def test_a_host_that_is_not_known_is_refused(fab):
    arguments = "-o UserKnownHostsFile=/dev/null"
    said = fab("run", "true", "--app=greeter", code=1, ansible_ssh_common_args=arguments)
    assert "operate-d12 (no connection: Server '" in said
    assert "not found in known_hosts" in said


def test_sudo_with_a_password(fab, hosts):
    for host in hosts.values():
        host.check_output(f"echo ops:{PASSWORD} | chpasswd")
        host.check_output("echo 'ops ALL=(ALL) PASSWD: /usr/bin/whoami' > /etc/sudoers.d/zz-fabric")
    try:
        words = ["run", "whoami", "--app=greeter", "--sudo"]
        said = fab(*words, code=1)
        assert said.startswith("The command failed on operate-d12 (sudo needs a password: fab ")
        assert fab(*words, ansible_become_password=PASSWORD).count("root\n") == 2
        asked = fab("--prompt-for-sudo-password", *words, given=f"{PASSWORD}\n")
        assert asked.count("root\n") == 2
    finally:
        for host in hosts.values():
            host.check_output("rm /etc/sudoers.d/zz-fabric && passwd --lock ops")


def test_logs_and_shell(fab):
    said = fab("logs", "--app=greeter")
    assert all(f" {name} " in said for name in NAMES)
    words = ["shell", "--app=greeter", "--on=operate-d13"]
    assert fab(*words, "--command=id -un") == "greeter\n"


def test_local(fab):
    assert fab("local", "echo here") == "here\n"
    assert fab("local", "exit 3", code=3) == "The command failed with exit code 3."
