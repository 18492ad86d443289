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
  - Makes the wheel of a source tree and puts its lock file and its Procfile into the wheel's
    metadata, so that one file with one hash is everything that
    M(twelvefactor.deploy.release) needs besides the config.
  - Runs where the source is, on the controller or in CI, and needs the program uv there.
  - The same source gives the same bytes, whenever and from whichever commit it is built. So times
    in the wheel mean nothing, unless E(SOURCE_DATE_EPOCH) says what they shall be.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: none
    details: What a build would give is not known before it is made.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  source:
    description: Directory with C(pyproject.toml), the lock file and the Procfile.
    type: path
    required: true
  output:
    description: Directory that the wheel is put into. It is made when it is missing.
    type: path
    required: true
  version:
    description: Version that the wheel must have. Any will do without it.
    type: str
  environment:
    description:
      - Variables for the build, e.g. the one that a build backend takes the version from.
      - Their values are not shown.
    type: dict
    default: {}
  requirements:
    description:
      - Lock file, relative to O(source); every dependency pinned and hashed. It is either a
        requirements file or a C(pylock.toml) (PEP 751).
      - Where it is not given, that is C(requirements.txt) or C(pylock.toml), whichever is there.
    type: str
  procfile:
    description: File with the process types, relative to O(source).
    type: str
    default: Procfile
  uv:
    description: The program uv.
    type: str
    default: uv
"""

EXAMPLES = r"""
- name: Build the shop
  twelvefactor.deploy.build:
    source: "{{ playbook_dir }}/../shop"
    output: build
    version: 1.4.0
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
  description: The commit it was built from; V(null) outside a git checkout.
  returned: success
  type: str
  sample: 1f0c3d2e4b5a69788796a5b4c3d2e1f001122334
"""

import hashlib
import os
import pathlib
import tempfile
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._discreet import DiscreetModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._distribution import (
    DistributionError,
    read_distribution,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._pylock import (
    is_pylock,
    parse_pylock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    ReleaseError,
    parse_lock,
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._wheel import (
    LOCK,
    LOCKS,
    PROCFILE,
    PYLOCK,
    embed,
)

TIMEOUT = 900  # seconds for the build backend, which may be downloaded first
# 1980-01-01, the earliest time that a zip archive can hold
EPOCH = "315532800"


def read(source: pathlib.Path, name: str, what: str) -> str:
    try:
        return (source / name).read_text("utf-8")
    except FileNotFoundError:
        raise ReleaseError(f"{source / name} is missing; it is the {what} of the app.") from None
    except UnicodeDecodeError:
        raise ReleaseError(f"{source / name} is no UTF-8 text.") from None


def lock_of(source: pathlib.Path, given: str | None) -> str:
    """Name of the lock file."""
    if given:
        return given
    there = [name for name in LOCKS if (source / name).exists()]
    if len(there) > 1:
        raise ReleaseError(
            f"{source} has {' and '.join(there)}; say by `requirements` which of them is the lock."
        )
    return there[0] if there else LOCK


def last_commit(source: pathlib.Path) -> str | None:
    """Id of the last commit; None outside a git checkout."""
    try:
        code, output = run(
            ["git", "-C", str(source), "rev-parse", "HEAD"],
            f"ask git about {source}",
            30,
            environment=os.environ,
        )
    except ReleaseError:
        return None
    return output.strip() if code == 0 else None


def check_lock(text: str, source: str, own: str) -> None:
    """Raise ReleaseError for a lock that could be installed on no host."""
    if is_pylock(text):
        parse_pylock(text, source, own).check()
    else:
        parse_lock(text, source)


def build(params: dict[str, Any]) -> dict[str, Any]:
    source, output = pathlib.Path(params["source"]), pathlib.Path(params["output"])
    lock_name = lock_of(source, params["requirements"])
    lock = read(source, lock_name, "lock file")
    procfile = read(source, params["procfile"], "Procfile")
    parse_procfile(procfile)
    environment = {"SOURCE_DATE_EPOCH": EPOCH, **os.environ}
    environment |= {key: str(value) for key, value in params["environment"].items()}
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        code, said = run(
            [params["uv"], "build", "--wheel", "--out-dir", directory, str(source)],
            f"build {source}",
            TIMEOUT,
            environment=environment,
            remedy="it comes from PyPI: pip install uv",
        )
        if code:
            raise ReleaseError(f"Could not build {source}: uv ended with {code}:\n{said[-3000:]}")
        wheels = list(pathlib.Path(directory).glob("*.whl"))
        if len(wheels) != 1:
            raise ReleaseError(f"The build of {source} made {len(wheels)} wheels; expected one.")
        try:
            wheel = read_distribution(wheels[0])
        except DistributionError as error:
            raise ReleaseError(f"Could not build {source}: {error}") from error
        name, version = wheel.name, wheel.version
        if params["version"] and version != params["version"]:
            raise ReleaseError(
                f"{source} builds {name} {version}, but {params['version']} was asked for; "
                "set the version there, or give the build what it takes it from (environment)."
            )
        target = output / wheels[0].name
        before = hashlib.sha256(target.read_bytes()).hexdigest() if target.exists() else None
        check_lock(lock, str(source / lock_name), name)
        member = PYLOCK if is_pylock(lock) else LOCK
        digest = embed(wheels[0], target, {member: lock, PROCFILE: procfile})
    return {
        "changed": digest != before,
        "name": name,
        "version": version,
        "path": str(target),
        "sha256": digest,
        "commit": last_commit(source),
    }


def main() -> None:
    module = DiscreetModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "output": {"type": "path", "required": True},
            "version": {"type": "str"},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "requirements": {"type": "str"},
            "procfile": {"type": "str", "default": "Procfile"},
            "uv": {"type": "str", "default": "uv"},
        },
        supports_check_mode=False,
    )
    params = module.take_params()
    try:
        result = build(params)
    except ReleaseError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"Could not build {params['source']}: {error}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
