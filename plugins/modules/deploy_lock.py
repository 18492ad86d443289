#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_lock
short_description: Lock an app on a host, so that one run at a time deploys it
version_added: "0.1.0"
description:
  - A run of Ansible acquires the lock of an app on every host that it is going to deploy to, and
    releases it at the end. The lock is held across tasks and plays, and is valid for all controllers.
  - A second run fails. Its error names the holder, the reason, and when the lock was acquired and expires.
  - Only the run that acquired a lock releases it. A lock expires when its run has not renewed it for O(ttl)
    seconds, and immediately when its run has died on the controller that the requesting run is on, too.
  - Acquiring the lock again in the same run renews it. So does each module that is given the number of the lock,
    see below, when it begins and when it ends.
  - Each lock of an app on a host has a unique number, RV(generation). The
    modules that change the app take it as an option and check it themselves, see for example
    O(twelvefactor.deploy.graceful_reload#module:lock_generation), so that a run which was delayed
    and lost its lock meanwhile changes nothing. While such a module runs, the lock of its
    run can be neither acquired nor stolen by others.
  - Locks lie in C(/var/lib/twelvefactor/locks), belong to root and survive a reboot. O(ttl) is
    measured by the host's monotonic clock, so that a change of the wall clock has no effect. It starts again after
    a reboot.
  - An action plugin of the same name adds the user and the run on the controller.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
    details: The module fails in check mode, too, if another run holds the lock.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: A renewal is not reported as a change.
  platform:
    platforms: debian
options:
  app:
    description: Name of the app. It need not exist on the host.
    type: str
    required: true
  state:
    description:
      - V(present) acquires the lock, or renews it when this run already holds it.
      - V(absent) releases it. It is no error if there is none, or an expired one.
    type: str
    choices: [present, absent]
    default: present
  reason:
    description: Reason for the lock, for the error message of other runs.
    type: str
  ttl:
    description:
      - Seconds without a renewal after which the lock expires. It must be longer than the longest time
        between two renewals. The playbooks C(deploy) and
        C(rollback) add up the timeouts of migrations and hooks, the bake and the batches.
      - The default is V(3600), and for a lock that this run already holds the value that it was acquired with.
    type: int
  renew:
    description:
      - Only renew the lock, and fail when this run no longer holds it, for example because it expired
        while the run was delayed.
    type: bool
    default: false
  steal:
    description:
      - Acquire or release the lock even if another run holds it. Fails while a module of that run changes the app.
    type: bool
    default: false
  dead:
    description:
      - Id of a run that is known to have ended. Its lock is treated as expired. The action plugin
        detects that itself for runs on the same controller.
    type: str
  owner:
    description: Name of the holder. The default is the user and the host name of the controller.
    type: str
  run:
    description:
      - Id of the run. The default is that of the run of Ansible that executes this task, the same
        for all its plays and hosts.
    type: str
  process:
    description: The process of that run on its controller. The action plugin sets it.
    type: dict
"""

EXAMPLES = r"""
- name: Deploy while other runs are locked out
  block:
    - name: Acquire the deploy lock
      twelvefactor.deploy.deploy_lock:
        app: shop
        reason: deploy 1.5.0
      register: lock

    - name: Prepare the database
      ansible.builtin.command: /usr/local/bin/migrate

    - name: Renew the deploy lock, or fail if it was lost
      twelvefactor.deploy.deploy_lock:
        app: shop
        renew: true

    - name: Switch, unless the lock was lost in between
      twelvefactor.deploy.graceful_reload:
        app: shop
        release: 1.5.0-3f2a9c01
        lock_generation: "{{ lock.generation }}"
  always:
    - name: Release the deploy lock
      twelvefactor.deploy.deploy_lock:
        app: shop
        state: absent
      when: lock is not failed

- name: Release the lock of a run that will never end
  twelvefactor.deploy.deploy_lock:
    app: shop
    state: absent
    steal: true
"""

RETURN = r"""
held:
  description: Whether this run holds the lock now; in check mode, whether it would.
  returned: success
  type: bool
  sample: true
owner:
  description: Who holds the lock. Empty after O(state=absent).
  returned: success
  type: str
  sample: joe@build1
run:
  description: Id of the run.
  returned: success
  type: str
  sample: 4711x8q2m1k
reason:
  description: Reason for the lock.
  returned: success and O(state=present)
  type: str
  sample: deploy 1.5.0
since:
  description: When the lock was acquired, in UTC.
  returned: success and O(state=present)
  type: str
  sample: "2026-01-02T03:04:05Z"
expires:
  description: When the lock expires without another renewal, in UTC.
  returned: success and O(state=present)
  type: str
  sample: "2026-01-02T04:04:05Z"
seconds_left:
  description: Seconds until then.
  returned: success and O(state=present)
  type: int
  sample: 3600
ttl:
  description: Seconds without a renewal after which the lock expires.
  returned: success and O(state=present)
  type: int
  sample: 3600
generation:
  description: Unique number of this lock among all locks of the app on the host.
  returned: success and O(state=present)
  type: int
  sample: 42
stolen_from:
  description: Previous holder, if it did not release the lock. V(null) if there was none.
  returned: success and O(state=present)
  type: dict
  contains:
    owner:
      description: Who held it.
      type: str
      sample: ann@build2
    run:
      description: Id of the run that held it.
      type: str
      sample: 815a9w7c2b
    reason:
      description: Its reason.
      type: str
      sample: deploy 1.4.0
    since:
      description: When it was acquired, in UTC.
      type: str
      sample: "2026-01-02T01:02:03Z"
    why:
      description: V(expired), V(dead) or V(stolen).
      type: str
      sample: expired
released:
  description: The lock that was released. V(null) if there was none.
  returned: success and O(state=absent)
  type: dict
  sample: {"owner": "joe@build1", "run": "4711x8q2m1k", "reason": "deploy 1.5.0"}
holder:
  description: The current holder, with the keys of a successful result. V(null) if there is none.
  returned: when the lock is refused
  type: dict
  sample:
    owner: ann@build2
    run: 815a9w7c2b
    reason: deploy 1.4.0
    since: "2026-01-02T01:02:03Z"
    expires: "2026-01-02T02:02:03Z"
    seconds_left: 1200
    ttl: 3600
"""

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    APP,
    Lock,
    Moment,
    Refused,
    Wish,
    release,
    take,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.fence import (
    taking_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    Unreadable,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    unchanged,
)


def read(file: LockFile, wish: Wish, moment: Moment) -> Lock | None:
    try:
        return file.read()
    except Unreadable:
        if not wish.steal:
            raise
        # it is not expired: only whoever steals gets past it
        return Lock("nobody knows", "", "", 1, "nobody knows when", moment.boot, moment.clock)


def public(told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in ("process", "expired")}


def described(lock: Lock | None) -> str:
    return f"held by {lock.owner} (run {lock.run}): {lock.reason}\n" if lock else "held by nobody\n"


def work(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    missing = [name for name in ("owner", "run") if not params[name]]
    if missing:
        raise DeployError(
            f"{' and '.join(missing)} is missing: the action plugin deploy_lock, which knows it, was "
            "not used. Call this module as twelvefactor.deploy.deploy_lock."
        )
    if not APP.match(params["app"]):
        raise DeployError(f"Invalid app name {params['app']!r}; a valid one is, for example, shop.")
    if params["ttl"] is not None and params["ttl"] < 1:
        raise DeployError(f"ttl is {params['ttl']}; it is a number of seconds from 1 on.")
    wish = Wish(
        app=params["app"],
        owner=params["owner"],
        run=params["run"],
        reason=params["reason"],
        ttl=params["ttl"],
        renew=params["renew"],
        steal=params["steal"],
        dead=params["dead"],
        process=params["process"],
        check_mode=module.check_mode,
    )
    file, moment = LockFile(wish.app), now()
    # check mode does not even make the directory
    with contextlib.nullcontext() if module.check_mode else file.alone():
        before = read(file, wish, moment)
        try:
            decision = (
                take(before, wish, moment, file.generation())
                if params["state"] == "present"
                else release(before, wish, moment)
            )
            if decision.write and not module.check_mode:
                with taking_from(before, wish):
                    file.write(decision.lock)
        except Refused as refusal:
            holder = refusal.holder.told(moment) if refusal.holder else None
            module.fail_json(msg=unchanged(refusal), holder=holder)
    told = (
        public(decision.lock.told(moment))
        if decision.lock
        else {
            "owner": "",
            "run": wish.run,
            "released": public(before.told(moment)) if before else None,
        }
    )
    return {
        "changed": decision.changed,
        "held": decision.lock is not None,
        **told,
        "diff": {
            "before": described(before),
            "after": described(decision.lock),
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "reason": {"type": "str"},
            "ttl": {"type": "int"},
            "renew": {"type": "bool", "default": False},
            "steal": {"type": "bool", "default": False},
            "dead": {"type": "str"},
            "owner": {"type": "str"},
            "run": {"type": "str"},
            "process": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    try:
        result = work(module)
    except DeployError as error:
        module.fail_json(msg=unchanged(error))
    except PermissionError as error:
        module.fail_json(msg=f"{error}. Locks belong to root; use become: true.")
    except OSError as error:
        # perhaps of the fsync that comes after the lock was written or removed
        module.fail_json(msg=f"Could not work on the lock of {module.params['app']}: {error}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
