# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a configuration, read out of `nginx -T`, and whether each of them answers."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import NginxError

ASK_SECONDS = 5.0

_FILE = re.compile(r"^# configuration file (/.*):$", re.MULTILINE)
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_ANSWER = b"HTTP/1."
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*
    |"(?P<double>(?:\\.|[^"\\])*)"
    |'(?P<single>(?:\\.|[^'\\])*)'
    |(?P<mark>[{};])
    |(?P<word>(?:\\.|\$\{|[^\s;{\\])+)""",
    re.VERBOSE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Directive:
    """One directive: its words, what is in its braces, and the file that it stands in."""

    words: tuple[str, ...]
    block: tuple[Directive, ...]
    file: str


@dataclasses.dataclass(frozen=True)
class Listen:
    """One `listen` of TCP or of a unix socket."""

    address: str
    port: int
    tls: bool = False
    proxy_protocol: bool = False

    def __str__(self) -> str:
        if self.address.startswith("unix:"):
            return self.address
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )


@dataclasses.dataclass(frozen=True)
class Vhost:
    """One name of one server, as it is written there, and where it listens."""

    name: str
    listens: tuple[Listen, ...]
    certificates: tuple[str, ...]
    file: str

    @property
    def asked(self) -> str:
        """A name that this one stands for: a leading dot or star stands for any name below."""
        return f"any{self.name.lstrip('*')}" if self.name.startswith(("*.", ".")) else self.name


# --- reading ------------------------------------------------------------------------------------

Tokens: TypeAlias = "Iterator[tuple[str, bool]]"


def _tokens(text: str) -> Tokens:
    """The words and marks of a file, and whether each is a mark."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind:
            yield match[kind], kind == "mark"


def _parse(tokens: Tokens, file: str) -> tuple[Directive, ...]:
    found: list[Directive] = []
    words: list[str] = []
    for token, is_mark in tokens:
        if not is_mark:
            words.append(token)
        elif token == "}":
            break
        else:
            block = _parse(tokens, file) if token == "{" else ()
            if words:
                found.append(Directive(tuple(words), block, file))
            words = []
    return tuple(found)


def read_dump(output: str) -> dict[str, tuple[Directive, ...]]:
    """The files that `nginx -T` shows, in its order."""
    _before, *rest = _FILE.split(output)
    return {
        path: _parse(_tokens(text), path) for path, text in zip(rest[::2], rest[1::2], strict=True)
    }


def _expand(
    directives: Iterable[Directive], files: Mapping[str, tuple[Directive, ...]], main: str
) -> Iterator[Directive]:
    """The directives with what they include in its place."""
    for directive in directives:
        if directive.words[0] != "include" or len(directive.words) != 2:
            yield directive
            continue
        pattern = str(PurePosixPath(main).parent / directive.words[1])
        for path, content in files.items():
            if path != directive.file and PurePosixPath(path).match(pattern):
                yield from _expand(content, files, main)


def vhosts(output: str) -> tuple[Vhost, ...]:
    """Every name of every http server in the output of `nginx -T` that can be asked for.

    Left out: patterns, which name nobody in particular, and servers that reject the handshake.
    """
    files = read_dump(output)
    if not files:
        return ()
    main = next(iter(files))
    return tuple(
        vhost
        for http in _expand(files[main], files, main)
        if http.words == ("http",)
        for vhost in _vhosts_of(tuple(_expand(http.block, files, main)), files, main)
    )


def _vhosts_of(
    http: tuple[Directive, ...], files: Mapping[str, tuple[Directive, ...]], main: str
) -> Iterator[Vhost]:
    inherited = _certificates(http, main)
    for server in http:
        if server.words != ("server",):
            continue
        inside = tuple(_expand(server.block, files, main))
        if any(d.words == ("ssl_reject_handshake", "on") for d in inside):
            continue
        given = [d.words[1:] for d in inside if d.words[0] == "listen"]
        listens = tuple(filter(None, map(read_listen, given or [("80",)])))
        certificates = _certificates(inside, main) or inherited
        for names in (d.words[1:] for d in inside if d.words[0] == "server_name"):
            for name in names:
                if name not in ("", "_") and not re.search(r"[~$]|\*$", name):
                    yield Vhost(name, listens, certificates, server.file)


def _certificates(directives: Iterable[Directive], main: str) -> tuple[str, ...]:
    """The files of certificates; one that is chosen at run time or no file cannot be compared."""
    given = [d.words[1] for d in directives if d.words[0] == "ssl_certificate"]
    if any("$" in path or path.startswith("data:") for path in given):
        return ()
    return tuple(str(PurePosixPath(main).parent / path) for path in given)


def read_listen(words: tuple[str, ...]) -> Listen | None:
    """One `listen`; None for what HTTP/1.1 over a stream cannot ask."""
    where, options = words[0], words[1:]
    if "quic" in options or ("http2" in options and "ssl" not in options):
        return None
    tls, proxied = "ssl" in options, "proxy_protocol" in options
    if where.startswith("unix:"):
        return Listen(where, 0, tls, proxied)
    match = re.fullmatch(r"(?:(\[[^]]*\]|[^:]*?):)?(\d+)(?:-\d+)?", where)
    address, port = (match[1] or "*", int(match[2])) if match else (where, 80)
    address = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(address, address)
    return Listen(address.strip("[]"), port, tls, proxied)


# --- asking -------------------------------------------------------------------------------------


def ask_all(served: Iterable[Vhost]) -> None:
    """Ask each name at each place that it listens at. Raises NginxError for the first silence."""
    for vhost in served:
        for listen in vhost.listens:
            try:
                ask(vhost, listen)
            except (OSError, ValueError) as error:
                scheme = "https" if listen.tls else "http"
                raise NginxError(
                    f"{scheme}://{vhost.asked} of {vhost.file} does not answer at {listen}: {error}."
                ) from error


def ask(vhost: Vhost, listen: Listen) -> None:
    """Raise OSError or ValueError unless this server answers, over TLS with its own certificate."""
    where: str | tuple[str, int] = (listen.address, listen.port)
    family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
    if listen.address.startswith("unix:"):
        where, family = listen.address.removeprefix("unix:"), socket.AF_UNIX
    elif not is_local(listen.address):
        # A floating address that another host has at the moment.
        return
    with socket.socket(family) as connection:
        connection.settimeout(ASK_SECONDS)
        connection.connect(where)
        if listen.proxy_protocol:
            connection.sendall(b"PROXY UNKNOWN\r\n")
        if not listen.tls:
            _trace(connection, vhost.asked)
            return
        # Who asks for an address names nobody in the handshake: any server may show itself.
        name = None if _is_address(vhost.asked) else vhost.asked
        with _context().wrap_socket(connection, server_hostname=name) as wrapped:
            if name:
                _check_certificate(wrapped, vhost.certificates)
            _trace(wrapped, vhost.asked)


def is_local(address: str) -> bool:
    """Whether this host has the address: it is what it would then speak to it from."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
            where = socket.getaddrinfo(address, 9, family)[0][4][0]
            return bool(probe.getsockname()[0] == where)
        except OSError:
            return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _context() -> ssl.SSLContext:
    """Takes any certificate: whose it is gets compared, who trusts it is not the question here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _check_certificate(wrapped: ssl.SSLSocket, certificates: tuple[str, ...]) -> None:
    shown = wrapped.getpeercert(binary_form=True) or b""
    if certificates and shown not in map(_leaf, certificates):
        raise ValueError(
            "another server has the name, the certificate shown is not that of "
            + ", ".join(certificates)
        )


def _leaf(path: str) -> bytes:
    """The first certificate of a file: the others are its chain."""
    found = _CERTIFICATE.search(Path(path).read_text("ascii", "replace"))
    return ssl.PEM_cert_to_DER_cert(found[0]) if found else b""


def _trace(connection: socket.socket, name: str) -> None:
    """Ask with TRACE, which nginx answers itself as soon as it knows the server.

    No upstream is asked, no limit counts, and nobody misses a password.
    """
    request = (
        "TRACE / HTTP/1.1",
        f"Host: {name}",
        "User-Agent: twelvefactor.deploy.nginx_config",
        "Connection: close",
    )
    connection.sendall("\r\n".join([*request, "", ""]).encode())
    answer, deadline = b"", time.monotonic() + ASK_SECONDS
    while len(answer) < len(_ANSWER) and (chunk := connection.recv(4096)):
        answer += chunk
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
    if not answer.startswith(_ANSWER):
        raise ValueError(f"it said {answer[:40]!r}" if answer else "it closed the connection")
