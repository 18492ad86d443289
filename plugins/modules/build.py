#!/usr/bin/python
# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: build
short_description: Build a Python web app once, for every host
version_added: "0.1.0"
description:
  - Makes the wheel of a source tree and puts into its metadata its lock file, its Procfile, the
    commit it was built from and a bill of materials (CycloneDX, below C(sboms/) as PEP 770 has
    it). So one file with one hash is everything that M(twelvefactor.deploy.release) needs besides
    the config.
  - The source has a C(pyproject.toml), or a C(setup.py), maybe with a C(MANIFEST.in). It is built
    in a clone, in a temporary directory, so that what git ignores cannot get into the wheel and
    nothing is left in the source. Submodules are not fetched.
  - The same commit gives the same bytes, however often and wherever it is built with the same
    tools. Every file in the wheel has the time of the commit, unless E(SOURCE_DATE_EPOCH) says
    another. The commit is the last one that changed O(source); a shallow clone does not know it.
  - A wheel that holds secrets or what was only lying around is refused, file by file.
  - Runs where the source is, on the controller or in CI. M(twelvefactor.deploy.publish_tools)
    makes the programs that it needs.
author: twelvefactor.deploy contributors (@twelvefactor)
extends_documentation_fragment:
  - twelvefactor.deploy._attributes
attributes:
  check_mode:
    support: none
    details: What a build would give is not known before it is made.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  source:
    description: Directory with C(pyproject.toml) or C(setup.py), and the Procfile.
    type: path
    required: true
  output:
    description: Directory that the wheel is put into. It is made when it is missing.
    type: path
    required: true
  version:
    description: Version that the wheel must have. Any will do without it.
    type: str
  require_commit:
    description:
      - Refuse a source that is in no commit, or that has changes which are not committed.
      - With V(false) it is built as it is. What git ignores is left out all the same.
    type: bool
    default: true
  command:
    description:
      - Shell command that makes what the wheel is to hold, for example C(npm ci && npm run build).
        It runs in the copy of O(source), before the wheel is built.
      - What it makes is often ignored by git, and then by some build backends too; tell the backend
        that it is wanted (hatchling calls that artifacts).
    type: str
  command_timeout:
    description: Seconds that O(command) may take.
    type: int
    default: 900
  environment:
    description:
      - Variables for the build, e.g. the one that a build backend takes the version from.
      - Of the controller's own, O(command) and build backends see E(PATH), the language, the time zone,
        proxies, E(SSL_CERT_FILE), E(REQUESTS_CA_BUNDLE), E(SOURCE_DATE_EPOCH) and settings of uv and
        pip. E(HOME) is an empty directory.
      - Their values are not shown.
    type: dict
    default: {}
  build_requirements:
    description:
      - File with the versions and hashes of what the build itself needs (C(build-system.requires)
        and all that these need), relative to O(source). Where it is there, nothing else is used.
    type: str
    default: build-requirements.txt
  requirements:
    description:
      - Lock file, relative to O(source); every dependency pinned and hashed. It is either a
        requirements file or a C(pylock.toml) (PEP 751).
      - Where it is not given, that is C(requirements.txt) or C(pylock.toml), whichever is there.
      - A source that has none is locked now, by uv, for all of O(pythons). A version that is on
        the index already is locked as it was when it was published.
    type: str
  procfile:
    description: File with the process types, relative to O(source).
    type: str
    default: Procfile
  pythons:
    description: Versions of Python that the fleet has. For each, the lock must be installable.
    type: list
    elements: str
    default: ["3.11", "3.13"]
  platforms:
    description:
      - Platforms that the fleet has, by the names that C(uv pip install --python-platform) knows.
        Debian 12 is V(x86_64-manylinux_2_36).
    type: list
    elements: str
    default: [x86_64-manylinux_2_36]
  index_url:
    description:
      - URL of the simple pages of the one index that everything comes from, for the build as for
        the lock. Other sources in the environment and in configuration files do not count then.
      - Without it uv takes what it is configured for.
    type: str
  ca_path:
    description: File with the CA certificates that the index is verified with, in PEM.
    type: path
  quarantine:
    description:
      - Days that must have passed since a file was uploaded before it may be locked, because most
        malicious releases are found within days. V(0) is none.
      - A lock that is made now takes older versions. A lock file in the source is refused.
      - It concerns what other people upload. A project that O(upload_times_url) does not know is
        your own.
    type: int
    default: 0
  quarantine_exempt:
    description: Projects that do not wait, for example one with an urgent fix.
    type: list
    elements: str
    default: []
  upload_times_url:
    description:
      - URL of the simple pages of an index that says when files were uploaded (PEP 700). Nothing is
        installed from it. The default is O(index_url).
      - devpi does not say it; give its upstream.
    type: str
  allowed_files:
    description: Patterns of files in the wheel that may be there although they look wrong.
    type: list
    elements: str
    default: []
  tools:
    description:
      - Directory with the programs C(uv), C(twine) and C(cyclonedx-py), as
        RV(twelvefactor.deploy.publish_tools#module:path) of
        M(twelvefactor.deploy.publish_tools).
      - Without it uv is taken from E(PATH), there is no bill of materials, and the metadata is not
        checked.
    type: path
  uv:
    description: The program uv, instead of the one that O(tools) says.
    type: path
"""

EXAMPLES = r"""
- name: Provide the tools
  twelvefactor.deploy.publish_tools:
  register: tools
  delegate_to: localhost

- name: Build the shop
  twelvefactor.deploy.build:
    source: "{{ playbook_dir }}/../shop"
    command: npm ci && npm run build
    output: build
    version: 1.4.0
    index_url: https://index.example.org/company/prod/+simple/
    tools: "{{ tools.path }}"
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: Name of the distribution.
  returned: success
  type: str
  sample: shop
version:
  description: Version of the distribution.
  returned: success
  type: str
  sample: 1.4.0
path:
  description: The wheel.
  returned: success
  type: str
  sample: /home/ci/build/shop-1.4.0-py3-none-any.whl
sha256:
  description: Its hash.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
commit:
  description:
    - The commit it was built from, as the wheel says it. V(null) outside a git repository.
    - It ends in C(-dirty) where there were changes that were not committed.
  returned: success
  type: str
  sample: 1f0c3d2e4b5a69788796a5b4c3d2e1f001122334
packages:
  description: What is locked, by name.
  returned: success
  type: dict
  sample: {"flask": "3.1.0"}
"""

import contextlib
import hashlib
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import (
    EPOCH,
    FOLDER,
    LOCK,
    LOCKS,
    ORIGIN,
    PROCFILE,
    PYLOCK,
    SBOM,
    embed,
    format_origin,
    read_build,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import trust_remedy
from ansible_collections.twelvefactor.deploy.plugins.module_utils._module import SecretSafeModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    Distribution,
    DistributionError,
    read_distribution,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.index import Index
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.pylock import is_pylock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
    parse_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish import (
    checkout,
    dependency_lock,
    isolation,
    quarantine,
    screening,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.sbom import complete

TIMEOUT = 900  # seconds for the build backend, which may be downloaded first
ROUNDS = 20  # of locking without what is too young
OUTPUT = 3000  # characters of a program's output that a sentence quotes


def read(source: pathlib.Path, name: str, what: str) -> str:
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


class Build:
    """One build: its parameters, the copy of the source it is made of, and where files may lie."""

    def __init__(self, params: Mapping[str, Any], work: pathlib.Path) -> None:
        self.params = params
        self.work = work
        self.source = pathlib.Path(params["source"]).resolve()
        self.checkout = checkout.find(self.source)
        if params["require_commit"]:
            checkout.check(self.source, self.checkout)
        self.tree = checkout.copy(self.source, self.checkout, work / "source")
        committed = self.checkout.time if self.checkout and self.checkout.time else EPOCH
        self.epoch = str(os.environ.get("SOURCE_DATE_EPOCH") or committed)

    # --- programs

    def environment(self) -> dict[str, str]:
        """What programs see that run no code of the app nor of its packages."""
        other = isolation.SOURCES if self.params["index_url"] else ()
        inherited = {key: value for key, value in os.environ.items() if key not in other}
        return {"SOURCE_DATE_EPOCH": self.epoch, **inherited, **self.given()}

    def given(self) -> dict[str, str]:
        return {key: str(value) for key, value in self.params["environment"].items()}

    def isolated(self) -> dict[str, str]:
        """What build commands and build backends see."""
        home = self.work / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        inherited = isolation.isolated(os.environ, home, bool(self.params["index_url"]))
        return {"SOURCE_DATE_EPOCH": self.epoch, **inherited, **self.given()}

    def uv_environment(self, base: Mapping[str, str]) -> dict[str, str]:
        chosen = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
        if self.params["index_url"]:
            # nor does a configuration file name another one
            chosen |= {"UV_DEFAULT_INDEX": self.params["index_url"], "UV_NO_CONFIG": "1"}
        if self.params["ca_path"]:
            chosen["SSL_CERT_FILE"] = self.params["ca_path"]
        return {"UV_PYTHON": sys.executable, **base, **chosen}

    def tool(self, name: str) -> str:
        return str(pathlib.Path(self.params["tools"]) / name) if self.params["tools"] else name

    def uv(self, words: Sequence[str], what: str, isolated: bool = False) -> tuple[int, str]:
        program = self.params["uv"] or self.tool("uv")
        code, said = run(
            [program, *words],
            what,
            TIMEOUT,
            environment=self.uv_environment(self.isolated() if isolated else self.environment()),
            directory=self.work,
            remedy="it comes from PyPI: pip install uv",
        )
        return code, said.rstrip() + trust_remedy(said) if code else said

    # --- the wheel

    def prepare(self) -> None:
        """Run the command that makes what the wheel is to hold, e.g. assets."""
        command = self.params["command"]
        if not command:
            return
        code, said = run(
            ["/bin/sh", "-e", "-c", command],
            f"prepare the build of {self.source}",
            self.params["command_timeout"],
            environment=self.isolated(),
            directory=self.tree,
        )
        if code:
            raise DeployError(
                f"Could not prepare the build of {self.source}: {command!r} ended with {code}:\n"
                f"{said[-OUTPUT:]}"
            )

    def wheel(self) -> Distribution:
        out = self.work / "wheel"
        words = ["build", "--wheel", "--out-dir", str(out)]
        constraints = self.tree / self.params["build_requirements"]
        if constraints.exists():
            words += ["--build-constraints", str(constraints), "--require-hashes"]
        code, said = self.uv([*words, str(self.tree)], f"build {self.source}", isolated=True)
        if code:
            raise DeployError(
                f"Could not build {self.source}: uv ended with {code}:\n{said[-OUTPUT:]}"
            )
        wheels = list(out.glob("*.whl"))
        if len(wheels) != 1:
            raise DeployError(
                f"The build of {self.source} made {len(wheels)} wheels; expected one."
            )
        wheel, version = read_distribution(wheels[0]), self.params["version"]
        if version and wheel.version != version:
            raise DeployError(
                f"{self.source} builds {wheel.name} {wheel.version}, but {version} was asked for; "
                "set the version there, or give the build what it takes it from (environment)."
            )
        return wheel

    def examine(self, wheel: Distribution) -> None:
        """Refuse a wheel that must not be seen by others."""
        found = screening.look_through(wheel.path, self.params["allowed_files"])
        screening.refuse(wheel.filename, found)
        if not self.params["tools"]:
            return
        code, said = run(
            [self.tool("twine"), "check", str(wheel.path)],
            f"check {wheel.filename}",
            TIMEOUT,
            environment={**self.environment(), "NO_COLOR": "1", "TERM": "dumb"},
        )
        if code:
            raise DeployError(
                f"{wheel.filename} must not be published: twine check ended with {code}:\n"
                f"{said.strip()[-OUTPUT:]}"
            )

    # --- the lock

    def lock(self, wheel: Distribution) -> tuple[str, str]:
        """Name and text of the lock: that of the source, or one that is made now."""
        needed = dependency_lock.dependencies(wheel.fields)
        name = lock_of(self.tree, self.params["requirements"])
        app = f"{wheel.name} {wheel.version}"
        if name is None:
            return LOCK, self.make_lock(wheel, needed)
        text = read(self.tree, name, "lock file")
        pins = dependency_lock.pins_of(text, name, wheel.name)
        dependency_lock.check_complete(pins, needed, name, app)
        aged = self.hold_back(pins)
        if aged.young:
            listed = ", ".join(f"{pin.name} {pin.version}" for pin in aged.young)
            raise DeployError(
                f"{name} locks what was uploaded less than {self.params['quarantine']} days ago: "
                f"{listed}. Wait, lock older versions, or list them in `quarantine_exempt`."
            )
        return name, text

    def make_lock(self, wheel: Distribution, needed: Sequence[str]) -> str:
        if not needed:
            raise DeployError(
                f"{wheel.name} {wheel.version} has no lock file and needs nothing that could be "
                f"locked; an app has a dependency at least, the server that runs it. Put a {LOCK} "
                "into the source, or list the dependencies in its metadata."
            )
        asked, lock, without = (self.work / n for n in ("asked.in", "lock.txt", "without.txt"))
        asked.write_text("".join(f"{line}\n" for line in needed))
        lock.write_text(self.published_lock(wheel))
        refused: list[Pin] = []
        for _round in range(ROUNDS):
            without.write_text("".join(f"{pin.name}!={pin.version}\n" for pin in refused))
            words = ["pip", "compile", "--quiet", "--universal", "--generate-hashes"]
            words += ["--python-version", min(self.params["pythons"], key=_version)]
            words += ["--only-binary", ":all:", "--no-header", "--no-annotate"]
            words += ["--no-emit-index-url", "--no-emit-find-links", "--constraints", str(without)]
            what = f"lock the dependencies of {wheel.name} {wheel.version}"
            code, said = self.uv([*words, "--output-file", str(lock), str(asked)], what)
            if code:
                held = ", ".join(f"{pin.name} {pin.version}" for pin in refused)
                waiting = f" Too young for the quarantine are {held}." if held else ""
                raise DeployError(f"Could not {what}: uv said:\n{said[-OUTPUT:]}{waiting}")
            pins = dependency_lock.pins_of(lock.read_text(), "the new lock", wheel.name)
            aged = self.hold_back(pins)
            if not aged.young:
                return format_pins(aged.pins)
            refused += aged.young
        raise DeployError(
            f"Found no versions for {wheel.name} {wheel.version} that are older than "
            f"{self.params['quarantine']} days, in {ROUNDS} rounds; put a {LOCK} into the source."
        )

    def published_lock(self, wheel: Distribution) -> str:
        """What the version was locked with when it was published; nothing if it has not been."""
        if not self.params["index_url"]:
            return ""
        index = Index(self.params["index_url"], self.params["ca_path"])
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
        days = self.params["quarantine"]
        if not days:
            return quarantine.Aged(tuple(pins), (), ())
        url = self.params["upload_times_url"] or self.params["index_url"]
        if not url:
            raise DeployError("A quarantine needs `upload_times_url`, an index with upload times.")
        index = Index(url, None if self.params["upload_times_url"] else self.params["ca_path"])
        exempt = {canonical_name(name) for name in self.params["quarantine_exempt"]}
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
        for python in self.params["pythons"]:
            for platform in self.params["platforms"]:
                requirements = self.work / "target.txt"
                requirements.write_text(
                    dependency_lock.for_target(lock, name, app.name, python, platform)
                )
                words = ["pip", "install", "--dry-run", "--quiet", "--no-deps"]
                words += ["--target", str(self.work / "nowhere"), "--only-binary", ":all:"]
                words += ["--python-version", python, "--python-platform", platform]
                words += ["--require-hashes", "--requirements", str(requirements)]
                target = f"Python {python} on {platform}"
                what = f"see whether {name} can be installed with {target}"
                code, said = self.uv(words, what)
                if code:
                    raise DeployError(
                        f"The lock of {app.name} {app.version}, {name}, cannot be installed with "
                        f"{target}: uv said:\n{said.strip()[-OUTPUT:]}"
                    )

    def bill(self, pins: Sequence[Pin], app: Distribution) -> str:
        """The bill of materials."""
        plain = self.work / "plain.txt"
        plain.write_text(format_pins(pins, markers=False))
        document = self.work / "bill.json"
        words = ["requirements", "--output-reproducible", "--output-file", str(document)]
        if self.params["index_url"]:
            words += ["--index-url", Index(self.params["index_url"]).shown]
        code, said = run(
            [self.tool("cyclonedx-py"), *words, str(plain)],
            f"make the bill of materials of {app.name} {app.version}",
            TIMEOUT,
            environment={**self.environment(), "SOURCE_DATE_EPOCH": self.epoch},
        )
        if code:
            raise DeployError(
                f"Could not make the bill of materials of {app.name} {app.version}: cyclonedx-py "
                f"ended with {code}:\n{said[-OUTPUT:]}"
            )
        return complete(document.read_text("utf-8"), app.name, app.version)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def build(params: dict[str, Any], work: pathlib.Path) -> dict[str, Any]:
    one = Build(params, work)
    one.prepare()
    procfile = read(one.tree, params["procfile"], "Procfile")
    parse_procfile(procfile)
    wheel = one.wheel()
    one.examine(wheel)
    name, lock = one.lock(wheel)
    pins = dependency_lock.pins_of(lock, name, wheel.name)
    one.try_targets(lock, name, wheel)
    origin = one.checkout.origin if one.checkout else None
    member = PYLOCK if is_pylock(lock) else LOCK
    files = {
        f"{FOLDER}/{member}": lock,
        f"{FOLDER}/{PROCFILE}": procfile,
        f"{FOLDER}/{ORIGIN}": format_origin(origin),
    }
    if params["tools"]:
        files[SBOM] = one.bill(pins, wheel)
    output = pathlib.Path(params["output"])
    output.mkdir(parents=True, exist_ok=True)
    target = output / wheel.filename
    before = hashlib.sha256(target.read_bytes()).hexdigest() if target.exists() else None
    digest = embed(wheel.path, target, files, int(one.epoch))
    return {
        "changed": digest != before,
        "name": wheel.name,
        "version": wheel.version,
        "path": str(target),
        "sha256": digest,
        "commit": origin,
        "packages": {pin.name: pin.version for pin in pins},
    }


def main() -> None:
    module = SecretSafeModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "output": {"type": "path", "required": True},
            "version": {"type": "str"},
            "require_commit": {"type": "bool", "default": True},
            "command": {"type": "str"},
            "command_timeout": {"type": "int", "default": 900},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "build_requirements": {"type": "str", "default": "build-requirements.txt"},
            "requirements": {"type": "str"},
            "procfile": {"type": "str", "default": "Procfile"},
            "pythons": {"type": "list", "elements": "str", "default": ["3.11", "3.13"]},
            "platforms": {
                "type": "list",
                "elements": "str",
                "default": ["x86_64-manylinux_2_36"],
            },
            "index_url": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "quarantine": {"type": "int", "default": 0},
            "quarantine_exempt": {"type": "list", "elements": "str", "default": []},
            "upload_times_url": {"type": "str"},
            "allowed_files": {"type": "list", "elements": "str", "default": []},
            "tools": {"type": "path"},
            "uv": {"type": "path"},
        },
        supports_check_mode=False,
    )
    params = module.take_params()
    try:
        with tempfile.TemporaryDirectory(prefix="build-") as work:
            result = build(params, pathlib.Path(work))
    except (DistributionError, DeployError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"Could not build {params['source']}: {error}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
