#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_validation
short_description: List everything in an inventory that cannot be meant
version_added: "0.1.0"
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
description:
  - Reads the variables of all hosts on the controller, of all apps and roles of this collection, and fails with one
    list of everything that is wrong. Each entry has the path of the variable, what is wrong with it, the right form
    and, for a misspelling, the known name that was probably meant.
  - Finds unknown settings of apps and unknown variables whose names begin like those of a role, values of another
    type or out of range, missing variables, hosts and groups that do not exist, and domains and ports that two
    apps or daemons of a host would use. No host is contacted.
  - A value that depends on facts of its host is not checked.
options:
  app:
    description:
      - App that the run is about.
      - With O(values=false), only this app is validated.
    type: str
  version:
    description: Version of O(app) instead of the one in the inventory.
    type: raw
  values:
    description:
      - Whether to validate everything.
      - If V(false), only names of settings and C(hosts) of the apps are validated, and no other value is evaluated.
        A rollback must not fail because of a variable that it does not need.
    type: bool
    default: true
  hosts:
    description:
      - Whether it matters where the apps run. To build an app, or to run an index, the inventory need not have the hosts
        of apps.
    type: bool
    default: true
  inventory:
    description: Whether to fail when the inventory has no host, as when C(-i) was forgotten.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details: It changes nothing.
  diff_mode:
    support: N/A
    details: It changes nothing.
  idempotent:
    support: full
    details: It changes nothing.
  platform:
    platforms: posix
notes:
  - Run it once, with C(run_once=true); it reads the variables of all hosts.
"""

EXAMPLES = r"""
- name: Validate the inventory
  hosts: all
  gather_facts: false
  tasks:
    - name: Validate the variables of all apps and hosts
      twelvefactor.deploy.inventory_validation:
      run_once: true
"""

RETURN = r""" # """
