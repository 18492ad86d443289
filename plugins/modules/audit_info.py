#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_info
short_description: Report what an audit of an app against the twelve factors asks of a host
version_added: "0.1.0"
description:
  - Returns facts about the release that is current, its lock and files, the names of its variables, what its
    processes have open, and what the record says. P(twelvefactor.deploy.audit_document#filter) judges them.
  - Works on a host that has only some of it, or nothing, and never changes anything.
  - Reads all files of the release, to compare them with what was installed.
  - Never returns a value of the config, nor a secret that it finds in a file.
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
"""

EXAMPLES = r"""
- name: Audit the shop
  twelvefactor.deploy.audit_info:
    app: shop
  register: shop

- name: Require that the app can write nothing of its release
  ansible.builtin.assert:
    that: shop.facts.files.count == 0
    fail_msg: "{{ shop.facts.files.writable | join(', ') }}"
"""

RETURN = r"""
app:
  description: Name of the app.
  returned: success
  type: str
  sample: shop
facts:
  description:
    - What was observed. C(state), C(current), C(formation), C(processes), C(records), C(drift) and C(unwell) are
      those of M(twelvefactor.deploy.release_info).
    - All that follows is missing, and C(release) is V(null), where the host has no release that is current and
      complete.
    - C(release) is an extract of its C(release.json), C(lock) how many packages it pins and what is wrong with it,
      C(files) what differs from what was installed and how many files the app can write, with some of their names;
      C(unread) says why one of them was not read to the end.
    - C(config) has the names of all variables, the scheme of each that holds a URL, and whether every user can read
      them; C(code) what looks like a secret in the files of the app's own package.
    - C(unit) has properties of the app's unit; C(writable) is where the paths lead that it may write; C(running) how
      many processes are in it, the files that they have open for writing, the TCP addresses that they listen on,
      processes of the app's user in other units, and whether there is more than is returned (C(partial));
      C(command_sandbox) whether one-off commands have a sandbox.
  returned: success
  type: dict
  sample:
    state: serving
    current: 1.4.0-3f2a9c01
    lock: {"packages": 12, "problem": "", "unread": ""}
    files: {"problem": "", "unread": "", "writable": [], "count": 0}
    config: {"problem": "", "names": ["DATABASE_URL"], "services": {"DATABASE_URL": "postgresql"}, "public": false}
    code: {"files": 31, "partial": false, "secrets": []}
    running: {"count": 4, "written": [], "listening": [], "outside": [], "partial": false}
    command_sandbox: true
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.facts import collect
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)

ARGUMENTS: dict[str, dict[str, Any]] = {"app": {"type": "str", "required": True}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    app = module.params["app"]
    try:
        facts = collect(app)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(msg=f"{error}. Releases belong to root; use become: true.")
    except OSError as error:
        module.fail_json(msg=printable(f"Could not audit {app}: {error}."))
    module.exit_json(changed=False, app=app, facts=facts)


if __name__ == "__main__":
    main()
