"""Certificates that aren't valid now: they are loaded, and said."""

import datetime
import logging
import ssl
from pathlib import Path

import pytest
import trustme

from bothends.server.tls import Certificates
from bothends.server.validity import validity, warnings
from tests.support.doors import write_pair

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("begins", "ends", "told"),
    [
        (NOW - 2 * DAY, NOW - DAY, "its certificate has expired, at "),
        (NOW + DAY, NOW + 60 * DAY, "its certificate isn't valid before "),
        (NOW - DAY, NOW + 2 * DAY, "its certificate expires soon, at "),
        (NOW - DAY, datetime.datetime(2060, 1, 2, tzinfo=datetime.UTC), None),
        (NOW - DAY, NOW + 60 * DAY, None),
    ],
)
def test_a_load_warns(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    begins: datetime.datetime,
    ends: datetime.datetime,
    told: str | None,
) -> None:
    """The warning names setting, file and time."""
    write_pair(tmp_path, trustme.CA().issue_cert("localhost", not_before=begins, not_after=ends))
    caplog.set_level(logging.WARNING)
    Certificates(tmp_path / "cert.pem", tmp_path / "key.pem", None)
    said = [record.getMessage() for record in caplog.records]
    assert [text.startswith(f"--tls-cert {tmp_path}/cert.pem: {told}") for text in said] == ([True] if told else [])


def test_times_are_read_in_both_forms() -> None:
    """Years after 2049 are written otherwise (RFC 5280, 4.1.2.5)."""
    ends = datetime.datetime(2060, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    made = trustme.CA().issue_cert("localhost", not_before=NOW, not_after=ends)
    der = ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())
    assert validity(der) == (NOW, ends)


@pytest.mark.parametrize("size", [0, 4, 100])
def test_what_is_cut_off_is_not_spoken_of(size: int) -> None:
    pem = trustme.CA().cert_pem.bytes()
    assert list(warnings(pem[:27] + pem[27 : 27 + size] + b"\n-----END CERTIFICATE-----\n", NOW)) == []
