# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret of an app is shown by anything that a deploy does, as talkative as it can be.

Commands write the canaries as canary[5]-, or sudo would log them itself.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

testinfra_hosts = ["ansible://app-d13"]

SCENARIO = pathlib.Path(__file__).parents[1]
INVENTORY = os.environ["MOLECULE_PROJECT_DIRECTORY"] + "/build/hosts/molecule-app/inventory.yml"


@pytest.fixture(scope="module")
def deployed(host, tmp_path_factory):
    """What ansible-playbook printed at -vvv, while the host's processes were watched."""
    tarball = tmp_path_factory.mktemp("shelf") / "shelf.tar.gz"
    subprocess.run([sys.executable, SCENARIO / "files/shelf.py", tarball], check=True, timeout=120)
    for name in ("shelf.py", "arguments.py", "environments.py"):
        script = (SCENARIO / "files" / name).read_text()
        host.run_expect([0], f"cat > /root/{name} << 'END_OF_IT'\n{script}\nEND_OF_IT")
    host.run_expect([0], "umask 077; printf '%s-%s' reader:canary5 index > /root/shelf.login")
    units = {
        "shelf-index": "/root/shelf.py 8099 /root/shelf.login",
        "arguments": "/root/arguments.py /root/arguments.txt",
        "environments": "/root/environments.py shelf /root/environments.txt",
    }
    for unit, command in units.items():
        host.run_expect([0], f"systemd-run --unit {unit} --collect python3 {command}")
    done = subprocess.run(
        ["ansible-playbook", "-vvv", "--diff", "--inventory", INVENTORY, "--limit", "app-d13",
         "--extra-vars", f"shelf_tarball={tarball}", SCENARIO / "secrets.yml"],
        capture_output=True, text=True, check=False, timeout=3600,
        # all that Ansible can say, which since 2.21 it says only when asked, of all that people's Ansible does
        env={**os.environ, "ANSIBLE_INJECT_INVOCATION": "true", "ANSIBLE_STRATEGY": "linear"},
    )  # fmt: skip
    host.run_expect([0], "systemctl stop arguments environments shelf-index")
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed[-8000:]
    return printed


def test_nothing_that_is_printed_holds_a_secret(deployed):
    lines = [line for line in deployed.splitlines() if "canary5-" in line]
    assert lines == []


def test_what_is_printed_is_as_much_as_there_is(deployed):
    """Otherwise the test above would prove nothing."""
    for text in ("env SECRET_KEY: changed", "module_args", "VALUE_NOT_SHOWN", "ESTABLISH SSH CONNECTION",
                 "Validating arguments against arg spec"):  # fmt: skip
        assert text in deployed


def test_no_process_has_a_secret_among_its_arguments(host, deployed):
    arguments = host.check_output("cat /root/arguments.txt")
    assert "canary5-" not in arguments
    # the installer was seen at work, and so were Ansible's own programs
    assert "pip sync" in arguments
    assert "python3" in arguments


def test_the_app_cannot_see_the_login_of_the_index(host, deployed):
    """Its releases were installed with it while the app ran and looked."""
    environments = host.check_output("cat /root/environments.txt")
    assert "canary5-index" not in environments
    # what its user may see was seen
    assert "OWN=seen" in environments.splitlines()


def test_no_log_holds_a_secret(host, deployed):
    logged = host.check_output("journalctl --namespace=* --no-pager --output cat | grep -c . ")
    assert int(logged) > 50
    assert (
        host.run("journalctl --namespace=* --no-pager --output cat | grep 'canary[5]-'").stdout
        == ""
    )
    assert host.run("grep -rl 'canary[5]-' /var/log").stdout == ""


def test_others_can_read_no_secret(host, deployed):
    """Neither in a file nor in what the kernel says of the app's processes."""
    place = "/ --exclude-dir=proc --exclude-dir=sys --exclude-dir=root"
    found = host.run(f"runuser -u nobody -- grep -rlsI --devices=skip 'canary[5]-' {place}")
    assert found.stdout == ""
    pid = json.loads(host.file("/run/shelf/web-1.json").content_string)["child"]
    assert host.run(f"runuser -u nobody -- cat /proc/{pid}/environ").rc != 0
    # the app can, and the value is there to be found
    env = host.check_output("runuser -u shelf -- cat /srv/shelf/current/env")
    assert "canary5-key" in env


def test_config_went_back_with_the_release(host, deployed):
    """To the first value, with the first release, by two rollbacks; the process has it."""
    pid = json.loads(host.file("/run/shelf/web-1.json").content_string)["child"]
    environ = host.check_output(f"tr '\\0' '\\n' < /proc/{pid}/environ").splitlines()
    assert "SECRET_KEY=canary5-key" in environ
    assert "WORKERS=1" in environ
    assert host.check_output("/srv/shelf/current/venv/bin/python -c 'import board'") == ""


def test_the_wheelhouse_installed_the_same_build(host, deployed):
    releases = host.check_output("ls /srv/shelf/releases").split()
    assert len([name for name in releases if name.startswith("1.0-")]) >= 2
    (second,) = [name for name in releases if name.startswith("2.0-")]
    assert not host.file(f"/srv/shelf/releases/{second}/wheels").exists
    # a file of a package that several releases have is on the disk once, with the cache's name
    files = "/srv/shelf/current/venv/lib/python3*/site-packages/board.py"
    assert int(host.check_output(f"stat --format %h {files}")) >= 4
