# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules for Sentry and bugsink reach a server."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  dsn:
    description:
      - Where the app sends its errors, its E(SENTRY_DSN).
    type: str
    required: true
  api:
    description:
      - What kind of server it is. V(bugsink) has releases and no deploys.
    type: str
    choices: [bugsink, sentry]
    default: bugsink
  url:
    description:
      - Root of the server's interface, without C(/api). That of O(dsn) if this is not given; for
        Sentry as a service it is another one, V(https://sentry.io).
      - A redirect is not followed, so that a token does not go where it should not.
    type: str
  token:
    description:
      - What allows to register releases (C(releases:create), for Sentry C(project:releases)) and to read
        events (C(events:read), C(issues:read), for Sentry C(event:read)).
    type: str
  organization:
    description:
      - Name of the organization in the URLs of Sentry. Required with O(api=sentry).
    type: str
  project:
    description:
      - Name of the project in the URLs of Sentry. Required with O(api=sentry).
      - With O(api=bugsink) its number, that of O(dsn) if this is not given.
    type: str
  ca_path:
    description:
      - File with the CA certificates to trust, in PEM format.
      - The trust store of the system is used if this is not given.
    type: path
  timeout:
    description:
      - Seconds that one request may take.
    type: int
    default: 10
notes:
  - Needs nothing but Python's standard library, on the host that the task runs on. Proxies from the
    environment are used.
  - The dialect of Sentry follows its documentation and was not tried on one. That of bugsink was, 2.6.
"""
