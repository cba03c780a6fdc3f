"""How servers are reached: addresses, certificates, keys; and what is said of each that can't work."""

import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import pytest
import trustme
from click.testing import CliRunner

from bothends import TLS, Client, ConnectionFailedError, InsecureKeyWarning, Retry, SettingsError
from bothends.cli.main import main
from bothends.client.channel import Endpoint
from bothends.v1 import embedding_pb2
from tests.support.awaited import Awaited
from tests.support.grpcs import Plain, answer, serving

KEY = "k-3f9c0a"
ONCE = Retry(attempts=1)
BOTH = pytest.mark.parametrize("either", [Client, Awaited], ids=["threads", "asyncio"])


class Certificates:
    """An authority, and who it vouches for, as files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca, self.cert, self.key = (folder / name for name in ("ca.pem", "client.pem", "client-key.pem"))
        authority.cert_pem.write_to_path(str(self.ca))
        mine = authority.issue_cert("client@example.com")
        mine.cert_chain_pems[0].write_to_path(str(self.cert))
        mine.private_key_pem.write_to_path(str(self.key))
        self._authority = authority

    def server(self, *names: str, asks_for_ours: bool = False) -> grpc.ServerCredentials:
        theirs = self._authority.issue_cert(*names)
        pair = theirs.private_key_pem.bytes(), theirs.cert_chain_pems[0].bytes()
        root = self._authority.cert_pem.bytes() if asks_for_ours else None
        return grpc.ssl_server_credentials([pair], root, asks_for_ours)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def headers() -> list[str]:
    """What the server of `secure` was told in `authorization`."""
    return []


@pytest.fixture
def secure(certificates: Certificates, headers: list[str]) -> Iterator[Plain]:
    """A server that is who it says, and asks for a certificate."""

    def embed(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
        headers.extend(str(value) for key, value in context.invocation_metadata() if key == "authorization")
        return answer(request)

    with serving(embed, credentials=certificates.server("127.0.0.1", asks_for_ours=True)) as server:
        yield server


@BOTH
def test_tls_both_ways_with_a_key(
    secure: Plain, certificates: Certificates, headers: list[str], either: type[Client | Awaited]
) -> None:
    tls = TLS(certificates.ca, certificates.cert, certificates.key)
    with either(secure.target, tls=tls, api_key=KEY) as client:
        assert client.encode(["word"]).shape == (1, 2)
    assert headers == [f"Bearer {KEY}"]


@BOTH
@pytest.mark.parametrize("wrong", ["plain", "unknown authority", "no certificate of ours"])
def test_no_trust_is_no_connection(
    secure: Plain, certificates: Certificates, headers: list[str], either: type[Client | Awaited], wrong: str
) -> None:
    """Whoever of the two distrusts the other, the key isn't sent."""
    tls = {"plain": False, "unknown authority": True, "no certificate of ours": TLS(certificates.ca)}[wrong]
    client = either(secure.target, tls=tls, api_key=KEY, retry=ONCE, timeout_s=10)
    with client, pytest.raises(ConnectionFailedError) as raised:
        client.encode(["word"])
    assert KEY not in str(raised.value)
    assert headers == []


@BOTH
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


@pytest.mark.parametrize("name", ["127.0.0.1", "embedder.example"])
def test_several_servers_by_tls(certificates: Certificates, name: str) -> None:
    """Known by the one address that they share, or by the one name that is given."""
    given = None if name == "127.0.0.1" else name
    calls: set[str] = set()

    def counted(which: str) -> AbstractContextManager[Plain]:
        def embed(request: embedding_pb2.EmbedRequest, context: grpc.ServicerContext) -> bytes:
            calls.add(which)
            return answer(request)

        return serving(embed, credentials=certificates.server(name))

    tls = TLS(certificates.ca, server_name=given)
    with counted("a") as a, counted("b") as b, Client(f"{a.target}, {b.target}", tls=tls) as client:
        while calls != {"a", "b"}:
            client.encode(["word"])


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (["a:1", "b:2"], {}, "'a:1' is no IP address with a port; several servers are given by IP address, or as one"),
        (["10.0.0.1:1", "10.0.0.2"], {}, "'10.0.0.2' is no IP address with a port"),
        ("127.0.0.1:1,", {}, "no server is named by '127.0.0.1:1,'"),
        ("", {}, "no server is named by ''"),
        ([], {}, "no server is named by"),
        ("a:1", {"tls": TLS("nowhere.pem")}, "can't use the CA file (nowhere.pem): No such file"),
        ("a:1", {"tls": TLS(__file__)}, "can't use the CA file"),
        ("a:1", {"tls": TLS(cert=__file__, key=__file__)}, "can't use the client certificate and key"),
        ("a:1", {"tls": TLS(cert="x")}, "needs its private key"),
        ("a:1", {"tls": TLS(key="x")}, "needs its private key"),
        (["10.0.0.1:1", "10.0.0.2:1"], {"tls": True}, "one name must be in the certificates of 10.0.0.1:1, 10.0.0.2:1"),
        ("127.0.0.1:1", {"api_key": ""}, "the API key is no key"),
        ("127.0.0.1:1", {"api_key": "two words"}, "the API key is no key"),
        ("127.0.0.1:1", {"api_key": "line\n"}, "the API key is no key"),
        ("127.0.0.1:1", {"api_key": "schlüssel"}, "the API key is no key"),
    ],
)
@BOTH
def test_what_cant_work_is_said_at_once(
    target: str | list[str], options: dict[str, object], message: str, either: type[Client | Awaited]
) -> None:
    """Before anything is sent; a key's own text isn't repeated."""
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
@BOTH
def test_a_key_that_could_be_overheard_warns(target: str | list[str], either: type[Client | Awaited]) -> None:
    """At the line that makes the client."""
    with pytest.warns(InsecureKeyWarning, match="unencrypted") as caught:
        either(target, api_key=KEY)
    assert KEY not in str(caught[0].message)


def test_the_warning_points_at_its_cause() -> None:
    with pytest.warns(InsecureKeyWarning) as caught:
        Client("embedder:1", api_key=KEY)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "target", ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/bothends.sock", "dns:///localhost:1"]
)
def test_a_key_that_stays_here_does_not_warn(target: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client(target, api_key=KEY).close()


def test_no_repr_shows_the_key() -> None:
    client = Client("127.0.0.1:1", api_key=KEY)
    endpoint = Endpoint.of("127.0.0.1:1", api_key=KEY)
    assert KEY not in repr(client) + repr(vars(client)) + repr(endpoint)
    client.close()


def test_the_command_line_connects_by_tls_with_a_key_from_a_file(
    secure: Plain, certificates: Certificates, headers: list[str], tmp_path: Path
) -> None:
    """The key is never a flag: `ps` would show it."""
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    files = ["--ca", certificates.ca, "--cert", certificates.cert, "--key", certificates.key]
    flags = [str(flag) for flag in ("--server", secure.target, *files)]
    runner = CliRunner()
    result = runner.invoke(main, ["embed", "word", *flags, "--api-key-file", str(tmp_path / "key")])
    assert result.exit_code == 0, result.output
    result = runner.invoke(main, ["embed", "word", *flags], env={"BOTHENDS_API_KEY": "another"})
    assert result.exit_code == 0, result.output
    assert headers == [f"Bearer {KEY}", "Bearer another"]
    result = runner.invoke(main, ["info", *flags])
    assert "max_sentences" in result.output
    result = runner.invoke(main, ["health", *flags])
    assert result.output == f"{secure.target} is SERVING\n"
    result = runner.invoke(main, ["health", "--server", secure.target, "--ca", str(certificates.ca)])
    assert result.exit_code == 1
    assert "no server answers" in result.output


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--ca", "nowhere.pem"], 2, "Error: can't use the CA file (nowhere.pem): No such file or directory"),
        (["--api-key-file", "nowhere"], 2, "Error: can't read the API key in nowhere: No such file or directory"),
        (["--cert", "x.pem"], 2, "Error: a client certificate needs its private key"),
        (["--server", "a:1,b:2"], 2, "Error: 'a:1' is no IP address with a port"),
    ],
)
def test_a_wrong_flag_is_one_clear_line(flags: list[str], code: int, message: str) -> None:
    result = CliRunner().invoke(main, ["embed", "word", *flags])
    assert result.exit_code == code
    assert message in result.output


def test_the_command_line_warns_in_one_line() -> None:
    result = CliRunner().invoke(
        main, ["embed", "word", "--server", "192.0.2.1:1", "--timeout", "0.1"], env={"BOTHENDS_API_KEY": KEY}
    )
    assert result.output.splitlines()[0] == "Warning: the API key goes unencrypted to 192.0.2.1:1; use TLS"
    assert KEY not in result.output
