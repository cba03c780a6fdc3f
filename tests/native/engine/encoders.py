"""Encoders with random weights, in the native engine and, where it is installed, in PyTorch; and sentences for both."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.engines.onnx_weights import Weights
from bothends.model.architecture import EncoderConfig
from bothends.options import Precision
from bothends_export.graph.tensors import named_as_in_graph
from tests.support import bundles

engine = pytest.importorskip("bothends_native.engine", reason="bothends-native isn't built (make native)")

Sentences = Sequence[NDArray[np.int32]]
Rows = NDArray[np.float32]
LEVELS: list[str] = engine.levels()
FUSED = [level for level in LEVELS if level != "portable" or platform.machine() in ("aarch64", "arm64")]
"""Levels that multiply and add with one rounding: they give the same bits. On x86 portable can't."""
PRECISIONS: list[Precision] = ["float32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One encoder's weights, and how PyTorch computes with them."""

    config: EncoderConfig
    named: bundles.Weights
    """Weights by PyTorch's names, in float32."""
    table: NDArray[Any]
    layers: list[dict[str, NDArray[np.float32]]]
    weights: Weights

    def native(self, **options: Any) -> Any:
        """The engine's encoder with these weights."""
        config = self.config
        return engine.Encoder(
            self.table,
            self.layers,
            cell=config.cell if config.reset_after else "gru_reset_before",
            pooling=config.pooling,
            input_projection=self.weights.input_projection,
            attention=self.weights.attention,
            head=self.weights.head,
            **options,
        )

    def expected(self, sentences: Sentences) -> Rows:
        """PyTorch's embeddings, of one packed batch; skips the test where PyTorch isn't installed."""
        torch = pytest.importorskip("torch", reason="PyTorch isn't installed")
        from bothends_export.encoder import Encoder

        reference = Encoder.of_weights(self.config, {name: torch.from_numpy(a) for name, a in self.named.items()})
        lengths = torch.tensor([len(sentence) for sentence in sentences])
        token_ids = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(s).long() for s in sentences], batch_first=True)
        with torch.inference_mode():
            rows: Rows = reference(token_ids, lengths).embedding.numpy()
        return rows


def pair(
    *,
    hidden: int = 32,
    layers: int = 1,
    embedding: int = 24,
    vocabulary: int = 300,
    half: bool = False,
    seed: int = 0,
    **others: Any,
) -> Pair:
    """An encoder with random weights; `half` rounds its table to float16; `others` are of its config."""
    config = EncoderConfig(
        vocabulary_size=vocabulary, embedding_size=embedding, hidden_size=hidden, layers=layers, **others
    )
    return pair_of(config, half=half, seed=seed)


def pair_of(config: EncoderConfig, *, half: bool = False, seed: int = 0, initial: float = 1.0) -> Pair:
    """An encoder of any config; learned initial states are normal, of the standard deviation `initial`."""
    named = bundles.weights(config, seed=seed)
    for name in {"h_0", "c_0"} & named.keys():
        named[name] = (named[name] * initial).astype(np.float32)
    if half:
        named["embedding.weight"] = named["embedding.weight"].astype(np.float16).astype(np.float32)
    table = named["embedding.weight"]
    made = Weights.named_as_in_graph(named_as_in_graph(named, config), config)
    return Pair(config, named, table.astype(np.float16) if half else table, made.layers, made)


def sentences_of(lengths: Sequence[int], *, vocabulary: int = 300, seed: int = 0) -> Sentences:
    """Random token ids, as many as each length says."""
    random = np.random.default_rng(seed)
    return [random.integers(0, vocabulary, length, dtype=np.int32) for length in lengths]


def ragged(count: int, *, longest: int = 40, seed: int = 0) -> Sentences:
    """Sentences of random lengths."""
    return sentences_of(np.random.default_rng(seed).integers(1, longest + 1, count).tolist(), seed=seed)


def flat(sentences: Sentences) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return token ids after each other, and offsets, as the engine wants them."""
    token_ids = np.concatenate(sentences) if sentences else np.empty(0, dtype=np.int32)
    return token_ids, np.cumsum([0, *map(len, sentences)], dtype=np.int64)
