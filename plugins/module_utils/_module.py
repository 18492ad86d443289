# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that repeats no secret. The only one of the private files that needs Ansible."""

from __future__ import annotations

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    printable,
    without_passwords,
    without_passwords_within,
)

HIDDEN = "VALUE_NOT_SHOWN"


class SecretSafeModule(AnsibleModule):  # type: ignore[misc]  # ansible-core is not typed
    """Never shows what came in a parameter that is marked no_log, nor in an unknown one, nor a URL's password.

    Ansible itself replaces every occurrence of every such value in the output, and a value like
    "1" or the app's own name would garble it. It also misses values that come as JSON text, and
    those under a misspelt parameter. What a module of this collection says holds no such value, so
    it is enough that the parameters, which Ansible repeats, do not.
    """

    def take_params(self) -> dict[str, Any]:
        """The parameters; from now on the module itself has none that is secret."""
        params = dict(self.params)
        self._hide()
        return params

    def _hide(self) -> None:
        for name, value in self.params.items():
            public = name in self.argument_spec and not self.argument_spec[name].get("no_log")
            if public:
                self.params[name] = without_passwords_within(value)
            elif value is not None and not name.startswith("_ansible"):
                keys = isinstance(value, dict)
                self.params[name] = dict.fromkeys(value, HIDDEN) if keys else HIDDEN
        self.no_log_values.clear()
        # From ansible-core 2.22 on a module names such values to the controller, which from then on
        # replaces each occurrence in all that it prints, be the value "1".
        if hasattr(self, "_new_secrets"):
            self._new_secrets.flush()

    def fail_json(self, msg: str, **results: Any) -> NoReturn:
        # arguments that are wrong come here before anybody could take the parameters
        self._hide()
        super().fail_json(printable(without_passwords(msg)), **results)
        raise AssertionError("fail_json has returned")

    def warn(self, warning: str, **more: Any) -> None:
        super().warn(printable(without_passwords(warning)), **more)
