# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""refresh.py CONFIG: have the mirrors hold what will be installed from them, before it is asked for.

What is needed is written in the locks that the newest builds on the private indexes carry, and in a
list of requirements. Of each package those wheels are fetched that fit this machine's platform and
the Pythons asked for. What is needed is left in a file, for clean.py to spare.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import lzma
import pathlib
import re
import signal
import socket
import struct
import sys
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

LOCKS = ("requirements.txt", "pylock.toml")
SIMPLE = "application/vnd.pypi.simple.v1+json"
UNIX = "unix:"
TIMEOUT = 120  # seconds without a byte of an answer; devpi fetches the file meanwhile
LONGEST = 1800  # seconds, for all of it
LARGEST_BUILD = 1 << 30  # bytes
LARGEST_LOCK = 16 << 20  # bytes, unpacked
# what reading a wheel from memory raises that is damaged, encrypted, or packed in a way that Python does not know
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, RuntimeError, ValueError),
)


@dataclass(frozen=True)
class Config:
    url: str  # with a scheme and a host, or unix: and the path of a socket
    server: pathlib.Path  # devpi's data
    needed: pathlib.Path  # file that lists what must stay
    indexes: tuple[str, ...]  # whose builds are read
    requirements: tuple[str, ...]  # needed besides
    requirements_index: str  # where those come from
    pythons: tuple[str, ...]
    builds: int  # of each project, the newest ones
    user: str  # who may read the indexes
    password: str
    login: dict[str, str] = field(default_factory=dict)  # what a request says of that

    @staticmethod
    def read(path: pathlib.Path) -> Config:
        values: dict[str, Any] = json.loads(path.read_text())
        for name in ("indexes", "requirements", "pythons"):
            values[name] = tuple(values[name])
        return Config(
            **{
                **values,
                "server": pathlib.Path(values["server"]),
                "needed": pathlib.Path(values["needed"]),
            }
        )


@dataclass(frozen=True)
class Link:
    """A file as a simple page names it. `path` is below the root of the server."""

    filename: str
    path: str
    sha256: str


# --- decisions -----------------------------------------------------------------------------------


def requirements_of(name: str, text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Project and the hashes that are allowed for it, of each line or table of a lock.

    What is not of the form of a lock is passed over: anybody who may upload a wheel has written it.
    """
    if name.endswith(".toml"):
        try:
            packages = tomllib.loads(text).get("packages")
        except (ValueError, RecursionError):
            return
        for package in tables(packages):
            if isinstance(package.get("name"), str):
                hashes = [wheel.get("hashes") for wheel in tables(package.get("wheels"))]
                found = [each.get("sha256") for each in hashes if isinstance(each, dict)]
                yield package["name"], frozenset(each for each in found if isinstance(each, str))
        return
    # A comment ends with its line, whatever that ends with, as for those who install.
    text = re.sub(r"(?m)(?:^|(?<=[ \t]))#.*$", "", text.replace("\r\n", "\n"))
    for line in text.replace("\\\n", " ").split("\n"):
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
        if match:
            yield match[1], frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))


def tables(value: Any) -> list[dict[str, Any]]:
    """The tables of an array of TOML; nothing of another value."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def tags_for(pythons: Iterable[str], platforms: list[str]) -> frozenset[Tag]:
    """Every tag that one of the Pythons can install; the machine's own if none is given."""
    wanted = list(pythons) or [f"{sys.version_info.major}.{sys.version_info.minor}"]
    found: set[Tag] = set()
    for python in wanted:
        major, minor = (int(part) for part in python.split(".")[:2])
        found.update(cpython_tags((major, minor), platforms=platforms))
        found.update(compatible_tags((major, minor), f"cp{major}{minor}", platforms))
    return frozenset(found)


def fits(filename: str, tags: frozenset[Tag]) -> bool:
    try:
        return not tags.isdisjoint(parse_wheel_filename(filename)[3])
    except (InvalidWheelFilename, InvalidVersion):
        return False


def version_of(filename: str) -> Version | None:
    try:
        return parse_wheel_filename(filename)[1]
    except (InvalidWheelFilename, InvalidVersion):
        return None


def newest(links: Iterable[Link], requirement: Requirement, tags: frozenset[Tag]) -> list[Link]:
    """The wheels of the newest version that meets a requirement."""
    fitting = [
        (version, link)
        for link in links
        if fits(link.filename, tags) and (version := version_of(link.filename))
    ]
    # Pre-releases where the requirement names one, or where there is nothing else.
    best = max(requirement.specifier.filter({version for version, _link in fitting}), default=None)
    return [link for version, link in fitting if version == best]


def newest_builds(links: Iterable[Link], count: int) -> list[Link]:
    found = [(version, link) for link in links if (version := version_of(link.filename))]
    versions = sorted({version for version, _link in found})[-count:]
    return [link for version, link in found if version in versions]


# --- the server ----------------------------------------------------------------------------------


class UnixConnection(http.client.HTTPConnection):
    """To the server of a socket, whose path is ``path``."""

    path: str

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class UnixHandler(urllib.request.HTTPHandler):
    """Sends every request for an http:// URL to the socket at ``path``."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.connection = type("Connection", (UnixConnection,), {"path": path})

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self.connection, req)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when what is done here takes longer. The timeout of a socket is for one read only."""

    def late(*_signal: Any) -> None:
        raise TimeoutError(f"not done within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def root_of(config: Config) -> str:
    """What the URLs of the server begin with."""
    return "http://localhost" if config.url.startswith(UNIX) else config.url


def fetch(config: Config, url: str, accept: str = "*/*", body: bytes | None = None) -> bytes:
    headers = {"Accept": accept, **config.login}
    if body is not None:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, body, headers)
    opener = urllib.request.build_opener()
    if config.url.startswith(UNIX):
        # nor by a proxy of the environment
        no_proxy = urllib.request.ProxyHandler({})
        opener = urllib.request.build_opener(UnixHandler(config.url.removeprefix(UNIX)), no_proxy)
    with within(LONGEST), opener.open(request, timeout=TIMEOUT) as response:
        content: bytes = response.read(LARGEST_BUILD)
    return content


def log_in(config: Config) -> Config:
    """``config`` with a login for the time of this run: devpi hashes a password anew each time."""
    words = json.dumps({"user": config.user, "password": config.password}).encode()
    token = json.loads(fetch(config, f"{root_of(config)}/+login", "application/json", words))
    login = f"{config.user}:{token['result']['password']}".encode()
    return replace(config, login={"X-Devpi-Auth": base64.b64encode(login).decode()})


def links_of(config: Config, index: str, project: str) -> list[Link]:
    page = f"{root_of(config)}/{index}/+simple/{canonicalize_name(project)}/"
    try:
        files = json.loads(fetch(config, page, SIMPLE))["files"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return []
        raise
    links = []
    for file in files:
        # Relative, or with the address that is known outside: the path is what counts.
        path = urllib.parse.urlsplit(urllib.parse.urljoin(page, file["url"])).path
        links.append(Link(file["filename"], path, file["hashes"].get("sha256", "")))
    return links


def own_projects(config: Config, index: str) -> list[str]:
    answer = json.loads(fetch(config, f"{root_of(config)}/{index}", "application/json"))
    return sorted(answer["result"].get("projects", []))


def locks_in(config: Config, build: Link, broken: list[str]) -> Iterator[tuple[str, str]]:
    """Name and text of the lock that a wheel carries in its metadata, where it has one."""
    content = fetch(config, root_of(config) + urllib.parse.quote(build.path, safe="/+%"))
    try:
        locks = locks_of(content)
    except BROKEN as error:
        broken.append(f"{build.filename}, whose lock cannot be read: {error}")
        return
    yield from locks


def locks_of(content: bytes) -> list[tuple[str, str]]:
    """The locks of a wheel; one that unpacks to more than any lock has is none."""
    found = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            folder, _slash, name = member.rpartition("/")
            if folder.endswith(".dist-info/twelvefactor") and name in LOCKS:
                with archive.open(member) as file:
                    text = file.read(LARGEST_LOCK + 1)
                if len(text) <= LARGEST_LOCK:
                    found.append((name, text.decode("utf-8", "replace")))
    return found


def needed(config: Config, tags: frozenset[Tag], broken: list[str]) -> Iterator[Link]:
    """The files that the newest builds need; ``broken`` gets those builds that do not say."""
    for index in config.indexes:
        for project in own_projects(config, index):
            links = [link for link in links_of(config, index, project) if link.path]
            for build in newest_builds(links, config.builds):
                for name, text in locks_in(config, build, broken):
                    for package, hashes in requirements_of(name, text):
                        for link in links_of(config, index, package):
                            if link.sha256 in hashes and fits(link.filename, tags):
                                yield link
    for text in config.requirements:
        requirement = Requirement(text)
        yield from newest(
            links_of(config, config.requirements_index, requirement.name), requirement, tags
        )


def mirrored(config: Config, link: Link) -> bool:
    path = urllib.parse.unquote(link.path).lstrip("/")
    return (config.server / "+files" / path).is_file()


def main(path: str) -> None:
    config = Config.read(pathlib.Path(path))
    tags = tags_for(config.pythons, list(platform_tags()))
    fetched = 0
    problems: list[str] = []
    kept: set[str] = set()
    try:
        config = log_in(config)
        for link in needed(config, tags, problems):
            relative = urllib.parse.unquote(link.path).lstrip("/")
            if relative in kept:
                continue
            kept.add(relative)
            if not mirrored(config, link):
                try:
                    fetch(config, root_of(config) + urllib.parse.quote(link.path, safe="/+%"))
                    fetched += 1
                except (OSError, ValueError) as error:
                    problems.append(f"{link.filename}: {error}")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, InvalidRequirement) as error:
        # The list of the last run stays: clean.py must not remove what is needed.
        sys.exit(f"refresh: {config.url} was asked what the apps need and it came to {error!r}.")
    if problems and config.needed.exists():
        # what a build needs that cannot be read now stays as well
        kept.update(config.needed.read_text().splitlines())
    part = config.needed.with_suffix(".part")
    part.write_text("".join(f"{name}\n" for name in sorted(kept)))
    part.replace(config.needed)
    print(f"refresh: {len(kept)} files are needed, {fetched} of them were fetched now")
    if problems:
        sys.exit(
            "refresh: these could not be fetched, upstream is asked again next time: "
            + "; ".join(problems[:20])
        )


if __name__ == "__main__":
    main(sys.argv[1])
