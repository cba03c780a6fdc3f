"""Lends a model to native code, which then reads requests and writes answers by itself: C++ calls a native encoder, or
one in Python.

It knows nothing of requests or callers.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..batching.budgets import Budgets
from ..batching.choose import split
from ..engines.arrays import pick
from ..engines.contract import BatchRecord
from ..errors import NotServingError
from ..observe.unforeseen import error_text
from .loaded import LoadedModel

_log = logging.getLogger(__name__)
_SPLITS = 2
"""Full batches' worth of sentences that are taken together where an engine pads: of more, more are of like length."""


class CalledModel:
    """Encoder that native code calls for models without a native one. It splits the sentences into batches for the
    engine.

    Safe to call from several threads at once.
    """

    def __init__(self, model: LoadedModel, budgets: Budgets, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Run `model`. No batch is over `budgets`, unless one sentence alone is."""
        self._model = model
        self._budgets = budgets
        self._clock = clock
        self._records: deque[BatchRecord] = deque()

    def __call__(self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64], rows: NDArray[np.float32]) -> bool:
        """Write embeddings to `rows`, float32 [sentences, dimension]; sentence s has the ids from offsets[s] to
        offsets[s + 1]. The arrays are the caller's, and aren't kept.

        Returns False where the model was withdrawn: then no row is valid. Raises whatever else went wrong.
        """
        budgets, lengths = self._budgets, np.diff(offsets)
        try:
            for places in split(
                lengths,
                max_rows=budgets.max_batch_rows,
                max_tokens=budgets.max_batch_tokens,
                overhead_rows=budgets.overhead_rows,
            ):
                began = self._clock()
                if len(places) == len(lengths):
                    rows[:] = self._model.run_flat(token_ids, offsets)
                else:
                    rows[places] = self._model.run_flat(*pick(token_ids, offsets, places))
                self._note(lengths[places], self._clock() - began)
        except NotServingError:
            return False
        except Exception as error:  # native code sees that it raised, and can't say what
            _log.error("a batch of %d sentences failed: %s", len(lengths), error_text(error))
            raise
        return True

    def records(self) -> list[BatchRecord]:
        """Return records of what was run since the last call.

        They hold no waiting times, which only the callers know.
        """
        return [self._records.popleft() for _ in range(len(self._records))]

    def _note(self, lengths: NDArray[np.int64], engine_s: float) -> None:
        tokens, count = int(lengths.sum()), len(lengths)
        self._records.append(BatchRecord(count, tokens, count * int(lengths.max()), engine_s, []))


@dataclass(frozen=True, slots=True)
class Lent:
    """What native code needs to serve small requests with a model."""

    tokenizer: object | None
    """What native code borrows to read requests; None where it can't tokenise for the model."""
    encoder: object | None
    """What native code borrows to compute by itself; None where `called` is called."""
    called: CalledModel | None
    max_together: int
    """Most sentences that are worth taking together."""
    max_bytes_together: int
    max_runs: int
    """Number of runs at once."""


def lend(model: LoadedModel, budgets: Budgets, *, max_together: int, short_bytes: int, max_runs: int) -> Lent:
    """Lend `model` to native code.

    It takes up to `max_together` small requests of `short_bytes` bytes together, or more if that computes them faster.
    """
    tokenizer = model.tokenizer.share()
    if (encoder := model.share()) is not None:
        return Lent(tokenizer, encoder, None, max_together, short_bytes, max_runs)
    called = CalledModel(model, budgets)
    together = max(max_together, _SPLITS * budgets.max_batch_rows)
    max_bytes = max(short_bytes, _SPLITS * budgets.max_batch_tokens)  # a token has a byte at least
    return Lent(tokenizer, None, called, together, max_bytes, max_runs)
