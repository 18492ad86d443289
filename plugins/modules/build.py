#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: build
short_description: Build a Python web app once, for every host
version_added: "0.1.0"
description:
  - Builds the wheel of a source tree and adds to its metadata its lock file, its Procfile, the
    commit it was built from and a software bill of materials (CycloneDX, below C(sboms/), see PEP 770).
    One file with one hash is therefore everything that M(twelvefactor.deploy.release) needs besides
    the config.
  - The source has a C(pyproject.toml), or a C(setup.py), maybe with a C(MANIFEST.in). It is built
    in a clone, in a temporary directory, so that what git ignores cannot get into the wheel and
    nothing is left in the source. Submodules are not fetched.
  - The same commit gives the same bytes, however often and wherever it is built with the same
    tools. Every file in the wheel has the time of the commit, unless E(SOURCE_DATE_EPOCH) says
    another. The commit is the last one that changed O(source); a shallow clone does not know it.
  - A wheel with secrets or stray files is refused, with a list of the files.
  - Runs where the source is, on the controller or in CI. M(twelvefactor.deploy.publish_tools)
    installs the programs that it needs.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: none
    details: The result of a build is not known in advance.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  source:
    description: Directory with C(pyproject.toml) or C(setup.py), and the Procfile.
    type: path
    required: true
  output:
    description: Directory for the wheel. It is created if it does not exist.
    type: path
    required: true
  version:
    description: Version that the wheel must have. The default is any version.
    type: str
  require_commit:
    description:
      - Refuse a source that is not in a commit or has uncommitted changes.
      - With V(false) it is built as it is. Files that git ignores are left out all the same.
    type: bool
    default: true
  command:
    description:
      - Shell command to run before the wheel is built, for example C(npm ci && npm run build).
        It runs in the copy of O(source).
      - Its output is often ignored by git, and therefore by some build backends; configure the backend
        to include it (C(artifacts) of hatchling).
    type: str
  command_timeout:
    description: Timeout of O(command) in seconds.
    type: int
    default: 900
  environment:
    description:
      - Environment variables for the build, e.g. the one that a build backend takes the version from.
      - Of the controller's own environment, O(command) and build backends get E(PATH), the language, the time zone,
        proxies, E(SSL_CERT_FILE), E(REQUESTS_CA_BUNDLE), E(SOURCE_DATE_EPOCH) and settings of uv and
        pip. E(HOME) is an empty directory.
      - Their values are not shown.
    type: dict
    default: {}
  build_requirements:
    description:
      - File with the versions and hashes of what the build itself needs (C(build-system.requires)
        and all that these need), relative to O(source). Where it is there, nothing else is used.
    type: str
    default: build-requirements.txt
  requirements:
    description:
      - Lock file, relative to O(source); every dependency pinned and hashed. It is either a
        requirements file or a C(pylock.toml) (PEP 751).
      - Where it is not given, that is C(requirements.txt) or C(pylock.toml), whichever is there.
      - A source that has none is locked now, by uv, for all of O(pythons). A version that is on
        the index already is locked as it was when it was published.
    type: str
  procfile:
    description: File with the process types, relative to O(source).
    type: str
    default: Procfile
  pythons:
    description: Python versions of the fleet. The lock must be installable with each.
    type: list
    elements: str
    default: ["3.11", "3.13"]
  platforms:
    description:
      - Platforms of the fleet, by the names of C(uv pip install --python-platform).
        Debian 12 is V(x86_64-manylinux_2_36).
    type: list
    elements: str
    default: [x86_64-manylinux_2_36]
  index_url:
    description:
      - URL of the simple API of the only index to use, for the build and for the lock. Other indexes in
        the environment and in configuration files are then ignored.
      - Without it, uv's own configuration applies.
    type: str
  ca_path:
    description: File with the CA certificates to verify the index with, in PEM format.
    type: path
  quarantine:
    description:
      - Days that must have passed since a file was uploaded before it may be locked, because most
        malicious releases are found within days. V(0) is none.
      - A lock that is made now takes older versions. A lock file in the source is refused.
      - It applies to third-party packages. A project that O(upload_times_url) does not have is
        your own.
    type: int
    default: 0
  quarantine_exempt:
    description: Projects that the quarantine does not apply to, for example one with an urgent fix.
    type: list
    elements: str
    default: []
  upload_times_url:
    description:
      - URL of the simple API of an index with upload times (PEP 700). Nothing is
        installed from it. The default is O(index_url).
      - devpi has no upload times; use its upstream index.
    type: str
  allowed_files:
    description: Patterns of files that the wheel may contain although they look wrong.
    type: list
    elements: str
    default: []
  tools:
    description:
      - Directory with the programs C(uv), C(twine) and C(cyclonedx-py), as
        RV(twelvefactor.deploy.publish_tools#module:path) of
        M(twelvefactor.deploy.publish_tools).
      - Without it, uv is looked up in E(PATH), there is no bill of materials, and the metadata is not
        checked.
    type: path
  uv:
    description: The program uv, instead of the one in O(tools).
    type: path
"""

EXAMPLES = r"""
- name: Provide the tools
  twelvefactor.deploy.publish_tools:
  register: tools
  delegate_to: localhost

- name: Build the shop
  twelvefactor.deploy.build:
    source: "{{ playbook_dir }}/../shop"
    command: npm ci && npm run build
    output: build
    version: 1.4.0
    index_url: https://index.example.org/company/prod/+simple/
    tools: "{{ tools.path }}"
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: Name of the distribution.
  returned: success
  type: str
  sample: shop
version:
  description: Version of the distribution.
  returned: success
  type: str
  sample: 1.4.0
path:
  description: The wheel.
  returned: success
  type: str
  sample: /home/ci/build/shop-1.4.0-py3-none-any.whl
sha256:
  description: Its hash.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
commit:
  description:
    - The commit that the wheel was built from. V(null) outside a git repository.
    - It ends in C(-dirty) if there were uncommitted changes.
  returned: success
  type: str
  sample: 1f0c3d2e4b5a69788796a5b4c3d2e1f001122334
packages:
  description: What is locked, by name.
  returned: success
  type: dict
  sample: {"flask": "3.1.0"}
"""

import pathlib
import tempfile
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.pipeline import Pipeline
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.request import (
    BuildRequest,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "source": {"type": "path", "required": True},
    "output": {"type": "path", "required": True},
    "version": {"type": "str"},
    "require_commit": {"type": "bool", "default": True},
    "command": {"type": "str"},
    "command_timeout": {"type": "int", "default": 900},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "build_requirements": {"type": "str", "default": "build-requirements.txt"},
    "requirements": {"type": "str"},
    "procfile": {"type": "str", "default": "Procfile"},
    "pythons": {"type": "list", "elements": "str", "default": ["3.11", "3.13"]},
    "platforms": {
        "type": "list",
        "elements": "str",
        "default": ["x86_64-manylinux_2_36"],
    },
    "index_url": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "quarantine": {"type": "int", "default": 0},
    "quarantine_exempt": {"type": "list", "elements": "str", "default": []},
    "upload_times_url": {"type": "str"},
    "allowed_files": {"type": "list", "elements": "str", "default": []},
    "tools": {"type": "path"},
    "uv": {"type": "path"},
}


def main() -> None:
    module = SecretSafeModule(argument_spec=ARGUMENTS, supports_check_mode=False)
    params = module.take_params()
    try:
        request = BuildRequest.from_params(params)
        with tempfile.TemporaryDirectory(prefix="build-") as work:
            built = Pipeline(request, pathlib.Path(work)).run()
    except DeployError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"Could not build {params['source']}: {error}.")
    module.exit_json(**built.to_result())


if __name__ == "__main__":
    main()
