#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small program of several files, of which a start sees one version."""

from __future__ import annotations

DOCUMENTATION = r"""
module: program_directory
short_description: Keep the files of a program in a directory named by their content
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Writes files to a directory next to O(path), named by O(path) and a hash of the files,
    and points the link O(path) to it once it is complete. A program that resolves the link when it
    starts, and reads its files from there, reads those of one version only.
  - The link is replaced by renaming. A run that is interrupted is completed by the next one.
  - Files in the directory that have another content, mode or owner are written again, and files that are not
    in O(files) are removed.
  - The directory that the link named before stays, for a program that has just resolved the link. Older
    ones are removed whenever the link changes.
requirements:
  - Write access to the parent directory of O(path), which root has.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    description:
      - Shows mode, owner and SHA-256 of each file, not its content.
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  path:
    description:
      - Absolute path of the link. Anything there that is not a link is refused.
      - A parent directory that does not exist is created with mode 0755.
    type: path
    required: true
  files:
    description:
      - Names of files, without directories, to their contents.
      - The files are world-readable, and only the user who runs the module can change them.
      - Required if O(state=present).
    type: dict
  python:
    description:
      - Interpreter that runs the program. It compiles the files whose names end in C(.py), so that a program
        whose user cannot write into the directory is not compiled at every start.
      - Bytecode names its source by a hash, and is compiled again when the interpreter's version changes.
      - Without it, no bytecode is kept.
    type: path
  state:
    description:
      - V(present) keeps the program.
      - V(absent) removes the link and every version.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Install a program of several files
  twelvefactor.deploy.program_directory:
    path: /usr/local/lib/tool
    files:
      __main__.py: "{{ lookup('ansible.builtin.file', 'tool/__main__.py', rstrip=false) }}"
      words.py: "{{ lookup('ansible.builtin.file', 'tool/words.py', rstrip=false) }}"
    python: /usr/bin/python3

- name: Remove it
  twelvefactor.deploy.program_directory:
    path: /usr/local/lib/tool
    state: absent
"""

RETURN = r"""
directory:
  description: Directory that the link names, or would in check mode. Empty if O(state=absent).
  returned: success
  type: str
  sample: /usr/local/lib/twelvefactor/pivot-4c1b6f0d92ae
removed:
  description: Names of what was removed, or would be in check mode. Directories of older versions as a rule.
  returned: success
  type: list
  elements: str
  sample: [pivot-0d92ae4c1b6f]
"""

from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._program_directory.store import (
    apply,
    check_path,
    find_all,
    make_plan,
    make_request,
    remove_all,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    # Not secret, but too much for the host's log, where Ansible writes all other parameters.
    "files": {"type": "dict", "no_log": True},
    "python": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def keep(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    request = make_request(params["path"], params["files"], params["python"] or "")
    plan = make_plan(request)
    if plan.changed and not check:
        plan = apply(request)
    result = {"directory": str(request.directory), "removed": list(plan.removed)}
    return result | {"changed": plan.changed} | ({"diff": plan.diff()} if plan.changed else {})


def remove(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    path = check_path(params["path"])
    found = find_all(path)
    if found and not check:
        found = remove_all(path)
    diff = {"before": "".join(f"{name}\n" for name in found), "after": ""}
    return {"changed": bool(found), "directory": "", "removed": list(found), "diff": diff}


def main() -> None:
    module = SecretSafeModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "present", ["files"])],
        supports_check_mode=True,
    )
    params = module.take_params()
    act = keep if params["state"] == "present" else remove
    try:
        result = act(params, check=module.check_mode)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        place = error.filename2 or error.filename or params["path"]
        module.fail_json(msg=f"Could not change {params['path']}: {place}: {error.strerror}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
