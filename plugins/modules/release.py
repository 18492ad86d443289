#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Install a release of a Python web app next to the others
version_added: "0.1.0"
description:
  - A release is a build plus its config, in one directory of its own below C(/srv/<app>/releases).
    Its id is made from everything that goes in, so the same inputs give the same id on every host
    and installing it again does nothing.
  - A build is a wheel on a package index which carries its lock file and its Procfile, as the
    playbook C(twelvefactor.deploy.publish) makes it. A package that was published by somebody else
    has neither; O(requirements) and O(processes) give them.
  - Packages are installed from wheels only and with hashes required, and no code of a package runs
    while it is installed. They are compiled before the release counts as one.
  - They are installed by the system user C(twelvefactor-install), which the role
    P(twelvefactor.deploy.app_user#role) makes. The app can read its releases and cannot change them.
  - What is unpacked is kept in a cache of the app, C(/srv/<app>/cache), and linked from there into
    each release that has the same package, so another release costs little time and space. Apps
    share no cache, and the app cannot read its own. A cache that the app's user can have written,
    which that of an earlier version is, is removed.
  - A run that is cut off at any point leaves C(current) and every complete release as they were;
    the next one removes what it left behind and starts anew.
  - Before a release counts as one, its files are compared with the hashes that its packages record.
  - A release that was made with another Python than the host has now, as before an upgrade of Debian, is
    not taken for installed. It is installed again under another id; the old one stays until it is
    pruned.
  - When releases are pruned, packages that no release has any more in that version are dropped from the
    cache.
  - Nothing that serves is touched. M(twelvefactor.deploy.graceful_reload) makes a release serve.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.fenced
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names of config keys are shown, their values never.
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  app:
    description: Name of the app, which is also its user, its group and its directory.
    type: str
    required: true
  state:
    description:
      - V(present) installs the release and removes old ones beyond O(keep).
      - V(absent) removes the release O(release).
    type: str
    choices: [present, absent]
    default: present
  version:
    description: Version of the build. Required for O(state=present).
    type: str
  release:
    description: Id of the release to remove. Required for O(state=absent).
    type: str
  wheel_sha256:
    description:
      - The sha256 of the app's own wheel, in hexadecimal digits, as it was published. Another wheel of that
        version is refused. O(requirements) says it itself.
    type: str
  package:
    description: Name of the distribution on the index. Defaults to the value of O(app).
    type: str
  index_url:
    description:
      - URL of the simple pages of the one index that everything comes from.
      - Without it, and without O(wheelhouse), the installer takes the index that it is made for,
        which is the public one. That is only possible with O(requirements).
      - A version of the app that was yanked there is refused; a dependency that was is installed,
        with a warning.
    type: str
  wheelhouse:
    description:
      - Directory or tarball of wheels on the host, for a host that reaches no index.
      - It must hold the app's own wheel and a wheel of everything that the lock names for this
        host; other files in it do not matter. Nothing is asked over the network.
    type: path
  netrc:
    description:
      - File with the login of an index whose O(index_url) has none, in lines
        C(machine HOST login USER password PASSWORD). It need not exist. An entry C(default) is not
        used.
    type: path
    default: /etc/twelvefactor/netrc
  ca_path:
    description:
      - File with the CA certificates that the index is verified with, in PEM.
      - Without it, C(/etc/twelvefactor/ca/HOST.pem), if there is one for the host of O(index_url), or else
        what the system trusts.
    type: path
  requirements:
    description:
      - Text of a lock file, everything in it pinned and hashed, the package itself included. It is
        either a requirements file or a C(pylock.toml) (PEP 751).
      - Markers are judged by the interpreter of O(python). Where a C(pylock.toml) says that files
        come from does not count; its extras, and groups that are not default ones, are left out.
      - Without it the lock is taken from the wheel.
    type: str
  processes:
    description:
      - Process types and their commands, instead of the Procfile in the wheel.
      - The process type V(release) is not supervised, it prepares a release (a migration).
    type: dict
  env:
    description:
      - The app's config. Values are strings or numbers and are never shown.
    type: dict
    default: {}
  formation:
    description:
      - How many processes of each type are going to run. It is only checked here, before anything
        is installed; M(twelvefactor.deploy.graceful_reload) applies it.
    type: dict
    default: {}
  health:
    description: How a web process proves that it works, before any user's request reaches it.
    type: dict
    suboptions:
      path:
        description: Path that answers 2xx when all is well.
        type: str
        default: /
      host:
        description: Value of the Host header.
        type: str
        default: localhost
      count:
        description: How many good answers in a row are needed.
        type: int
        default: 2
  liveness:
    description:
      - When a web process that serves counts as hung. Another process of the same release is then started
        next to it. Once that one is well it gets the requests, and the hung one is ended. If it does not get
        well, it is ended instead, and the next attempt follows after a longer pause.
      - Any answer to the health check will do, an error too. No process is replaced more than once a minute.
      - A process type whose V(overlap) is V(false) is not watched, nor is one without a health path.
    type: dict
    suboptions:
      interval:
        description: Seconds from one health check to the next; V(0) to watch no process.
        type: float
        default: 2
      failures:
        description: How many in a row must have no answer.
        type: int
        default: 2
      timeout:
        description: Seconds that an answer may take.
        type: float
        default: 5
  process_options:
    description:
      - Per process type, how it is started and stopped.
      - V(overlap) (default V(true)), whether the new process starts before the old one is stopped;
        V(ready_after) (5), seconds that a process must stay up, and with a socket go on answering
        its health check well, before it takes over from an older one;
        V(ready_timeout) (60), V(drain_timeout) (60) and V(stop_timeout) (30, at most 240), seconds
        that starting, draining and stopping may take;
        V(socket), whether it listens on a socket (default for the type V(web) only);
        V(port), whether its server knows TCP only and listens on 127.0.0.1 at the port in E(PORT) (default for
        the type V(web) if its command names C($PORT)).
    type: dict
    default: {}
  log_format:
    description:
      - What becomes of the lines that the processes write.
      - V(text) leaves them as they are.
      - V(json) makes each an object with the field names of the Elastic Common Schema, C(@timestamp),
        C(message), C(service.name) (the app), C(service.version) (the release), C(process.name) (V(web-1))
        and C(process.pid). What the app writes as an object keeps its fields.
    type: str
    choices: [text, json]
    default: text
  log_destination:
    description:
      - Where these lines go.
      - V(file) is a file per process, which the supervisor writes.
      - V(journal) is journald, under the name C(<app>/<process>). Where it cannot be reached, lines go
        to the file.
      - The last words of a process that was moved to another release go where that one's do.
    type: str
    choices: [file, journal]
    default: file
  python:
    description: The interpreter, as a path on the host.
    type: path
    default: /usr/bin/python3
  uv:
    description: The program uv on the host. Where it is missing, pip does the work.
    type: path
    default: /opt/circus/bin/uv
  keep:
    description:
      - How many releases to keep. The current one and the one that a rollback would pick stay in
        any case.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Install version 1.4.0 of the shop
  twelvefactor.deploy.release:
    app: shop
    version: 1.4.0
    index_url: https://index.example.org/company/prod/+simple/
    env:
      DATABASE_URL: "{{ shop_database_url }}"
    health:
      path: /healthz
      host: shop.example.org

- name: Install it on a host that reaches no index
  twelvefactor.deploy.release:
    app: shop
    version: 1.4.0
    wheelhouse: /var/cache/shop-1.4.0.tar

- name: Install an app of somebody else
  twelvefactor.deploy.release:
    app: httpbin
    version: 0.10.2
    index_url: https://index.example.org/root/pypi/+simple/
    requirements: "{{ lookup('ansible.builtin.file', 'httpbin.txt') }}"
    processes:
      web: gunicorn httpbin:app
"""

RETURN = r"""
release:
  description: Id of the release. V(null) in check mode on a host that cannot reach the index yet.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
path:
  description: Its directory. V(null) where its id is not known.
  returned: success
  type: str
  sample: /srv/shop/releases/1.4.0-3f2a9c01
current:
  description: Id of the release that C(current) names, which this module never changes.
  returned: success
  type: str
  sample: 1.3.2-90b1c2d3
processes:
  description: Process types and their commands.
  returned: O(state=present), when they are known
  type: dict
  sample: {"web": "gunicorn shop.wsgi"}
packages:
  description: Names and versions of what is installed; in check mode what would be.
  returned: O(state=present), when they are known
  type: dict
  sample: {"flask": "3.1.0"}
python:
  description: Version of the interpreter.
  returned: O(state=present), when it is known
  type: str
  sample: 3.13.5
pruned:
  description: Ids of the releases that were removed.
  returned: success
  type: list
  elements: str
  sample: ["1.2.0-11aa22bb"]
"""

from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    unchanged,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.install import (
    InstallPlan,
    plan_install,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.request import (
    InstallRequest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.retention import (
    RemovalPlan,
    plan_removal,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "version": {"type": "str"},
    "wheel_sha256": {"type": "str"},
    "release": {"type": "str"},
    "package": {"type": "str"},
    "index_url": {"type": "str", "no_log": True},
    "wheelhouse": {"type": "path"},
    "netrc": {"type": "path", "default": "/etc/twelvefactor/netrc"},
    "ca_path": {"type": "path"},
    "requirements": {"type": "str"},
    "processes": {"type": "dict"},
    "env": {"type": "dict", "default": {}, "no_log": True},
    "formation": {"type": "dict", "default": {}},
    "health": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "path": {"type": "str", "default": "/"},
            "host": {"type": "str", "default": "localhost"},
            "count": {"type": "int", "default": 2},
        },
    },
    "liveness": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "interval": {"type": "float", "default": 2},
            "failures": {"type": "int", "default": 2},
            "timeout": {"type": "float", "default": 5},
        },
    },
    "process_options": {"type": "dict", "default": {}},
    "log_format": {"choices": ["text", "json"], "default": "text"},
    "log_destination": {"choices": ["file", "journal"], "default": "file"},
    "python": {"type": "path", "default": "/usr/bin/python3"},
    "uv": {"type": "path", "default": "/opt/circus/bin/uv"},
    "keep": {"type": "int", "default": 5},
    "lock_generation": {"type": "int"},
}


def make_plan(home: AppHome, params: dict[str, Any], *, check: bool) -> InstallPlan | RemovalPlan:
    if params["state"] == "absent":
        return plan_removal(home, params["release"])
    return plan_install(home, InstallRequest.from_params(params), predicted=check)


def main() -> None:
    module = SecretSafeModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("state", "present", ("version",)),
            ("state", "present", ("index_url", "wheelhouse", "requirements"), True),
            ("state", "absent", ("release",)),
        ],
        mutually_exclusive=[("index_url", "wheelhouse"), ("requirements", "wheel_sha256")],
        supports_check_mode=True,
    )
    params, begun = module.take_params(), False
    try:
        home = AppHome.of(params["app"], foreseen=module.check_mode)
        with home.locked(None if module.check_mode else params["lock_generation"]):
            plan = make_plan(home, params, check=module.check_mode)
            if not module.check_mode:
                begun = True
                plan = plan.apply()  # the only writes
    except DeployError as error:
        module.fail_json(msg=str(error) if begun else unchanged(error))
    except PermissionError as error:
        module.fail_json(msg=f"{error}. Releases belong to root; use become: true.")
    except OSError as error:
        problem = f"Could not work on the releases of {params['app']}: {error}."
        module.fail_json(msg=problem if begun else unchanged(problem))
    for text in plan.warnings:
        module.warn(text)
    module.exit_json(**plan.result())


if __name__ == "__main__":
    main()
