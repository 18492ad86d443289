#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Report an app's releases on a host and which one its processes run
version_added: "0.1.0"
description:
  - Returns what is installed, the target of C(current), what every process runs as its pivot and
    the kernel report it, the responses of web processes to health checks, the record of releases, and who
    holds the deploy lock.
  - Works on a host that has only some of it, or nothing, and never changes anything.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.info_module
attributes:
  platform:
    platforms: debian
options:
  app:
    description: Name of the app.
    type: str
    required: true
  records:
    description: Number of entries of the record to return, latest first. V(0) for none.
    type: int
    default: 10
  probe:
    description:
      - Whether to run health checks of web processes, one request to the socket of each, made as
        the app's user.
    type: bool
    default: true
  details:
    description:
      - Whether to collect what takes longer, a second or so with many installed files. That
        is the memory of each process, RV(packages) and RV(disk).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Inspect the shop
  twelvefactor.deploy.release_info:
    app: shop
  register: shop

- name: Require that every process runs the current release
  ansible.builtin.assert:
    that: shop.state == 'serving'
    fail_msg: "{{ (shop.drift + shop.unwell) | join('; ') }}"
"""

RETURN = r"""
app:
  description: Name of the app.
  returned: success
  type: str
  sample: shop
state:
  description:
    - V(serving), all is as it should be; V(moving), a process is on its way to another release;
      V(degraded), something is wrong; V(down), nothing of the formation runs; V(empty), there is
      no release yet; V(absent), the host does not have the app.
  returned: success
  type: str
  sample: serving
current:
  description: Id of the release that C(current) names.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
serving:
  description: Id of the release that every process runs. V(null) if they do not all run the same one.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
since:
  description: When C(current) began to serve, in UTC. V(null) if it is not in the record.
  returned: success
  type: str
  sample: "2026-01-02T03:04:05Z"
rollback_targets:
  description:
    - Ids of the releases that rollbacks would go to one after the other. Those that were made with
      another Python than the host has now are left out.
  returned: success
  type: list
  elements: str
  sample: ["1.3.2-90b1c2d3", "1.3.1-22e9ab41"]
active:
  description: Whether the supervisor runs.
  returned: success
  type: bool
  sample: true
restarts:
  description: How often systemd has restarted the supervisor since it was started.
  returned: success
  type: int
  sample: 0
formation:
  description: How many processes of each type should run.
  returned: success
  type: dict
  sample: {"web": 1, "worker": 2}
listening:
  description: How many processes of the formation listen on a socket, by type.
  returned: success
  type: dict
  sample: {"web": 1}
processes:
  description:
    - State of each process. C(state) is the state that its pivot reports, C(serves) whether the
      process C(pid) has the environment of C(release) according to the kernel, C(since) when it began, C(healthy)
      and C(answer) the result of its health check. C(state) is V(null) for a process that should run and
      does not.
    - C(restarts) is the number of restarts since boot because the process exited,
      C(replacements) the number of replacements since boot because the process no longer responded to
      its health check. C(memory) is the memory of the process and its children in bytes, with shared memory
      divided between them (C(Pss) in V(/proc/PID/smaps_rollup)); V(null) without
      O(details).
  returned: success
  type: dict
  sample:
    web-1:
      state: serving
      release: 1.4.0-3f2a9c01
      pid: 4711
      pivot: 4700
      generation: 7
      since: "2026-01-02T03:04:05Z"
      restarts: 0
      replacements: 0
      memory: 73400320
      serves: true
      healthy: true
      answer: "GET /healthz: 200 OK"
releases:
  description: What is installed, the one installed first comes first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the release.
      type: str
      sample: 1.4.0-3f2a9c01
    version:
      description: Version of the build.
      type: str
      sample: 1.4.0
    installed_at:
      description: When it was installed, in UTC.
      type: str
      sample: "2026-01-02T03:04:01Z"
    python:
      description: Version of its interpreter.
      type: str
      sample: 3.13.5
    bad:
      description: Whether its last attempt to serve failed.
      type: bool
      sample: false
unfinished:
  description: Ids of releases whose installation was interrupted, or whose release.json cannot be read.
  returned: success
  type: list
  elements: str
  sample: []
records:
  description: What happened to which release, the latest last.
  returned: success
  type: list
  elements: dict
  sample:
    - at: "2026-01-02T03:04:05Z"
      event: deploy
      release: 1.4.0-3f2a9c01
      outcome: good
      before: 1.3.2-90b1c2d3
      formation: {"web": 1, "worker": 2}
      seconds: 3.1
      by: joe@build1
packages:
  description: Versions of the packages of RV(current). V(null) without O(details), or without a release.
  returned: success
  type: dict
  sample: {"flask": "3.1.2", "shop": "1.4.0"}
disk:
  description:
    - Bytes of the filesystem that holds the releases, and those of the releases, where a file that
      several of them share counts once. V(null) without O(details).
  returned: success
  type: dict
  sample: {"path": "/srv/shop", "size": 42949672960, "free": 21474836480, "releases": 314572800}
bridge:
  description:
    - The unit of a bridge that still serves since a restart of the supervisor was interrupted, see
      M(twelvefactor.deploy.graceful_restart). V(null) when there is none, and during a restart.
  returned: success
  type: str
  sample: app-exec-shop-bridge.service
schedules:
  description:
    - The schedules that this host runs, by their names, and what came of the last job of each.
    - C(outcome) is V(success), V(failed), V(timeout), V(running), V(interrupted) for one that was cut off, by a crash
      of the host for example, or V(null) before the first one. C(code) is the exit code, C(seconds) how long the last that ended took,
      C(succeeded) when one succeeded last, C(runs) and C(failures) how many there were on this host.
  returned: success
  type: dict
  sample:
    nightly-report:
      at: "03:00"
      release: 1.4.0-3f2a9c01
      outcome: success
      code: 0
      began: "2026-01-02T03:00:00Z"
      seconds: 42.1
      succeeded: "2026-01-02T03:00:42Z"
      runs: 12
      failures: 1
drift:
  description: In what the host differs from C(current) and the formation, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["worker-2 runs 1.3.2-90b1c2d3 instead of 1.4.0-3f2a9c01"]
unwell:
  description: Which processes fail their health check, and how.
  returned: success
  type: list
  elements: str
  sample: ["web-1: GET /healthz: 500 Internal Server Error"]
lock:
  description: The holder of the deploy lock. V(null) if there is none.
  returned: success
  type: dict
  sample:
    owner: joe@build1
    run: 4711x8q2m1k
    reason: deploy 1.5.0
    since: "2026-01-02T03:04:05Z"
    expires: "2026-01-02T04:04:05Z"
    seconds_left: 3540
    ttl: 3600
    generation: 42
    expired: false
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.inspection import (
    InspectionRequest,
    inspect,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "required": True},
    "records": {"type": "int", "default": 10},
    "probe": {"type": "bool", "default": True},
    "details": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    app = params["app"]
    request = InspectionRequest(params["records"], params["probe"], params["details"], bridge=True)
    try:
        result = inspect(app, request)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(msg=f"{error}. Releases belong to root; use become: true.")
    except OSError as error:
        module.fail_json(msg=printable(f"Could not look at the releases of {app}: {error}."))
    module.exit_json(changed=False, app=app, **result)


if __name__ == "__main__":
    main()
