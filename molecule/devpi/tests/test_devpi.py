# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index as a host and its clients see it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import time
from collections.abc import Callable

import pytest
import yaml
from testinfra.backend.base import CommandResult
from testinfra.host import Host

# One of each Debian. What only a replica does is in test_index.py.
testinfra_hosts = ["devpi-d12", "devpi-d13"]

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
VARS = yaml.safe_load((SCENARIO / "vars" / "devpi.yml").read_text())
SECRETS = [
    VARS["devpi_root_password"],
    VARS["devpi_secret"],
    *(user["password"] for user in VARS["devpi_users"]),
]
SOCKET = "/run/devpi/devpi.sock"
CURL = f"env -i curl --silent --show-error --max-time 60 --unix-socket {SOCKET}"


def main_pid(host: Host) -> str:
    return host.check_output("systemctl show --property MainPID --value devpi.service")


def as_devpi(host: Host, *command: str) -> CommandResult:
    return host.run(f"runuser --user devpi -- env LC_ALL=C {shlex.join(command)}")


def inside(host: Host, path: str) -> str:
    """The way to a file as the running service has it mounted."""
    return f"/proc/{main_pid(host)}/root{path}"


def answers(host: Host) -> None:
    deadline = time.monotonic() + 300
    while host.run(f"{CURL} --fail http://localhost/+api").rc != 0:
        assert time.monotonic() < deadline, "devpi does not answer after a start"
        time.sleep(0.5)


def config(host: Host, index: str) -> dict:
    address = f"http://localhost/{index}?no_projects="
    answer = host.check_output(f"{CURL} --fail --header 'Accept: application/json' '{address}'")
    return json.loads(answer)["result"]


# --- on the host ---------------------------------------------------------------------------------


def test_it_runs_and_will_after_a_boot(host: Host) -> None:
    service = host.service("devpi")
    assert service.is_running
    assert service.is_enabled


def test_it_listens_on_no_port(host: Host) -> None:
    """On one, any process of the host could listen in its place while it restarts."""
    lines = host.check_output("ss --listening --extended --no-header --tcp --udp --raw --numeric")
    own = f" uid:{host.user('devpi').uid} "
    assert [line for line in lines.splitlines() if own in line] == []
    # Those of its processes, whoever they run as. That of its socket shows that they would be seen.
    listening = host.check_output("ss --listening --no-header --processes --tcp --udp --unix")
    names = [line.split()[4] for line in listening.splitlines() if f"pid={main_pid(host)}," in line]
    assert names == [SOCKET]


def test_only_nginx_and_root_connect_to_the_socket(host: Host) -> None:
    ask = f"{CURL} --output /dev/null --write-out '%{{http_code}}' http://localhost/+api"
    assert host.check_output(ask) == "200"
    for user in ("devpi", "www-data"):
        assert host.check_output(f"runuser --user {user} -- {ask}") == "200"
    host.check_output("id --user other || useradd --system --user-group other")
    for user in ("nobody", "other"):
        refused = host.run(f"runuser --user {user} -- {ask}")
        assert refused.stdout == "000"
        assert "Permission denied" in refused.stderr or "to connect" in refused.stderr
        # For reasons that are not the socket's own either.
        assert host.run(f"runuser --user {user} -- test -e {SOCKET}").rc != 0


def test_nobody_puts_a_socket_in_its_place(host: Host) -> None:
    for user in ("nobody", "www-data"):
        replace = host.run(f"runuser --user {user} -- env LC_ALL=C mv {SOCKET} {SOCKET}.old")
        assert "Permission denied" in replace.stderr
    host.check_output("systemctl stop devpi.service")
    try:
        # Left behind, it is not in the way of the next start, and leads nowhere.
        assert host.run(f"{CURL} http://localhost/+api").rc != 0
        place = host.run("runuser --user www-data -- touch /run/devpi/mine")
        assert "Permission denied" in place.stderr
    finally:
        host.check_output("systemctl start devpi.service")
    answers(host)


def test_its_directory_is_there_after_a_boot(host: Host) -> None:
    before = host.check_output("stat --format '%n %U %G %a' /run/devpi")
    assert before == "/run/devpi devpi www-data 2750"
    host.check_output("systemctl stop devpi.service")
    try:
        host.check_output("rm -r /run/devpi && systemd-tmpfiles --create")
        assert host.check_output("stat --format '%n %U %G %a' /run/devpi") == before
    finally:
        host.check_output("systemctl start devpi.service")
    answers(host)


def test_files_belong_to(host: Host) -> None:
    wanted = """\
/run/devpi devpi 2750
/run/devpi/devpi.sock devpi 660
/etc/devpi root 750
/etc/devpi/secret devpi 600
/etc/devpi/devpi-server.yml root 640
/var/lib/devpi devpi 751
/var/lib/devpi/server/.sqlite devpi 640
/opt/devpi root 755"""
    paths = " ".join(line.split()[0] for line in wanted.splitlines())
    assert host.check_output(f"stat --format '%n %U %a' {paths}") == wanted


def test_the_program_is_not_its_own_to_change(host: Host) -> None:
    assert host.check_output("find /opt/devpi -not -user root -o -not -type l -perm /022") == ""


def test_nobody_else_reads_the_data(host: Host) -> None:
    """But for passing through to the files, which the web server's group may read."""
    assert host.check_output("find /var/lib/devpi -not -type l -perm /026") == ""
    passed = host.check_output("find /var/lib/devpi -perm /001")
    assert set(passed.splitlines()) <= {"/var/lib/devpi", "/var/lib/devpi/server"}
    files = "/var/lib/devpi/server/+files"
    assert host.check_output(f"find {files} -not -group www-data") == ""
    rest = f"find /var/lib/devpi -path {files} -prune -o -not -group devpi -print"
    assert host.check_output(rest) == ""


def test_the_user_cannot_log_in(host: Host) -> None:
    user = host.user("devpi")
    assert user.shell == "/usr/sbin/nologin"
    assert host.check_output("passwd --status devpi").split()[1] == "L"


# --- the sandbox holds ---------------------------------------------------------------------------


def test_it_writes_nowhere_else(host: Host) -> None:
    """Directories of its own that it could write to, were it not for the sandbox."""
    said = host.check_output(
        f"""for folder in /srv/probe /etc/probe /opt/probe /var/lib/probe; do
        install --directory --owner devpi $folder
        runuser --user devpi -- touch $folder/outside && echo outside
        runuser --user devpi -- env LC_ALL=C touch {inside(host, "$folder")}/inside 2>&1
        rm -r $folder; done"""
    ).splitlines()
    assert said[::2] == ["outside"] * 4
    assert ["Read-only file system" in line for line in said[1::2]] == [True] * 4


def test_it_writes_its_data(host: Host) -> None:
    path = inside(host, "/var/lib/devpi/probe")
    assert as_devpi(host, "touch", path).rc == 0
    assert host.check_output("stat --format %U /var/lib/devpi/probe") == "devpi"
    assert as_devpi(host, "rm", path).rc == 0


def test_it_has_temporary_files_of_its_own(host: Host) -> None:
    assert as_devpi(host, "touch", "/var/tmp/shared").rc == 0
    assert as_devpi(host, "ls", inside(host, "/var/tmp")).stdout == ""


def test_home_directories_are_hidden(host: Host) -> None:
    host.check_output("install --directory --owner devpi /home/probe")
    assert as_devpi(host, "ls", "/home/probe").rc == 0
    assert "Permission denied" in as_devpi(host, "ls", inside(host, "/home/probe")).stderr
    host.check_output("rm -r /home/probe")


def test_it_has_no_privileges(host: Host) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in host.check_output(f"cat /proc/{main_pid(host)}/status").splitlines()
        if ":\t" in line
    )
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"  # a filter is in force
    assert status["Uid"].split()[0] == str(host.user("devpi").uid)


@pytest.mark.parametrize("unit", ["devpi", "devpi-backup", "devpi-clean", "devpi-mirror"])
def test_its_services_expose_little(
    host: Host, exposure: Callable[[Host, str], float], unit: str
) -> None:
    assert exposure(host, f"{unit}.service") < 2


def test_it_needs_no_wide_memory(host: Host) -> None:
    resident = host.check_output(f"grep VmRSS /proc/{main_pid(host)}/status").split()[1]
    assert int(resident) < 400 << 10  # KiB


# --- for clients ---------------------------------------------------------------------------------


def test_the_indexes_are_as_asked_for(host: Host) -> None:
    prod = config(host, "company/prod")
    assert prod["bases"] == ["root/pypi"]
    assert prod["volatile"] is False
    assert prod["acl_upload"] == ["company"]
    assert config(host, "company/try")["volatile"] is True
    assert config(host, "company/plain")["volatile"] is False
    assert config(host, "root/pypi")["mirror_no_project_list"] is True


def test_a_client_installs_a_private_and_a_public_package(host: Host) -> None:
    name = host.check_output("hostname")
    host.check_output("rm -rf /var/tmp/installed")
    # Nothing of the host's own settings: the index is all there is.
    host.check_output(
        "env -i PIP_CONFIG_FILE=/dev/null python3 $(ls /usr/share/python-wheels/pip-*.whl)/pip "
        "install --quiet --no-cache-dir "
        "--disable-pip-version-check --target /var/tmp/installed "
        f"--trusted-host {name} --index-url https://{name}/company/prod/+simple/ "
        "fortune==1.0.0 six==1.17.0"
    )
    said = host.check_output(
        "PYTHONPATH=/var/tmp/installed python3 -c %s",
        "import fortune, six; print(fortune.SAYING, six.__version__)",
    )
    assert said == "good luck 1.17.0"
    mirrored = host.check_output("find /var/lib/devpi/server/+files/root/pypi -name 'six-*.whl'")
    assert mirrored.endswith("six-1.17.0-py2.py3-none-any.whl")


def test_a_restart_loses_nothing(host: Host) -> None:
    before = config(host, "company/prod")
    host.check_output("systemctl restart devpi.service")
    answers(host)
    assert config(host, "company/prod") == before
    page = host.check_output(f"{CURL} --fail http://localhost/company/prod/+simple/fortune/")
    assert "fortune-1.0.0-py3-none-any.whl" in page


def test_a_stranger_cannot_make_an_account(host: Host) -> None:
    account = """--request PUT --json '{"password": "x"}' http://localhost/eve"""
    status = host.check_output(f"{CURL} --output /dev/null --write-out '%{{http_code}}' {account}")
    assert status == "403"


# --- secrets -------------------------------------------------------------------------------------


def test_the_log_holds_no_secret(host: Host) -> None:
    # sudo tells what the tests themselves run.
    journal = host.check_output("journalctl --boot --no-pager --output short | grep -v ' sudo\\['")
    assert "devpi" in journal
    assert [secret for secret in SECRETS if secret in journal] == []


@pytest.fixture(scope="module")
def second_run() -> str:
    """What a play said at the highest verbosity after one user's password was changed."""
    return (pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "second-run.log").read_text()


def test_the_second_run_changes_nothing_else(second_run: str) -> None:
    recap = second_run.rpartition("PLAY RECAP")[2]
    changed = dict(re.findall(r"(devpi-\S+) .*changed=(\d+)", recap))
    # The restored one has the tokens of the other, not the one that its file holds.
    assert changed == {"devpi-d12": "1", "devpi-d13": "1"}
    assert '+password: "as given"' in second_run
    assert "the server does not know it any more" in second_run


def test_the_play_shows_no_secret(second_run: str) -> None:
    assert [secret for secret in SECRETS if secret in second_run] == []
