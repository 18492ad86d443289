# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate authorities a package index is verified with."""

from __future__ import annotations

import pathlib
import urllib.parse

SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
# HOST.pem for each index that has a CA of its own; the playbook platform writes it. Such a CA has no place in
# the host's trust store: whoever has its key could take the part of every server, for every app of the host.
OF_INDEXES = pathlib.Path("/etc/twelvefactor/ca")


def authorities_of(url: str | None, given: str | None) -> str:
    """The path of the PEM file: the one that was given, or that of the index's host, or the host's trust store.

    ``url`` is the URL of the index, None for an index that nobody named.
    """
    if given:
        return given
    try:
        host = urllib.parse.urlsplit(url or "").hostname
    except ValueError:  # whoever uses the URL says so
        host = None
    own = OF_INDEXES / f"{host}.pem"
    return str(own) if host and own.exists() else SYSTEM
