"""Both ways to read a batch against torch's own packing: the same states and gradients, however it is cut."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from bothends.model.architecture import Attention, EncoderConfig
from bothends.model.pooling import POOLINGS, Pooling
from bothends_export.encoder import Encoder
from bothends_training import ragged_lstm
from bothends_training.device import takes_bfloat16
from bothends_training.ragged_lstm import PackedLSTM, RaggedLSTM, cuts_of

LENGTHS = np.array([7, 1, 12, 3, 12])
TOKENS = int(LENGTHS.sum())
Way = type[RaggedLSTM] | type[PackedLSTM]
WAYS = pytest.mark.parametrize("way", [RaggedLSTM, PackedLSTM])


@pytest.fixture(params=[1, 3])
def lstm(request: pytest.FixtureRequest) -> nn.LSTM:
    torch.manual_seed(request.param)
    return nn.LSTM(8, 6, request.param, bidirectional=True)


@pytest.fixture(params=[(0, 0), (3, 5)], ids=["a cut at each length", "some cuts"])
def costs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step and a call cost decides where a batch is cut, and nothing else."""
    for name, cost in zip(("STEP_COST", "CALL_COST"), request.param, strict=True):
        monkeypatch.setattr(ragged_lstm, name, cost)


def packed(lstm: nn.LSTM, vectors: torch.Tensor) -> torch.Tensor:
    """Both ends, as a packed batch gives them."""
    padded = pad_sequence(list(torch.split(vectors, LENGTHS.tolist())))
    sequence = pack_padded_sequence(padded, torch.from_numpy(LENGTHS), enforce_sorted=False)
    _, (h_n, _) = lstm(sequence)
    return torch.cat((h_n[-2], h_n[-1]), dim=1)


@WAYS
@pytest.mark.usefixtures("costs")
def test_the_states_are_those_of_a_packed_batch(lstm: nn.LSTM, way: Way) -> None:
    """The forward half and the backward half each agree."""
    vectors = torch.randn(TOKENS, 8)
    found, expected = way(lstm)(vectors, LENGTHS).final, packed(lstm, vectors)
    torch.testing.assert_close(found[:, :6], expected[:, :6], rtol=0, atol=1e-5)
    torch.testing.assert_close(found[:, 6:], expected[:, 6:], rtol=0, atol=1e-5)


@WAYS
@pytest.mark.usefixtures("costs")
def test_the_gradients_are_those_of_a_packed_batch(lstm: nn.LSTM, way: Way) -> None:
    """Gradients of every parameter of the LSTM itself and of the token vectors agree."""
    found = []
    ours: Callable[[torch.Tensor], torch.Tensor] = lambda given: way(lstm)(given, LENGTHS).final  # noqa: E731
    for read in (ours, partial(packed, lstm)):
        torch.manual_seed(0)
        vectors = torch.randn(TOKENS, 8, requires_grad=True)
        lstm.zero_grad()
        torch.autograd.backward(read(vectors).pow(3).sum())
        found.append([vectors.grad, *(parameter.grad for parameter in lstm.parameters())])
    for one, expected in zip(*found, strict=True):
        assert one is not None
        torch.testing.assert_close(one, expected, rtol=0, atol=1e-5)


@WAYS
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_learns_as_by_the_encoder_itself(way: Way, pooling: Pooling) -> None:
    """Embeddings, and gradients of every parameter, are those of the encoder that is exported."""
    torch.manual_seed(4)
    attention = Attention(size=5, hops=3) if pooling == "attention" else None
    sizes = {"vocabulary_size": 20, "embedding_size": 8, "hidden_size": 6, "layers": 2}
    encoder = Encoder(EncoderConfig(**sizes, pooling=pooling, attention=attention))
    read = way(encoder.cells, reads_steps=POOLINGS[pooling].reads_steps)
    ids = list(torch.split(torch.randint(20, (TOKENS,)), LENGTHS.tolist()))
    padded = pad_sequence(ids, batch_first=True, padding_value=7)
    found = []
    for embed in (
        lambda: encoder.pool(read(encoder.embedding(torch.cat(ids)), LENGTHS)),
        lambda: encoder(padded, torch.from_numpy(LENGTHS)).embedding,
    ):
        encoder.zero_grad()
        rows = embed()
        rows.pow(3).sum().backward()
        found.append([rows.detach(), *(parameter.grad for parameter in encoder.parameters())])
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


@pytest.mark.skipif(not takes_bfloat16(), reason="PyTorch has no bfloat16 LSTM for this processor")
@pytest.mark.usefixtures("costs")
def test_bfloat16_stays_close(lstm: nn.LSTM) -> None:
    """The LSTM computes in bfloat16 under autocast, whose numbers have eight significant bits."""
    vectors = torch.randn(TOKENS, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = RaggedLSTM(lstm)(vectors, LENGTHS).final
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), packed(lstm, vectors), rtol=0, atol=0.03)


def test_packed_batches_keep_to_float32(lstm: nn.LSTM) -> None:
    """Autocast, which would have cuDNN compute in float16, isn't heard."""
    vectors = torch.randn(TOKENS, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = PackedLSTM(lstm)(vectors, LENGTHS).final
    torch.testing.assert_close(found, packed(lstm, vectors), rtol=0, atol=1e-5)


def cost(sizes: NDArray[np.int64], cuts: list[tuple[int, int]]) -> int:
    """What cuts cost by the figures of the module."""
    return sum(
        (end - begin) * (int((sizes > begin).sum()) + ragged_lstm.STEP_COST) + ragged_lstm.CALL_COST
        for begin, end in cuts
    )


@pytest.mark.usefixtures("costs")
def test_cuts_are_the_cheapest() -> None:
    """Cuts follow each other from the first step to the last, and no other set of them costs less."""
    sizes = np.sort(np.random.default_rng(0).integers(1, 9, 20))
    found = cuts_of(sizes)
    assert [begin for begin, _ in found] == [0, *(end for _, end in found[:-1])]
    assert found[-1][1] == sizes[-1]
    for chosen in range(1 << (sizes[-1] - 1)):
        inner = [time for time in range(1, sizes[-1]) if chosen >> (time - 1) & 1]
        other = list(zip([0, *inner], [*inner, int(sizes[-1])], strict=True))
        assert cost(sizes, found) <= cost(sizes, other)
