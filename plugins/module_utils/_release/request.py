# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for, and where the build of a release comes from: a wheel, its lock, its processes."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    check_process_types,
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import (
    read_build,
    read_commit,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.authorities import (
    authorities_of,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    Index,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.login import (
    with_login_of_host,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    Environment,
    holds,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.pylock import (
    is_pylock,
    parse_pylock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    parse_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.wheelhouse import (
    Wheelhouse,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import (
    Config,
    check_options,
    complete_liveness,
    env_values,
    file_texts,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import (
    Build,
    complete_lock,
    release_ids,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.schedules import (
    complete_schedules,
)

# What a release is made of, as modules are told it; see plugins/doc_fragments/release_inputs.py.
INPUTS: dict[str, dict[str, Any]] = {
    "wheel_sha256": {"type": "str"},
    "package": {"type": "str"},
    "index_url": {"type": "str", "no_log": True},
    "wheelhouse": {"type": "path"},
    "netrc": {"type": "path", "default": "/etc/twelvefactor/netrc"},
    "ca_path": {"type": "path"},
    "requirements": {"type": "str"},
    "processes": {"type": "dict"},
    "env": {"type": "dict", "default": {}, "no_log": True},
    "config_files": {"type": "dict", "default": {}, "no_log": True},
    "formation": {"type": "dict", "default": {}},
    "health": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "path": {"type": "str", "default": "/"},
            "host": {"type": "str", "default": "localhost"},
            "count": {"type": "int", "default": 2},
        },
    },
    "liveness": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "interval": {"type": "float", "default": 2},
            "failures": {"type": "int", "default": 2},
            "timeout": {"type": "float", "default": 5},
        },
    },
    "process_options": {"type": "dict", "default": {}},
    "schedules": {"type": "dict", "default": {}},
    "log_format": {"choices": ["text", "json"], "default": "text"},
    "log_destination": {"choices": ["file", "journal"], "default": "file"},
    "python": {"type": "path", "default": "/usr/bin/python3"},
    "uv": {"type": "path", "default": "/opt/circus/bin/uv"},
    "keep": {"type": "int", "default": 5},
}


@dataclass(frozen=True)
class InstallRequest:
    """The release that is to be on a host."""

    app: str
    build: Build  # as far as it was given
    config: Config = field(repr=False)  # has secrets
    formation: Mapping[str, int]
    keep: int  # releases
    source: Index | Wheelhouse | None  # of wheels; None where that is left to the installer
    index_url: str | None = field(repr=False)  # may hold a password
    ca_path: str
    uv: str | None
    wheel_sha256: str | None = None  # of the app's own wheel, where another one is to be refused

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> InstallRequest:
        """Raises DeployError for what no host could install."""
        check_options(params["process_options"], params["health"])
        config = Config(
            env=env_values(params["env"]),
            python=params["python"],
            health=params["health"],
            options=params["process_options"],
            liveness=complete_liveness(params["liveness"]),
            log_format=params["log_format"],
            log_destination=params["log_destination"],
            schedules=complete_schedules(params["schedules"]),
            files=file_texts(params["config_files"]),
        )
        processes = params["processes"]
        index_url = with_login_of_host(params["index_url"], params["netrc"])
        ca_path = authorities_of(index_url, params["ca_path"])
        request = cls(
            app=params["app"],
            build=Build(
                package=params["package"] or params["app"],
                version=params["version"],
                requirements=params["requirements"],
                procfile=check_process_types(processes) if processes is not None else None,
            ),
            config=config,
            formation=params["formation"],
            keep=params["keep"],
            # checked even where it is only handed on to the installer
            source=source_of(index_url, params["wheelhouse"], ca_path),
            index_url=index_url,
            ca_path=ca_path,
            uv=params["uv"],
            wheel_sha256=params["wheel_sha256"],
        )
        request.check()
        return request

    def check(self) -> None:
        build = self.build
        if build.requirements is not None:
            if build.procfile is None:
                raise DeployError("With `requirements`, `processes` must say what to run.")
            if is_pylock(build.requirements):
                parse_pylock(build.requirements, lock_name(build), build.package).check()
            else:
                complete_lock(build)
        elif self.source is None:
            raise DeployError(
                "index_url is empty; without it, `requirements` says what to install."
            )


def source_of(
    index_url: str | None, wheelhouse: str | None, ca_path: str
) -> Index | Wheelhouse | None:
    if wheelhouse:
        return Wheelhouse(wheelhouse)
    return Index(index_url, ca_path) if index_url else None


def lock_name(build: Build) -> str:
    return f"the lock of {build.package} {build.version}"


def find_build(
    request: InstallRequest, home: AppHome, python: Callable[[], str]
) -> tuple[Build, str | None]:
    """The build as far as its id needs it, and a warning.

    ``python`` says major and minor version of the interpreter, where that is needed.
    """
    build, source = request.build, request.source
    if build.requirements is not None or source is None:
        return build, None
    try:
        wheel = source.find(build.package, build.version)
    except DeployError as error:
        # a version on an index does not change: what is installed here already can stand for it
        for release in home.installed():
            manifest = home.manifest(release) or {}
            known = manifest.get("wheel_sha256")
            if known and request.wheel_sha256 in (None, known):
                candidate = dataclasses.replace(build, wheel_sha256=manifest["wheel_sha256"])
                if release in release_ids(candidate, request.config, python()):
                    return candidate, f"{error} Went on because {release} is installed already."
        raise
    if request.wheel_sha256 not in (None, wheel.sha256):
        raise DeployError(
            f"{source.shown} has {wheel.name} with the sha256 {wheel.sha256}, but wheel_sha256 is "
            f"{request.wheel_sha256}: the version was replaced, or that is the hash of another one. "
            "Find out which, and publish a new version or correct wheel_sha256."
        )
    return dataclasses.replace(build, wheel_url=wheel.url, wheel_sha256=wheel.sha256), None


def read_contents(
    build: Build, source: Index | Wheelhouse | None, environment: Environment
) -> Build:
    """The build with its lock and its process types, read from the wheel where need be."""
    if build.requirements is not None or source is None:
        return with_requirements(build, environment)
    wheel = source.find(build.package, build.version)
    if wheel.sha256 != build.wheel_sha256:
        raise DeployError(f"{wheel.name} changed on {source.shown} during this run.")
    content = io.BytesIO(source.read(wheel))
    lock, procfile = read_build(content, wheel.name)
    commit = read_commit(content, wheel.name)
    missing = [name for name, text in (("requirements", lock), ("processes", procfile)) if not text]
    if build.procfile is not None:
        missing = [name for name in missing if name != "processes"]
    if missing:
        raise DeployError(
            f"{wheel.name} does not carry its {' and '.join(missing)}: it was not made by "
            f"playbooks/publish.yml. Give them to this module."
        )
    processes = build.procfile if build.procfile is not None else parse_procfile(procfile or "")
    build = dataclasses.replace(build, requirements=lock, procfile=processes, commit=commit)
    return with_requirements(build, environment)


def with_requirements(build: Build, environment: Environment) -> Build:
    """The build with its lock in the form that both installers take."""
    text = build.requirements or ""
    if not is_pylock(text):
        return build
    lock = parse_pylock(text, lock_name(build), build.package)
    return dataclasses.replace(build, requirements=lock.requirements(environment))


def pins_for(build: Build, environment: Environment) -> list[Pin]:
    """What of a build's lock is meant for this host's interpreter."""
    pins = parse_lock(complete_lock(build), lock_name(build))
    return [pin for pin in pins if not pin.marker or holds(pin.marker, environment)]
