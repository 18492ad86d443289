# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the controller's environment code of a build may see. Pure."""

from __future__ import annotations

import fnmatch
import pathlib
from collections.abc import Mapping

# Says where packages come from; that is for index_url to say, for every program that asks.
SOURCES = (
    *("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL"),
    *("UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX", "UV_INDEX_URL", "UV_INDEX_STRATEGY"),
)
# What build commands and build backends inherit. Their code is that of packages which nobody has examined,
# while the environment of a controller leads to its keys: an SSH agent, the vault's password, cloud accounts.
INHERITED = (
    *("PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "SOURCE_DATE_EPOCH"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("UV_*", "PIP_*"),
)
NEVER = ("UV_PUBLISH_*", "PIP_CLIENT_CERT", "PIP_KEYRING_PROVIDER")
LOGINS = ("UV_INDEX_*_USERNAME", "UV_INDEX_*_PASSWORD")


def is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def isolated(
    controller: Mapping[str, str], home: pathlib.Path, own_sources: bool
) -> dict[str, str]:
    """The environment of a build. ``own_sources``: an index was given, those of the controller do not count.

    HOME is a directory of the build. Packages that uv has downloaded stay in the user's cache.
    """
    refused = NEVER + (SOURCES + LOGINS if own_sources else ())
    kept = {
        name: value
        for name, value in controller.items()
        if is_one_of(name, INHERITED) and not is_one_of(name, refused)
    }
    found = {"HOME": str(home)}
    user = controller.get("HOME")
    if user:
        cache = controller.get("XDG_CACHE_HOME") or f"{user}/.cache"
        config = controller.get("XDG_CONFIG_HOME") or f"{user}/.config"
        found["UV_CACHE_DIR"] = f"{cache}/uv"
        if not own_sources and pathlib.Path(config, "uv", "uv.toml").is_file():
            found["UV_CONFIG_FILE"] = f"{config}/uv/uv.toml"
    return found | kept
