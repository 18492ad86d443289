#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: static_files
short_description: Publish the static files of an app's releases where a web server can read them
version_added: "0.1.0"
description:
  - The directory of an app is not readable by other users. This module copies static files of its
    releases to C(/var/www/<app>), which is world-readable.
  - The files of every installed release are there. A page that the old release made finds its files
    after the switch, and where one host of several has switched, either finds them on either host.
  - Where releases have different files under one name, that of the release which serves counts.
    So run it twice, after a release was installed (its new names come) and after it was switched to
    (names that stayed get its content).
  - Files that no installed release has any more are removed from the directories named in
    O(directories). Everything else in C(/var/www/<app>) is left alone.
  - The symbolic link C(/var/www/<app>/release) names the release that serves. It makes a good part
    of the key of a cache in front of the app.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
  - twelvefactor.deploy._attributes.fenced
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the names of files.
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  app:
    description: Name of the app, which is also its user and its directory below C(/srv).
    type: str
    required: true
  directories:
    description:
      - Names of directories below C(/var/www/<app>) to the directories of a release that are
        published there. Those are looked for below the release and below its packages, where
        V(shop/static) is the directory C(static) of the package C(shop).
      - Only regular files that belong to the app's user are published.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Publish what the package shop has in its directory static
  twelvefactor.deploy.static_files:
    app: shop
    directories:
      static: shop/static
"""

RETURN = r"""
path:
  description: Directory of the published files.
  returned: success
  type: str
  sample: /var/www/shop
published:
  description: Files that were written, relative to RV(path).
  returned: success
  type: list
  elements: str
  sample: ["static/shop.3f2a9c01.css"]
removed:
  description: Files that were removed, relative to RV(path).
  returned: success
  type: list
  elements: str
  sample: ["static/shop.77aa01bc.css"]
release:
  description: The release that serves. V(null) when there is none yet.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
"""

import pathlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.static_files import (
    WEB_ROOT,
    check_directories,
    decide,
    forget_releases,
    found_files,
    publish,
    remove,
    say_release,
    wanted_files,
)


def run(
    params: dict[str, Any], check: bool, base: str = "/srv", web_root: str = WEB_ROOT
) -> dict[str, Any]:
    """Everything but Ansible."""
    directories: dict[str, str] = params["directories"]
    check_directories(directories)
    home = AppHome.of(params["app"], base, foreseen=check)
    root = pathlib.Path(web_root) / params["app"]
    with home.locked(None if check else params["lock_generation"]):
        wanted = wanted_files(home, directories)
        found = found_files(root, directories)
        changes = decide(wanted, found)
        current = home.current()
        renamed = current is not None and say_release(root, current, check=check)
        if not check:
            for name in changes.publish:
                publish(wanted[name].path, root / name, home)
            for name in changes.remove:
                remove(root, name)
            if renamed and current is not None:
                forget_releases(root, home.installed(), current)
    return {
        "changed": bool(changes.publish or changes.remove or renamed),
        "path": str(root),
        "published": list(changes.publish),
        "removed": list(changes.remove),
        "release": current,
        "diff": {
            "before": "".join(f"{name}\n" for name in sorted(found)),
            "after": "".join(f"{name}\n" for name in sorted(wanted)),
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "directories": {"type": "dict", "default": {}},
            "lock_generation": {"type": "int"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=printable(
                f"The static files of {module.params['app']} could not be published: "
                f"{error.filename or WEB_ROOT}: {error.strerror}."
            )
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
