# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of an app that say how nginx serves it. Part of the specification."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.definition import (
    DOMAIN,
    DOMAIN_FORM,
    DURATION,
    DURATION_FORM,
    SIZE,
    SIZE_FORM,
    TEXT,
    Setting,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.media import MEDIA

SITE_SETTINGS: Mapping[str, Setting] = {
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
    "media": MEDIA,
}
