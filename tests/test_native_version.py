"""A bothends-native of another version than bothends computes nothing and serves nothing, and one line says so."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bothends import Client
from tests.support.ran import ran
from tests.support.serving import BOTHENDS, finish, start
from tests.support.until import TIMEOUT_S

OTHER = "0.0.1"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose Python finds bothends-native in another version, as pip would have written of it."""
    told = tmp_path / f"bothends_native-{OTHER}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bothends-native\nVersion: {OTHER}\n")
    return os.environ | {"PYTHONPATH": str(tmp_path)}


@pytest.fixture
def line(tmp_path: Path) -> str:
    """What is said of it."""
    return f"bothends-native {OTHER} in {tmp_path} isn't of the version of bothends, {version('bothends')}"


def test_a_server_does_without_it_and_says_what_to_do(environment: dict[str, str], line: str, tmp_path: Path) -> None:
    """It answers by grpcio and onnxruntime, as where there is none."""
    log = tmp_path / "log"
    running = start(log=log, environment=environment)
    try:
        with Client(running.target) as client:
            assert client.encode("there will be dragons").shape == (512,)
    finally:
        finish(running)
    assert "by grpcio\n" in running.banner
    assert f"  slow       {line}; onnxruntime and grpcio serve " in running.banner
    assert "  faster     make native\n" in running.banner
    assert f"slow: {line}; " in log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--transport", "native"), ("--precision", "int8")])
def test_a_server_that_was_asked_for_it_does_not_start(
    environment: dict[str, str], line: str, flags: tuple[str, str]
) -> None:
    command = [str(BOTHENDS), "serve", "--port", "0", "--http-port", "0", *flags]
    done = ran(*command, env=environment, timeout=TIMEOUT_S)
    assert done.returncode != 0
    (said,) = [each for each in done.stderr.splitlines() if line in each]
    assert said.endswith("make native")


def test_an_encoder_does_without_it_and_says_so(environment: dict[str, str], line: str) -> None:
    code = "from bothends import Encoder\nwith Encoder.load(device='cpu') as encoder: print(encoder.engine)"
    done = ran(sys.executable, "-c", code, env=environment, check=True)
    assert done.stdout == "onnxruntime\n"
    assert f"slow: {line}; onnxruntime computes " in done.stderr
