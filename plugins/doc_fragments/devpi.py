# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the devpi modules reach a server."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Root of the devpi server, without an index, or C(unix:) and the absolute path of the socket that it
        listens on.
      - By default the socket of the role P(twelvefactor.deploy.devpi#role), to which only root can connect, besides
        devpi and nginx. The task has to run on the host of the index, as root.
      - Redirects are not followed, so that neither the password nor an upload is sent to another server.
        Proxies from the environment are used, though never for a loopback address or a socket.
    type: str
    default: unix:/run/devpi/devpi.sock
  login_user:
    description:
      - Who logs in to the server.
    type: str
    default: root
  login_password:
    description:
      - Password of O(login_user), or a token of M(twelvefactor.deploy.devpi_token).
    type: str
    required: true
  ca_path:
    description:
      - File with the CA certificates to trust for an https O(url), in PEM format.
      - The trust store of the system is used if this is not given.
    type: path
  timeout:
    description:
      - Seconds that one request may take. An upload has one more second for every 256 KiB.
    type: int
    default: 30
notes:
  - Uses the REST API of devpi-server 6 with only Python's standard library, from the
    host that the task runs on.
  - The module logs in before it does anything, in check mode too.
"""
