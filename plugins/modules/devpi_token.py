#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a token of a devpi user in a file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_token
short_description: Manage tokens of a devpi server
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Manages a token with limited permissions, with which a machine logs in to a devpi server instead of a
    password.
  - A server shows a token only once, when it creates it. The module therefore keeps it in a file on the host that
    the task runs on. A token that is invalid, has other permissions or expires soon is replaced
    and revoked.
  - The server needs the plugin devpi-tokens, which the role C(devpi) installs.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy.devpi
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    description:
      - Shows the permissions of the token, never the token.
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  user:
    description:
      - The user who logs in with the token.
      - O(login_user) is that user or V(root); only V(root) if the server's C(restrict-modify) is
        set, as the role C(devpi) does by default.
    type: str
    required: true
  path:
    description:
      - File that holds the token and nothing else. Readable by its owner only.
    type: path
    required: true
  allowed:
    description:
      - Permissions of the token, such as V(upload) or V(pkg_read). The default is all permissions of the
        user.
    type: list
    elements: str
  indexes:
    description:
      - Indexes that the token is valid for, such as V(company/prod). The default is all.
    type: list
    elements: str
  projects:
    description:
      - Projects that the token is valid for. The default is all.
    type: list
    elements: str
  days:
    description:
      - Number of days that a new token is valid. More than 366 only with O(login_user=root).
    type: int
    default: 365
  renew_days:
    description:
      - A token that expires in fewer days than this is replaced.
    type: int
    default: 30
  state:
    description:
      - Whether the token exists.
      - With V(absent), the token in the file is revoked and the file is removed.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: twelvefactor.deploy.devpi_contents
  - module: twelvefactor.deploy.devpi_user
"""

EXAMPLES = r"""
- name: Let the build server upload the shop, and nothing else
  twelvefactor.deploy.devpi_token:
    url: https://index.example.org
    user: ci
    path: /etc/ci/index-token
    allowed: [upload, pkg_read]
    indexes: [company/prod]
    projects: [shop]
    login_password: "{{ vault_devpi_root_password }}"

- name: Revoke it
  twelvefactor.deploy.devpi_token:
    url: https://index.example.org
    user: ci
    path: /etc/ci/index-token
    state: absent
    login_password: "{{ vault_devpi_root_password }}"
"""

RETURN = r"""
user:
  description: The user who logs in with the token.
  returned: success
  type: str
  sample: ci
path:
  description: The file that holds it.
  returned: success
  type: str
  sample: /etc/ci/index-token
action:
  description: What was done, or would be in check mode. V(none), V(create) or V(remove).
  returned: success
  type: str
  sample: create
reason:
  description: Why a token was created. Empty if none was.
  returned: success
  type: str
  sample: it expires soon
"""

import pathlib
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    CONNECTION,
    Client,
    server_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    NOTHING,
    Change,
    diff,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.token_file import (
    read_token,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.token_store import (
    apply_token,
    known_tokens,
    remove_token,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import (
    TOKEN_SETTINGS,
    TokenState,
    decide_token,
    token_wish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError

ARGUMENTS: dict[str, dict[str, Any]] = CONNECTION | {
    "user": {"type": "str", "required": True},
    # Holds a secret and is none.
    "path": {"type": "path", "required": True, "no_log": False},
    **TOKEN_SETTINGS,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def ensure(module: AnsibleModule) -> tuple[Change, str]:
    wish, path = token_wish(module.params), pathlib.Path(module.params["path"])
    client = Client(server_from(module.params, module.warn))
    client.login()
    kept = read_token(path)
    if module.params["state"] == "absent":
        if kept is None:
            return NOTHING, ""
        if not module.check_mode:
            remove_token(client, path, wish.user)
        return Change("remove", before={"user": wish.user, "path": str(path)}), ""
    state = TokenState(kept, known_tokens(client, wish.user))
    change, reason = decide_token(state, wish, time.time())
    if change.action == "create" and not module.check_mode:
        apply_token(client, path, wish, state)
    return change, reason


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        change, reason = ensure(module)
    except ReadableError as error:
        module.fail_json(msg=str(error))
    result: dict[str, Any] = {
        "changed": change.action != "none",
        "user": module.params["user"],
        "path": module.params["path"],
        "action": change.action,
        "reason": reason,
    }
    if module._diff:  # the documented flag of AnsibleModule, in spite of its name
        result["diff"] = diff(change, f"token of {module.params['user']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
