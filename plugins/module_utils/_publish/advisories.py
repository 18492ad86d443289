# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database of advisories on this machine, which answers as the OSV service does.

pip-audit asks a service over HTTP and cannot read files, but it can be told which service. So it
is given one that listens on loopback for as long as it runs.
https://google.github.io/osv.dev/post-v1-query/, https://ossf.github.io/osv-schema/
"""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import (
    satisfies,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)

Advisory = Mapping[str, Any]
LARGEST_QUERY = 1 << 20  # bytes


def affects(advisory: Advisory, name: str, version: str) -> bool:
    """Whether an advisory is about this version of a project on the Python index.

    That is so where the version is listed, or where it is in a range of versions. Ranges of commits
    say nothing about a version.
    """
    if advisory.get("withdrawn"):
        return False
    for affected in advisory.get("affected", []):
        package = affected.get("package", {})
        if package.get("ecosystem") != "PyPI":
            continue
        if canonical_name(package.get("name", "")) != name:
            continue
        if version in affected.get("versions", []):
            return True
        for some in affected.get("ranges", []):
            if some.get("type") == "ECOSYSTEM" and _in_range(some.get("events", []), version):
                return True
    return False


def _in_range(events: Sequence[Mapping[str, str]], version: str) -> bool:
    """Events are in the order of their versions, each range begins where it was introduced."""
    inside = False
    for event in events:
        if "introduced" in event:
            first = event["introduced"]
            inside = inside or first == "0" or _is(version, ">=", first, unknown=True)
        elif "fixed" in event:
            # not "<", of which PEP 440 says that a pre-release of the fixed version is not in it
            inside = inside and not _is(version, ">=", event["fixed"], unknown=False)
        elif "last_affected" in event:
            inside = inside and _is(version, "<=", event["last_affected"], unknown=True)
    return inside


def _is(version: str, operator: str, other: str, unknown: bool) -> bool:
    """Whether a version is so; ``unknown`` for what cannot be compared, which is rather reported."""
    try:
        return satisfies(version, operator + other)
    except DeployError:
        return unknown


class Advisories:
    """Advisories in OSV's format, found by the project they are about."""

    def __init__(self, advisories: Sequence[Advisory]) -> None:
        self.count = len(advisories)
        self._by_name: dict[str, list[Advisory]] = {}
        for advisory in advisories:
            packages = [affected.get("package", {}) for affected in advisory.get("affected", [])]
            for name in {canonical_name(package.get("name", "")) for package in packages}:
                self._by_name.setdefault(name, []).append(advisory)

    def about(self, name: str, version: str) -> list[Advisory]:
        name = canonical_name(name)
        return [
            _respelled(advisory, name)
            for advisory in self._by_name.get(name, [])
            if affects(advisory, name, version)
        ]


def _respelled(advisory: Advisory, name: str) -> Advisory:
    """pip-audit finds the fix only under the name it asked for."""
    affected = [
        {**one, "package": {**one.get("package", {}), "name": name}}
        for one in advisory["affected"]
        if canonical_name(one.get("package", {}).get("name", "")) == name
    ]
    return {**advisory, "affected": affected}


def read_database(path: pathlib.Path) -> Advisories:
    """Read a directory or a zip archive of advisories, one JSON file each, at any depth."""
    try:
        if path.is_dir():
            texts = {file.name: file.read_bytes() for file in sorted(path.rglob("*.json"))}
        else:
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".json")]
                texts = {name: archive.read(name) for name in names}
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeployError(
            f"The advisories {path} are neither a directory nor a zip archive that can be read: "
            f"{reason}."
        ) from None
    advisories = [_parse(text, name, path) for name, text in texts.items()]
    if not advisories:
        raise DeployError(
            f"There are no advisories in {path}; it must hold JSON files in OSV's format, such as "
            "the archive all.zip that OSV exports for PyPI."
        )
    return Advisories(advisories)


def _parse(text: bytes, name: str, path: pathlib.Path) -> Advisory:
    try:
        advisory = json.loads(text)
        if isinstance(advisory, dict) and isinstance(advisory["id"], str):
            return advisory
    except (ValueError, KeyError):
        pass
    raise DeployError(f"{name} in {path} is not an advisory in OSV's format.")


@contextlib.contextmanager
def serving(advisories: Advisories) -> Iterator[str]:
    """The address of a service that knows these advisories."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                length = min(int(self.headers.get("Content-Length", "0")), LARGEST_QUERY)
                query = json.loads(self.rfile.read(length))
                found = advisories.about(query["package"]["name"], query["version"])
            except (ValueError, KeyError, TypeError):
                self.send_error(400)
                return
            body = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        finally:
            server.shutdown()
            thread.join()
