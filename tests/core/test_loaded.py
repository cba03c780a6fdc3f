"""What a model on a device is, before anyone asks it for embeddings."""

import pytest

from bothends.core.loaded import batching
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle


def sized(hidden_size: int, cell: str = "lstm") -> EncoderConfig:
    return EncoderConfig(cell=cell, vocabulary_size=9, embedding_size=300, hidden_size=hidden_size, layers=1)


def test_a_wide_encoder_gets_wide_batches(english: Bundle) -> None:
    """InferSent's 2048 a direction are 64 MiB a step from memory: shared among more sentences than LASER's 512."""
    narrow, wide = batching(sized(512), "cpu"), batching(sized(2048), "cpu")
    assert batching(english.config, "cpu") == narrow
    assert wide.max_rows > narrow.max_rows
    assert wide.overhead_rows > narrow.overhead_rows
    assert batching(sized(2048), "cuda") == batching(english.config, "cuda")


@pytest.mark.parametrize(("cell", "mebibytes"), [("lstm", 64), ("gru", 48)])
def test_what_a_step_reads(cell: str, mebibytes: int) -> None:
    """Four gates of an LSTM, three of a GRU, each hidden × hidden float32."""
    assert sized(2048, cell).recurrent_bytes == mebibytes << 20
