# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From when until when a certificate is valid, without a process for each. Pure."""

from __future__ import annotations

import binascii
import dataclasses
import re
import ssl
from datetime import UTC, datetime

VERSION, UTC_TIME, GENERALIZED_TIME = 0xA0, 0x17, 0x18  # tags of DER, see RFC 5280
_BLOCK = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Lifetime:
    begin: datetime
    end: datetime

    def is_due(self, now: datetime) -> bool:
        """In the last third of it, over, or before its beginning: then one of the clocks was wrong."""
        return not self.begin <= now <= self.begin + (self.end - self.begin) * 2 / 3


def lifetime(pem: bytes) -> Lifetime | None:
    """Of the first certificate of a file, None where there is none."""
    try:
        [block] = _BLOCK.findall(pem.decode("utf-8"))[:1]
        _tag, certificate, _rest = _element(ssl.PEM_cert_to_DER_cert(block))
        _tag, rest, _signature = _element(certificate)
        if rest[0] == VERSION:
            rest = _element(rest)[2]
        for _skipped in ("serial number", "algorithm", "issuer"):
            rest = _element(rest)[2]
        _tag, validity, _rest = _element(rest)
        begin, start, rest = _element(validity)
        end, stop, _rest = _element(rest)
        return Lifetime(_time(begin, start), _time(end, stop))
    except (ValueError, IndexError, binascii.Error):
        return None


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """The first element's tag and content, and what follows it."""
    tag, length, begin = der[0], der[1], 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[2:begin], "big")
    return tag, der[begin : begin + length], der[begin + length :]


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == UTC_TIME:  # of 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != GENERALIZED_TIME:
        raise ValueError(f"{tag} is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
