"""An opened encoder to findings: run, rebuilt in PyTorch from its own weights, compared with each known mistake."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import advice
from .errors import DoctorError, RunFailedError
from .findings import Cosine, Encoder, Findings
from .mistakes import probes
from .mistakes.harness import Bench, settle
from .mistakes.match import Bounds, Computed, Match, match
from .mistakes.probes import Part
from .mistakes.readings import Context, right
from .mistakes.recurrence import Array, Stack, noise, run
from .mistakes.reference import Truth
from .subjects.subject import Batch, Learned, Seen, Subject

_BATCHES = 3
_MOST_NOISE = 1e-3
_MOST_TIMES = 10
_TIME_MOST = 64


@dataclass(frozen=True, slots=True)
class Examined:
    """What an examination has at hand beside its findings; repair builds on it."""

    subject: Subject
    bench: Bench
    learned: Learned
    true_stack: Stack
    found: Match | None
    findings: Findings

    @property
    def meant(self) -> str:
        """Key of the reading that would be right."""
        return "final_states" if self.found is None else self.found.reading.meant or self.found.reading.key


def examine(subject: Subject, state_dict: Truth | None = None, *, seed: int = 0) -> Examined:
    """Raises DoctorError where the subject can't be run or rebuilt."""
    random = np.random.default_rng(seed)
    bench = settle(subject, random)
    subject = bench.subject
    batch = bench.batch(bench.size, bench.time)
    learned = subject.learn(batch.rows(slice(bench.layout.batch)), batch_axis=bench.layout.batch_axis)
    _check_numbers(subject, learned)
    bench = replace(bench, bounds=Bounds(_noise(bench, learned.stack)))
    found, batch, seen = _matched(bench, learned, batch)
    true_stack = state_dict.stack if state_dict else learned.stack.as_pytorch()
    sizes = probes.sizes(bench, learned, found, batch.time)
    leak = probes.leak(bench, batch, found, learned.stack)
    if bench.needs_no_padding:
        batch = bench.batch(bench.size, bench.time, np.full(bench.size, bench.time))
        seen = bench.run(batch)
    cosine = _cosine(bench, batch, found, seen, true_stack)
    parts = [
        probes.reading(found, bench, learned.stack.directions),
        probes.padding(leak, bench, found),
        *probes.frozen(sizes, bench, found),
        probes.axes(subject, learned, bench, found),
        probes.repeatable(bench, batch),
        probes.initial(learned),
        probes.weights(subject, learned.stack, state_dict),
        probes.reset(subject, learned.stack, state_dict),
    ]
    facts = tuple(fact for part in parts for fact in part.facts)
    findings = Findings(
        subject.about,
        _encoder(subject, bench, learned, found),
        facts,
        tuple(map(advice.of, _mistakes(parts))),
        cosine,
        leak,
        found is not None,
        str(state_dict.path) if state_dict else None,
    )
    return Examined(subject, bench, learned, true_stack, found, findings)


def _mistakes(parts: Sequence[Part]) -> list[str]:
    """Their keys, each once, but for those that another explains."""
    keys = dict.fromkeys(key for part in parts for key in part.mistakes)
    if keys.keys() & {"not_repeatable", "initial_by_row", "batch_time_mixed"}:
        for explained in ("padding_leaks", "rows_mix"):
            keys.pop(explained, None)
    return list(keys)


def _check_numbers(subject: Subject, learned: Learned) -> None:
    """onnxruntime may hide a NaN in a weight behind its activations."""
    for number, layer in enumerate(learned.stack.layers):
        for direction in layer:
            arrays = (direction.weight_ih, direction.weight_hh, direction.bias_ih, direction.bias_hh)
            if not all(np.isfinite(array).all() for array in arrays):
                raise DoctorError(f"{subject.about.path}: the weights of layer {number} hold NaN or infinite numbers")


def _noise(bench: Bench, stack: Stack) -> float:
    batch = bench.batch(bench.size, bench.layout.time or probes.LONGEST)
    found = noise(stack, bench.vectors(batch), batch.lengths)
    if found > _MOST_NOISE:
        raise DoctorError(
            f"{bench.subject.about.path}: its weights blow rounding up to {found:.1g} in {batch.time} steps: "
            "no two libraries agree on its states, and it can't be examined"
        )
    return found


def _matched(bench: Bench, learned: Learned, batch: Batch) -> tuple[Match | None, Batch, list[Seen]]:
    """The reading that fits, and the batch in which it does: at another time than the first where one is frozen in."""
    seen = bench.run(batch)
    found = _match(bench, learned, batch, seen)
    # a sum, and a division behind it: by a time that was frozen in, it would be a mean at that time only
    is_divided = found is not None and found.reading.key.startswith("sum") and found.seen.where != seen[-1].where
    if found and not is_divided:
        return found, batch, seen
    likely = [number for number in bench.subject.numbers if 1 < number <= _TIME_MOST and number != batch.time]
    for time in likely[:_MOST_TIMES] if bench.layout.time is None else []:
        other = bench.batch(bench.size, time)
        try:
            seen_then = bench.run(other)
        except RunFailedError:
            continue
        then = _match(bench, learned, other, seen_then)
        if then and (found is None or then.seen.where != found.seen.where):
            return then, other, seen_then
    return found, batch, seen


def _match(bench: Bench, learned: Learned, batch: Batch, seen: list[Seen]) -> Match | None:
    """In several batches: in one alone, a narrow encoder may do the right thing by chance."""
    observations = [(seen, computed(bench, learned, batch))]
    for _ in range(_BATCHES - 1):
        other = bench.batch(len(batch), batch.time, bench.random.permutation(batch.lengths))
        observations.append((bench.run(other), computed(bench, learned, other)))
    return match(observations, bench.subject.heads, bench.bounds)


def computed(bench: Bench, learned: Learned, batch: Batch) -> Computed:
    """The states of `batch`, by the file's own weights."""
    return Computed.of(
        learned.stack, bench.vectors(batch), batch.lengths, packed=learned.packed, swaps_axes=learned.swaps_axes
    )


def right_rows(bench: Bench, batch: Batch, stack: Stack, key: str) -> Array | None:
    """What is right for `batch`: each sentence by itself, by PyTorch."""
    states = run(stack, bench.vectors(batch), batch.lengths, packed=[True] * len(stack.layers))
    return right(key).compute(Context(states, batch.lengths, stack.directions))


def _cosine(bench: Bench, batch: Batch, found: Match | None, seen: list[Seen], stack: Stack) -> Cosine | None:
    key = "final_states" if found is None else found.reading.meant or found.reading.key
    rows = right_rows(bench, batch, stack, key)
    if rows is None:
        return None
    if found is not None:
        rows = found.head.apply(rows)
    where = found.seen.where if found else None
    fitting = [one for one in seen if one.rows.shape == rows.shape and where in (None, one.where)]
    place = fitting[-1] if fitting else None
    if place is None or place.rows.shape != rows.shape:
        return None
    has_halves = stack.directions == 2 and rows.shape[1] == 2 * stack.state_size
    halves = [_cosines(*pair).mean() for pair in _halves(place.rows, rows)] if has_halves else [None, None]
    whole = _cosines(place.rows, rows)
    forward, backward = (None if half is None else float(half) for half in halves)
    difference = float(np.abs(place.rows - rows).max())
    return Cosine(
        float(whole.mean()), forward, backward, float(whole.min()), right(key).of(stack.directions), difference
    )


def _halves(one: Array, other: Array) -> list[tuple[Array, Array]]:
    return list(zip(np.split(one, 2, axis=1), np.split(other, 2, axis=1), strict=True))


def _cosines(one: Array, other: Array) -> Array:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(lengths, 1e-30), dtype=np.float32)


def _encoder(subject: Subject, bench: Bench, learned: Learned, found: Match | None) -> Encoder:
    stack = learned.stack
    has_head = found is not None and (found.head.what != "none" or found.seen.where != subject.output.name)
    return Encoder(
        stack.cell,
        len(stack.layers),
        stack.directions,
        stack.input_size,
        stack.hidden_size,
        subject.vocabulary,
        "vectors" if subject.vocabulary is None else "ids",
        bench.layout.batch_axis,
        found.reading.of(stack.directions) if found else None,
        has_head,
    )
