"""Flags that say how to reach a server: certificates, keys from files or the environment, mistakes in one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from tests.client.certificates import Certificates, secured
from tests.support.grpcs import Plain

KEY = "k-3f9c0a"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def headers() -> list[str]:
    """Values of `authorization` that the server of `secure` got."""
    return []


@pytest.fixture
def secure(certificates: Certificates, headers: list[str]) -> Iterator[Plain]:
    with secured(certificates, headers) as server:
        yield server


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
        (["--ca", "nowhere.pem"], 2, "Error: CA file nowhere.pem: No such file or directory"),
        (["--api-key-file", "nowhere"], 2, "Error: can't read the API key in nowhere: No such file or directory"),
        (["--cert", "x.pem"], 2, "Error: a client certificate needs its private key"),
        (["--server", "a:1,b:2"], 2, "Error: 'a:1' is no IP address with a port"),
    ],
)
def test_a_wrong_flag_is_one_clear_line(flags: list[str], code: int, message: str) -> None:
    result = CliRunner().invoke(main, ["embed", "word", *flags])
    assert result.exit_code == code
    assert message in result.output
