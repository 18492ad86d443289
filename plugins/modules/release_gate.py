#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_gate
short_description: Ask a command or a URL whether a release may go on
version_added: "0.1.0"
description:
  - Runs a command, or requests a URL with GET, and returns what it says about a release. The role
    P(twelvefactor.deploy.rollout#role) runs it on the controller while a release is judged.
  - A command that exits with 0 and a URL that answers with a status of 200 to 299 say that the release is good. Another
    exit code, and a status of 400 or more, say that it is bad, and why in the first line of its standard output or of
    its body.
  - Exit codes of 126 or more, a redirect, which is not followed, no answer and an answer that is late say nothing about
    the release. That is no failure of the module.
  - Changes nothing by itself, and in check mode asks, too.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.info_module
attributes:
  platform:
    platforms: posix
options:
  gate:
    description:
      - A URL that begins with C(http://) or C(https://), or a command of C(/bin/sh). It is never shown.
      - A user and a password in a URL are sent as HTTP basic authentication.
    type: str
    required: true
  chdir:
    description: Directory in which a command runs; without it, that of the play.
    type: str
  environment:
    description: Environment variables of the command, beside its usual ones.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds within which it has to answer. A command is killed then, with all that it has started and that has not
        made a session of its own.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Ask whether customers still pay
  twelvefactor.deploy.release_gate:
    gate: ./check-payments
    environment:
      DEPLOY_APP: shop
  delegate_to: localhost
  register: gate
  failed_when: gate.outcome == 'bad'
"""

RETURN = r"""
outcome:
  description: V(good), V(bad), or V(failed) where the gate itself does not work.
  returned: success
  type: str
  sample: bad
reason:
  description: What a gate that does not say V(good) has said, or how it failed, at most 200 letters.
  returned: success
  type: str
  sample: Payments of the last minute are 40 % below yesterday's
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.gate import ask


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gate": {"type": "str", "required": True, "no_log": True},
            "chdir": {"type": "str"},
            "environment": {"type": "dict", "default": {}},
            "timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    if params["timeout"] < 1:
        module.fail_json(msg=f"timeout has to be at least 1, and is {params['timeout']:g}.")
    environment = {str(name): str(value) for name, value in params["environment"].items()}
    answer = ask(params["gate"], environment, params["timeout"], params["chdir"] or None)
    module.exit_json(changed=False, outcome=answer.outcome, reason=answer.reason)


if __name__ == "__main__":
    main()
