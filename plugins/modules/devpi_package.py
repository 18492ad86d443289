#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a wheel or source distribution on an index of a devpi server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_package
short_description: Upload packages to a devpi server
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Uploads a wheel or a source distribution to an index, and removes versions from it, over devpi's
    REST interface.
  - A file that the index has already, with the same content, is not uploaded again. Other content
    under the same name is refused, on a volatile index too. A version is one thing forever, for
    those who have installed it as for those who will.
  - After the upload, the hash is compared with that of the index.
  - A private name without a file on the index yet would be installed from upstream, if anyone published it
    there. With O(state=reserved) the index has the name before it has a file, and does not look it up anywhere
    else for it.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy.devpi
attributes:
  check_mode:
    support: full
    description:
      - An index that does not exist is a warning in check mode, as an earlier task may be about to
        make it.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  index:
    description:
      - User and name of the index, as in V(company/prod).
    type: str
    required: true
  path:
    description:
      - The file to upload, on the host that the task runs on. Required if O(state=present).
      - Ends in C(.whl) or C(.tar.gz). Name, version and the rest of the metadata are read from it.
    type: path
  name:
    description:
      - Name of the project of which to remove a version, or which to reserve. Required if
        O(state=absent) or O(state=reserved).
    type: str
  version:
    description:
      - The version to remove, with all its files. Required if O(state=absent).
    type: str
  state:
    description:
      - Whether the index is to have the file, or the version, or at least the name.
      - Only a volatile index lets go of a version. For others, the task fails.
    type: str
    choices: [present, absent, reserved]
    default: present
seealso:
  - module: twelvefactor.deploy.devpi_contents
  - module: twelvefactor.deploy.devpi_index
  - module: twelvefactor.deploy.devpi_user
"""

EXAMPLES = r"""
- name: Publish a wheel
  twelvefactor.deploy.devpi_package:
    url: https://index.example.org
    index: company/prod
    path: dist/shop-1.4.0-py3-none-any.whl
    login_user: ci
    login_password: "{{ vault_devpi_ci_password }}"
  register: published

- name: Show the URL
  ansible.builtin.debug:
    msg: "{{ published.url }} {{ published.sha256 }}"

- name: Keep a name from being taken from the public index, before its first upload
  twelvefactor.deploy.devpi_package:
    url: https://index.example.org
    index: company/prod
    name: shop
    state: reserved
    login_user: ci
    login_password: "{{ vault_devpi_ci_password }}"

- name: Take a version back from an index for trials
  twelvefactor.deploy.devpi_package:
    url: https://index.example.org
    index: company/try
    name: shop
    version: 1.4.0rc1
    state: absent
    login_password: "{{ vault_devpi_root_password }}"
"""

RETURN = r"""
index:
  description: User and name of the index.
  returned: success
  type: str
  sample: company/prod
name:
  description: Name of the project, as its metadata spells it.
  returned: success
  type: str
  sample: shop
version:
  description: Version of the project.
  returned: unless O(state=reserved)
  type: str
  sample: 1.4.0
action:
  description: What was done, or would be in check mode. V(none), V(create) or V(remove).
  returned: success
  type: str
  sample: create
filename:
  description: Name of the file.
  returned: if O(state=present)
  type: str
  sample: shop-1.4.0-py3-none-any.whl
sha256:
  description: Hash of the file, in hexadecimal digits.
  returned: if O(state=present)
  type: str
  sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
url:
  description: Address of the file on the index. Without it while the index does not have the file.
  returned: if O(state=present), unless it would only be uploaded in check mode
  type: str
  sample: https://index.example.org/company/prod/+f/2c2/6b46b68ffc68f/shop-1.4.0-py3-none-any.whl
"""

import pathlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    CONNECTION,
    Client,
    server_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    check_index_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Change,
    diff,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.projects import (
    Projects,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError

ARGUMENTS: dict[str, dict[str, Any]] = CONNECTION | {
    "index": {"type": "str", "required": True},
    "path": {"type": "path"},
    "name": {"type": "str"},
    "version": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent", "reserved"], "default": "present"},
}


def ensure(module: AnsibleModule) -> tuple[Change, dict[str, Any]]:
    params = module.params
    index = check_index_name(params["index"])
    client = Client(server_from(params, module.warn))
    client.login()
    projects = Projects(client, index, check=module.check_mode, warn=module.warn)
    if params["state"] == "absent":
        return projects.withdraw(params["name"], params["version"])
    if params["state"] == "reserved":
        return projects.reserve(params["name"])
    return projects.upload(pathlib.Path(params["path"]))


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("state", "present", ["path"]),
            ("state", "absent", ["name", "version"]),
            ("state", "reserved", ["name"]),
        ],
        supports_check_mode=True,
    )
    try:
        change, facts = ensure(module)
    except ReadableError as error:
        module.fail_json(msg=str(error))
    result: dict[str, Any] = {
        "changed": change.action != "none",
        "index": module.params["index"],
        "action": change.action,
        **facts,
    }
    if module._diff:  # the documented flag of AnsibleModule, in spite of its name
        result["diff"] = diff(
            change, " ".join([facts["name"], facts.get("version", ""), "on", result["index"]])
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
