"""TLS and mTLS with certificates of an authority of the test's own, over real connections."""

import datetime
import logging
import re
import shlex
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.errors import StartupError
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.settings import Settings
from tests.support.doors import AT_ONCE_S, connected, embed, put, serving, shown_certificate, write_pair
from tests.support.until import TIMEOUT_S, until

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
NAMES = ("localhost", "127.0.0.1")
SILENCE_S = 3


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Path:
    """A folder with cert.pem, key.pem and ca.pem."""
    write_pair(tmp_path, authority.issue_cert(*NAMES))
    put(tmp_path / "ca.pem", authority.cert_pem.bytes())
    return tmp_path


@pytest.fixture
def encrypted(toy_bundle: Bundle, files: Path) -> Iterator[Server]:
    with serving(toy_bundle, tls_cert=files / "cert.pem", tls_key=files / "key.pem", reload_s=AT_ONCE_S) as server:
        yield server


def trusting(authority: trustme.CA, own: trustme.LeafCert | None = None) -> grpc.ChannelCredentials:
    chain = b"".join(pem.bytes() for pem in own.cert_chain_pems) if own else None
    return grpc.ssl_channel_credentials(authority.cert_pem.bytes(), own.private_key_pem.bytes() if own else None, chain)


def by_mtls(bundle: Bundle, files: Path, **more: Any) -> AbstractContextManager[Server]:
    """A server whose callers show a certificate of the authority."""
    cert, key, ca = (files / f"{name}.pem" for name in ("cert", "key", "ca"))
    return serving(bundle, tls_cert=cert, tls_key=key, tls_client_ca=ca, **more)


def refused(server: Server, credentials: grpc.ChannelCredentials | None) -> bool:
    with connected(server, credentials) as channel:
        try:
            embed(channel, "a", timeout=SILENCE_S)
        except grpc.RpcError as error:
            return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    return False


def readyz(server: Server, authority: trustme.CA) -> int:
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    with urllib.request.urlopen(
        f"https://127.0.0.1:{server.http_port}/readyz", context=context, timeout=TIMEOUT_S
    ) as answer:
        return int(answer.status)


def test_both_ports_speak_tls_and_nothing_else(encrypted: Server, authority: trustme.CA) -> None:
    with connected(encrypted, trusting(authority)) as channel:
        assert embed(channel, "a").embeddings
    assert readyz(encrypted, authority) == 200
    assert refused(encrypted, None)
    assert refused(encrypted, trusting(trustme.CA()))
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"http://127.0.0.1:{encrypted.http_port}/readyz", timeout=SILENCE_S)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        readyz(encrypted, trustme.CA())


@pytest.mark.parametrize("shown", ["right", "none", "foreign", "expired"])
def test_callers_must_show_a_certificate_of_the_authority(
    toy_bundle: Bundle, files: Path, authority: trustme.CA, shown: str
) -> None:
    """gRPC's; a probe reads /readyz without one."""
    day = datetime.timedelta(days=1)
    ways: dict[str, Callable[[], trustme.LeafCert | None]] = {
        "right": lambda: authority.issue_cert("caller@example.org"),
        "none": lambda: None,
        "foreign": lambda: trustme.CA().issue_cert("caller@example.org"),
        "expired": lambda: authority.issue_cert("c@example.org", not_before=LONG_AGO, not_after=LONG_AGO + day),
    }
    own = ways[shown]()
    with by_mtls(toy_bundle, files) as server:
        with connected(server, trusting(authority, own)) as channel:
            if shown == "right":
                assert embed(channel, "a").embeddings
        assert shown == "right" or refused(server, trusting(authority, own))
        assert readyz(server, authority) == 200


def test_the_banners_line_to_try_works_by_mtls(toy_bundle: Bundle, files: Path, authority: trustme.CA) -> None:
    """The line names each file that is needed; in their places stand those of a caller."""
    own = authority.issue_cert("caller@example.org")
    own.private_key_pem.write_to_path(str(files / "own-key.pem"))
    own.cert_chain_pems[0].write_to_path(str(files / "own.pem"))
    paths = {"--ca": files / "ca.pem", "--cert": files / "own.pem", "--key": files / "own-key.pem"}
    with by_mtls(toy_bundle, files) as server:
        line = server.banner().splitlines()[-1].split("bothends ", 1)[1]
        for flag, path in paths.items():
            line = line.replace(f"{flag} FILE", f"{flag} {shlex.quote(str(path))}")
        assert "FILE" not in line
        tried = CliRunner().invoke(main, shlex.split(line))
    assert tried.exit_code == 0, tried.output
    assert "there will be dragons" in tried.output


@pytest.mark.ci
@pytest.mark.slow
def test_changed_certificates_are_used_for_new_connections(
    encrypted: Server, files: Path, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    """Old connections go on; a pair that doesn't fit is said once, and the one before stays."""
    first = shown(encrypted)
    with connected(encrypted, trusting(authority)) as channel:
        embed(channel, "a")
        write_pair(files, authority.issue_cert(*NAMES))
        until(lambda: shown(encrypted) != first)  # they are read by a thread that nobody waits for
        second = shown(encrypted)
        caplog.clear()

        def errors() -> list[str]:
            shown(encrypted)  # which looks for newer ones
            return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]

        put(files / "key.pem", authority.issue_cert(*NAMES).private_key_pem.bytes())
        until(lambda: len(errors()) > 0)
        assert shown(encrypted) == second
        (files / "cert.pem").unlink()
        until(lambda: len(errors()) > 1)
        assert shown(encrypted) == second
        fits, is_missing = errors()
        assert "isn't the key of --tls-cert" in fits
        assert "No such file" in is_missing
        write_pair(files, authority.issue_cert(*NAMES))
        until(lambda: shown(encrypted) not in (first, second))
        assert refused(encrypted, trusting(trustme.CA()))
        embed(channel, "a")


def shown(server: Server) -> bytes:
    """The certificate that both ports show. A transport may be told of a new one a second after HTTP has looked."""
    ports = ((server.http_port, "http/1.1"), (server.port, "h2"))
    shown: set[bytes] = set()

    def is_one() -> bool:
        shown.clear()
        shown.update(shown_certificate(*port) for port in ports)
        return len(shown) == 1

    until(is_one)
    return shown.pop()


def test_a_changed_authority_is_used_for_new_connections(
    toy_bundle: Bundle, files: Path, authority: trustme.CA
) -> None:
    """A caller whose authority isn't trusted any longer is refused, and another's is let in."""
    other = trustme.CA()
    with by_mtls(toy_bundle, files, reload_s=AT_ONCE_S) as server:
        old, new = (trusting(authority, whose.issue_cert("caller@example.org")) for whose in (authority, other))
        with connected(server, old) as channel:
            assert embed(channel, "a").embeddings
        assert refused(server, new)
        put(files / "ca.pem", other.cert_pem.bytes())
        until(lambda: [refused(server, old), refused(server, new)] == [True, False])


def remove(file: Path) -> None:
    file.unlink()


def garble(file: Path) -> None:
    file.write_text("SECRET words\n")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200] + b"\n-----END CERTIFICATE-----\n")


def encrypt(file: Path) -> None:
    file.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nSECRET\n-----END ENCRYPTED PRIVATE KEY-----\n")


def replace_key(file: Path) -> None:
    file.write_bytes(trustme.CA().issue_cert(*NAMES).private_key_pem.bytes())


@pytest.mark.parametrize(
    ("name", "harm", "told"),
    [
        ("cert.pem", remove, r"^--tls-cert .+/cert.pem: No such file or directory$"),
        ("cert.pem", garble, r"^--tls-cert .+/cert.pem: holds no PEM certificate$"),
        ("key.pem", garble, r"^--tls-key .+/key.pem: holds no PEM private key$"),
        ("cert.pem", cut, r"^--tls-cert .+/cert.pem, --tls-key .+/key.pem: can't be read as PEM \(.+\)$"),
        ("key.pem", encrypt, r"^--tls-key .+/key.pem: is encrypted; a program can't type its passphrase$"),
        ("key.pem", replace_key, r"^--tls-key .+/key.pem: isn't the key of --tls-cert .+/cert.pem$"),
    ],
)
def test_bad_files_are_named_at_the_start(files: Path, name: str, harm: Callable[[Path], None], told: str) -> None:
    """Setting, file and reason in one line, before the model is read; never what stands there."""
    harm(files / name)
    settings = Settings(
        bundle=files / "nowhere", port=0, http_port=0,
        tls_cert=files / "cert.pem", tls_key=files / "key.pem", tls_client_ca=files / "ca.pem",
    )  # fmt: skip
    with pytest.raises(StartupError) as raised:
        Server(settings).start()
    message = str(raised.value)
    assert re.search(told, message), message
    assert "SECRET" not in message
    assert "\n" not in message
