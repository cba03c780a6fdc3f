"""Examines an encoder: runs it, rebuilds it in PyTorch from its weights, and compares it with each known mistake."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import advice
from .errors import DoctorError, RunFailedError
from .findings import Cosine, Encoder, Findings
from .mistakes import probes
from .mistakes.harness import Harness, find_layout
from .mistakes.match import Bounds, Computed, Match, match
from .mistakes.probes import ProbeResult
from .mistakes.readings import Context, right
from .mistakes.recurrence import Array, Stack, noise, run
from .mistakes.reference import Reference
from .models.model import Activation, Batch, Inspection, Model
from .serving import slowness

_BATCHES = 3
_MAX_NOISE = 1e-3
_MAX_TIMES = 10
_TIME_MOST = 64


@dataclass(frozen=True, slots=True)
class Examination:
    """Result of an examination: its findings, and the intermediate results that a repair needs."""

    model: Model
    harness: Harness
    inspection: Inspection
    true_stack: Stack
    found: Match | None
    findings: Findings

    @property
    def meant(self) -> str:
        """Key of the correct reading, that is the pooling that was meant."""
        return "final_states" if self.found is None else self.found.reading.meant or self.found.reading.key


def examine(model: Model, state_dict: Reference | None = None, *, seed: int = 0) -> Examination:
    """Examine a model, and compare its weights with those of `state_dict`, if given. `seed` draws the random sentences.
    Raises DoctorError if it can't be run or rebuilt.
    """
    random = np.random.default_rng(seed)
    harness = find_layout(model, random)
    model = harness.model
    batch = harness.batch(harness.size, harness.time)
    inspection = model.inspect(batch.rows(slice(harness.layout.batch)), batch_axis=harness.layout.batch_axis)
    _check_numbers(model, inspection)
    harness = replace(harness, bounds=Bounds(_noise(harness, inspection.stack)))
    found, batch, seen = _matched(harness, inspection, batch)
    true_stack = state_dict.stack if state_dict else inspection.stack.as_meant()
    sizes = probes.sizes(harness, inspection, found, batch.time)
    leak = probes.leak(harness, batch, found, inspection.stack)
    if harness.needs_no_padding:
        batch = harness.batch(harness.size, harness.time, np.full(harness.size, harness.time))
        seen = harness.run(batch)
    cosine = _cosine(harness, batch, found, seen, true_stack)
    results = [
        probes.reading(found, harness, inspection.stack.directions),
        probes.padding(leak, harness, found),
        *probes.frozen(sizes, harness, found),
        probes.axes(model, inspection, harness, found),
        probes.repeatable(harness, batch),
        probes.initial(inspection),
        probes.weights(model, inspection.stack, state_dict),
        probes.reset(model, inspection.stack, state_dict),
    ]
    facts = [fact for result in results for fact in result.facts]
    if found is not None:
        facts += slowness(true_stack, found.reading.meant or found.reading.key, rows=model.vocabulary)
    findings = Findings(
        model.about,
        _encoder(model, harness, inspection, found),
        tuple(facts),
        tuple(map(advice.of, _mistakes(results))),
        cosine,
        leak,
        found is not None,
        str(state_dict.path) if state_dict else None,
    )
    return Examination(model, harness, inspection, true_stack, found, findings)


def _mistakes(results: Sequence[ProbeResult]) -> list[str]:
    """Return the keys of the mistakes found, each once, without those that another one explains."""
    keys = dict.fromkeys(key for result in results for key in result.mistakes)
    if keys.keys() & {"not_repeatable", "initial_by_row", "batch_time_mixed"}:
        for explained in ("padding_leaks", "rows_mix"):
            keys.pop(explained, None)
    return list(keys)


def _check_numbers(model: Model, inspection: Inspection) -> None:
    """Raise DoctorError for a NaN in a weight, which onnxruntime may hide behind its activations."""
    for number, layer in enumerate(inspection.stack.layers):
        for direction in layer:
            arrays = (direction.weight_ih, direction.weight_hh, direction.bias_ih, direction.bias_hh)
            if not all(np.isfinite(array).all() for array in arrays):
                raise DoctorError(f"{model.about.path}: the weights of layer {number} hold NaN or infinite numbers")


def _noise(harness: Harness, stack: Stack) -> float:
    batch = harness.batch(harness.size, harness.layout.time or probes.LONGEST)
    found = noise(stack, harness.vectors(batch), batch.lengths)
    if found > _MAX_NOISE:
        raise DoctorError(
            f"{harness.model.about.path}: its weights blow rounding up to {found:.1g} in {batch.time} steps: "
            "no two libraries agree on its states, and it can't be examined"
        )
    return found


def _matched(harness: Harness, inspection: Inspection, batch: Batch) -> tuple[Match | None, Batch, list[Activation]]:
    """The reading that fits, and the batch in which it does, which has another time where one is frozen in."""
    seen = harness.run(batch)
    found = _match(harness, inspection, batch, seen)
    # a sum, and a division behind it: by a time that was frozen in, it would be a mean at that time only
    is_divided = found is not None and found.reading.key.startswith("sum") and found.seen.where != seen[-1].where
    if found and not is_divided:
        return found, batch, seen
    likely = [number for number in harness.model.numbers if 1 < number <= _TIME_MOST and number != batch.time]
    for time in likely[:_MAX_TIMES] if harness.layout.time is None else []:
        other = harness.batch(harness.size, time)
        try:
            seen_then = harness.run(other)
        except RunFailedError:
            continue
        then = _match(harness, inspection, other, seen_then)
        if then and (found is None or then.seen.where != found.seen.where):
            return then, other, seen_then
    return found, batch, seen


def _match(harness: Harness, inspection: Inspection, batch: Batch, seen: list[Activation]) -> Match | None:
    """Find the reading in several batches: in one alone, a narrow encoder may do the right thing by chance."""
    observations = [(seen, computed(harness, inspection, batch))]
    for _ in range(_BATCHES - 1):
        other = harness.batch(len(batch), batch.time, harness.random.permutation(batch.lengths))
        observations.append((harness.run(other), computed(harness, inspection, other)))
    return match(observations, harness.model.heads, harness.bounds)


def computed(harness: Harness, inspection: Inspection, batch: Batch) -> Computed:
    """Return the states of `batch`, computed from the file's own weights, which `inspection` has found; `harness` looks
    up the vectors of its tokens.
    """
    return Computed.of(inspection, harness.vectors(batch), batch.lengths)


def right_rows(harness: Harness, batch: Batch, stack: Stack, key: str) -> Array | None:
    """Return the correct rows for `batch`, float32 [batch, k]: PyTorch computes each sentence alone by the weights of
    `stack`, and the reading `key` pools it. None if the reading isn't applicable.
    """
    states = run(stack, harness.vectors(batch), batch.lengths, packed=[True] * len(stack.layers))
    return right(key).compute(Context(states, batch.lengths, stack.directions))


def _cosine(harness: Harness, batch: Batch, found: Match | None, seen: list[Activation], stack: Stack) -> Cosine | None:
    key = "final_states" if found is None else found.reading.meant or found.reading.key
    rows = right_rows(harness, batch, stack, key)
    if rows is None:
        return None
    if found is not None:
        rows = found.head.apply(rows)
    where = found.seen.where if found else None
    fitting = [one for one in seen if one.rows.shape == rows.shape and where in (None, one.where)]
    index = fitting[-1] if fitting else None
    if index is None or index.rows.shape != rows.shape:
        return None
    has_halves = stack.directions == 2 and rows.shape[1] == 2 * stack.state_size
    halves = [_cosines(*pair).mean() for pair in _halves(index.rows, rows)] if has_halves else [None, None]
    whole = _cosines(index.rows, rows)
    forward, backward = (None if half is None else float(half) for half in halves)
    difference = float(np.abs(index.rows - rows).max())
    return Cosine(
        float(whole.mean()), forward, backward, float(whole.min()), right(key).of(stack.directions), difference
    )


def _halves(one: Array, other: Array) -> list[tuple[Array, Array]]:
    return list(zip(np.split(one, 2, axis=1), np.split(other, 2, axis=1), strict=True))


def _cosines(one: Array, other: Array) -> Array:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(lengths, 1e-30), dtype=np.float32)


def _encoder(model: Model, harness: Harness, inspection: Inspection, found: Match | None) -> Encoder:
    stack = inspection.stack
    has_head = found is not None and (found.head.what != "none" or found.seen.where != model.output.name)
    return Encoder(
        stack.cell,
        len(stack.layers),
        stack.directions,
        stack.input_size,
        stack.hidden_size,
        model.vocabulary,
        "vectors" if model.vocabulary is None else "ids",
        harness.layout.batch_axis,
        found.reading.of(stack.directions) if found else None,
        has_head,
    )
