#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Install a release of a Python web app next to the others
version_added: "0.1.0"
description:
  - A release is a build plus its config, in one directory of its own below C(/srv/<app>/releases).
    Its id is made from everything that goes in, so the same inputs give the same id on every host
    and installing it again does nothing.
  - A build is a wheel on a package index which carries its lock file and its Procfile, as the
    playbook C(twelvefactor.deploy.publish) makes it. A package that was published by somebody else
    has neither; O(requirements) and O(processes) give them.
  - Packages are installed as the app's user, from wheels only and with hashes required, so no code
    of a package runs while it is installed. They are compiled before the release counts as one.
  - What is unpacked is kept in a cache of the app, C(/srv/<app>/cache), and linked from there into
    each release that has the same package, so another release costs little time and space. Apps
    share no cache, because whoever can write into one decides what is installed from it.
  - A run that is cut off at any point leaves C(current) and every complete release as they were;
    the next one removes what it left behind and starts anew.
  - Nothing that serves is touched. M(twelvefactor.deploy.graceful_reload) makes a release serve.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names of config keys are shown, their values never.
  idempotent:
    support: full
  platform:
    platforms: debian
options:
  app:
    description: Name of the app, which is also its user, its group and its directory.
    type: str
    required: true
  state:
    description:
      - V(present) installs the release and removes old ones beyond O(keep).
      - V(absent) removes the release O(release).
    type: str
    choices: [present, absent]
    default: present
  version:
    description: Version of the build. Required for O(state=present).
    type: str
  release:
    description: Id of the release to remove. Required for O(state=absent).
    type: str
  package:
    description: Name of the distribution on the index. Defaults to the value of O(app).
    type: str
  index_url:
    description:
      - URL of the simple pages of the one index that everything comes from.
      - Without it, and without O(wheelhouse), the installer takes the index that it is made for,
        which is the public one. That is only possible with O(requirements).
      - A version of the app that was yanked there is refused; a dependency that was is installed,
        with a warning.
    type: str
  wheelhouse:
    description:
      - Directory or tarball of wheels on the host, for a host that reaches no index.
      - It must hold the app's own wheel and a wheel of everything that the lock names for this
        host; other files in it do not matter. Nothing is asked over the network.
    type: path
  netrc:
    description:
      - File with the login of an index whose O(index_url) has none, in lines
        C(machine HOST login USER password PASSWORD). It need not exist. An entry C(default) is not
        used.
    type: path
    default: /etc/twelvefactor/netrc
  ca_path:
    description: File with the CA certificates that the index is verified with, in PEM.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  requirements:
    description:
      - Text of a lock file, everything in it pinned and hashed, the package itself included. It is
        either a requirements file or a C(pylock.toml) (PEP 751).
      - Markers are judged by the interpreter of O(python). Where a C(pylock.toml) says that files
        come from does not count; its extras, and groups that are not default ones, are left out.
      - Without it the lock is taken from the wheel.
    type: str
  processes:
    description:
      - Process types and their commands, instead of the Procfile in the wheel.
      - The process type V(release) is not supervised, it prepares a release (a migration).
    type: dict
  env:
    description:
      - The app's config. Values are strings or numbers and are never shown.
    type: dict
    default: {}
  formation:
    description:
      - How many processes of each type are going to run. It is only checked here, before anything
        is installed; M(twelvefactor.deploy.graceful_reload) applies it.
    type: dict
    default: {}
  health:
    description: How a web process proves that it works, before any user's request reaches it.
    type: dict
    suboptions:
      path:
        description: Path that answers 2xx when all is well.
        type: str
        default: /
      host:
        description: Value of the Host header.
        type: str
        default: localhost
      count:
        description: How many good answers in a row are needed.
        type: int
        default: 2
  process_options:
    description:
      - Per process type, how it is started and stopped.
      - V(overlap) (default V(true)), whether the new process starts before the old one is stopped;
        V(ready_after) (5), seconds that a process must stay up, and with a socket go on answering
        its health check well, before it takes over from an older one;
        V(ready_timeout) (60), V(drain_timeout) (60) and V(stop_timeout) (30, at most 240), seconds
        that starting, draining and stopping may take;
        V(socket), whether it listens on a socket (default for the type V(web) only).
    type: dict
    default: {}
  log_format:
    description:
      - What becomes of the lines that the processes write.
      - V(text) leaves them as they are.
      - V(json) makes each an object with the field names of the Elastic Common Schema, C(@timestamp),
        C(message), C(service.name) (the app), C(service.version) (the release), C(process.name) (V(web-1))
        and C(process.pid). What the app writes as an object keeps its fields.
    type: str
    choices: [text, json]
    default: text
  log_destination:
    description:
      - Where these lines go.
      - V(file) is a file per process, which the supervisor writes.
      - V(journal) is journald, under the name C(<app>/<process>). Where it cannot be reached, lines go
        to the file.
      - The last words of a process that was moved to another release go where that one's do.
    type: str
    choices: [file, journal]
    default: file
  python:
    description: The interpreter, as a path on the host.
    type: path
    default: /usr/bin/python3
  uv:
    description: The program uv on the host. Where it is missing, pip does the work.
    type: path
    default: /opt/circus/bin/uv
  keep:
    description:
      - How many releases to keep. The current one and the one that a rollback would pick stay in
        any case.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Install version 1.4.0 of the shop
  twelvefactor.deploy.release:
    app: shop
    version: 1.4.0
    index_url: https://index.example.org/company/prod/+simple/
    env:
      DATABASE_URL: "{{ shop_database_url }}"
    health:
      path: /healthz
      host: shop.example.org

- name: Install it on a host that reaches no index
  twelvefactor.deploy.release:
    app: shop
    version: 1.4.0
    wheelhouse: /var/cache/shop-1.4.0.tar

- name: Install an app of somebody else
  twelvefactor.deploy.release:
    app: httpbin
    version: 0.10.2
    index_url: https://index.example.org/root/pypi/+simple/
    requirements: "{{ lookup('ansible.builtin.file', 'httpbin.txt') }}"
    processes:
      web: gunicorn httpbin:app
"""

RETURN = r"""
release:
  description: Id of the release. V(null) in check mode on a host that cannot reach the index yet.
  returned: success
  type: str
  sample: 1.4.0-3f2a9c01
path:
  description: Its directory. V(null) where its id is not known.
  returned: success
  type: str
  sample: /srv/shop/releases/1.4.0-3f2a9c01
current:
  description: Id of the release that C(current) names, which this module never changes.
  returned: success
  type: str
  sample: 1.3.2-90b1c2d3
processes:
  description: Process types and their commands.
  returned: O(state=present), when they are known
  type: dict
  sample: {"web": "gunicorn shop.wsgi"}
packages:
  description: Names and versions of what is installed; in check mode what would be.
  returned: O(state=present), when they are known
  type: dict
  sample: {"flask": "3.1.0"}
python:
  description: Version of the interpreter.
  returned: O(state=present), when it is known
  type: str
  sample: 3.13.5
pruned:
  description: Ids of the releases that were removed.
  returned: success
  type: list
  elements: str
  sample: ["1.2.0-11aa22bb"]
"""

import dataclasses
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    check_process_types,
    format_procfile,
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import (
    read_build,
    read_commit,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    make_directory,
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.environments import (
    find_uv,
    installed_packages,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import (
    Index,
    Unreachable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.login import (
    with_login_of_host,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    Environment,
    holds,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
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
    env_values,
    format_env,
    run_specs,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.difference import (
    Contents,
    compare,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import RUN, AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.install import (
    WHEELS,
    Installer,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import (
    RELEASE_ID,
    Build,
    check_formation,
    complete_lock,
    release_id,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.retention import to_prune


def source_of(params: dict[str, Any]) -> Index | Wheelhouse | None:
    """Where wheels come from; None where that is left to the installer."""
    if params["wheelhouse"]:
        return Wheelhouse(params["wheelhouse"])
    return Index(params["index_url"], params["ca_path"]) if params["index_url"] else None


def wanted_build(params: dict[str, Any], home: AppHome, config: Config) -> tuple[Build, str | None]:
    """The build as far as its id needs it, and a warning."""
    processes = params["processes"]
    build = Build(
        package=params["package"] or params["app"],
        version=params["version"],
        requirements=params["requirements"],
        procfile=check_process_types(processes) if processes is not None else None,
    )
    # checked even where it is only handed on to the installer
    source = source_of(params)
    if build.requirements is not None:
        if build.procfile is None:
            raise DeployError("With `requirements`, `processes` must say what to run.")
        if is_pylock(build.requirements):
            parse_pylock(build.requirements, lock_name(build), build.package).check()
        else:
            complete_lock(build)
        return build, None
    if source is None:
        raise DeployError("index_url is empty; without it, `requirements` says what to install.")
    try:
        wheel = source.find(build.package, build.version)
    except DeployError as error:
        # a version on an index does not change: what is installed here already can stand for it
        for release in home.installed():
            manifest = home.manifest(release) or {}
            if manifest.get("wheel_sha256"):
                candidate = dataclasses.replace(build, wheel_sha256=manifest["wheel_sha256"])
                if release_id(candidate, config) == release:
                    return candidate, f"{error} Went on because {release} is installed already."
        raise
    return dataclasses.replace(build, wheel_url=wheel.url, wheel_sha256=wheel.sha256), None


def lock_name(build: Build) -> str:
    return f"the lock of {build.package} {build.version}"


def with_contents(build: Build, params: dict[str, Any], environment: Environment) -> Build:
    """The build with its lock and its process types, read from the wheel where need be."""
    source = source_of(params)
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
            f"playbooks/publish.yml. Give them to this module. Nothing was changed."
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


def install(
    home: AppHome,
    installer: Installer,
    release: str,
    build: Build,
    config: Config,
    pins: Sequence[Pin],
    python: str,
    source: Index | Wheelhouse | None,
) -> list[str]:
    """Make the release's directory. It counts as a release once release.json is there, the last.

    Returns warnings.
    """
    path = home.releases / release
    processes = build.procfile or {}
    began = time.monotonic()
    make_directory(path, 0o750, os.geteuid(), home.gid)
    make_directory(path / "bin", 0o750, os.geteuid(), home.gid)
    lock = complete_lock(build)
    write_atomically(path / "env", format_env(config.env), 0o640, home.gid)
    write_atomically(path / "Procfile", format_procfile(processes), 0o640, home.gid)
    write_atomically(path / "requirements.txt", lock, 0o640, home.gid)
    write_atomically(path / "bin" / "run", RUN, 0o750, home.gid)
    if isinstance(source, Wheelhouse):
        source.unpack(pins, path / WHEELS, home.gid)
    venv = path / "venv"
    make_directory(venv, 0o750, home.uid, home.gid)
    yanked = installer.install(venv, path / "requirements.txt")
    own = f"{canonical_name(build.package)} {build.version}"
    if own in yanked:
        reason = f": {yanked[own]}" if yanked[own] else ""
        raise DeployError(f"{own} was yanked from the index{reason}. Nothing was changed.")
    if isinstance(source, Wheelhouse):
        shutil.rmtree(path / WHEELS)
    manifest = {
        "id": release,
        "app": home.app,
        "package": canonical_name(build.package),
        "version": build.version,
        "wheel_sha256": build.wheel_sha256,
        "commit": build.commit,
        "lock_sha256": hashlib.sha256(lock.encode()).hexdigest(),
        "python": python,
        "interpreter": config.python,
        "packages": installed_packages(venv),
        "commands": dict(processes),
        "processes": run_specs(processes, config),
        "installed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.monotonic() - began, 1),
    }
    home.flush(release)
    write_atomically(path / "release.json", json.dumps(manifest, indent=1) + "\n", 0o640, home.gid)
    return [
        f"{name} was yanked from the index{f': {reason}' if reason else ''}. It is installed, "
        "because the lock names it; lock another version."
        for name, reason in yanked.items()
    ]


def meant_here(build: Build, environment: Environment) -> list[Pin]:
    """What of a build's lock is meant for this host's interpreter."""
    pins = parse_lock(complete_lock(build), lock_name(build))
    return [pin for pin in pins if not pin.marker or holds(pin.marker, environment)]


def present(module: SecretSafeModule, home: AppHome, params: dict[str, Any]) -> dict[str, Any]:
    check_options(params["process_options"], params["health"])
    config = Config(
        env=env_values(params["env"]),
        python=params["python"],
        health=params["health"],
        options=params["process_options"],
        log_format=params["log_format"],
        log_destination=params["log_destination"],
    )
    try:
        build, warning = wanted_build(params, home, config)
    except Unreachable as error:
        if home.exists or not module.check_mode:
            raise
        return not_known_yet(module, home, params, config, str(error))
    if warning:
        module.warn(warning)
    release = release_id(build, config)
    current = home.current()
    manifest = home.manifest(release)
    # what serves is left alone even if its release.json is gone
    unfinished = [name for name in home.unfinished() if name != current]
    if release == current and release in home.unfinished():
        raise DeployError(
            f"{release} serves, but its release.json is missing. Switch to another release first, "
            "then install this one again. Nothing was changed."
        )
    before = home.contents(current) if current else None
    if manifest:
        processes, packages, python = manifest["commands"], manifest["packages"], manifest["python"]
        pruned = prunable(home, params, current, release)
        check_formation(params["formation"], processes, f"{build.package} {build.version}")
        lines = []
    else:
        installer = Installer(
            home,
            params["index_url"],
            params["python"],
            find_uv(params["uv"]),
            params["ca_path"],
            offline=bool(params["wheelhouse"]),
        )
        environment = installer.environment()
        build = with_contents(build, params, environment)
        processes = dict(build.procfile or {})
        pins = meant_here(build, environment)
        source = source_of(params)
        if isinstance(source, Wheelhouse):
            source.require(pins)
        packages = {pin.name: pin.version for pin in sorted(pins, key=lambda pin: pin.name)}
        python = environment["python_full_version"]
        after = Contents(
            packages,
            config.env,
            processes,
            python,
            config.python,
            run_specs(processes, config),
            build.wheel_sha256,
            hashlib.sha256(complete_lock(build).encode()).hexdigest(),
        )
        check_formation(params["formation"], processes, f"{build.package} {build.version}")
        pruned = prunable(home, params, current, release)
        lines = compare(before, after)
    if not module.check_mode:
        for name in unfinished:
            home.remove(name)
        if not manifest:
            try:
                warnings = install(home, installer, release, build, config, pins, python, source)
            except BaseException as error:
                home.remove(release)
                if isinstance(error, OSError):
                    raise DeployError(f"Could not install {release}: {error}.") from error
                raise
            for text in warnings:
                module.warn(text)
            packages = installed_packages(home.releases / release / "venv")
        for name in pruned:
            home.remove(name)
    lines += [f"release {name}: removed" for name in [*unfinished, *pruned]]
    return {
        "changed": not manifest or bool(unfinished or pruned),
        "release": release,
        "path": str(home.releases / release),
        "current": current,
        "processes": processes,
        "packages": packages,
        "python": python,
        "pruned": pruned,
        "diff": {
            "before_header": f"{home.app} {current}",
            "after_header": f"{home.app} {release}",
            "before": "",
            "after": "".join(f"{line}\n" for line in lines),
        },
    }


def prunable(home: AppHome, params: dict[str, Any], current: str | None, release: str) -> list[str]:
    return to_prune(
        home.installed(), params["keep"], current, home.rollback_target(current), release
    )


def not_known_yet(
    module: SecretSafeModule, home: AppHome, params: dict[str, Any], config: Config, why: str
) -> dict[str, Any]:
    """What check mode can say of a host that has neither the app nor, so far, its index."""
    module.warn(
        f"{why} This host has nothing of {home.app} yet; once the index answers, {params['version']} "
        "is going to be its first release."
    )
    processes = params["processes"] or {}
    after = Contents({}, config.env, processes, "to be found out", config.python)
    lines = [f"release {params['version']}: installed, the first one", *compare(None, after)]
    return {
        "changed": True,
        "release": None,
        "path": None,
        "current": None,
        "processes": processes,
        "packages": {},
        "python": None,
        "pruned": [],
        "diff": {
            "before_header": f"{home.app} None",
            "after_header": f"{home.app} {params['version']}",
            "before": "",
            "after": "".join(f"{line}\n" for line in lines),
        },
    }


def absent(module: SecretSafeModule, home: AppHome) -> dict[str, Any]:
    release, current = module.params["release"], home.current()
    if not RELEASE_ID.match(release):
        raise DeployError(
            f"Invalid release id {release!r}; a valid one is, for example, 1.4.0-3f2a9c01."
        )
    if release == current:
        raise DeployError(f"{release} is the release that serves {home.app}; it is not removed.")
    exists = (home.releases / release).is_dir()
    if exists and not module.check_mode:
        home.remove(release)
    return {
        "changed": exists,
        "release": release,
        "path": str(home.releases / release),
        "current": current,
        "pruned": [],
        "diff": {"before": f"{release}\n" if exists else "", "after": ""},
    }


def main() -> None:
    module = SecretSafeModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "version": {"type": "str"},
            "release": {"type": "str"},
            "package": {"type": "str"},
            "index_url": {"type": "str", "no_log": True},
            "wheelhouse": {"type": "path"},
            "netrc": {"type": "path", "default": "/etc/twelvefactor/netrc"},
            "ca_path": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
            "requirements": {"type": "str"},
            "processes": {"type": "dict"},
            "env": {"type": "dict", "default": {}, "no_log": True},
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
            "process_options": {"type": "dict", "default": {}},
            "log_format": {"choices": ["text", "json"], "default": "text"},
            "log_destination": {"choices": ["file", "journal"], "default": "file"},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "uv": {"type": "path", "default": "/opt/circus/bin/uv"},
            "keep": {"type": "int", "default": 5},
        },
        required_if=[
            ("state", "present", ("version",)),
            ("state", "present", ("index_url", "wheelhouse", "requirements"), True),
            ("state", "absent", ("release",)),
        ],
        mutually_exclusive=[("index_url", "wheelhouse")],
        supports_check_mode=True,
    )
    params = module.take_params()
    try:
        params["index_url"] = with_login_of_host(params["index_url"], params["netrc"])
        home = AppHome.of(module.params["app"], foreseen=module.check_mode)
        with home.locked():
            result = (
                present(module, home, params)
                if module.params["state"] == "present"
                else absent(module, home)
            )
    except DeployError as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(msg=f"{error}. Releases belong to root; use become: true.")
    except OSError as error:
        module.fail_json(msg=f"Could not work on the releases of {params['app']}: {error}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
