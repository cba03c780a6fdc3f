"""Reads the validity period of PEM certificates, and warns if now is outside it.

Python's ssl module reports this for a peer's certificate only, not for one's own. So the two times are read here from
the certificate's few first fields (RFC 5280, 4.1).
"""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0
_SOON = timedelta(days=7)


def warnings(content: bytes, now: datetime) -> Iterator[str]:
    """Yield what is wrong with the validity of each certificate in `content`, as text to follow its file's name.

    A malformed certificate is skipped: OpenSSL reports what is wrong with it.
    """
    for number, pem in enumerate(_PEM.findall(content.decode("ascii", "replace")), 1):
        try:
            begins, ends = validity(ssl.PEM_cert_to_DER_cert(pem))
        except (ValueError, IndexError):
            continue
        which = "its certificate" if number == 1 else f"its certificate {number}"
        if ends < now:
            yield f"{which} has expired, at {ends:%Y-%m-%d %H:%M} UTC: callers refuse it"
        elif ends < now + _SOON:
            yield f"{which} expires soon, at {ends:%Y-%m-%d %H:%M} UTC"
        elif begins > now:
            yield f"{which} isn't valid before {begins:%Y-%m-%d %H:%M} UTC: callers refuse it until then"


def validity(certificate: bytes) -> tuple[datetime, datetime]:
    """Return the first and the last time at which a certificate (DER) is valid. Raises ValueError or IndexError."""
    body = _content(_content(certificate, _SEQUENCE)[0], _SEQUENCE)[0]
    if body[0] == _VERSION:
        _, body = _content(body, _VERSION)
    for _ in range(3):  # serial number, signature algorithm, issuer
        _, body = _content(body, body[0])
    times = _content(body, _SEQUENCE)[0]
    begins, rest = _time(times)
    return begins, _time(rest)[0]


def _content(der: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the content of the value at the start of `der`, and what follows it."""
    if der[0] != tag:
        raise ValueError("another value is there")
    size, start = der[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(der[2:start], "big")
    if start + size > len(der):
        raise ValueError("it ends before its end")
    return der[start : start + size], der[start + size :]


def _time(der: bytes) -> tuple[datetime, bytes]:
    kind = der[0]
    if kind not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError("no time is there")
    content, rest = _content(der, kind)
    text = content.decode("ascii")
    if kind == _UTC_TIME:  # of two digits, 50 and more are of the last century
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), rest
