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

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Setting:
    """``meaning``: paragraphs in the markup of ansible-doc.

    ``readers``: the roles and playbooks that use it; nobody else may read it. ``rollout`` is what
    the playbooks deploy and rollback share, ``all`` every playbook that takes apps.
    """

    meaning: tuple[str, ...]
    readers: tuple[str, ...] = ()
    type: str = "str"
    elements: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    # None: without one, the setting is None
    default: Any = None
    # the default where it follows from the app's name
    from_name: Callable[[str], Any] | None = None
    # whether an empty value is as good as none
    empty_is_unset: bool = False
    # whether it may hold a secret, so that messages do not repeat it
    secret: bool = False
    # of a number
    minimum: float | None = None
    maximum: float | None = None
    # of a text, or of each text of a list: a regular expression for all of it, and what that means
    pattern: str = ""
    form: str = ""
    # keys of a dictionary, or of each dictionary of a list
    options: Mapping[str, Setting] = field(default_factory=dict)
    # what a dictionary has under whatever key, and a regular expression for those, and what that means
    values: Setting | None = None
    key_pattern: str = ""
    key_form: str = ""


TEXT = Setting(meaning=("Any text.",), default="")

HOOK = {
    "command": Setting(meaning=("Shell command, which runs as the app.",), required=True),
    "once": Setting(meaning=("Whether only the first host runs it.",), type="bool", default=False),
    "timeout": Setting(meaning=("Seconds that it may take.",), type="int", default=600, minimum=1),
}

SIZE = r"\d+[kKmMgG]?"
SIZE_FORM = "a size as nginx reads it, as in 10m"
DURATION = r"\d+(ms|[smhdwMy])?(\s*\d+(ms|[smhdwMy]))*"
DURATION_FORM = "a time as nginx reads it, as in 60s"
# of the role circus
BYTES = r"[1-9][0-9]*[KMGT]?"
BYTES_FORM = "bytes, as in 512M or 4G"
MEMORY = rf"{BYTES}|[1-9][0-9]?%|infinity"
MEMORY_FORM = "bytes (512M, 4G), a part of the host's memory (50%) or infinity"
DOMAIN = r"~.+|[^\s/]+"
DOMAIN_FORM = "a host's name without https:// and without a path, as in shop.example.org"
URL = r"https?://[^\s/]+\S*"
URL_FORM = "a URL, as in https://index.example.org"

# roles/circus/files/pivot/contract.py and _release.config have the same limits (tests/unit/test_contracts.py)
LONGEST = 86_400
LONGEST_STOP = 240


def seconds(meaning: str, default: float, maximum: int = LONGEST) -> Setting:
    return Setting(meaning=(meaning,), type="float", default=default, minimum=0, maximum=maximum)


PROCESS_OPTIONS: Mapping[str, Setting] = {
    "socket": Setting(
        meaning=("Whether it listens on a socket; by default the type V(web) only.",), type="bool"
    ),
    "port": Setting(
        meaning=(
            (
                "Whether its server knows TCP only and listens on 127.0.0.1 at the port in the environment variable "
                "E(PORT). By default the type V(web) only, if its command names C($PORT)."
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


DEBIAN_PACKAGE = r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?"
# _build/procfile.py has the same
PROCESS_TYPE = "(?!.*-[0-9]+$)[a-z][a-z0-9_]*(-[a-z0-9_]+)*"
PROCESS_TYPE_FORM = (
    "lower-case letters, digits and _, in words with - between them, as in celery-worker; the last word "
    "is no number"
)

# A calendar expression of systemd, see systemd.time(7), as far as to tell it from cron's and from prose; the
# host's systemd has the last word.
_PART = "[0-9*][0-9*.,/]*"
_DAY = "(Mon|mon|Tue|tue|Wed|wed|Thu|thu|Fri|fri|Sat|sat|Sun|sun)[a-z]*"
_DAYS = rf"{_DAY}((,|\.\.|-){_DAY})*"
_DATE = f"({_PART}-)?{_PART}[-~]{_PART}"
_TIME = f"{_PART}:{_PART}(:{_PART})?"
_WORD = "(minute|hour|month|week|year|quarter)ly|daily|(bi|semi-?)?annually"
_ZONE = "[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*"
CALENDAR = rf"({_WORD}|{_DAYS}( +{_DATE})?( +{_TIME})?|{_DATE}( +{_TIME})?|{_TIME})( +{_ZONE})?"
CALENDAR_FORM = (
    'a calendar expression of systemd in quotes, as in "03:00", "Mon..Fri 08:30" or "*:0/15" (every 15 '
    "minutes)"
)
# plugins/module_utils/_release/schedules.py has the same
SCHEDULE_NAME = "[a-z][a-z0-9]*([_-][a-z0-9]+)*"
LONGEST_JOB = 7 * 86_400

SCHEDULE: Mapping[str, Setting] = {
    "at": Setting(meaning=("When it runs.",), required=True, pattern=CALENDAR, form=CALENDAR_FORM),
    "command": Setting(meaning=("Shell command, which runs as the app.",), required=True),
    "timeout": Setting(
        meaning=("Seconds that it may take.",),
        type="int",
        default=3600,
        minimum=1,
        maximum=LONGEST_JOB,
    ),
    "hosts": Setting(
        meaning=("Whether one host runs it or all.",), choices=("one", "all"), default="one"
    ),
    "overlap": Setting(
        meaning=("What happens while the job before still runs.",),
        choices=("forbid",),
        default="forbid",
    ),
}


def hooks(moment: str) -> Setting:
    return Setting(
        meaning=(f"Commands {moment}.",), type="list", elements="dict", default=[], options=HOOK
    )


SETTINGS: Mapping[str, Setting] = {
    "version": Setting(
        meaning=(
            (
                "Version of the build to deploy. In quotes where it looks like a number: 1.10 is 1.1 "
                "in YAML."
            ),
        ),
        readers=("app", "rollout", "publish"),
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
        readers=("app", "rollout"),
        type="dict",
        default={},
        values=TEXT,
        secret=True,
    ),
    "formation": Setting(
        meaning=("How many processes of each type run. Types that are not named have none.",),
        readers=("app", "proxy", "rollout", "scale"),
        type="dict",
        default={"web": 1},
        values=Setting(meaning=("How many.",), type="int", default=0, minimum=0),
    ),
    "schedule": Setting(
        meaning=(
            (
                "Commands that run at times, by names such as C(nightly-report), with the config and the "
                "packages of the release, see O(twelvefactor.deploy.release#module:schedules)."
            ),
            (
                'C(at) is a calendar expression of systemd in quotes (C("03:00"), C("Mon..Fri 08:30"), '
                'C("*:0/15") for every 15 minutes), C(command) a shell command, C(timeout) (3600) in seconds. '
                "C(hosts) is V(one) (the default) or V(all) hosts of the app. With C(overlap) V(forbid) a time "
                "that comes while the job before still runs is skipped."
            ),
        ),
        readers=("app",),
        type="dict",
        default={},
        values=Setting(meaning=("A schedule.",), type="dict", options=SCHEDULE),
        key_pattern=SCHEDULE_NAME,
        key_form="words of lower-case letters and digits with - or _ between them, as in nightly-report",
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
    "health_path": Setting(
        meaning=("Path that answers 2xx when the app works.",),
        readers=("app",),
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
    "domains": Setting(
        meaning=(
            (
                "Names that the app answers to. The app's name where none are given. The first one "
                "is the Host of health checks."
            ),
        ),
        readers=("app", "proxy"),
        type="list",
        elements="str",
        from_name=lambda app: [app],
        empty_is_unset=True,
        pattern=DOMAIN,
        form=DOMAIN_FORM,
    ),
    "nginx": Setting(
        meaning=("Whether nginx on this host serves the app. A switch is proven through it.",),
        readers=("app", "proxy", "rollout"),
        type="bool",
        default=True,
    ),
    "certificate": Setting(
        meaning=("Certificate with its chain, PEM. Empty for one that the host signs itself.",),
        readers=("app", "proxy"),
        default="",
    ),
    "certificate_key": Setting(
        meaning=("Private key of the certificate, PEM.",),
        readers=("app", "proxy"),
        default="",
        secret=True,
    ),
    "client_max_body_size": Setting(
        meaning=("Largest body of a request.",),
        readers=("app", "proxy"),
        default="10m",
        pattern=SIZE,
        form=SIZE_FORM,
    ),
    "read_timeout": Setting(
        meaning=("How long the app may be silent before nginx gives up on a request.",),
        readers=("app", "proxy"),
        default="60s",
        pattern=DURATION,
        form=DURATION_FORM,
    ),
    "nginx_snippet": Setting(
        meaning=("Directives for the app's server in nginx.",), readers=("app",), default=""
    ),
    "nginx_site": Setting(
        meaning=(
            (
                "Further settings of the app's site in nginx (limits, cache, locations, headers, …), "
                "as an entry of C(nginx_sites) of the role C(nginx)."
            ),
        ),
        readers=("app", "proxy"),
        type="dict",
        default={},
    ),
    "static_files": Setting(
        meaning=(
            (
                "What nginx serves itself. Names of directories, below the site's root, to "
                "directories of a release, see "
                "O(twelvefactor.deploy.static_files#module:directories)."
            ),
            (
                "For example, C(shop/static) under the name C(static) is the directory C(static) of "
                "the package C(shop), served as C(/static/). Files of all installed releases are "
                "served, before, during and after a switch."
            ),
        ),
        readers=("app", "proxy"),
        type="dict",
        default={},
        values=TEXT,
    ),
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
    "migrate_hosts": Setting(
        meaning=(
            (
                "The hosts that run the process type V(release), one for each database. Empty for the "
                "first host of the app."
            ),
        ),
        readers=("rollout",),
        type="list",
        elements="str",
        default=[],
    ),
    "hooks": Setting(
        meaning=(
            "Commands of the app at five moments of a deploy.",
            (
                "C(command) runs as the app with the config of the new release; at V(before_install) "
                "and V(on_failure) with that of the one that serves. C(once) (default V(false)) runs "
                "it on the first host only. C(timeout) (default 600) is in seconds."
            ),
        ),
        readers=("rollout",),
        type="dict",
        options={
            "before_install": hooks("before the release is installed"),
            "before_switch": hooks("before the release serves"),
            "after_switch": hooks("on each host once the release serves there"),
            "after_deploy": hooks("once every host serves the release"),
            "on_failure": hooks("after the deploy has failed"),
        },
    ),
    "sentry": Setting(
        meaning=(
            (
                "Where deploys are announced, variables of the role P(twelvefactor.deploy.sentry#role) "
                "without C(sentry_). Without this key, nowhere."
            ),
        ),
        readers=("rollout",),
        type="dict",
        options={
            "dsn": Setting(
                meaning=("DSN of the project. Empty for C(SENTRY_DSN) in C(env).",),
                default="",
                secret=True,
            ),
            "api": Setting(
                meaning=("Kind of server.",), choices=("bugsink", "sentry"), default="bugsink"
            ),
            "url": Setting(
                meaning=("Root of the server's interface. Empty for that of the DSN.",), default=""
            ),
            "token": Setting(
                meaning=("Token that is allowed to announce releases.",), default="", secret=True
            ),
            "organization": Setting(
                meaning=("Name of the organization in the URLs of Sentry.",), default=""
            ),
            "project": Setting(meaning=("Name of the project in the URLs of Sentry.",), default=""),
            "ca_path": Setting(
                meaning=(
                    (
                        "File with the CA certificates to trust, PEM, relative to the inventory. "
                        "Empty for those that the host trusts."
                    ),
                ),
                default="",
            ),
            "timeout": Setting(
                meaning=("Seconds that one request may take.",),
                type="int",
                default=10,
                minimum=1,
            ),
            "told_from": Setting(
                meaning=("Host that sends the announcement.",), default="localhost"
            ),
        },
    ),
    "proxy_site": Setting(
        meaning=(
            (
                "Further settings of the app's site on the load balancers, as an entry of "
                "C(nginx_sites) of the role C(nginx)."
            ),
        ),
        readers=("proxy",),
        type="dict",
        default={},
    ),
    "hosts": Setting(
        meaning=("The group whose hosts run the app, or the one host.",),
        readers=("all",),
        default="app",
        empty_is_unset=True,
    ),
    "index_url": Setting(
        meaning=(
            (
                "Simple pages of the app's own index, instead of the company's. Empty for the public "
                "index."
            ),
        ),
        readers=("platform", "rollout"),
        pattern=URL,
        form=URL_FORM,
    ),
    "source": Setting(
        meaning=(
            (
                "Directory that C(publish) builds, relative to the inventory. Nobody but the company "
                "uploads the package of an app that has one."
            ),
        ),
        readers=("index", "publish"),
        type="path",
    ),
    "build_command": Setting(
        meaning=(
            "Shell command that C(publish) runs before it builds, as in C(npm ci && npm run build).",
        ),
        readers=("publish",),
        default="",
    ),
    "build_environment": Setting(
        meaning=("Variables of the build.",),
        readers=("publish",),
        type="dict",
        default={},
        values=TEXT,
        secret=True,
    ),
    "version_variable": Setting(
        meaning=("Name of the variable that the build takes its version from.",),
        readers=("publish",),
    ),
}
