#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Tell which releases of an app a host has, and what really runs
version_added: "0.1.0"
description:
  - Tells what is installed, what C(current) names, what every process runs as its pivot and
    the kernel report it, how web processes answer their health check, what the record says, and who
    holds the deploy lock.
  - Works on a host that has only a part of it, or nothing, and never changes anything.
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
    description: How many entries of the record to return, the latest ones. V(0) returns none.
    type: int
    default: 10
  probe:
    description:
      - Whether to ask web processes for their health, one request to the socket of each, made as
        the app's user.
    type: bool
    default: true
  details:
    description:
      - Whether to look at what takes longer, a second or so where many files are installed. That
        is the memory of each process, RV(packages) and RV(disk).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at the shop
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
  description: Id of the release that every process runs. V(null) when there is no such.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
since:
  description: When C(current) began to serve, in UTC. V(null) when the record does not say.
  returned: success
  type: str
  sample: "2026-01-02T03:04:05Z"
rollback_targets:
  description: Ids of the releases that rollbacks would go to one after the other.
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
processes:
  description:
    - Per process what it runs. C(state) is what its pivot says, C(serves) whether the kernel agrees
      that the process C(pid) has the environment of C(release), C(since) when it began, C(healthy)
      and C(answer) how it answered its health check. C(state) is V(null) for one that should run and
      does not.
    - C(restarts) is how often its process ended by itself and was started anew since the host has
      booted. C(memory) is what the process and all that it has started take up in bytes, where what
      several share is divided between them (C(Pss) in V(/proc/PID/smaps_rollup)); V(null) without
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
  description: Ids of releases whose installation was cut off, or whose release.json cannot be read.
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
  description: Who holds the deploy lock. V(null) when nobody does.
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
    expired: false
"""

import dataclasses
import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import iso
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    Unreadable,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.drift import (
    Seen,
    common_release,
    drift,
    formation_of,
    state,
    unwell,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.footprint import (
    disk,
    memory,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    SPEC,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import watched
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    bad_releases,
    rollback_targets,
    serving_since,
)

STATUS_FILE = re.compile(r"([a-z][a-z0-9_]*-[0-9]+)\.json\Z")
TOLD = ("version", "installed_at", "python")
PYTHON = "/usr/bin/python3"
PROBE_TIMEOUT = 5.0  # seconds, for connecting and for each read
# As the app's user, because a socket's name may lead to any socket that the app likes. It is asked
# as the pivot asks it (roles/circus/files/pivot).
PROBE = """
import http.client, json, socket, sys, threading
answers = {}
def ask(name, path, wanted, host, seconds):
    try:
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(seconds)
        connected.connect(path)
        if not wanted:
            answers[name] = [True, "accepted a connection"]
            return
        client = http.client.HTTPConnection(host)
        client.sock = connected
        headers = {"X-Forwarded-Proto": "https", "User-Agent": "twelvefactor-info"}
        client.request("GET", wanted, headers=headers | {"Connection": "close"})
        answer = client.getresponse()
        answers[name] = [200 <= answer.status < 300, f"{answer.status} {answer.reason}"]
    except (OSError, http.client.HTTPException) as error:
        answers[name] = [False, str(error) or type(error).__name__]
threads = [threading.Thread(target=ask, args=one, daemon=True) for one in json.loads(sys.argv[1])]
for thread in threads: thread.start()
for thread in threads: thread.join(float(sys.argv[2]))
print(json.dumps(dict(answers)), flush=True)
"""


def probe(
    supervisor: Supervisor, specs: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[bool, str]]:
    """How web processes answer their health check; ``specs`` are theirs, by name."""
    if not specs:
        return {}
    wanted, asked = [], {}
    for name, spec in specs.items():
        said = {key: value for key, value in (spec.get("health") or {}).items() if value}
        health = SPEC["health"] | said
        path = str(health["path"])
        socket = str(supervisor.run_directory / f"{name}.sock")
        wanted.append([name, socket, path, str(health["host"]), PROBE_TIMEOUT])
        asked[name] = f"GET {path}" if path else "connecting"
    limit = 2 * PROBE_TIMEOUT
    try:
        _code, output = run(
            [PYTHON, "-I", "-c", PROBE, json.dumps(wanted), str(limit)],
            "ask web processes for their health",
            limit * len(wanted) + PROBE_TIMEOUT,
            identity=supervisor.home.identity,
            whole=ANSWER,
        )
        answers = json.loads(output)
    except (DeployError, ValueError, RecursionError) as error:
        return {name: (False, f"{asked[name]}: {error}"[:300]) for name in specs}
    found = {}
    for name in specs:
        # whoever asked ran as the app's user, so that another of its processes may have answered
        match answers.get(name) if isinstance(answers, dict) else answers:
            case [bool() as well, str() as answer]:
                found[name] = (well, printable(f"{asked[name]}: {answer}")[:300])
            case None:
                found[name] = (False, f"{asked[name]}: nothing within {limit:g} s")
            case _:
                found[name] = (False, f"{asked[name]}: the probe's output was altered")
    return found


def began(pid: int) -> str | None:
    """When a process began, in UTC: field 22 of proc_pid_stat(5), in ticks since the boot."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
    ago = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return iso(time.time() - ago)


def look(supervisor: Supervisor, name: str) -> Seen:
    status = supervisor.status(name)
    if status is None:
        return Seen(name)
    return Seen(
        name,
        state=status.state,
        release=status.release,
        pid=status.child,
        pivot=status.pid,
        generation=status.generation,
        restarts=status.restarts,
        since=began(status.child) if status.child else None,
        serves=supervisor.serves(status, status.release or ""),
    )


def processes(
    supervisor: Supervisor, wanted: list[str], specs: Mapping[str, Any], ask: bool, details: bool
) -> dict[str, Seen]:
    """Those that should run, and those that do although they should not."""
    try:
        names = sorted(os.listdir(supervisor.run_directory))
    except OSError:
        names = []
    known = [match[1] for name in names if (match := STATUS_FILE.match(name))]
    extra = [name for name in known if name not in wanted and supervisor.status(name)]
    seen = {name: look(supervisor, name) for name in [*wanted, *extra]}
    listening = {}
    for name, process in seen.items():
        spec = specs.get(name.rpartition("-")[0], {})
        if ask and process.pid and spec.get("socket"):
            listening[name] = spec
    for name, (well, answer) in probe(supervisor, listening).items():
        seen[name] = dataclasses.replace(seen[name], healthy=well, answer=answer)
    if details:
        pivots = {process.pivot for process in seen.values() if process.pivot}
        taken = memory(pivots)
        for name, process in seen.items():
            seen[name] = dataclasses.replace(process, memory=taken.get(process.pivot or 0))
    return seen


def manifests(home: AppHome) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The release.json of each complete release, by id, and the ids of the others."""
    complete, others = {}, []
    for path in sorted(home.releases.iterdir()):
        if not path.is_dir():
            continue
        try:
            manifest = home.manifest(path.name)
        except DeployError:  # what cannot be read is no better than what is not there
            manifest = None
        if manifest:
            complete[path.name] = manifest
        else:
            others.append(path.name)
    by_age = sorted(complete, key=lambda name: (str(complete[name].get("installed_at")), name))
    return {name: complete[name] for name in by_age}, others


def restarts(supervisor: Supervisor) -> int:
    code, output = run(
        ["systemctl", "show", "--value", "--property", "NRestarts", supervisor.unit],
        "ask systemd",
        30.0,
        whole=ANSWER,
    )
    return int(output) if code == 0 and output.strip().isdigit() else 0


def locked(app: str) -> dict[str, Any] | None:
    try:
        lock = LockFile(app).read()
    except Unreadable as error:
        return {"owner": "nobody knows", "run": "", "reason": str(error), "expired": False}
    if lock is None:
        return None
    told = lock.told(now())
    del told["process"]
    return told


def inspect(home: AppHome, params: Mapping[str, Any]) -> dict[str, Any]:
    supervisor, current, records = Supervisor(home), home.current(), home.records()
    complete, unfinished = manifests(home)
    wanted = watched(supervisor.configuration())
    specs = complete.get(current or "", {}).get("processes", {})
    seen = processes(supervisor, wanted, specs, params["probe"], params["details"])
    active, bad = supervisor.is_active(), bad_releases(records)
    differs, sick = drift(current, complete, wanted, seen), unwell(seen.values())
    if current and not active:
        differs.insert(0, f"{supervisor.unit} does not run")
    first = max(0, len(records) - params["records"])
    return {
        "state": state(True, current, wanted, seen, [*differs, *sick]),
        "current": current,
        "serving": common_release(seen.values()),
        "since": serving_since(records, current),
        "rollback_targets": rollback_targets(records, current, complete),
        "active": active,
        "restarts": restarts(supervisor),
        "formation": formation_of(wanted),
        "processes": {name: process.told() for name, process in seen.items()},
        "releases": [
            {"id": name, **{key: manifest.get(key) for key in TOLD}, "bad": name in bad}
            for name, manifest in complete.items()
        ],
        "unfinished": unfinished,
        "records": [json.loads(record.line()) for record in records[first:]],
        "drift": differs,
        "unwell": sick,
        **details(home, current, complete, params["details"]),
    }


def details(
    home: AppHome, current: str | None, complete: Mapping[str, Any], wanted: bool
) -> dict[str, Any]:
    packages = complete.get(current or "", {}).get("packages") if wanted else None
    return {"packages": packages, "disk": disk(home.root, home.releases) if wanted else None}


NOTHING: dict[str, Any] = {
    "state": "absent",
    "current": None,
    "serving": None,
    "since": None,
    "rollback_targets": [],
    "active": False,
    "restarts": 0,
    "formation": {},
    "processes": {},
    "releases": [],
    "unfinished": [],
    "records": [],
    "drift": [],
    "unwell": [],
    "packages": None,
    "disk": None,
}


def home_of(app: str) -> AppHome | None:
    try:
        return AppHome.of(app)
    except DeployError:  # it has no user or no directory
        return None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "records": {"type": "int", "default": 10},
            "probe": {"type": "bool", "default": True},
            "details": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    app = module.params["app"]
    try:
        home = home_of(app)
        told = inspect(home, module.params) if home else NOTHING
        module.exit_json(changed=False, app=app, **told, lock=locked(app))
    except DeployError as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(msg=f"{error}. Releases belong to root; use become: true.")
    except OSError as error:
        module.fail_json(msg=printable(f"Could not look at the releases of {app}: {error}."))


if __name__ == "__main__":
    main()
