# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in to a package index: a user and a password in its URL, or in a netrc file."""

from __future__ import annotations

import netrc
import urllib.parse

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError


def with_login(url: str, user: str, password: str) -> str:
    """``url`` with a login in it; one that has a login already, or is no URL, stays as it is."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # whoever uses the URL says so
        return url
    if not parts.hostname or "@" in parts.netloc:
        return url
    login = ":".join(urllib.parse.quote(word, safe="") for word in (user, password))
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def with_login_of_host(url: str | None, path: str) -> str | None:
    """``url`` with the login that the netrc file at ``path`` has for its host.

    As it is without such a file, or where the file has nothing for that host. An entry ``default``
    does not count: a password must not go to a host that nobody named. Raises DeployError, which
    quotes nothing of the file.
    """
    if not url:
        return url
    try:
        hosts = netrc.netrc(path).hosts
        host = urllib.parse.urlsplit(url).hostname or ""
    except FileNotFoundError:
        return url
    except PermissionError:
        raise DeployError(
            f"{path}, with the login of the index, cannot be read; use become: true."
        ) from None
    except (netrc.NetrcParseError, UnicodeDecodeError):
        raise DeployError(
            f"{path} is not a netrc file: it has lines `machine HOST login USER password PASSWORD`."
        ) from None
    except ValueError:  # of the URL: whoever uses it says so
        return url
    if host not in hosts or host == "default":
        return url
    user, _account, password = hosts[host]
    return with_login(url, user, password)
