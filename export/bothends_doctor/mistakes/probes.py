"""Tests of a running model. Each returns rows of the report's table, and the mistakes that it found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import RunFailedError
from ..findings import Fact, Leak, Verdict
from ..models.model import Activation, Batch, Inspection, Model
from . import reference
from .harness import Harness
from .match import Computed, Match
from .recurrence import Array, Stack
from .reference import Reference

_SIZES = (1, 2, 7)
_TIMES = (1, 5, 12)
LONGEST = max(_TIMES)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Answer to one question about the model."""

    facts: tuple[Fact, ...]
    mistakes: tuple[str, ...] = ()


def _result(about: str, verdict: Verdict, says: str, *mistakes: str) -> ProbeResult:
    return ProbeResult((Fact(about, verdict, says),), mistakes)


def reading(found: Match | None, harness: Harness, directions: int) -> ProbeResult:
    """Describe what the embedding is made of: the reading `found`, None if none matches. The encoder runs in the layout
    of `harness`, and its layers have 1 or 2 `directions`.
    """
    if found is None:
        return _result("reads", "unknown", "matches none of what is known")
    seen = ", ".join(sorted(found.seen.sources))
    what = found.reading.of(directions) + (f" ({seen})" if seen else "")
    key = found.reading.key
    reads_padding = not found.packed and not harness.needs_no_padding and key != "batch_time_mixed"
    if found.reading.meant is not None:
        more = ("padding_in_cells",) if reads_padding and not key.startswith("padding_in") else ()
        return _result("reads", "wrong", what, key, *more)
    if not reads_padding:
        return _result("reads", "right", what)
    key = "padded_h_n" if key == "final_states" else "padding_in_cells"
    return _result("reads", "wrong", f"{what}, of cells that read on through the padding", key)


def padding(leak: Leak, harness: Harness, found: Match | None) -> ProbeResult:
    """Check whether the content after a sentence's end changes its row, by the measured `leak`. `found` is the reading
    that matches, if any.
    """
    if harness.pad is not None:
        return _result("padding", "right", f"token {harness.pad} is taken for padding and doesn't leak; use no other")
    worst = max(leak.padding, leak.alone or 0.0)
    within = harness.bounds.right(np.array([leak.scale]))
    if worst <= within:
        most = f" by more than {worst:.0e}" if worst else ""
        return _result("padding", "right", f"doesn't leak: other padding changes no row{most}")
    halves = "" if leak.forward is None else f" (forward half {leak.forward:.2g}, backward half {leak.backward:.2g})"
    told = any(port.role in ("lengths", "mask") for port in harness.model.about.inputs)
    says = f"leaks: a row changes by up to {worst:.2g}{halves}" + ("" if told else "; no input tells where it begins")
    if harness.needs_no_padding:
        return _result("padding", "fact", f"{says}; but it takes one sentence at a time, which needs none")
    if leak.padding <= within and found is not None:
        return _result(
            "padding", "wrong", f"a sentence alone differs from the same in a padded batch by {worst:.2g}{halves}"
        )
    known = found is not None and not found.is_right
    return _result("padding", "wrong", says, *(() if known else ("padding_leaks",)))


def leak(harness: Harness, batch: Batch, found: Match | None, stack: Stack) -> Leak:
    """Measure how the row of each sentence of `batch` changes with other padding, and alone. Rows are compared at the
    tensor at which the reading `found` was seen, or else at the output.
    """
    base = _place(harness.run(batch), found)
    other = _place(harness.run(harness.repad(batch)), found)
    changed = np.abs(base - other)
    alone = None
    if harness.layout.time is None:
        try:
            rows = [_place(harness.run(batch.alone(row)), found) for row in range(len(batch))]
            alone = np.abs(np.concatenate(rows) - base)
        except (RunFailedError, ValueError):
            alone = None
    both = changed if alone is None else np.maximum(changed, alone)
    has_halves = stack.directions == 2 and base.shape[1] == 2 * stack.state_size
    forward, backward = (float(half.max()) for half in np.split(both, 2, axis=1)) if has_halves else (None, None)
    scale = float(np.abs(base).max())
    return Leak(float(changed.max()), forward, backward, None if alone is None else float(alone.max()), scale)


def _place(seen: Sequence[Activation], found: Match | None) -> Array:
    where = seen[-1].where if found is None else found.seen.where
    rows = next((one.rows for one in seen if one.where == where), None)
    if rows is None:
        raise RunFailedError("its embedding has another shape at another size")
    return rows


Tried = dict[int, str]
"""Sizes, each with what went wrong there; an empty text if nothing did."""


def sizes(harness: Harness, inspection: Inspection, found: Match | None, time: int) -> tuple[Tried, Tried]:
    """Try batches of other sizes, and times other than `time`: whether the model runs, and gives the rows that the
    reading `found` gives. Returns two mappings, of batch sizes and of times, to what is wrong; empty text is right.
    """
    batches = {} if harness.layout.batch else {size: _tried(harness, inspection, found, size, time) for size in _SIZES}
    times = (
        {} if harness.layout.time else {time: _tried(harness, inspection, found, harness.size, time) for time in _TIMES}
    )
    return batches, times


def _tried(harness: Harness, inspection: Inspection, found: Match | None, size: int, time: int) -> str:
    batch = harness.batch(size, time)
    try:
        seen = harness.run(batch)
        if found is None:
            return ""
        computed = Computed.of(inspection, harness.vectors(batch), batch.lengths)
    except RunFailedError as error:
        return f"fails: {error}"
    rows = _computed_rows(found, computed)
    index = next((one.rows for one in seen if one.where == found.seen.where), None)
    if rows is None or index is None or index.shape != rows.shape:
        return "computes something else"
    difference = np.abs(index - rows).max()
    return "" if difference <= harness.bounds.mistaken(rows) else "computes something else"


def _computed_rows(found: Match, computed: Computed) -> Array | None:
    try:
        rows = computed.rows(found.reading, packed=found.packed)
    except IndexError:  # a step that such a short sentence hasn't got
        return None
    return None if rows is None else found.head.apply(rows)


def frozen(tried: tuple[Tried, Tried], harness: Harness, found: Match | None) -> list[ProbeResult]:
    """Check whether batch size and time are free, not frozen, by what `sizes` returned as `tried`."""
    batches, times = tried
    step_is_frozen = found is not None and found.reading.key == "constant_step"
    return [
        _axis("batch", harness.layout.batch, batches, "frozen_batch", False),
        _axis("time", harness.layout.time, times, "frozen_time", step_is_frozen),
    ]


def _axis(name: str, only: int | None, tried: Tried, key: str, is_read: bool) -> ProbeResult:
    if only is not None:
        return _result(name, "wrong", f"frozen at {only}", key)
    wrong = {size: why for size, why in tried.items() if why}
    if wrong or is_read:
        size, why = next(iter(wrong.items()), (0, "a step is read by its number"))
        others = ", ".join(str(size) for size, why in tried.items() if not why)
        says = f"frozen: at {size} it {why}" + (f"; right at {others}" if others else "") if size else f"frozen: {why}"
        return _result(name, "wrong", says, key)
    return _result(name, "right", f"free: runs at {', '.join(map(str, tried))}")


def axes(model: Model, inspection: Inspection, harness: Harness, found: Match | None) -> ProbeResult:
    """Check whether the cells run along the tokens' axis, by what a run has shown (`inspection`), the layout of
    `harness`, and the reading `found`.
    """
    mixed = inspection.swaps_axes or (found is not None and found.reading.key == "batch_time_mixed")
    ports = {port.role: port for port in model.about.inputs}
    declared = ports["tokens"].shape or ()
    first = str(declared[0]).lower() if declared else ""
    output = (model.output.shape or ("",))[0]
    if harness.layout.batch_axis == 1 and (
        "batch" in first or (isinstance(output, str) and output and output == first)
    ):
        mixed = True
    order = "batch first" if harness.layout.batch_axis == 0 else "time first"
    if mixed:
        return _result("layout", "wrong", "the cells run along the batch: batch_first is mixed up", "batch_time_mixed")
    return _result("layout", "fact", order)


def repeatable(harness: Harness, batch: Batch) -> ProbeResult:
    """Run the same batch twice, and with other sentences in it."""
    first, again = (harness.run(batch)[-1].rows for _ in range(2))
    if not np.array_equal(first, again):
        return _result("repeated", "wrong", "gives other numbers each time", "not_repeatable")
    others = harness.batch(len(batch), batch.time, batch.lengths)
    tokens = np.concatenate((batch.tokens[:1], others.tokens[1:]))
    mixed = float(np.abs(harness.run(Batch(tokens, batch.lengths))[-1].rows[0] - first[0]).max())
    if len(batch) > 1 and harness.layout.batch != 1 and mixed > harness.bounds.right(first):
        return _result("neighbours", "wrong", f"change a sentence's row by up to {mixed:.2g}", "rows_mix")
    return _result("neighbours", "right", "change nothing in a sentence's row")


def initial(inspection: Inspection) -> ProbeResult:
    """Describe the cells' initial states."""
    every = [direction for layer in inspection.stack.layers for direction in layer]
    if inspection.initial_differs:
        return _result("initial states", "wrong", "stored, another for each row of a batch", "initial_by_row")
    stored = any(one.h_0 is not None or one.c_0 is not None for one in every)
    return _result("initial states", "fact", "stored, the same for each row" if stored else "zeros")


_GATES: dict[str, tuple[Verdict, str, tuple[str, ...]]] = {
    "same": ("right", "are exactly the state dict's, gates in the right order", ()),
    "torch": ("wrong", "are the state dict's, but with the gates in PyTorch's order", ("torch_gate_order",)),
    "order": ("wrong", "are the state dict's, but with the gates in another order", ("gate_order",)),
    "bias": ("wrong", "are the state dict's, but for the biases", ("biases",)),
    "initial": ("wrong", "are the state dict's, but for the initial states", ("initial_states",)),
    "directions": ("wrong", "are the state dict's, but with the directions swapped", ("swapped_directions",)),
    "other": ("wrong", "are not the state dict's", ("other_weights",)),
}


def weights(model: Model, stack: Stack, state_dict: Reference | None) -> ProbeResult:
    """Check whether the weights equal those of the state dict, gate by gate."""
    if state_dict is not None:
        verdict, says, mistakes = _GATES[reference.gates(stack, state_dict.stack)]
        if not mistakes and not reference.holds_table(state_dict, model):
            verdict, says, mistakes = "wrong", "are the state dict's, but for the embedding table", ("other_weights",)
        return _result("weights", verdict, says, *mistakes)
    if model.about.opset is None:
        return _result("gates", "fact", "in PyTorch's order, as its own cells have them")
    return _result("gates", "unknown", "their order can't be told without --state-dict")


def reset(model: Model, stack: Stack, state_dict: Reference | None) -> ProbeResult:
    """Check whether a GRU in ONNX is of PyTorch's variant, which resets after its linear layer. `stack` has its
    weights; without a `state_dict` and biases it can't be told.
    """
    if stack.cell != "gru" or model.about.opset is None:
        return ProbeResult(())
    if stack.linear_before_reset:
        return _result("linear_before_reset", "right", "1, as PyTorch's GRU needs")
    if state_dict is None and stack.may_reset_first:
        return _result(
            "linear_before_reset", "unknown", "0: right of Keras's reset_after=False, wrong of PyTorch's GRU"
        )
    return _result("linear_before_reset", "wrong", "0, PyTorch's GRU needs 1", "linear_before_reset")
