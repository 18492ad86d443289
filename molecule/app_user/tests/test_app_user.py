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


@pytest.mark.parametrize("name", ["shop", "older"])
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
    host.check_output("rm -rf /run/shop && chmod 777 /srv/shop")
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
