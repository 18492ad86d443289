#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_info
short_description: Report whether a deploy would change anything on a host
version_added: "0.1.0"
description:
  - Makes the plans of M(twelvefactor.deploy.release), M(twelvefactor.deploy.graceful_reload) and
    M(twelvefactor.deploy.static_files) for the same release, carries out none of them, and tells what of it
    there is to do. With nothing in RV(pending) the release is installed and every process of the
    formation runs it, its files are published, the last entry of the record is its own, and nobody holds
    the deploy lock. With O(wheelhouse) there always is, for nobody knows whether the host's copy is still
    that of the controller.
  - Tells also what the role P(twelvefactor.deploy.rollout#role) requires of a host before it deploys.
  - Works on a host that has only a part of it, or nothing, and never changes anything.
  - There is an action plugin of the same name, which compares the clocks of host and controller.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.info_module
  - twelvefactor.deploy.release_inputs
attributes:
  platform:
    platforms: debian
options:
  app:
    description: Name of the app.
    type: str
    required: true
  version:
    description: Version of the build.
    type: str
    required: true
  packages:
    description: Names of the Debian packages that the app needs.
    type: list
    elements: str
    default: []
  static_files:
    description:
      - Directories of static files, as for O(twelvefactor.deploy.static_files#module:directories).
      - Without it, the app publishes none.
    type: dict
  media:
    description: Names of the directories of the app's uploads, which nginx serves.
    type: list
    elements: str
    default: []
  listening:
    description:
      - Process types that listen, first the one that has what no other has. Whether the app's site in nginx follows
        what runs of them is looked at, too.
    type: list
    elements: str
    default: []
  schedule_host:
    description: As for O(twelvefactor.deploy.graceful_reload#module:schedule_host).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Ask whether version 1.4.0 of the shop serves as the inventory says
  twelvefactor.deploy.deploy_info:
    app: shop
    version: 1.4.0
    index_url: https://index.example.org/company/prod/+simple/
    formation: {web: 2}
  register: shop

- name: Show what a deploy would do
  ansible.builtin.debug:
    msg: "{{ shop.pending }}"
"""

RETURN = r"""
pending:
  description: What a deploy would do, or why it would fail, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["1.4.0-3f2a9c01 is to be switched to"]
unprepared:
  description:
    - What the host lacks for schedules, servers on a port or uploads of the app, as sentences. The playbook
      C(twelvefactor.deploy.platform) sets it up.
  returned: success
  type: list
  elements: str
  sample: ["schedules need /usr/local/sbin/app-schedule, which is missing"]
release:
  description: Id of the release. V(null) where it cannot be known.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
current:
  description: Id of the release that C(current) names. V(null) when there is none.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
free:
  description: Bytes that are free below C(/srv).
  returned: success
  type: int
  sample: 21474836480
nginx:
  description: State of the unit of nginx, as systemd says it.
  returned: success
  type: str
  sample: active
clock:
  description: What time it is on the host, in seconds since 1970.
  returned: success
  type: float
  sample: 1767323045.3
clock_off:
  description:
    - By how many seconds the host's clock is ahead of the controller's, at least; negative for one that is
      behind. V(0) where it is not known to be wrong, for the question and its answer take time, too.
  returned: success
  type: float
  sample: 0.0
"""

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import printable
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pending import (
    ARGUMENTS,
    DeployRequest,
    find_pending,
    read_host,
)


def main() -> None:
    module = SecretSafeModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    request = DeployRequest(module.take_params())
    try:
        host = read_host(request.app)
        found = find_pending(request)
    except PermissionError as error:
        module.fail_json(msg=f"{error}. Releases belong to root; use become: true.")
    except OSError as error:
        module.fail_json(msg=f"Could not look at the releases of {request.app}: {error}.")
    for text in found.warnings:
        module.warn(text)
    module.exit_json(
        changed=False,
        pending=[printable(each) for each in found.todo],
        unprepared=list(found.unprepared),
        release=found.release,
        **host,
    )


if __name__ == "__main__":
    main()
