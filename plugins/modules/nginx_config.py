#!/usr/bin/python

# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a set of files into nginx's configuration as one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_config
short_description: Change nginx's configuration as one transaction
version_added: "0.1.0"
author:
  - twelvefactor.deploy contributors (@twelvefactor)
description:
  - Installs a named set of files below C(/etc/nginx) and reloads nginx, or leaves both unchanged.
    With O(started), it starts one that does not run.
  - The whole tree is copied, the changes are put into the copy, and C(nginx -t) tests exactly that
    copy. Only then are the files renamed into place, one by one, and nginx reloaded, once for all
    of them.
  - The module returns when workers of the new configuration serve, and every name of every server
    has responded on this host, over TLS with the server's own certificate. The request is a
    C(TRACE), to which nginx responds itself, so that no app gets it. If the workers do not start or
    a server does not respond, the previous files are restored and reloaded.
  - A name that a server of the set would share with another one at the same address is refused.
    nginx only warns of it, and would never use one of the two.
  - For the test to see the copy, C(nginx.conf) must include its parts by relative paths, or by
    absolute ones below C(/etc/nginx), which are made to name the copy while testing.
  - A set owns the files that it has written. A file that is no longer listed is removed. Files of
    other sets, of packages and of other tools are never overwritten, unless O(replace) or
    O(absent) names them.
  - An interrupted run is undone by the next one.
requirements:
  - nginx 1.19.5 or newer, run by systemd as C(nginx.service), on the host.
  - The program C(openssl) on the host, for O(self_signed).
  - The module has to run as root.
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
    description:
      - The test of the whole configuration is made in check mode too. Where it cannot be made,
        because nginx is not installed yet, or a file of O(copies) or O(self_signed) does not exist
        yet, a warning says so. A certificate that is to be renewed is tested as it is.
  diff_mode:
    support: full
    description:
      - Of files that are not world-readable, only a fingerprint is shown.
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  name:
    description:
      - Name of the set of files, in lower case letters, digits, V(-), V(_) and V(.).
    type: str
    required: true
  files:
    description:
      - Files of the set, path relative to C(/etc/nginx) to content. Mode 0644.
    type: dict
    default: {}
  secret_files:
    description:
      - As O(files), with mode 0600. The content is never shown.
      - For private keys.
    type: dict
    default: {}
  worker_files:
    description:
      - As O(secret_files), with group C(www-data) and mode 0640. Directories of theirs get mode 0750
        where they are new, or where workers cannot enter them.
      - For password files. Workers of nginx read them at each request, so that their change alone
        reloads nothing. One that is no longer listed is removed after nginx was reloaded, and with
        O(reload=false) at once.
    type: dict
    default: {}
    version_added: "0.1.0"
  copies:
    description:
      - Files of the set, path relative to C(/etc/nginx) to the absolute path of a file that exists
        on the host. The permissions are copied too.
      - For keys that never leave the host.
    type: dict
    default: {}
  self_signed:
    description:
      - Certificates of the set that a small CA of this host signs, with the program C(openssl).
        They are made when they are missing, for other names, and in the last third of their lifetime.
      - What a client has to trust is the CA. It is made once and never replaced.
    type: dict
    version_added: "0.1.0"
    suboptions:
      authority:
        description: Common name of the CA, if it has to be made, of at most 64 characters.
        type: str
        required: true
      days:
        description: Lifetime of the certificates, at most V(10950). None ends after the CA.
        type: int
        default: 3650
      certificates:
        description: The certificates.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description:
              - Name of the files C(certificates/<name>.pem) and C(certificates/<name>.key).
            type: str
            required: true
          alternative_names:
            description:
              - What the certificate is for, as V(DNS:shop.example.org) or V(IP:192.0.2.1). The first
                is its common name, too. Domains with other letters than those of ASCII are converted.
            type: list
            elements: str
            required: true
          trust:
            description:
              - Whether to write the certificate of the CA to C(certificates/<name>.trust.pem).
            type: bool
            default: true
  absent:
    description:
      - Paths relative to C(/etc/nginx) that must not exist, even if another set or a package installed them.
    type: list
    elements: str
    default: []
  replace:
    description:
      - Paths out of O(files), O(secret_files), O(worker_files) or O(copies) that may be overwritten even if the set
        did not write them.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(present) makes the set consist of exactly the files given.
      - V(absent) removes every file of the set.
    type: str
    choices: [present, absent]
    default: present
  reload:
    description:
      - Whether to reload a running nginx.
    type: bool
    default: true
  started:
    description:
      - Whether nginx has to run. One that does not is started as it would be reloaded, with the
        same test and verification, and is enabled, so that it starts at boot.
      - Without it, a stopped nginx stays stopped.
    type: bool
    default: false
    version_added: "0.1.0"
  lock_generation:
    description:
      - Number of the deploy lock that this run holds of the app that the set is named after, as
        RV(twelvefactor.deploy.deploy_lock#module:generation) says. Nothing is changed, and the module
        fails, where the run does not hold that lock any more.
      - Without it, the lock is not checked, nor is it in check mode.
    type: int
    version_added: "0.1.0"
seealso:
  - name: Command-line parameters of nginx
    description: What C(nginx -t) does.
    link: https://nginx.org/en/docs/switches.html
"""

EXAMPLES = r"""
- name: Serve a static site
  twelvefactor.deploy.nginx_config:
    name: handbook
    files:
      sites-enabled/handbook.conf: |
        server {
            listen 80;
            server_name handbook.example.org;
            root /srv/handbook;
        }

- name: Replace nginx.conf and remove Debian's default site
  twelvefactor.deploy.nginx_config:
    name: main
    files:
      nginx.conf: "{{ lookup('ansible.builtin.template', 'nginx.conf.j2') }}"
    replace: [nginx.conf]
    absent: [sites-enabled/default]

- name: Add a certificate with its key
  twelvefactor.deploy.nginx_config:
    name: shop-certificate
    files:
      certificates/shop.pem: "{{ shop_certificate }}"
    secret_files:
      certificates/shop.key: "{{ shop_certificate_key }}"

- name: Serve a site with a certificate of the host's own CA
  twelvefactor.deploy.nginx_config:
    name: wiki
    files:
      sites-enabled/wiki.conf: |
        server {
            listen 443 ssl;
            server_name wiki.example.org;
            ssl_certificate certificates/wiki.pem;
            ssl_certificate_key certificates/wiki.key;
            root /srv/wiki;
        }
    self_signed:
      authority: CA of host1
      certificates:
        - name: wiki
          alternative_names: [DNS:wiki.example.org]

- name: Require a password for a site
  twelvefactor.deploy.nginx_config:
    name: reports
    files:
      sites-enabled/reports.conf: |
        server {
            listen 80;
            server_name reports.example.org;
            auth_basic reports;
            auth_basic_user_file htpasswd/reports;
            root /srv/reports;
        }
    worker_files:
      htpasswd/reports: "joe:{{ reports_password_hash }}\n"

- name: Remove the static site
  twelvefactor.deploy.nginx_config:
    name: handbook
    state: absent
"""

RETURN = r"""
changes:
  description:
    - What was changed, or would be in check mode, one entry per file, and per directory of
      O(worker_files) that workers could not enter.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path relative to C(/etc/nginx).
      returned: success
      type: str
      sample: sites-enabled/shop.conf
    action:
      description: V(created), V(updated) or V(removed).
      returned: success
      type: str
      sample: created
  sample:
    - path: sites-enabled/shop.conf
      action: created
tested:
  description: Whether C(nginx -t) has tested the whole configuration. It does when a file changes.
  returned: success
  type: bool
  sample: true
reloaded:
  description:
    - Whether nginx was reloaded, new workers serve and each server has responded. Always V(false) in
      check mode.
  returned: success
  type: bool
  sample: true
started:
  description: Whether nginx was started, or would be in check mode, because of O(started).
  returned: success
  type: bool
  sample: false
enabled:
  description: Whether nginx was enabled, or would be in check mode, because of O(started).
  returned: success
  type: bool
  sample: false
sets:
  description: Names of all sets that have files on the host afterwards.
  returned: success
  type: list
  elements: str
  sample: [main, shop]
recovered:
  description: Whether an earlier run had been interrupted, and was undone first.
  returned: success
  type: bool
  sample: false
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.fence import (
    changing,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    NginxError,
    diff,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.request import (
    read_request,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.service import SystemdNginx
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.transaction import (
    Transaction,
)

ROOT = Path("/etc/nginx")
STATE = Path("/var/lib/twelvefactor/nginx")

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "files": {"type": "dict", "default": {}},
    "secret_files": {"type": "dict", "default": {}, "no_log": True},
    "worker_files": {"type": "dict", "default": {}, "no_log": True},
    "copies": {"type": "dict", "default": {}},
    "self_signed": {
        "type": "dict",
        "options": {
            "authority": {"type": "str", "required": True},
            "days": {"type": "int", "default": 3650},
            "certificates": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "alternative_names": {"type": "list", "elements": "str", "required": True},
                    "trust": {"type": "bool", "default": True},
                },
            },
        },
    },
    "absent": {"type": "list", "elements": "str", "default": []},
    "replace": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "reload": {"type": "bool", "default": True},
    "started": {"type": "bool", "default": False},
    "lock_generation": {"type": "int"},
}


def fenced(params: dict[str, Any], *, check: bool) -> AbstractContextManager[None]:
    """Where the set is that of an app in a rollout, its run must still hold the app's deploy lock."""
    generation = params["lock_generation"]
    return nullcontext() if check or generation is None else changing(params["name"], generation)


def main() -> None:
    # not into the host's journal, either: a snippet of a site may hold a login for an upstream
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True, no_log=True)
    transaction = Transaction(ROOT, STATE, SystemdNginx())
    try:
        with fenced(module.params, check=module.check_mode):
            request = read_request(module.params, check=module.check_mode)
            outcome = transaction.apply(
                request, check=module.check_mode, reload=module.params["reload"]
            )
    except (NginxError, DeployError) as error:
        module.fail_json(msg=str(error))
    for warning in outcome.warnings:
        module.warn(warning)
    result: dict[str, Any] = {
        "changed": outcome.changed,
        "changes": [
            *({"path": change.path, "action": change.action} for change in outcome.changes),
            *({"path": path, "action": "updated"} for path in outcome.opened),
        ],
        "tested": outcome.tested,
        "reloaded": outcome.reloaded,
        "started": outcome.started,
        "enabled": outcome.enabled,
        "sets": list(outcome.sets),
        "recovered": outcome.recovered,
    }
    if module._diff:  # the documented flag of AnsibleModule, in spite of its name
        result["diff"] = diff(outcome.changes, str(ROOT), outcome.opened)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
