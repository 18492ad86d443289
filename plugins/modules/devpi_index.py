#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep an index of a devpi server as described."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_index
short_description: Manage indexes of a devpi server
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Creates, changes and removes indexes of a devpi server over its REST interface.
  - Only the given settings are compared and changed. The others are not changed, and have
    devpi's own defaults on a new index.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy.devpi
attributes:
  check_mode:
    support: full
    description:
      - A base or a user that does not exist is only a warning in check mode, because an earlier task might
        create it.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  name:
    description:
      - User and name of the index, as in V(company/prod). The user must exist.
    type: str
    required: true
  type:
    description:
      - V(stage) takes uploads and may have bases, V(mirror) fetches from another index on demand.
      - The type of an index cannot be changed. A new one is a V(stage) if this is not given.
    type: str
    choices: [stage, mirror]
  title:
    description:
      - Short description of the index.
    type: str
  description:
    description:
      - Description of the index.
    type: str
  volatile:
    description:
      - Whether files and the index itself can be removed or replaced.
      - An index for production should not be volatile.
    type: bool
  bases:
    description:
      - For a stage, the indexes to take packages from that it does not have itself, in this order.
    type: list
    elements: str
  acl_upload:
    description:
      - For a stage, the users and groups who may upload. The order has no meaning.
    type: list
    elements: str
  acl_read:
    description:
      - The users and groups who may read the index, beside those who may upload to it. The order has
        no meaning. V(:ANONYMOUS:) is everybody, V(:AUTHENTICATED:) every user.
      - For a server with the plugin of the role C(devpi). Others refuse it.
    type: list
    elements: str
  acl_toxresult_upload:
    description:
      - For a stage, the users and groups who may upload test results. The order has no meaning.
    type: list
    elements: str
  mirror_whitelist:
    description:
      - For a stage, the projects that are also taken from a mirror when the stage has files of that
        name itself. V(*) for all.
      - While this is empty, a private name hides the public one.
    type: list
    elements: str
  mirror_whitelist_inheritance:
    description:
      - For a stage, how the whitelists of its bases count.
    type: str
    choices: [intersection, union]
  mirror_url:
    description:
      - For a mirror, URL of the simple API of the upstream index.
      - The module does not show a password in it. The server does, to everybody who asks for its list of indexes.
    type: str
  mirror_web_url_fmt:
    description:
      - For a mirror, URL of a project's page upstream, with C({name}) in it.
    type: str
  mirror_cache_expiry:
    description:
      - For a mirror, seconds that the page of a project is cached.
    type: int
  mirror_no_project_list:
    description:
      - For a mirror, whether to do without the list of all of upstream's projects.
      - Saves 400 MiB of memory with the public index, and the first requests need not wait for it.
    type: bool
  mirror_use_external_urls:
    description:
      - For a mirror, whether to send clients to upstream's own addresses instead of keeping files.
    type: bool
  mirror_provides_core_metadata:
    description:
      - For a mirror, whether to promise separate metadata files of wheels.
    type: bool
  state:
    description:
      - Whether there is to be such an index.
      - With V(absent) the files go too. An index that is not volatile is not removed, the task fails
        instead.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: twelvefactor.deploy.devpi_contents
  - module: twelvefactor.deploy.devpi_user
  - module: twelvefactor.deploy.devpi_package
"""

EXAMPLES = r"""
- name: Keep the company's packages, and the public ones that they need
  twelvefactor.deploy.devpi_index:
    name: company/prod
    bases: [root/pypi]
    volatile: false
    acl_upload: [ci]
    login_password: "{{ vault_devpi_root_password }}"

- name: Mirror another index
  twelvefactor.deploy.devpi_index:
    name: company/upstream
    type: mirror
    mirror_url: https://index.example.com/simple/
    mirror_no_project_list: true
    login_password: "{{ vault_devpi_root_password }}"

- name: Remove an index that is no longer needed
  twelvefactor.deploy.devpi_index:
    name: company/try
    state: absent
    login_password: "{{ vault_devpi_root_password }}"
"""

RETURN = r"""
name:
  description: User and name of the index.
  returned: success
  type: str
  sample: company/prod
action:
  description: What was done, or would be in check mode. V(none), V(create), V(modify) or V(remove).
  returned: success
  type: str
  sample: modify
config:
  description: All settings of the index, as devpi returns them, without passwords of URLs. In check mode, the current ones.
  returned: success, unless there is no such index
  type: dict
  sample:
    type: stage
    bases: [root/pypi]
    volatile: false
    acl_upload: [ci]
"""

from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.apply import (
    apply_index,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    CONNECTION,
    Client,
    server_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    INDEX_SETTINGS,
    IndexWish,
    base_names,
    decide_index,
    decide_index_removal,
    index_path,
    index_wish,
    lacking,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Change,
    Config,
    DevpiError,
    diff,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    ReadableError,
    without_passwords_within,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule

ARGUMENTS: dict[str, dict[str, Any]] = (
    CONNECTION
    | INDEX_SETTINGS
    | {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "choices": ["stage", "mirror"]},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
)


def missing(client: Client, wish: IndexWish) -> list[str]:
    """What the index needs and the server does not have, in words."""
    owner = wish.name.partition("/")[0]
    users = {owner} if client.get(f"look at the user {owner!r}", f"/{owner}") else set()
    bases = {
        base
        for base in base_names(wish)
        if client.get(f"look at the base {base}", index_path(base)) is not None
    }
    return lacking(wish, users, bases)


def ensure(module: SecretSafeModule) -> tuple[Change, Config | None]:
    params = module.take_params()
    wish = index_wish(params)
    client = Client(server_from(params, module.warn))
    client.login()
    what = f"the index {wish.name}"
    current: Config | None = client.get(f"look at {what}", index_path(wish.name))
    if params["state"] == "absent":
        change = decide_index_removal(current, wish.name)
    else:
        change = decide_index(current, wish)
    if change.action in ("create", "modify"):
        needed = missing(client, wish)
        if needed and not module.check_mode:
            raise DevpiError(
                f"Cannot {change.action} {what}: {client.server.url} does not have "
                f"{', '.join(needed)}."
            )
        for thing in needed:
            module.warn(f"{what} needs {thing}, which does not exist yet.")
    if change.action == "none" or module.check_mode:
        return change, current
    return change, apply_index(client, wish, change)


def main() -> None:
    module = SecretSafeModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        change, config = ensure(module)
    except ReadableError as error:
        module.fail_json(msg=str(error))
    result: dict[str, Any] = {
        "changed": change.action != "none",
        "name": module.params["name"],
        "action": change.action,
    }
    if config is not None:
        result["config"] = without_passwords_within(config)
    if module._diff:  # the documented flag of AnsibleModule, in spite of its name
        result["diff"] = diff(change, f"index {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
