#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment that holds exactly what a lock names, or is not there at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: locked_environment
short_description: Manage a virtual environment from a lock file with hashes
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Makes a virtual environment from a lock with hashes. It is complete, or it is not there at all.
  - Each environment is a directory of its own below C(<path>.d), named by the version of Python and
    by a hash of all that it was made from. O(path) is a link to it, which is renamed into place when
    the environment is complete. Programs find either all of the old one or all of the new one.
  - It is made again when the lock, O(files), an option or the host's Python changed, and when it is
    damaged, that is when a package, a file of a package or the interpreter is missing, when a file of
    a package has another size, or when something else was installed into it.
  - What an interrupted run left is removed by the next one. An older environment is removed when no
    running program was started from it, at once or by a later run. That is not reported as a change.
  - A virtual environment that stands at O(path) itself, as C(python3 -m venv) makes it, is replaced by
    the link, at once where the filesystem can swap two names. Anything else there is refused.
  - Packages are installed by uv, from wheels, with hashes, and compiled to bytecode. The host gets its
    own copy of uv at first need, in C(/usr/local/lib/twelvefactor/uv-<version>), by the pip that Python
    brings along as a wheel, pinned by hash.
  - A user's configuration of pip and uv is never read, and all users of the host may read and run what is
    installed, whatever the umask is.
requirements:
  - On the host, Python 3.11 or newer with C(venv) and a wheel of pip. Debian has both in the package
    C(python3-venv).
  - Write access to C(/usr/local/lib/twelvefactor) and to the parent directory of O(path), which root has.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
    description:
      - Works on a host that has neither the interpreter nor C(python3-venv) yet. Without the interpreter
        the markers of the lock are not evaluated.
      - Whether the index has the packages is found out by installing them only.
  diff_mode:
    support: full
    description:
      - Shows which packages come, go or change their version.
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  path:
    description:
      - Absolute path of the link to the environment. A program of it is C(<path>/bin/<program>).
      - A parent directory that does not exist is created with mode 0755.
    type: path
    required: true
  lock:
    description:
      - Text of a requirements file in which every package is pinned by C(==) and has a sha256, as
        C(uv pip compile --generate-hashes) writes it.
      - What is marked for other platforms or other versions of Python is left out.
      - Required if O(state=present).
    type: str
  python:
    description:
      - Interpreter that the environment is made with.
    type: path
    default: /usr/bin/python3
  index_url:
    description:
      - URL of the simple pages of a package index. A user name and a password in it go to the
        installer in a file that only root can read.
      - Without it, the C(index-url) that C(PIP_INDEX_URL) in the task's environment or
        C(/etc/pip.conf) names, or else the public index.
    type: str
  netrc:
    description:
      - File of C(machine HOST login USER password PASSWORD), for an index that asks for a login and whose
        O(index_url) has none. It need not exist. An entry C(default) is not used.
    type: path
    default: /etc/twelvefactor/netrc
  ca_path:
    description:
      - File with the CA certificates that the index is verified with, in PEM.
      - Without it, C(/etc/twelvefactor/ca/HOST.pem), if there is one for the host of O(index_url), or else
        what the system trusts.
    type: path
  no_binary:
    description:
      - Packages that are built from source on the host, because there is no wheel of them. Their code
        runs as root while they are built.
      - What builds them comes from O(lock) where it is named there, and is then checked against its
        hashes. List it there.
    type: list
    elements: str
    default: []
  files:
    description:
      - Further files of the environment, such as a plugin or settings, from a path relative to
        C(site-packages) to the content.
      - A C(<name>-<version>.dist-info/METADATA) among them makes the rest known as a package.
    type: dict
    default: {}
  uv:
    description:
      - Path of a uv to use instead of the one that this module keeps on the host.
    type: path
  timeout:
    description:
      - Seconds that the installer may take, and that another run for the same path is waited for.
    type: int
    default: 900
  request_timeout:
    description:
      - Seconds that the index may take for one response.
    type: int
    default: 30
  state:
    description:
      - V(present) keeps a complete environment at O(path).
      - V(absent) removes the link and every environment of it.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: twelvefactor.deploy.release
  - name: Requirements with hashes
    description: What is checked before a package is installed.
    link: https://pip.pypa.io/en/stable/topics/secure-installs/
"""

EXAMPLES = r"""
- name: Install a tool for all users of the host
  twelvefactor.deploy.locked_environment:
    path: /opt/tool
    lock: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
  notify: Restart the tool

- name: Install it from an index that requires a password
  twelvefactor.deploy.locked_environment:
    path: /opt/tool
    lock: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
    index_url: "https://installer:{{ vault_index_password | urlencode }}@index.example.org/root/pypi/+simple/"
    ca_path: /etc/ssl/certs/company.pem

- name: Build the one package that has no wheel, and add a plugin
  twelvefactor.deploy.locked_environment:
    path: /opt/tool
    lock: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
    no_binary: [pyramid-chameleon]
    files:
      tool_plugin.py: "{{ lookup('ansible.builtin.file', 'tool_plugin.py') }}"

- name: Remove it
  twelvefactor.deploy.locked_environment:
    path: /opt/tool
    state: absent
"""

RETURN = r"""
environment:
  description: Directory that the link names, or would in check mode. Empty if O(state=absent).
  returned: success
  type: str
  sample: /opt/tool.d/3.13.5-4c1b6f0d92ae
python:
  description:
    - Version of the interpreter, V(unknown) in check mode where it is not installed yet. Empty if
      O(state=absent).
  returned: success
  type: str
  sample: 3.13.5
packages:
  description: Version of each package of the environment.
  returned: success
  type: dict
  sample: {circus: 0.19.0, tornado: 6.5.2}
changes:
  description:
    - Packages that came, went or changed their version, or would in check mode. An environment that
      was damaged is made again with the same ones.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the package.
      returned: success
      type: str
      sample: tornado
    before:
      description: Version before. Empty if there was none.
      returned: success
      type: str
      sample: 6.5.1
    after:
      description: Version after. Empty if it was removed.
      returned: success
      type: str
      sample: 6.5.2
  sample:
    - name: tornado
      before: 6.5.1
      after: 6.5.2
reasons:
  description: Why the environment is changed. Empty if it is not.
  returned: success
  type: list
  elements: str
  sample: [other packages are locked]
"""

from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment.installer import (
    Installer,
    describe,
    index_to_use,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment.plan import (
    Found,
    Plan,
    Request,
    check_place,
    compare,
    decide,
    decide_absent,
    diff,
    make_request,
    packages_before,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._locked_environment.store import (
    Store,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule

ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "lock": {"type": "str"},
    "python": {"type": "path", "default": "/usr/bin/python3"},
    "index_url": {"type": "str", "no_log": True},
    "netrc": {"type": "path", "default": "/etc/twelvefactor/netrc"},
    "ca_path": {"type": "path"},
    "no_binary": {"type": "list", "elements": "str", "default": []},
    "files": {"type": "dict", "default": {}},
    "uv": {"type": "path"},
    "timeout": {"type": "int", "default": 900},
    "request_timeout": {"type": "int", "default": 30},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def read_request(params: dict[str, Any], *, check: bool) -> Request | None:
    """The module's parameters as a request; None for no environment at all."""
    if params["state"] == "absent":
        return None
    return make_request(
        params["path"],
        params["lock"],
        describe(params["python"], predicted=check),
        params["files"],
        params["no_binary"],
    )


def make_installer(params: dict[str, Any]) -> Installer:
    return Installer(
        index_url=index_to_use(params["index_url"], params["netrc"]),
        ca_path=params["ca_path"],
        timeout=params["timeout"],
        request_timeout=params["request_timeout"],
        uv=params["uv"],
    )


def plan_for(store: Store, request: Request | None) -> tuple[Found, Plan]:
    """Read what is on the host, and decide. Writes nothing."""
    found = store.inspect(request)
    return found, decide(request, found) if request else decide_absent(store.path, found)


def to_result(store: Store, request: Request | None, found: Found, plan: Plan) -> dict[str, Any]:
    packages = request.packages if request else {}
    before = packages_before(found)
    shown = {"diff": diff(store.path, found, plan, packages)} if plan.changed else {}
    return shown | {
        "changed": plan.changed,
        "environment": str(store.directory / plan.use) if plan.use else "",
        "python": request.interpreter.version if request else "",
        "packages": packages,
        "changes": compare(before, packages) if plan.changed else [],
        "reasons": list(plan.reasons),
    }


def main() -> None:
    module = SecretSafeModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "present", ["lock"])],
        supports_check_mode=True,
    )
    params = module.take_params()
    warnings: list[str] = []
    try:
        store = Store(check_place(params["path"]))
        request = read_request(params, check=module.check_mode)
        installer = make_installer(params)
        found, plan = plan_for(store, request)
        if not (module.check_mode or plan.idle):
            with store.locked(params["timeout"]):
                found, plan = plan_for(store, request)
                warnings = installer.apply(store, request, plan)
    except DeployError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        place = error.filename2 or error.filename or params["path"]
        module.fail_json(msg=f"Could not change {params['path']}: {place}: {error.strerror}.")
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**to_result(store, request, found, plan))


if __name__ == "__main__":
    main()
