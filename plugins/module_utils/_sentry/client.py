# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that takes errors of apps, over HTTP: all input and output is here."""

from __future__ import annotations

import json
import urllib.request

from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.api import Api, Response
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import (
    Answer,
    Document,
    Request,
    SentryError,
)

LARGEST_ANSWER = 16 << 20  # bytes; the largest event is 1 MiB


class Receiver:
    """One server. Every method raises SentryError, which repeats none of `secrets`.

    Where there is no response, it raises DeployError.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        secrets: tuple[str, ...] = (),
        ca_path: str | None = None,
        timeout: float = 10,
    ) -> None:
        self.url = url
        self._token = token
        self._secrets = secrets + ((token,) if token else ())
        self._timeout = timeout
        self._api = Api(url, ca_path)

    def get(self, what: str, path: str) -> Document:
        return self.accepted(what, self.ask(Request(what, "GET", path))).document

    def ask(self, request: Request) -> Answer:
        """What the server answers, refusals too."""
        wanted = urllib.request.Request(
            self.url + request.path,
            data=request.body,
            method=request.method,
            headers={"Accept": "application/json", "User-Agent": "twelvefactor.deploy"}
            | dict(request.headers),
        )
        if self._token:
            wanted.add_header("Authorization", f"Bearer {self._token}")
        return self._read(self._api.exchange(request.what, wanted, self._timeout, LARGEST_ANSWER))

    def accepted(self, what: str, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        hint = {
            400: "Check the project.",
            401: "Check the token.",
            403: "Check the DSN, or what the token may do.",
            404: "Check the url and the project.",
            429: "It has had enough for now: try again later.",
        }.get(answer.status, "")
        if 300 <= answer.status < 400:
            hint = "The url must be the one that it redirects to."
        said = f", {answer.said.rstrip('.')}" if answer.said else ""
        raise SentryError(
            f"Cannot {what}: {self.url} answered {answer.status}{said}. {hint}".rstrip()
        )

    def _read(self, response: Response) -> Answer:
        try:
            document = json.loads(response.body)
        except ValueError:
            document = None
        return Answer(response.status, self._said(response, document), document)

    def _said(self, response: Response, document: Document) -> str:
        """The beginning of what it said. bugsink repeats the DSN that it does not know."""
        said = (
            json.dumps(document)
            if document is not None
            else response.body[:4096].decode("utf-8", "replace")
        )
        if isinstance(document, dict):
            # bugsink's word and Sentry's, then that of a web server in front.
            words = [document.get("detail"), document.get("title")]
            said = next((word for word in words if isinstance(word, str)), said)
        if said.lstrip().startswith("<"):  # a page of a web server in front
            said = response.reason
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return " ".join(said.split())[:300]
