# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one wheel of a source, with all in it that a release of it needs besides the config."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import (
    EPOCH,
    FOLDER,
    LOCK,
    ORIGIN,
    PROCFILE,
    PYLOCK,
    SBOM,
    embed,
    format_origin,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    Distribution,
    DistributionError,
    read_distribution,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import Index
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.pylock import is_pylock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish import (
    checkout,
    dependency_lock,
    screening,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.locking import (
    Locker,
    read_text,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.programs import (
    OUTPUT,
    Programs,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.request import (
    BuildRequest,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.sbom import complete


@dataclass(frozen=True)
class Built:
    """The wheel that was made."""

    name: str
    version: str
    path: pathlib.Path
    sha256: str
    commit: str | None
    packages: Mapping[str, str]
    changed: bool  # no wheel of these bytes was there

    def to_result(self) -> dict[str, Any]:
        return {
            "changed": self.changed,
            "name": self.name,
            "version": self.version,
            "path": str(self.path),
            "sha256": self.sha256,
            "commit": self.commit,
            "packages": dict(self.packages),
        }


class Pipeline:
    """One build, in a copy of the source below ``work``, a temporary directory."""

    def __init__(self, request: BuildRequest, work: pathlib.Path) -> None:
        self.request = request
        self.work = work
        self.checkout = checkout.find(request.source)
        if request.require_commit:
            checkout.check(request.source, self.checkout)
        self.tree = checkout.copy(request.source, self.checkout, work / "source")
        committed = self.checkout.time if self.checkout and self.checkout.time else EPOCH
        self.epoch = str(os.environ.get("SOURCE_DATE_EPOCH") or committed)
        self.programs = Programs(request, work, self.epoch)
        self.locker = Locker(request, self.programs)

    def run(self) -> Built:
        """Only the last step writes outside of the temporary directory."""
        self.prepare()
        procfile = self.read_procfile()
        wheel = self.make_wheel()
        self.screen(wheel)
        self.check_metadata(wheel)
        name, lock = self.locker.lock(self.tree, wheel)
        pins = dependency_lock.pins_of(lock, name, wheel.name)
        self.locker.try_targets(lock, name, wheel)
        files = self.embedded(lock, procfile, pins, wheel)
        return self.write(wheel, files, pins)

    # --- the steps

    def prepare(self) -> None:
        """Run the command that makes what the wheel is to hold, e.g. assets."""
        command, source = self.request.command, self.request.source
        if not command:
            return
        code, said = self.programs.shell(command, f"prepare the build of {source}", self.tree)
        if code:
            raise DeployError(
                f"Could not prepare the build of {source}: {command!r} ended with {code}:\n"
                f"{said[-OUTPUT:]}"
            )

    def read_procfile(self) -> str:
        procfile = read_text(self.tree, self.request.procfile, "Procfile")
        parse_procfile(procfile)
        return procfile

    def make_wheel(self) -> Distribution:
        source, wanted = self.request.source, self.request.version
        out = self.work / "wheel"
        words = ["build", "--wheel", "--out-dir", str(out)]
        constraints = self.tree / self.request.build_requirements
        if constraints.exists():
            words += ["--build-constraints", str(constraints), "--require-hashes"]
        code, said = self.programs.uv([*words, str(self.tree)], f"build {source}", isolated=True)
        if code:
            raise DeployError(f"Could not build {source}: uv ended with {code}:\n{said[-OUTPUT:]}")
        wheels = list(out.glob("*.whl"))
        if len(wheels) != 1:
            raise DeployError(f"The build of {source} made {len(wheels)} wheels; expected one.")
        try:
            wheel = read_distribution(wheels[0])
        except DistributionError as error:
            raise DeployError(str(error)) from error
        if wanted and wheel.version != wanted:
            raise DeployError(
                f"{source} builds {wheel.name} {wheel.version}, but {wanted} was asked for; "
                "set the version there, or give the build what it takes it from (environment)."
            )
        return wheel

    def screen(self, wheel: Distribution) -> None:
        """Refuse a wheel that must not be seen by others."""
        found = screening.look_through(wheel.path, self.request.allowed_files)
        screening.refuse(wheel.filename, found)

    def check_metadata(self, wheel: Distribution) -> None:
        if not self.request.tools:
            return
        words = ["check", str(wheel.path)]
        code, said = self.programs.twine(words, f"check {wheel.filename}")
        if code:
            raise DeployError(
                f"{wheel.filename} must not be published: twine check ended with {code}:\n"
                f"{said.strip()[-OUTPUT:]}"
            )

    def embedded(
        self, lock: str, procfile: str, pins: Sequence[Pin], wheel: Distribution
    ) -> dict[str, str]:
        """What goes into the wheel's metadata, by name."""
        member = PYLOCK if is_pylock(lock) else LOCK
        files = {
            f"{FOLDER}/{member}": lock,
            f"{FOLDER}/{PROCFILE}": procfile,
            f"{FOLDER}/{ORIGIN}": format_origin(self.origin),
        }
        if self.request.tools:
            files[SBOM] = self.bill(pins, wheel)
        return files

    @property
    def origin(self) -> str | None:
        return self.checkout.origin if self.checkout else None

    def bill(self, pins: Sequence[Pin], wheel: Distribution) -> str:
        """The bill of materials."""
        app = f"{wheel.name} {wheel.version}"
        plain = self.work / "plain.txt"
        plain.write_text(format_pins(pins, markers=False))
        document = self.work / "bill.json"
        words = ["requirements", "--output-reproducible", "--output-file", str(document)]
        if self.request.index_url:
            words += ["--index-url", Index(self.request.index_url).shown]
        what = f"make the bill of materials of {app}"
        code, said = self.programs.cyclonedx([*words, str(plain)], what)
        if code:
            raise DeployError(
                f"Could not {what}: cyclonedx-py ended with {code}:\n{said[-OUTPUT:]}"
            )
        return complete(document.read_text("utf-8"), wheel.name, wheel.version)

    def write(self, wheel: Distribution, files: Mapping[str, str], pins: Sequence[Pin]) -> Built:
        output = self.request.output
        output.mkdir(parents=True, exist_ok=True)
        target = output / wheel.filename
        before = hashlib.sha256(target.read_bytes()).hexdigest() if target.exists() else None
        digest = embed(wheel.path, target, files, int(self.epoch))
        return Built(
            name=wheel.name,
            version=wheel.version,
            path=target,
            sha256=digest,
            commit=self.origin,
            packages={pin.name: pin.version for pin in pins},
            changed=digest != before,
        )
