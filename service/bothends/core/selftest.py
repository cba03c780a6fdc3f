"""Checks with a bundle's golden sentences that a model, as it runs here, agrees with PyTorch."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engines.contract import TokenIds
from ..errors import EngineError, NotServingError, OverloadedError, SelfTestError
from ..model.bundle import Bundle
from ..model.tokenizer import Tokenizer


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
    gives other tokens, or a number of a vector differs by more than `tolerance`. If `run` is a server's queue, its
    OverloadedError and NotServingError pass through. `precision`, that of `run`, is for the error's text.
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
    allowed = f"{tolerance:.0e} is allowed"
    if precision != "float32":
        allowed += f" in {precision}, which may not suit this model: try --precision float32"
    runs = ((alone, "alone"), (batched, "in a batch"))
    worst = max(_check(bundle, rows, tolerance, how, allowed) for rows, how in runs)
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
