#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scaffold
short_description: Write an inventory for an app, by what its repository says
version_added: "0.1.0"
description:
  - Reads an app's repository (C(pyproject.toml), lock file, Procfile, Python code) and writes the files of
    an inventory that deploys it, with an C(ansible.cfg) and a form for the vault. Lines that only people can
    complete end in a comment that begins with C(EDIT).
  - Finds Django, FastAPI, Flask, Starlette and Celery, the environment variables that the code reads, and the
    route of a health check. RV(guesses) has the reason of each.
  - A file that exists is never changed.
  - The repository is data. Its code is parsed and never run, symbolic links are not followed, and large files
    are not read.
  - Runs on the controller. The playbook C(twelvefactor.deploy.init) calls it.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  repository:
    description: Directory with the app's source.
    type: path
    required: true
  into:
    description: Directory of the inventory. It is made when it is missing.
    type: path
    required: true
  hosts:
    description: Names of the hosts that run the app. Without any, there is one to replace.
    type: list
    elements: str
    default: []
  index:
    description: Name of the host with the package index. Default is the first one of O(hosts).
    type: str
    default: ""
  proxies:
    description: Names of the load balancers, if there are any.
    type: list
    elements: str
    default: []
  domain:
    description: Name that users reach the app by. Without one, there is one to replace.
    type: str
    default: ""
  procfile:
    description:
      - Whether to write a Procfile into O(repository) where it has none.
      - By default nothing is written there; RV(text) has the processes to put into one.
    type: bool
    default: false
  explain:
    description:
      - Whether to print RV(text) as lines, beside the result of the task, unless it has C(no_log).
      - The lines are printed whatever the callback is. Leave it off under one for programs, such as
        P(twelvefactor.deploy.plain#callback), and read RV(text).
    type: bool
    default: false
  collections_path:
    description:
      - Directory that this collection is installed in. Where it is below O(into), C(ansible.cfg) names it.
    type: path
"""

EXAMPLES = r"""
- name: Write an inventory for the shop
  twelvefactor.deploy.scaffold:
    repository: ../shop
    into: .
    hosts: [app1.example.org]
    domain: shop.example.org
  delegate_to: localhost
"""

RETURN = r"""
app:
  description: Name of the app in the inventory.
  returned: success
  type: str
  sample: shop
guesses:
  description: What was guessed.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: A setting or a process type.
      type: str
      sample: web
    value:
      description: What it is.
      type: str
      sample: gunicorn shop.wsgi
    reason:
      description: What says so.
      type: str
      sample: WSGI application of Django in shop/wsgi.py; gunicorn is a dependency
    place:
      description: The file in which to change it.
      type: str
      sample: Procfile
written:
  description: Files that did not exist, and do now.
  returned: success
  type: list
  elements: str
  sample: [ansible.cfg, hosts.yml]
kept:
  description: Files that existed, and are as they were.
  returned: success
  type: list
  elements: str
  sample: []
edit:
  description: The lines that only people can complete.
  returned: success
  type: list
  elements: str
  sample: ["hosts.yml:9: the name of your host"]
chores:
  description: What to do in the repository before the app can be published.
  returned: success
  type: list
  elements: str
  sample: ["Make a lock file with hashes, as there is no lock file: uv pip compile …"]
text:
  description: All of this for a person, line by line.
  returned: success
  type: list
  elements: str
  sample: ["shop: Django app in ../shop"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.scaffold import (
    Request,
    scaffold,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.store import write

ARGUMENTS: dict[str, dict[str, Any]] = {
    "repository": {"type": "path", "required": True},
    "into": {"type": "path", "required": True},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "index": {"type": "str", "default": ""},
    "proxies": {"type": "list", "elements": "str", "default": []},
    "domain": {"type": "str", "default": ""},
    "procfile": {"type": "bool", "default": False},
    "explain": {"type": "bool", "default": False},  # by the action plugin
    "collections_path": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        made = scaffold(Request.from_params(module.params))
        if not module.check_mode:
            write(made.new)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"Could not write the inventory: {error}.")
    module.exit_json(**made.to_result())


if __name__ == "__main__":
    main()
