# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release on this host is made of, as far as an audit asks for it. Changes nothing."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import stat
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    parse_procfile,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    format_pins,
    parse_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.screening import (
    judge_content,
    secret_by_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.verification import (
    UnreadError,
    parse_record,
    read,
    verify,
)

SHOWN = 5  # paths that are returned of many
LARGEST_FILE = 4 << 20  # bytes of a file that is searched for secrets
MOST_FILES = 5000  # of the app's own package that are searched
TIMEOUT = 60.0  # seconds that the search may take
URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
SECRET_WORD = r"(?:SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL)"
# os.environ.get("SECRET_KEY", "not empty"), os.getenv(…)
DEFAULT = re.compile(
    rf"(?:environ\.get|getenv)\(\s*[\"']([A-Z0-9_]*{SECRET_WORD}[A-Z0-9_]*)[\"']\s*,\s*[\"'][^\"']+[\"']".encode()
)


def release_facts(home: AppHome, release: str) -> dict[str, Any]:
    """Raises DeployError where release.json cannot be read; what else cannot be is said in its place."""
    manifest = home.manifest(release) or {}
    keys = ("id", "package", "version", "commit", "wheel_sha256", "lock_sha256", "python")
    return {
        "release": {
            **{key: manifest.get(key) for key in keys},
            "processes": manifest.get("processes", {}),
            "command": "release" in manifest.get("commands", {}),
        },
        "lock": lock_facts(home, release, manifest),
        "files": files_facts(home, release, manifest),
        "config": config_facts(home, release),
        "code": code_facts(home, release, str(manifest.get("package", ""))),
    }


def lock_facts(home: AppHome, release: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """How many packages the lock pins by hash, and what is wrong with it, or why it was not read."""
    found = {"packages": 0, "problem": "", "unread": ""}
    try:
        text = (home.releases / release / "requirements.txt").read_text("utf-8")
        pins = parse_lock(text)
    except OSError as error:
        return found | {"unread": str(error)}
    except (ValueError, DeployError) as error:
        return found | {"problem": str(error)}
    problem = ""
    if hashlib.sha256(format_pins(pins).encode()).hexdigest() != manifest.get("lock_sha256"):
        problem = "requirements.txt is not the lock that release.json names by its digest"
    unknown = sorted(set(manifest.get("packages", {})) - {pin.name for pin in pins})
    if unknown:
        problem = f"installed, but not in the lock: {', '.join(unknown[:SHOWN])}"
    return found | {"packages": len(pins), "problem": problem}


def files_facts(home: AppHome, release: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Which files of a release the app can write, and whether they are what was installed, as far as they were read."""
    problem = unread = ""
    try:
        verify(home, release)
        procfile = parse_procfile((home.releases / release / "Procfile").read_text("utf-8"))
        if procfile != manifest.get("commands"):
            problem = "its Procfile is not the one that release.json holds"
    except (OSError, UnreadError) as error:
        unread = str(error)
    except (ValueError, DeployError) as error:
        problem = str(error)
    top = home.releases / release
    writable = [
        name
        for name, status in entries(top)
        if not stat.S_ISLNK(status.st_mode) and may_write(status, home.uid, home.gid)
    ]
    return {
        "problem": problem,
        "unread": unread,
        "writable": writable[:SHOWN],
        "count": len(writable),
    }


def entries(top: pathlib.Path) -> Iterator[tuple[str, os.stat_result]]:
    """The directory, as ``.``, and all that is below it."""
    yield ".", os.lstat(top)
    for directory, directories, names in os.walk(top):
        for name in sorted((*directories, *names)):
            path = f"{directory}/{name}"
            yield os.path.relpath(path, top), os.lstat(path)


def may_write(status: os.stat_result, uid: int, gid: int) -> bool:
    """Whether a user can write a file, or make that possible, as its owner can."""
    by_group = status.st_gid == gid and status.st_mode & stat.S_IWGRP
    return status.st_uid == uid or bool(by_group or status.st_mode & stat.S_IWOTH)


def config_facts(home: AppHome, release: str) -> dict[str, Any]:
    """Names of the variables, and of those that hold a URL its scheme; no value."""
    path = home.releases / release / "env"
    try:
        env, mode = home.env(release), os.lstat(path).st_mode
    except (OSError, ValueError):
        return {"problem": "its env cannot be read", "names": [], "services": {}, "public": False}
    found = {name: URL.match(value) for name, value in env.items()}
    services = {name: match[1].lower() for name, match in found.items() if match}
    return {
        "problem": "",
        "names": sorted(env),
        "services": services,
        "public": bool(mode & stat.S_IRWXO),
    }


def code_facts(home: AppHome, release: str, package: str) -> dict[str, Any]:
    """What looks like a secret in the files of the app's own package, without the secret.

    ``files`` is how many were searched; 0 where the package was not found.
    """
    venv, deadline = home.releases / release / "venv", time.monotonic() + TIMEOUT
    secrets: list[str] = []
    searched, partial = 0, False
    for path in own_files(venv, package):
        if searched >= MOST_FILES or time.monotonic() > deadline:
            partial = True
            break
        try:
            content = read(str(path), LARGEST_FILE, deadline)
        except (OSError, ValueError, UnreadError):
            partial = True
            continue
        searched += 1
        name = os.path.relpath(path, venv)
        secrets += [f"{name} {reason}" for reason in secrets_in(name, content)]
    return {"files": searched, "partial": partial, "secrets": secrets[:SHOWN]}


def secrets_in(name: str, content: bytes) -> list[str]:
    """Why a file should not be in a wheel: what the scanner of builds knows, and defaults of secrets."""
    reason = secret_by_name(name.split("/")) or judge_content(content)
    found = [reason] if reason else []
    if name.endswith(".py"):
        names = sorted({match[1].decode() for match in DEFAULT.finditer(content)})
        found += [f"has a default for {variable}" for variable in names]
    return found


def own_files(venv: pathlib.Path, package: str) -> Iterator[pathlib.Path]:
    """The files of one package in a virtualenv, by its RECORD."""
    for information in sorted(venv.glob("lib/python3*/site-packages/*.dist-info")):
        if canonical_name(information.name.partition("-")[0]) != canonical_name(package):
            continue
        try:
            text = (information / "RECORD").read_text("utf-8")
            paths = [path for path, digest in parse_record(text) if digest]
        except (OSError, ValueError):
            return
        yield from (information.parent / path for path in paths)
