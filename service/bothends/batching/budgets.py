"""Bounds on what may run and wait at once, and the terms on which each model's sentences are batched."""

from collections.abc import Callable
from dataclasses import dataclass

from ..engines.contract import Engine, Fault, Observe


@dataclass(frozen=True, slots=True)
class Budgets:
    """Bounds on what may run at once and on what may wait."""

    max_batch_rows: int
    max_batch_tokens: int
    """Rows × longest where the engine pads."""
    max_queue_tokens: int
    overhead_rows: float
    """Cost of a step of the engine besides its rows, in rows (see choose.py)."""
    max_wait_s: float = 0.0
    """Seconds that a thread waits for more sentences, where a batch isn't full."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How the sentences of one model are batched, and who gets reports about them. Several models share one queue."""

    budgets: Budgets
    observe: Observe
    """Called with the record of each batch."""
    on_fault: Callable[[Fault, Engine], None]
    """Called with what an engine did wrong; must return soon."""
    cost: float = 1.0
    """Work of computing a token; turns and estimates count work."""
