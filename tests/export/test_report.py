"""Encoders whose weights are so large that float32 is noise: proved as far as PyTorch agrees with itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.encoder import Encoder
from bothends.errors import BundleError
from bothends.model.bundle import Bundle
from bothends_export import checkpoint as checkpoints
from bothends_export.checkpoint import Checkpoint
from bothends_export.equivalence import verify
from bothends_export.export import TOLERANCE, export, lift
from bothends_export.report import OF_NOISE

from .mutations import Mutation, gates_in_torch_order, mutated, one_token_less, swapped_halves, without_sequence_lens

Make = Callable[..., tuple[Path, Checkpoint]]


@pytest.fixture(scope="module")
def large(make_checkpoint: Make, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes the folder of a checkpoint whose recurrent weights have this standard deviation."""

    def make(std: float, *, cell: str = "lstm", hidden_size: int = 16) -> Path:
        _, made = make_checkpoint(cell=cell, hidden_size=hidden_size, dtype=torch.float32)
        random = torch.Generator().manual_seed(0)
        for name, parameter in made.encoder.named_parameters():
            if "weight_hh" in name:
                parameter.detach().normal_(0, std, generator=random)
        folder = tmp_path_factory.mktemp("large")
        checkpoints.save(folder, made.encoder, made.config, made.tokenizer, table_dtype=torch.float32)
        return folder

    return make


@pytest.fixture(scope="module")
def bundle(large: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that 1e-5 would refuse."""
    return export(checkpoints.load(large(1.5)), tmp_path_factory.mktemp("noise") / "bundle")


def test_an_honest_encoder_with_large_weights_is_exported(bundle: Bundle) -> None:
    """The bundle says what noise made its tolerance; short sentences are held to 1e-5 all the same."""
    assert bundle.config.noise is not None
    assert bundle.config.tolerance == pytest.approx(OF_NOISE * bundle.config.noise)
    assert TOLERANCE < bundle.config.tolerance <= 0.1
    report = verify(bundle, lift(bundle))
    assert report.breaches() == []
    assert report.unprovable() is None
    assert max(row.largest for row in report.rows) > TOLERANCE
    assert report.rows[0].noise * OF_NOISE < TOLERANCE
    assert [row.noise for row in report.rows] == sorted(row.noise for row in report.rows)


def test_export_and_verify_say_which_bound_it_was(large: Callable[..., Path], tmp_path: Path) -> None:
    def told(*words: str | Path) -> str:
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.output

    small, loud = large(0.1), large(1.5)
    assert "equal to PyTorch within 1e-05\n" in told("export", small, "--out", tmp_path / "small")
    assert "all within 1e-05\n" in told("verify", tmp_path / "small")
    assert Bundle.open(tmp_path / "small").config.noise is None
    assert "PyTorch's own float32 is" in told("export", loud, "--out", tmp_path / "loud")
    assert "30 times what PyTorch's float32 is off its own float64" in told("verify", tmp_path / "loud")


@pytest.mark.parametrize("engine", ["onnxruntime", "native"])
def test_a_server_takes_the_tolerance_that_was_proved(bundle: Bundle, engine: str) -> None:
    """An encoder loads only if its golden sentences agree, on either engine, and embeds short sentences exactly."""
    if engine == "native":
        pytest.importorskip("bothends_native")
    with Encoder.load(bundle.path, device="cpu", engine=engine, workers=1) as encoder:
        golden = bundle.golden
        short = [index for index, ids in enumerate(golden.token_ids) if len(ids) <= 4]
        found = encoder.encode([golden.sentences[index] for index in short])
    assert len(short) > 2
    assert np.abs(found - golden.embeddings[short]).max() <= TOLERANCE


@pytest.mark.parametrize("mutation", [gates_in_torch_order, one_token_less, without_sequence_lens, swapped_halves])
def test_a_wrong_graph_is_refused_all_the_same(
    large: Callable[..., Path], bundle: Bundle, tmp_path: Path, mutation: Mutation
) -> None:
    """Noise grows with length, and so does its bound: a mistake shows in short sentences, or by its size."""
    wrong = mutated(bundle, tmp_path, mutation)
    assert verify(wrong, checkpoints.load(large(1.5)).encoder).breaches()
    assert verify(wrong, lift(wrong)).breaches()


def test_an_encoder_of_nothing_but_noise_is_refused(large: Callable[..., Path], tmp_path: Path) -> None:
    """The line names the length from which on PyTorch itself doesn't agree with its float64."""
    with pytest.raises(
        BundleError, match=r"can't be proved equal to PyTorch: lengths \d+-\d+: PyTorch's own float32 is"
    ):
        export(checkpoints.load(large(4.0)), tmp_path / "new")
    assert not (tmp_path / "new").exists()
