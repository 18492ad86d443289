# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index as a whole: through its web server, on several hosts, and when something is missing."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from testinfra import get_host
from testinfra.backend.base import CommandResult
from testinfra.host import Host

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parents[1] / "build" / "hosts" / f"molecule-{SCENARIO.name}" / "inventory.yml"
VARS = yaml.safe_load((SCENARIO / "vars" / "devpi.yml").read_text())
PASSWORDS = {user["name"]: user["password"] for user in VARS["devpi_users"]}
FILES = "/var/lib/devpi/server/+files"
# As a client that has nothing of the host's own settings; certificates have tests of their own.
CURL = "env -i curl --silent --insecure --max-time 60"
# As root, past nginx.
LOCAL = f"{CURL} --unix-socket /run/devpi/devpi.sock"
UV = (
    "env -i HOME=/root UV_NO_CONFIG=1 UV_NO_CACHE=1 /opt/client/bin/uv pip install --quiet "
    "--python /opt/client/bin/python --no-python-downloads --allow-insecure-host {host} --index-url https://{host}/{index}/+simple/ --target {target} "
)
PIP = (
    "env -i PIP_CONFIG_FILE=/dev/null /opt/client/bin/python -m pip install --quiet --no-cache-dir "
    "--disable-pip-version-check --trusted-host {host} --index-url https://{host}/{index}/+simple/ "
    "--target {target} "
)


def named(name: str) -> Host:
    return get_host(f"ansible://{name}?sudo=true", ansible_inventory=str(INVENTORY))


@pytest.fixture(scope="module")
def primary() -> Host:
    return named("devpi-d12")


@pytest.fixture(scope="module")
def restored() -> Host:
    return named("devpi-d13")


@pytest.fixture(scope="module")
def replica() -> Host:
    return named("devpi-replica")


@pytest.fixture(scope="module")
def client(restored: Host) -> Host:
    """Where installs start."""
    restored.check_output("/opt/client/bin/python -m ensurepip --upgrade")
    return restored


def install(
    client: Host, what: str, index: str = "company/guarded", host: str = "devpi-d12", by: str = UV
) -> CommandResult:
    """An install with a cold cache into a new directory, whose path is the last line of stdout."""
    target = client.check_output("mktemp --directory /var/tmp/installed-XXXXXX")
    result = client.run(by.format(host=host, index=index, target=target) + what)
    return CommandResult(
        result.backend, result.exit_status, result.command, f"{target}\n".encode(), result._stderr
    )


def said(client: Host, installed: CommandResult, module: str) -> str:
    assert installed.rc == 0, installed.stderr
    script = f"import {module}; print({module}.SAYING)"
    return client.check_output(f"PYTHONPATH={installed.stdout.strip()} python3 -c '{script}'")


def asking(path: str, *options: str, host: str = "devpi-d12") -> str:
    """The command that says how a request is answered."""
    return (
        f"{CURL} --output /dev/null --write-out '%{{http_code}}\\n' {' '.join(options)} "
        f"https://{host}{path}"
    )


def status(client: Host, path: str, *options: str, host: str = "devpi-d12") -> str:
    return client.check_output(asking(path, *options, host=host))


def upload(host: Host, index: str, wheel: str) -> None:
    """As twine does."""
    name, version = pathlib.Path(wheel).name.split("-")[:2]
    host.check_output(
        f"{LOCAL} --fail --user 'company:{PASSWORDS['company']}' --form :action=file_upload "
        f"--form name={name} --form version={version} --form content=@{wheel} "
        f"http://localhost/{index}/"
    )


@contextlib.contextmanager
def stopped(host: Host, *services: str) -> Iterator[None]:
    host.check_output(f"systemctl stop {' '.join(services)}")
    try:
        yield
    finally:
        host.check_output(f"systemctl start {' '.join(services)}")


def answers(host: Host, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while host.run(f"{LOCAL} --fail http://localhost/+api").rc != 0:
        assert time.monotonic() < deadline, "devpi does not answer"
        time.sleep(0.5)


# --- through nginx -------------------------------------------------------------------------------


def test_a_cold_burst_of_names_that_are_mirrored_nowhere_yet(client: Host, replica: Host) -> None:
    """Under two addresses at once: devpi tells the second one who asks meanwhile 404."""
    lock = replica.file("/srv/upstream/burst.txt").content_string
    assert lock.count("==") == 40
    client.check_output(f"cat > /var/tmp/burst.txt <<'END'\n{lock}END")
    burst = "--require-hashes --requirement /var/tmp/burst.txt"
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(install, client, burst, index)
            for index in ["company/guarded", "company/upstream"] * 2
        ]
    results = [run.result() for run in runs]
    assert [result.stderr for result in results if result.rc != 0] == []


def test_pages_are_kept_and_an_upload_is_seen(client: Host, primary: Host) -> None:
    page = "/company/try/+simple/morning/"
    make = "python3 /opt/test/make_wheel.py /var/tmp/morning-{0}-py3-none-any.whl"
    for number in (1, 2):
        version = f"{number}.0.0"
        primary.check_output(make.format(version))
        upload(primary, "company/try", f"/var/tmp/morning-{version}-py3-none-any.whl")
        # Asked every tenth of a second: it is there once, and never gone again.
        seen = client.check_output(
            f"more=10; for attempt in $(seq 600); do "
            f"found=$({CURL} https://devpi-d12{page} | grep -c morning-{version}); echo $found; "
            'test "$found" = 0 || more=$((more - 1)); test $more -gt 0 || break; sleep 0.1; done'
        ).split()
        assert seen[-1] != "0"
        assert [count != "0" for count in seen] == sorted(count != "0" for count in seen)


def test_pages_are_compressed_for_who_takes_that(client: Host) -> None:
    page = f"{CURL} https://devpi-d12/root/pypi/+simple/six/"
    plain = client.check_output(f"{page} | wc -c")
    script = (
        f"{page} --header 'Accept-Encoding: gzip, deflate' > /var/tmp/page && "
        "wc -c < /var/tmp/page && gunzip < /var/tmp/page | wc -c"
    )
    packed, unpacked = client.check_output(script).split()
    assert unpacked == plain
    assert int(packed) < int(plain) / 2


def test_an_unknown_project_and_an_unknown_index_are_not_found(client: Host) -> None:
    assert status(client, "/company/guarded/+simple/no-such-thing/") == "404"
    assert status(client, "/company/nothing/+simple/no-such-thing/") == "404"


def test_files_come_from_nginx_itself(client: Host, primary: Host) -> None:
    path = primary.check_output(f"find {FILES}/company/prod -name 'fortune-*.whl'")
    url = path.removeprefix(FILES)
    assert status(client, url) == "200"
    assert status(client, "/company/prod/+simple/fortune/") == "200"
    with stopped(primary, "devpi"):
        # Who may read it was said a moment ago, and holds while devpi is restarted.
        assert status(client, url) == "200"
        assert status(client, "/company/prod/+simple/fortune/") in ("200", "502")
    answers(primary)


def test_nginx_reads_the_files_and_nothing_else(primary: Host) -> None:
    as_nginx = "runuser --user www-data -- "
    path = primary.check_output(f"find {FILES}/company/prod -name 'fortune-*.whl'")
    assert primary.run(f"{as_nginx} cat {path}").rc == 0
    for secret in ("/var/lib/devpi/server/.sqlite", "/etc/devpi/secret", "/var/backups/devpi"):
        assert (
            "Permission denied"
            in primary.run(f"{as_nginx} find {secret} -type f -exec cat {{}} +").stderr
        )


@pytest.mark.parametrize("host", ["devpi-d12", "devpi-d13", "devpi-replica"])
def test_who_may_not_read_gets_neither_pages_nor_files(client: Host, host: str) -> None:
    """On the primary, on the host that it was restored on, on the replica."""
    path = named(host).check_output(f"find {FILES}/company/closed -name 'treasure-*.whl'")
    # Nor by a path that seems to be another one's.
    file = path.removeprefix(f"{FILES}/company/closed")
    refused, permitted, crooked = [asking(f"/c%6fmpany/closed{file}", host=host)], [], []
    for url in (path.removeprefix(FILES), "/company/closed/+simple/treasure/", "/company/closed"):
        refused.append(asking(url, host=host))
        refused.append(asking(url, f"--user 'reader:{PASSWORDS['reader']}x'", host=host))
        for user in ("reader", "company"):
            permitted.append(asking(url, f"--user '{user}:{PASSWORDS[user]}'", host=host))
    for way in ("/company/prod/../closed", "/company/prod/%2e%2e/closed", "//company/closed"):
        crooked.append(asking(way + file, "--path-as-is", host=host))
    answered = client.check_output("; ".join(refused + permitted + crooked)).split()
    assert set(answered[:7]) <= {"401", "403"}
    assert answered[7:13] == ["200"] * 6
    assert answered[13:] == ["400"] * 3


@pytest.mark.parametrize("host", ["devpi-d12", "devpi-d13", "devpi-replica"])
def test_a_permit_for_one_thing_opens_no_other(client: Host, host: str) -> None:
    """What everybody may ask comes first, in the second for which a permit is kept."""
    path = named(host).check_output(f"find {FILES}/company/closed -name 'treasure-*.whl'")
    file = path.removeprefix(FILES)
    page = "/company/closed/+simple/treasure/"
    closed = [page, file, "/company/closed/+simple/", "/company/closed", "/company/closed/treasure"]
    for way in ("--get", "--head", "--request POST"):
        first = [asking("/company/closed/+api", way, host=host), asking("/+login", way, host=host)]
        # The closed ones before, too: what was refused for a second opens nothing either.
        asked = first + [asking(url, way, host=host) for url in closed]
        answered = client.check_output("; ".join(asked + asked)).split()
        assert len(answered) == 2 * (2 + len(closed))
        assert set(answered[2:7] + answered[9:]) <= {"401", "403"}, (way, answered)
    # Nor a header by which devpi reads another path than the one that was permitted.
    for open_part in ("/company/prod/+f", "/company/prod/+simple"):
        header = f"--header 'X-Outside-URL: https://{host}{open_part}'"
        body = client.check_output(
            f"{CURL} {header} https://{host}{open_part}{page}; {CURL} {header} https://{host}{open_part}{file}"
        )
        assert "treasure-1.0.0" not in body


@pytest.mark.parametrize("host", ["devpi-d12", "devpi-d13"])
def test_an_index_is_closed_unless_told_otherwise(client: Host, host: str) -> None:
    """Every user reads it, and with a token that can do nothing else the machines do."""
    token = named(host).check_output("cat /etc/devpi/reader.token")
    pages = "/company/plain/+simple/"
    asked = [
        asking(pages, host=host),
        asking(pages, f"--user 'auditor:{PASSWORDS['auditor']}'", host=host),
        asking(pages, f"--user 'hosts:{token}'", host=host),
        asking("/company/closed/+simple/", f"--user 'hosts:{token}'", host=host),
        asking("/company/plain", f"--user 'hosts:{token}' --request DELETE", host=host),
    ]
    answered = client.check_output("; ".join(asked)).split()
    assert answered[:4] == ["401", "200", "200", "200"]
    assert answered[4] in ("401", "403")


def test_what_strangers_have_no_use_for_is_closed(client: Host, replica: Host) -> None:
    assert status(client, "/+status") == "403"
    assert status(client, "/+api") == "200"
    assert named("devpi-d13").run(f"{CURL} --fail https://devpi-d13/+changelog/1").rc != 0


def test_another_user_of_the_host_gets_no_more_than_a_client(primary: Host) -> None:
    """At the port at which nginx asks itself for pages, and without a login."""
    ask = f"{CURL} --output /dev/null --write-out '%{{http_code}}\\n' --path-as-is"
    at = "http://127.0.0.1:844"
    asked = [
        f"{ask} {at}/company/prod/+simple/fortune/",
        f"{ask} {at}/company/closed/+simple/treasure/",
        f"{ask} --header 'X-Outside-URL: {at}/company/prod/+simple' {at}/company/prod/+simple/company/closed/+simple/",
        f"{ask} {at}/company/prod/+simple/../../closed/+simple/treasure/",
        *(
            f"{ask} {at}/{path}"
            for path in ("+api", "+login", "+status", "+changelog/1", "company/closed")
        ),
    ]
    script = "; ".join(asked)
    answered = primary.check_output("runuser --user nobody -- sh -c %s", script).split()
    assert answered[0] == "200"
    assert answered[1] in ("401", "403")
    assert answered[2] in ("401", "403", "404")
    assert answered[3:] == ["400", *["404"] * 5]


def test_logins_are_limited(client: Host) -> None:
    login = '--request POST --json \'{"user": "nobody", "password": "x"}\''
    # at once: one after the other they may take as long as they are meant to
    asked = asking("/+login?[1-60]", f"{login} --parallel --parallel-max 60", host="devpi-d13")
    codes = client.check_output(asked).split()
    assert len(codes) == 60
    assert set(codes) == {"401", "429"}


# --- what cannot be put under a company ----------------------------------------------------------


@pytest.mark.parametrize("by", [UV, PIP], ids=["uv", "pip"])
def test_a_reserved_name_is_never_taken_from_upstream(client: Host, by: str) -> None:
    nothing = install(client, "quiet-sauce", by=by)
    assert nothing.rc != 0
    assert re.search(r"[Nn]o matching distribution|was not found|no versions", nothing.stderr)


def test_a_name_that_nobody_reserved_is(client: Host) -> None:
    """The attack works: without this, the test above would show nothing."""
    assert said(client, install(client, "other-sauce"), "other_sauce") == "from upstream"


def test_a_private_package_wins_over_a_higher_version_upstream(client: Host, primary: Host) -> None:
    wheel = "/var/tmp/secret_sauce-1.0.0-py3-none-any.whl"
    primary.check_output(f"python3 /opt/test/make_wheel.py {wheel} 'our own'")
    upload(primary, "company/guarded", wheel)
    page = f"{CURL} https://devpi-d12/company/guarded/+simple/secret-sauce/"
    client.check_output(
        f"for attempt in $(seq 300); do {page} | grep --quiet {pathlib.Path(wheel).name} && break; sleep 0.1; done"
    )
    for by in (UV, PIP):
        assert said(client, install(client, "secret-sauce", by=by), "secret_sauce") == "our own"
    assert install(client, "'secret-sauce>1'").rc != 0


@pytest.mark.parametrize("by", [UV, PIP], ids=["uv", "pip"])
def test_one_flipped_byte_fails_the_install(client: Host, primary: Host, by: str) -> None:
    """In the time that the archive has of a file, which no checksum of the archive is about."""
    path = primary.check_output(f"find {FILES}/company/prod -name 'fortune-*.whl'")
    digest = primary.check_output(f"sha256sum {path}").split()[0]
    client.check_output(f"echo 'fortune==1.0.0 --hash=sha256:{digest}' > /var/tmp/fortune.txt")
    locked = "--require-hashes --requirement /var/tmp/fortune.txt"
    flip = (
        "import sys; f = open(sys.argv[1], 'r+b'); f.seek(10); b = f.read(1)[0]; "
        "f.seek(10); f.write(bytes([b ^ 1]))"
    )
    assert install(client, locked, "company/prod", by=by).rc == 0
    primary.check_output("python3 -c %s %s", flip, path)
    try:
        broken = install(client, locked, "company/prod", by=by)
    finally:
        primary.check_output("python3 -c %s %s", flip, path)
    assert broken.rc != 0
    assert "hash" in broken.stderr.lower()


# --- the mirror ----------------------------------------------------------------------------------


def test_the_mirror_has_what_the_apps_need_before_it_is_asked_for(
    client: Host, primary: Host, replica: Host
) -> None:
    """By the lock that a build carries. The limit of the mirror spares it, and nothing else."""
    upstream = "/srv/upstream/simple"
    needed = "public_tool-1.0.0-py3-none-any.whl"
    lock = replica.check_output(
        f"python3 -c \"import sys; sys.path.insert(0, '/opt/test'); import make_wheel, pathlib; "
        f"print(make_wheel.lock(pathlib.Path('{upstream}/public-tool/{needed}')), end='')\""
    )
    digest = lock.rpartition(":")[2].strip()
    wheel = "/var/tmp/shop-1.0.0-py3-none-any.whl"
    primary.check_output(
        f"{CURL} --output /var/tmp/{needed} http://devpi-replica:8000/simple/public-tool/{needed}"
    )
    primary.check_output(f"python3 /opt/test/make_wheel.py {wheel} shop /var/tmp/{needed}")
    upload(primary, "company/guarded", wheel)
    assert install(client, "another-tool").rc == 0
    primary.check_output("systemctl start devpi-mirror.service")
    mirrored = f"find {FILES}/company/upstream -name '{{}}'"
    assert digest[:3] in primary.check_output(mirrored.format(needed))
    assert primary.check_output(mirrored.format("public_tool-2.0.0*")) == ""
    assert primary.check_output(mirrored.format("burst_00-*")) != ""

    limit = (
        "runuser --user devpi -- python3 /opt/devpi/lib/clean.py "
        f"{FILES} /var/lib/devpi/needed.txt 0 company/upstream"
    )
    assert "larger than the limit" in primary.run(limit).stderr  # what is needed is
    left = primary.check_output(f"find {FILES}/company/upstream -type f -printf '%f\\n'")
    assert sorted(left.splitlines()) == ["burst_00-1.0.0-py3-none-any.whl", needed]
    assert primary.check_output(f"find {FILES}/company/guarded -name 'shop-*'") != ""

    # Upstream is gone, and its pages here have expired: what is here goes on being served.
    with stopped(replica, "upstream"):
        time.sleep(3)
        for by in (UV, PIP):
            assert said(client, install(client, "public-tool==1.0.0", by=by), "public_tool")
        assert install(client, "another-tool").rc != 0
    # What was cleaned up is fetched again.
    assert said(client, install(client, "another-tool"), "another_tool") == "from upstream"


def test_a_mirror_above_its_limit_is_cut(primary: Host) -> None:
    """By the service as the timer starts it: with its user, its sandbox and the limit of the inventory."""
    directory = f"{FILES}/company/upstream/+f/fff/full"
    primary.check_output(
        f"runuser --user devpi -- sh -ec 'mkdir --parents {directory}; cd {directory}; "
        'for days in 2 4 3; do fallocate --length 60M $days.whl; touch --date "$days days ago" $days.whl; done\''
    )
    primary.check_output("systemctl start devpi-clean.service")
    assert primary.check_output(f"ls {directory}") == "2.whl"
    logged = primary.check_output("journalctl --unit=devpi-clean --output=cat --no-pager")
    assert re.search(
        r"clean: \d+ mirrored files of \d+ MiB, limit 100 MiB: [23] of 1\d\d MiB removed", logged
    )
    primary.check_output(f"rm -r {directory}")


def test_the_timers_wait_for_their_time(primary: Host) -> None:
    listed = primary.check_output("systemctl list-timers --no-legend 'devpi-*'")
    assert "devpi-backup.timer" in listed
    assert "devpi-mirror.timer" in listed
    # the limit of the mirror counts at once, not when it is refreshed
    assert "devpi-clean.timer" in listed
    shown = primary.check_output("systemctl show --property TimersCalendar devpi-clean.timer")
    assert "OnCalendar=*-*-* *:*:00" in shown


# --- what is lost and what goes on ---------------------------------------------------------------


def test_the_previous_version_left_its_packages(client: Host, primary: Host) -> None:
    versions = json.loads(primary.check_output(f"{LOCAL} http://localhost/+status"))
    assert versions["result"]["versioninfo"]["devpi-server"].startswith("6.20.")
    assert said(client, install(client, "heirloom", "company/prod"), "heirloom") == "good luck"


def test_what_was_restored_installs(client: Host) -> None:
    """That the users log in there, and that some may not read, stands above."""
    installed = install(client, "heirloom fortune", "company/prod", host="devpi-d13")
    assert said(client, installed, "heirloom") == "good luck"
    login = json.dumps({"user": "company", "password": PASSWORDS["company"]})
    answer = client.check_output(f"{LOCAL} --request POST --json '{login}' http://localhost/+login")
    assert json.loads(answer)["result"]["password"]


def test_backups_share_what_is_the_same_and_old_ones_go(primary: Host) -> None:
    for _backup in range(2):
        primary.check_output("systemctl start devpi-backup.service")
        time.sleep(1)
    script = "runuser --user devpi -- python3 /opt/devpi/lib/backup.py"
    primary.check_output(f"{script} /var/lib/devpi/server /var/backups/devpi 2")
    found = primary.check_output("ls /var/backups/devpi").split()
    assert len(found) == 2
    inodes = primary.check_output(
        "find /var/backups/devpi -name 'fortune-*.whl' -printf '%i\\n'"
    ).split()
    assert len(inodes) == 2
    assert len(set(inodes)) == 1
    assert primary.check_output("stat --format '%a %U' /var/backups/devpi") == "700 devpi"


def test_a_damaged_backup_is_not_restored(primary: Host) -> None:
    primary.check_output("rm -rf /var/tmp/damaged")
    primary.check_output(
        "cp -a /var/backups/devpi/$(ls /var/backups/devpi | tail -1) /var/tmp/damaged"
    )
    primary.check_output(
        "echo broken >> $(find /var/tmp/damaged -path '*company/prod*' -name 'fortune-*.whl')"
    )
    before = primary.check_output("stat --format %i /var/lib/devpi/server")
    result = primary.run("python3 /opt/devpi/lib/restore.py /var/tmp/damaged /var/lib/devpi/server")
    assert result.rc != 0
    assert "the backup is damaged, nothing was replaced" in result.stderr
    # nor one that root would follow a link in
    primary.check_output("ln -s /etc/shadow /var/tmp/damaged/+files/shadow")
    result = primary.run("python3 /opt/devpi/lib/restore.py /var/tmp/damaged /var/lib/devpi/server")
    assert result.rc != 0
    assert "+files/shadow in the backup is a link" in result.stderr
    assert primary.check_output("stat --format %i /var/lib/devpi/server") == before


def test_installs_go_on_from_the_replica(client: Host, primary: Host, replica: Host) -> None:
    deadline = time.monotonic() + 300
    while "treasure" not in replica.check_output(f"find {FILES}/company/closed -name '*.whl'"):
        assert time.monotonic() < deadline, "the replica does not follow"
        time.sleep(1)
    burst = "--require-hashes --requirement /var/tmp/burst.txt"
    assert install(client, burst, host="devpi-replica").rc == 0
    with stopped(primary, "devpi", "nginx"):
        installed = install(client, "fortune heirloom", "company/prod", host="devpi-replica")
        assert said(client, installed, "fortune") == "good luck"
        for by in (UV, PIP):
            installed = install(client, burst, host="devpi-replica", by=by)
            assert installed.rc == 0, installed.stderr
    answers(primary)
