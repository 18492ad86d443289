# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of an app that the playbooks read and no role does. Part of the specification."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import (
    TEXT,
    URL,
    URL_FORM,
    Setting,
)

HOOK = {
    "command": Setting(meaning=("Shell command, which runs as the app.",), required=True),
    "once": Setting(meaning=("Whether only the first host runs it.",), type="bool", default=False),
    "timeout": Setting(meaning=("Seconds that it may take.",), type="int", default=600, minimum=1),
}


def hooks(moment: str) -> Setting:
    return Setting(
        meaning=(f"Commands {moment}.",), type="list", elements="dict", default=[], options=HOOK
    )


PLAYBOOK_SETTINGS: Mapping[str, Setting] = {
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
