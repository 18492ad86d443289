#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: publish_tools
short_description: Install the programs that publishing needs
version_added: "0.1.0"
description:
  - Creates a virtualenv with the programs that M(twelvefactor.deploy.build) and
    M(twelvefactor.deploy.vulnerability_audit) run, from a lock file with hashes. It belongs to
    the user who publishes and is meant for that user only.
  - There is one for each lock file and each Python, so another version of this collection makes
    another one, and none is ever changed. Those that were not used for 90 days are removed.
  - Installs by uv where that is found, otherwise by pip, and from wheels only.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  requirements:
    description: Lock file of the tools, everything in it pinned and hashed.
    type: path
    required: true
  directory:
    description: Directory that the virtualenvs lie in.
    type: path
    default: ~/.cache/twelvefactor
  index_url:
    description:
      - URL of the simple pages of the index to install from. Without it the installer takes what it
        is configured for.
    type: str
  ca_path:
    description: File with the CA certificates that the index is verified with, in PEM.
    type: path
  uv:
    description:
      - The program uv. The default is the one beside the Python that runs this module, then the one
        in E(PATH), then none.
    type: path
"""

EXAMPLES = r"""
- name: Provide the tools
  twelvefactor.deploy.publish_tools:
    requirements: publish-tools.txt
    index_url: https://index.example.org/company/prod/+simple/
  register: tools
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: Directory with the programs.
  returned: success
  type: str
  sample: /home/ci/.cache/twelvefactor/publish-tools-3.11-0a1b2c3d4e5f/bin
"""

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.toolchain import ensure


def main() -> None:
    module = SecretSafeModule(
        argument_spec={
            "requirements": {"type": "path", "required": True},
            "directory": {"type": "path", "default": "~/.cache/twelvefactor"},
            "index_url": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "uv": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.take_params()
    try:
        result = ensure(params, module.check_mode)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except (OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=f"Could not make the tools for publishing: {error}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
