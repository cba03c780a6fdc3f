"""Both ways to read a padded batch against torch's own: the same states and gradients, whatever the padding holds."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bothends_training.padded_lstm import PackedLSTM, PaddedLSTM

LENGTHS = torch.tensor([7, 1, 12, 3, 12])
Way = type[PaddedLSTM] | type[PackedLSTM]
WAYS = pytest.mark.parametrize("way", [PaddedLSTM, PackedLSTM])


@pytest.fixture(params=[1, 2, 3])
def lstm(request: pytest.FixtureRequest) -> nn.LSTM:
    torch.manual_seed(request.param)
    return nn.LSTM(8, 6, request.param, bidirectional=True)


def packed(lstm: nn.LSTM, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both ends, and the mean output over each sentence's own tokens, as a packed batch gives them."""
    sequence = pack_padded_sequence(vectors, LENGTHS, enforce_sorted=False)
    output, (h_n, _) = lstm(sequence)
    padded, _ = pad_packed_sequence(output)  # zeros after each sentence's end
    return torch.cat((h_n[-2], h_n[-1]), dim=1), padded.sum(dim=0) / LENGTHS.unsqueeze(1)


@WAYS
def test_the_states_are_those_of_a_packed_batch(lstm: nn.LSTM, way: Way) -> None:
    """The forward half, the backward half and the mean each agree; padding is as random as the rest."""
    vectors = torch.randn(12, 5, 8)
    states = way(lstm)(vectors, LENGTHS)
    embedding, mean = packed(lstm, vectors)
    torch.testing.assert_close(states.embedding[:, :6], embedding[:, :6], rtol=0, atol=1e-5)
    torch.testing.assert_close(states.embedding[:, 6:], embedding[:, 6:], rtol=0, atol=1e-5)
    torch.testing.assert_close(states.mean, mean, rtol=0, atol=1e-5)


@WAYS
def test_the_gradients_are_those_of_a_packed_batch(lstm: nn.LSTM, way: Way) -> None:
    """Gradients of every parameter of the LSTM itself and of the token vectors agree; padding has none."""
    found = []
    for read in (lambda given: tuple(way(lstm)(given, LENGTHS)), lambda given: packed(lstm, given)):
        torch.manual_seed(0)
        vectors = torch.randn(12, 5, 8, requires_grad=True)
        lstm.zero_grad()
        embedding, mean = read(vectors)
        (embedding.square().sum() + mean.pow(3).sum()).backward()
        found.append([vectors.grad, *(parameter.grad for parameter in lstm.parameters())])
    for dense, expected in zip(*found, strict=True):
        assert dense is not None
        torch.testing.assert_close(dense, expected, rtol=0, atol=1e-5)


@WAYS
def test_it_follows_the_lstm_as_that_learns(lstm: nn.LSTM, way: Way) -> None:
    """Neither holds a copy: what an optimiser or a loaded state writes into the LSTM is read."""
    dense, vectors = way(lstm), torch.randn(12, 5, 8)
    torch.manual_seed(9)
    lstm.load_state_dict(nn.LSTM(8, 6, lstm.num_layers, bidirectional=True).state_dict())
    torch.testing.assert_close(dense(vectors, LENGTHS).embedding, packed(lstm, vectors)[0], rtol=0, atol=1e-5)


def test_bfloat16_stays_close(lstm: nn.LSTM) -> None:
    """The LSTM computes in bfloat16 under autocast, whose numbers have eight significant bits."""
    vectors = torch.randn(12, 5, 8)
    with torch.autocast("cpu", torch.bfloat16):
        states = PaddedLSTM(lstm)(vectors, LENGTHS)
    assert states.embedding.dtype == torch.bfloat16
    torch.testing.assert_close(states.embedding.float(), packed(lstm, vectors)[0], rtol=0, atol=0.03)


def test_packed_batches_keep_to_float32(lstm: nn.LSTM) -> None:
    """Autocast, which would have cuDNN compute in float16, isn't heard."""
    vectors = torch.randn(12, 5, 8)
    with torch.autocast("cpu", torch.bfloat16):
        states = PackedLSTM(lstm)(vectors, LENGTHS)
    torch.testing.assert_close(states.embedding, packed(lstm, vectors)[0], rtol=0, atol=1e-5)
