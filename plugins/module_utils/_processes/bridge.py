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
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import sandbox
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

# In the directory $0 for the processes "$@". ln fails where somebody else was faster.
STAND_IN = """
cd "$0" || exit
echo ready
while sleep 0.01 && test -d "$0"; do
    for name; do
        test -e "../$name.sock" || ln "$name.sock" "../$name.sock"
    done
done
"""

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

    @contextlib.contextmanager
    def standing_in(self, names: Iterable[str]) -> Iterator[None]:
        """Whatever name of a socket is removed meanwhile, the bridge has it a moment later.

        Pivots of earlier versions end without giving their names to anybody. Not done by root, because the
        directory is the app's. Raises DeployError.
        """
        command = [
            *sandbox.APP_EXEC,
            self.home.app,
            "sh",
            "-c",
            STAND_IN,
            str(self.run_directory),
            *names,
        ]
        # run() would wait for its end
        with subprocess.Popen(  # pylint: disable=ansible-bad-function
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            try:
                if not (process.stdout and process.stdout.readline()):
                    raise DeployError(
                        f"Could not start a command in the sandbox of {self.home.app}."
                    )
                yield
            finally:
                process.terminate()

    def end(self) -> None:
        """Have its processes end once their connections have, and leave nothing of it."""
        self.stop_bridge()
        with contextlib.suppress(FileNotFoundError):
            self.configuration_path.unlink()


def configuration(app: str, names: Iterable[str]) -> str:
    """Circus's configuration for these processes."""
    # In the /tmp of its unit: nobody connects to them, and below /run an app could write without a limit.
    head = (
        "[circus]\nendpoint = ipc:///tmp/bridge-control.sock\n"
        "pubsub_endpoint = ipc:///tmp/bridge-pubsub.sock\ncheck_delay = 0.5\n"
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
        "ExecStopPost": f"rm --recursive --force {run_directory}",
    }
    return [
        "systemd-run", "--quiet", "--collect", f"--unit={unit}",
        f"--description=Processes of {app} while its supervisor is restarted",
        *(f"--property={name}={value}" for name, value in properties.items()),
        "--", CIRCUSD, str(path),
    ]  # fmt: skip
