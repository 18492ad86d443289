# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for sites that have none, signed by a tiny CA of this host.

What a client trusts is the CA, so that another domain or a renewal changes nothing for the clients.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.lifetime import lifetime
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    SET_NAME,
    File,
    NginxError,
    SelfSigned,
    Signing,
)

OPENSSL_SECONDS = 60.0
WORDS_LENGTH = 500  # of an error, the last of which says most
# No certificate that it signs outlives it.
AUTHORITY_DAYS = 10950
NAME_LENGTH = 64  # of a common name, RFC 5280
KINDS = {"DNS", "IP"}
EXTENSIONS = """\
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[site]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def read_signing(given: Mapping[str, Any], owner: tuple[int, int]) -> Signing:
    """The module's parameter `self_signed`. Raises NginxError for what could not be signed."""
    if not 1 <= given["days"] <= AUTHORITY_DAYS:
        raise NginxError(f"'days' of 'self_signed' must be between 1 and {AUTHORITY_DAYS}.")
    if not len(escaped(given["authority"])) >= 1 or len(given["authority"]) > NAME_LENGTH:
        raise NginxError(f"'authority' of 'self_signed' must have 1 to {NAME_LENGTH} characters.")
    return Signing(given["authority"], given["days"], read_wanted(given["certificates"]), owner)


def read_wanted(given: Iterable[Mapping[str, Any]]) -> tuple[SelfSigned, ...]:
    """The certificates. Raises NginxError for what no certificate could have."""
    wanted = []
    for each in given:
        if not SET_NAME.fullmatch(each["name"]):
            raise NginxError(f"{each['name']!r} cannot be the name of a certificate's files.")
        if not each["alternative_names"]:
            raise NginxError(f"The certificate {each['name']} needs at least one name.")
        wanted.append(SelfSigned(each["name"], tuple(each["alternative_names"]), each["trust"]))
        for _kind, value in _values(wanted[-1].names):
            escaped(value)  # or raises
    return tuple(wanted)


class Authority:
    """The CA of a host, and what it has signed, in a directory that only root can enter."""

    def __init__(self, directory: Path, name: str, days: int) -> None:
        self._directory = directory
        self._name = name
        self._days = days

    @property
    def _certificate(self) -> Path:
        return self._directory / "ca.pem"

    def due(self, wanted: Iterable[SelfSigned]) -> list[SelfSigned]:
        """What is missing, or in the last third of its lifetime; everything where there is no CA."""
        signed = self._certificate.exists()
        return [each for each in wanted if not (signed and self._is_fresh(each))]

    def _is_fresh(self, wanted: SelfSigned) -> bool:
        certificate, key = self._paths(wanted)
        found = lifetime(_content(certificate) or b"")
        return key.exists() and found is not None and not found.is_due(datetime.now(UTC))

    def files(self, wanted: Iterable[SelfSigned], owner: tuple[int, int]) -> dict[str, File]:
        """The files of nginx's configuration, as they are before `sign` or after it.

        The content of what is not there yet is unknown, and a certificate that is due is so marked.
        """
        wanted = list(wanted)
        due = self.due(wanted)
        found: dict[str, File] = {}
        for each in wanted:
            certificate, key = map(_content, self._paths(each))
            if key is None:
                certificate = None  # it would be one of another key
            modes = (
                File(certificate, 0o644, owner, due=each in due and certificate is not None),
                File(key, 0o600, owner),
                File(_content(self._certificate), 0o644, owner),
            )
            found |= zip(each.paths, modes, strict=False)
        return found

    def sign(self, wanted: Sequence[SelfSigned]) -> None:
        """Make these certificates, and what they need. A key that is there already is kept."""
        with tempfile.TemporaryDirectory(prefix="staged-", dir=self._directory) as staged:
            # It is never replaced: it has signed what is served, and clients trust it.
            if not self._certificate.exists():
                self._make_authority(Path(staged))
            for each in wanted:
                self._issue(Path(staged), each)

    def _make_authority(self, staged: Path) -> None:
        key = _key(self._directory / "ca.key")
        what = f"sign the certificate {self._certificate}"
        prepared = _prepare(staged, self._name, (), key, what)
        signer = ["-extensions", "authority", "-selfsign", "-keyfile", str(key)]
        end = datetime.now(UTC) + timedelta(days=AUTHORITY_DAYS)
        _sign(prepared, self._certificate, signer, end, what)

    def _issue(self, staged: Path, wanted: SelfSigned) -> None:
        certificate, path = self._paths(wanted)
        key = _key(path)
        what = f"sign the certificate {certificate}"
        subject = next(_values(wanted.names))[1][:NAME_LENGTH]
        prepared = _prepare(staged, subject, wanted.names, key, what)
        issuer = ["-cert", str(self._certificate), "-keyfile", str(self._directory / "ca.key")]
        _sign(prepared, certificate, ["-extensions", "site", *issuer], self._end(), what)

    def _end(self) -> datetime:
        """When a certificate that is signed now ends: not after the CA."""
        now = datetime.now(UTC)
        own = lifetime(_content(self._certificate) or b"")
        if own is None or own.end <= now:
            raise NginxError(
                f"The CA {self._certificate} of this host "
                + (f"ended on {own.end:%Y-%m-%d}" if own else "is not a certificate")
                + ". Remove it for a new one to be made, and give that to all clients."
            )
        return min(now + timedelta(days=self._days), own.end)

    def _paths(self, wanted: SelfSigned) -> tuple[Path, Path]:
        stem = self._directory / wanted.stem
        return stem.with_name(f"{stem.name}.pem"), stem.with_name(f"{stem.name}.key")


def _key(path: Path) -> Path:
    """Make a private key where there is none."""
    if not path.exists():
        options = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        output = openssl("genpkey", *options, what=f"make the key {path}")
        write_atomically(path, _pem(output, "PRIVATE KEY"), 0o600)
    return path


def _prepare(staged: Path, subject: str, names: Sequence[str], key: Path, what: str) -> Path:
    """The directory with all that `openssl ca` reads."""
    settings = staged / "openssl.cnf"
    settings.write_text(configuration(staged, subject, names), "utf-8")
    (staged / "index.txt").write_text("", "utf-8")
    # at most 20 bytes, and positive: RFC 5280
    (staged / "serial").write_text(f"{secrets.randbits(158) | 1:040X}\n", "utf-8")
    output = ["-out", str(staged / "request.pem")]
    openssl("req", "-new", "-config", str(settings), "-key", str(key), *output, what=what)
    return staged


def _sign(
    prepared: Path, certificate: Path, signer: Sequence[str], end: datetime, what: str
) -> None:
    signed = prepared / "signed.pem"
    # a clock that is behind must not refuse it
    begin = datetime.now(UTC) - timedelta(days=1)
    openssl(
        *("ca", "-batch", "-notext", "-config", str(prepared / "openssl.cnf"), *signer),
        *("-startdate", _date(begin), "-enddate", _date(end)),
        *("-in", str(prepared / "request.pem"), "-out", str(signed)),
        what=what,
    )
    write_atomically(certificate, _pem(signed.read_text("ascii"), "CERTIFICATE"), 0o644)


def configuration(directory: Path, subject: str, names: Sequence[str]) -> str:
    """What `openssl req` and `openssl ca` need to know."""
    lines = [
        "[req]",
        "prompt = no",
        "distinguished_name = subject",
        "utf8 = yes",
        "string_mask = utf8only",
        *(["req_extensions = names"] if names else []),
        "[subject]",
        f"commonName = {escaped(subject)}",
        "[ca]",
        "default_ca = this",
        "[this]",
        f"database = {directory}/index.txt",
        f"serial = {directory}/serial",
        f"new_certs_dir = {directory}",
        "default_md = sha256",
        "policy = any",
        "copy_extensions = copy",
        "unique_subject = no",
        "[any]",
        "commonName = supplied",
    ]
    if names:
        lines += ["[names]", "subjectAltName = @each", "[each]", *_alternatives(names)]
    return "\n".join(lines) + "\n" + EXTENSIONS


def _alternatives(names: Sequence[str]) -> Iterator[str]:
    for number, (kind, value) in enumerate(_values(names)):
        yield f"{kind}.{number} = {escaped(value)}"


def _values(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Kind and value of each name; a domain with other letters is written as DNS has it."""
    for name in names:
        kind, colon, value = name.partition(":")
        if kind not in KINDS or not (colon and value):
            raise NginxError(
                f"{name!r} is not a name for a certificate: write DNS:name or IP:address."
            )
        if not value.isascii():
            value = _ascii(value)
        yield kind, value


def _ascii(domain: str) -> str:
    try:
        return ".".join(
            part if part.isascii() else part.encode("idna").decode() for part in domain.split(".")
        )
    except UnicodeError as error:
        raise NginxError(f"{domain!r} cannot be in a certificate: {error}.") from None


def escaped(value: str) -> str:
    """A value as openssl's configuration files have it, see config(5ssl)."""
    if not value.isprintable():
        raise NginxError(f"{value!r} cannot be in a certificate: use printable characters.")
    return re.sub(r"([^A-Za-z0-9\x80-\U0010ffff])", r"\\\1", value)


def openssl(*arguments: str, what: str) -> str:
    command, remedy = ["openssl", *arguments], "install the package openssl"
    status, output = run(command, what, OPENSSL_SECONDS, remedy=remedy, umask=0o077)
    if status:
        words = " ".join(output.split())
        if len(words) > WORDS_LENGTH:
            words = "… " + words[-WORDS_LENGTH:].partition(" ")[2]
        raise NginxError(f"Could not {what}: openssl failed: {words}")
    return output


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _pem(text: str, kind: str) -> str:
    """The one block of this kind, without what the program says beside it."""
    found = re.search(f"-----BEGIN {kind}-----.*?-----END {kind}-----\n", text, re.DOTALL)
    if not found:
        raise NginxError(f"openssl made no {kind.lower()}.")
    return found[0]


def _date(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%SZ")
