"""Addresses, certificates and keys by which servers are reached, and errors about each that can't work."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from bothends import TLS, Client, ConnectionFailedError, InsecureKeyWarning, Retry, SettingsError
from bothends.client.channel import Endpoint
from tests.client.certificates import Certificates, secured
from tests.support.awaited import Awaited
from tests.support.grpcs import Plain, serving

KEY = "k-3f9c0a"


ONCE = Retry(attempts=1)


@pytest.fixture
def headers() -> list[str]:
    """Values of `authorization` that the server of `secure` got."""
    return []


@pytest.fixture
def secure(certificates: Certificates, headers: list[str]) -> Iterator[Plain]:
    with secured(certificates, headers) as server:
        yield server


def test_tls_both_ways_with_a_key(
    secure: Plain, certificates: Certificates, headers: list[str], either: type[Client | Awaited]
) -> None:
    tls = TLS(certificates.ca, certificates.cert, certificates.key)
    with either(secure.target, tls=tls, api_key=KEY) as client:
        assert client.encode(["word"]).shape == (1, 2)
    assert headers == [f"Bearer {KEY}"]


@pytest.mark.parametrize("wrong", ["plain", "unknown authority", "no certificate of ours"])
def test_no_trust_is_no_connection(
    secure: Plain, certificates: Certificates, headers: list[str], either: type[Client | Awaited], wrong: str
) -> None:
    """The key isn't sent, whichever of the two distrusts the other."""
    ours = TLS(certificates.ca)
    tls: TLS | bool = ours if wrong == "no certificate of ours" else wrong == "unknown authority"
    client = either(secure.target, tls=tls, api_key=KEY, retry=ONCE, timeout_s=60)
    with client, pytest.raises(ConnectionFailedError) as raised:
        client.encode(["word"])
    assert KEY not in str(raised.value)
    assert headers == []


def test_a_certificate_for_another_name(certificates: Certificates, either: type[Client | Awaited]) -> None:
    """Refused, unless that is the name that was asked for."""
    with serving(credentials=certificates.server("embedder.example")) as server:
        with (
            either(server.target, tls=TLS(certificates.ca), retry=ONCE) as client,
            pytest.raises(ConnectionFailedError),
        ):
            client.encode(["word"])
        with either(server.target, tls=TLS(certificates.ca, server_name="embedder.example")) as client:
            assert client.encode(["word"]).shape == (1, 2)


def test_files_that_dont_fit_are_told_in_the_server_s_words(certificates: Certificates, tmp_path: Path) -> None:
    """A key of another certificate, one under a passphrase, and a certificate that was cut off."""
    cert, key, other = certificates.cert, certificates.key, tmp_path / "other.pem"
    other.write_bytes(trustme.CA().issue_cert("elsewhere.example").private_key_pem.bytes())
    locked, cut = tmp_path / "locked.pem", tmp_path / "cut.pem"
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nSECRET\n-----END ENCRYPTED PRIVATE KEY-----\n")
    cut.write_bytes(cert.read_bytes()[:200] + b"\n-----END CERTIFICATE-----\n")
    for tls, told in (
        (TLS(cert=cert, key=other), rf"^key {other}: isn't the key of certificate {cert}$"),
        (TLS(cert=cert, key=locked), rf"^key {locked}: is encrypted; a program can't type its passphrase$"),
        (TLS(cert=cut, key=key), rf"^certificate {cut}, key {key}: can't be read as PEM \(.+\)$"),
        (TLS(ca=cut), rf"^CA file {cut}: can't be read as PEM certificates \(.+\)$"),
    ):
        with pytest.raises(SettingsError, match=told) as raised:
            Client("127.0.0.1:1", tls=tls)
        assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (["a:1", "b:2"], {}, "'a:1' is no IP address with a port; several servers are given by IP address, or as one"),
        ("127.0.0.1:1,", {}, "no server is named by '127.0.0.1:1,'"),
        ("http://a:1/", {}, "'http://a:1/' is a URL; an address is host:port, as a:1"),
        ("localhost", {}, "'localhost' has no port; bothends serve takes localhost:50051 unless told otherwise"),
        ([], {}, "no server is named by"),
        ("a:1", {"tls": TLS("nowhere.pem")}, "CA file nowhere.pem: No such file"),
        ("a:1", {"tls": TLS(re.__file__)}, f"CA file {re.__file__}: holds no PEM certificate"),
        (
            "a:1",
            {"tls": TLS(cert=re.__file__, key=re.__file__)},
            f"certificate {re.__file__}: holds no PEM certificate",
        ),
        ("a:1", {"tls": TLS(cert="x")}, "needs its private key"),
        (["10.0.0.1:1", "10.0.0.2:1"], {"tls": True}, "one name must be in the certificates of 10.0.0.1:1, 10.0.0.2:1"),
        ("127.0.0.1:1", {"api_key": "two words"}, "the API key is no key"),
        ("127.0.0.1:1", {"api_key": "schlüssel"}, "the API key is no key"),
    ],
)
def test_what_cant_work_is_said_at_once(
    target: str | list[str], options: dict[str, Any], message: str, either: type[Client | Awaited]
) -> None:
    """No request is sent before, and a key's own text isn't repeated."""
    with pytest.raises(SettingsError, match=re.escape(message)) as raised:
        either(target, **options)
    assert not any(word in str(raised.value) for word in ("two", "words", "line\n", "schlüssel"))


@pytest.mark.parametrize(
    ("addresses", "target"),
    [
        (["10.0.0.1:1", "10.0.0.2:2"], "ipv4:10.0.0.1:1,10.0.0.2:2"),
        (["[fd00::1]:1", "[fd00::2]:2"], "ipv6:[fd00::1]:1,[fd00::2]:2"),
        (["localhost:1", "[::1]:2"], "ipv6:[::ffff:127.0.0.1]:1,[::1]:2"),
        (["dns:///embedder:1"], "dns:///embedder:1"),
        (["embedder:1"], "embedder:1"),
    ],
)
def test_addresses_as_grpc_reads_them(addresses: list[str], target: str) -> None:
    assert Endpoint.of(addresses).target == Endpoint.of(",".join(addresses)).target == target


@pytest.mark.parametrize("target", ["embedder:1", "192.0.2.1:1", ["127.0.0.1:1", "192.0.2.1:1"], "[fd00::1]:1"])
def test_a_key_that_could_be_overheard_warns(target: str | list[str], either: type[Client | Awaited]) -> None:
    """Warnings point at the line that makes the client."""
    with pytest.warns(InsecureKeyWarning, match="unencrypted") as caught:
        either(target, api_key=KEY)
    assert KEY not in str(caught[0].message)


@pytest.mark.parametrize(
    "target", ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/bothends.sock", "dns:///localhost:1"]
)
def test_a_key_that_stays_here_does_not_warn(target: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client(target, api_key=KEY).close()


def test_a_proxy_for_the_outside_is_not_asked_for_this_machine(
    either: type[Client | Awaited], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can't reach it, and a server's own address is what callers have by default."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):  # gRPC takes the last before the others
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy")
    with serving() as server, either(server.target, retry=ONCE, timeout_s=60) as client:
        assert client.encode(["word"]).shape == (1, 2)
    with (
        either("embedder.example:1", retry=ONCE, timeout_s=60) as client,
        pytest.raises(ConnectionFailedError) as raised,
    ):
        client.encode(["word"])
    assert "127.0.0.1:1" in str(raised.value)


def test_no_repr_shows_the_key() -> None:
    client = Client("127.0.0.1:1", api_key=KEY)
    endpoint = Endpoint.of("127.0.0.1:1", api_key=KEY)
    assert KEY not in repr(client) + repr(vars(client)) + repr(endpoint)
    client.close()
