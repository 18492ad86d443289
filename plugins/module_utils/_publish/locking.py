# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a build: that of the source, or one that is made now; and whether the fleet can install it."""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import (
    LOCK,
    LOCKS,
    read_build,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    Distribution,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import Index
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
    parse_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish import (
    dependency_lock,
    quarantine,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.programs import (
    OUTPUT,
    Programs,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.request import (
    BuildRequest,
)

ROUNDS = 20  # of locking without what is too young


def read_text(source: pathlib.Path, name: str, what: str) -> str:
    try:
        return (source / name).read_text("utf-8")
    except FileNotFoundError:
        raise DeployError(f"{name} is missing; it is the {what} of the app.") from None
    except UnicodeDecodeError:
        raise DeployError(f"{name} is not UTF-8 text.") from None


def lock_of(source: pathlib.Path, given: str | None) -> str | None:
    """Name of the lock file; None where the source has none."""
    if given:
        return given
    there = [name for name in LOCKS if (source / name).exists()]
    if len(there) > 1:
        raise DeployError(
            f"The source has {' and '.join(there)}; say by `requirements` which is the lock."
        )
    return there[0] if there else None


def version_key(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


@dataclass(frozen=True)
class Locker:
    request: BuildRequest
    programs: Programs

    @property
    def work(self) -> pathlib.Path:
        return self.programs.work

    def lock(self, tree: pathlib.Path, wheel: Distribution) -> tuple[str, str]:
        """Name and text of the lock: that of the source, or one that is made now."""
        needed = dependency_lock.dependencies(wheel.fields)
        name = lock_of(tree, self.request.requirements)
        app = f"{wheel.name} {wheel.version}"
        if name is None:
            return LOCK, self.make(wheel, needed)
        text = read_text(tree, name, "lock file")
        pins = dependency_lock.pins_of(text, name, wheel.name)
        dependency_lock.check_complete(pins, needed, name, app)
        aged = self.hold_back(pins)
        if aged.young:
            listed = ", ".join(f"{pin.name} {pin.version}" for pin in aged.young)
            raise DeployError(
                f"{name} locks what was uploaded less than {self.request.quarantine} days ago: "
                f"{listed}. Wait, lock older versions, or list them in `quarantine_exempt`."
            )
        return name, text

    def make(self, wheel: Distribution, needed: Sequence[str]) -> str:
        """A new lock, round by round without the versions that are too young."""
        app = f"{wheel.name} {wheel.version}"
        if not needed:
            raise DeployError(
                f"{app} has no lock file and needs nothing that could be "
                f"locked; an app has a dependency at least, the server that runs it. Put a {LOCK} "
                "into the source, or list the dependencies in its metadata."
            )
        (self.work / "asked.in").write_text("".join(f"{line}\n" for line in needed))
        (self.work / "lock.txt").write_text(self.published_lock(wheel))
        refused: list[Pin] = []
        for _round in range(ROUNDS):
            text = self.compile(app, refused)
            aged = self.hold_back(dependency_lock.pins_of(text, "the new lock", wheel.name))
            if not aged.young:
                return format_pins(aged.pins)
            refused += aged.young
        raise DeployError(
            f"Found no versions for {app} that are older than "
            f"{self.request.quarantine} days, in {ROUNDS} rounds; put a {LOCK} into the source."
        )

    def compile(self, app: str, refused: Sequence[Pin]) -> str:
        """One round: what uv locks where it may not take what was refused."""
        asked, lock, without = (self.work / n for n in ("asked.in", "lock.txt", "without.txt"))
        without.write_text("".join(f"{pin.name}!={pin.version}\n" for pin in refused))
        words = ["pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        words += ["--python-version", min(self.request.pythons, key=version_key)]
        words += ["--only-binary", ":all:", "--no-header", "--no-annotate"]
        words += ["--no-emit-index-url", "--no-emit-find-links", "--constraints", str(without)]
        what = f"lock the dependencies of {app}"
        code, said = self.programs.uv([*words, "--output-file", str(lock), str(asked)], what)
        if code:
            held = ", ".join(f"{pin.name} {pin.version}" for pin in refused)
            waiting = f" Too young for the quarantine are {held}." if held else ""
            raise DeployError(f"Could not {what}: uv said:\n{said[-OUTPUT:]}{waiting}")
        return lock.read_text()

    def published_lock(self, wheel: Distribution) -> str:
        """What the version was locked with when it was published; nothing if it has not been."""
        if not self.request.index_url:
            return ""
        index = Index(self.request.index_url, self.request.ca_path)
        for file in index.files(wheel.name):
            if file.name == wheel.filename and file.sha256:
                path = self.work / "published.whl"
                path.write_bytes(index.read(file))
                text = read_build(path, file.name)[0] or ""
                # uv only prefers these versions; a lock that is none has nothing to say
                with contextlib.suppress(DeployError):
                    return format_pins(parse_lock(text, file.name))
        return ""

    def hold_back(self, pins: Sequence[Pin]) -> quarantine.Aged:
        """The pins without what is too young. Raises DeployError where nobody knows how old it is."""
        request, days = self.request, self.request.quarantine
        if not days:
            return quarantine.Aged(tuple(pins), (), ())
        url = request.upload_times_url or request.index_url
        if not url:
            raise DeployError("A quarantine needs `upload_times_url`, an index with upload times.")
        index = Index(url, None if request.upload_times_url else request.ca_path)
        exempt = {canonical_name(name) for name in request.quarantine_exempt}
        times: dict[str, Mapping[str, quarantine.Uploaded] | None] = {}
        for name in {pin.name for pin in pins} - exempt:
            page = index.page(name)
            times[name] = None if page is None else quarantine.parse_upload_times(page)
        if times and not any(times.values()) and any(known is not None for known in times.values()):
            raise DeployError(
                f"{index.shown} does not say when files were uploaded, as devpi does not; give "
                "`upload_times_url`, the simple pages of an index that does, e.g. its upstream."
            )
        aged = quarantine.hold_back(pins, times, time.time() - days * quarantine.DAY, exempt)
        if aged.unknown:
            raise DeployError(
                f"{index.shown} knows {', '.join(aged.unknown)}, but not the files that are "
                "locked of it: another project of that name, or files that were taken away. "
                "Where they are your own, list them in `quarantine_exempt`."
            )
        return aged

    def try_targets(self, lock: str, name: str, app: Distribution) -> None:
        """Raise DeployError for a lock that some hosts of the fleet could not install."""
        for python in self.request.pythons:
            for platform in self.request.platforms:
                self.try_target(lock, name, app, python, platform)

    def try_target(
        self, lock: str, name: str, app: Distribution, python: str, platform: str
    ) -> None:
        requirements = self.work / "target.txt"
        requirements.write_text(dependency_lock.for_target(lock, name, app.name, python, platform))
        words = ["pip", "install", "--dry-run", "--quiet", "--no-deps"]
        words += ["--target", str(self.work / "nowhere"), "--only-binary", ":all:"]
        words += ["--python-version", python, "--python-platform", platform]
        words += ["--require-hashes", "--requirements", str(requirements)]
        target = f"Python {python} on {platform}"
        code, said = self.programs.uv(words, f"see whether {name} can be installed with {target}")
        if code:
            raise DeployError(
                f"The lock of {app.name} {app.version}, {name}, cannot be installed with "
                f"{target}: uv said:\n{said.strip()[-OUTPUT:]}"
            )
