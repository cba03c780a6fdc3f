"""The cost of a call to a replica, as few numbers: from figures that were measured, for the simulation.

The engine's shape (how a batch's time depends on its sentences) is fitted to batches measured now; how fast it is, and
all that is around it, comes from the figures of record. Knows neither how they were measured nor what is simulated.
"""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from figures import UNARY_1
from loads import OVERLOAD, PEAK
from results import FLOAT32, Results, Row, ours

READ_SHARE = 2 / 3
"""Share of a call's cost around the model that comes before it (taking, parsing, tokenising); the rest answers. A guess
from py-spy's profiles: it moves a part of a millisecond of latency, and no rate."""
Batch = tuple[int, int, int]
"""Rows, longest and all tokens of one model run."""
_MANY = 32
"""Rows of the larger batch whose time of record is met."""
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of a core, but for `lost_s`, in which it computes nothing for us."""

    run_s: float
    """Seconds of a model run, whatever is in it."""
    step_s: float
    """Seconds of a step of a run: its longest sentence has so many."""
    token_s: float
    """Seconds of a token of a run."""
    call_s: float = 0.0
    """Seconds of a call around the model: taken, parsed, answered."""
    sentence_s: float = 0.0
    """Seconds of a sentence around the model: tokenised."""
    wake_s: float = 0.0
    """Seconds to wake a worker that slept."""
    refuse_s: float = 0.0
    """Seconds of a call that is refused."""
    lost_s: float = 0.0
    """Seconds of each call in which its worker waits for a core that the connection's other side has."""

    def around_s(self, sentences: int) -> float:
        """Return the seconds of a call of so many sentences, around the model."""
        return self.call_s + self.lost_s + self.sentence_s * sentences

    def engine_s(self, lengths: Sequence[int]) -> float:
        """Return the seconds of one model run of sentences of so many tokens."""
        return self.run_s + self.step_s * max(lengths) + self.token_s * sum(lengths)

    def times(self, factor: float) -> "Costs":
        """Return the costs on a machine that is slower by so much."""
        return replace(self, **{each.name: factor * getattr(self, each.name) for each in fields(self)})

    def sentence_of(self, rows: int, lengths: Sequence[int]) -> float:
        """Return the engine's seconds a sentence in batches of `rows`, in the mean over random ones."""
        chance = random.Random(0)  # noqa: S311  no secret
        return statistics.fmean(self.engine_s(chance.choices(lengths, k=rows)) / rows for _ in range(_DRAWS))


def fit_engine(batches: Sequence[Batch], seconds: Sequence[float]) -> tuple[Costs, float]:
    """Fit the engine's costs by least squares of relative errors; return them and the mean error that is left."""
    columns = np.array([[1.0, longest, tokens] for _, longest, tokens in batches])
    took = np.array(seconds)
    found = np.linalg.lstsq(columns / took[:, None], np.ones(len(took)), rcond=None)[0]
    error = float(np.abs(columns @ found / took - 1).mean())
    return Costs(*(max(0.0, float(each)) for each in found)), error


def at_record(shape: Costs, one_s: float, many_s: float, lengths: Sequence[int]) -> Costs:
    """Return the same shape on a machine where a sentence takes `one_s` alone and `many_s` in batches of 32."""
    parts = []
    for rows in (1, _MANY):
        tokens_s = statistics.fmean(lengths) * shape.token_s
        parts.append([shape.sentence_of(rows, lengths) - tokens_s, tokens_s])
    fixed, each = (float(factor) for factor in np.linalg.solve(np.array(parts), np.array([one_s, many_s])))
    if min(fixed, each) < 0:
        raise ValueError("no engine of this shape takes so long for one sentence and for many")
    return Costs(fixed * shape.run_s, fixed * shape.step_s, each * shape.token_s)


def of_record(results: Results, shape: Costs, lengths: Sequence[int]) -> Costs:
    """Return all costs of the native engine in float32 behind the server. All but one come from other figures than are
    simulated.

    That one is `lost_s`: at 128 callers all workers are busy, so all their seconds are known from the rate. No cost is
    less than nothing: what the native front serves alone costs little more than the engine by itself.
    """
    ceiling, one, full = results.ceiling(FLOAT32), _row(results, UNARY_1), _row(results, PEAK.name)
    assert ceiling is not None
    assert results.tokenise_cpu_s_per_1000 is not None
    many = next(each for each in ceiling.schedules if (each.batch, each.threads) == (_MANY, 1))
    engine = at_record(shape, ceiling.one_by_one_cpu_s_per_1000 / 1000, many.cpu_s_per_1000 / 1000, lengths)
    around_s = _cpu_s(full) - engine.sentence_of(round(full.batch_rows or 1), lengths)
    sentence_s = results.tokenise_cpu_s_per_1000 / 1000
    return replace(
        engine,
        call_s=max(0.0, around_s - sentence_s),
        sentence_s=sentence_s,
        wake_s=max(0.0, _cpu_s(one) - engine.sentence_of(1, lengths) - around_s),
        refuse_s=_refusal_s(_row(results, OVERLOAD.name), _cpu_s(full)),
        lost_s=max(0.0, int(results.machine["cores"]) / full.sentences_per_s - _cpu_s(full)),
    )


def _refusal_s(over: Row, answer_s: float) -> float:
    """CPU-seconds of a call that isn't answered: what is left beyond capacity when answers cost what they do at the
    peak.
    """
    assert over.offered_per_s is not None
    spent = over.sentences_per_s * (_cpu_s(over) - answer_s)
    return spent / (over.offered_per_s - over.sentences_per_s)


def _row(results: Results, load: str) -> Row:
    found = results.row(ours(FLOAT32), load)
    assert found is not None
    return found


def _cpu_s(row: Row) -> float:
    assert row.cpu_s_per_1000 is not None
    return row.cpu_s_per_1000 / 1000
