# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From when until when a certificate is valid."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.lifetime import (
    Lifetime,
    lifetime,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def certificate(begin: datetime, end: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x" * 60)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    signed = builder.not_valid_before(begin).not_valid_after(end).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (BEGIN, datetime(2036, 2, 3, 4, 5, 6, tzinfo=UTC)),
        (datetime(1999, 12, 31, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)),
        (BEGIN, datetime(2056, 1, 1, tzinfo=UTC)),
    ],
)
def test_both_kinds_of_time(begin: datetime, end: datetime) -> None:
    pem = certificate(begin, end)
    assert lifetime(pem) == lifetime("für CN=büro\n".encode() + pem + WHOLE) == Lifetime(begin, end)


WHOLE = certificate(BEGIN, BEGIN.replace(year=2027))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"nonsense",
        b"-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----",
        WHOLE[:200] + b"\n-----END CERTIFICATE-----\n",
        WHOLE[:100] + b"\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_none(content: bytes) -> None:
    assert lifetime(content) is None


@pytest.mark.parametrize(("month", "due"), [(1, False), (6, False), (7, False), (10, True)])
def test_due(month: int, due: bool) -> None:
    whole = Lifetime(BEGIN, BEGIN.replace(year=2027))
    assert whole.is_due(BEGIN.replace(month=month)) is due
    assert whole.is_due(BEGIN.replace(year=2025))
    assert whole.is_due(BEGIN.replace(year=2028))
