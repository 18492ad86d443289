# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to change in nginx's configuration, and how that is shown. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TypeAlias

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError

SET_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class NginxError(ReadableError):
    """The one exception of nginx_config: its text is what the user reads."""


@dataclasses.dataclass(frozen=True)
class File:
    """A regular file, wanted or found. `content` None: not known yet (check mode only).

    `due`: the content is the present one, and a run outside check mode makes another.
    """

    content: bytes | None
    mode: int
    owner: tuple[int, int]
    # Whether nginx's workers read it at each request, and not its master as it loads. Known of what
    # a set was given as such, and never guessed: any file may have the mode that these have.
    workers: bool = dataclasses.field(default=False, compare=False)
    due: bool = False

    @property
    def secret(self) -> bool:
        """What not everybody on the host may read must not be shown in a diff either."""
        content = self.content or b""
        return self.workers or not self.mode & stat.S_IROTH or b"PRIVATE KEY-----" in content


@dataclasses.dataclass(frozen=True)
class Link:
    """A symbolic link, as found."""

    target: str


Found: TypeAlias = "File | Link | None"


@dataclasses.dataclass(frozen=True)
class SelfSigned:
    """A certificate that a site is to have: `names` as ``DNS:shop.test`` or ``IP:192.0.2.1``."""

    name: str
    names: tuple[str, ...]
    trust: bool = True

    @property
    def stem(self) -> str:
        """It says what the certificate is for: another domain is another certificate."""
        return f"{self.name}-{hashlib.sha256(','.join(self.names).encode()).hexdigest()[:12]}"

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of nginx's configuration: certificate, key, and the CA's certificate if wanted."""
        endings = (".pem", ".key", ".trust.pem") if self.trust else (".pem", ".key")
        return tuple(f"certificates/{self.name}{ending}" for ending in endings)


@dataclasses.dataclass(frozen=True)
class Signing:
    """The certificates of a set that the CA of the host is to sign, and the owner of their files."""

    authority: str
    days: int
    certificates: tuple[SelfSigned, ...]
    owner: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Request:
    """One call of the module. Paths are relative to the configuration directory."""

    name: str
    wanted: Mapping[str, File]
    absent: frozenset[str] = frozenset()
    replace: frozenset[str] = frozenset()
    signing: Signing | None = None
    started: bool = False  # whether nginx has to run, now and after each boot


@dataclasses.dataclass(frozen=True)
class Change:
    """One path before and after. `after` None: removed."""

    path: str
    before: Found
    after: File | None

    @property
    def action(self) -> str:
        if self.after is None:
            return "removed"
        return "created" if self.before is None else "updated"

    @property
    def loaded(self) -> bool:
        """Whether nginx has to load its configuration again for it."""
        return not all(
            side is None or (isinstance(side, File) and side.workers)
            for side in (self.before, self.after)
        )


def check_path(path: str) -> str:
    """Give back `path` if it is a plain path below the configuration directory."""
    parts = PurePosixPath(path).parts
    if (
        not parts
        or path != "/".join(parts)
        or parts[0] == "/"
        or ".." in parts
        or any(ord(character) < 32 for character in path)
    ):
        raise NginxError(
            f"{path!r} is not a path below the configuration directory: "
            "give it relative to /etc/nginx, without '..', like 'sites-enabled/shop.conf'."
        )
    return path


def check_request(request: Request) -> None:
    """Refuse what no state of the host could make right."""
    if not SET_NAME.fullmatch(request.name):
        raise NginxError(
            f"{request.name!r} cannot name a set of files: use lower case letters, digits, "
            "'-', '_' and '.', beginning with a letter or a digit."
        )
    for path in (*request.wanted, *request.absent, *request.replace):
        check_path(path)
    both = sorted(request.absent & request.wanted.keys())
    if both:
        raise NginxError(f"{', '.join(both)}: both wanted and absent. Drop one of the two.")


def decide(
    request: Request,
    found: Mapping[str, Found],
    managed: Mapping[str, frozenset[str]],
) -> tuple[Change, ...]:
    """What has to change. `managed`: the paths that each set (this one too) owns today.

    Raises NginxError for a file that belongs to somebody else; a foreign file that already has
    exactly the wanted content is taken over, because nothing of it would be lost.
    """
    mine = managed.get(request.name, frozenset())
    owner_of = {
        path: name for name, paths in managed.items() if name != request.name for path in paths
    }
    foreign: list[str] = []
    changes: list[Change] = []
    for path, wanted in sorted(request.wanted.items()):
        before = found.get(path)
        if path in owner_of:
            foreign.append(f"{path} belongs to the set {owner_of[path]!r}")
        elif before == wanted:
            continue
        elif (
            before is not None
            and path not in mine
            and path not in request.replace
            and not (
                isinstance(before, File) and not wanted.due and before.content == wanted.content
            )
        ):
            foreign.append(f"{path} exists and was not written by this module")
        else:
            changes.append(Change(path, before, wanted))
    for path in sorted((mine - request.wanted.keys()) | request.absent):
        before = found.get(path)
        if path in owner_of:
            foreign.append(f"{path} belongs to the set {owner_of[path]!r}")
        elif before is not None:
            changes.append(Change(path, before, None))
    if foreign:
        raise NginxError(
            f"Set {request.name!r} would overwrite files that are not its own: "
            f"{'; '.join(sorted(foreign))}. Choose other names, or list a "
            "file of another tool under 'replace' if it is to be lost."
        )
    return tuple(changes)


def _text(side: File | Link | None, *, secret: bool) -> str:
    if side is None:
        return ""
    if isinstance(side, Link):
        return f"symbolic link to {side.target}\n"
    if side.content is None or side.due:
        return "(not made yet)\n"
    if secret:
        return f"(secret, sha256 {hashlib.sha256(side.content).hexdigest()[:16]})\n"
    return side.content.decode("utf-8", "replace")


def _header(path: str, side: File | Link | None) -> str:
    if side is None:
        return f"{path} (absent)"
    return path if isinstance(side, Link) else f"{path} (mode {side.mode:04o})"


def diff(changes: Iterable[Change], root: str, opened: Iterable[str] = ()) -> list[dict[str, str]]:
    """Per file what Ansible shows in diff mode; of a secret only a fingerprint.

    `opened`: directories that workers cannot enter before.
    """
    shown = []
    for change in changes:
        sides = (change.before, change.after)
        secret = any(isinstance(side, File) and side.secret for side in sides)
        path = f"{root}/{change.path}"
        shown.append(
            {
                "before_header": _header(path, change.before),
                "after_header": _header(path, change.after),
                "before": _text(change.before, secret=secret),
                "after": _text(change.after, secret=secret),
            }
        )
    for path in opened:
        header = f"{root}/{path}"
        before, after = (f"directory that workers {can} enter\n" for can in ("cannot", "can"))
        shown.append(
            {"before_header": header, "after_header": header, "before": before, "after": after}
        )
    return shown
