#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: response_counts
short_description: Count an app's responses, its server errors and how long it took, in a range of time
version_added: "0.1.0"
description:
  - Reads nginx's access log of an app as the role P(twelvefactor.deploy.nginx#role) writes it, with the files that it
    was rotated into, and counts the requests that began and ended in a range of time. The role
    P(twelvefactor.deploy.rollout#role) judges a release by it.
  - Counts what the app was asked. What nginx answers itself, as files, redirects and refusals by its limits, is left out.
    A response 502 or 504 for an app that did not answer counts.
  - A server error is a response with a status of 500 or more.
  - Changes nothing.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.info_module
attributes:
  platform:
    platforms: debian
options:
  app:
    description: Name of the app. A host that has no log of it is no error.
    type: str
    required: true
  since:
    description: Begin of the range by the host's clock, in a form of O(twelvefactor.deploy.log_summary#module:since).
    type: str
    required: true
  until:
    description: End of the range, which is no part of it, in the same forms, or V(now).
    type: str
    default: now
  ignored_paths:
    description: Paths without a query that are not counted, whatever query a request has. For health checks.
    type: list
    elements: str
    default: []
  release:
    description:
      - Id of a release, to count only what it has answered, by the host's record of deploys and the time at which a
        request began. Near a switch the answer decides, if it says which release it is from.
    type: str
  timeout:
    description:
      - Seconds after which reading ends. What was counted until then is returned, and RV(incomplete) says what was not.
    type: float
    default: 20
"""

EXAMPLES = r"""
- name: Count the responses of the last minute
  twelvefactor.deploy.response_counts:
    app: shop
    since: 60s
    ignored_paths: [/healthz]
  register: responses

- name: Require that no request failed on this host
  ansible.builtin.assert:
    that: responses.server_errors == 0
"""

RETURN = r"""
requests:
  description: Number of requests.
  returned: success
  type: int
  sample: 412
server_errors:
  description: How many of them were answered with a status of 500 or more.
  returned: success
  type: int
  sample: 3
routes:
  description:
    - Number of server errors by route, of the 100 routes with the most. A route is a method and a path in which parts
      that differ from request to request are replaced.
  returned: success
  type: dict
  sample: {"GET /orders/{number}": 2, "POST /cart": 1}
route_requests:
  description: Number of requests of these routes, and of the 100 with the most requests.
  returned: success
  type: dict
  sample: {"GET /": 210, "GET /orders/{number}": 120, "POST /cart": 30}
latencies:
  description:
    - Number of responses without a server error by the time that the app took until it began to answer, WebSockets
      left out. The key is that of a bucket. Bucket V(n) has what took more than (1.02/0.98)^(n-1) and at most (1.02/0.98)^n
      milliseconds, V(-1) what took less than one.
  returned: success
  type: dict
  sample: {"57": 210, "58": 199}
incomplete:
  description: What was not read, and why, as sentences.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
import pathlib
import re
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.files import Deadline
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.responses import (
    count_responses,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.summary import (
    Limits,
    Places,
    Summary,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import (
    RangeError,
    parse_range,
)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
PLACES = Places(pathlib.Path("/var/log"), pathlib.Path("/var/log/nginx"), pathlib.Path("/srv"))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "since": {"type": "str", "required": True},
            "until": {"type": "str", "default": "now"},
            "ignored_paths": {"type": "list", "elements": "str", "default": []},
            "release": {"type": "str"},
            "timeout": {"type": "float", "default": 20},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    if not NAME.fullmatch(params["app"]):
        module.fail_json(
            msg=f"Invalid app name {params['app']!r}: use only lower-case letters, digits, '-' and '_'."
        )
    if params["timeout"] < 1:
        module.fail_json(msg=f"timeout has to be at least 1, and is {params['timeout']:g}.")
    try:
        wanted = parse_range(params["since"], params["until"], time.time())
    except RangeError as error:
        module.fail_json(msg=str(error))
    # whatever else the host has to do comes first
    os.nice(10)
    summary = Summary(wanted, PLACES, Limits(1, 1, 1), Deadline(params["timeout"]))
    found = count_responses(summary, params["app"], params["ignored_paths"], params["release"])
    module.exit_json(changed=False, **found.told(), incomplete=summary.incomplete)


if __name__ == "__main__":
    main()
