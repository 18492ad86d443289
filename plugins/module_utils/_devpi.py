# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A devpi server over its REST interface, and what is to change there.

The decisions are pure functions over the JSON that devpi answers; `Client` alone does input and
output. devpi describes the interface in https://devpi.net/docs/devpi/devpi/stable/+doc/curl.html.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, Literal

from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import (
    CHUNK,
    read_body,
    why_not,
)

UPLOAD_BYTES_PER_SECOND = 256 << 10  # slower than any line that a wheel should take
LARGEST_ANSWER = 64 << 20  # bytes; an index of 10,000 projects answers with less than one

# What every module takes, documented in doc_fragments/devpi.py.
CONNECTION: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": "http://127.0.0.1:3141"},
    "login_user": {"type": "str", "default": "root"},
    "login_password": {"type": "str", "required": True, "no_log": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
}

Config = dict[str, Any]
Action = Literal["none", "create", "modify", "remove"]


class DevpiError(Exception):
    """What was tried, what came of it, and what to do: one sentence or two for the user."""


class LoginRefusedError(DevpiError):
    """The server is there and does not take this user's password."""


# --- the server ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """Where a server is and who asks. `timeout` in seconds, for one request."""

    url: str
    user: str
    password: str = field(repr=False)
    ca_path: str | None = None
    timeout: int = 30

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
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DevpiError(f"{url!r} is no http or https address of a server.")
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


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


class Client:
    """One server. Every method raises DevpiError."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._token: str | None = None
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        parts = urllib.parse.urlsplit(server.url)
        if is_loopback(parts.hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))
        if parts.scheme == "https":
            try:
                context = ssl.create_default_context(cafile=server.ca_path)
            except OSError as error:
                raise DevpiError(
                    f"No certificate authorities can be read from {server.ca_path}: {error}."
                ) from error
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

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
        return self._token_for(user, password) is not None

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
        boundary = base64.b16encode(ssl.RAND_bytes(16)).decode()
        head, tail = multipart(upload, boundary)
        size = len(head) + upload.size + len(tail)
        seconds = self.server.timeout + size / UPLOAD_BYTES_PER_SECOND

        def body(deadline: float) -> Iterator[bytes]:
            yield head
            while chunk := upload.content.read(CHUNK):
                if time.monotonic() > deadline:
                    raise TimeoutError
                yield chunk
            yield tail

        answer = self._exchange(
            what,
            "POST",
            path,
            body(time.monotonic() + seconds),
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
            self.server.url + urllib.parse.quote(path, safe="/+?=&"),
            data=data,
            method=method,
            headers={"Accept": "application/json", "Content-Type": "application/json"}
            | dict(headers or {}),
        )
        if authenticated and self._token is not None:
            credentials = f"{self.server.user}:{self._token}".encode()
            request.add_header("X-Devpi-Auth", base64.b64encode(credentials).decode())
        deadline = time.monotonic() + seconds
        try:
            try:
                response = self._opener.open(request, timeout=self.server.timeout)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                body = read_body(response, deadline, LARGEST_ANSWER)
                return read_answer(response.status, response.reason, body)
        except (OSError, http.client.HTTPException) as error:
            raise DevpiError(
                f"Cannot {what}: {why_not(self.server.url, error, seconds)}"
            ) from error


# --- decisions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What to do about one user or index, and what of it can be shown."""

    action: Action
    body: Config = field(default_factory=dict, repr=False)  # may hold a password
    before: Config = field(default_factory=dict)
    after: Config = field(default_factory=dict)


NOTHING = Change("none")


def diff(change: Change, what: str) -> dict[str, Any]:
    """A change as Ansible shows it. Holds no secret, since `before` and `after` hold none."""
    return {"before_header": what, "after_header": what} | {
        side: "".join(f"{key}: {json.dumps(value)}\n" for key, value in sorted(facts.items()))
        for side, facts in (("before", change.before), ("after", change.after))
    }


@dataclass(frozen=True)
class UserWish:
    """How a user is to be. `settings` holds only what was asked for."""

    name: str
    password: str | None = field(default=None, repr=False)
    settings: Config = field(default_factory=dict)


@dataclass(frozen=True)
class IndexWish:
    """How an index is to be. `settings` holds only what was asked for."""

    name: str
    type: str | None = None
    settings: Config = field(default_factory=dict)


def check_user_name(name: str) -> str:
    """The rule of devpi: ASCII letters, digits and -.@_ are fine (`is_valid_name` there)."""
    if not re.fullmatch(r"[A-Za-z0-9.@_-]+", name):
        raise DevpiError(f"{name!r} is no name of a user: letters, digits, -, ., @ and _ only.")
    return name


def check_index_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.@_-]+/[A-Za-z0-9.@_-]+", name):
        raise DevpiError(f"{name!r} is no name of an index: user/index, as in company/prod.")
    return name


def decide_user(current: Config | None, wish: UserWish, *, password_fits: bool) -> Change:
    """How to make `current`, devpi's own description, what is wished for.

    devpi never tells a password's hash, so whether it is the right one comes from a login
    (`password_fits`, not looked at when no password is asked for).
    """
    if current is None:
        if wish.password is None:
            raise DevpiError(f"There is no user {wish.name!r} yet, and a new one needs a password.")
        return Change(
            "create",
            body={**wish.settings, "password": wish.password},
            after={"username": wish.name, **wish.settings, "password": "as given"},
        )
    body: Config = {
        key: value for key, value in wish.settings.items() if current.get(key, "") != value
    }
    before = {key: current.get(key, "") for key in body}
    after = dict(body)
    if wish.password is not None and not password_fits:
        body["password"] = wish.password
        before["password"] = "another"
        after["password"] = "as given"
    if not body:
        return NOTHING
    return Change("modify", body, before, after)


def decide_user_removal(current: Config | None, name: str) -> Change:
    """Raises DevpiError where devpi would refuse, so that check mode says so too."""
    if current is None:
        return NOTHING
    if name == "root":
        raise DevpiError("The user 'root' cannot be removed: devpi needs it.")
    indexes: dict[str, Config] = current.get("indexes", {})
    kept = sorted(index for index, config in indexes.items() if not config.get("volatile"))
    if kept:
        raise DevpiError(
            f"The user {name!r} cannot be removed: its indexes {', '.join(kept)} are not volatile. "
            "Make them volatile or remove them first; their files go with the user."
        )
    before = {"username": name, "indexes": sorted(indexes)}
    return Change("remove", before=before)


# devpi knows these in any spelling and stores them in capitals.
SPECIAL_GROUPS = (":ANONYMOUS:", ":AUTHENTICATED:")


def _normal(key: str, value: Any) -> Any:
    """A setting in the form in which devpi stores it, order dropped where it has no meaning."""
    if key.startswith("acl_"):
        return sorted({name.upper() if name.upper() in SPECIAL_GROUPS else name for name in value})
    if key == "mirror_whitelist":
        return sorted({name if name == "*" else canonical_name(name) for name in value})
    if key == "bases":
        return [base.strip("/") for base in value]
    return value


# What a setting is as long as devpi does not list it.
UNSET: Config = {
    "title": "",
    "description": "",
    "mirror_url": "",
    "mirror_web_url_fmt": "",
    "mirror_no_project_list": False,
    "mirror_use_external_urls": False,
    "mirror_provides_core_metadata": False,
    "bases": [],
    "acl_upload": [],
    "acl_toxresult_upload": [],
    "acl_read": [":ANONYMOUS:"],
    "mirror_whitelist": [],
}


def canonical_name(project: str) -> str:
    """The one spelling of a project's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", project).lower()


def differences(current: Config, settings: Config) -> Config:
    """Those of `settings` that `current` does not have."""
    return {
        key: value
        for key, value in settings.items()
        if _normal(key, current.get(key, UNSET.get(key))) != _normal(key, value)
    }


def decide_index(current: Config | None, wish: IndexWish) -> Change:
    """How to make `current`, devpi's own description, what is wished for."""
    if current is None:
        body = {"type": wish.type or "stage", **wish.settings}
        return Change("create", body, after=body)
    if wish.type is not None and wish.type != current["type"]:
        raise DevpiError(
            f"The index {wish.name} is a {current['type']} and cannot become a {wish.type}: "
            "devpi has no way to do that. Remove it first, or take another name."
        )
    changed = differences(current, wish.settings)
    if not changed:
        return NOTHING
    # devpi resets the settings of plugins that a PATCH leaves out, so all of them are sent.
    body = {key: value for key, value in current.items() if key != "projects"} | changed
    return Change("modify", body, {key: current.get(key) for key in changed}, changed)


def decide_index_removal(current: Config | None, name: str) -> Change:
    """Raises DevpiError where devpi would refuse, so that check mode says so too."""
    if current is None:
        return NOTHING
    if not current.get("volatile"):
        raise DevpiError(
            f"The index {name} cannot be removed: it is not volatile. Make it volatile first; "
            "its files go with it."
        )
    return Change("remove", before={"name": name, **current})


def check_stored(name: str, wished: Config, stored: Config | None) -> None:
    """Raises DevpiError when the server silently took something else than it was told."""
    lost = sorted(differences(stored or {}, wished))
    if lost:
        raise DevpiError(
            f"devpi took the settings of {name} without complaint, but {', '.join(lost)} did not "
            "come to be as asked. Is this version of devpi-server too old for it?"
        )


# --- files on an index ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """One file as it lies on an index."""

    filename: str
    version: str
    url: str
    sha256: str | None


def stored_files(project: Config | None) -> list[Stored]:
    """The release files out of devpi's description of a project, version to metadata."""
    return [
        Stored(
            filename=urllib.parse.unquote(url.path.rsplit("/", 1)[-1]),
            version=version,
            url=urllib.parse.urlunsplit(url._replace(fragment="")),
            sha256=_sha256(link, url.fragment),
        )
        for version, metadata in (project or {}).items()
        for link in metadata.get("+links", [])
        if link.get("rel") == "releasefile"
        for url in [urllib.parse.urlsplit(link["href"])]
    ]


def _sha256(link: Config, fragment: str) -> str | None:
    hashes: Config = link.get("hashes") or {}
    if "sha256" in hashes:
        return str(hashes["sha256"])
    for spec in (link.get("hash_spec") or "", fragment):
        algorithm, _equals, digest = spec.partition("=")
        if algorithm == "sha256":
            return str(digest)
    return None


def check_uploadable(index: str, config: Config | None) -> None:
    """Raises DevpiError unless files can be uploaded to the index."""
    if config is None:
        raise DevpiError(f"There is no index {index} to upload to.")
    if config["type"] == "mirror":
        raise DevpiError(f"{index} is a mirror of another index: nothing can be uploaded to it.")


def find_stored(files: list[Stored], filename: str, sha256: str, index: str) -> Stored | None:
    """The same file on the index, None when it must be uploaded.

    Raises DevpiError when the name is taken by other content: whoever has installed that version
    would never get the new one, so it needs a version of its own.
    """
    for file in files:
        if file.filename != filename:
            continue
        if file.sha256 == sha256:
            return file
        raise DevpiError(
            f"{index} already has a {filename} with other content (sha256 {file.sha256} there, "
            f"{sha256} here): release it under a new version."
        )
    return None


def decide_package_removal(
    config: Config, project: Config | None, index: str, name: str, version: str
) -> Change:
    """Raises DevpiError where devpi would refuse, so that check mode says so too."""
    if version not in (project or {}):
        return NOTHING
    if not config.get("volatile"):
        raise DevpiError(
            f"{name} {version} cannot be removed from {index}: the index is not volatile, what is "
            "on it stays."
        )
    files = sorted(file.filename for file in stored_files(project) if file.version == version)
    return Change("remove", before={"name": name, "version": version, "files": files})


def check_project_name(name: str) -> str:
    """The rule of PEP 508."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise DevpiError(
            f"{name!r} is no name of a project: letters, digits, -, . and _, and none of the three "
            "at either end."
        )
    return name


def decide_reservation(project: Config | None, name: str) -> Change:
    """An index that has the project, with or without a file, never looks for it upstream."""
    return NOTHING if project is not None else Change("create", after={"name": name, "files": []})


# --- tokens --------------------------------------------------------------------------------------

LIMITS = ("allowed", "indexes", "projects")


@dataclass(frozen=True)
class TokenWish:
    """What a token is to be good for. `limits` holds only what was asked for."""

    user: str
    limits: Mapping[str, list[str]] = field(default_factory=dict)
    days: int = 365  # of a new one
    renew_days: int = 30  # one with less than that is replaced

    def body(self, now: float) -> Config:
        """What devpi-tokens is asked for."""
        limits = {key: sorted(value) for key, value in self.limits.items()}
        return {**limits, "expires": int(now) + self.days * 86400}


def token_owner(token: str) -> tuple[str, str]:
    """User and id in a token, which is a macaroon: version, then fields of type, length, content.

    https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt. Raises DevpiError.
    """
    try:
        text = token.strip().removeprefix("devpi-")
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if data[0] != 2:
            raise ValueError("another version")
        at = 1
        while True:
            kind, length = data[at], data[at + 1]
            if length & 0x80:
                raise ValueError("a field of more than 127 bytes")
            content = data[at + 2 : at + 2 + length]
            if kind == 2:
                user, _dash, token_id = content.decode("ascii").rpartition("-")
                return user, token_id
            at += 2 + length
    except (ValueError, IndexError) as error:
        raise DevpiError(f"This is no token of devpi-tokens ({error}).") from None


def is_token(password: str) -> bool:
    try:
        token_owner(password)
    except DevpiError:
        return False
    return password.startswith("devpi-")


def token_limits(restrictions: list[str]) -> Config:
    """The restrictions of a token as devpi-tokens lists them, "key=value" each."""
    found: Config = {}
    for restriction in restrictions:
        key, _equals, value = restriction.partition("=")
        found[key] = value.split(",") if key in LIMITS else value
    return found


def decide_token(kept: str | None, known: Mapping[str, Config], wish: TokenWish, now: float) -> str:
    """Why the token that is kept cannot go on being used; empty if it can."""
    if kept is None:
        return "there is none"
    try:
        user, token_id = token_owner(kept)
    except DevpiError:
        return "what is there is no token"
    if user != wish.user:
        return f"it is one of the user {user!r}"
    if token_id not in known:
        return "the server does not know it any more"
    limits = token_limits(known[token_id].get("restrictions", []))
    expires = limits.pop("expires", "never")
    if limits != {key: sorted(value) for key, value in wish.limits.items()}:
        return "it is good for something else"
    if expires != "never" and int(expires) < now + wish.renew_days * 86400:
        return "it expires soon"
    return ""
