# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and fetch one wheel on a package index (the simple repository API, PEP 503)."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.api import tls_context
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import handlers
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)

TIMEOUT = 30.0  # seconds without a byte from the index
LONGEST = 900.0  # seconds for one answer, as large as it may be
LARGEST_WHEEL = 1 << 30  # bytes
ATTEMPTS = 3
HTML = "text/html, */*;q=0.1"
JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class File:
    """One file of a project, on the index or in a wheelhouse."""

    name: str
    url: str
    sha256: str | None
    yanked: str | None = None  # the reason, maybe empty; None: not yanked


class _Page(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.files: list[File] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        href = values.get("href")
        if tag != "a" or not href:
            return
        url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(self.url, href))
        algorithm, _equals, digest = fragment.partition("=")
        self.files.append(
            File(
                name=urllib.parse.unquote(urllib.parse.urlsplit(url).path).rsplit("/", 1)[-1],
                url=url,
                sha256=digest.lower() if algorithm == "sha256" else None,
                yanked=(values["data-yanked"] or "") if "data-yanked" in values else None,
            )
        )


def parse_page(html: str, url: str) -> list[File]:
    page = _Page(url)
    page.feed(html)
    return page.files


def wheel_version(filename: str) -> tuple[str, str] | None:
    """Project and version from a wheel's file name (PEP 427); None when it is no wheel."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        return None
    return canonical_name(parts[0]), parts[1]


class Unreachable(DeployError):
    """The index does not answer, or not as it should."""


def pick_wheel(files: list[File], package: str, version: str, url: str, remedy: str) -> File:
    """The one wheel of an app's version. Raises DeployError when there is none, or no hash."""
    own = canonical_name(package)
    of_project = [(file, wheel_version(file.name)) for file in files]
    wheels = [file for file, found in of_project if found == (own, version)]
    if not wheels:
        versions = sorted({found[1] for _file, found in of_project if found and found[0] == own})
        sources = f"{own.replace('-', '_')}-{version}.tar.gz"
        only = "only its source" if sources in {file.name.lower() for file in files} else ""
        raise DeployError(
            f"There is no wheel of {package} {version} at {url}; it has "
            f"{only or ', '.join(versions) or 'no version of it'}. {remedy}"
        )
    wheel = wheels[0]
    if len(wheels) > 1:
        pure = [file for file in wheels if file.name.endswith("-none-any.whl")]
        if len(pure) != 1:
            raise DeployError(
                f"{package} {version} has {len(wheels)} wheels at {url}, one per platform; "
                "give the lock by `requirements`, which may name all of their hashes."
            )
        wheel = pure[0]
    if wheel.yanked is not None:
        reason = f": {wheel.yanked}" if wheel.yanked else ""
        raise DeployError(f"{package} {version} was yanked from {url}{reason}.")
    if not wheel.sha256:
        raise DeployError(f"{url} gives no sha256 for {wheel.name}; it cannot be verified.")
    return wheel


class Index:
    """A package index as installers see it. Credentials may stand in its URL; they are not shown."""

    def __init__(self, url: str, ca_path: str | None = None) -> None:
        try:
            parts = urllib.parse.urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
                raise ValueError  # parts.port raises it, too, for a port that is not a number
            shown = parts._replace(netloc=parts.netloc.rpartition("@")[2])
            self.shown = urllib.parse.urlunsplit(shown).rstrip("/") + "/"
        except ValueError:  # whose message may quote the URL, and the password in it
            raise DeployError(
                "index_url is not a valid URL. In a password, / and @ are written as %2F and %40."
            ) from None
        opener = handlers(tls_context(ca_path), seconds=LONGEST)
        if parts.username:
            passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
            passwords.add_password(
                None,
                # for the whole server: the files need not lie below the pages that list them
                urllib.parse.urljoin(self.shown, "/"),
                urllib.parse.unquote(parts.username),
                urllib.parse.unquote(parts.password or ""),
                is_authenticated=True,
            )
            opener.append(urllib.request.HTTPBasicAuthHandler(passwords))
        self._opener = urllib.request.build_opener(*opener)

    def _get(self, url: str, limit: int, what: str, accept: str = HTML) -> bytes | None:
        """The body, or None where the index says 404.

        Gateway errors and connections that break are tried again.
        """
        answer = ""
        problem: type[DeployError] = Unreachable
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(attempt)
            try:
                request = urllib.request.Request(url, headers={"Accept": accept})
                with self._opener.open(request, timeout=TIMEOUT) as response:
                    body: bytes = response.read(limit + 1)
                    length = int(response.headers.get("Content-Length") or len(body))
                if len(body) > limit:
                    raise DeployError(f"{what} at {self.shown} is larger than {limit} bytes.")
                if len(body) == length:
                    return body
                answer = f"the answer broke off after {len(body)} of {length} bytes"
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                answer = f"HTTP {error.code} {error.reason}"
                if error.code not in (502, 503, 504):
                    problem = Unreachable if error.code >= 500 else DeployError
                    break
            except (OSError, ValueError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                answer = str(reason) or type(reason).__name__
                # a certificate or a URL that is wrong once is wrong the next time, too
                if isinstance(reason, ssl.SSLCertVerificationError | ValueError):
                    break
        raise problem(
            f"The index {self.shown} does not give {what}: {answer}. "
            "Check index_url, the index and the certificate it shows."
        )

    def files(self, package: str) -> list[File]:
        """What the index has of a project; nothing where it does not know it."""
        url = f"{self.shown}{canonical_name(package)}/"
        body = self._get(url, 64 << 20, f"the files of {package}")
        return parse_page(body.decode("utf-8", "replace"), url) if body is not None else []

    def page(self, package: str) -> dict[str, Any] | None:
        """The page of a project in JSON (PEP 691); None where the index does not know it."""
        url = f"{self.shown}{canonical_name(package)}/"
        body = self._get(url, 64 << 20, f"the files of {package}", JSON)
        try:
            page = None if body is None else json.loads(body)
        except ValueError:
            raise DeployError(f"{url} is not given in JSON (PEP 691).") from None
        return page if isinstance(page, dict) else None

    def find(self, package: str, version: str) -> File:
        """The wheel of a version."""
        remedy = "Publish it first (playbooks/publish.yml)."
        return pick_wheel(self.files(package), package, version, self.shown, remedy)

    def read(self, file: File) -> bytes:
        """Download a file and check its hash."""
        body = self._get(file.url, LARGEST_WHEEL, file.name)
        if body is None:
            raise DeployError(f"The index {self.shown} lists {file.name} but answers 404 for it.")
        digest = hashlib.sha256(body).hexdigest()
        if digest != file.sha256:
            raise DeployError(
                f"{file.name} from {self.shown} has sha256 {digest}, but the index says "
                f"{file.sha256}: it was changed on the way or on the index."
            )
        return body
