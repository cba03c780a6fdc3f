"""Takes a source file to vectors: of the checkpoint that `bothends import` makes, and of a server of its bundle."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from bothends.cli.main import main
from bothends.client.sync import Client
from bothends.model.tokenizer import Tokenizer
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
    """Import `source` to "checkpoint" beside it."""
    out = source.parent / "checkpoint"
    done = bothends("import", source, "--out", out, "--max-tokens", "24", *options)
    assert done.exit_code == 0, (done.output, done.exception)
    assert f"next: bothends export {quote(str(out))} --out BUNDLE" in done.stdout
    return done


def notes(folder: Path) -> list[str]:
    """Notes in the checkpoint in `folder` of how it differs from the original."""
    found: dict[str, Any] = checkpoint.load(folder / "checkpoint").config.training["imported"]
    return list(found["notes"])


@torch.inference_mode()
def embedded(folder: Path, sentences: Sequence[str]) -> NDArray[Any]:
    """Embeddings of sentences by the checkpoint in `folder`, each alone: its tokenizer, then PyTorch."""
    loaded = checkpoint.load(folder / "checkpoint")
    tokenizer = Tokenizer(loaded.tokenizer, max_tokens=loaded.config.max_tokens, source=folder)
    rows = [torch.tensor([tokens.ids]) for tokens in tokenizer.encode(sentences)]
    return torch.cat([loaded.encoder(ids, torch.tensor([ids.shape[1]])).embedding for ids in rows]).numpy()


def exported(folder: Path) -> Path:
    """Export the checkpoint in `folder` to "bundle" beside it, which proves it equal to PyTorch."""
    result = bothends("export", folder / "checkpoint", "--out", folder / "bundle")
    assert result.exit_code == 0, result.output
    return folder / "bundle"


def served(folder: Path, sentences: Sequence[str]) -> NDArray[Any]:
    """Answers of a server of the checkpoint in `folder`, exported and verified: each sentence alone has the same bits
    as all in one.
    """
    bundle = exported(folder)
    result = bothends("verify", bundle)
    assert result.exit_code == 0, result.output
    running = Server(Settings(bundle=bundle, device="cpu", port=0, http_port=0), lame_duck_s=0)
    running.start()
    try:
        with Client(f"127.0.0.1:{running.port}") as client:
            alone = np.stack([client.encode(sentence) for sentence in sentences])
            assert np.array_equal(client.encode(sentences), alone)
    finally:
        running.stop()
    return alone
