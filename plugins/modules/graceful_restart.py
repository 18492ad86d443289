#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: graceful_restart
short_description: Restart an app's supervisor with new settings without losing a request
version_added: "0.1.0"
description:
  - Restarts C(circus@<app>) if it runs with older settings than the host has, that is if its configuration,
    its unit, Circus or the pivot was changed after it was started.
  - For the time of the restart a bridge serves, a second circusd with the new settings, the same user, sandbox
    and limits, in a unit of its own. It starts the processes that listen on a socket, from the release that
    C(current) names. When they have proven themselves the supervisor is restarted. Each process that it stops
    hands its socket's name to the bridge and ends once its connections have. Each that it starts takes the name
    back when its health check passes. When all of them serve, the bridge ends in the same way.
  - Where a process does not start in the bridge, nothing is restarted and the module fails with the reason. Where
    one does not come back after the restart, the module fails and the bridge goes on.
  - A bridge that an interrupted run has left is ended as soon as the supervisor serves.
  - Where another run holds the deploy lock of the app, nothing is restarted and the module fails.
  - Processes without a socket, and those with C(overlap=false), run only once, and are restarted without a bridge.
    So are those that do not serve.
  - Meanwhile the host holds the processes that listen twice, in two units, each with the memory limit of the app.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.fenced
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    description:
      - Shows which settings are newer than the supervisor.
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  app:
    description: Name of the app.
    type: str
    required: true
  expected:
    description:
      - Whether this run has changed a setting of the supervisor. In check mode nothing is written that would be newer
        than the supervisor, so that this says it.
    type: bool
    default: false
seealso:
  - module: twelvefactor.deploy.graceful_reload
"""

EXAMPLES = r"""
- name: Let the supervisor of an app have its new settings
  twelvefactor.deploy.graceful_restart:
    app: shop
"""

RETURN = r"""
outdated:
  description: Settings that were newer than the supervisor.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/circus@shop.service]
bridged:
  description: Processes for which a bridge serves, or served, during the restart.
  returned: success
  type: list
  elements: str
  sample: [web-1, web-2]
"""

import contextlib
import dataclasses
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.fence import (
    changing,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    unchanged,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.hand_over import (
    NOTHING,
    HandOver,
    Situation,
    carry_out,
    decide,
    inspect,
    require_no_deploy,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "required": True},
    "lock_generation": {"type": "int"},
    "expected": {"type": "bool", "default": False},
}


FORETOLD = "settings that this run would write"


def result(seen: Situation, plan: HandOver) -> dict[str, Any]:
    lines = "".join(f"newer than the supervisor: {path}\n" for path in seen.outdated)
    changed = plan.action != NOTHING
    return {
        "changed": changed,
        "outdated": list(seen.outdated),
        "bridged": list(plan.names),
        "diff": {"before": lines, "after": "" if changed else lines},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    app, begun = module.params["app"], False
    try:
        if os.geteuid() != 0:
            raise DeployError("Restarting a supervisor takes root; run it with become: true.")
        supervisor = Supervisor.of(app, predicted=module.check_mode)
        generation = None if module.check_mode else module.params["lock_generation"]
        # Only that: the pivots take a lock of the app's directory for a deploy, and would start a release
        # that none has proven.
        with changing(app, generation) if supervisor.home.exists else contextlib.nullcontext():
            seen = inspect(supervisor)
            if module.check_mode and module.params["expected"] and seen.active:
                seen = dataclasses.replace(seen, outdated=(*seen.outdated, FORETOLD))
            plan = decide(app, seen)
            if plan.action != NOTHING and not module.check_mode:
                if generation is None:
                    require_no_deploy(app)
                begun = True
                carry_out(supervisor, plan, seen.outdated)  # the only writes
    except (DeployError, OSError, ValueError) as error:
        problem = (
            str(error) if isinstance(error, DeployError) else f"Could not restart {app}: {error}."
        )
        module.fail_json(msg=problem if begun else unchanged(problem))
    if plan.warning:
        module.warn(plan.warning)
    module.exit_json(**result(seen, plan))


if __name__ == "__main__":
    main()
