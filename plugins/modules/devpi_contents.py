#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep users, indexes, private names and a token of a devpi server as described."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_contents
short_description: Manage users, indexes and private names of a devpi server as a whole
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Takes all users, indexes, reserved names and a token that a devpi server is to have, logs in and reads the
    server's contents once, and changes only what differs.
  - Changes are made in this order. Users, indexes as they are listed but each after its bases, the token, reserved
    names. An index that is listed twice is refused.
  - Only what is given is compared and changed. Nothing is removed; M(twelvefactor.deploy.devpi_user),
    M(twelvefactor.deploy.devpi_index) and M(twelvefactor.deploy.devpi_package) do that, and manage single objects.
  - What would need a user or a base that neither exists nor is listed fails before anything is changed. If the
    server refuses a change, the error names the object and what was changed before it.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy.devpi
attributes:
  check_mode:
    support: full
    description:
      - A user, a base or a plugin that does not exist is only a warning in check mode, because an earlier task
        might create it.
  diff_mode:
    support: full
    description:
      - One diff for each object. Shows that a password would be set and what a token would be good for, never the
        password or the token.
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  users:
    description:
      - Users, except for O(login_user).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: As O(twelvefactor.deploy.devpi_user#module:name).
        type: str
        required: true
      password:
        description:
          - As O(twelvefactor.deploy.devpi_user#module:password). It is compared by a login, and set only if that
            fails.
        type: str
      email:
        description: As O(twelvefactor.deploy.devpi_user#module:email).
        type: str
      title:
        description: As O(twelvefactor.deploy.devpi_user#module:title).
        type: str
      description:
        description: As O(twelvefactor.deploy.devpi_user#module:description).
        type: str
  indexes:
    description:
      - Indexes, each once, in any order.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: As O(twelvefactor.deploy.devpi_index#module:name).
        type: str
        required: true
      type:
        description: As O(twelvefactor.deploy.devpi_index#module:type).
        type: str
        choices: [stage, mirror]
      title:
        description: As O(twelvefactor.deploy.devpi_index#module:title).
        type: str
      description:
        description: As O(twelvefactor.deploy.devpi_index#module:description).
        type: str
      volatile:
        description: As O(twelvefactor.deploy.devpi_index#module:volatile).
        type: bool
      bases:
        description: As O(twelvefactor.deploy.devpi_index#module:bases).
        type: list
        elements: str
      acl_upload:
        description: As O(twelvefactor.deploy.devpi_index#module:acl_upload).
        type: list
        elements: str
      acl_read:
        description: As O(twelvefactor.deploy.devpi_index#module:acl_read).
        type: list
        elements: str
      acl_toxresult_upload:
        description: As O(twelvefactor.deploy.devpi_index#module:acl_toxresult_upload).
        type: list
        elements: str
      mirror_whitelist:
        description: As O(twelvefactor.deploy.devpi_index#module:mirror_whitelist).
        type: list
        elements: str
      mirror_whitelist_inheritance:
        description: As O(twelvefactor.deploy.devpi_index#module:mirror_whitelist_inheritance).
        type: str
        choices: [intersection, union]
      mirror_url:
        description: As O(twelvefactor.deploy.devpi_index#module:mirror_url).
        type: str
      mirror_web_url_fmt:
        description: As O(twelvefactor.deploy.devpi_index#module:mirror_web_url_fmt).
        type: str
      mirror_cache_expiry:
        description: As O(twelvefactor.deploy.devpi_index#module:mirror_cache_expiry).
        type: int
      mirror_no_project_list:
        description: As O(twelvefactor.deploy.devpi_index#module:mirror_no_project_list).
        type: bool
      mirror_use_external_urls:
        description: As O(twelvefactor.deploy.devpi_index#module:mirror_use_external_urls).
        type: bool
      mirror_provides_core_metadata:
        description: As O(twelvefactor.deploy.devpi_index#module:mirror_provides_core_metadata).
        type: bool
  reserved:
    description:
      - Private names, see O(twelvefactor.deploy.devpi_package#module:state=reserved).
      - A name is registered by the first user in the index's C(acl_upload) whose password is known, from O(users) or
        as O(login_user).
    type: list
    elements: dict
    default: []
    suboptions:
      index:
        description: User and name of the index, as in V(company/prod).
        type: str
        required: true
      names:
        description: Names of projects.
        type: list
        elements: str
        required: true
  token:
    description:
      - A token that is kept in a file on the host that the task runs on.
    type: dict
    suboptions:
      user:
        description: As O(twelvefactor.deploy.devpi_token#module:user).
        type: str
        required: true
      path:
        description: As O(twelvefactor.deploy.devpi_token#module:path).
        type: path
        required: true
      allowed:
        description: As O(twelvefactor.deploy.devpi_token#module:allowed).
        type: list
        elements: str
      indexes:
        description: As O(twelvefactor.deploy.devpi_token#module:indexes).
        type: list
        elements: str
      projects:
        description: As O(twelvefactor.deploy.devpi_token#module:projects).
        type: list
        elements: str
      days:
        description: As O(twelvefactor.deploy.devpi_token#module:days).
        type: int
        default: 365
      renew_days:
        description: As O(twelvefactor.deploy.devpi_token#module:renew_days).
        type: int
        default: 30
  wait:
    description:
      - Seconds to wait until the server responds, for one that may just be starting.
    type: int
    default: 0
seealso:
  - module: twelvefactor.deploy.devpi_user
  - module: twelvefactor.deploy.devpi_index
  - module: twelvefactor.deploy.devpi_package
  - module: twelvefactor.deploy.devpi_token
"""

EXAMPLES = r"""
- name: Manage the company's index
  twelvefactor.deploy.devpi_contents:
    login_password: "{{ vault_devpi_root_password }}"
    users:
      - name: ci
        password: "{{ vault_devpi_ci_password }}"
      - name: hosts
        password: "{{ vault_index_reader_password }}"
    indexes:
      - name: root/pypi
        mirror_no_project_list: true
      - name: ci/prod
        bases: [root/pypi]
        volatile: false
        acl_upload: [ci]
    reserved:
      - index: ci/prod
        names: [shop, shop-client]
    token:
      user: hosts
      path: /etc/devpi/reader.token
      allowed: [pkg_read]
      days: 3650
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode, in this order.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: The object.
      returned: success
      type: str
      sample: user ci
    action:
      description: V(create) or V(modify).
      returned: success
      type: str
      sample: create
    reason:
      description: Why a token was created. Empty for all else.
      returned: success
      type: str
      sample: it expires soon
  sample:
    - subject: user ci
      action: create
      reason: ""
"""

import pathlib
import time
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    CONNECTION,
    Client,
    server_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.contents import (
    Plan,
    contents_wish,
    plan,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    INDEX_SETTINGS,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    DevpiError,
    diff,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.reconcile import (
    Contents,
    wait_for,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import (
    TOKEN_SETTINGS,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.users import (
    USER_SETTINGS,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule

NAME: dict[str, Any] = {"type": "str", "required": True}
ARGUMENTS: dict[str, dict[str, Any]] = CONNECTION | {
    "users": {
        "type": "list",
        "elements": "dict",
        "default": [],
        # with the passwords
        "no_log": True,
        "options": {"name": NAME, "password": {"type": "str", "no_log": True}, **USER_SETTINGS},
    },
    "indexes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": NAME,
            "type": {"type": "str", "choices": ["stage", "mirror"]},
            **INDEX_SETTINGS,
        },
    },
    "reserved": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "index": NAME,
            "names": {"type": "list", "elements": "str", "required": True},
        },
    },
    "token": {
        "type": "dict",
        # Describes a secret and is none.
        "no_log": False,
        "options": {"user": NAME, "path": {"type": "path", "required": True}, **TOKEN_SETTINGS},
    },
    "wait": {"type": "int", "default": 0},
}


def ensure(module: SecretSafeModule) -> Plan:
    params = module.take_params()
    wish = contents_wish(params)
    client = Client(server_from(params, module.warn))
    wait_for(client, params["wait"])
    client.login()
    contents = Contents(client, pathlib.Path(params["token"]["path"]) if params["token"] else None)
    found = contents.read(wish)
    planned = plan(wish, found, time.time(), client.server.user)
    if module.check_mode:
        for text in planned.missing:
            module.warn(f"{text}, which does not exist yet.")
    elif planned.missing:
        raise DevpiError(
            f"The contents of {client.server.url} cannot be as described: "
            f"{', '.join(planned.missing)}, which does not exist. Nothing was changed."
        )
    else:
        contents.apply(wish, found, planned.steps)
    return planned


def main() -> None:
    module = SecretSafeModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        planned = ensure(module)
    except ReadableError as error:
        module.fail_json(msg=str(error))
    result: dict[str, Any] = {
        "changed": bool(planned.steps),
        "changes": [
            {"subject": step.subject, "action": step.change.action, "reason": step.reason}
            for step in planned.steps
        ],
    }
    if module._diff:  # the documented flag of AnsibleModule, in spite of its name
        result["diff"] = [diff(step.change, step.subject) for step in planned.steps]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
