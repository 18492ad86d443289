#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: graceful_reload
short_description: Switch an app to an installed release without losing a request
version_added: "0.1.0"
description:
  - Points C(/srv/<app>/current) at the release, starts the processes that only its formation has,
    and when these have been verified signals the pivot of every other process to switch. Each
    starts the release next to the old one and checks its health on its own socket. When the
    last of them is ready, all switch, wait for the old connections to end and stop the old
    processes.
  - Succeeds when every process of the formation runs the release, as its pivot reports and the
    environment of the process in C(/proc) shows, and nginx on this host passes a request to it.
  - If one fails, all go back to the release that served before, and the module fails
    with the reason, the health check's response and the last lines that the process wrote.
  - Nothing is changed where the release's files are not those that its packages record, or where it was
    made with another Python than the host has now, as before an upgrade of Debian.
  - The result is appended to C(/srv/<app>/releases.jsonl), which determines what a rollback goes back to.
  - The timers of the release's schedules, C(schedule-<app>@<name>.timer), are set last, when it has proven itself. A
    job whose time comes meanwhile waits for the end of the switch and then runs with what serves. One that runs
    already goes on with its release.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.fenced
attributes:
  check_mode:
    support: full
    details: A release that is not installed yet is assumed to work.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  app:
    description: Name of the app.
    type: str
    required: true
  release:
    description:
      - Id of an installed release, as M(twelvefactor.deploy.release) returns it.
      - V(previous) is the last good release before the one that serves, by the record. Asking for
        it twice goes two back.
    type: str
    required: true
  formation:
    description:
      - How many processes of each type run.
      - Without it, the formation with which the release served last, else the one that serves now,
        else one V(web).
    type: dict
  probe_url:
    description:
      - URL to request from nginx on this host, at 127.0.0.1 whatever its name resolves to, once
        every process runs the release, for example V(https://shop.example.org/). The path is that of
        the release's health check, where it has one.
      - Any status but 2xx, 3xx, 401 and 403 is a failure. Without it, no request is sent to nginx.
    type: str
  probe_type:
    description:
      - Process type to which nginx passes a request for O(probe_url). Without a process of it, or while the site passes C(/) to another type, no request is sent.
    type: str
    default: web
  event:
    description:
      - Kind of change, for the record. After a V(deploy), V(previous) is the release that served
        before; after a V(rollback), it is the release before its target. A
        V(scale) changes the formation only.
      - O(release=previous) is always a V(rollback).
    type: str
    choices: [deploy, rollback, scale]
    default: deploy
  by:
    description: User and host that run this, for the record.
    type: str
  commit:
    description:
      - Commit that the release was built from, for the record. Without it, the one that
        M(twelvefactor.deploy.build) wrote into the wheel.
    type: str
  reason:
    description: Why a release is put back, or goes live unjudged, for the record. Only its first line is kept, without output of programs.
    type: str
    version_added: "0.1.0"
  clean:
    description:
      - For an app that was compromised. Ends everything that runs as its user on this host first, in
        its unit or not, and removes what it left in C(/run/<app>), its crontab and at jobs and its
        lingering. Requests fail meanwhile.
      - If the release does not serve then, nothing does. What served before does not come back.
      - The app's data in C(/var/lib/<app>) and C(/var/log/<app>) stays, and so do its secrets.
    type: bool
    default: false
    version_added: "0.1.0"
  schedule_host:
    description:
      - Whether this host runs the schedules of which one host of the app is enough. Those for all hosts run in any
        case. See O(twelvefactor.deploy.release#module:schedules).
    type: bool
    default: true
    version_added: "0.1.0"
  leave_listening:
    description:
      - Whether processes that listen go on with their release where the formation has none of their type any more.
        Requests for the paths of that type would fail until nginx passes them to another one. The module ends
        these processes when it is called once more, for the same release, without this option.
      - It has no effect with O(clean).
    type: bool
    default: false
    version_added: "0.1.0"
  timeout:
    description:
      - Timeout of the whole switch in seconds. The default follows from the timeouts of the release.
    type: float
"""

EXAMPLES = r"""
- name: Make the release that was just installed serve
  twelvefactor.deploy.graceful_reload:
    app: shop
    release: "{{ installed.release }}"
    formation:
      web: 1
      worker: 2

- name: Go back to the last good release
  twelvefactor.deploy.graceful_reload:
    app: shop
    release: previous
"""

RETURN = r"""
release:
  description: Id of the release that serves now; in check mode, that would.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
previous:
  description: Id of the release that served before.
  returned: success
  type: str
  sample: 1.3.2-90b1c2d3
formation:
  description: How many processes of each type run.
  returned: success
  type: dict
  sample: {"web": 1, "worker": 2}
previous_formation:
  description: How many processes of each type ran before.
  returned: success
  type: dict
  sample: {"web": 1, "worker": 1}
listening:
  description: How many processes listen on a socket, by type. In check mode, all that run of a release to be installed.
  returned: success
  type: dict
  sample: {"web": 1}
previous_listening:
  description: How many listened before.
  returned: success
  type: dict
  sample: {"web": 1}
left:
  description: With O(leave_listening), processes that are to end when nginx passes nothing to them any more.
  returned: success
  type: list
  elements: str
  sample: [api-1, api-2]
processes:
  description:
    - Per process its release, generation and pid, and of its last move the seconds of each step
      and the number of connections that the drain timeout closed.
  returned: success and not in check mode
  type: dict
  sample:
    web-1:
      release: 1.4.0-3f2a9c01
      generation: 7
      pid: 4711
      seconds: {"gate": 0.31, "switch": 0.001, "drain": 2.0, "stop": 0.25, "total": 2.57}
      stragglers: 0
seconds:
  description: Duration of the switch in seconds.
  returned: success and not in check mode
  type: float
  sample: 3.1
removed:
  description: With O(clean), files outside the app's own directories that would have started it again.
  returned: when something was to be done and not in check mode
  type: list
  elements: str
  sample: [/var/spool/cron/crontabs/shop]
reason:
  description: Why the release does not serve.
  returned: failure of a release
  type: str
  sample: web-1 ended with exit code 3 while starting
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
    unchanged,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.outcome import (
    Outcome,
    served,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch import (
    Switch,
    plan_switch,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch_plan import (
    SwitchRequest,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "required": True},
    "release": {"type": "str", "required": True},
    "formation": {"type": "dict"},
    "probe_url": {"type": "str"},
    "probe_type": {"type": "str", "default": "web"},
    "event": {"type": "str", "choices": ["deploy", "rollback", "scale"], "default": "deploy"},
    "by": {"type": "str"},
    "commit": {"type": "str"},
    "reason": {"type": "str"},
    "clean": {"type": "bool", "default": False},
    "schedule_host": {"type": "bool", "default": True},
    "leave_listening": {"type": "bool", "default": False},
    "timeout": {"type": "float"},
    "lock_generation": {"type": "int"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    app, outcome, begun = module.params["app"], Outcome({}), False
    try:
        if os.geteuid() != 0:
            raise DeployError(
                "Switching a release changes files of root; run it with become: true."
            )
        request = SwitchRequest.from_params(module.params)
        supervisor = Supervisor.of(app, predicted=module.check_mode)
        generation = None if module.check_mode else module.params["lock_generation"]
        with supervisor.home.locked(generation):
            plan = plan_switch(supervisor, request, predicted=module.check_mode)
            if plan.needed and not module.check_mode:
                begun = True
                outcome = Switch(supervisor, plan).run()  # the only writes
            elif not module.check_mode:
                outcome = served(supervisor, plan)
    except DeployError as error:
        module.fail_json(msg=str(error) if begun else unchanged(error))
    except OSError as error:
        problem = printable(f"Could not switch {app}: {error}.")
        module.fail_json(msg=problem if begun else unchanged(problem))
    if outcome.problem:
        module.fail_json(msg=outcome.problem, **outcome.facts)
    module.exit_json(**plan.result(), **outcome.facts)


if __name__ == "__main__":
    main()
