"""Compares a bundle with its PyTorch encoder at every length and in batches, and returns the differences.

The reference is `encoder.py`, one sentence at a time without padding. The service's own engine is what is tested.
Padding holds random ids, and token 0 has a vector like any other, so that a graph that reads padding is found out.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from bothends.engines.bounds import cosines, promised_cosine
from bothends.engines.contract import precision_of
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.engines.select import LoadedEngine
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.options import Precision

from .encoder import Encoder
from .report import Report, Row

Advance = Callable[[int], None]
"""Callback that gets how many more sentences were compared."""

States = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""`embedding` [batch, dimension] and `h_n` [layers·directions, batch, state], which the native engine doesn't give."""

_BATCH_SIZES = (2, 3, 7, 8, 16, 33, 64)


def verify(
    bundle: Bundle,
    encoder: Encoder,
    *,
    engine: LoadedEngine | None = None,
    tolerance: float = 1e-5,
    seed: int = 0,
    advance: Advance = lambda _: None,
) -> Report:
    """Compare `bundle` with `encoder`: every length alone, batches of different lengths, and the golden sentences.

    `engine` computes the bundle; the default is onnxruntime on a CPU. If a difference exceeds `tolerance`, the noise of
    PyTorch's own float32 is measured, which may allow it. In precisions below float32, only the golden sentences must
    meet `tolerance`; all others must reach the cosine that the precision promises.
    """
    engine = engine or OnnxRuntimeEngine(bundle)
    encoder.eval()
    longest, random = bundle.config.max_tokens, np.random.default_rng(seed)
    with _beside() as beside:
        pair = _Pair(engine, encoder, beside)
        rows = [*_lengths(pair, longest, random, advance)]
        rows += _ragged(pair, longest, random, advance)
        rows.append(_golden(bundle, engine))
        precision = cast(Precision, precision_of(engine.provider))
        min_cosine = None if precision == "float32" else promised_cosine(bundle.config, precision)
        report = Report(rows, tolerance, needs_same_bits=engine.device == "cpu", min_cosine=min_cosine)
        return report.with_noise(_noise(encoder, longest, seed, beside)) if report.breaches() else report


def _noise(encoder: Encoder, longest: int, seed: int, executor: ThreadPoolExecutor) -> list[float]:
    """Largest difference of PyTorch's float32 from its float64 up to each length that `_lengths` has a row for."""
    pair = _Pair(_Float64(encoder), encoder, executor)
    found = [row.largest for row in _lengths(pair, longest, np.random.default_rng(seed), lambda _: None)]
    return [float(value) for value in np.maximum.accumulate(found)]


@contextmanager
def _beside() -> Iterator[ThreadPoolExecutor]:
    """A thread for PyTorch, so that both sides compute at once: a wide encoder takes minutes here.

    It is one: a sentence's steps are too small to share, and on a busy machine threads waiting for each other cost 20
    times as much.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as executor:
            yield executor
    finally:
        torch.set_num_threads(threads)


class _Float64:
    """PyTorch in float64, in place of an engine."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = copy.deepcopy(encoder).double()

    def states(self, ids: NDArray[np.int64], lengths: NDArray[np.int32]) -> States:
        """Return the states of each sentence, computed alone."""
        return _reference(self._encoder, ids, lengths)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Engine under test and the reference encoder, which computes in a separate thread."""

    engine: LoadedEngine | _Float64
    encoder: Encoder
    executor: ThreadPoolExecutor

    def found(self, ids: NDArray[np.int64], lengths: NDArray[np.int32]) -> States:
        """Return the engine's states of a batch, which is padded if the engine pads."""
        if isinstance(self.engine, OnnxRuntimeEngine | _Float64):
            return self.engine.states(ids, lengths)
        return self.engine.run([row[:length].tolist() for row, length in zip(ids, lengths, strict=True)]), None

    def reference(self, ids: NDArray[np.int64], lengths: NDArray[np.int32]) -> Future[States]:
        """Return the future of PyTorch's states, each sentence computed alone."""
        return self.executor.submit(_reference, self.encoder, ids, lengths)

    def random_ids(self, random: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.int64]:
        """Return random token ids of this shape, from the whole embedding table."""
        return random.integers(0, self.encoder.config.vocabulary_size, size=shape)


def comparisons(max_tokens: int) -> int:
    """Return the number of sentences that `verify` compares before the golden ones."""
    return max_tokens + sum(_BATCH_SIZES)


def _lengths(pair: _Pair, max_tokens: int, random: np.random.Generator, advance: Advance) -> Iterator[Row]:
    """Compare every length from 1 to the maximum, alone; a row for 1, 2, 3-4, 5-8 and so on."""
    start = 1
    while start <= max_tokens:
        stop = min(max_tokens, max(start, 2 * (start - 1)))
        measured = []
        for length in range(start, stop + 1):
            ids = pair.random_ids(random, (1, length))
            lengths = np.array([length], dtype=np.int32)
            expected = pair.reference(ids, lengths)
            measured.append(_compare(pair.found(ids, lengths), expected.result(), pair.encoder.config))
            advance(1)
        what = f"length {start}" if start == stop else f"lengths {start}-{stop}"
        yield _worst(what, measured, same_bits=None)
        start = stop + 1


def _ragged(pair: _Pair, max_tokens: int, random: np.random.Generator, advance: Advance) -> Iterator[Row]:
    """Compare batches of random lengths, among them 1 and the maximum, with random ids in the padding slots."""
    for size in _BATCH_SIZES:
        lengths = random.integers(1, max_tokens, size=size, endpoint=True).astype(np.int32)
        lengths[random.permutation(size)[:2]] = 1, max_tokens
        ids = pair.random_ids(random, (size, max_tokens))
        expected = pair.reference(ids, lengths)
        batched, h_n = pair.found(ids, lengths)
        same = True
        for row, length in enumerate(lengths):
            alone, h_n_alone = pair.found(ids[row : row + 1, :length], lengths[row : row + 1])
            same &= np.array_equal(alone[0], batched[row])
            if h_n is not None and h_n_alone is not None:
                same &= np.array_equal(h_n_alone[:, 0], h_n[:, row])
        compared = _compare((batched, h_n), expected.result(), pair.encoder.config)
        advance(size)
        yield _worst(f"ragged batch of {size}", [compared], same_bits=bool(same))


def _golden(bundle: Bundle, engine: LoadedEngine) -> Row:
    """Compare the golden sentences, by way of the bundle's tokenizer, with the vectors that its export computed."""
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path / "tokenizer.json")
    ids = [tokens.ids for tokens in tokenizer.encode(bundle.golden.sentences)]
    if ids != bundle.golden.token_ids:
        return Row("golden sentences", len(ids), np.nan, None, None, h_n=None, same_bits=None)
    batched = engine.run(ids)
    alone = np.concatenate([engine.run([sentence]) for sentence in ids])
    measured = _Measured(len(ids), *_differences(alone, bundle.golden.embeddings, bundle.config), None, None)
    return _worst("golden sentences", [measured], same_bits=np.array_equal(alone, batched))


class _Measured(NamedTuple):
    """Largest absolute differences of some sentences, and the least cosine."""

    sentences: int
    embedding: float
    forward: float | None
    backward: float | None
    h_n: float | None
    cosine: float | None


def _compare(found: States, expected: States, config: EncoderConfig) -> _Measured:
    """Measure an engine's states against PyTorch's."""
    of_states = None if found[1] is None or expected[1] is None else float(np.abs(found[1] - expected[1]).max())
    cosine = float(cosines(found[0], expected[0]).min())
    return _Measured(len(found[0]), *_differences(found[0], expected[0], config), of_states, cosine)


def _differences(
    rows: NDArray[np.float32], expected: NDArray[np.float32], config: EncoderConfig
) -> tuple[float, float | None, float | None]:
    """Return the largest difference of all numbers, and of each half if there are halves."""
    difference = np.abs(rows - expected)
    halves = [float(half.max()) for half in np.split(difference, 2, axis=1)] if config.has_halves else [None, None]
    return float(difference.max()), halves[0], halves[1]


@torch.inference_mode()
def _reference(encoder: Encoder, ids: NDArray[np.int64], lengths: NDArray[np.int32]) -> States:
    rows, states = [], []
    for row, length in zip(ids, lengths, strict=True):
        output = encoder(torch.from_numpy(row[:length]).unsqueeze(0), torch.tensor([int(length)]))
        rows.append(output.embedding.numpy())
        states.append(output.h_n.numpy())
    return np.concatenate(rows), np.concatenate(states, axis=1)


def _worst(what: str, measured: Iterable[_Measured], *, same_bits: bool | None) -> Row:
    sentences, embedding, forward, backward, h_n, cosines = zip(*measured, strict=True)

    def largest(values: tuple[float | None, ...]) -> float | None:
        # np.max keeps a NaN, which Python's max may drop
        return None if None in values else float(np.max([value for value in values if value is not None]))

    least = None if None in cosines else float(np.min(cosines))
    return Row(
        what,
        sum(sentences),
        float(np.max(embedding)),
        largest(forward),
        largest(backward),
        largest(h_n),
        same_bits,
        least,
    )
