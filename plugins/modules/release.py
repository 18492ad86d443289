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
  - A release with which a job of a schedule still runs is not pruned.
  - When releases are pruned, packages that no release has any more in that version are dropped from the
    cache.
  - Nothing that serves is touched. M(twelvefactor.deploy.graceful_reload) makes a release serve.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.fenced
  - twelvefactor.deploy.release_inputs
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
rollback_targets:
  description:
    - Ids of the releases that rollbacks of RV(current) would go to one after the other. Those that were made with
      another Python than the host has now are left out.
  returned: O(state=present)
  type: list
  elements: str
  sample: ["1.3.1-22e9ab41"]
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
    INPUTS,
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
    "release": {"type": "str"},
    **INPUTS,
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
