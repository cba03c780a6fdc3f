"""Checks with a bundle's golden sentences that a model, as it runs here, agrees with PyTorch."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..engines.bounds import cosines, promised_cosine
from ..engines.contract import TokenIds
from ..errors import EngineError, NotServingError, OverloadedError, SelfTestError
from ..model.bundle import Bundle
from ..model.tokenizer import Tokenizer
from ..options import Precision


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Result of a self-test that passed."""

    sentences: int
    max_difference: float
    """Largest absolute difference to PyTorch's embeddings, alone or batched."""
    seconds: float
    """Time that `run` took, in seconds."""


def self_test(
    bundle: Bundle,
    tokenizer: Tokenizer,
    run: Callable[[Sequence[TokenIds]], NDArray[np.float32]],
    *,
    tolerance: float,
    precision: str = "float32",
) -> SelfTest:
    """Run the golden sentences of `bundle` through `run`, each alone and all at once.

    `run` returns rows, float32 [sentences, dimension], for sentences as token ids. Raises SelfTestError if `tokenizer`
    gives other tokens, or a number of a vector differs by more than `tolerance`, or, in a `precision` below float32, a
    vector has a smaller cosine to PyTorch's than that precision promises: `tolerance` says little of vectors of small
    numbers. If `run` is a server's queue, its OverloadedError and NotServingError pass through.
    """
    golden = bundle.golden
    try:
        found = [tokens.ids for tokens in tokenizer.encode(golden.sentences)]
    except EngineError as error:
        raise SelfTestError(f"{bundle.path}: its tokenizer can't read the golden sentences: {error}") from error
    for index, (expected, ids) in enumerate(zip(golden.token_ids, found, strict=True)):
        if ids != expected:
            raise SelfTestError(f"{bundle.path}: golden sentence {index} gives other tokens than at its export")
    started = time.perf_counter()
    try:
        alone = np.concatenate([run([ids]) for ids in found])
        batched = run(found)
    except (OverloadedError, NotServingError):
        raise
    except Exception as error:  # whatever an engine raises
        raise SelfTestError(f"{bundle.path}: the model can't run its golden sentences: {error}") from error
    seconds = time.perf_counter() - started
    if alone.shape != golden.embeddings.shape:
        raise SelfTestError(f"{bundle.path}: the model gives rows of shape {alone.shape[1:]}")
    allowed, unsuited = f"{tolerance:.0e} is allowed", ""
    if precision != "float32":
        unsuited = f" in {precision}, which may not suit this model: try --precision float32"
    runs = ((alone, "alone"), (batched, "in a batch"))
    worst = max(_check(bundle, rows, tolerance, how, allowed + unsuited) for rows, how in runs)
    if unsuited:
        least = promised_cosine(bundle.config, cast(Precision, precision))
        for rows, how in runs:
            _check_cosines(bundle, rows, least, how, unsuited)
    return SelfTest(len(found), worst, seconds)


def _check(bundle: Bundle, rows: NDArray[np.float32], tolerance: float, how: str, allowed: str) -> float:
    differences = np.abs(rows - bundle.golden.embeddings).max(axis=1)
    worst = int(np.nan_to_num(differences, nan=np.inf).argmax())
    if not differences[worst] <= tolerance:  # also where it is NaN
        raise SelfTestError(
            f"{bundle.path}: golden sentence {worst}, run {how}, is {differences[worst]:.1e} off PyTorch's "
            f"embedding; {allowed}",
            difference=float(differences[worst]),
        )
    return float(differences[worst])


def _check_cosines(bundle: Bundle, rows: NDArray[np.float32], least: float, how: str, unsuited: str) -> None:
    """Raise SelfTestError if the cosine of a row to its golden one is below `least`; golden zeros have no direction."""
    golden = bundle.golden.embeddings
    found = np.where(golden.any(axis=1), cosines(rows, golden), 1.0)
    worst = int(found.argmin())
    if found[worst] < least:
        raise SelfTestError(
            f"{bundle.path}: golden sentence {worst}, run {how}, has the cosine {found[worst]:.5f} to PyTorch's "
            f"embedding; {least:.5f} is promised{unsuited}",
            difference=float(np.abs(rows[worst] - golden[worst]).max()),
        )
