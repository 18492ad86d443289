# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A devpi server over its REST interface.

`Client` alone does input and output; the decisions beside it are pure functions over the JSON that
devpi answers. devpi describes the interface in
https://devpi.net/docs/devpi/devpi/stable/+doc/curl.html.
"""

from __future__ import annotations

import base64
import json
import secrets
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Config,
    DevpiError,
    LoginRefusedError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import is_token
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.api import Api, is_loopback
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import CHUNK

UPLOAD_BYTES_PER_SECOND = 256 << 10  # slower than any line that a wheel should take
LARGEST_ANSWER = 64 << 20  # bytes; an index of 10,000 projects answers with less than one

UNIX = "unix:"  # as nginx writes it

# What every module takes, documented in doc_fragments/devpi.py.
CONNECTION: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": "unix:/run/devpi/devpi.sock"},
    "login_user": {"type": "str", "default": "root"},
    "login_password": {"type": "str", "required": True, "no_log": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
}


@dataclass(frozen=True)
class Server:
    """Where a server is and who asks. `timeout` in seconds, for one request.

    `url` is http://, https://, or `unix:` and the path of a socket.
    """

    url: str
    user: str
    password: str = field(repr=False)
    ca_path: str | None = None
    timeout: int = 30

    @property
    def socket(self) -> str | None:
        """Path of the Unix socket that the server listens on, None for one on a network."""
        return self.url.removeprefix(UNIX) if self.url.startswith(UNIX) else None

    @property
    def plain_text(self) -> bool:
        """Whether the password crosses a network unencrypted."""
        parts = urllib.parse.urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")

    def with_password(self, password: str) -> Server:
        return replace(self, password=password)


@dataclass(frozen=True)
class Upload:
    """One file and the form that goes with it."""

    filename: str
    size: int  # bytes
    content: IO[bytes]
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """What a server said. `message` is devpi's own where it gave one."""

    status: int
    message: str
    result: Any = None


def server_from(params: Mapping[str, Any], warn: Callable[[str], None]) -> Server:
    """A module's connection parameters. Raises DevpiError when they make no sense."""
    url = params["url"].rstrip("/")
    parts = urllib.parse.urlsplit(url)
    on_network = parts.scheme in ("http", "https") and parts.hostname
    if not on_network and not url.startswith(f"{UNIX}/"):
        raise DevpiError(
            f"Invalid URL {url!r}: it must begin with http:// or https:// and name a host, or be "
            f"{UNIX} and the absolute path of a socket."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise DevpiError(
            f"The url for {parts.hostname} must be scheme, host and path alone: "
            "give user and password as login_user and login_password."
        )
    if params["timeout"] < 1:
        raise DevpiError("The timeout must be at least one second.")
    server = Server(
        url=url,
        user=params["login_user"],
        password=params["login_password"],
        ca_path=params["ca_path"],
        timeout=params["timeout"],
    )
    if server.plain_text:
        warn(f"The password goes to {url} unencrypted.")
    return server


def multipart(upload: Upload, boundary: str) -> tuple[bytes, bytes]:
    """What stands before and after the file in a multipart/form-data body (RFC 7578)."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in upload.fields
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="content"; '
        f'filename="{upload.filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    return "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()


def read_answer(status: int, reason: str, body: bytes) -> Answer:
    """devpi answers JSON with a message, or (to uploads) says it in the status line."""
    try:
        document = json.loads(body)
    except ValueError:
        return Answer(status, reason)
    if not isinstance(document, dict):
        return Answer(status, reason)
    # An upload that is refused has a blank message and says why in the title.
    said = (" ".join(str(document.get(key) or "").split()) for key in ("message", "title"))
    return Answer(status, next(filter(None, said), reason), document.get("result"))


class Client:
    """One server. Every method raises DevpiError, or DeployError where there is no response."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._token: str | None = None
        self._api = Api(server.url, server.ca_path, unix=server.socket)

    def login(self) -> None:
        """Log in as the server's user. Raises LoginRefusedError when the password is wrong.

        A token of devpi-tokens is sent as it is: there is no login with one.
        """
        if is_token(self.server.password):
            self._token = self.server.password
            return
        token = self._token_for(self.server.user, self.server.password)
        if token is None:
            raise LoginRefusedError(
                f"{self.server.url} does not let {self.server.user!r} log in: there is no such "
                "user or the password is another one. Check login_user and login_password."
            )
        self._token = token

    def accepts(self, user: str, password: str) -> bool:
        """Whether `user` can log in with `password`."""
        return self.logged_in_as(user, password) is not None

    def logged_in_as(self, user: str, password: str) -> Client | None:
        """A client of the same server for another user; None when that password is wrong."""
        token = self._token_for(user, password)
        if token is None:
            return None
        client = Client(replace(self.server, user=user, password=password))
        client._token = token
        return client

    def get(self, what: str, path: str) -> Any | None:
        """What stands at `path`; None when devpi says that nothing does."""
        answer = self._exchange(what, "GET", path)
        if answer.status == 404:
            return None
        return self._accepted(what, answer).result

    def send(self, what: str, method: str, path: str, body: Config | None = None) -> Any:
        """Change something. The `result` of devpi's answer, None where it has none."""
        data = None if body is None else json.dumps(body).encode()
        return self._accepted(what, self._exchange(what, method, path, data)).result

    def upload(self, what: str, path: str, upload: Upload) -> None:
        """Send a file the way twine does."""
        boundary = secrets.token_hex(16)
        head, tail = multipart(upload, boundary)
        size = len(head) + upload.size + len(tail)
        seconds = self.server.timeout + size / UPLOAD_BYTES_PER_SECOND

        def body() -> Iterator[bytes]:
            yield head
            while chunk := upload.content.read(CHUNK):
                yield chunk
            yield tail

        answer = self._exchange(
            what,
            "POST",
            path,
            body(),
            {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(size),
            },
            seconds,
        )
        self._accepted(what, answer)

    def register(self, what: str, path: str, fields: Mapping[str, str]) -> None:
        """Have a project there without a file, by the form that twine's `register` sends."""
        data = urllib.parse.urlencode({":action": "submit", **fields}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._accepted(what, self._exchange(what, "POST", path, data, kind))

    def _token_for(self, user: str, password: str) -> str | None:
        what = f"log in as {user!r}"
        body = json.dumps({"user": user, "password": password}).encode()
        answer = self._exchange(what, "POST", "/+login", body, authenticated=False)
        if answer.status == 401:
            return None
        result = self._accepted(what, answer).result
        try:
            return str(result["password"])
        except (KeyError, TypeError):
            raise DevpiError(
                f"{self.server.url} answered the login without a token: is it a devpi server?"
            ) from None

    def _accepted(self, what: str, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        if 300 <= answer.status < 400:
            hint = " The url must be the one that it redirects to."
        elif answer.status == 401:
            hint = " The login was lost in between: run this again."
        elif answer.status == 413:
            hint = " Raise the limit of the web server in front of devpi."
        else:
            hint = ""
        raise DevpiError(
            f"Cannot {what}: {self.server.url} answered {answer.status}, "
            f"{answer.message.rstrip('.')}.{hint}"
        )

    def _exchange(
        self,
        what: str,
        method: str,
        path: str,
        data: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        *,
        authenticated: bool = True,
    ) -> Answer:
        seconds = seconds or self.server.timeout
        request = urllib.request.Request(
            self._api.root + urllib.parse.quote(path, safe="/+?=&"),
            data=data,
            method=method,
            headers={"Accept": "application/json", "Content-Type": "application/json"}
            | dict(headers or {}),
        )
        if authenticated and self._token is not None:
            credentials = f"{self.server.user}:{self._token}".encode()
            request.add_header("X-Devpi-Auth", base64.b64encode(credentials).decode())
        response = self._api.exchange(what, request, seconds, LARGEST_ANSWER)
        return read_answer(response.status, response.reason, response.body)
