"""Each way of pooling is what PyTorch users write by hand for one sentence, in the encoder and over gRPC."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bothends.client.sync import Client
from bothends.model.architecture import Head
from bothends.model.tokenizer import Tokenizer
from bothends.server.server import Server
from bothends.settings import Settings
from bothends_export.checkpoint import Checkpoint
from bothends_export.export import export

MakeCheckpoint = Callable[..., tuple[Path, Checkpoint]]
SENTENCES = ["there", "will there be dragons and a guitar", "a man plays the guitar and no woman sings", "dragons"]

BY_HAND: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "final_states": lambda _, h_n: torch.cat((h_n[-2], h_n[-1])),
    "max": lambda output, _: output.max(dim=0).values,
    "mean": lambda output, _: output.mean(dim=0),
    "last_output": lambda output, _: output[-1],
    "first_and_last_output": lambda output, _: torch.cat((output[0], output[-1])),
}
"""Functions of `output` [time, 2·hidden] and `h_n` [layers·2, hidden] of one sentence to its embedding."""


@pytest.mark.brief
@pytest.mark.parametrize("pooling", BY_HAND)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@torch.inference_mode()
def test_a_batch_is_pooled_as_a_sentence_alone(make_checkpoint: MakeCheckpoint, cell: str, pooling: str) -> None:
    """Padding, random ids here, never enters a maximum, a mean or a last step."""
    encoder = make_checkpoint(cell=cell, pooling=pooling, layers=2)[1].encoder
    lengths = torch.tensor([7, 1, 12, 3])
    ids = torch.randint(encoder.config.vocabulary_size, (4, 12))
    rows = encoder(ids, lengths).embedding
    for row, sentence, length in zip(rows, ids, lengths, strict=True):
        output, final = encoder.cells(encoder.embedding(sentence[:length]))
        expected = BY_HAND[pooling](output, final[0] if cell == "lstm" else final)
        torch.testing.assert_close(row, expected, rtol=0, atol=1e-6)


@pytest.mark.brief
@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"pooling": "max", "layers": 2}, "2-layer bidirectional LSTM, max pooling"),
        *(
            pytest.param(shape, told, marks=pytest.mark.slow)
            for shape, told in (
                ({"pooling": "last_output", "head": Head(size=9, then="tanh")}, "last_output pooling, a head of 9"),
                ({"cell": "gru", "pooling": "mean", "bidirectional": False}, "1-layer one-way GRU, mean pooling"),
                ({"projection_size": 6, "learned_initial_states": True}, "1-layer bidirectional LSTM"),
                ({"pooling": "first_and_last_output"}, "first_and_last_output pooling"),
            )
        ),
    ],
)
@torch.inference_mode()
def test_other_encoders_are_served(
    make_checkpoint: MakeCheckpoint, tmp_path: Path, shape: dict[str, Any], told: str
) -> None:
    """A server gives PyTorch's vectors, the same bits alone and in a list, and GetModel says what they are."""
    _, checkpoint = make_checkpoint(**shape)
    bundle = export(checkpoint, tmp_path / "bundle")
    server = Server(Settings(bundle=bundle.path, device="cpu", port=0, http_port=0), lame_duck_s=0)
    server.start()
    try:
        with Client(f"127.0.0.1:{server.port}") as client:
            rows = client.encode(SENTENCES)
            alone = [client.encode(sentence) for sentence in SENTENCES]
            model = client.model()
    finally:
        server.stop()
    assert np.array_equal(rows, np.stack(alone))
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=40, source=bundle.path)
    for row, tokens in zip(rows, tokenizer.encode(SENTENCES), strict=True):
        expected = checkpoint.encoder(torch.tensor([tokens.ids]), torch.tensor([len(tokens.ids)])).embedding[0]
        assert np.abs(row - expected.numpy()).max() <= 1e-5
    config = checkpoint.config.encoder
    assert told in model.encoder
    assert (model.pooling, model.dimension) == (config.pooling, config.dimension)
    has_other = config.pooling in ("max", "mean", "last_output")
    assert model.HasField("cosine_to_final_states") == has_other
