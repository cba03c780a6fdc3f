"""Takes a source file to a server's answers: `bothends import`, export and verify as people run them, then gRPC."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from bothends.cli.main import main
from bothends.client.sync import Client
from bothends.encoder import Encoder
from bothends.server.server import Server
from bothends.settings import Settings
from bothends_export import checkpoint

TOLERANCE = 1e-5


def bothends(*words: str | Path) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(word) for word in words], env={"COLUMNS": "100"})


def refused(*words: str | Path) -> str:
    """The one line on stderr with which a command failed, having written nothing."""
    out = Path(words[words.index("--out") + 1])
    before = sorted(out.parent.iterdir())
    result = bothends(*words)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert sorted(out.parent.iterdir()) == before
    return result.stderr


def imported(source: Path, *options: str | Path) -> Result:
    """Import `source` to "checkpoint" beside it, and export that to "bundle", which proves it equal to PyTorch."""
    folder = source.parent
    done = bothends("import", source, "--out", folder / "checkpoint", "--max-tokens", "24", *options)
    assert done.exit_code == 0, done.output
    assert f"next: bothends export {folder / 'checkpoint'} --out BUNDLE" in done.stdout
    result = bothends("export", folder / "checkpoint", "--out", folder / "bundle")
    assert result.exit_code == 0, result.output
    return done


def notes(folder: Path) -> list[str]:
    """Notes in the checkpoint in `folder` of how it differs from the original."""
    found: dict[str, Any] = checkpoint.load(folder / "checkpoint").config.training["imported"]
    return list(found["notes"])


def embedded(folder: Path, sentences: Sequence[str]) -> NDArray[Any]:
    """Embeddings by the bundle in `folder`, in this process: each sentence alone has the same bits as all together."""
    with Encoder.load(folder / "bundle", device="cpu", engine="onnxruntime", workers=1) as encoder:
        alone = np.stack([encoder.encode(sentence) for sentence in sentences])
        assert np.array_equal(encoder.encode(sentences), alone)
    return alone


def served(folder: Path, sentences: Sequence[str]) -> NDArray[Any]:
    """Answers of a server of the bundle in `folder`, verified: each sentence alone has the same bits as all in one."""
    result = bothends("verify", folder / "bundle")
    assert result.exit_code == 0, result.output
    running = Server(Settings(bundle=folder / "bundle", device="cpu", port=0, http_port=0))
    running.start()
    try:
        with Client(f"127.0.0.1:{running.port}") as client:
            alone = np.stack([client.encode(sentence) for sentence in sentences])
            assert np.array_equal(client.encode(sentences), alone)
    finally:
        running.stop()
    return alone
