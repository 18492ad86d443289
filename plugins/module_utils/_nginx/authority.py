# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for sites that have none, signed by a tiny CA of this host.

What a client trusts is the CA, so that another domain or a renewal changes nothing for the clients.
"""

from __future__ import annotations

import dataclasses
import hashlib
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


def read_wanted(given: Iterable[Mapping[str, Any]]) -> tuple[SelfSigned, ...]:
    """The module's parameter. Raises NginxError for what no certificate could have."""
    wanted = []
    for each in given:
        if not SET_NAME.fullmatch(each["name"]):
            raise NginxError(f"{each['name']!r} cannot be the name of a certificate's files.")
        if not each["alternative_names"]:
            raise NginxError(f"The certificate {each['name']} needs at least one name.")
        wanted.append(SelfSigned(each["name"], tuple(each["alternative_names"]), each["trust"]))
        configuration(Path(), "", wanted[-1].names)
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
        """The files of nginx's configuration. The content of what is not signed yet is unknown."""
        found: dict[str, File] = {}
        for each in wanted:
            known = not self.due([each])
            certificate, key = (path.read_bytes() if known else None for path in self._paths(each))
            found[f"certificates/{each.name}.pem"] = File(certificate, 0o644, owner)
            found[f"certificates/{each.name}.key"] = File(key, 0o600, owner)
            if each.trust:
                trusted = self._certificate.read_bytes() if self._certificate.exists() else None
                found[f"certificates/{each.name}.trust.pem"] = File(trusted, 0o644, owner)
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


def _pem(text: str, kind: str) -> str:
    """The one block of this kind, without what the program says beside it."""
    found = re.search(f"-----BEGIN {kind}-----.*?-----END {kind}-----\n", text, re.DOTALL)
    if not found:
        raise NginxError(f"openssl made no {kind.lower()}.")
    return found[0]


def _date(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
