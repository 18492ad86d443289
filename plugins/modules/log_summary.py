#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_summary
short_description: Summarise the logs of a host's apps
version_added: "0.1.0"
description:
  - Reads nginx's access log of each app as the role P(twelvefactor.deploy.nginx#role) writes it, the
    apps' own logs and nginx's error log, with the files that they were rotated into, compressed or
    not, and what the apps and the jobs of their schedules wrote to journald, and counts what lies in a range of time.
  - Reads as a stream. Memory and the size of the result are bounded whatever the logs hold.
    The rarest routes and messages are put together as V((other)) when there are too many.
  - What it returns can be added up over hosts; P(twelvefactor.deploy.log_document#filter) does that.
  - Changes nothing.
notes:
  - The release that handled a request is that of the header C(X-Release-Id) of the app's
    response. Without that header, it is the one that served when the request began, by the record
    of the host. That is sure but for a few seconds around a switch.
  - Lines of an app's log count by the time that they have in them, in the zone of the host when they
    name no other. A line without a time lies between its neighbours that have one. It is left out
    when it cannot be from the range, and otherwise counted, and counted as undated when it need not
    be. A traceback is one event with the line before it.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.info_module
attributes:
  platform:
    platforms: debian
options:
  apps:
    description: Names of the apps. A host that has none of the logs of one is no error.
    type: list
    elements: str
    required: true
  since:
    description:
      - Begin of the range, as V(2026-01-02T03:04:05Z) (UTC where no zone is given), V(2026-01-02),
        or how long ago, as in V(90m) (units V(s), V(m), V(h), V(d), V(w)).
    type: str
    default: 1h
  until:
    description: End of the range, which is no part of it, in the same forms, or V(now).
    type: str
    default: now
  routes:
    description: How many routes of an app are counted apart.
    type: int
    default: 200
  messages:
    description: How many different errors of an app are counted apart, and as many warnings.
    type: int
    default: 100
  slowest:
    description: How many of an app's slowest requests are returned.
    type: int
    default: 10
  timeout:
    description:
      - Seconds after which reading ends. What was counted until then is returned, and
        RV(incomplete) says what was not.
      - Each app has an equal share of what is left when it is its turn, so that none can take the
        time of the others.
    type: float
    default: 120
"""

EXAMPLES = r"""
- name: Count the errors of the last two hours
  twelvefactor.deploy.log_summary:
    apps: [shop]
    since: 2h
  register: logs

- name: Require that no request failed on this host
  ansible.builtin.assert:
    that: logs.apps.shop.requests.statuses | select('match', '5') | length == 0
"""

RETURN = r"""
since:
  description: Begin of the range, in UTC.
  returned: success
  type: str
  sample: "2026-01-02T03:00:00Z"
until:
  description: End of the range, in UTC.
  returned: success
  type: str
  sample: "2026-01-02T05:00:00Z"
apps:
  description:
    - Per app its C(requests); the same per C(routes) and per C(releases), where V(unknown) is what
      the record does not know and V((nginx)) what nginx responded without the app; the same per
      C(stretches), from one deploy or rollback of the record to the next, named by its time there
      (nothing before the first) and the release; C(timeline), per start of a step, in seconds since
      the epoch, the number of responses by status; C(slowest) requests; C(events), its errors and warnings; C(known_by), how the releases are known;
      C(lines), how many were read, and C(unreadable), how many are not in the format of the role.
    - Latencies are numbers of requests per bucket. Bucket C(n) holds those above C(g**(n-1)) and up
      to C(g**n) milliseconds, where C(g) is 1.02/0.98, and V(-1) those below one. A percentile made
      from them is off by 2 % at most.
  returned: success
  type: dict
  sample:
    shop:
      requests:
        requests: 2
        bytes: 731
        statuses: {"200": 1, "500": 1}
        timed: 2
        milliseconds: 19
        longest: 12
        latencies: {"49": 1, "63": 1}
      known_by: {"header": 0, "record": 2, "near_switch": 0, "unknown": 0}
nginx:
  description: Errors and warnings of nginx that name none of the apps.
  returned: success
  type: list
  elements: dict
  sample: []
step:
  description: Length of a step of the timelines in seconds.
  returned: success
  type: int
  sample: 120
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
            "apps": {"type": "list", "elements": "str", "required": True},
            "since": {"type": "str", "default": "1h"},
            "until": {"type": "str", "default": "now"},
            "routes": {"type": "int", "default": 200},
            "messages": {"type": "int", "default": 100},
            "slowest": {"type": "int", "default": 10},
            "timeout": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    wrong = [name for name in params["apps"] if not NAME.fullmatch(name)]
    if wrong:
        module.fail_json(
            msg=f"Invalid app name {wrong[0]!r}: use only lower-case letters, digits, '-' and '_'."
        )
    low = [name for name in ("routes", "messages", "slowest", "timeout") if params[name] < 1]
    if low:
        module.fail_json(msg=f"{low[0]} has to be at least 1, and is {params[low[0]]:g}.")
    try:
        wanted = parse_range(params["since"], params["until"], time.time())
    except RangeError as error:
        module.fail_json(msg=str(error))
    # whatever else the host has to do comes first
    os.nice(10)
    summary = Summary(
        wanted,
        PLACES,
        Limits(params["routes"], params["messages"], params["slowest"]),
        Deadline(params["timeout"]),
    )
    module.exit_json(changed=False, **summary.of(params["apps"]))


if __name__ == "__main__":
    main()
