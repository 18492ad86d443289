#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: graceful_reload
short_description: Make an installed release the one that serves, without losing a request
version_added: "0.1.0"
description:
  - Points C(/srv/<app>/current) at the release, starts the processes that only its formation has,
    and when these have proven themselves tells the pivot of every other process to move. Each
    starts the release next to the old one and lets it prove itself on a socket of its own. When the
    last of them is through, all switch, wait for the old connections to end and stop the old
    processes.
  - Succeeds when every process of the formation runs the release, as its pivot reports and the
    environment of the process in C(/proc) shows, and nginx on this host passes a request to it.
  - When one does not get there, all go back to the release that served before, and the module fails
    with the reason, the health check's answer and the last lines that the process wrote.
  - What happened is appended to C(/srv/<app>/releases.jsonl), which is what a rollback goes by.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
    details: A release that is only going to be installed is taken for one that works.
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
      - What is asked of nginx on this host, at 127.0.0.1 whatever the name in it resolves to, once
        every process runs the release, for example V(https://shop.example.org/). The path is that of
        the release's health check, where it has one.
      - Any answer but 2xx, 3xx, 401 and 403 is a failure. Without it nginx is not asked.
    type: str
  event:
    description:
      - What this is, for the record. After a V(deploy) the release that served before is the one
        that V(previous) means; a V(rollback) leaves that to the release before its target. A
        V(scale) changes the formation only.
      - O(release=previous) is always a V(rollback).
    type: str
    choices: [deploy, rollback, scale]
    default: deploy
  by:
    description: Who does it and from where, for the record.
    type: str
  commit:
    description:
      - Commit that the release was built from, for the record. Without it, the one that
        M(twelvefactor.deploy.build) wrote into the wheel.
    type: str
  timeout:
    description:
      - Seconds that the whole move may take. The default follows from the timeouts of the release.
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
processes:
  description:
    - Per process its release, generation and pid, and of its last move the seconds of each step
      and the number of connections that the drain timeout cut off.
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
  description: How long all of it took.
  returned: success and not in check mode
  type: float
  sample: 3.1
reason:
  description: Why the release does not serve.
  returned: failure of a release
  type: str
  sample: web-1 ended with exit code 3 while starting
"""

import contextlib
import dataclasses
import os
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.nginx_probe import (
    ask,
    check_url,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import (
    longest_move,
    slowest_steps,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
    Supervisor,
    wait_for,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    counted,
    instances,
    united,
    watched,
    watchers,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import reason_of
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import (
    RELEASE_ID,
    check_formation,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    Record,
    bad_releases,
    formation_of,
    history,
    provenance,
)

PROBE_TIMEOUT = 10.0  # seconds for nginx to answer
# Seconds until its answer must be good. The processes have proven themselves by then, so this is no
# reason for haste, and a host under load answers late.
PROBE_PATIENCE = 20.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What has to happen so that ``target`` serves with ``formation``."""

    current: str | None  # what the link names
    before: str | None  # what to go back to
    target: str
    formation: dict[str, int]
    old_configuration: str
    new_configuration: str
    way_back: str  # the configuration that belongs to ``before``
    served: bool  # whether every process of the formation, and none besides, runs the target
    recorded: bool  # false when the run that brought it there was cut off before its entry
    timeout: float
    probe_url: str | None

    @property
    def names(self) -> list[str]:
        return instances(self.formation)

    @property
    def needed(self) -> bool:
        old, new = (self.current, self.old_configuration), (self.target, self.new_configuration)
        return old != new or not (self.served and self.recorded)


def pick_target(home: AppHome, wanted: str, foreseen: bool = False) -> str:
    """``foreseen``: in check mode the release may be one that would have been installed by now."""
    current, installed = home.current(), home.installed()
    if wanted == "previous":
        target = home.rollback_target(current)
        if target is None:
            known = history(home.records())
            raise DeployError(
                f"There is nothing to roll {home.app} back to: {current or 'no release'} serves, "
                f"the record has {', '.join(known) or 'no good release'}, and installed are "
                f"{', '.join(installed) or 'none'}. Nothing was changed."
            )
        return target
    if wanted not in installed and not (foreseen and RELEASE_ID.match(wanted)):
        raise DeployError(
            f"Release {wanted} of {home.app} is not installed on this host; installed are "
            f"{', '.join(installed) or 'none'}. Install it with twelvefactor.deploy.release. "
            "Nothing was changed."
        )
    return wanted


def served_before(home: AppHome, supervisor: Supervisor, target: str) -> str | None:
    """What to go back to: what every process runs, else what served last by the record.

    ``current`` says neither when an earlier run was cut off. Of a cut-off move to the ``target``
    itself some processes may have arrived, or all of them, and the run before its entry in the
    record. A release that was refused and serves all the same is nothing to go back to.
    """
    current, records, installed = home.current(), home.records(), home.installed()
    good = history(records)
    recorded = good[-1] if good and good[-1] in installed else None
    if current == target:
        return recorded or current
    serving = supervisor.serving_release(watched(supervisor.configuration()))
    if serving in installed and not (recorded and serving in bad_releases(records)):
        return serving
    return recorded or current


def make_plan(
    home: AppHome, supervisor: Supervisor, params: dict[str, Any], foreseen: bool = False
) -> Plan:
    target = pick_target(home, params["release"], foreseen)
    current, records = home.current(), home.records()
    formation = params["formation"] or formation_of(records, target)
    formation = formation or formation_of(records, current or "") or {"web": 1}
    manifest = home.manifest(target)
    if manifest:
        check_formation(formation, manifest["commands"], f"release {target}")
    before = served_before(home, supervisor, target)
    configuration, active = supervisor.configuration(), supervisor.is_active()
    running = configuration if active else ""
    strays = set(supervisor.watching() if active else []) - set(instances(formation))
    way_back = configuration
    if before is not None and before != current:
        way_back = watchers(home.app, formation_of(records, before) or formation, running)
    return Plan(
        current=current,
        before=before,
        target=target,
        formation=formation,
        old_configuration=configuration,
        new_configuration=watchers(home.app, formation, running),
        way_back=way_back,
        served=not strays and not supervisor.not_serving(instances(formation), target),
        recorded=history(records)[-1:] == [target],
        timeout=params["timeout"]
        or (longest_move(manifest["processes"], formation) if manifest else 0.0),
        probe_url=params["probe_url"],
    )


def shown(current: str | None, runs: Mapping[str, str | None], configuration: str) -> str:
    """One side of the diff: what ``current`` names, and which process runs what."""
    lines = [f"current: {current}", *(f"process {name}: {what}" for name, what in runs.items())]
    return "".join(f"{line}\n" for line in lines) + configuration


def go(
    supervisor: Supervisor, plan: Plan, release: str, configuration: str, back: bool = False
) -> Failure:
    """Make ``release`` serve with ``configuration``; ``back``: again, after another one failed."""
    running, names = supervisor.is_active(), watched(configuration)
    supervisor.home.point_to(release)
    if back:
        supervisor.configure(configuration)
    known = watched(supervisor.configuration())
    old = supervisor.watching() if running else []
    gone = [name for name in old if name not in names]
    # What only a release had that was refused has no say in this, nor is anything lost with it. Of
    # what served until now nothing ends before the release has proven itself.
    strays = [name for name in gone if name not in known]
    if strays:
        supervisor.drop(strays)
        old = known
    kept = [name for name in names if name in old]
    added = [name for name in names if name not in old]
    moving = {name: supervisor.status(name) for name in supervisor.not_serving(kept, release)}
    if not running:
        supervisor.configure(configuration)
        supervisor.start()
    elif added and not back:
        # first of all: where one of these cannot start, nobody has ever talked to the release
        supervisor.configure(united(supervisor.configuration(), configuration))
        supervisor.take_configuration()
        old = [*old, *added]
        failure = supervisor.follow(dict.fromkeys(added), release, plan.timeout)
        if failure:
            return failure
    if running and moving:
        supervisor.hup([status for status in moving.values() if status])
        if back:
            supervisor.reload([name for name, status in moving.items() if status is None])
        # before anything ends: while circusd stops a process, it takes no other command
        failure = supervisor.follow(moving, release, plan.timeout)
        if failure:
            return failure
    if running and (configuration != supervisor.configuration() or set(old) != set(names)):
        supervisor.configure(configuration)
        supervisor.take_configuration()
    # on the way back these may never have stopped: circusd had not been told yet
    added = supervisor.not_serving(added, release)
    failure = supervisor.follow(dict.fromkeys(added), release, plan.timeout)
    if failure:
        return failure
    left = supervisor.wait_until_gone(gone, plan.timeout)
    if left:
        return Failure(f"{', '.join(left)} did not end within {plan.timeout:g} s")
    wrong = supervisor.not_serving(names, release)
    if wrong:
        return Failure(f"{', '.join(wrong)} does not run {release}")
    url = probed(plan.probe_url, supervisor.home.manifest(release), names)
    return probe(url) if url else Failure()


def probe(url: str) -> Failure:
    """Whether requests get through nginx; the pivots' own checks do not go that way."""
    said = ""

    def answers() -> bool:
        nonlocal said
        said = ask(url, PROBE_TIMEOUT)
        return not said

    if wait_for(answers, PROBE_PATIENCE):
        return Failure()
    return Failure(
        f"every process runs it, but nginx on this host does not pass requests to it: {said}. "
        "Its error log may say more"
    )


def attempt(
    supervisor: Supervisor, plan: Plan, release: str, configuration: str, back: bool = False
) -> Failure:
    """``go``, where nothing that goes wrong keeps from going back."""
    try:
        return go(supervisor, plan, release, configuration, back)
    except Exception as error:  # noqa: BLE001 - a defect of ours must not leave it half-way
        return Failure(explained(error))


def showable(failure: Failure, home: AppHome, *releases: str) -> Failure:
    """Without secrets of these releases; where their config cannot be read, without any output."""
    for release in releases:
        try:
            failure = failure.masked(home.env(release))
        except (OSError, ValueError):
            failure = dataclasses.replace(failure, output=())
    return failure


def explained(error: Exception) -> str:
    return printable(str(error) if isinstance(error, DeployError | OSError) else repr(error))


def probed(url: str | None, manifest: Mapping[str, Any] | None, names: list[str]) -> str | None:
    """What nginx is asked for one of these processes, None when none of them answers requests.

    Another release may be well at another path.
    """
    specs = (manifest or {}).get("processes", {})
    web = [specs.get(name.rpartition("-")[0], {}) for name in names]
    paths = [spec.get("health", {}).get("path") or "" for spec in web if spec.get("socket")]
    return urllib.parse.urljoin(url, paths[0]) if url and paths else None


def go_back(supervisor: Supervisor, plan: Plan) -> str:
    """Put back what served before; what came of it, as a sentence."""
    if plan.before is None:
        try:
            supervisor.stop()
            supervisor.home.point_to(None)
            supervisor.configure(plan.way_back)
        except Exception as error:  # noqa: BLE001 - what was refused is to be said first
            reason = explained(error)
            return f"Nothing served before, but stopping it did not work either: {reason}"
        return "Nothing served before, so nothing does now."
    failure = attempt(supervisor, plan, plan.before, plan.way_back, back=True)
    if failure:
        failure = showable(failure, supervisor.home, plan.before, plan.target)
        return f"Release {plan.before} did not come back either: {failure}"
    return f"Release {plan.before} serves as before."


def report(supervisor: Supervisor, names: list[str]) -> dict[str, Any]:
    processes = {}
    for name in names:
        status = supervisor.status(name)
        if status:
            processes[name] = {
                "release": status.release,
                "generation": status.generation,
                "pid": status.child,
                "seconds": status.move.get("seconds", {}),
                "stragglers": status.move.get("stragglers", 0),
            }
    return processes


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "formation": {"type": "dict"},
            "probe_url": {"type": "str"},
            "event": {
                "type": "str",
                "choices": ["deploy", "rollback", "scale"],
                "default": "deploy",
            },
            "by": {"type": "str"},
            "commit": {"type": "str"},
            "timeout": {"type": "float"},
        },
        supports_check_mode=True,
    )
    try:
        run(module)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=printable(f"Could not switch {module.params['app']}: {error}."))


def run(module: AnsibleModule) -> None:
    params = module.params
    if os.geteuid() != 0:
        raise DeployError("Switching a release changes files of root; run it with become: true.")
    if params["probe_url"]:
        try:
            check_url(params["probe_url"])
        except ValueError as error:
            raise DeployError(f"probe_url: {error}. Nothing was changed.") from None
    home = AppHome.of(params["app"], foreseen=module.check_mode)
    supervisor = Supervisor(home)
    with home.locked():
        plan = make_plan(home, supervisor, params, module.check_mode)
        found = {
            name: status.release if (status := supervisor.status(name)) else "not running"
            for name in watched(plan.old_configuration)
        }
        wanted = dict.fromkeys(plan.names, plan.target)
        result: dict[str, Any] = {
            "changed": plan.needed,
            "release": plan.target,
            "previous": plan.before,
            "formation": plan.formation,
            "previous_formation": counted(watched(plan.old_configuration)),
            "diff": {
                "before": shown(plan.current, found, plan.old_configuration),
                "after": shown(plan.target, wanted, plan.new_configuration),
            },
        }
        if module.check_mode or not plan.needed:
            if not module.check_mode:
                result |= {
                    "processes": report(supervisor, plan.names),
                    "seconds": 0.0,
                }
            module.exit_json(**result)
        began = time.monotonic()
        manifest = home.manifest(plan.target) or {}
        record = Record(
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            event="rollback" if params["release"] == "previous" else params["event"],
            release=plan.target,
            outcome="pending",
            before=plan.before,
            formation=plan.formation,
            by=params["by"] or None,
            commit=params["commit"] or manifest.get("commit"),
            **provenance(manifest),
        )
        # A pivot that starts when this run was cut off learns from it that the release is not
        # proven. Where the disk is full, what follows says so.
        with contextlib.suppress(OSError):
            home.remember(record)
        failure = attempt(supervisor, plan, plan.target, plan.new_configuration)
        failure = showable(failure, home, plan.target)
        afterwards = go_back(supervisor, plan) if failure else ""
        seconds = round(time.monotonic() - began, 2)
        record = dataclasses.replace(
            record,
            outcome="bad" if failure else "good",
            reason=reason_of(failure.reason) or None,
            seconds=seconds,
            durations=slowest_steps(filter(None, map(supervisor.status, plan.names))),
        )
        try:
            home.remember(record)
            unrecorded = ""
        except OSError as error:
            unrecorded = f"No rollback will know of this, the record cannot be written: {error}."
        subject = f"Release {plan.target} of {home.app}"
        if failure:
            module.fail_json(
                msg=f"{subject} does not serve: {failure}\n{afterwards}\n{unrecorded}".rstrip(),
                reason=reason_of(failure.reason),
                release=plan.target,
                previous=plan.before,
            )
        if unrecorded:
            module.fail_json(msg=f"{subject} serves. {unrecorded}", release=plan.target)
        result |= {"processes": report(supervisor, plan.names), "seconds": seconds}
        module.exit_json(**result)


if __name__ == "__main__":
    main()
