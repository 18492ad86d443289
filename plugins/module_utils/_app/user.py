# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the name of an app is free on a host, or the app's own already. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

NAME = re.compile(r"[a-z_][a-z0-9_-]*\Z")
# useradd takes no longer one
LONGEST_NAME = 32
# GECOS of the accounts that the role app_user makes
MARK = "twelvefactor.deploy app"
# Debian assigns the lower ones to accounts of its own, the same on every host (policy 9.2.2)
FIRST_FREE_UID = 100

# What a fresh Debian or a role of this collection has under such a name: an account or a group, a
# file in tmpfiles.d or logrotate.d that the app's would replace, a directory in /run, /var/lib or
# /var/log, a unit, a set of nginx's sites.
RESERVED = frozenset(
    [
        "root",
        "app-schedules",
        "daemon",
        "bin",
        "sys",
        "sync",
        "games",
        "man",
        "lp",
        "mail",
        "news",
        "uucp",
        "proxy",
        "www-data",
        "backup",
        "list",
        "irc",
        "nobody",
        "_apt",
        "adm",
        "tty",
        "disk",
        "kmem",
        "dialout",
        "fax",
        "voice",
        "cdrom",
        "floppy",
        "tape",
        "sudo",
        "audio",
        "dip",
        "operator",
        "src",
        "shadow",
        "utmp",
        "video",
        "sasl",
        "plugdev",
        "staff",
        "users",
        "nogroup",
        "input",
        "sgx",
        "kvm",
        "render",
        "netdev",
        "crontab",
        "ssl-cert",
        "docker",
        "systemd",
        "systemd-journal",
        "systemd-network",
        "systemd-resolve",
        "systemd-timesync",
        "systemd-coredump",
        "messagebus",
        "dbus",
        "polkitd",
        "polkit-1",
        "sshd",
        "ssh",
        "credstore",
        "cryptsetup",
        "debian",
        "etc",
        "home",
        "journal-nocow",
        "legacy",
        "man-db",
        "passwd",
        "portables",
        "provision",
        "static-nodes-permissions",
        "systemd-nologin",
        "systemd-pstore",
        "systemd-tmp",
        "tmp",
        "var",
        "x11",
        "alternatives",
        "apt",
        "btmp",
        "dpkg",
        "fail2ban",
        "lastlog",
        "rsyslog",
        "ufw",
        "unattended-upgrades",
        "wtmp",
        "cloud",
        "cloud-init",
        "console-setup",
        "containers",
        "cron",
        "dhcp",
        "initctl",
        "initramfs-tools",
        "initscripts",
        "journal",
        "lib",
        "lock",
        "log",
        "logrotate",
        "misc",
        "mount",
        "network",
        "os-prober",
        "pam",
        "private",
        "python",
        "python3",
        "ucf",
        "udev",
        "user",
        "utmpx",
        "vim",
        "mysql",
        "nginx",
        "postgres",
        "postgresql",
        "postgresql-common",
        "redis",
        "redis-server",
        "app-metrics",
        "bugsink",
        "certbot",
        "circus",
        "devpi",
        "goaccess",
        "graphite",
        "host",
        "index",
        "letsencrypt",
        "log-shipping",
        "munin",
        "node-exporter",
        "prometheus",
        "sites",
        "statsd",
        "twelvefactor",
        "twelvefactor-install",
    ]
)


def name_problem(name: str) -> str:
    """What keeps an app from having this name on any host, as a sentence; else nothing."""
    if not NAME.match(name):
        return (
            f"Invalid app name {name!r}: use only lower-case letters, digits, '-' and '_', "
            "and begin with a letter."
        )
    if len(name) > LONGEST_NAME:
        return f"Invalid app name {name!r}: use at most {LONGEST_NAME} characters."
    if name in RESERVED or name.startswith("circus-"):
        return (
            f"Invalid app name {name!r}: the operating system, or a role of this collection, has "
            "accounts, directories or files of that name. Use another name; if the package is called so, "
            f"say package: {name}."
        )
    return ""


def conflict(name: str, found: Sequence[str]) -> str:
    """Why the role app_user must not take what has the name ``name``, as a text; else nothing.

    ``found`` are lines of the role's look at the host: ``passwd`` and ``group`` with an entry of
    getent(1), ``path`` with something that exists, and ``marked`` where the role's own file in
    /etc/tmpfiles.d is there.
    """
    problem = name_problem(name)
    if problem:
        return problem
    entries = {line.partition(" ")[0]: line.partition(" ")[2] for line in found}
    paths = [line.partition(" ")[2] for line in found if line.startswith("path ")]
    marked = "marked" in entries
    if "passwd" in entries:
        _name, _password, uid, _gid, gecos, home, shell = entries["passwd"].split(":")
        made_for_it = (gecos, home, shell) == (MARK, f"/var/lib/{name}", "/usr/sbin/nologin")
        if int(uid) >= FIRST_FREE_UID and (marked or made_for_it):
            return ""
        return (
            f"The account {name!r} exists and was not made for an app: uid {uid}, "
            f"GECOS {gecos!r}, home {home}, shell {shell}. Give the app another "
            f"name, or remove the account if nobody needs it: userdel {name}"
        )
    if marked:
        return ""
    if "group" in entries:
        _name, _password, gid, members = entries["group"].split(":")
        return (
            f"The group {name!r} exists and was not made for an app: gid {gid}, "
            f"members {members or 'none'}. Give the app another name, or remove "
            f"the group if nobody needs it: groupdel {name}"
        )
    if paths:
        return (
            f"There is no account {name!r}, but there is {', '.join(paths)}, which somebody else may "
            "need. Give the app another name or move that away. If it is the "
            f"app's own, as after a restore, make the account first: useradd --system --user-group "
            f"--comment '{MARK}' --home-dir /var/lib/{name} --shell /usr/sbin/nologin {name}"
        )
    return ""
