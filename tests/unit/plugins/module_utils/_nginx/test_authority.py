# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a host's own CA, made by the openssl of this machine."""

from __future__ import annotations

import datetime
import os
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import command
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx import authority
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.authority import (
    Authority,
    read_wanted,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    NginxError,
    SelfSigned,
)
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

NAMES = ("DNS:shop.test", "DNS:*.shop.test", r"DNS:~^(?<x>.+)\.a,b#;$", "IP:192.0.2.1", "IP:::1")
SHOP = SelfSigned("shop", NAMES)
ME = (os.geteuid(), os.getegid())


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "self-signed CA of app1", 90)


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def days(certificate: x509.Certificate) -> tuple[int, int]:
    now = datetime.datetime.now(datetime.UTC)
    since = now - certificate.not_valid_before_utc
    left = certificate.not_valid_after_utc - now + datetime.timedelta(minutes=5)
    return since.days, left.days


def extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> tuple[Any, bool]:
    found = certificate.extensions.get_extension_for_oid(oid)
    return found.value, found.critical


def test_the_certificate_of_a_site(ours: Authority, tmp_path: Path) -> None:
    ours.sign([SHOP])
    signed, ca = read(tmp_path / f"{SHOP.stem}.pem"), read(tmp_path / "ca.pem")
    signed.verify_directly_issued_by(ca)
    [subject] = signed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert subject.value == "shop.test"
    names, _critical = extension(signed, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert names.get_values_for_type(x509.DNSName) == [name[4:] for name in NAMES[:3]]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["192.0.2.1", "::1"]
    assert extension(signed, ExtensionOID.BASIC_CONSTRAINTS) == (
        x509.BasicConstraints(ca=False, path_length=None),
        True,
    )
    usage, _critical = extension(signed, ExtensionOID.EXTENDED_KEY_USAGE)
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    # a clock that is behind must not refuse it
    assert days(signed) == (1, 90)


def test_the_certificate_of_the_ca(ours: Authority, tmp_path: Path) -> None:
    ours.sign([SHOP])
    ca = read(tmp_path / "ca.pem")
    [subject] = ca.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert (subject.value, ca.issuer) == ("self-signed CA of app1", ca.subject)
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    assert extension(ca, ExtensionOID.BASIC_CONSTRAINTS) == (constraints, True)
    usage, critical = extension(ca, ExtensionOID.KEY_USAGE)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert critical
    assert days(ca) == (1, 10950)


@pytest.mark.usefixtures("strict_umask")
def test_keys_are_for_root_only_and_nothing_else_is_left(ours: Authority, tmp_path: Path) -> None:
    ours.sign([SHOP])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {
        "ca.key": 0o600,
        "ca.pem": 0o644,
        f"{SHOP.stem}.key": 0o600,
        f"{SHOP.stem}.pem": 0o644,
    }
    ssl.create_default_context().load_cert_chain(
        tmp_path / f"{SHOP.stem}.pem", tmp_path / f"{SHOP.stem}.key"
    )


def test_a_renewal_keeps_the_ca_and_the_key(ours: Authority, tmp_path: Path) -> None:
    ours.sign([SHOP])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ours.sign([SHOP])
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"{SHOP.stem}.pem"}


def at(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """The clock is so many days ahead."""

    class Ahead(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return datetime.datetime.now(tz) + datetime.timedelta(days=days)

    monkeypatch.setattr(authority, "datetime", Ahead)


@pytest.mark.parametrize(
    ("age", "missing", "due"),
    [
        (0, "", False),
        (59, "", False),
        (61, "", True),
        (100, "", True),
        (-2, "", True),
        (0, f"{SHOP.stem}.pem", True),
        (0, f"{SHOP.stem}.key", True),
        (0, "ca.pem", True),
    ],
)
def test_due(
    ours: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    age: float,
    missing: str,
    due: bool,
) -> None:
    ours.sign([SHOP])
    # what counts is the certificate, not its file, nor what new ones are to have
    os.utime(tmp_path / f"{SHOP.stem}.pem", (1, 1))
    if missing:
        (tmp_path / missing).unlink()
    at(monkeypatch, age)
    assert (Authority(tmp_path, "CA", 3650).due([SHOP]) == [SHOP]) is due


def test_what_is_no_certificate_is_due(ours: Authority, tmp_path: Path) -> None:
    ours.sign([SHOP])
    (tmp_path / f"{SHOP.stem}.pem").write_text("")
    assert ours.due([SHOP]) == [SHOP]


def test_no_certificate_outlives_the_ca(
    ours: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.sign([SHOP])
    at(monkeypatch, 10950 - 30)
    ours.sign([SHOP])
    signed, ca = read(tmp_path / f"{SHOP.stem}.pem"), read(tmp_path / "ca.pem")
    assert signed.not_valid_after_utc == ca.not_valid_after_utc
    at(monkeypatch, 10951)
    with pytest.raises(
        NginxError, match=r"The CA .*/ca\.pem of this host ended on 20\d\d-.*Remove"
    ):
        ours.sign([SHOP])


def test_names_that_are_not_ascii(tmp_path: Path) -> None:
    """As earlier versions of the role nginx have written them."""
    shop = SelfSigned("shop", ("DNS:*.bücher.test",))
    Authority(tmp_path, "CA of büro (1)", 90).sign([shop])
    signed, ca = read(tmp_path / f"{shop.stem}.pem"), read(tmp_path / "ca.pem")
    names, _critical = extension(signed, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert names.get_values_for_type(x509.DNSName) == ["*.xn--bcher-kva.test"]
    [subject] = ca.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert subject.value == "CA of büro (1)"
    signed.verify_directly_issued_by(ca)


def test_files_before_and_after_they_are_signed(ours: Authority, tmp_path: Path) -> None:
    before = ours.files([SHOP], ME)
    assert {path: (file.content, file.mode) for path, file in before.items()} == {
        "certificates/shop.pem": (None, 0o644),
        "certificates/shop.key": (None, 0o600),
        "certificates/shop.trust.pem": (None, 0o644),
    }
    ours.sign([SHOP])
    after = ours.files([SHOP, SelfSigned("wiki", NAMES, trust=False)], ME)
    assert after["certificates/shop.key"].content == (tmp_path / f"{SHOP.stem}.key").read_bytes()
    assert after["certificates/shop.trust.pem"].content == (tmp_path / "ca.pem").read_bytes()
    assert after["certificates/wiki.pem"].content is None
    assert "certificates/wiki.trust.pem" not in after


def test_the_name_says_what_a_certificate_is_for() -> None:
    """As earlier versions of the role nginx have named it: theirs are used on."""
    assert SelfSigned("shop", ("DNS:a", "IP:1.2.3.4")).stem == "shop-1991c0d7def7"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "../x"}, "'../x' cannot be the name"),
        ({"alternative_names": []}, "shop needs at least one name"),
        ({"alternative_names": ["shop.test"]}, "'shop.test' is not a name for a certificate"),
        ({"alternative_names": ["email:x"]}, "'email:x' is not a name for a certificate"),
        ({"alternative_names": ["DNS:"]}, "'DNS:' is not a name for a certificate"),
        ({"alternative_names": ["DNS:" + "ü" * 70]}, "cannot be in a certificate: .*too long"),
        ({"alternative_names": ["DNS:a\n[x]"]}, "cannot be in a certificate"),
    ],
)
def test_what_no_certificate_could_have_is_refused(given: dict[str, Any], words: str) -> None:
    whole = {"name": "shop", "alternative_names": ["DNS:a"], "trust": True, **given}
    with pytest.raises(NginxError, match=words):
        read_wanted([whole])


def test_what_openssl_says_is_passed_on(ours: Authority) -> None:
    with pytest.raises(NginxError, match=r"sign the certificate .*-\w+\.pem: openssl failed: .*"):
        ours.sign([SelfSigned("shop", ("IP:no address",))])


def test_of_a_long_story_the_last_whole_words_are_passed_on(
    ours: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority, "run", lambda *_, **_how: (1, "/a/long/path " * 100))
    with pytest.raises(NginxError, match=r"openssl failed: … (/a/long/path ?){30,38}$"):
        ours.sign([SHOP])


def test_without_openssl(ours: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(command.BASE, "PATH", str(tmp_path))
    with pytest.raises(DeployError, match=r"openssl is missing .*; install the package openssl\."):
        ours.sign([SHOP])


def test_an_openssl_that_makes_nothing(ours: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "run", lambda *_, **_how: (0, "nothing"))
    with pytest.raises(NginxError, match="openssl made no private key"):
        ours.sign([SHOP])
