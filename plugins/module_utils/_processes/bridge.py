# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge of one app on this host: a second circusd that serves while the first one is restarted.

It runs as the app's commands do (app-exec): a unit of its own with the sandbox and the limits of the app's
unit, as they are on the disk now. Its pivots live in a directory of their own in the run directory, and what
they do there is in roles/circus/files/pivot/instance.py, ``give_up_link``.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    BRIDGE,
    UNIT_STOP_TIMEOUT,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.sandbox import (
    bridge_unit,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import Status
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import section

CIRCUSD = "/opt/circus/bin/circusd"


@dataclass(frozen=True)
class Bridge(Supervisor):
    """What the supervisor does, for the processes of the bridge."""

    @property
    def unit(self) -> str:
        return bridge_unit(self.home.app)

    @property
    def configuration_path(self) -> pathlib.Path:
        # not the name of an app
        return pathlib.Path(f"/etc/circus/{self.home.app}.{BRIDGE}.ini")

    @property
    def run_directory(self) -> pathlib.Path:
        return super().run_directory / BRIDGE

    def status(self, instance: str) -> Status | None:
        """As that of the supervisor. Raises DeployError where it has ended: nothing is worth waiting for then."""
        if not self.is_active():
            raise DeployError(
                f"{self.unit} has ended; see journalctl --namespace={self.home.app} --unit='{self.unit}'."
            )
        return super().status(instance)

    def begin(self, names: Iterable[str]) -> None:
        """Start it for these processes; one that an earlier run has left ends first."""
        self.end()
        write_atomically(self.configuration_path, configuration(self.home.app, names), 0o644)
        self._run(
            command(self.home.app, self.unit, self.configuration_path, self.run_directory),
            f"start {self.unit}",
        )

    def end(self) -> None:
        """Have its processes end once their connections have, and leave nothing of it."""
        self.stop_bridge()
        with contextlib.suppress(FileNotFoundError):
            self.configuration_path.unlink()


def configuration(app: str, names: Iterable[str]) -> str:
    """Circus's configuration for these processes."""
    sockets = f"ipc:///run/circus-{app}.{BRIDGE}"
    head = (
        f"[circus]\nendpoint = {sockets}/control.sock\npubsub_endpoint = {sockets}/pubsub.sock\n"
        "check_delay = 0.5\n"
    )
    return "\n".join([head, *(section(app, name, f" --{BRIDGE}") for name in names)])


def command(app: str, unit: str, path: pathlib.Path, run_directory: pathlib.Path) -> list[str]:
    """What starts it. Sandbox and limits come with the unit's name."""
    properties = {
        "Type": "exec",  # so that it is known whether it could be started
        "User": app,
        "Group": app,
        "KillMode": "mixed",
        "TimeoutStopSec": UNIT_STOP_TIMEOUT,
        "RuntimeDirectory": f"circus-{app}.{BRIDGE}",
        "RuntimeDirectoryMode": "0700",
        "ExecStopPost": f"rm --recursive --force {run_directory}",
    }
    return [
        "systemd-run", "--quiet", "--collect", f"--unit={unit}",
        f"--description=Processes of {app} while its supervisor is restarted",
        *(f"--property={name}={value}" for name, value in properties.items()),
        "--", CIRCUSD, str(path),
    ]  # fmt: skip
