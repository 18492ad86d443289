# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for known vulnerabilities in what the lock of a wheel names, by pip-audit."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import read_build
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    read_distribution,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.advisories import (
    read_database,
    serving,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.dependency_lock import (
    pins_of,
)

TIMEOUT = 600.0  # seconds; one question takes about a tenth of one


def rounds(pins: Sequence[Pin]) -> list[list[Pin]]:
    """The pins in as few lists as possible, each with one version of a project only.

    A lock for several interpreters may have two, and pip-audit refuses that.
    """
    lists: list[dict[str, Pin]] = []
    for pin in {(pin.name, pin.version): pin for pin in pins}.values():
        free = next((one for one in lists if pin.name not in one), None)
        if free is None:
            lists.append(free := {})
        free[pin.name] = pin
    return [list(one.values()) for one in lists]


def found_in(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The vulnerabilities in a report of pip-audit."""
    return [
        {
            "name": dependency["name"],
            "version": dependency["version"],
            "ids": [vulnerability["id"], *vulnerability.get("aliases", [])],
            "fixed": vulnerability.get("fix_versions", []),
        }
        for dependency in report.get("dependencies", [])
        for vulnerability in dependency.get("vulns", [])
    ]


def skipped_in(report: Mapping[str, Any]) -> list[str]:
    return [
        f"{dependency['name']}: {dependency['skip_reason']}"
        for dependency in report.get("dependencies", [])
        if dependency.get("skip_reason")
    ]


def refusal(app: str, found: Sequence[Mapping[str, Any]]) -> str:
    listed = "; ".join(
        f"{one['name']} {one['version']} has {' alias '.join(one['ids'])}, "
        + (f"fixed in {', '.join(one['fixed'])}" if one["fixed"] else "not fixed yet")
        for one in found
    )
    return (
        f"{app} must not be published: {listed}. Lock other versions, or list the ids in `ignore` "
        "when they do not matter here."
    )


@contextlib.contextmanager
def service(advisories: str | None) -> Iterator[tuple[int | None, list[str]]]:
    """How many advisories are known, and what tells pip-audit where to ask."""
    if not advisories:
        yield None, []
        return
    database = read_database(pathlib.Path(advisories))
    with serving(database) as url:
        yield database.count, ["--vulnerability-service", "osv", "--osv-url", url]


def ask(
    params: Mapping[str, Any], pins: Sequence[Pin], words: Sequence[str], app: str
) -> list[dict[str, Any]]:
    """What pip-audit says of these pins."""
    with tempfile.TemporaryDirectory(prefix="audit-") as directory:
        lock, report = pathlib.Path(directory, "lock.txt"), pathlib.Path(directory, "report.json")
        lock.write_text(format_pins(pins, markers=False))
        command = [params["pip_audit"], "--requirement", str(lock), "--require-hashes"]
        command += ["--disable-pip", "--format", "json", "--output", str(report)]
        command += ["--progress-spinner", "off", "--cache-dir", str(pathlib.Path(directory, "c"))]
        command += [f"--ignore-vuln={known}" for known in params["ignore"]]
        code, said = run(
            [*command, *words],
            f"audit {app}",
            TIMEOUT,
            environment={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
            if words
            else os.environ,
            remedy="publish_tools provides it",
        )
        try:
            answer = json.loads(report.read_text("utf-8"))
        except (OSError, ValueError):
            raise DeployError(
                f"Could not audit {app}: {params['pip_audit']} ended with {code}:\n"
                f"{said.strip()[-3000:]}"
            ) from None
    skipped = skipped_in(answer)
    if skipped:
        raise DeployError(f"Could not audit {app}: pip-audit skipped {'; '.join(skipped)}.")
    return found_in(answer)


def audit(params: Mapping[str, Any]) -> dict[str, Any]:
    """The app, how many packages and advisories were compared, and the vulnerabilities.

    Raises DeployError, DistributionError and OSError.
    """
    wheel = read_distribution(pathlib.Path(params["path"]))
    app = f"{wheel.name} {wheel.version}"
    lock = read_build(wheel.path, wheel.filename)[0]
    if lock is None:
        raise DeployError(
            f"{wheel.filename} carries no lock; the module build makes one that does."
        )
    pins = pins_of(lock, f"the lock of {app}", wheel.name)
    with service(params["advisories"]) as (known, words):
        found = [one for some in rounds(pins) for one in ask(params, some, words, app)]
    return {
        "app": app,
        "audited": len({(pin.name, pin.version) for pin in pins}),
        "advisories": known,
        "vulnerabilities": found,
    }
