# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deploy would do on this host, by the plans of the modules that would do it. Changes nothing.

Nobody is kept from anything meanwhile. What changes between two readings is something that a deploy
meets under its lock, so whatever is not as it should be sends the caller there.
"""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import LockFile
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import inspection
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.host_setup import (
    missing,
    needs_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.nginx_site import (
    astray,
    read_site,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch import (
    plan_switch,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch_plan import (
    SwitchRequest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.install import (
    InstallPlan,
    plan_install,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.request import (
    INPUTS,
    InstallRequest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.static_files import (
    unpublished,
)

BASE = "/srv"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    **INPUTS,
    "packages": {"type": "list", "elements": "str", "default": []},
    "static_files": {"type": "dict"},
    "media": {"type": "list", "elements": "str", "default": []},
    "listening": {"type": "list", "elements": "str", "default": []},
    "schedule_host": {"type": "bool", "default": True},
}


@dataclass(frozen=True)
class DeployRequest:
    """What a deploy would have on a host."""

    params: Mapping[str, Any] = field(repr=False)  # by ARGUMENTS; has secrets

    @property
    def app(self) -> str:
        return str(self.params["app"])


@dataclass(frozen=True)
class Pending:
    """What there is to do, as sentences, none where there is nothing; and the release, if it is known."""

    todo: tuple[str, ...]
    release: str | None = None
    warnings: tuple[str, ...] = ()
    unprepared: tuple[str, ...] = ()  # what the host lacks, see host_setup


def find_pending(request: DeployRequest) -> Pending:
    """What keeps a deploy from being planned is something that it would say itself."""
    plan: InstallPlan | None = None
    try:
        home = AppHome.of(request.app)
        plan = plan_install(home, InstallRequest.from_params(request.params))
        todo = tuple(_steps(home, plan, request))
    except (DeployError, OSError) as error:
        todo = (str(error),)
    return Pending(
        todo,
        release=plan.release if plan else None,
        # of a deploy that goes on they are said by what installs
        warnings=plan.warnings if plan and not todo else (),
        unprepared=_unprepared(request, plan.processes if plan else {}),
    )


def _unprepared(request: DeployRequest, processes: Mapping[str, str]) -> tuple[str, ...]:
    try:
        needs = needs_of(request.params, processes, request.params["media"])
    except DeployError:  # said as what keeps the deploy from being planned
        return ()
    return tuple(missing(request.app, needs))


def _steps(home: AppHome, plan: InstallPlan, request: DeployRequest) -> Iterator[str]:
    lock = LockFile(request.app).read()
    if lock is not None:
        yield f"{request.app} is locked by {lock.owner}"
    if request.params["wheelhouse"]:
        yield "the wheels are to be copied: those of the controller may be others by now"
    missing = missing_packages(request.params["packages"])
    if missing:
        yield f"{', '.join(missing)} is to be installed by apt"
    result = plan.result()
    if result["changed"] or plan.release is None:
        yield f"{plan.release or plan.version} is to be installed, or others are to be removed"
        return
    wanted = SwitchRequest(
        plan.release,
        dict(request.params["formation"]),
        schedule_host=request.params["schedule_host"],
    )
    if plan_switch(Supervisor(home), wanted).needed:
        yield f"{plan.release} is to be switched to"
    # the look of whoever asks at the end of a deploy
    look = inspection.InspectionRequest(0, probe=False, details=False, bridge=False)
    looked = inspection.read(home, look)
    yield from looked.drift()
    # a run that was cut off between the switch and nginx
    if types := request.params["listening"]:
        yield from astray(read_site(request.app), request.app, looked.listening(), types)
    directories = request.params["static_files"]
    if directories is not None and unpublished(home, directories):
        yield "static files are to be published"


def missing_packages(names: Sequence[str]) -> list[str]:
    """Which Debian packages are not installed, or known under another name only."""
    if not names:
        return []
    form = "${Package} ${db:Status-Status}\n"
    # it fails where one is not known, and says of the others what they are
    _code, output = run(
        ["dpkg-query", "--show", f"--showformat={form}", "--", *names],
        "ask dpkg",
        30.0,
        whole=ANSWER,
    )
    installed = {line.split()[0] for line in output.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def read_host(app: str) -> dict[str, Any]:
    """What a deploy requires of a host before it begins."""
    space = os.statvfs(BASE)
    _code, state = run(["systemctl", "is-active", "nginx"], "ask systemd", 30.0, whole=ANSWER)
    try:
        current = pathlib.Path(os.readlink(pathlib.Path(BASE, app, "current"))).name
    except OSError:
        current = None
    return {
        "clock": time.time(),
        "free": space.f_bavail * space.f_frsize,
        # the word says more than the code
        "nginx": state.strip(),
        "current": current,
    }
