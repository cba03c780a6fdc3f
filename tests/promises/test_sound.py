"""A bundle with a number that isn't finite is served by nobody, whatever computes: each word's vector is one."""

import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bothends import Client, Encoder
from bothends.engines import native
from bothends.errors import BundleError
from bothends.model.bundle import Bundle
from tests.support.serving import BOTHENDS, finish, sample, start
from tests.support.unsound import WORD, published_unsound, rare_row
from tests.support.until import TIMEOUT_S, until

each_engine = pytest.mark.parametrize(
    "engine",
    [
        "auto",
        "onnxruntime",
        pytest.param(
            "native",
            marks=pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)"),
        ),
    ],
)


one_number = pytest.mark.parametrize("unsound", [np.nan], ids=str, indirect=True)
"""For what starts a process, by the engine that it takes by itself: in this one all of both are tried."""


@pytest.fixture(params=[np.nan, np.inf, -np.inf], ids=str)
def unsound(request: pytest.FixtureRequest, toy_bundle: Bundle, tmp_path: Path) -> tuple[Path, str]:
    """A bundle with right hashes, whose golden sentences are right too, and what is to be said of it."""
    folder = published_unsound(toy_bundle, tmp_path / "v2", request.param)
    row = rare_row(toy_bundle)
    return folder, f"{folder}/model.onnx holds {request.param} in embedding.weight, row {row}, of the token {WORD!r}: "


def failed(*command: str | Path) -> str:
    """Run a command that is to fail before it prints anything; returns what it says."""
    ended = subprocess.run([BOTHENDS, *command], capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


@one_number
def test_a_server_says_so_in_one_line_and_does_not_start(unsound: tuple[Path, str]) -> None:
    """The native engine's refusal isn't onnxruntime's turn."""
    folder, said = unsound
    (line,) = failed("serve", "--port", "0", "--http-port", "0", "--bundle", folder).splitlines()
    assert said in line


def test_a_served_model_is_not_replaced_by_it(root: Path, toy_bundle: Bundle, tmp_path: Path) -> None:
    """Whoever reloads is told why the old model goes on, which answers as before."""
    log = tmp_path / "log"
    running = start("--bundle", str(root), "--device", "cpu", log=log, reload_s=0)
    try:
        with Client(running.target) as client:
            before = client.embed([WORD])
            published_unsound(toy_bundle, root / "v2", np.nan)
            running.process.send_signal(signal.SIGHUP)
            until(lambda: sample(running, 'bothends_model_reloads_total{model="toy",result="refused"}') == 1)
            after = client.embed([WORD])
    finally:
        finish(running)
    assert (after.model_version, after.rows.tobytes()) == (before.model_version, before.rows.tobytes())
    assert f"version {before.model_version} goes on: {root / 'v2'}/model.onnx holds nan in embedding.weight" in (
        log.read_text()
    )


@each_engine
def test_nor_is_it_loaded_in_process(unsound: tuple[Path, str], engine: str, caplog: pytest.LogCaptureFixture) -> None:
    """No line says that another engine serves it."""
    folder, said = unsound
    with pytest.raises(BundleError) as refused:
        Encoder.load(folder, device="cpu", engine=engine)
    assert str(refused.value).startswith(said)
    assert not caplog.messages


@pytest.mark.slow
@one_number
def test_nor_does_it_embed_a_file(unsound: tuple[Path, str], tmp_path: Path) -> None:
    """One line, and no output."""
    folder, said = unsound
    (tmp_path / "in.txt").write_text(f"{WORD}\n")
    assert said in failed("embed", "--bundle", folder, "--input", tmp_path / "in.txt", "--output", tmp_path / "out.npy")
    assert not list(tmp_path.glob("out.npy*"))
