# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key that an app may have in the inventory, ``apps.<name>``.

The filters read settings and defaults from here, and preflight refuses what is not here.
tests/unit/test_app_specification.py compares the argument specs of the roles and the README of the role
app with it, and finds every place that reads a setting.

It is Python because a filter runs in a new process for each task: importing this takes 5 ms of CPU time
there, parsing the same as YAML 40 ms or more.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import (
    BYTES,
    BYTES_FORM,
    FILE_TEXT,
    LONGEST_STOP,
    MEMORY,
    MEMORY_FORM,
    PROCESS_TYPE,
    PROCESS_TYPE_FORM,
    TEXT,
    Setting,
    seconds,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.listen import LISTEN
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.playbook_settings import (
    PLAYBOOK_SETTINGS,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.schedule import (
    SCHEDULE,
    SCHEDULE_NAME,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.site_settings import (
    SITE_SETTINGS,
)

PROCESS_OPTIONS: Mapping[str, Setting] = {
    "socket": Setting(
        meaning=("Whether it listens on a socket; by default V(web) and the types in C(listen).",),
        type="bool",
    ),
    "port": Setting(
        meaning=(
            (
                "Whether its server knows TCP only and listens on 127.0.0.1 at the port in the environment variable "
                "E(PORT). By default where a type that listens names C($PORT) in its command."
            ),
        ),
        type="bool",
    ),
    "overlap": Setting(
        meaning=("Whether the new process starts before the old one is stopped.",),
        type="bool",
        default=True,
    ),
    "ready_after": seconds("Seconds that a process must stay up before it takes over.", 5.0),
    "ready_timeout": seconds("Seconds that starting may take.", 60.0),
    "drain_timeout": seconds("Seconds that draining may take.", 60.0),
    "stop_timeout": seconds("Seconds that stopping may take.", 30.0, LONGEST_STOP),
}


# systemd takes a space for the end of a path, and % for one of its own names. Not the root: all would be writable, and
# with .. in it a path may be any other. The role circus has the same (tests/unit/circus/test_sandbox.py).
WRITABLE_PATH = r"(/(?!\.\.?(/|$))[\w.@+,-]+)+"
WRITABLE_PATH_FORM = "an absolute path without spaces, without . or .. in it and without / at its end, as in /srv/exports"
DEBIAN_PACKAGE = r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?"
# _release/config.py has the same
CONFIG_FILE = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}"


SETTINGS: Mapping[str, Setting] = {
    "version": Setting(
        meaning=(
            (
                "Version of the build to deploy. In quotes where it looks like a number: 1.10 is 1.1 "
                "in YAML."
            ),
        ),
        readers=("app", "rollout", "publish", "audit"),
        required=True,
    ),
    "wheel_sha256": Setting(
        meaning=(
            (
                "The sha256 of the app's own wheel, as C(publish) shows it. Another wheel of that "
                "version is refused. Empty to deploy whatever the index has as that version. "
                "C(-e version=) on the command line sets it aside."
            ),
        ),
        readers=("app",),
        default="",
        pattern=r"[0-9a-f]{64}",
        form="64 hexadecimal digits in lower case",
    ),
    "package": Setting(
        meaning=("Name of the distribution on the index. The app's name where it is not given.",),
        readers=("app", "index"),
        from_name=str,
    ),
    "requirements": Setting(
        meaning=(
            (
                "Text of the lock file, requirements with hashes or a C(pylock.toml), of a package "
                "that was not published with C(twelvefactor.deploy.publish); it pins the package "
                "itself too."
            ),
        ),
        readers=("app",),
        default="",
    ),
    "wheelhouse": Setting(
        meaning=(
            (
                "Tarball of wheels on the controller, for hosts that reach no index. It is copied to "
                "the host, and nothing is asked over the network. A relative path is relative to the "
                "directory of the inventory."
            ),
        ),
        readers=("app",),
        type="path",
        default="",
    ),
    "packages": Setting(
        meaning=(
            (
                "Debian packages that the app needs on its hosts, such as C(libpq5). They are installed "
                "before the release, and stay."
            ),
        ),
        readers=("app",),
        type="list",
        elements="str",
        default=[],
        pattern=DEBIAN_PACKAGE,
        form="the name of a Debian package, as in libpq5",
    ),
    "processes": Setting(
        meaning=("Process types and their commands, instead of the build's Procfile.",),
        readers=("app",),
        type="dict",
        default={},
        values=TEXT,
        key_pattern=PROCESS_TYPE,
        key_form=PROCESS_TYPE_FORM,
    ),
    "env": Setting(
        meaning=("Config of the app, as environment variables.",),
        readers=("app", "rollout", "audit"),
        type="dict",
        default={},
        values=TEXT,
        secret=True,
    ),
    "config_files": Setting(
        meaning=(
            (
                "Text of config files by their names, for an app that reads its config from files. Each release has its "
                "own, of at most 256 KiB. Commands and C(env) name them as C(config/NAME), see "
                "O(twelvefactor.deploy.release#module:config_files)."
            ),
        ),
        readers=("app", "rollout"),
        type="dict",
        default={},
        values=FILE_TEXT,
        key_pattern=CONFIG_FILE,
        key_form="at most 200 letters, digits, _, - and ., without a directory, as in app.ini",
        secret=True,
    ),
    "formation": Setting(
        meaning=("How many processes of each type run. Types that are not named have none.",),
        readers=("app", "proxy", "rollout", "scale", "audit"),
        type="dict",
        default={"web": 1},
        values=Setting(meaning=("How many.",), type="int", default=0, minimum=0),
    ),
    "listen": LISTEN,
    "schedule": Setting(
        meaning=(
            (
                "Commands that run at times, by names such as C(nightly-report), with the config and the "
                "packages of the release, see O(twelvefactor.deploy.release#module:schedules)."
            ),
            (
                'C(at) is a calendar expression of systemd in quotes (C("03:00"), C("Mon..Fri 08:30"), '
                'C("*:0/15") for every 15 minutes), C(command) a shell command, C(timeout) (3600) in seconds. '
                "C(hosts) is V(one) (the default) or V(all) hosts of the app. With C(overlap) V(forbid) no job "
                "starts beside one that still runs, and times that come meanwhile make one more when it has ended."
            ),
        ),
        readers=("app",),
        type="dict",
        default={},
        values=Setting(meaning=("A schedule.",), type="dict", options=SCHEDULE),
        key_pattern=SCHEDULE_NAME,
        key_form=(
            "words of lower-case letters and digits with - or _ between them, as in nightly-report; the last word after a - "
            "is not a number"
        ),
    ),
    "process_options": Setting(
        meaning=(
            (
                "Per process type how it is started and stopped, see "
                "O(twelvefactor.deploy.release#module:process_options)."
            ),
        ),
        readers=("app",),
        type="dict",
        default={},
        values=Setting(meaning=("Options of a type.",), type="dict", options=PROCESS_OPTIONS),
    ),
    "limits": Setting(
        meaning=(
            (
                "What all processes of the app together may take of a host. Options that are not given "
                "are those of C(circus_limits) of the role C(circus)."
            ),
        ),
        readers=("app",),
        type="dict",
        default={},
        options={
            "memory": Setting(
                meaning=(
                    (
                        "Memory in bytes (V(512M), V(4G)) or as a part of the host's (V(50%)). The "
                        "kernel ends a process that takes more. V(infinity) for no limit."
                    ),
                ),
                pattern=MEMORY,
                form=MEMORY_FORM,
            ),
            "tasks": Setting(meaning=("Processes and threads.",), type="int", minimum=1),
            "cpu_weight": Setting(
                meaning=("Share of a busy CPU, 1 to 10000. Other services of the host have 100.",),
                type="int",
                minimum=1,
                maximum=10_000,
            ),
            "shared_memory": Setting(
                meaning=("Size of the app's own C(/dev/shm). It counts as memory, too.",),
                pattern=BYTES,
                form=BYTES_FORM,
            ),
            "journal": Setting(
                meaning=("Disk space of the app's own journal, whose oldest entries go then.",),
                pattern=BYTES,
                form=BYTES_FORM,
            ),
        },
    ),
    "sandbox": Setting(
        meaning=(
            (
                "What all processes of the app may reach: those that serve, jobs, migrations and commands of "
                "operators."
            ),
        ),
        readers=("app",),
        type="dict",
        default={},
        options={
            "network": Setting(
                meaning=(
                    (
                        "V(false) for unix sockets only: no other host, and nothing that listens on a port of this "
                        "one (name servers, databases by TCP). A server of a process type with C(port) cannot start "
                        "then."
                    ),
                ),
                type="bool",
            ),
            "writable_paths": Setting(
                meaning=(
                    (
                        "Paths that the app may write to, beside C(/run/<app>), C(/var/lib/<app>), "
                        "C(/var/log/<app>) and those of C(circus_writable_paths) of the role C(circus). They must "
                        "exist and belong to its user."
                    ),
                ),
                type="list",
                elements="str",
                pattern=WRITABLE_PATH,
                form=WRITABLE_PATH_FORM,
            ),
        },
    ),
    "health_path": Setting(
        meaning=("Path that answers 2xx when the app works.",),
        readers=("app", "rollout"),
        default="/",
        pattern=r"/\S*",
        form="a path that begins with /, as in /healthz",
    ),
    "liveness": Setting(
        meaning=(
            (
                "When a web process counts as hung, so that another one takes its place, see "
                "O(twelvefactor.deploy.release#module:liveness)."
            ),
        ),
        readers=("app",),
        type="dict",
        default={},
        options={
            "interval": Setting(
                meaning=(
                    "Seconds from one health check to the next (2); V(0) to watch no process.",
                ),
                type="float",
            ),
            "failures": Setting(
                meaning=("How many in a row must have no answer (2).",), type="int"
            ),
            "timeout": Setting(meaning=("Seconds that an answer may take (5).",), type="float"),
        },
    ),
    "python": Setting(
        meaning=("The interpreter, as a path on the host.",),
        readers=("app",),
        type="path",
        default="/usr/bin/python3",
        pattern=r"/.+",
        form="an absolute path, as in /usr/bin/python3",
    ),
    "keep": Setting(
        meaning=("How many releases stay on the host.",),
        readers=("app",),
        type="int",
        default=5,
        minimum=0,
    ),
    **SITE_SETTINGS,
    "log_format": Setting(
        meaning=(
            (
                "V(text) for lines as the processes write them; V(json) for an object a line that also "
                "has the time, the process and the release, see "
                "O(twelvefactor.deploy.release#module:log_format)."
            ),
        ),
        readers=("app",),
        choices=("text", "json"),
        default="text",
    ),
    "log_destination": Setting(
        meaning=(
            (
                "V(file) for C(/var/log/<app>/); V(journal) for journald, where "
                "C(journalctl --namespace <app>) shows it, see "
                "O(twelvefactor.deploy.release#module:log_destination)."
            ),
        ),
        readers=("app",),
        choices=("file", "journal"),
        default="file",
    ),
    "log_days": Setting(
        meaning=("How many rotated logs stay, one a day.",),
        readers=("app",),
        type="int",
        default=14,
        minimum=0,
    ),
    "migrate_timeout": Setting(
        meaning=("Seconds that the process type V(release) may take.",),
        readers=("app", "rollout"),
        type="int",
        default=600,
        minimum=1,
    ),
    "migrate_lock_timeout": Setting(
        meaning=(
            (
                "Seconds that the process type V(release) may wait for a lock of PostgreSQL before it is "
                "tried again. As long as it waits, the app waits for that table, too. V(0) for no limit."
            ),
        ),
        readers=("app",),
        type="int",
        default=5,
        minimum=0,
    ),
    **PLAYBOOK_SETTINGS,
}
