# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role app_user leaves on a host."""

import pytest


def test_the_user_cannot_log_in(host):
    user = host.user("shop")
    assert user.shell == "/usr/sbin/nologin"
    assert user.uid < 1000
    assert user.groups == ["shop"]
    assert host.check_output("getent shadow shop").split(":")[1].startswith("!")
    assert host.run("su shop -c true").rc != 0


@pytest.mark.parametrize(
    ("path", "owner", "group", "mode"),
    [
        ("/srv/shop", "root", "shop", 0o750),
        ("/srv/shop/releases", "root", "shop", 0o750),
        ("/var/lib/shop", "shop", "shop", 0o750),
        ("/var/log/shop", "shop", "shop", 0o750),
        ("/run/shop", "shop", "www-data", 0o2750),
    ],
)
def test_directories(host, path, owner, group, mode):
    found = host.file(path)
    assert found.is_directory
    assert (found.user, found.group, found.mode) == (owner, group, mode)


def test_the_user_that_installs_cannot_log_in_either(host):
    user = host.user("twelvefactor-install")
    assert (user.shell, user.home) == ("/usr/sbin/nologin", "/nonexistent")
    assert user.uid < 1000
    assert user.groups == ["twelvefactor-install"]
    assert host.check_output("getent shadow twelvefactor-install").split(":")[1].startswith("!")


def test_neither_the_app_nor_who_installs_can_change_what_root_owns(host):
    for user in ("shop", "twelvefactor-install"):
        for directory in ("/srv/shop", "/srv/shop/releases"):
            assert host.run(f"runuser -u {user} -- touch {directory}/x").rc != 0


@pytest.mark.parametrize("name", ["shop", "older", "corner-shop"])
def test_accounts_are_marked_as_the_apps(host, name):
    assert host.user(name).gecos == "twelvefactor.deploy app"


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("backup", "backup:x:34:34:backup:/var/backups:/usr/sbin/nologin"),
        ("games", "games:x:5:60:games:/usr/games:/usr/sbin/nologin"),
        ("alice", None),
        ("crew", None),
        ("ledger", None),
    ],
)
def test_what_the_role_did_not_make_stays_as_it_is(host, name, entry):
    if entry:
        assert host.check_output(f"getent passwd {name}") == entry
    assert host.user("alice").home == "/home/alice"
    assert host.user("alice").shell == "/bin/bash"
    assert host.file("/var/lib/ledger").user == "root"
    assert not host.user("crew").exists
    assert not host.user("ledger").exists
    assert not host.file(f"/etc/tmpfiles.d/{name}.conf").exists
    assert not host.file(f"/srv/{name}").exists


def test_what_was_changed_is_put_right_at_boot(host):
    host.check_output("systemctl stop run-shop.mount && rmdir /run/shop && chmod 777 /srv/shop")
    host.check_output("systemctl start run-shop.mount")
    host.check_output("systemd-tmpfiles --create --boot shop.conf")
    test_directories(host, "/run/shop", "shop", "www-data", 0o2750)
    test_directories(host, "/srv/shop", "root", "shop", 0o750)


def test_sockets_made_there_are_the_proxys_to_use_and_nothing_else_is(host):
    host.check_output("runuser -u shop -- sh -c 'umask 7; touch /run/shop/x /var/lib/shop/x'")
    assert host.file("/run/shop/x").group == "www-data"
    assert host.run("runuser -u www-data -- test -w /run/shop/x").rc == 0
    assert host.run("runuser -u www-data -- ls /srv/shop").rc != 0
    assert host.run("runuser -u www-data -- ls /var/lib/shop").rc != 0
    host.check_output("rm /run/shop/x /var/lib/shop/x")


# --- what a compromised app can do in /run/<app> ---------------------------------------------


def options(host, path):
    return host.check_output(f"findmnt --noheadings --output OPTIONS --mountpoint {path}").split(
        ","
    )


@pytest.mark.parametrize("name", ["shop", "corner-shop"])
def test_the_run_directory_is_a_file_system_of_its_own(host, name):
    assert {"nosuid", "nodev", "noexec", "nosymfollow", "size=65536k"} <= {
        *options(host, f"/run/{name}")
    }


def test_nobody_is_led_elsewhere_by_a_symbolic_link(host):
    host.check_output("runuser -u shop -- ln -s ../corner-shop/web-1.sock /run/shop/web-1.sock")
    script = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"%s\")'"
    bind = 'python3 -c \'import os, socket; socket.socket(socket.AF_UNIX).bind("%s"); os.chmod("%s", 0o666)\''
    other = "/run/corner-shop/web-1.sock"
    host.check_output(f"runuser -u corner-shop -- {bind % (other, other)}")
    try:
        # Nobody listens there, which the proxy finds out at the socket and not before it.
        direct = host.run(f"runuser -u www-data -- {script % other}")
        assert "Connection refused" in direct.stderr
        led = host.run(f"runuser -u www-data -- {script % '/run/shop/web-1.sock'}")
        assert "Too many levels of symbolic links" in led.stderr
        # nor by a second name of it
        assert host.run(f"runuser -u shop -- ln {other} /run/shop/web-2.sock").rc != 0
    finally:
        host.check_output(f"rm /run/shop/web-1.sock {other}")


def test_an_app_cannot_fill_run(host):
    filled = host.run("runuser -u shop -- dd if=/dev/zero of=/run/shop/x bs=1M count=100")
    assert "No space left on device" in filled.stderr
    host.check_output("touch /run/x && rm /run/x")
    many = "i=0; while [ $i -lt 20000 ]; do : > /run/shop/$i || exit 7; i=$((i + 1)); done"
    assert host.run(f"rm /run/shop/x; runuser -u shop -- sh -c '{many}'").rc != 0
    host.check_output("touch /run/x && rm /run/x && find /run/shop -type f -delete")


def test_the_sockets_of_an_app_that_runs_are_never_hidden(host):
    assert host.file("/run/older/web-1.sock").is_socket
    assert not host.mount_point("/run/older").exists
    host.check_output("systemctl start local-fs.target run-older.mount")
    assert host.file("/run/older/web-1.sock").is_socket
    # as at the next boot
    host.check_output("rm /run/older/web-1.sock && systemctl start run-older.mount")
    assert "nosymfollow" in options(host, "/run/older")
    test_directories(host, "/run/older", "older", "www-data", 0o2750)
    host.check_output(
        "systemctl stop run-older.mount && mkdir -p /run/older && systemd-tmpfiles --create older.conf"
    )
