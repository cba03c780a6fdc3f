"""The reference itself: which numbers of a bidirectional LSTM are the sentence's embedding."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bothends.model.architecture import EncoderConfig
from bothends_export.encoder import Encoder
from bothends_export.export import lift
from tests.support import bundles
from tests.support.shapes import SHAPES

LENGTHS = torch.tensor([7, 1, 12, 3])


@pytest.fixture(params=[1, 2, 3])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    torch.manual_seed(request.param)
    config = EncoderConfig(vocabulary_size=50, embedding_size=8, hidden_size=6, layers=request.param)
    return Encoder(config).eval()


@pytest.mark.brief
@torch.inference_mode()
def test_embedding_is_both_ends(encoder: Encoder) -> None:
    """cat(h_n[-2], h_n[-1]) is the forward output at the last position and the backward output at position 0."""
    ids = torch.randint(50, (4, 12))
    embedding, h_n = encoder(ids, LENGTHS)
    packed = pack_padded_sequence(encoder.embedding(ids), LENGTHS, batch_first=True, enforce_sorted=False)
    output, _ = pad_packed_sequence(encoder.cells(packed)[0], batch_first=True)
    last = output[torch.arange(4), LENGTHS - 1]
    first = output[:, 0]
    assert torch.equal(embedding, torch.cat((h_n[-2], h_n[-1]), dim=1))
    assert torch.equal(embedding, torch.cat((last[:, :6], first[:, 6:]), dim=1))


@pytest.mark.brief
@torch.inference_mode()
def test_last_output_is_not_the_embedding(encoder: Encoder) -> None:
    """output[-1] agrees in its forward half only: its backward half has read one token (all of it, if there is one)."""
    ids = torch.randint(50, (1, 9))
    output, _ = encoder.cells(encoder.embedding(ids).transpose(0, 1))
    embedding = encoder(ids, torch.tensor([9])).embedding
    assert torch.equal(output[-1][:, :6], embedding[:, :6])
    assert (output[-1][:, 6:] - embedding[:, 6:]).abs().max() > 0.01


@pytest.mark.brief
@torch.inference_mode()
def test_padding_is_never_read(encoder: Encoder) -> None:
    """Whatever stands in the padding slots, a sentence's embedding is that of the sentence alone."""
    ids = torch.randint(50, (4, 12))
    batched = encoder(ids, LENGTHS).embedding
    alone = torch.cat([encoder(row[:n].unsqueeze(0), n.view(1)).embedding for row, n in zip(ids, LENGTHS, strict=True)])
    torch.testing.assert_close(batched, alone, rtol=0, atol=1e-6)


def test_weights_carry_the_names_of_a_plain_lstm(encoder: Encoder) -> None:
    """A state dict of nn.Embedding and nn.LSTM, as anyone has it, loads as it is."""
    layers = encoder.config.layers
    plain = torch.nn.LSTM(8, 6, layers, bidirectional=True)
    expected = {"embedding.weight", *(f"lstm.{name}" for name in plain.state_dict())}
    assert set(encoder.state_dict()) == expected


def test_weights_are_taken_without_pytorchs_compiler(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """To import it takes longer than to export a small encoder."""
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)
    taken = Encoder.of_weights(encoder.config, encoder.state_dict())
    assert all(map(torch.equal, taken.state_dict().values(), encoder.state_dict().values()))


@pytest.mark.parametrize("shape", SHAPES)
def test_bundles_that_are_made_without_it_hold_its_embeddings(tmp_path: Path, shape: str) -> None:
    """Most tests take their encoders from bundles.make: PyTorch computes the same from its weights."""
    made = bundles.make(tmp_path / "made", **SHAPES[shape])
    encoder, golden = lift(made), made.golden
    with torch.inference_mode():
        rows = [encoder(torch.tensor([ids]), torch.tensor([len(ids)])).embedding for ids in golden.token_ids]
    np.testing.assert_allclose(torch.cat(rows).numpy(), golden.embeddings, atol=bundles.TOLERANCE, rtol=0)
