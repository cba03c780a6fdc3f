"""A running server, and a signal on which it looks at the folder that its model came from."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bothends import Client
from bothends.model.bundle import Bundle
from tests.support.serving import Running, finish, start
from tests.support.until import until


@pytest.fixture
def root(toy_bundle: Bundle, tmp_path: Path) -> Path:
    shutil.copytree(toy_bundle.path, tmp_path / "models" / "v1")
    return tmp_path / "models"


@pytest.fixture
def running(root: Path) -> Iterator[Running]:
    server = start("--bundle", str(root), reload_s=0)
    yield server
    finish(server)


def test_sighup_brings_in_what_is_new_and_right(running: Running, root: Path, newer: list[Bundle]) -> None:
    """Replies and the model's description change with the version; a bad one is a line in the log that names its file.

    Nothing changes without the signal.
    """
    with Client(running.target) as client:
        shutil.copytree(newer[0].path, root / "v2")
        (root / "v2" / "model.onnx").write_bytes(b"")
        assert client.model().version == "1.0"
        running.process.send_signal(signal.SIGHUP)
        assert running.process.stderr is not None
        said = next(line for line in running.process.stderr if "refused" in line)
        assert "v2/model.onnx has changed since its export" in json.loads(said)["event"]
        assert client.embed(["a man"]).model_version == "1.0"
        shutil.copytree(newer[0].path, root / "v2", dirs_exist_ok=True)
        assert client.model().version == "1.0"
        running.process.send_signal(signal.SIGHUP)
        until(lambda: client.model().version == newer[0].config.version)
        assert client.embed(["a man"]).model_version == newer[0].config.version
