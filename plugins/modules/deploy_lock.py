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
  - A run of Ansible takes the lock of an app on every host that it is going to deploy to, and
    releases it at the end. It holds from task to task and from play to play, across controllers.
  - Whoever comes second fails, and is told who holds the lock, since when, what for and until when.
  - Only the run that took a lock releases it. A lock stops counting when its run was not heard of
    for O(ttl) seconds, and at once when its run has died and whoever asks runs on the same
    controller, where that can be seen.
  - Taking the lock again in the same run is a sign of life. So are the begin and the end of each module that is
    given the number of the lock, see below.
  - Each lock of an app that a host gives out has a number, RV(generation), which never comes twice. The
    modules that change the app are given it and check it themselves, see for example
    O(twelvefactor.deploy.graceful_reload#module:lock_generation), so that a run which was held up
    while its lock went to another one changes nothing any more. While such a module is at work, its
    run's lock can be neither taken nor stolen.
  - Locks lie in C(/var/lib/twelvefactor/locks), belong to root and survive a reboot. O(ttl) is
    counted on the host from its boot on, so that a wall clock which jumps changes nothing. After a
    reboot it begins anew.
  - There is an action plugin of the same name, which says on the controller who asks.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
    details: A lock of somebody else is refused in check mode as well.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: A sign of life is written down and is no change.
  platform:
    platforms: debian
options:
  app:
    description: Name of the app. It need not exist on the host yet, or any more.
    type: str
    required: true
  state:
    description:
      - V(present) takes the lock, or gives a sign of life when this run holds it already.
      - V(absent) releases it. Where there is none, or an expired one, nothing is wrong.
    type: str
    choices: [present, absent]
    default: present
  reason:
    description: What the lock is taken for, for whoever is refused.
    type: str
  ttl:
    description:
      - Seconds without a sign of life after which the lock does not count any more. It must be
        longer than all that may happen between two signs of life. The playbooks C(deploy) and
        C(rollback) add up the timeouts of migrations and hooks, the bake and the batches.
      - The default is V(3600), and for a lock that this run holds already what it was taken with.
    type: int
  renew:
    description:
      - Only give a sign of life, and fail when this run does not hold the lock any more. That is
        how a deploy that was held up, while its lock expired and another one came and went, learns
        that it must not go on.
    type: bool
    default: false
  steal:
    description:
      - Take or release the lock whoever holds it. Fails while a module of its run changes the app.
    type: bool
    default: false
  dead:
    description:
      - Id of a run that is known to have ended. Its lock does not count any more. The action plugin
        finds that out by itself for runs on the same controller.
    type: str
  owner:
    description: Who asks. The default is the user and the host name of the controller.
    type: str
  run:
    description:
      - Id of the run that asks. The default is the run of Ansible that executes this task, the same
        for all its plays and hosts.
    type: str
  process:
    description: The process of that run on its controller. The action plugin fills it in.
    type: dict
"""

EXAMPLES = r"""
- name: Deploy, with nobody else at it
  block:
    - name: Keep other deploys away
      twelvefactor.deploy.deploy_lock:
        app: shop
        reason: deploy 1.5.0
      register: lock

    - name: Prepare the database
      ansible.builtin.command: /usr/local/bin/migrate

    - name: Go on only if the lock is still held
      twelvefactor.deploy.deploy_lock:
        app: shop
        renew: true

    - name: Switch, unless the lock was lost in between
      twelvefactor.deploy.graceful_reload:
        app: shop
        release: 1.5.0-3f2a9c01
        lock_generation: "{{ lock.generation }}"
  always:
    - name: Let others deploy
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
  description: Id of the run that asked.
  returned: success
  type: str
  sample: 4711x8q2m1k
reason:
  description: What the lock was taken for.
  returned: success and O(state=present)
  type: str
  sample: deploy 1.5.0
since:
  description: When the lock was taken, in UTC.
  returned: success and O(state=present)
  type: str
  sample: "2026-01-02T03:04:05Z"
expires:
  description: When it stops counting without another sign of life, in UTC.
  returned: success and O(state=present)
  type: str
  sample: "2026-01-02T04:04:05Z"
seconds_left:
  description: Seconds until then.
  returned: success and O(state=present)
  type: int
  sample: 3600
ttl:
  description: Seconds without a sign of life after which the lock does not count any more.
  returned: success and O(state=present)
  type: int
  sample: 3600
generation:
  description: Number of this lock among those of the app that the host has given out.
  returned: success and O(state=present)
  type: int
  sample: 42
stolen_from:
  description: Whose lock it was, where that did not release it. V(null) when nobody held it.
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
      description: What it was taken for.
      type: str
      sample: deploy 1.4.0
    since:
      description: When it was taken, in UTC.
      type: str
      sample: "2026-01-02T01:02:03Z"
    why:
      description: V(expired), V(dead) or V(stolen).
      type: str
      sample: expired
released:
  description: Whose lock was released, and what it was. V(null) when there was none.
  returned: success and O(state=absent)
  type: dict
  sample: {"owner": "joe@build1", "run": "4711x8q2m1k", "reason": "deploy 1.5.0"}
holder:
  description: Who holds the lock, with the keys of a success. V(null) when nobody does.
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
