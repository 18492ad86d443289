# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of its apps, for the playbooks and for the role app."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app import listen
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app import settings as judge
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import (
    Settings,
    apps_on,
    hosts_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.validation import (
    settings_problems,
)


def app_complete(settings: Settings, app: str, keys: Iterable[str] | None = None) -> dict[str, Any]:
    try:
        return judge.complete(settings, app, keys)
    except LookupError as error:
        raise AnsibleFilterError(str(error)) from error


def app_setting(settings: Settings, key: str, app: str) -> Any:
    try:
        return judge.setting(settings, key, app)
    except LookupError as error:
        raise AnsibleFilterError(str(error)) from error


def app_with_version(settings: dict[str, Any], version: Any) -> dict[str, Any]:
    made = settings.copy()  # which leaves what is still a template what it is
    made["version"] = version
    made.pop("wheel_sha256", None)  # it is that of the version in there
    return made


def app_settings_problems(settings: Settings, app: str, prefix: str = "") -> list[str]:
    return [str(problem) for problem in settings_problems(settings, app, prefix)]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "app_complete": app_complete,
            "app_has_site": judge.has_site,
            "app_health_paths": listen.health_paths,
            "app_hosts": hosts_of,
            "app_listeners": listen.site,
            "app_process_options": listen.process_options,
            "app_proxy_listeners": listen.proxy_site,
            "app_setting": app_setting,
            "app_settings_problems": app_settings_problems,
            "app_with_version": app_with_version,
            "apps_on_host": apps_on,
        }
