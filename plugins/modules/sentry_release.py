#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Announce a release and its deploy to a server that collects errors."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sentry_release
short_description: Announce a release and its deploy to Sentry or Bugsink
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Announces a deployed release to the server that collects an app's errors, so that the server can show which
    errors are new in it.
  - A release that already exists on the server, for example because of an event, is not changed.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy.sentry
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - A deploy is announced again if O(finished) differs, and always without O(finished).
  platform:
    platforms: posix
options:
  release:
    description:
      - Name of the release, the E(SENTRY_RELEASE) of the app's events.
    type: str
    required: true
  environment:
    description:
      - Environment of the deploy, the E(SENTRY_ENVIRONMENT) of the app's events. For Sentry only.
    type: str
    default: production
  started:
    description:
      - When the deploy began, in seconds since the epoch. O(finished) if this is not given.
    type: float
  finished:
    description:
      - When the deploy finished, in seconds since the epoch. Now if this is not given.
    type: float
  deploy_url:
    description:
      - URL of a page about the deploy. For Sentry only.
    type: str
    default: ""
seealso:
  - module: twelvefactor.deploy.sentry_event
"""

EXAMPLES = r"""
- name: Announce the release to Bugsink
  twelvefactor.deploy.sentry_release:
    dsn: "{{ vault_shop_dsn }}"
    token: "{{ vault_shop_token }}"
    release: shop@20261123T120000Z-1.5.0
  delegate_to: localhost

- name: Announce the release and its deploy to Sentry
  twelvefactor.deploy.sentry_release:
    dsn: "{{ vault_shop_dsn }}"
    api: sentry
    url: https://sentry.io
    organization: example
    project: shop
    token: "{{ vault_sentry_token }}"
    release: shop@20261123T120000Z-1.5.0
    environment: production
  delegate_to: localhost
"""

RETURN = r"""
created:
  description: Whether the release was created on the server.
  returned: success
  type: bool
  sample: true
deployed:
  description: Whether the deploy was announced. Always V(false) for a server without deploys.
  returned: success
  type: bool
  sample: false
url:
  description: URL of the server.
  returned: success
  type: str
  sample: https://errors.example.org
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.connection import (
    CONNECTION,
    connection_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import (
    Deploy,
    iso,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.releases import (
    check_release,
    tell,
)

ARGUMENTS: dict[str, dict[str, Any]] = CONNECTION | {
    "release": {"type": "str", "required": True},
    "environment": {"type": "str", "default": "production"},
    "started": {"type": "float"},
    "finished": {"type": "float"},
    "deploy_url": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    finished = time.time() if params["finished"] is None else params["finished"]
    try:
        deploy = Deploy(
            release=check_release(params["release"]),
            environment=params["environment"],
            started=finished if params["started"] is None else params["started"],
            finished=finished,
            url=params["deploy_url"],
        )
        connection = connection_from(params)
        told = tell(connection, deploy, only_foresee=module.check_mode)
    except ReadableError as error:
        module.fail_json(msg=str(error))
    result: dict[str, Any] = {
        "changed": told.created or told.deployed,
        "created": told.created,
        "deployed": told.deployed,
        "url": connection.receiver.url,
    }
    if module._diff:  # the documented flag of AnsibleModule, in spite of its name
        lines = [f"release: {deploy.release}\n"] * told.created
        lines += [f"deploy: {deploy.environment}, {iso(deploy.finished)}\n"] * told.deployed
        result["diff"] = {"before": "", "after": "".join(lines)}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
