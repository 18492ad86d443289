#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a user of a devpi server as described."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_user
short_description: Manage users of a devpi server
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Creates, changes and removes users of a devpi server over its REST interface.
  - A password can be checked only by a login. The module therefore
    tries to log in as the user, and sets O(password) only if that fails.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy.devpi
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    description:
      - Shows that a password would be set, never the password.
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  name:
    description:
      - Name of the user. Letters, digits, V(-), V(.), V(@) and V(_).
    type: str
    required: true
  password:
    description:
      - Password of the user. Required for a user that does not exist yet.
      - Not changed if this is not given.
    type: str
  email:
    description:
      - Mail address of the user. Not changed if this is not given, removed if it is empty.
    type: str
  title:
    description:
      - Short description of the user. Not changed if this is not given, removed if it is empty.
    type: str
  description:
    description:
      - Description of the user. Not changed if this is not given, removed if it is empty.
    type: str
  state:
    description:
      - Whether the user exists.
      - V(absent) also removes the user's indexes and their files. If one of the indexes is not volatile, the
        task fails and removes nothing.
    type: str
    choices: [present, absent]
    default: present
notes:
  - O(name) and O(login_user) may be the same user, whose password is changed that way from
    O(login_password) to O(password). A second run logs in with the new password and changes nothing.
seealso:
  - module: twelvefactor.deploy.devpi_contents
  - module: twelvefactor.deploy.devpi_index
  - module: twelvefactor.deploy.devpi_package
"""

EXAMPLES = r"""
- name: Let the build server upload
  twelvefactor.deploy.devpi_user:
    name: ci
    password: "{{ vault_devpi_ci_password }}"
    email: ci@example.org
    login_password: "{{ vault_devpi_root_password }}"

- name: Change root's password
  twelvefactor.deploy.devpi_user:
    name: root
    password: "{{ vault_devpi_root_password }}"
    login_password: "{{ vault_devpi_old_root_password }}"

- name: Remove a user
  twelvefactor.deploy.devpi_user:
    url: https://index.example.org
    name: mallory
    state: absent
    login_password: "{{ vault_devpi_root_password }}"
"""

RETURN = r"""
name:
  description: Name of the user.
  returned: success
  type: str
  sample: ci
action:
  description: What was done, or would be in check mode. V(none), V(create), V(modify) or V(remove).
  returned: success
  type: str
  sample: create
password_changed:
  description: Whether the password was changed. V(true) for a new user, too.
  returned: success
  type: bool
  sample: true
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.apply import (
    apply_user,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    CONNECTION,
    Client,
    Server,
    server_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Change,
    LoginRefusedError,
    diff,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.users import (
    USER_SETTINGS,
    UserWish,
    decide_user,
    decide_user_removal,
    user_wish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError

ARGUMENTS: dict[str, dict[str, Any]] = CONNECTION | {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    **USER_SETTINGS,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def logged_in(server: Server, wish: UserWish) -> Client:
    """A client for the server. One who changes the own password may have done so before."""
    client = Client(server)
    try:
        client.login()
    except LoginRefusedError:
        if wish.name != server.user or wish.password is None:
            raise
        if not client.accepts(wish.name, wish.password):
            raise
        client = Client(server.with_password(wish.password))
        client.login()
    return client


def ensure(module: AnsibleModule) -> Change:
    params = module.params
    wish = user_wish(params)
    client = logged_in(server_from(module.params, module.warn), wish)
    current = client.get(f"look at the user {wish.name!r}", f"/{wish.name}")
    if params["state"] == "absent":
        change = decide_user_removal(current, wish.name)
    else:
        fits = current is None or wish.password is None or client.accepts(wish.name, wish.password)
        change = decide_user(current, wish, password_fits=fits)
    if change.action != "none" and not module.check_mode:
        apply_user(client, wish.name, change)
    return change


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        change = ensure(module)
    except ReadableError as error:
        module.fail_json(msg=str(error))
    result: dict[str, Any] = {
        "changed": change.action != "none",
        "name": module.params["name"],
        "action": change.action,
        "password_changed": "password" in change.body,
    }
    if module._diff:  # the documented flag of AnsibleModule, in spite of its name
        result["diff"] = diff(change, f"user {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
