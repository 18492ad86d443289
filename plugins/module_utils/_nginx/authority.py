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
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    SET_NAME,
    File,
    NginxError,
    SelfSigned,
    Signing,
)

OPENSSL_SECONDS = 60.0
DAY = 86400.0
# Must outlive every certificate that it signs, whatever their lifetime is.
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
        list(_alternatives(wanted[-1].names))
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
        """What is missing, or in the last third of its lifetime."""
        oldest = time.time() - self._days * DAY * 2 / 3
        return [each for each in wanted if not self._is_fresh(each, oldest)]

    def _is_fresh(self, wanted: SelfSigned, oldest: float) -> bool:
        certificate, key = self._paths(wanted)
        return key.exists() and certificate.exists() and certificate.stat().st_mtime > oldest

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
                self._issue(Path(staged), self._certificate, self._name, "authority", ())
            for each in wanted:
                subject = each.names[0].partition(":")[2][:NAME_LENGTH]
                certificate, _key = self._paths(each)
                self._issue(Path(staged), certificate, subject, "site", each.names)

    def _paths(self, wanted: SelfSigned) -> tuple[Path, Path]:
        stem = self._directory / wanted.stem
        return stem.with_name(f"{stem.name}.pem"), stem.with_name(f"{stem.name}.key")

    def _issue(
        self, staged: Path, certificate: Path, subject: str, kind: str, names: Sequence[str]
    ) -> None:
        key = certificate.with_suffix(".key")
        if not key.exists():
            options = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
            output = openssl("genpkey", *options, what=f"make the key {key}")
            write_atomically(key, _pem(output, "PRIVATE KEY"), 0o600)
        settings, request = staged / "openssl.cnf", staged / "request.pem"
        signed = staged / "signed.pem"
        settings.write_text(configuration(staged, subject, names), "utf-8")
        (staged / "index.txt").write_text("", "utf-8")
        # at most 20 bytes, and positive: RFC 5280
        (staged / "serial").write_text(f"{secrets.randbits(158) | 1:040X}\n", "utf-8")
        what = f"sign the certificate {certificate}"
        by_file = ["-config", str(settings)]
        openssl("req", "-new", *by_file, "-key", str(key), "-out", str(request), what=what)
        days = AUTHORITY_DAYS if kind == "authority" else self._days
        signer = (
            ["-selfsign", "-keyfile", str(key)]
            if kind == "authority"
            else ["-cert", str(self._certificate), "-keyfile", str(self._directory / "ca.key")]
        )
        openssl(
            *("ca", "-batch", "-notext", *by_file, "-extensions", kind, *signer),
            *("-startdate", _date(-1), "-enddate", _date(days)),
            *("-in", str(request), "-out", str(signed)),
            what=what,
        )
        write_atomically(certificate, _pem(signed.read_text("ascii"), "CERTIFICATE"), 0o644)


def configuration(directory: Path, subject: str, names: Sequence[str]) -> str:
    """What `openssl req` and `openssl ca` need to know."""
    lines = [
        "[req]",
        "prompt = no",
        "distinguished_name = subject",
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
    for number, name in enumerate(names):
        kind, colon, value = name.partition(":")
        if kind not in KINDS or not (colon and value):
            raise NginxError(
                f"{name!r} is not a name for a certificate: write DNS:name or IP:address."
            )
        yield f"{kind}.{number} = {escaped(value)}"


def escaped(value: str) -> str:
    """A value as openssl's configuration files have it, see config(5ssl)."""
    if not (value.isascii() and value.isprintable()):
        raise NginxError(f"{value!r} cannot be in a certificate: use printable ASCII characters.")
    return re.sub(r"([^A-Za-z0-9])", r"\\\1", value)


def openssl(*arguments: str, what: str) -> str:
    status, output = run(["openssl", *arguments], what, OPENSSL_SECONDS, umask=0o077)
    if status:
        raise NginxError(f"Could not {what}: openssl failed: {' '.join(output.split())[-500:]}")
    return output


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _pem(text: str, kind: str) -> str:
    """The one block of this kind, without what the program says beside it."""
    found = re.search(f"-----BEGIN {kind}-----.*?-----END {kind}-----\n", text, re.DOTALL)
    if not found:
        raise NginxError(f"openssl made no {kind.lower()}.")
    return found[0]


def _date(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
